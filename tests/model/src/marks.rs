//! Gaps in the place of dropped events, while the consumer takes what is left.

use loom::thread;

use crate::broadcast::{EventSender, Overflow, Queueing, Sink};
use crate::event::Event;
use crate::gap::Gap;
use crate::ledger::Item;
use crate::receivers::{rest, with_gaps};
use crate::sync::Arc;

pub(crate) const PROPERTIES: [(&str, fn()); 6] = [
    ("DropOldest: every loss is marked where it is", drop_oldest),
    ("DropOldest: every loss is marked where it is, for who looks later", drop_oldest_looks_later),
    ("DropNewest: every loss is marked where it is", drop_newest),
    ("DropOldest: a gap between events is kept, beside what is dropped", gap_under_drop_oldest),
    ("DropNewest: a gap between events is kept, beside what is dropped", gap_under_drop_newest),
    ("DropOldest: two consumers are told of all losses between them", two_consumers),
];

/// In place of an event: a gap of another kind.
const GAP: u32 = u32::MAX;

/// When the consumer looks at what it has taken.
#[derive(PartialEq)]
enum Look {
    AtOnce,
    AtTheEnd,
}

/// Sends what is given while the consumer reads; returns what that sees, and how many events were dropped.
fn told(capacity: usize, overflow: Overflow, look: Look, items: &'static [u32]) -> (Vec<Item>, u64) {
    let (broadcast, shared, receiver, _subscription) = with_gaps(Queueing { capacity, overflow, marks_gaps: true });
    let other = Arc::clone(&shared);
    let connection = thread::spawn(move || {
        let mut sender = EventSender::new(Sink::Broadcast(broadcast), other);
        for item in items {
            sender.event(if *item == GAP { Event::of_gap(Gap::oversized(1)) } else { Event(*item) });
        }
    });
    let items = std::iter::from_fn(|| receiver.recv(|| shared.token.parking().unpark()));
    let told = items.inspect(|item| _ = (look == Look::AtOnce).then(|| item.as_ref().map(Event::gap))).collect();
    connection.join().unwrap();
    let dropped = shared.progress().dropped;
    (told, dropped)
}

/// Each gap is as large as what is missing there.
fn assert_marked(told: &[Item], dropped: u64, events: u64, gap_behind: Option<u64>) {
    let (mut next, mut missing, mut all_missing, mut oversized) = (0, 0, 0, 0);
    for item in told.iter().flatten() {
        match item.gap() {
            Some(gap) => {
                if gap.oversized > 0 {
                    oversized += gap.oversized;
                    // Of the events before it all have come or are missing here, of those behind some may be.
                    let before = gap_behind.expect("there is none");
                    assert!(next + missing + gap.dropped >= before && next <= before, "{told:?}");
                }
                missing += gap.dropped;
                all_missing += gap.dropped;
            }
            None => {
                assert_eq!(u64::from(item.data()), next + missing, "{told:?}");
                (next, missing) = (next + missing + 1, 0);
            }
        }
    }
    assert_eq!(next + missing, events, "{told:?}");
    assert_eq!((all_missing, oversized), (dropped, u64::from(gap_behind.is_some())), "{told:?}");
}

fn drop_oldest() {
    let (told, dropped) = told(1, Overflow::DropOldest, Look::AtOnce, &[0, 1, 2, 3]);
    assert_marked(&told, dropped, 4, None);
}

fn drop_oldest_looks_later() {
    let (told, dropped) = told(3, Overflow::DropOldest, Look::AtTheEnd, &[0, 1, 2, 3, 4]);
    assert_marked(&told, dropped, 5, None);
}

fn drop_newest() {
    let (told, dropped) = told(1, Overflow::DropNewest, Look::AtOnce, &[0, 1, 2, 3]);
    assert_marked(&told, dropped, 4, None);
}

fn gap_under_drop_oldest() {
    let (told, dropped) = told(1, Overflow::DropOldest, Look::AtOnce, &[0, GAP, 1, 2]);
    assert_marked(&told, dropped, 3, Some(1));
}

fn gap_under_drop_newest() {
    let (told, dropped) = told(1, Overflow::DropNewest, Look::AtOnce, &[0, 1, GAP, 2]);
    assert_marked(&told, dropped, 3, Some(2));
}

fn two_consumers() {
    let queueing = Queueing { capacity: 1, overflow: Overflow::DropOldest, marks_gaps: true };
    let (broadcast, shared, receiver, _subscription) = with_gaps(queueing);
    let other = Arc::clone(&shared);
    let connection = thread::spawn(move || {
        let mut sender = EventSender::new(Sink::Broadcast(broadcast), other);
        (0..3).for_each(|number| sender.event(Event(number)));
    });
    let bare = receiver.bare(|| ()).clone();
    let count = |item: Item| item.unwrap().gap().map_or(1, |gap| gap.dropped);
    let second = thread::spawn(move || bare.recv().map_or(0, count));
    let first: u64 = rest(&receiver, &shared).into_iter().map(count).sum();
    connection.join().unwrap();
    assert_eq!(first + second.join().unwrap(), 3);
}
