//! What happens to an event for which there is no room.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use http_sse::testing::{Peer, Server};
use http_sse::{Client, End, Error, Events, Overflow, Request, RetryPolicy};

use support::open_stream::{OpenStream, send_numbers};
use support::phase::{await_events, is_asleep, unique_id};
use support::transcript::{assert_ended, client, next, next_data, rest, terminal_error};
use support::{deadline, wait_until};

/// A connection under `never()`, and its server.
fn open(capacity: usize, overflow: Overflow) -> (Server, Client, Events, Peer) {
    let OpenStream { server, client, rx, peer, .. } =
        OpenStream::new(|request| request.retry(RetryPolicy::never()).capacity(capacity).overflow(overflow));
    (server, client, rx, peer)
}

fn data(events: &Events) -> Vec<String> {
    rest(events).into_iter().map(|event| event.unwrap().into_data()).collect()
}

#[test]
fn drop_oldest_keeps_the_newest_and_counts_the_others() {
    let (_server, _client, rx, mut peer) = open(3, Overflow::DropOldest);
    send_numbers(&mut peer, 0..10);
    await_events(&rx.handle(), 10);
    assert_eq!(rx.handle().stats().dropped, 7);
    assert_eq!(rx.handle().last_event_id().as_deref(), Some("9"));
    rx.handle().stop();
    assert_eq!(data(&rx), ["7", "8", "9"]);
}

#[test]
fn drop_newest_keeps_the_oldest_and_counts_the_others() {
    let (_server, _client, rx, mut peer) = open(3, Overflow::DropNewest);
    send_numbers(&mut peer, 0..10);
    await_events(&rx.handle(), 10);
    assert_eq!(rx.handle().stats().dropped, 7);
    assert_eq!(rx.handle().last_event_id().as_deref(), Some("9"));
    rx.handle().stop();
    assert_eq!(data(&rx), ["0", "1", "2"]);
}

#[test]
fn a_channel_of_one_holds_the_newest_reading() {
    let (_server, _client, rx, mut peer) = open(1, Overflow::DropOldest);
    send_numbers(&mut peer, 0..3);
    await_events(&rx.handle(), 3);
    assert_eq!(next_data(&rx), "2");
    send_numbers(&mut peer, 3..6);
    await_events(&rx.handle(), 6);
    assert_eq!(next_data(&rx), "5");
    assert_eq!(rx.handle().stats().dropped, 4);
    support::transcript::stop(&rx);
}

#[test]
fn nothing_is_dropped_while_there_is_room() {
    for overflow in [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest] {
        let (_server, _client, rx, mut peer) = open(3, overflow);
        for round in 0..5 {
            send_numbers(&mut peer, round * 3..round * 3 + 3);
            for number in round * 3..round * 3 + 3 {
                assert_eq!(next_data(&rx), number.to_string());
            }
        }
        assert_eq!(rx.handle().stats().dropped, 0);
        support::transcript::stop(&rx);
    }
}

#[test]
fn after_a_loss_the_stream_goes_on_with_what_comes() {
    for (overflow, kept) in [(Overflow::DropOldest, ["8", "9"]), (Overflow::DropNewest, ["0", "1"])] {
        let (_server, _client, rx, mut peer) = open(2, overflow);
        send_numbers(&mut peer, 0..10);
        await_events(&rx.handle(), 10);
        assert_eq!([next_data(&rx), next_data(&rx)], kept);
        send_numbers(&mut peer, 10..12);
        assert_eq!([next_data(&rx), next_data(&rx)], ["10", "11"]);
        assert_eq!(rx.handle().stats().dropped, 8);
        support::transcript::stop(&rx);
    }
}

