//! A stream that carried much and then falls silent: its buffers become small again, and nothing else changes.

use std::time::{Duration, Instant};

use http_sse::testing::{Peer, Server};
use http_sse::{Client, Error, Event, NextTimeoutError, Request, RetryPolicy, Timeout};

use support::deadline;
use support::tls::{Authority, TlsServer, Validity};

/// Events of a burst: what fills every buffer several times.
const MANY: usize = 10_000;
/// Longer than what a stream waits before it gives its buffers back. The time is the subject of these tests.
const PAUSE: Duration = Duration::from_millis(500);

fn burst() -> String {
    (0..MANY).map(|number| format!("data: {number:050}\n\n")).collect()
}

fn burst_and_one_more(mut peer: Peer) {
    peer.stream();
    peer.send(burst());
    peer.pause(PAUSE);
    peer.send("data: after\n\n");
    peer.end();
}

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

fn once(url: String) -> Request {
    Request::get(url).retry(RetryPolicy::never())
}

#[track_caller]
fn assert_complete(events: impl Iterator<Item = Result<Event, Error>>) {
    let events: Vec<Event> = events.map(Result::unwrap).collect();
    assert_eq!(events.len(), MANY + 1);
    assert!(events[..MANY].iter().zip(0..).all(|(event, number)| event.data().parse() == Ok(number)));
    assert_eq!(events[MANY].data(), "after");
}

#[test]
fn what_comes_after_the_silence_arrives_on_a_thread_of_the_connection() {
    let server = Server::serve(|_, peer| burst_and_one_more(peer)).unwrap();
    assert_complete(client().connect("burst", once(server.url("/"))).unwrap());
}

#[test]
fn what_comes_after_the_silence_arrives_on_the_callers_thread() {
    let server = Server::serve(|_, peer| burst_and_one_more(peer)).unwrap();
    assert_complete(client().read("burst", once(server.url("/"))).unwrap());
}

#[test]
fn what_comes_after_the_silence_arrives_over_tls() {
    let authority = Authority::new();
    let server = TlsServer::serve(authority.server_config(Validity::VALID), |_, peer| burst_and_one_more(peer));
    let client = Client::builder().no_proxy().only_root_certificates_pem(authority.pem()).build().unwrap();
    assert_complete(client.connect("burst", once(server.url("/"))).unwrap());
}

#[test]
fn a_caller_with_a_deadline_is_not_sent_away_early() {
    let server = Server::serve(|_, peer| burst_and_one_more(peer)).unwrap();
    let mut reader = client().read("burst", once(server.url("/"))).unwrap();
    for _ in 0..MANY {
        reader.next_timeout(deadline()).unwrap().unwrap();
    }
    assert_eq!(reader.next_timeout(deadline()).unwrap().unwrap().data(), "after");
    assert_eq!(reader.next_timeout(deadline()).unwrap_err(), NextTimeoutError::Ended);
}

#[test]
fn the_idle_timeout_is_as_long_as_ever() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send(burst());
        peer.wait_for_close();
    })
    .unwrap();
    let mut reader = client().read("burst", once(server.url("/")).idle_timeout(PAUSE)).unwrap();
    assert!(reader.by_ref().take(MANY).all(|event| event.is_ok()));
    let start = Instant::now();
    let error = reader.next().unwrap().unwrap_err();
    assert!(matches!(error, Error::Timeout(Timeout::Idle)), "{error:?}");
    let waited = start.elapsed();
    assert!(waited > PAUSE / 2 && waited < deadline(), "{waited:?}");
}
