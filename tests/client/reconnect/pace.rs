//! How soon an attempt follows that `Handle::reconnect` asks for: no public call hammers a server.

use std::time::{Duration, Instant};

use http_sse::testing::{Peer, Server};
use http_sse::{Events, Handle, Request, RetryPolicy};

use crate::reconnect::{HOUR, client, streaming};
use support::{deadline, waiting_for};

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn request(server: &Server, policy: RetryPolicy) -> Request {
    Request::get(server.url("/events")).retry(policy)
}

fn stop(events: &Events) {
    events.handle().stop();
    assert!(events.handle().join_timeout(deadline()));
}

#[test]
fn reconnect_cuts_the_wait_short_and_forgets_no_failure() {
    let server = Server::start().unwrap();
    let rx = client().connect("asked", request(&server, RetryPolicy::constant(HOUR))).unwrap();
    server.accept().respond(503, &[], "");
    assert!(waiting_for(&rx.handle()) > HOUR / 2);
    assert_eq!(rx.handle().stats().consecutive_failures, 1);
    rx.handle().reconnect();
    let _peer = streaming(&server);
    assert!(rx.handle().wait_open(deadline()));
    assert_eq!(rx.handle().stats().consecutive_failures, 1);
    stop(&rx);
}

/// A program in a hurry reconnects at each failure for 2 s; returns how often it tried.
fn hurried(policy: RetryPolicy, reconnect: fn(&Handle), script: impl FnMut(usize, Peer) + Send + 'static) -> u64 {
    let server = Server::serve(script).unwrap();
    let (client, id) = (client(), "hurried");
    let own = client.clone();
    let request = request(&server, policy).on_error(move |_| reconnect(&own.handle(id).unwrap()));
    let rx = client.connect(id, request).unwrap();
    assert!(!rx.handle().join_timeout(Duration::from_secs(2)));
    let attempts = rx.handle().stats().attempts;
    stop(&rx);
    attempts
}

#[test]
fn repeated_reconnects_do_not_flood_a_failing_server() {
    let policy = RetryPolicy::constant(ms(500)).max_retries(None);
    for reconnect in [Handle::reconnect, Handle::reconnect_now] {
        let attempts = hurried(policy.clone(), reconnect, |_, mut peer| peer.respond(503, &[], ""));
        assert!((2..=6).contains(&attempts), "{attempts} attempts");
    }
}

#[test]
fn no_flapping_hook_hammers_a_server_and_the_stream_is_there_once_it_is_quiet() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.wait_for_close();
    })
    .unwrap();
    let rx = client().connect("flapping", request(&server, RetryPolicy::constant(ms(500)))).unwrap();
    let (handle, start) = (rx.handle(), Instant::now());
    while start.elapsed() < Duration::from_secs(2) {
        handle.reconnect();
        assert!(!handle.join_timeout(ms(1)));
    }
    let (attempts, max) = (u128::from(handle.stats().attempts), 2 + start.elapsed().as_millis() / 500);
    assert!((2..=max).contains(&attempts), "{attempts} attempts, allowed are {max}");
    assert!(handle.wait_open(deadline()));
    stop(&rx);
}

#[test]
fn reconnect_waits_for_retry_after_and_reconnect_now_does_not() {
    let policy = RetryPolicy::constant(ms(10)).max_retries(None);
    let busy = |_, mut peer: Peer| peer.respond(503, &[("Retry-After", "3600")], "");
    assert_eq!(hurried(policy.clone(), Handle::reconnect, busy), 1);
    let server = Server::start().unwrap();
    let rx = client().connect("now", request(&server, policy)).unwrap();
    server.accept().respond(503, &[("Retry-After", "3600")], "");
    assert!(waiting_for(&rx.handle()) > HOUR / 2);
    rx.handle().reconnect();
    assert!(waiting_for(&rx.handle()) > HOUR / 2);
    rx.handle().reconnect_now();
    server.accept();
    stop(&rx);
}

#[test]
fn an_attempt_that_was_asked_for_counts_like_any_other() {
    let attempts = {
        let server = Server::serve(|_, mut peer| peer.respond(503, &[], "")).unwrap();
        let (client, id) = (client(), "counts");
        let own = client.clone();
        let request = request(&server, RetryPolicy::constant(ms(20)).max_retries(3))
            .on_error(move |_| own.handle(id).map_or((), |handle| handle.reconnect()));
        let rx = client.connect(id, request).unwrap();
        let error = rx.recv_timeout(deadline()).unwrap().unwrap_err();
        assert_eq!(error.status(), Some(503));
        assert_eq!(rx.handle().stats().consecutive_failures, 4);
        server.connections()
    };
    assert_eq!(attempts, 4);
}
