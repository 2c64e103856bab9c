//! A connection's own thread cannot wait for itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use http_sse::crossbeam_channel::{Receiver, bounded};
use http_sse::testing::{Peer, Server};
use http_sse::{Client, Handle, Request};

use crate::stop::{assert_gone, client, drain};
use support::deadline;

/// Runs `inside` in the callback of the first event, and returns what it returned.
#[track_caller]
fn inside_connect<T: Send + 'static>(inside: impl FnOnce(&Client, &Handle) -> T + Send + 'static) -> T {
    let (server, client) = (Server::start().unwrap(), client());
    let (request, result) = asking(&server, &client, inside);
    let rx = client.connect("it", request).unwrap();
    let peer = greet(&server);
    let result = result.recv_timeout(deadline()).unwrap();
    rx.handle().stop();
    assert!(drain(&rx).len() <= 1);
    assert_gone(&client, &rx.handle());
    drop(peer);
    result
}

/// The same on the thread that calls `next()` of a reader.
#[track_caller]
fn inside_read<T: Send + 'static>(inside: impl FnOnce(&Client, &Handle) -> T + Send + 'static) -> T {
    let (server, client) = (Server::start().unwrap(), client());
    let (request, result) = asking(&server, &client, inside);
    let mut reader = client.read("it", request).unwrap();
    let script = std::thread::spawn(move || {
        let peer = greet(&server);
        (server, peer)
    });
    assert!(reader.next().is_none_or(|event| event.is_ok()));
    reader.handle().stop();
    assert!(reader.next().is_none());
    assert_gone(&client, &reader.handle());
    drop(script.join());
    result.recv_timeout(deadline()).unwrap()
}

fn asking<T: Send + 'static>(
    server: &Server,
    client: &Client,
    inside: impl FnOnce(&Client, &Handle) -> T + Send + 'static,
) -> (Request, Receiver<T>) {
    let (sender, result) = bounded(1);
    let (client, mut inside) = (client.clone(), Some(inside));
    let request = Request::get(server.url("/events")).on_event(move |_| {
        if let Some(inside) = inside.take() {
            sender.send(inside(&client, &client.handle("it").unwrap())).unwrap();
        }
    });
    (request, result)
}

fn greet(server: &Server) -> Peer {
    let mut peer = server.accept();
    peer.stream();
    peer.send("data: 1\n\n");
    peer
}

fn text_of_the_panic(run: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref().cloned()).unwrap()
}

#[test]
fn join_panics_with_a_clear_message() {
    for text in [
        inside_connect(|_, handle| text_of_the_panic(|| handle.join())),
        inside_read(|_, handle| text_of_the_panic(|| handle.join())),
    ] {
        assert!(text.contains("own thread"), "{text}");
    }
}

#[test]
fn join_timeout_is_false_at_once() {
    assert!(!inside_connect(|_, handle| handle.join_timeout(Duration::MAX)));
    assert!(!inside_read(|_, handle| handle.join_timeout(Duration::MAX)));
}

#[test]
fn shutdown_stops_and_is_false_at_once() {
    for (done, closed) in [
        inside_connect(|client, handle| (client.shutdown(Duration::MAX), handle.is_closed())),
        inside_read(|client, handle| (client.shutdown(Duration::MAX), handle.is_closed())),
    ] {
        assert!(!done);
        assert!(closed);
    }
}

#[test]
fn join_of_another_connection_waits_for_that() {
    let (server, client) = (Server::start().unwrap(), client());
    let other = client.connect("other", Request::get(server.url("/other"))).unwrap();
    let mut peer = server.accept();
    peer.stream();
    assert!(other.handle().wait_open(deadline()));
    let handle = other.handle();
    assert!(inside_connect(move |_, _| {
        handle.stop();
        handle.join_timeout(deadline())
    }));
    assert_gone(&client, &other.handle());
    peer.wait_for_close();
}

#[test]
fn waiting_for_a_live_connection_times_out_and_stops_nothing() {
    let (server, client) = (Server::start().unwrap(), client());
    let rx = client.connect("it", Request::get(server.url("/events"))).unwrap();
    let mut peer = server.accept();
    peer.stream();
    assert!(rx.handle().wait_open(deadline()));
    assert!(!rx.handle().join_timeout(Duration::ZERO));
    assert!(!rx.handle().join_timeout(Duration::from_millis(20)));
    assert!(!rx.handle().is_closed());
    peer.send("data: 1\n\n");
    assert_eq!(rx.recv_timeout(deadline()).unwrap().unwrap().data(), "1");
}
