//! Several receivers of one connection: each gets every event from its subscription on, through a channel of its own.

use http_sse::crossbeam_channel::unbounded;
use http_sse::testing::Server;
use http_sse::{End, Event, Events, Handle, Overflow, Request, RetryPolicy};

use support::open_stream::OpenStream;
use support::phase::{await_events, unique_id};
use support::transcript::{assert_ended, client, next_data, quick, rest, terminal_error};
use support::{deadline, wait_until};

fn data(events: &Events) -> Vec<String> {
    rest(events).into_iter().map(|event| event.unwrap().into_data()).collect()
}

#[track_caller]
fn assert_stopped(handle: &Handle) {
    assert!(handle.join_timeout(deadline()), "{handle:?}");
    assert!(matches!(handle.end(), Some(End::Stopped)), "{:?}", handle.end());
}

#[test]
fn every_receiver_gets_every_event() {
    let mut scene = OpenStream::new(|request| request);
    let others = [scene.subscribe(), scene.subscribe()];
    scene.peer.send("id: 1\nevent: x\ndata: a\n\nid: 2\ndata: b\n\n");
    wait_until(|| others.iter().chain([&scene.rx]).all(|rx| rx.len() == 2));
    scene.handle().stop();
    let seen = |rx| rest::<Result<Event, _>>(rx).into_iter().map(Result::unwrap).collect::<Vec<_>>();
    let first = seen(&scene.rx);
    assert_eq!((first[0].event_type(), first[0].id(), first[1].data()), ("x", Some("1"), "b"));
    assert!(others.iter().all(|rx| seen(rx) == first));
}

#[test]
fn a_subscription_begins_with_the_next_event() {
    let mut scene = OpenStream::new(|request| request);
    scene.send(&["a"]);
    assert_eq!(next_data(&scene.rx), "a");
    let late = scene.subscribe();
    scene.send(&["b"]);
    assert_eq!(next_data(&late), "b");
    let later = scene.subscribe();
    scene.send(&["c"]);
    assert_eq!(next_data(&later), "c");
    scene.handle().stop();
    assert_eq!((data(&scene.rx), data(&late)), (vec!["b".into(), "c".into()], vec!["c".into()]));
    assert_ended(&later);
}

#[test]
fn a_subscription_before_the_stream_is_open_gets_the_first_event() {
    let (server, client) = (Server::start().unwrap(), client());
    let rx = client.connect("it", Request::get(server.url("/")).retry(quick())).unwrap();
    let other = client.subscribe("it").unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send("data: a\n\n");
    assert_eq!((next_data(&rx), next_data(&other)), ("a".into(), "a".into()));
}

#[test]
fn a_subscription_lives_through_reconnects() {
    let mut scene = OpenStream::new(|request| request);
    let other = scene.subscribe();
    scene.peer.send("id: 1\ndata: a\n\n");
    assert_eq!((next_data(&scene.rx), next_data(&other)), ("a".into(), "a".into()));
    scene.peer.reset();
    let mut peer = scene.server.accept();
    assert_eq!(peer.request().header("last-event-id"), Some("1"));
    peer.stream();
    peer.send("data: b\n\n");
    assert_eq!((next_data(&scene.rx), next_data(&other)), ("b".into(), "b".into()));
}

#[test]
fn a_subscription_from_on_event_gets_the_event_in_delivery_or_the_next() {
    let (server, client) = (Server::start().unwrap(), client());
    let (subscriptions, subscribed) = unbounded();
    let own = client.clone();
    let request = Request::get(server.url("/")).on_event(move |event| {
        if event.data() == "a" {
            subscriptions.send(own.subscribe("it").unwrap()).unwrap();
        }
    });
    let rx = client.connect("it", request).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send("data: a\n\ndata: b\n\n");
    wait_until(|| rx.len() == 2);
    rx.handle().stop();
    let other = support::transcript::next(&subscribed);
    let seen = data(&other);
    assert!(seen == ["a", "b"] || seen == ["b"], "{seen:?}");
}

#[test]
fn each_has_a_channel_of_its_own_with_the_capacity_of_the_request() {
    let mut scene = OpenStream::new(|request| request.capacity(3));
    let other = scene.subscribe();
    assert_eq!((scene.rx.capacity(), other.capacity()), (Some(3), Some(3)));
    assert!(!scene.rx.same_channel(&other));
    scene.send(&["a", "b"]);
    wait_until(|| other.len() == 2);
    assert_eq!((next_data(&other), next_data(&other)), ("a".into(), "b".into()));
    assert_eq!(scene.rx.len(), 2);
}