#[test]
fn block_waits_and_loses_nothing() {
    let (_server, _client, rx, mut peer) = open(2, Overflow::Block);
    send_numbers(&mut peer, 0..10);
    await_events(&rx.handle(), 3);
    assert_eq!(rx.len(), 2);
    peer.end();
    assert_eq!(data(&rx), (0..10).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!((rx.handle().stats().events, rx.handle().stats().dropped), (10, 0));
}

#[test]
fn block_is_the_default() {
    assert_eq!(Overflow::default(), Overflow::Block);
    let (server, id) = (Server::start().unwrap(), unique_id());
    let rx = client().connect(id, Request::get(server.url("/")).capacity(1)).unwrap();
    let mut peer = server.accept();
    peer.stream();
    send_numbers(&mut peer, 0..3);
    await_events(&rx.handle(), 2);
    assert_eq!([next_data(&rx), next_data(&rx), next_data(&rx)], ["0", "1", "2"]);
    support::transcript::stop(&rx);
}

/// What a consumer sees that reads while a server sends as fast as it can: as numbers, and how many were dropped.
fn under_load(overflow: Overflow, events: u32) -> (Vec<u32>, u64) {
    let (_server, _client, rx, mut peer) = open(4, overflow);
    let sending = thread::spawn(move || {
        (0..events).step_by(50).for_each(|from| send_numbers(&mut peer, from..from + 50));
        peer.end();
    });
    let seen = data(&rx).into_iter().map(|number| number.parse().unwrap()).collect();
    sending.join().unwrap();
    (seen, rx.handle().stats().dropped)
}

#[test]
fn under_load_each_event_is_delivered_once_in_order_or_counted_as_dropped() {
    for overflow in [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest] {
        let (seen, dropped) = under_load(overflow, 20_000);
        assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{overflow:?}");
        assert_eq!(seen.len() as u64 + dropped, 20_000, "{overflow:?}");
        if overflow == Overflow::DropOldest {
            assert_eq!(seen.last(), Some(&19_999));
        }
        if overflow == Overflow::Block {
            assert_eq!(dropped, 0);
        }
    }
}

#[test]
fn a_dropping_connection_never_holds_up_the_server() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let (_server, _client, rx, mut peer) = open(1, overflow);
        // More than all buffers on the way hold.
        let event = format!("data: {}\n\n", "x".repeat(10_000));
        for _ in 0..2_000 {
            peer.send(&event);
        }
        await_events(&rx.handle(), 2_000);
        assert_eq!(rx.handle().stats().dropped, 1_999);
        rx.handle().stop();
        assert_eq!(data(&rx).len(), 1);
    }
}

#[test]
fn the_failure_takes_the_place_of_the_oldest_event_under_drop_oldest() {
    let (_server, _client, rx, mut peer) = open(2, Overflow::DropOldest);
    send_numbers(&mut peer, 0..2);
    await_events(&rx.handle(), 2);
    peer.close_abruptly();
    assert!(rx.handle().join_timeout(deadline()));
    assert_eq!(rx.handle().stats().dropped, 1);
    assert_eq!(next_data(&rx), "1");
    assert!(matches!(terminal_error(&rx), Error::Disconnected));
}

#[test]
fn the_failure_takes_no_events_place_while_there_is_room() {
    let (_server, _client, rx, mut peer) = open(3, Overflow::DropOldest);
    send_numbers(&mut peer, 0..2);
    await_events(&rx.handle(), 2);
    peer.close_abruptly();
    assert!(rx.handle().join_timeout(deadline()));
    assert_eq!((next_data(&rx), next_data(&rx)), ("0".into(), "1".into()));
    terminal_error(&rx);
    assert_eq!(rx.handle().stats().dropped, 0);
}

#[test]
fn the_failure_waits_for_room_under_block_and_drop_newest() {
    for overflow in [Overflow::Block, Overflow::DropNewest] {
        let (_server, _client, rx, mut peer) = open(1, overflow);
        send_numbers(&mut peer, 0..1);
        await_events(&rx.handle(), 1);
        peer.close_abruptly();
        let handle = rx.handle();
        wait_until(|| handle.end().is_some() && is_asleep(&handle));
        assert!(!handle.join_timeout(std::time::Duration::ZERO));
        assert_eq!(next_data(&rx), "0");
        assert!(matches!(terminal_error(&rx), Error::Disconnected));
        assert!(matches!(handle.end(), Some(End::Failed(_))));
        assert_eq!(handle.stats().dropped, 0);
    }
}

