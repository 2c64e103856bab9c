//! What a handle tells about its connection.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http_sse::crossbeam_channel::bounded;
use http_sse::testing::Server;
use http_sse::{End, Error, Handle, PanicOrigin, Request, RetryPolicy, State};

use crate::reconnect::{HOUR, client, next_data, patient, streaming};
use support::{deadline, wait_until};

#[test]
fn the_state_goes_from_connecting_over_open_and_waiting_to_closed() {
    let server = Server::start().unwrap();
    let rx = client().connect("it", patient(&server)).unwrap();
    let handle = rx.handle();
    let mut peer = server.accept();
    peer.request();
    assert_eq!(handle.state(), State::Connecting);
    peer.stream();
    wait_until(|| handle.state() == State::Open);
    assert!(!handle.is_closed());
    peer.close_abruptly();
    wait_until(|| handle.state() == State::Waiting);
    handle.stop();
    assert_eq!(handle.state(), State::Closed);
    assert!(handle.is_closed());
}

#[test]
fn attempts_and_failures_are_counted() {
    let server = Server::start().unwrap();
    let request = patient(&server).retry(RetryPolicy::constant(Duration::from_millis(1)));
    let rx = client().connect("it", request).unwrap();
    let handle = rx.handle();
    for failures in 0..3 {
        let mut peer = server.accept();
        peer.request();
        let stats = handle.stats();
        assert_eq!((stats.attempts, stats.consecutive_failures), (u64::from(failures) + 1, failures));
        peer.reset();
    }
    server.accept().respond(204, &[], "");
    handle.join();
    assert_eq!(handle.stats().attempts, 4);
}

#[test]
fn the_last_status_is_that_of_the_last_response() {
    let server = Server::start().unwrap();
    let request = patient(&server).retry(RetryPolicy::constant(Duration::from_millis(1)));
    let rx = client().connect("it", request).unwrap();
    let status = || rx.handle().stats().last_status;
    let mut peer = server.accept();
    peer.request();
    assert_eq!(status(), None);
    peer.respond(503, &[], "");
    let mut peer = server.accept();
    peer.request();
    assert_eq!(status(), Some(503));
    peer.stream();
    wait_until(|| status() == Some(200));
    peer.close_abruptly();
    // An attempt without a response keeps it.
    server.accept().reset();
    let mut peer = server.accept();
    peer.request();
    assert_eq!(status(), Some(200));
    peer.respond(404, &[], "");
    assert_eq!(rx.recv_timeout(deadline()).unwrap().unwrap_err().status(), Some(404));
    assert_eq!(status(), Some(404));
    assert!(matches!(rx.handle().end(), Some(End::Failed(error)) if error.status() == Some(404)));
}

#[test]
fn retry_in_tells_the_rest_of_the_wait() {
    let server = Server::start().unwrap();
    let rx = client().connect("it", patient(&server)).unwrap();
    let handle = rx.handle();
    let mut peer = server.accept();
    peer.request();
    assert_eq!(handle.stats().retry_in, None);
    peer.respond(503, &[], "");
    wait_until(|| handle.state() == State::Waiting);
    let rest = handle.stats().retry_in.unwrap();
    assert!(rest <= HOUR && rest > HOUR - deadline() * 6, "{rest:?}");
    wait_until(|| handle.stats().retry_in < Some(rest));
    handle.reconnect();
    let _peer = streaming(&server);
    assert!(handle.wait_open(deadline()));
    assert_eq!(handle.stats().retry_in, None);
}

#[test]
fn a_wait_without_limit_has_no_remaining_time() {
    let server = Server::start().unwrap();
    let request = patient(&server).retry(RetryPolicy::constant(Duration::MAX));
    let rx = client().connect("it", request).unwrap();
    server.accept().respond(503, &[], "");
    wait_until(|| rx.handle().state() == State::Waiting);
    assert_eq!(rx.handle().stats().retry_in, None);
}

#[test]
fn idle_for_counts_since_the_last_byte_while_the_stream_is_open() {
    let server = Server::start().unwrap();
    let rx = client().connect("it", patient(&server)).unwrap();
    let handle = rx.handle();
    let mut peer = server.accept();
    peer.request();
    assert_eq!(handle.stats().idle_for, None);
    peer.stream();
    assert!(handle.wait_open(deadline()));
    let pause = Duration::from_millis(50);
    wait_until(|| handle.stats().idle_for > Some(pause));
    peer.send(":\n");
    wait_until(|| handle.stats().idle_for < Some(pause));
    peer.close_abruptly();
    wait_until(|| handle.state() == State::Waiting);
    assert_eq!(handle.stats().idle_for, None);
}

#[test]
fn bytes_comments_events_and_oversized_events_are_counted_over_reconnects() {
    let server = Server::start().unwrap();
    let rx = client().connect("it", patient(&server).max_event_size(50)).unwrap();
    let handle = rx.handle();
    let body = format!(": comment\n\ndata: 1\n\n:\ndata: {}\n\ndata: 2\n\n", "x".repeat(60));
    for round in 1..=2_u64 {
        let mut peer = streaming(&server);
        peer.send(&body);
        assert_eq!([next_data(&rx), next_data(&rx)], ["1", "2"]);
        let stats = handle.stats();
        assert_eq!((stats.events, stats.comments), (2 * round, 2 * round));
        assert_eq!((stats.bytes, stats.oversized), (body.len() as u64 * round, round));
        assert_eq!(stats.dropped, 0);
        handle.reconnect();
        peer.wait_for_close();
    }
}

