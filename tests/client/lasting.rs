//! What only a later attempt may cure: the same answers under a policy that never ends on them, and under the default.

use std::time::Duration;

use http_sse::testing::{Peer, Server};
use http_sse::{End, Error, Request, RetryPolicy, State};
use support::transcript::{assert_ended, client, next, next_data, stop, terminal_error, transcript};
use support::wait_until;

const ANSWERS: [fn(Peer); 6] = [
    |mut peer| peer.respond(404, &[], "being updated"),
    |mut peer| peer.respond(401, &[], ""),
    |mut peer| peer.respond(501, &[], ""),
    |mut peer| peer.respond(200, &[("Content-Type", "text/html")], "<h1>Welcome to our free network</h1>"),
    |mut peer| peer.respond(302, &[("Location", "ftp://portal.test/")], ""),
    |mut peer| peer.respond(302, &[], ""),
];

/// Answers like that once, and then with an event.
fn once(answer: fn(Peer)) -> Server {
    let server = Server::serve(move |number, mut peer| match number {
        0 => answer(peer),
        _ => {
            peer.stream();
            peer.send("data: a\n\n");
            peer.wait_for_close();
        }
    });
    server.unwrap()
}

#[test]
fn forever_goes_on_after_whatever_a_later_attempt_may_cure() {
    for answer in ANSWERS {
        let server = once(answer);
        let (failures, failed) = transcript();
        let request = Request::get(server.url("/")).retry(RetryPolicy::forever());
        let request = request.on_error(move |error| failures.send(error.clone()).unwrap());
        let rx = client().connect("it", request).unwrap();
        let error = next(&failed);
        assert!(!error.is_transient(), "{error:?}");
        // The longest wait of 30 s, and up to as much again.
        wait_until(|| rx.handle().state() == State::Waiting);
        let wait = rx.handle().stats().retry_in.unwrap();
        assert!((Duration::from_secs(20)..=Duration::from_secs(60)).contains(&wait), "{error}: {wait:?}");
        rx.handle().reconnect();
        assert_eq!(next_data(&rx), "a");
        stop(&rx);
    }
}

#[test]
fn every_other_policy_ends_on_it() {
    for answer in ANSWERS {
        let server = once(answer);
        let policy = RetryPolicy::constant(Duration::from_millis(10)).max_retries(None);
        let rx = client().connect("it", Request::get(server.url("/")).retry(policy)).unwrap();
        let error = terminal_error(&rx);
        assert!(!error.is_transient(), "{error:?}");
        assert_eq!((server.connections(), rx.handle().stats().consecutive_failures), (1, 1), "{error}");
    }
}

#[test]
fn a_persistent_policy_keeps_its_own_limit() {
    let server = Server::serve(|_, mut peer| peer.respond(404, &[], "")).unwrap();
    let policy = RetryPolicy::constant(Duration::from_millis(10)).max_retries(2).persistent();
    let rx = client().connect("it", Request::get(server.url("/")).retry(policy)).unwrap();
    assert_eq!(terminal_error(&rx).status(), Some(404));
    assert_eq!(server.connections(), 3);
    assert_eq!(rx.handle().stats().consecutive_failures, 3);
}

#[test]
fn what_retry_when_refuses_ends_forever_too() {
    let server = once(ANSWERS[0]);
    let request = Request::get(server.url("/")).retry(RetryPolicy::forever()).retry_when(|error| error.is_transient());
    let rx = client().connect("it", request).unwrap();
    assert_eq!(terminal_error(&rx).status(), Some(404));
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_204_ends_forever() {
    let server = Server::serve(|_, mut peer| peer.respond(204, &[], "")).unwrap();
    let rx = client().connect("it", Request::get(server.url("/")).retry(RetryPolicy::forever())).unwrap();
    assert_ended(&rx);
    assert!(matches!(rx.handle().end(), Some(End::NoContent)));
}

/// The broadcast address of the loopback: the system has no route for a TCP connection to it.
const NO_ROUTE: &str = "http://127.255.255.255:9/";

#[test]
#[cfg(target_os = "linux")]
fn without_a_route_a_bounded_policy_gives_up_unless_it_waits_for_the_network() {
    let policy = RetryPolicy::constant(Duration::from_millis(10)).max_retries(2);
    let rx = client().connect("it", Request::get(NO_ROUTE).retry(policy.clone())).unwrap();
    let error = terminal_error(&rx);
    assert!(matches!(&error, Error::Io(error) if error.kind() == std::io::ErrorKind::NetworkUnreachable), "{error:?}");
    assert_eq!(rx.handle().stats().attempts, 3);
    let (failures, failed) = transcript();
    let policy = policy.max_elapsed(Duration::from_millis(50)).wait_for_network();
    let request = Request::get(NO_ROUTE).retry(policy).on_error(move |error| failures.send(error.clone()).unwrap());
    let rx = client().connect("it", request).unwrap();
    for _ in 0..10 {
        assert!(matches!(next(&failed), Error::Io(_)));
    }
    assert!(rx.handle().stats().consecutive_failures >= 9);
    stop(&rx);
}
