//! A connection that is told to connect again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use http_sse::crossbeam_channel::bounded;
use http_sse::testing::Server;
use http_sse::{End, RetryPolicy, State};

use crate::reconnect::{client, next_data, patient, prompt, streaming};
use support::phase::{Phase, Scene, await_events, unique_id};
use support::{deadline, wait_until};

#[test]
fn an_open_stream_is_dropped_and_taken_up_after_the_last_event() {
    let server = Server::start().unwrap();
    let rx = client().connect("it", patient(&server)).unwrap();
    let mut first = streaming(&server);
    first.send("id: 1\ndata: a\n\nid: 2\ndata: half");
    assert_eq!(next_data(&rx), "a");
    rx.handle().reconnect();
    first.wait_for_close();
    let mut second = streaming(&server);
    assert_eq!(second.request().header("last-event-id"), Some("1"));
    second.send("id: 2\ndata: b\n\n");
    assert_eq!(next_data(&rx), "b");
    assert!(rx.is_empty());
}

#[test]
fn a_wait_is_cut_short() {
    let server = Server::start().unwrap();
    let rx = client().connect("it", patient(&server)).unwrap();
    server.accept().respond(503, &[], "");
    wait_until(|| rx.handle().state() == State::Waiting);
    rx.handle().reconnect();
    streaming(&server).send("data: a\n\n");
    assert_eq!(next_data(&rx), "a");
}

#[test]
fn an_attempt_under_way_is_dropped_for_a_new_one() {
    for phase in Phase::PULLED.iter().filter(|phase| **phase != Phase::BackOff) {
        let scene = Scene::new(*phase);
        let rx = scene.client.connect(&scene.id, scene.request()).unwrap();
        let handle = rx.handle();
        let witness = scene.enter(&handle);
        handle.reconnect();
        witness.closed_at();
        wait_until(|| handle.stats().attempts == 2);
        assert!(handle.end().is_none(), "{phase:?}");
        handle.stop();
        assert!(handle.join_timeout(deadline()), "{phase:?}");
        assert!(rx.try_recv().is_err_and(|error| error.is_disconnected()), "{phase:?}");
    }
}

#[test]
fn the_event_in_delivery_is_delivered_and_what_came_after_it_comes_again() {
    for capacity in [0, 1, 2] {
        let server = Server::start().unwrap();
        let rx = client().connect(unique_id(), patient(&server).capacity(capacity)).unwrap();
        let mut first = streaming(&server);
        first.send("id: 1\ndata: 1\n\nid: 2\ndata: 2\n\nid: 3\ndata: 3\n\nid: 4\ndata: 4\n\nid: 5\ndata: 5\n\n");
        let handed_over = capacity as u64 + 1;
        await_events(&rx.handle(), handed_over);
        rx.handle().reconnect();
        first.wait_for_close();
        let got: Vec<_> = (0..handed_over).map(|_| next_data(&rx)).collect();
        assert_eq!(got, ["1", "2", "3"][..=capacity]);
        let mut second = streaming(&server);
        assert_eq!(second.request().header("last-event-id"), Some(&handed_over.to_string()[..]));
        second.send("id: 9\ndata: next\n\n");
        assert_eq!(next_data(&rx), "next");
        assert!(rx.is_empty());
        assert_eq!(rx.handle().stats().events, handed_over + 1);
    }
}

#[test]
fn a_closed_connection_stays_closed() {
    let server = Server::start().unwrap();
    let rx = client().connect("it", patient(&server)).unwrap();
    let peer = streaming(&server);
    rx.handle().stop();
    rx.handle().reconnect();
    peer.wait_for_close();
    assert!(rx.recv_timeout(deadline()).is_err_and(|error| error.is_disconnected()));
    rx.handle().join();
    rx.handle().reconnect();
    assert_eq!(rx.handle().state(), State::Closed);
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_finished_connection_stays_finished() {
    let server = Server::serve(|_, mut peer| peer.respond(204, &[], "")).unwrap();
    let rx = client().connect("it", patient(&server)).unwrap();
    assert!(rx.recv_timeout(deadline()).is_err_and(|error| error.is_disconnected()));
    rx.handle().reconnect();
    rx.handle().join();
    rx.handle().reconnect();
    assert!(matches!(rx.handle().end(), Some(End::NoContent)));
    assert_eq!(server.connections(), 1);
}

#[test]
fn calls_that_find_the_connection_busy_become_one() {
    let server = Server::start().unwrap();
    let (inside, entered) = bounded(0);
    let (leave, left) = bounded::<()>(0);
    let request = patient(&server).on_open(move |opened| {
        if opened.attempt() == 1 {
            inside.send(()).unwrap();
            assert!(left.recv_timeout(deadline()).is_err_and(|error| error.is_disconnected()));
        }
    });
    let rx = client().connect("it", request).unwrap();
    let first = streaming(&server);
    entered.recv_timeout(deadline()).unwrap();
    for _ in 0..50 {
        rx.handle().reconnect();
    }
    first.wait_for_close();
    drop(leave);
    streaming(&server).send("data: a\n\n");
    assert_eq!(next_data(&rx), "a");
    assert_eq!(rx.handle().stats().attempts, 2);
    assert_eq!(server.connections(), 2);
}

#[test]
fn no_error_is_reported() {
    let server = Server::start().unwrap();
    let errors = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&errors);
    let request =
        prompt(&server).on_error(move |_| _ = counter.fetch_add(1, Ordering::SeqCst)).before_connect(|attempt| {
            assert!(attempt.last_error().is_none());
        });
    let rx = client().connect("it", request).unwrap();
    let first = streaming(&server);
    assert!(rx.handle().wait_open(deadline()));
    rx.handle().reconnect();
    first.wait_for_close();
    let mut second = server.accept();
    second.request();
    rx.handle().reconnect();
    second.wait_for_close();
    let mut third = streaming(&server);
    third.send("data: a\n\n");
    assert_eq!(next_data(&rx), "a");
    assert_eq!(errors.load(Ordering::SeqCst), 0);
    assert_eq!(rx.handle().stats().consecutive_failures, 0);
}

