//! Several connections in one channel, opened together: all or none, and each with an end of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use http_sse::crossbeam_channel::{never, select};
use http_sse::testing::{Peer, Server};
use http_sse::{Client, Delivery, End, Error, Event, Merged, Overflow, Request, RetryPolicy};

use support::transcript::{assert_ended, client, next, quick, rest};
use support::{deadline, wait_until};

type Tagged = (Arc<str>, Delivery);

fn one_shot(server: &Server, path: &str) -> Request {
    Request::get(server.url(path)).retry(RetryPolicy::never())
}

fn endless(server: &Server) -> Request {
    Request::get(server.url("/")).retry(quick())
}

/// Streams of as many events, whose data is the path and their number.
fn counting(events: usize) -> Server {
    let server = Server::serve_concurrently(move |_, mut peer| {
        let path = peer.request().path().to_owned();
        peer.stream();
        for number in 0..events {
            peer.send(format!("id: {number}\ndata: {path} {number}\n\n"));
        }
        peer.end();
    });
    server.unwrap()
}

fn open(server: &Server) -> Peer {
    let mut peer = server.accept();
    peer.stream();
    peer
}

/// Two connections to servers of their own, both open.
fn two() -> (Client, Merged, [Peer; 2], [Server; 2]) {
    let (first, second) = (Server::start().unwrap(), Server::start().unwrap());
    let client = client();
    let merged = client.connect_all([("first", endless(&first)), ("second", endless(&second))]).unwrap();
    let peers = [open(&first), open(&second)];
    (client, merged, peers, [first, second])
}

#[track_caller]
fn event((id, item): Tagged) -> (String, String) {
    match item {
        Delivery::Event(event) => (id.to_string(), event.into_data()),
        Delivery::End(end) => panic!("{id} has ended: {end:?}"),
    }
}

/// The events alone.
fn events(items: impl IntoIterator<Item = Tagged>) -> Vec<(String, String)> {
    items.into_iter().filter(|(_, item)| matches!(item, Delivery::Event(_))).map(event).collect()
}

#[track_caller]
fn assert_stopped((id, item): Tagged, expected: &str) {
    assert!(&*id == expected && matches!(item, Delivery::End(End::Stopped)), "{id}: {item:?}");
}

fn pair(id: &str, data: &str) -> (String, String) {
    (id.to_owned(), data.to_owned())
}

/// What came of each connection, failures as their text; every end must be the last item of its id.
fn by_id(items: impl IntoIterator<Item = Tagged>) -> BTreeMap<String, Vec<String>> {
    let (mut by_id, mut ended) = (BTreeMap::<_, Vec<_>>::new(), Vec::new());
    for (id, item) in items {
        assert!(ended.iter().all(|over: &Arc<str>| *over != id), "{id} goes on after its end");
        if matches!(item, Delivery::End(_)) {
            ended.push(Arc::clone(&id));
        }
        let items = by_id.entry(id.to_string()).or_default();
        items.extend(item.into_result().map(|item| item.map_or_else(|error| error.to_string(), Event::into_data)));
    }
    assert_eq!(ended.len(), by_id.len(), "an end is missing");
    by_id
}

fn numbered(path: &str, events: usize) -> Vec<String> {
    (0..events).map(|number| format!("{path} {number}")).collect()
}

#[track_caller]
fn assert_all_stopped(client: &Client, merged: Merged) {
    let handles: Vec<_> = merged.handles().collect();
    drop(merged);
    assert_eq!(client.ids(), Vec::<String>::new(), "the ids are not free at once");
    for handle in handles {
        assert!(handle.join_timeout(deadline()), "{handle:?}");
        assert!(matches!(handle.end(), Some(End::Stopped)), "{:?}", handle.end());
    }
}

#[test]
fn the_events_of_all_come_with_their_ids_each_connection_in_order() {
    let server = counting(50);
    let requests = ["a", "b", "c"].map(|id| (id, one_shot(&server, id)));
    let merged = client().connect_all(requests).unwrap();
    let expected: BTreeMap<_, _> =
        ["a", "b", "c"].into_iter().map(|id| (id.to_owned(), numbered(&format!("/{id}"), 50))).collect();
    assert_eq!(by_id(rest(&merged)), expected);
}

