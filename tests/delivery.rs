//! What a consumer sees: events in order, over reconnects, until an end it can name.

mod support;

use http_sse::testing::Server;
use http_sse::{Client, End, Request, RetryPolicy, State};
use std::time::Duration;

use support::deadline;

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

fn quick() -> RetryPolicy {
    RetryPolicy::constant(Duration::from_millis(10)).max_retries(u32::MAX)
}

#[test]
fn events_arrive_in_order_over_a_reconnect_with_the_last_event_id() {
    let server = Server::start().unwrap();
    let rx = client().connect("order", Request::get(server.url("/events")).retry(quick())).unwrap();
    let mut peer = server.accept();
    assert_eq!(peer.request().header("last-event-id"), None);
    peer.stream();
    peer.send("id: 1\ndata: a\n\nid: 2\ndata: b\n\n");
    peer.reset();
    let mut peer = server.accept();
    assert_eq!(peer.request().header("last-event-id"), Some("2"));
    peer.stream();
    peer.send("id: 3\ndata: c\n\n");
    let got: Vec<_> = rx.iter().take(3).map(|event| event.unwrap().into_data()).collect();
    assert_eq!(got, ["a", "b", "c"]);
    let handle = rx.handle();
    assert_eq!(handle.state(), State::Open);
    drop(rx);
    assert!(handle.join_timeout(deadline()));
    assert!(matches!(handle.end(), Some(End::Stopped)));
}

#[test]
fn a_reader_pulls_the_same_stream_on_its_own_thread() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("data: a\n\ndata: b\n\n");
        peer.end();
    })
    .unwrap();
    let request = Request::get(server.url("/events")).retry(RetryPolicy::never());
    let mut reader = client().read("pull", request).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().data(), "a");
    assert_eq!(reader.next().unwrap().unwrap().data(), "b");
    assert!(reader.next().is_none());
    assert!(matches!(reader.handle().end(), Some(End::Complete)));
}
