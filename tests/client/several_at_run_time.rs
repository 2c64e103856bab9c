//! Connections of one receiver that come and go: `connect_to` a channel of the user's own.

use std::sync::Arc;

use http_sse::crossbeam_channel::{Receiver, bounded, unbounded};
use http_sse::testing::{Peer, Server};
use http_sse::{Client, Delivery, End, Handle, Overflow, Request, RetryPolicy};

use support::transcript::{client, next, quick, rest};
use support::{deadline, wait_until};

type Tagged = (Arc<str>, Delivery);

fn endless(server: &Server) -> Request {
    Request::get(server.url("/")).retry(quick())
}

fn open(server: &Server) -> Peer {
    let mut peer = server.accept();
    peer.stream();
    peer
}

#[track_caller]
fn next_event(receiver: &Receiver<Tagged>) -> (String, String) {
    match next(receiver) {
        (id, Delivery::Event(event)) => (id.to_string(), event.into_data()),
        (id, Delivery::End(end)) => panic!("{id} has ended: {end:?}"),
    }
}

/// The next item is the end of this connection.
#[track_caller]
fn next_end(receiver: &Receiver<Tagged>, expected: &str) -> End {
    match next(receiver) {
        (id, Delivery::End(end)) if &*id == expected => end,
        other => panic!("{other:?} in place of the end of {expected}"),
    }
}

/// What is left are the ends of these connections, all of them stopped, in whatever order.
#[track_caller]
fn assert_stopped(receiver: &Receiver<Tagged>, expected: &[&str]) {
    let mut ids: Vec<_> = rest(receiver)
        .into_iter()
        .map(|(id, item)| {
            assert!(matches!(item, Delivery::End(End::Stopped)), "{id}: {item:?}");
            id.to_string()
        })
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, expected);
}

fn pair(id: &str, data: &str) -> (String, String) {
    (id.to_owned(), data.to_owned())
}

/// The connection is over because nobody listens, and its id is free.
#[track_caller]
fn assert_left(client: &Client, handle: &Handle) {
    assert!(handle.join_timeout(deadline()), "{handle:?}");
    assert!(matches!(handle.end(), Some(End::Stopped)), "{:?}", handle.end());
    assert_eq!(client.ids(), Vec::<String>::new());
}

#[test]
fn connections_are_added_and_removed_while_the_channel_is_read() {
    let (attic, cellar) = (Server::start().unwrap(), Server::start().unwrap());
    let client = client();
    let (sender, receiver) = bounded(8);
    let first = client.connect_to("attic", endless(&attic), sender.clone()).unwrap();
    let mut up = open(&attic);
    up.send("data: 1\n\n");
    assert_eq!(next_event(&receiver), pair("attic", "1"));

    let second = client.connect_to("cellar", endless(&cellar), sender.clone()).unwrap();
    let mut down = open(&cellar);
    down.send("data: 2\n\n");
    assert_eq!(next_event(&receiver), pair("cellar", "2"));
    up.send("data: 3\n\n");
    assert_eq!(next_event(&receiver), pair("attic", "3"));

    assert!(client.stop("attic"));
    assert!(first.join_timeout(deadline()));
    assert!(matches!(next_end(&receiver, "attic"), End::Stopped));
    up.wait_for_close();
    down.send("data: 4\n\n");
    assert_eq!(next_event(&receiver), pair("cellar", "4"));

    client.connect_to("attic", endless(&attic), sender).unwrap();
    let mut again = open(&attic);
    again.send("data: 5\n\n");
    assert_eq!(next_event(&receiver), pair("attic", "5"));
    second.stop();
    client.stop_all();
    assert_stopped(&receiver, &["attic", "cellar"]);
}

#[test]
fn the_channel_ends_with_the_last_sender() {
    let server = Server::serve_concurrently(|_, mut peer| {
        peer.stream();
        peer.send("data: a\n\n");
        peer.end();
    });
    let server = server.unwrap();
    let (sender, receiver) = bounded(8);
    for id in ["a", "b"] {
        let request = Request::get(server.url("/")).retry(RetryPolicy::never());
        client().connect_to(id, request, sender.clone()).unwrap();
    }
    drop(sender);
    let (mut events, mut ends) = (0, 0);
    for (_, item) in rest(&receiver) {
        match item {
            Delivery::Event(_) => events += 1,
            Delivery::End(end) => ends += i32::from(matches!(end, End::Complete)),
        }
    }
    assert_eq!((events, ends), (2, 2));
}

#[test]
fn dropping_the_handle_changes_nothing() {
    let server = Server::start().unwrap();
    let client = client();
    let (sender, receiver) = bounded(8);
    drop(client.connect_to("it", endless(&server), sender).unwrap());
    let mut peer = open(&server);
    peer.send("data: a\n\n");
    assert_eq!(next_event(&receiver), pair("it", "a"));
    assert!(client.stop("it"));
    assert_stopped(&receiver, &["it"]);
}

#[test]
fn a_silent_connection_outlives_its_receivers_until_the_first_send() {
    let server = Server::start().unwrap();
    let client = client();
    let (sender, receiver) = bounded(8);
    let handle = client.connect_to("it", endless(&server), sender).unwrap();
    let mut peer = open(&server);
    assert!(handle.wait_open(deadline()));
    drop(receiver);
    peer.send(": a comment is no send\n\n");
    wait_until(|| handle.stats().comments == 1);
    assert!(!handle.is_closed());
    peer.send("data: a\n\n");
    assert_left(&client, &handle);
    peer.wait_for_close();
}