#[test]
fn a_full_channel_holds_up_all_and_loses_nothing() {
    let server = counting(1000);
    let requests = ["a", "b", "c"].map(|id| (id, one_shot(&server, id).capacity(1)));
    let merged = client().connect_all(requests).unwrap();
    wait_until(|| merged.is_full());
    for (id, data) in by_id(rest(&merged)) {
        assert_eq!(data, numbered(&format!("/{id}"), 1000));
    }
    let counted: Vec<_> = merged.handles().map(|handle| (handle.stats().events, handle.stats().dropped)).collect();
    assert_eq!(counted, [(1000, 0); 3]);
}

#[test]
fn it_ends_when_all_have_ended() {
    let server = counting(1);
    let client = client();
    let merged = client.connect_all([("a", one_shot(&server, "a")), ("b", one_shot(&server, "b"))]).unwrap();
    let items = rest(&merged);
    assert_eq!((items.len(), events(items).len()), (4, 2));
    assert!(merged.handles().all(|handle| matches!(handle.end(), Some(End::Complete))));
    assert_eq!(client.ids(), Vec::<String>::new());
    let mut merged = merged;
    assert!(merged.next().is_none() && merged.next().is_none());
}

#[test]
fn without_connections_it_ends_immediately() {
    let merged = client().connect_all(Vec::<(String, Request)>::new()).unwrap();
    assert_ended(&merged);
    assert_eq!(merged.handles().count(), 0);
}

#[test]
fn a_connection_that_ends_leaves_the_others_alone() {
    let (ending, lasting) = (Server::start().unwrap(), Server::start().unwrap());
    let client = client();
    let merged = client.connect_all([("ending", endless(&ending)), ("lasting", endless(&lasting))]).unwrap();
    let mut peer = open(&lasting);
    ending.accept().respond(204, &[], "");
    wait_until(|| client.ids() == ["lasting"]);
    let (id, item) = next(&merged);
    assert!(&*id == "ending" && matches!(item, Delivery::End(End::NoContent)), "{id}: {item:?}");
    peer.send("data: a\n\n");
    assert_eq!(event(next(&merged)), pair("lasting", "a"));
    assert!(merged.is_empty());
    assert_all_stopped_but_first(merged, &client);
    peer.wait_for_close();
}

/// The first has come to an end of its own.
#[track_caller]
fn assert_all_stopped_but_first(merged: Merged, client: &Client) {
    let ends: Vec<_> = merged.handles().collect();
    drop(merged);
    assert!(ends.iter().all(|handle| handle.join_timeout(deadline())));
    assert!(!matches!(ends[0].end(), None | Some(End::Stopped)), "{:?}", ends[0].end());
    assert!(ends[1..].iter().all(|handle| matches!(handle.end(), Some(End::Stopped))));
    assert_eq!(client.ids(), Vec::<String>::new());
}

#[test]
fn a_failure_is_the_last_item_of_its_id_and_the_others_go_on() {
    let (failing, lasting) = (Server::start().unwrap(), Server::start().unwrap());
    let client = client();
    let merged = client.connect_all([("failing", one_shot(&failing, "")), ("lasting", endless(&lasting))]).unwrap();
    let (mut cut, mut peer) = (open(&failing), open(&lasting));
    cut.send("data: a\n\n");
    assert_eq!(event(next(&merged)), pair("failing", "a"));
    cut.close_abruptly();
    let (id, error) = next(&merged);
    assert_eq!(&*id, "failing");
    assert!(matches!(error, Delivery::End(End::Failed(Error::Disconnected))), "{error:?}");
    peer.send("data: b\n\n");
    assert_eq!(event(next(&merged)), pair("lasting", "b"));
    assert!(merged.is_empty());
    assert_all_stopped_but_first(merged, &client);
    peer.wait_for_close();
}

