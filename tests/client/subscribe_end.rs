//! How a connection with several receivers ends: no slow one keeps another from its failure, and none is forgotten.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use http_sse::crossbeam_channel::{RecvError, RecvTimeoutError, bounded, unbounded};
use http_sse::testing::Server;
use http_sse::{Client, End, Error, Events, Overflow, Request, RetryPolicy};

use support::phase::{is_asleep, unique_id};
use support::transcript::{assert_ended, client, next, next_data, rest, terminal_error};
use support::{deadline, wait_until};

/// The data of the only event before the cut.
const EVENT: &str = "a";

/// Full receivers of a connection that has failed for good: its failure waits for room in all of them.
fn failed_with_full_receivers(count: usize, shape: impl FnOnce(Request) -> Request) -> (Client, Vec<Events>) {
    let (server, client, id) = (Server::start().unwrap(), client(), unique_id());
    let request = shape(Request::get(server.url("/")).retry(RetryPolicy::never()).capacity(1));
    let rx = client.connect(&id, request).unwrap();
    let mut all: Vec<_> = (1..count).map(|_| client.subscribe(&id).unwrap()).collect();
    all.insert(0, rx);
    let mut peer = server.accept();
    peer.stream();
    peer.send(format!("data: {EVENT}\n\n"));
    wait_until(|| all.iter().all(|rx| rx.is_full()));
    peer.close_abruptly();
    let handle = all[0].handle();
    wait_until(|| handle.end().is_some() && is_asleep(&handle));
    (client, all)
}

#[test]
fn a_slow_receiver_does_not_keep_another_from_its_failure() {
    for quick in 0..3 {
        let (_client, all) = failed_with_full_receivers(3, |request| request);
        assert_eq!(next_data(&all[quick]), EVENT);
        let failure = next(&all[quick]);
        assert!(matches!(failure, Err(Error::Disconnected)), "{failure:?}");
        for slow in (0..3).filter(|slow| *slow != quick) {
            assert_eq!(next_data(&all[slow]), EVENT);
            assert!(matches!(next(&all[slow]), Err(Error::Disconnected)));
        }
        all.iter().for_each(|rx| assert_ended(rx));
    }
}

#[test]
fn a_receiver_with_room_has_its_failure_before_a_slow_one_makes_room() {
    let (server, client, id) = (Server::start().unwrap(), client(), unique_id());
    let request = Request::get(server.url("/")).retry(RetryPolicy::never()).capacity(1);
    let slow = client.connect(&id, request).unwrap();
    let quick = client.subscribe(&id).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send("data: a\n\n");
    assert_eq!(next_data(&quick), "a");
    peer.close_abruptly();
    assert!(matches!(next(&quick), Err(Error::Disconnected)));
    assert_eq!(next_data(&slow), "a");
    terminal_error(&slow);
    assert_ended(&quick);
}

#[test]
fn dropping_the_receivers_that_a_failure_waits_for_lets_it_end() {
    let (_client, mut all) = failed_with_full_receivers(3, |request| request);
    let bare = all[1].clone();
    let quick = all.remove(0);
    drop(all);
    assert_eq!(next_data(&quick), EVENT);
    assert!(matches!(terminal_error(&quick), Error::Disconnected));
    assert!(quick.handle().join_timeout(deadline()));
    assert!(matches!(quick.handle().end(), Some(End::Failed(_))));
    assert_eq!(rest(&bare).len(), 1);
}

#[test]
fn dropping_all_receivers_that_a_failure_waits_for_ends_the_thread() {
    let (_client, all) = failed_with_full_receivers(2, |request| request);
    let handle = all[0].handle();
    drop(all);
    assert!(handle.join_timeout(deadline()));
}

#[test]
fn a_stop_takes_precedence_over_a_failure_that_waits_for_room_in_several() {
    let (_client, all) = failed_with_full_receivers(3, |request| request);
    all[2].handle().stop();
    for rx in &all {
        assert_eq!(next_data(rx), EVENT);
        assert_ended(rx);
    }
    assert!(matches!(all[0].handle().end(), Some(End::Stopped)));
}

#[test]
fn a_failure_that_waits_for_room_in_several_is_reported_to_on_close_once() {
    let (sender, closed) = unbounded();
    let (_client, all) = failed_with_full_receivers(2, |request| {
        request.on_close(move |end| sender.send(matches!(end, End::Failed(_))).unwrap())
    });
    assert!(closed.is_empty());
    for rx in &all {
        assert_eq!(next_data(rx), EVENT);
    }
    assert_eq!(rest(&closed), [true]);
    all.iter().for_each(|rx| _ = terminal_error(rx));
}

#[test]
fn under_drop_oldest_a_failure_takes_the_place_of_an_event_in_each() {
    let (server, client) = (Server::start().unwrap(), client());
    let request = Request::get(server.url("/")).retry(RetryPolicy::never()).capacity(1);
    let rx = client.connect("it", request.overflow(Overflow::DropOldest)).unwrap();
    let other = client.subscribe("it").unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send("data: a\n\n");
    wait_until(|| rx.is_full() && other.is_full());
    peer.close_abruptly();
    assert!(rx.handle().join_timeout(deadline()));
    assert!(matches!(terminal_error(&rx), Error::Disconnected));
    assert!(matches!(terminal_error(&other), Error::Disconnected));
    assert_eq!(rx.handle().stats().dropped, 2);
}

