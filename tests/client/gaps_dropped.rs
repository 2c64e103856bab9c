//! Gaps in the exact place of dropped events, for each receiver its own.

use std::ops::Range;
use std::thread;

use http_sse::crossbeam_channel::Receiver;
use http_sse::testing::Server;
use http_sse::{Error, Event, Overflow, Request, RetryPolicy};

use support::open_stream::{OpenStream, send_numbers};
use support::phase::{await_events, is_asleep, unique_id};
use support::told::{line, next_line, next_lines};
use support::transcript::{assert_ended, client, next, quick, rest, stop, terminal_error};
use support::{deadline, wait_until};

struct Scene {
    stream: OpenStream,
    sent: u64,
}

impl Scene {
    fn new(capacity: usize, overflow: Overflow) -> Self {
        Self::under(quick(), capacity, overflow)
    }

    fn under(policy: RetryPolicy, capacity: usize, overflow: Overflow) -> Self {
        let stream = OpenStream::new(|request| {
            request.retry(policy).capacity(capacity).overflow(overflow).mark_gaps().max_event_size(1000)
        });
        Self { stream, sent: 0 }
    }

    /// Sends numbers, and waits until they are queued or dropped.
    fn send(&mut self, numbers: Range<u64>) {
        self.sent += numbers.end - numbers.start;
        send_numbers(&mut self.stream.peer, numbers);
        await_events(&self.stream.handle(), self.sent);
    }

    fn reconnect(&mut self) {
        self.stream.handle().reconnect_now();
        self.stream.peer = self.stream.server.accept();
        self.stream.peer.stream();
        let (handle, attempt) = (self.stream.handle(), self.stream.peer.number() as u64 + 1);
        wait_until(|| handle.stats().attempts == attempt && handle.wait_open(deadline()) && is_asleep(&handle));
    }

    fn send_large(&mut self) {
        let before = self.stream.handle().stats().oversized;
        self.stream.peer.send(format!("data: {}\n\n", "x".repeat(2000)));
        let handle = self.stream.handle();
        wait_until(|| handle.stats().oversized > before && is_asleep(&handle));
    }

    fn dropped(&self) -> u64 {
        self.stream.handle().stats().dropped
    }
}

/// Everything up to the end.
fn lines(events: &Receiver<Result<Event, Error>>) -> Vec<String> {
    rest(events).into_iter().map(|event| line(&event.unwrap())).collect()
}

#[test]
fn under_drop_oldest_the_gap_stands_before_what_is_left() {
    let mut scene = Scene::new(3, Overflow::DropOldest);
    scene.send(0..10);
    assert_eq!((scene.dropped(), scene.stream.rx.len()), (7, 4));
    assert_eq!(next_lines(&scene.stream.rx), ["7 dropped", "7", "8", "9"]);
    scene.send(10..14);
    assert_eq!(next_lines(&scene.stream.rx), ["1 dropped", "11", "12", "13"]);
    assert_eq!(scene.dropped(), 8);
    stop(&scene.stream.rx);
}

#[test]
fn under_drop_newest_the_gap_stands_behind_what_is_left_before_anything_follows() {
    let mut scene = Scene::new(3, Overflow::DropNewest);
    scene.send(0..10);
    assert_eq!((scene.dropped(), scene.stream.rx.len()), (7, 4));
    assert_eq!(next_lines(&scene.stream.rx), ["0", "1", "2", "7 dropped"]);
    scene.send(10..14);
    assert_eq!(next_lines(&scene.stream.rx), ["10", "11", "12", "1 dropped"]);
    assert_eq!(scene.dropped(), 8);
    stop(&scene.stream.rx);
}

#[test]
fn a_gap_takes_no_events_place() {
    let mut scene = Scene::new(2, Overflow::DropOldest);
    scene.send(0..2);
    scene.reconnect();
    scene.send(2..3);
    assert_eq!(next_lines(&scene.stream.rx), ["1 dropped", "1", "resumed from \"1\"", "2"]);
    stop(&scene.stream.rx);
    let mut scene = Scene::new(2, Overflow::DropNewest);
    scene.send(0..1);
    scene.reconnect();
    scene.send(1..3);
    scene.reconnect();
    assert_eq!(next_lines(&scene.stream.rx), ["0", "resumed from \"0\"", "1", "resumed from \"2\", 1 dropped"]);
    scene.send(3..4);
    assert_eq!(next_line(&scene.stream.rx), "3");
    stop(&scene.stream.rx);
}