#[test]
fn each_has_the_overflow_of_the_request() {
    let mut scene = OpenStream::new(|request| request.capacity(2).overflow(Overflow::DropOldest));
    let slow = scene.subscribe();
    for (number, event) in ["a", "b", "c", "d"].into_iter().enumerate() {
        scene.send(&[event]);
        assert_eq!(next_data(&scene.rx), event);
        wait_until(|| scene.handle().stats().events == number as u64 + 1);
    }
    scene.handle().stop();
    assert_eq!(data(&slow), ["c", "d"]);
    assert_eq!(scene.handle().stats().dropped, 2);
    assert_ended(&scene.rx);
}

#[test]
fn a_stop_while_one_is_slow_gives_the_others_no_more_than_they_had() {
    let mut scene = OpenStream::new(|request| request.capacity(1));
    let quick = scene.subscribe();
    scene.send(&["a", "b"]);
    assert_eq!(next_data(&quick), "a");
    scene.await_blocked(2);
    scene.handle().stop();
    assert_ended(&quick);
}

#[test]
fn under_block_the_slowest_holds_up_all() {
    let mut scene = OpenStream::new(|request| request.capacity(1));
    let slow = scene.subscribe();
    scene.send(&["a", "b", "c", "d"]);
    // The slow one has room for one, and the thread waits with the second.
    assert_eq!((next_data(&scene.rx), next_data(&scene.rx)), ("a".into(), "b".into()));
    scene.await_blocked(2);
    assert!(scene.rx.is_empty());
    assert_eq!(next_data(&slow), "a");
    assert_eq!(next_data(&scene.rx), "c");
    scene.await_blocked(3);
    assert!(scene.rx.is_empty());
    assert_eq!((next_data(&slow), next_data(&slow), next_data(&slow)), ("b".into(), "c".into(), "d".into()));
    assert_eq!(next_data(&scene.rx), "d");
    scene.handle().stop();
    assert_ended(&scene.rx);
    assert_ended(&slow);
    assert_eq!(scene.handle().stats().dropped, 0);
}

#[test]
fn dropping_a_slow_one_while_the_thread_waits_for_it_frees_the_others() {
    for (first, capacity) in [(true, 1), (false, 1), (true, 0), (false, 0)] {
        let mut scene = OpenStream::new(|request| request.capacity(capacity));
        let mut slow = scene.subscribe();
        if first {
            std::mem::swap(&mut slow, &mut scene.rx);
        }
        scene.send(&["a", "b", "c"]);
        if capacity == 1 {
            assert_eq!(next_data(&scene.rx), "a");
        }
        scene.await_blocked(capacity as u64 + 1);
        drop(slow);
        let left = if capacity == 1 { &["b", "c"][..] } else { &["a", "b", "c"] };
        for event in left {
            assert_eq!(next_data(&scene.rx), *event, "{first} {capacity}");
        }
        scene.handle().stop();
        assert_ended(&scene.rx);
    }
}

#[test]
fn dropping_a_slow_one_frees_the_others_though_a_bare_clone_keeps_its_channel() {
    let mut scene = OpenStream::new(|request| request.capacity(1));
    let slow = scene.subscribe();
    let bare = slow.clone();
    scene.send(&["a", "b", "c"]);
    assert_eq!((next_data(&scene.rx), next_data(&scene.rx)), ("a".into(), "b".into()));
    scene.await_blocked(2);
    drop(slow);
    assert_eq!(next_data(&scene.rx), "c");
    assert_eq!(next_data(&bare), "a");
    scene.handle().stop();
    assert_ended(&bare);
}

#[test]
fn the_connection_stops_when_the_last_is_dropped_whichever_it_is() {
    for last in 0..3 {
        let scene = OpenStream::new(|request| request);
        let handle = scene.handle();
        let mut all = vec![scene.subscribe(), scene.subscribe()];
        all.push(scene.rx);
        let last = all.remove(last);
        drop(all);
        assert!(!handle.is_closed());
        assert_eq!(scene.client.ids(), [&*scene.id]);
        drop(last);
        assert_eq!(scene.client.ids(), Vec::<String>::new());
        assert_stopped(&handle);
        scene.peer.wait_for_close();
    }
}