#[test]
fn the_last_event_id_is_that_of_the_last_event_even_without_data() {
    let server = Server::start().unwrap();
    let rx = client().connect("it", patient(&server).last_event_id("0")).unwrap();
    let handle = rx.handle();
    assert_eq!(handle.last_event_id().as_deref(), Some("0"));
    let mut peer = streaming(&server);
    peer.send("id: 1\ndata: a\n\nid: half");
    assert_eq!(next_data(&rx), "a");
    assert_eq!(handle.last_event_id().as_deref(), Some("1"));
    peer.send("\nid: 2\n\n");
    wait_until(|| handle.last_event_id().as_deref() == Some("2"));
    peer.send("id\n\n");
    wait_until(|| handle.last_event_id().is_none());
    handle.reconnect();
    peer.wait_for_close();
    assert_eq!(server.accept().request().header("last-event-id"), None);
}

#[test]
fn the_figures_outlive_the_connection() {
    let server = Server::start().unwrap();
    let rx = client().connect("it", patient(&server)).unwrap();
    let handle = rx.handle();
    streaming(&server).send("id: 7\ndata: a\n\n");
    assert_eq!(next_data(&rx), "a");
    drop(rx);
    handle.join();
    assert_eq!((handle.stats().events, handle.stats().attempts), (1, 1));
    assert_eq!(handle.last_event_id().as_deref(), Some("7"));
    assert_eq!((handle.stats().retry_in, handle.stats().idle_for), (None, None));
}

#[test]
fn the_last_error_is_that_of_the_last_failure_and_stays_after_a_recovery() {
    let server = Server::start().unwrap();
    let request = patient(&server).retry(RetryPolicy::constant(Duration::from_millis(1)));
    let start = Instant::now();
    let rx = client().connect("it", request).unwrap();
    let handle = rx.handle();
    let last = || handle.last_error().map(|(error, at)| (error.to_string(), at));
    let mut peer = server.accept();
    peer.request();
    assert!(last().is_none());
    peer.respond(503, &[], "busy");
    let mut peer = server.accept();
    peer.request();
    let (first, first_at) = last().unwrap();
    assert_eq!(first, "the server answered 503: busy");
    assert!((start..=Instant::now()).contains(&first_at));
    peer.respond(502, &[], "");
    let mut peer = server.accept();
    peer.stream();
    peer.send("data: a\n\n");
    assert_eq!(next_data(&rx), "a");
    let (second, second_at) = last().unwrap();
    assert_eq!(second, "the server answered 502");
    assert!((first_at..=Instant::now()).contains(&second_at));
    handle.stop();
    assert!(handle.join_timeout(deadline()));
    assert_eq!(last(), Some((second, second_at)));
}

#[test]
fn the_last_error_is_there_before_on_error_and_is_the_panic_that_ends() {
    let server = Server::serve(|_, mut peer| peer.respond(503, &[], "")).unwrap();
    let own: Arc<OnceLock<Handle>> = Arc::default();
    let inside = Arc::clone(&own);
    let (ready, is_ready) = bounded::<()>(0);
    let request = patient(&server).on_error(move |_| {
        is_ready.recv_timeout(deadline()).unwrap();
        let (error, _) = inside.get().unwrap().last_error().unwrap();
        assert_ne!(error.status(), Some(503), "on purpose");
    });
    let rx = client().connect("it", request).unwrap();
    own.set(rx.handle()).unwrap();
    ready.send_timeout((), deadline()).unwrap();
    assert!(matches!(rx.recv_timeout(deadline()).unwrap(), Err(Error::Panicked(PanicOrigin::Callback))));
    let (error, _) = rx.handle().last_error().unwrap();
    assert!(matches!(error, Error::Panicked(PanicOrigin::Callback)), "{error:?}");
}

#[test]
fn the_reconnection_time_is_what_the_server_sent_last() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("data: a\n\nretry: 7200000\ndata: b\n\nretry: soon\ndata: c\n\n");
        peer.send("retry: 3\n\ndata: d\n\n");
        peer.end();
    })
    .unwrap();
    let request = Request::post(server.url("/"));
    let mut reader = client().read("it", request).unwrap();
    let handle = reader.handle();
    let asked = || handle.stats().reconnection_time.map(|time| time.as_millis());
    assert_eq!(asked(), None);
    let seen: Vec<_> = reader.by_ref().map(|event| (event.unwrap().into_data(), asked())).collect();
    let expected = [("a", None), ("b", Some(7_200_000)), ("c", Some(7_200_000)), ("d", Some(3))];
    assert_eq!(seen, expected.map(|(data, asked)| (data.to_owned(), asked)));
    assert_eq!(asked(), Some(3));
}