#[test]
fn no_failure_before_it_is_forgotten() {
    let server = Server::start().unwrap();
    let policy = RetryPolicy::constant(Duration::from_millis(1)).max_retries(9);
    let rx = client().connect("it", patient(&server).retry(policy)).unwrap();
    let handle = rx.handle();
    let long = [("Retry-After", "3600")];
    for round in 0..3 {
        server.accept().respond(503, &[], "");
        server.accept().respond(503, &[], "");
        server.accept().respond(503, &long, "");
        wait_until(|| handle.state() == State::Waiting && handle.stats().attempts == 3 * (round + 1));
        assert_eq!(u64::from(handle.stats().consecutive_failures), 3 * (round + 1));
        handle.reconnect_now();
    }
    let mut peer = server.accept();
    peer.request();
    assert_eq!(handle.stats().consecutive_failures, 9);
    peer.respond(204, &[], "");
    assert!(rx.recv_timeout(deadline()).is_err_and(|error| error.is_disconnected()));
}

#[test]
fn a_callback_may_ask_for_it() {
    let server = Server::start().unwrap();
    let client = client();
    let own = client.clone();
    let request = patient(&server).on_event(move |event| {
        if event.data() == "a" {
            own.handle("it").unwrap().reconnect();
        }
    });
    let rx = client.connect("it", request).unwrap();
    let mut first = streaming(&server);
    first.send("id: 1\ndata: a\n\nid: 2\ndata: lost\n\n");
    first.wait_for_close();
    let mut second = streaming(&server);
    assert_eq!(second.request().header("last-event-id"), Some("1"));
    second.send("data: b\n\n");
    assert_eq!([next_data(&rx), next_data(&rx)], ["a", "b"]);
}

#[test]
fn a_reader_connects_again_inside_next() {
    let server = Server::start().unwrap();
    let mut reader = client().read("it", patient(&server)).unwrap();
    let handle = reader.handle();
    let puller = thread::spawn(move || (reader.next().unwrap().unwrap().into_data(), reader));
    let first = streaming(&server);
    assert!(handle.wait_open(deadline()));
    handle.reconnect();
    first.wait_for_close();
    let mut second = streaming(&server);
    second.send("data: a\n\n");
    assert_eq!(puller.join().unwrap().0, "a");
}

#[test]
fn a_reader_connects_again_over_several_calls_of_next_timeout() {
    for phase in [Phase::Head, Phase::IdleBody, Phase::BackOff, Phase::Connect] {
        let scene = Scene::new(phase);
        let mut reader = scene.client.read(&scene.id, scene.request()).unwrap();
        let handle = reader.handle();
        let puller =
            thread::spawn(
                move || while reader.next_timeout(Duration::from_millis(5)).is_err_and(|e| e.is_timeout()) {},
            );
        let witness = scene.enter(&handle);
        handle.reconnect();
        witness.closed_at();
        wait_until(|| handle.stats().attempts == 2);
        handle.stop();
        puller.join().unwrap();
    }
}

#[test]
fn a_reader_between_two_calls_is_reconnected_by_the_next() {
    let server = Server::start().unwrap();
    let mut reader = client().read("it", patient(&server)).unwrap();
    let script = thread::spawn(move || {
        let mut first = streaming(&server);
        first.send("id: 1\ndata: a\n\nid: 2\ndata: lost\n\n");
        first.wait_for_close();
        let mut second = streaming(&server);
        assert_eq!(second.request().header("last-event-id"), Some("1"));
        second.send("data: b\n\n");
        second.wait_for_close();
    });
    assert_eq!(reader.next().unwrap().unwrap().data(), "a");
    reader.handle().reconnect();
    assert_eq!(reader.next().unwrap().unwrap().data(), "b");
    drop(reader);
    script.join().unwrap();
}
