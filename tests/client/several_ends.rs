//! The ends of connections of one channel, and an id that is used again: old and new are not mixed.

use std::sync::Arc;

use http_sse::crossbeam_channel::{Receiver, bounded};
use http_sse::testing::{Peer, Server};
use http_sse::{Delivery, End, Error, Request, RetryPolicy};

use support::transcript::{assert_ended, client, next, quick, rest};
use support::{deadline, wait_until};

type Tagged = (Arc<str>, Delivery);

fn text((id, delivery): Tagged) -> String {
    match delivery {
        Delivery::Event(event) => format!("{id}: {}", event.data()),
        Delivery::End(End::Failed(error)) => format!("{id}: failed: {error}"),
        Delivery::End(end) => format!("{id}: {end:?}"),
    }
}

fn open(server: &Server) -> Peer {
    let mut peer = server.accept();
    peer.stream();
    peer
}

#[test]
fn every_end_is_an_item_of_its_own_kind_and_the_last() {
    let script = |answer: fn(Peer)| Server::serve(move |_, peer| answer(peer)).unwrap();
    let get = |server: &Server| Request::get(server.url("/")).retry(RetryPolicy::never());
    let stream = script(|mut peer| {
        peer.stream();
        peer.send("data: a\n\ndata: [DONE]\n\n");
        peer.end();
    });
    let gone = script(|mut peer| peer.respond(204, &[], ""));
    let taken = script(|mut peer| peer.respond(202, &[], ""));
    let refused = script(|mut peer| peer.respond(403, &[], "no"));
    for (request, expected) in [
        (get(&stream), &["it: a", "it: [DONE]", "it: Complete"][..]),
        (get(&stream).until(|event| event.data() == "[DONE]"), &["it: a", "it: Until"]),
        (get(&gone), &["it: NoContent"]),
        (Request::post(taken.url("/")), &["it: NoStream(202)"]),
        (get(&refused), &["it: failed: the server answered 403: no"]),
        (get(&stream).on_event(|_| panic!("on purpose")), &["it: failed: a callback panicked"]),
    ] {
        let (sender, receiver) = bounded(8);
        client().connect_to("it", request, sender).unwrap();
        assert_eq!(rest(&receiver).into_iter().map(text).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_clean_end_waits_for_room_and_a_stop_does_not() {
    let server = Server::serve_concurrently(|_, mut peer| {
        peer.stream();
        peer.send("data: a\n\n");
        peer.end();
    })
    .unwrap();
    let (sender, receiver) = bounded(1);
    let request = || Request::get(server.url("/")).retry(RetryPolicy::never());
    let handle = client().connect_to("it", request(), sender.clone()).unwrap();
    wait_until(|| handle.end().is_some());
    assert_eq!([next(&receiver), next(&receiver)].map(text), ["it: a", "it: Complete"]);
    assert!(handle.join_timeout(deadline()));

    let handle = client().connect_to("it", request(), sender).unwrap();
    wait_until(|| handle.end().is_some());
    handle.stop();
    assert!(handle.join_timeout(deadline()));
    assert_eq!(text(next(&receiver)), "it: a");
    assert_ended(&receiver);
}

#[test]
fn the_end_of_the_old_connection_comes_before_anything_of_the_new_one() {
    let (old, new) = (Server::start().unwrap(), Server::start().unwrap());
    let client = client();
    let (sender, receiver) = bounded(1);
    let (let_go, held) = bounded::<()>(0);
    // It is still there when its successor comes, and has not found any room for its end.
    let request = Request::get(old.url("/")).retry(quick()).on_close(move |_| _ = held.recv_timeout(deadline()));
    let first = client.connect_to("it", request, sender.clone()).unwrap();
    let mut peer = open(&old);
    peer.send("data: old\n\ndata: lost\n\n");
    wait_until(|| first.stats().events == 2 && receiver.is_full());
    assert!(client.stop("it"));
    let second = client.connect_to("it", Request::get(new.url("/")).retry(quick()), sender).unwrap();
    let mut peer = open(&new);
    peer.send("data: new\n\n");
    wait_until(|| second.stats().events == 1);
    assert_eq!([next(&receiver), next(&receiver), next(&receiver)].map(text), ["it: old", "it: Stopped", "it: new"]);
    drop(let_go);
    assert!(first.join_timeout(deadline()));
    second.stop();
    assert_eq!(rest(&receiver).into_iter().map(text).collect::<Vec<_>>(), ["it: Stopped"]);
}

#[test]
fn a_failure_whose_id_is_used_again_comes_before_anything_of_the_new_connection() {
    let (old, new) = (Server::start().unwrap(), Server::start().unwrap());
    let client = client();
    let (sender, receiver) = bounded(1);
    let request = Request::get(old.url("/")).retry(RetryPolicy::never());
    let first = client.connect_to("it", request, sender.clone()).unwrap();
    let mut peer = open(&old);
    peer.send("data: old\n\n");
    peer.close_abruptly();
    wait_until(|| matches!(first.end(), Some(End::Failed(Error::Disconnected))));
    let second = client.connect_to("it", Request::get(new.url("/")).retry(quick()), sender).unwrap();
    let mut peer = open(&new);
    peer.send("data: new\n\n");
    wait_until(|| second.stats().events == 1);
    let failed = format!("it: failed: {}", Error::Disconnected);
    assert_eq!([next(&receiver), next(&receiver), next(&receiver)].map(text), ["it: old", &failed, "it: new"]);
    assert!(first.join_timeout(deadline()));
    second.stop();
    assert_eq!(rest(&receiver).into_iter().map(text).collect::<Vec<_>>(), ["it: Stopped"]);
}

#[test]
fn another_channel_knows_nothing_of_the_end() {
    let (old, new) = (Server::start().unwrap(), Server::start().unwrap());
    let client = client();
    let ((first_sender, first), (second_sender, second)) = (bounded(4), bounded(4));
    client.connect_to("it", Request::get(old.url("/")).retry(quick()), first_sender).unwrap();
    let _peer = open(&old);
    client.stop("it");
    let handle = client.connect_to("it", Request::get(new.url("/")).retry(quick()), second_sender).unwrap();
    let mut peer = open(&new);
    peer.send("data: new\n\n");
    assert_eq!(text(next(&second)), "it: new");
    handle.stop();
    let ends = |receiver: &Receiver<Tagged>| rest(receiver).into_iter().map(text).collect::<Vec<_>>();
    assert_eq!([ends(&first), ends(&second)], [["it: Stopped"], ["it: Stopped"]]);
}

#[test]
fn old_events_never_come_after_new_ones_however_often_an_id_is_used_again() {
    let server = Server::serve_concurrently(|number, mut peer| {
        peer.stream();
        while peer.try_send(format!("data: {number}\n\n").repeat(10)).is_ok() {}
    })
    .unwrap();
    let client = client();
    let (sender, receiver) = bounded(2);
    let mut newest = 0;
    let mut take = |receiver: &Receiver<Tagged>| {
        if let (_, Delivery::Event(event)) = next(receiver) {
            let number: usize = event.data().parse().unwrap();
            assert!(number >= newest, "{number} after {newest}");
            newest = number;
        }
    };
    for _ in 0..100 {
        client.connect_to("it", Request::get(server.url("/")).retry(quick()), sender.clone()).unwrap();
        (0..5).for_each(|_| take(&receiver));
        client.stop("it");
    }
    drop(sender);
    while receiver.recv_timeout(deadline()).is_ok() {}
}