#[test]
fn gaps_that_nothing_is_left_between_become_one_and_add_up() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let mut scene = Scene::new(2, overflow);
        scene.send(0..5);
        scene.reconnect();
        scene.send_large();
        scene.send(5..9);
        scene.reconnect();
        scene.send_large();
        scene.send(9..14);
        let told = match overflow {
            Overflow::DropOldest => next_lines(&scene.stream.rx),
            _ => {
                let [first, second, gap] = next_lines(&scene.stream.rx);
                [gap, first, second]
            }
        };
        let left = if overflow == Overflow::DropOldest { ["12", "13"] } else { ["0", "1"] };
        assert_eq!(told[0], "resumed from \"4\", 12 dropped, 2 too large", "{overflow:?}");
        assert_eq!(told[1..], left, "{overflow:?}");
        assert_eq!(scene.dropped(), 12);
        stop(&scene.stream.rx);
    }
}

#[test]
fn a_gap_in_the_middle_stays_there_until_what_is_before_it_is_dropped() {
    let mut scene = Scene::new(4, Overflow::DropOldest);
    scene.send(0..2);
    scene.send_large();
    scene.send(2..5);
    scene.send_large();
    assert_eq!(next_lines(&scene.stream.rx), ["1 dropped", "1", "1 too large", "2", "3", "4", "1 too large"]);
    scene.send(5..7);
    scene.send_large();
    scene.send(7..11);
    assert_eq!(next_lines(&scene.stream.rx), ["2 dropped, 1 too large", "7", "8", "9", "10"]);
    stop(&scene.stream.rx);
}

#[test]
fn each_receiver_has_the_gaps_that_are_its_own() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let mut scene = Scene::new(2, overflow);
        let quick = scene.stream.subscribe();
        scene.send(0..2);
        assert_eq!(next_lines(&quick), ["0", "1"]);
        scene.send(2..4);
        let late = scene.stream.subscribe();
        assert_eq!(next_lines(&quick), ["2", "3"]);
        scene.send(4..7);
        let (other, slow) = match overflow {
            Overflow::DropOldest => (["1 dropped", "5", "6"], ["5 dropped", "5", "6"]),
            _ => (["4", "5", "1 dropped"], ["0", "1", "5 dropped"]),
        };
        assert_eq!(
            (next_lines(&quick), next_lines(&late), next_lines(&scene.stream.rx)),
            (other.map(Into::into), other.map(Into::into), slow.map(Into::into))
        );
        stop(&scene.stream.rx);
        assert_ended(&quick);
        assert_ended(&late);
    }
}

#[test]
fn the_failure_comes_behind_all_gaps_and_drops_nothing() {
    for (overflow, expected) in
        [(Overflow::DropOldest, ["3 dropped", "3", "4"]), (Overflow::DropNewest, ["0", "1", "3 dropped"])]
    {
        let mut scene = Scene::under(RetryPolicy::never(), 2, overflow);
        scene.send(0..5);
        scene.stream.peer.close_abruptly();
        assert!(scene.stream.rx.handle().join_timeout(deadline()));
        assert_eq!(next_lines(&scene.stream.rx), expected);
        assert!(matches!(terminal_error(&scene.stream.rx), Error::Disconnected));
    }
}

#[test]
fn an_event_that_was_received_and_looked_at_stays_what_it_was() {
    let mut scene = Scene::new(1, Overflow::DropOldest);
    scene.send(0..1);
    let event = next(&scene.stream.rx).unwrap();
    assert_eq!((event.data(), event.id(), event.attempt()), ("0", Some("0"), Some(1)));
    scene.send(1..9);
    assert_eq!((line(&event), event.clone().into_data().as_str(), event.id()), ("0".into(), "0", Some("0")));
    assert_eq!(next_lines(&scene.stream.rx), ["7 dropped", "8"]);
    assert_eq!(event.clone().with_id("x"), Event::new("", "0").with_id("x"));
    stop(&scene.stream.rx);
}