#[test]
fn it_ends_after_the_failures_of_all() {
    let server = Server::serve_concurrently(|_, mut peer| peer.respond(404, &[], "")).unwrap();
    let merged = client().connect_all(["a", "b", "c"].map(|id| (id, endless(&server)))).unwrap();
    let failed = by_id(rest(&merged));
    assert_eq!(failed.into_values().collect::<Vec<_>>(), [["the server answered 404"]; 3]);
    assert_eq!(server.connections(), 3);
}

#[test]
fn one_bad_request_and_none_is_sent() {
    for bad in 0..3 {
        let server = Server::start().unwrap();
        let client = client();
        let request = |number| if number == bad { Request::get("not a url") } else { endless(&server) };
        let refused = client.connect_all((0..3).map(|number| (number.to_string(), request(number)))).unwrap_err();
        assert!(matches!(refused, Error::InvalidRequest(_)), "{refused}");
        assert_nothing_was_sent(&server, &client, ["0", "1", "2"]);
    }
}

/// The ids are free, and whoever uses them is the first to come.
#[track_caller]
fn assert_nothing_was_sent(server: &Server, client: &Client, ids: [&str; 3]) {
    assert_eq!(client.ids(), Vec::<String>::new());
    let merged = client.connect_all(ids.map(|id| (id, endless(server)))).unwrap();
    let peers = [open(server), open(server), open(server)];
    assert_eq!(peers.map(|peer| peer.number()), [0, 1, 2]);
    drop(merged);
    assert!(client.shutdown(deadline()));
}

#[test]
fn a_bad_id_is_refused_with_all() {
    let server = Server::start().unwrap();
    let client = client();
    let refused = client.connect_all([("a", endless(&server)), ("", endless(&server))]).unwrap_err();
    assert!(matches!(refused, Error::InvalidRequest(_)), "{refused}");
    assert_nothing_was_sent(&server, &client, ["a", "b", "c"]);
}

#[test]
fn an_id_that_is_there_twice_is_refused_with_all() {
    let server = Server::start().unwrap();
    let client = client();
    let refused = client.connect_all(["a", "b", "a"].map(|id| (id, endless(&server)))).unwrap_err();
    assert!(matches!(&refused, Error::DuplicateId(id) if id == "a"), "{refused}");
    assert_nothing_was_sent(&server, &client, ["a", "b", "c"]);
}

#[test]
fn an_id_of_a_live_connection_is_refused_with_all_and_that_one_goes_on() {
    let server = Server::start().unwrap();
    let client = client();
    let live = client.connect("b", endless(&server)).unwrap();
    let mut peer = open(&server);
    let refused = client.connect_all(["a", "b", "c"].map(|id| (id, endless(&server)))).unwrap_err();
    assert!(matches!(&refused, Error::DuplicateId(id) if id == "b"), "{refused}");
    assert_eq!(client.ids(), ["b"]);
    peer.send("data: on\n\n");
    assert_eq!(next(&live).unwrap().data(), "on");
    support::transcript::stop(&live);
    peer.wait_for_close();
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_dropping_overflow_is_refused_with_all_and_named() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let server = Server::start().unwrap();
        let client = client();
        let refused = client.connect_all([("a", endless(&server)), ("b", endless(&server).overflow(overflow))]);
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("invalid request") && text.contains("overflow"), "{text}");
        assert!(text.contains(&format!("{overflow:?}")), "{text}");
        assert_nothing_was_sent(&server, &client, ["a", "b", "c"]);
    }
}

#[test]
fn dropping_it_stops_all() {
    let (client, merged, peers, _servers) = two();
    assert_eq!(client.ids(), ["first", "second"]);
    assert_all_stopped(&client, merged);
    for peer in peers {
        peer.wait_for_close();
    }
}

#[test]
fn dropping_it_while_it_is_full_stops_all() {
    let server = counting(usize::MAX);
    let client = client();
    let merged = client.connect_all(["a", "b"].map(|id| (id, endless(&server).capacity(1)))).unwrap();
    wait_until(|| merged.is_full());
    assert_all_stopped(&client, merged);
}