#[test]
fn a_receiver_that_is_left_goes_on_after_the_first_was_dropped() {
    let OpenStream { client, id, rx, mut peer, server: _server } = OpenStream::new(|request| request);
    let other = client.subscribe(&id).unwrap();
    drop(rx);
    peer.send("data: a\n\n");
    assert_eq!(next_data(&other), "a");
    let third = client.subscribe(&id).unwrap();
    drop(other);
    peer.send("data: b\n\n");
    assert_eq!(next_data(&third), "b");
    support::transcript::stop(&third);
}

#[test]
fn subscribers_come_and_go_and_never_stop_a_listen() {
    let (server, client) = (Server::start().unwrap(), client());
    let (sender, heard) = unbounded();
    let request = Request::get(server.url("/")).on_event(move |event| sender.send(event.data().to_owned()).unwrap());
    let handle = client.listen("it", request).unwrap();
    let mut peer = server.accept();
    peer.stream();
    for round in ["a", "b", "c"] {
        let (one, two) = (client.subscribe("it").unwrap(), client.subscribe("it").unwrap());
        peer.send(format!("data: {round}\n\n"));
        assert_eq!((next_data(&one), next_data(&two)), (round.into(), round.into()));
        drop((one, two));
        peer.send(format!("data: {round} alone\n\n"));
        assert_eq!(
            (support::transcript::next(&heard), support::transcript::next(&heard)),
            (round.into(), format!("{round} alone"))
        );
    }
    assert!(!handle.is_closed());
    handle.stop();
    assert_stopped(&handle);
    assert_ended(&heard);
}

#[test]
fn a_slow_subscriber_holds_up_a_listen_until_it_is_dropped() {
    let (server, client, id) = (Server::start().unwrap(), client(), unique_id());
    let handle = client.listen(&id, Request::get(server.url("/")).capacity(1)).unwrap();
    let slow = client.subscribe(&id).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send("data: a\n\n".repeat(50));
    await_events(&handle, 2);
    drop(slow);
    wait_until(|| handle.stats().events == 50);
    assert!(!handle.is_closed());
    handle.stop();
    assert_stopped(&handle);
}

#[test]
fn there_is_none_for_what_is_not_a_live_connect_or_listen() {
    let (server, client) = (Server::start().unwrap(), client());
    let request = || Request::get(server.url("/")).retry(quick());
    let reader = client.read("reader", request()).unwrap();
    let merged = client.connect_all([("member", request())]).unwrap();
    let (sender, receiver) = unbounded();
    client.connect_to("sent", request(), sender).unwrap();
    for id in ["reader", "member", "sent", "unknown", ""] {
        assert!(client.subscribe(id).is_none(), "{id:?}");
    }
    client.stop_all();
    drop((reader, merged, receiver));
}

#[test]
fn there_is_none_after_a_stop() {
    let scene = OpenStream::new(|request| request);
    scene.handle().stop();
    assert!(scene.client.subscribe(&scene.id).is_none());
}

#[test]
fn there_is_none_once_the_failure_is_terminal_though_it_waits_for_room() {
    let mut scene = OpenStream::new(|request| request.retry(RetryPolicy::never()).capacity(1));
    scene.send(&["a"]);
    wait_until(|| scene.rx.is_full());
    scene.peer.close_abruptly();
    wait_until(|| scene.rx.handle().end().is_some());
    assert!(scene.client.subscribe(&scene.id).is_none());
    assert_eq!(next_data(&scene.rx), "a");
    terminal_error(&scene.rx);
}

#[test]
fn every_receiver_gets_the_terminal_failure_and_its_channel_ends() {
    let mut scene = OpenStream::new(|request| request.retry(RetryPolicy::never()));
    let others = [scene.subscribe(), scene.subscribe()];
    scene.send(&["a"]);
    wait_until(|| others.iter().all(|rx| rx.len() == 1));
    scene.peer.close_abruptly();
    for rx in others.iter().chain([&scene.rx]) {
        assert_eq!(next_data(rx), "a");
        assert!(matches!(terminal_error(rx), http_sse::Error::Disconnected));
    }
}

#[test]
fn every_channel_ends_at_a_clean_end() {
    let mut scene = OpenStream::new(|request| request.until(|event| event.data() == "end"));
    let others = [scene.subscribe(), scene.subscribe()];
    scene.send(&["a", "end"]);
    for rx in others.iter().chain([&scene.rx]) {
        assert_eq!(data(rx), ["a"]);
    }
    assert!(matches!(scene.handle().end(), Some(End::Until)));
}