#[test]
fn a_subscription_is_refused_or_keeps_the_connection_when_the_last_is_dropped_meanwhile() {
    let server = Server::serve_concurrently(|_, mut peer| {
        peer.stream();
        peer.wait_for_close();
    });
    let server = server.unwrap();
    let client = client();
    for _ in 0..300 {
        let rx = client.connect("it", Request::get(server.url("/"))).unwrap();
        let start = Barrier::new(2);
        let subscribed = thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                drop(rx);
            });
            start.wait();
            client.subscribe("it")
        });
        // Nobody else can have stopped it.
        if let Some(other) = subscribed {
            assert!(!other.handle().is_closed());
        }
        assert!(client.shutdown(deadline()));
    }
}

#[test]
fn a_subscription_during_the_failure_is_refused_or_gets_it() {
    let server = Server::start().unwrap();
    let client = client();
    for _ in 0..50 {
        let rx = client.connect("it", Request::get(server.url("/")).retry(RetryPolicy::never())).unwrap();
        let mut peer = server.accept();
        peer.stream();
        let others: Vec<_> = thread::scope(|scope| {
            let (subscribing, subscribed) = bounded(0);
            let subscriber = scope.spawn(|| {
                let mut all = vec![client.subscribe("it").unwrap()];
                drop(subscribing);
                all.extend(std::iter::from_fn(|| client.subscribe("it")).take(300));
                all
            });
            assert_eq!(subscribed.recv(), Err::<(), _>(RecvError));
            peer.close_abruptly();
            subscriber.join().unwrap()
        });
        for rx in others.iter().chain([&rx]) {
            assert!(matches!(terminal_error(rx), Error::Disconnected));
        }
    }
}

/// Reads this many events at most, each of which has to follow the one before it; returns the last.
fn read_in_a_row(events: &Events, max: u64) -> Result<Option<u64>, RecvTimeoutError> {
    let mut last = None;
    for _ in 0..max {
        let number: u64 = match events.recv_timeout(deadline()) {
            Ok(event) => event.unwrap().data().parse().unwrap(),
            Err(RecvTimeoutError::Disconnected) => return Ok(last),
            Err(hung) => return Err(hung),
        };
        assert!(last.is_none_or(|last| number == last + 1), "{number} after {last:?}");
        last = Some(number);
    }
    Ok(last)
}

#[test]
fn subscribers_that_come_and_go_during_a_stream_lose_double_and_hold_up_nothing() {
    const EVENTS: u64 = 5_000;
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        for from in (0..EVENTS).step_by(20) {
            peer.send((from..from + 20).map(|number| format!("data: {number}\n\n")).collect::<String>());
        }
        peer.end();
    });
    let server = server.unwrap();
    for capacity in [0, 1, 16] {
        let client = client();
        let request = Request::get(server.url("/")).retry(RetryPolicy::never()).capacity(capacity);
        let rx = client.connect("it", request).unwrap();
        let handle = rx.handle();
        let came = AtomicU64::new(0);
        thread::scope(|scope| {
            for reader in 0..3 {
                let (client, came) = (&client, &came);
                scope.spawn(move || {
                    // Some leave at once, some in the middle of what is buffered, some stay for long.
                    for max in [0, 1, 7, 40, 300].into_iter().cycle().skip(reader) {
                        let Some(other) = client.subscribe("it") else { return };
                        came.fetch_add(1, Ordering::Relaxed);
                        read_in_a_row(&other, max).unwrap();
                    }
                });
            }
            // Dropped when this panics: then the others have an end.
            let rx = rx;
            let last = read_in_a_row(&rx, u64::MAX).unwrap();
            assert_eq!(last, Some(EVENTS - 1));
        });
        assert!(came.into_inner() > 0);
        assert!(handle.join_timeout(deadline()));
        assert!(matches!(handle.end(), Some(End::Complete)));
        assert_eq!((handle.stats().events, handle.stats().dropped), (EVENTS, 0));
    }
}

#[test]
fn subscribers_that_stay_to_the_end_have_the_last_event() {
    const EVENTS: u64 = 2_000;
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        for number in 0..EVENTS {
            peer.send(format!("data: {number}\n\n"));
        }
        peer.end();
    });
    let (server, client) = (server.unwrap(), Arc::new(client()));
    let (done, all_done) = bounded::<()>(0);
    let request = Request::get(server.url("/")).retry(RetryPolicy::never()).capacity(4);
    let handle = client.listen("it", request).unwrap();
    let readers: Vec<_> = (0..4)
        .filter_map(|_| client.subscribe("it"))
        .map(|other| {
            let done = done.clone();
            thread::spawn(move || {
                let _done = done;
                read_in_a_row(&other, u64::MAX).unwrap()
            })
        })
        .collect();
    drop(done);
    assert_eq!(all_done.recv_timeout(deadline()), Err(RecvTimeoutError::Disconnected));
    assert_eq!(readers.len(), 4);
    for reader in readers {
        assert_eq!(reader.join().unwrap(), Some(EVENTS - 1));
    }
    assert!(handle.join_timeout(deadline()));
}