#[test]
fn a_bare_receiver_of_it_owns_nothing() {
    let (client, merged, peers, _servers) = two();
    let bare = merged.clone();
    assert_all_stopped(&client, merged);
    let ends = rest(&bare);
    assert!(ends.len() == 2 && ends.iter().all(|(_, item)| matches!(item, Delivery::End(End::Stopped))), "{ends:?}");
    drop(peers);
}

#[test]
fn its_capacity_is_the_sum() {
    let server = counting(0);
    for (capacities, sum) in [(&[2, 3][..], 5), (&[0, 4], 4), (&[0, 0], 0)] {
        let requests = capacities.iter().map(|capacity| one_shot(&server, "").capacity(*capacity));
        let ids = (0..).map(|number: i32| number.to_string());
        let merged = client().connect_all(ids.zip(requests)).unwrap();
        assert_eq!(merged.capacity(), Some(sum));
        assert_eq!(rest(&merged).len(), capacities.len());
    }
    let merged = client().connect_all(["a", "b"].map(|id| (id, one_shot(&server, "")))).unwrap();
    assert_eq!(merged.capacity(), Some(512));
    assert_eq!(rest(&merged).len(), 2);
}

#[test]
fn without_capacity_each_event_is_handed_over() {
    let server = counting(20);
    let merged = client().connect_all(["a", "b"].map(|id| (id, one_shot(&server, id).capacity(0)))).unwrap();
    for (id, data) in by_id(rest(&merged)) {
        assert_eq!(data, numbered(&format!("/{id}"), 20));
    }
}

#[test]
fn it_iterates_by_value_and_by_reference() {
    let server = counting(3);
    let open_all = || client().connect_all(["a", "b"].map(|id| (id, one_shot(&server, id)))).unwrap();
    assert_eq!(events(open_all()).len(), 6);
    let merged = open_all();
    let mut seen = Vec::new();
    for item in &merged {
        seen.push(item);
        if seen.len() == 4 {
            break;
        }
    }
    seen.extend(&merged);
    assert_eq!((seen.len(), events(seen).len()), (8, 6));
}

#[test]
fn it_is_selected_like_any_receiver() {
    let (client, merged, mut peers, _servers) = two();
    let other = never::<()>();
    peers[1].send("data: a\n\n");
    let seen = select! {
        recv(merged) -> item => event(item.unwrap()),
        recv(other) -> _ => unreachable!(),
        default(deadline()) => panic!("nothing came"),
    };
    assert_eq!(seen, pair("second", "a"));
    peers[0].send("data: b\n\n");
    assert_eq!(event(merged.recv_timeout(deadline()).unwrap()), pair("first", "b"));
    assert!(merged.try_recv().is_err());
    assert_all_stopped(&client, merged);
}

#[test]
fn its_handles_come_in_the_order_of_the_requests_and_stop_one_alone() {
    let (client, merged, mut peers, _servers) = two();
    let handles: Vec<_> = merged.handles().collect();
    assert_eq!(handles.iter().map(http_sse::Handle::id).collect::<Vec<_>>(), ["first", "second"]);
    handles[0].stop();
    assert!(handles[0].join_timeout(deadline()));
    assert_stopped(next(&merged), "first");
    assert_eq!(client.ids(), ["second"]);
    peers[1].send("data: on\n\n");
    assert_eq!(event(next(&merged)), pair("second", "on"));
    assert!(client.stop("second"));
    assert_stopped(next(&merged), "second");
    assert_ended(&merged);
}

#[test]
fn it_debugs_as_the_ids_and_what_waits() {
    let (_, merged, mut peers, _servers) = two();
    peers[0].send("data: secret\n\n");
    wait_until(|| merged.len() == 1);
    assert_eq!(format!("{merged:?}"), r#"Merged { ids: ["first", "second"], waiting: 1 }"#);
}