#[test]
fn items_that_nobody_looks_at_leave_nothing_behind() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let mut scene = Scene::new(2, overflow);
        scene.send(0..10);
        let unseen: Vec<_> = scene.stream.rx.try_iter().collect();
        assert_eq!(unseen.len(), 3);
        scene.send(10..15);
        drop(unseen);
        let expected =
            if overflow == Overflow::DropOldest { ["3 dropped", "13", "14"] } else { ["10", "11", "3 dropped"] };
        assert_eq!(next_lines(&scene.stream.rx), expected);
        stop(&scene.stream.rx);
    }
}

#[test]
fn without_the_opt_in_nothing_is_marked() {
    let (server, client) = (Server::start().unwrap(), client());
    let request = Request::get(server.url("/")).retry(quick()).capacity(1).overflow(Overflow::DropOldest);
    let rx = client.connect(unique_id(), request).unwrap();
    let mut peer = server.accept();
    peer.stream();
    send_numbers(&mut peer, 0..5);
    await_events(&rx.handle(), 5);
    assert_eq!(next_line(&rx), "4");
    stop(&rx);
}

/// Returns how many events of a stream of so many came, and checks that there is a gap of the right size wherever one is
/// missing, and nowhere else.
fn count_marked(told: impl Iterator<Item = Event>, events: u64) -> (u64, u64) {
    let (mut expected, mut came, mut missing, mut gap) = (0, 0, 0, 0);
    for event in told {
        match event.gap() {
            Some(lost) => {
                assert!(lost.dropped > 0 && lost.reconnected.is_none() && lost.oversized == 0, "{lost:?}");
                gap += lost.dropped;
                missing += lost.dropped;
            }
            None => {
                let number: u64 = event.data().parse().unwrap();
                assert_eq!(number, expected + gap, "the gap before it is of {gap}");
                (expected, gap, came) = (number + 1, 0, came + 1);
            }
        }
    }
    assert_eq!(expected + gap, events, "the end is not marked");
    (came, missing)
}

#[test]
fn under_load_every_loss_is_marked_in_its_place_and_nothing_else() {
    const EVENTS: u64 = 20_000;
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        for capacity in [1, 2, 5, 64] {
            for is_bare in [true, false] {
                let OpenStream { rx, mut peer, server: _server, .. } =
                    Scene::under(RetryPolicy::never(), capacity, overflow).stream;
                let sending = thread::spawn(move || {
                    (0..EVENTS).step_by(50).for_each(|from| send_numbers(&mut peer, from..from + 50));
                    peer.end();
                });
                let handle = rx.handle();
                let (came, missing) = match is_bare {
                    true => count_marked(rx.iter().map(Result::unwrap), EVENTS),
                    false => count_marked(rx.map(Result::unwrap), EVENTS),
                };
                sending.join().unwrap();
                assert_eq!(came + missing, EVENTS);
                assert_eq!(handle.stats().dropped, missing, "{overflow:?} {capacity}");
            }
        }
    }
}

#[test]
fn several_consumers_of_one_channel_receive_all_gaps_between_them() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let OpenStream { rx, mut peer, server: _server, .. } = Scene::under(RetryPolicy::never(), 3, overflow).stream;
        let counts = |events: Receiver<Result<Event, Error>>| {
            events.iter().map(|event| event.unwrap().gap().map_or((1, 0), |gap| (0, gap.dropped))).collect::<Vec<_>>()
        };
        let counted: Vec<(u64, u64)> = thread::scope(|scope| {
            let consumers = [rx.clone(), rx.clone(), rx.clone()].map(|rx| scope.spawn(|| counts(rx)));
            (0..20_000).step_by(50).for_each(|from| send_numbers(&mut peer, from..from + 50));
            peer.end();
            consumers.into_iter().flat_map(|consumer| consumer.join().unwrap()).collect()
        });
        let missing: u64 = counted.iter().map(|(_, missing)| missing).sum();
        let came: u64 = counted.iter().map(|(came, _)| came).sum();
        assert_eq!((came + missing, rx.handle().stats().dropped), (20_000, missing), "{overflow:?}");
    }
}

#[test]
fn lines_are_whole_when_the_stream_ends() {
    let mut scene = Scene::under(RetryPolicy::never(), 2, Overflow::DropNewest);
    scene.send(0..4);
    scene.stream.peer.end();
    assert_eq!(lines(&scene.stream.rx), ["0", "1", "2 dropped"]);
}