#[test]
fn the_failure_is_never_lost_under_load() {
    for overflow in [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest] {
        let (_server, _client, rx, mut peer) = open(2, overflow);
        let sending = thread::spawn(move || {
            send_numbers(&mut peer, 0..5_000);
            peer.close_abruptly();
        });
        let items = rest(&rx);
        sending.join().unwrap();
        let (last, events) = items.split_last().unwrap();
        assert!(matches!(last, Err(Error::Disconnected)), "{last:?}");
        assert!(events.iter().all(Result::is_ok));
        let stats = rx.handle().stats();
        assert_eq!(events.len() as u64 + stats.dropped, stats.events, "{overflow:?}");
    }
}

#[test]
fn on_event_sees_what_is_dropped() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let server = Server::start().unwrap();
        let (sender, seen) = support::transcript::transcript();
        let request = Request::get(server.url("/")).retry(RetryPolicy::never()).capacity(1).overflow(overflow);
        let request = request.on_event(move |event| sender.send(event.data().to_owned()).unwrap());
        let rx = client().connect("it", request).unwrap();
        let mut peer = server.accept();
        peer.stream();
        send_numbers(&mut peer, 0..3);
        peer.end();
        assert_eq!(rest(&seen), ["0", "1", "2"]);
        assert_eq!(data(&rx).len(), 1);
    }
}

#[test]
fn several_consumers_of_one_channel_share_what_is_kept() {
    let (_server, _client, rx, mut peer) = open(2, Overflow::DropOldest);
    let done = AtomicBool::new(false);
    let shared = rx.clone();
    let seen = thread::scope(|scope| {
        let other = scope.spawn(|| {
            let seen = rest(&shared).len();
            done.store(true, Ordering::SeqCst);
            seen
        });
        (0..2_000).step_by(100).for_each(|from| send_numbers(&mut peer, from..from + 100));
        peer.end();
        data(&rx).len() + other.join().unwrap()
    });
    assert!(done.into_inner());
    assert_eq!(seen as u64 + rx.handle().stats().dropped, 2_000);
}

#[test]
fn dropping_without_capacity_is_refused_and_named() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let (server, client) = (Server::start().unwrap(), client());
        let request = || Request::get(server.url("/")).capacity(0).overflow(overflow);
        let refusals = [
            client.connect("it", request()).map(drop).unwrap_err(),
            client.listen("it", request()).map(drop).unwrap_err(),
            client.read("it", request()).map(drop).unwrap_err(),
        ];
        for refused in refusals {
            assert!(matches!(refused, Error::InvalidRequest(_)), "{refused}");
            let text = refused.to_string();
            assert!(text.contains(&format!("{overflow:?}")) && text.contains("capacity"), "{text}");
        }
        assert_eq!((client.ids().len(), server.connections()), (0, 0));
    }
}

#[test]
fn block_without_capacity_hands_each_event_over() {
    let (_server, _client, rx, mut peer) = open(0, Overflow::Block);
    send_numbers(&mut peer, 0..3);
    await_events(&rx.handle(), 1);
    for number in ["0", "1", "2"] {
        assert_eq!(next(&rx).unwrap().data(), number);
    }
    peer.end();
    assert_ended(&rx);
}

#[test]
fn what_was_kept_is_delivered_after_the_end() {
    for (overflow, kept) in [(Overflow::DropOldest, ["8", "9"]), (Overflow::DropNewest, ["0", "1"])] {
        let server = Server::serve(|_, mut peer| {
            peer.stream();
            peer.send((0..10).map(|number| format!("data: {number}\n\n")).collect::<String>());
            peer.end();
        })
        .unwrap();
        let rx = client()
            .connect("full", Request::get(server.url("/")).retry(RetryPolicy::never()).capacity(2).overflow(overflow))
            .unwrap();
        assert!(rx.handle().join_timeout(deadline()));
        assert_eq!([next_data(&rx), next_data(&rx)], kept);
        assert_ended(&rx);
        assert_eq!(rx.handle().stats().dropped, 8);
    }
}
