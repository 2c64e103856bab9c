//! A stop while a callback runs, from within it and from elsewhere.

use std::sync::Arc;

use http_sse::crossbeam_channel::bounded;
use http_sse::testing::Server;
use http_sse::{Client, Request, RetryPolicy};
use std::time::Duration;

use crate::stop::{assert_gone, client, drain};
use support::deadline;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Callback {
    BeforeConnect,
    Open,
    Event,
    Comment,
    Skipped,
    RetryWhen,
    RetriedError,
    TerminalError,
}

const ALL: [Callback; 8] = [
    Callback::BeforeConnect,
    Callback::Open,
    Callback::Event,
    Callback::Comment,
    Callback::Skipped,
    Callback::RetryWhen,
    Callback::RetriedError,
    Callback::TerminalError,
];

/// A server that makes this callback run.
fn server_for(callback: Callback) -> Server {
    Server::serve(move |_, mut peer| {
        match callback {
            Callback::RetryWhen | Callback::RetriedError => return peer.respond(503, &[], ""),
            Callback::TerminalError => return peer.respond(404, &[], ""),
            _ => peer.stream(),
        }
        peer.send(": comment\n");
        peer.send(format!("data: {}\n\n", "x".repeat(if callback == Callback::Skipped { 200 } else { 1 })));
        peer.is_closed_within(deadline());
    })
    .unwrap()
}

fn request_for(callback: Callback, server: &Server, run: impl Fn() + Send + 'static) -> Request {
    let hour = Duration::from_secs(3600);
    let request = Request::get(server.url("/events")).retry(RetryPolicy::constant(hour)).max_event_size(100);
    match callback {
        Callback::BeforeConnect => request.before_connect(move |_| run()),
        Callback::Open => request.on_open(move |_| run()),
        Callback::Event => request.on_event(move |_| run()),
        Callback::Comment => request.on_comment(move |_| run()),
        Callback::RetryWhen => request.retry_when(move |_| {
            run();
            true
        }),
        Callback::Skipped | Callback::RetriedError | Callback::TerminalError => request.on_error(move |_| run()),
    }
}

#[test]
fn a_stop_from_within_any_callback_ends_the_connection() {
    for callback in ALL {
        let (server, client) = (server_for(callback), client());
        let own = client.clone();
        let request = request_for(callback, &server, move || assert!(own.stop("it")));
        let rx = client.connect("it", request).unwrap();
        let events = drain(&rx);
        // The event in delivery.
        assert_eq!(events.len(), usize::from(callback == Callback::Event), "{callback:?}");
        assert_gone(&client, &rx.handle());
        assert_eq!(client.ids(), Vec::<String>::new(), "{callback:?}");
        assert_eq!(server.connections(), usize::from(callback != Callback::BeforeConnect), "{callback:?}");
    }
}

#[test]
fn a_stop_from_within_any_callback_ends_a_reader() {
    for callback in ALL {
        let (server, client) = (server_for(callback), client());
        let own = client.clone();
        let request = request_for(callback, &server, move || assert!(own.stop("it")));
        let reader = client.read("it", request).unwrap();
        let handle = reader.handle();
        let events: Vec<_> = reader.map(Result::unwrap).collect();
        assert_eq!(events.len(), usize::from(callback == Callback::Event), "{callback:?}");
        assert_gone(&client, &handle);
    }
}

#[test]
fn a_stop_while_any_callback_runs_ends_the_connection_after_it() {
    for callback in ALL {
        let (server, client) = (server_for(callback), client());
        let (inside, entered) = bounded(1);
        let (leave, left) = bounded::<()>(0);
        let request = request_for(callback, &server, move || {
            // One that ran before the stop is the only one that may.
            inside.try_send(()).unwrap();
            assert!(left.recv_timeout(deadline()).is_err_and(|error| error.is_disconnected()));
        });
        let rx = client.connect("it", request).unwrap();
        let handle = rx.handle();
        entered.recv_timeout(deadline()).unwrap();
        handle.stop();
        assert!(handle.is_closed() && client.ids().is_empty(), "{callback:?}");
        assert!(!handle.join_timeout(Duration::ZERO), "{callback:?}");
        drop(leave);
        assert!(drain(&rx).len() <= 1, "{callback:?}");
        assert_gone(&client, &handle);
        assert!(entered.is_empty(), "{callback:?}");
    }
}

#[test]
fn a_stop_from_within_on_close_changes_nothing() {
    let server = Server::serve(|_, mut peer| peer.respond(204, &[], "")).unwrap();
    let client = client();
    let own: Arc<Client> = Arc::new(client.clone());
    let (sender, joined) = bounded(1);
    let (handle_to, handle_of) = bounded::<http_sse::Handle>(1);
    let request = Request::get(server.url("/events")).on_close(move |end| {
        let handle = handle_of.recv_timeout(deadline()).unwrap();
        handle.stop();
        own.stop_all();
        sender.send((handle.join_timeout(Duration::MAX), end.clone())).unwrap();
    });
    let rx = client.connect("it", request).unwrap();
    handle_to.send(rx.handle()).unwrap();
    assert_eq!(drain(&rx), Vec::<String>::new());
    rx.handle().join();
    let (joined, end) = joined.recv_timeout(deadline()).unwrap();
    assert!(!joined);
    assert!(matches!(end, http_sse::End::NoContent));
    assert!(matches!(rx.handle().end(), Some(http_sse::End::NoContent)));
}
