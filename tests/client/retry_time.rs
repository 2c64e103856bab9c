//! The reconnection time that a server asks for, at its extremes.

use std::time::{Duration, Instant};

use http_sse::testing::Server;
use http_sse::{Request, RetryPolicy};
use support::transcript::{client, next_data, stop};
use support::waiting_for;

/// Accepts, answers with these bytes of a stream, and ends it cleanly.
#[track_caller]
fn answer(server: &Server, body: &str) {
    let mut peer = server.accept();
    peer.stream();
    peer.send(body);
    peer.end();
}

#[test]
fn a_block_of_only_a_retry_time_is_obeyed() {
    let server = Server::start().unwrap();
    let policy = RetryPolicy::constant(Duration::from_secs(3600)).server_delay(Duration::ZERO..=Duration::MAX);
    let rx = client().connect("retry", Request::get(server.url("/")).retry(policy)).unwrap();
    answer(&server, "retry: 20\n\n");
    server.accept();
    stop(&rx);
}

#[test]
fn a_retry_time_of_zero_does_not_cause_a_flood_of_requests() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("retry: 0\ndata: a\n\n");
        peer.end();
    })
    .unwrap();
    let request = Request::get(server.url("/")).retry(RetryPolicy::forever().jitter(0.0));
    let handle = client().listen("zero", request).unwrap();
    let start = Instant::now();
    assert!(!handle.join_timeout(Duration::from_millis(1500)));
    let (attempts, elapsed) = (handle.stats().attempts, start.elapsed());
    assert!(u128::from(attempts) <= 1 + elapsed.as_millis() / 500, "{attempts} attempts in {elapsed:?}");
    handle.stop();
}

#[test]
fn a_huge_retry_time_is_a_long_wait() {
    for huge in ["9007199254740993", "18446744073709551616", "99999999999999999999999999999999"] {
        let server = Server::start().unwrap();
        let rx = client().connect("huge", Request::get(server.url("/")).retry(RetryPolicy::forever())).unwrap();
        answer(&server, &format!("retry: {huge}\ndata: a\n\n"));
        assert_eq!(next_data(&rx), "a");
        let wait = waiting_for(&rx.handle());
        assert!((Duration::from_secs(200)..=Duration::from_secs(600)).contains(&wait), "{huge}: {wait:?}");
        stop(&rx);
        assert_eq!(server.connections(), 1);
    }
}