#[test]
fn a_send_that_waits_for_room_ends_with_the_receivers() {
    for capacity in [0, 1] {
        let server = Server::start().unwrap();
        let client = client();
        let (sender, receiver) = bounded(capacity);
        let handle = client.connect_to("it", endless(&server), sender).unwrap();
        let mut peer = open(&server);
        peer.send("data: a\n\ndata: b\n\n");
        wait_until(|| handle.stats().events == capacity as u64 + 1);
        drop(receiver);
        assert_left(&client, &handle);
        peer.wait_for_close();
    }
}

#[test]
fn the_last_of_several_receivers_counts() {
    let server = Server::start().unwrap();
    let client = client();
    let (sender, receiver) = bounded(8);
    let other = receiver.clone();
    let handle = client.connect_to("it", endless(&server), sender).unwrap();
    let mut peer = open(&server);
    drop(receiver);
    peer.send("data: a\n\n");
    assert_eq!(next_event(&other), pair("it", "a"));
    drop(other);
    peer.send("data: b\n\n");
    assert_left(&client, &handle);
}

#[test]
fn a_failure_without_receivers_is_reported_to_on_error_and_ends_the_connection() {
    let server = Server::start().unwrap();
    let client = client();
    let (failures, failed) = unbounded();
    let (sender, receiver) = bounded(8);
    let request = endless(&server).on_error(move |error| failures.send(error.status()).unwrap());
    let handle = client.connect_to("it", request, sender).unwrap();
    drop(receiver);
    server.accept().respond(404, &[], "");
    assert_left(&client, &handle);
    assert_eq!(rest(&failed), [Some(404)]);
}

#[test]
fn a_failure_comes_with_its_id_as_the_last_item_of_it() {
    let (failing, lasting) = (Server::start().unwrap(), Server::start().unwrap());
    let client = client();
    let (sender, receiver) = bounded(8);
    let failed = client.connect_to("failing", endless(&failing), sender.clone()).unwrap();
    client.connect_to("lasting", endless(&lasting), sender).unwrap();
    let mut peer = open(&lasting);
    failing.accept().respond(404, &[], "gone");
    let End::Failed(error) = next_end(&receiver, "failing") else { panic!("it has not failed") };
    assert_eq!((error.status(), error.body()), (Some(404), Some("gone")));
    assert!(failed.join_timeout(deadline()));
    assert!(matches!(failed.end(), Some(End::Failed(_))));
    peer.send("data: a\n\n");
    assert_eq!(next_event(&receiver), pair("lasting", "a"));
    client.stop_all();
    assert_stopped(&receiver, &["lasting"]);
}

#[test]
fn a_failure_waits_for_room() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("data: a\n\n");
        peer.close_abruptly();
    });
    let server = server.unwrap();
    let (sender, receiver) = bounded(1);
    let request = Request::get(server.url("/")).retry(RetryPolicy::never());
    let handle = client().connect_to("it", request, sender).unwrap();
    wait_until(|| handle.is_closed());
    assert!(!handle.join_timeout(std::time::Duration::ZERO));
    let items: Vec<_> = rest(&receiver).into_iter().map(|(_, item)| matches!(item, Delivery::Event(_))).collect();
    assert_eq!(items, [true, false]);
}

#[test]
fn the_channel_keeps_its_own_capacity() {
    let server = Server::start().unwrap();
    let client = client();
    let (sender, receiver) = bounded(2);
    let handle = client.connect_to("it", endless(&server).capacity(64), sender).unwrap();
    let mut peer = open(&server);
    peer.send("data: a\n\ndata: b\n\ndata: c\n\ndata: d\n\n");
    wait_until(|| handle.stats().events == 3);
    assert_eq!((receiver.capacity(), receiver.len()), (Some(2), 2));
    for data in ["a", "b", "c", "d"] {
        assert_eq!(next_event(&receiver), pair("it", data));
    }
    handle.stop();
    assert_stopped(&receiver, &["it"]);
}

#[test]
fn a_channel_without_bound_never_holds_the_stream_up() {
    let server = Server::start().unwrap();
    let client = client();
    let (sender, receiver) = unbounded();
    let handle = client.connect_to("it", endless(&server).capacity(1), sender).unwrap();
    let mut peer = open(&server);
    peer.send("data: a\n\n".repeat(1000));
    wait_until(|| receiver.len() == 1000);
    handle.stop();
    assert_eq!(rest(&receiver).len(), 1001);
}

#[test]
fn a_dropping_overflow_is_refused_and_named_and_takes_no_id() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let server = Server::start().unwrap();
        let client = client();
        let (sender, receiver) = bounded(8);
        let refused = client.connect_to("it", endless(&server).overflow(overflow), sender.clone());
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("invalid request") && text.contains(&format!("overflow {overflow:?}")), "{text}");
        assert_eq!(client.ids(), Vec::<String>::new());
        let handle = client.connect_to("it", endless(&server), sender).unwrap();
        let peer = open(&server);
        assert_eq!(peer.number(), 0);
        handle.stop();
        assert_stopped(&receiver, &["it"]);
    }
}
