//! What other clients of event streams were measured to lack, one test each: this one must have it.

use std::time::Duration;

use http_sse::testing::Server;
use http_sse::{Overflow, Request, RetryPolicy, State};
use support::transcript::{assert_ended, client, next_data, next_event, quick, stop};
use support::{deadline, wait_until};

fn once(server: &Server) -> Request {
    Request::get(server.url("/events")).retry(RetryPolicy::never())
}

fn request(server: &Server) -> Request {
    Request::get(server.url("/events")).retry(quick())
}

/// Fault: no Retry-After.
#[test]
fn retry_after_lifts_the_wait() {
    let server = Server::start().unwrap();
    let rx = client().connect("retry-after", request(&server)).unwrap();
    server.accept().respond(503, &[("Retry-After", "1000")], "");
    wait_until(|| rx.handle().state() == State::Waiting);
    let wait = rx.handle().stats().retry_in.unwrap();
    assert!(wait > Duration::from_secs(900), "{wait:?}");
    stop(&rx);
}

/// Fault: no overflow policy; what a slow consumer loses is left to chance.
#[test]
fn the_consumer_says_what_a_full_channel_drops() {
    for (overflow, kept) in [(Overflow::DropOldest, ["8", "9"]), (Overflow::DropNewest, ["0", "1"])] {
        let server = Server::serve(|_, mut peer| {
            peer.stream();
            peer.send((0..10).map(|number| format!("data: {number}\n\n")).collect::<String>());
            peer.end();
        })
        .unwrap();
        let rx = client().connect("full", once(&server).capacity(2).overflow(overflow)).unwrap();
        assert!(rx.handle().join_timeout(deadline()));
        assert_eq!([next_data(&rx), next_data(&rx)], kept);
        assert_ended(&rx);
        assert_eq!(rx.handle().stats().dropped, 8);
    }
}

/// Fault: no fan-in.
#[test]
fn several_streams_come_out_of_one_receiver() {
    let servers = ["a", "b"].map(|data| {
        Server::serve(move |_, mut peer| {
            peer.stream();
            peer.send(format!("data: {data}\n\n"));
            peer.end();
        })
        .unwrap()
    });
    let requests = ["one", "two"].into_iter().zip(servers.each_ref().map(once));
    let merged = client().connect_all(requests).unwrap();
    let events = merged.filter_map(|(id, item)| Some((id.to_string(), item.into_result()?.unwrap().into_data())));
    let mut items: Vec<_> = events.collect();
    items.sort_unstable();
    assert_eq!(items, [("one".to_owned(), "a".to_owned()), ("two".to_owned(), "b".to_owned())]);
}

/// Fault: no persisted id.
#[test]
fn a_stored_id_resumes_in_another_client() {
    let server = Server::start().unwrap();
    let before = client().connect("before", once(&server)).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send("id: 41\ndata: a\n\n");
    peer.end();
    let stored = next_event(&before).id().unwrap().to_owned();
    assert_ended(&before);
    let after = client().connect("after", request(&server).last_event_id(stored.as_str())).unwrap();
    assert_eq!(server.accept().request().header("last-event-id"), Some("41"));
    stop(&after);
}

/// Fault: no class for a clock that is not set yet.
#[test]
fn a_clock_that_is_not_set_has_an_error_of_its_own() {
    use http_sse::{Client, Error};
    use support::tls::{Authority, Clock, TlsServer, Validity};
    use support::transcript::{next, transcript};
    let authority = Authority::new();
    let server = TlsServer::serve(authority.server_config(Validity::VALID), |_, _| {});
    let (seen, transcript) = transcript();
    let client = Client::builder().no_proxy().tls_config(authority.client_config(Clock::default())).build().unwrap();
    let request = Request::get(server.url("/"))
        .retry(quick())
        .on_error(move |error| seen.send((error.clone(), error.is_transient())).unwrap());
    let rx = client.connect("clock", request).unwrap();
    for _ in 0..2 {
        let (error, is_transient) = next(&transcript);
        assert!(matches!(error, Error::ClockNotSet(_)) && is_transient, "{error:?}");
    }
    stop(&rx);
}
