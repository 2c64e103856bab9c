//! The broadcast: receivers that come, go and stop while the connection's thread delivers.

use loom::thread;

use crate::broadcast::{Broadcast, EventSender, Overflow, Queueing, Sink, Subscription};
use crate::channel::{BurstReceiver, BurstSender};
use crate::crossbeam::{TryRecvError, bounded};
use crate::delivery::Delivery;
use crate::error::Error;
use crate::event::Event;
use crate::handle::{End, Shared};
use crate::ledger::Item;
use crate::member::Member;
use crate::sync::Arc;

pub(crate) const PROPERTIES: [(&str, fn()); 11] = [
    ("of two connections with one id, the first ends before the second begins", one_after_the_other),
    ("a failure is one terminal item, and the last", one_terminal_item),
    ("a stop ends a blocked delivery, and nothing comes after the end", stop_ends_a_blocked_delivery),
    ("a stop ends a blocked failure", stop_ends_a_blocked_failure),
    ("a receiver that leaves ends a blocked delivery", leaving_ends_a_blocked_delivery),
    ("a receiver that leaves does not hold up the others", leaving_does_not_hold_up_the_others),
    ("a stop, or the receiver's end, ends a delivery to a user's channel", tagged_delivery_ends),
    ("a receiver gets every event after its addition", added_before_an_event),
    ("a receiver added beside the end gets it, or none", added_beside_the_end),
    ("a receiver added beside an event gets it whole or not at all", added_beside_an_event),
    ("DropOldest delivers the failure to a full channel", drop_oldest_makes_room),
];

pub(crate) fn broadcast(
    capacity: usize,
    overflow: Overflow,
) -> (Arc<Broadcast>, Arc<Shared>, BurstReceiver<Item>, Subscription) {
    with_gaps(Queueing { capacity, overflow, marks_gaps: false })
}

pub(crate) fn with_gaps(queueing: Queueing) -> (Arc<Broadcast>, Arc<Shared>, BurstReceiver<Item>, Subscription) {
    let broadcast = Broadcast::new(queueing, true);
    let (receiver, subscription) = broadcast.open();
    (broadcast, Shared::new(), receiver, subscription)
}

/// A connection's thread: events, then the failure, then the end of all channels.
fn deliver(broadcast: Arc<Broadcast>, shared: Arc<Shared>, events: u32) -> thread::JoinHandle<bool> {
    thread::spawn(move || {
        let mut sender = EventSender::new(Sink::Broadcast(broadcast), shared);
        (0..events).for_each(|number| sender.event(Event(number)));
        sender.last(Error)
    })
}

/// As the loop over events does.
pub(crate) fn rest(receiver: &BurstReceiver<Item>, shared: &Shared) -> Vec<Item> {
    std::iter::from_fn(|| receiver.recv(|| shared.token.parking().unpark())).collect()
}

/// Events in order from some number on, then at most one failure, and nothing more.
fn assert_is_sound(items: &[Item]) {
    let failures = items.iter().filter(|item| item.is_err()).count();
    assert!(failures <= 1, "{items:?}");
    assert!(failures == 0 || items.last() == Some(&Err(Error)), "{items:?}");
    let numbers: Vec<u32> = items.iter().flatten().map(Event::data).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{items:?}");
}

fn one_terminal_item() {
    let (broadcast, shared, receiver, _subscription) = broadcast(1, Overflow::Block);
    let connection = deliver(broadcast, Arc::clone(&shared), 2);
    let items = rest(&receiver, &shared);
    assert_eq!(items, [Ok(Event(0)), Ok(Event(1)), Err(Error)]);
    assert!(connection.join().unwrap());
    assert_eq!(receiver.bare(|| ()).try_recv(), Err(TryRecvError::Disconnected));
}

fn stop_ends_a_blocked_delivery() {
    let (broadcast, shared, receiver, _subscription) = broadcast(1, Overflow::Block);
    let connection = deliver(broadcast, Arc::clone(&shared), 2);
    shared.stop();
    // Nobody makes room: only the stop can end it.
    let told = connection.join().unwrap();
    let items = rest(&receiver, &shared);
    assert_is_sound(&items);
    assert_eq!(told, items.last() == Some(&Err(Error)), "{items:?}");
    assert_eq!(receiver.bare(|| ()).try_recv(), Err(TryRecvError::Disconnected));
}

fn stop_ends_a_blocked_failure() {
    let (broadcast, shared, receiver, _subscription) = broadcast(1, Overflow::Block);
    let connection = deliver(broadcast, Arc::clone(&shared), 1);
    shared.stop();
    // Nobody makes room: only the stop can end it.
    assert!(!connection.join().unwrap());
    let items = rest(&receiver, &shared);
    assert!(items.len() <= 1 && items.iter().all(Result::is_ok), "{items:?}");
}

fn leaving_ends_a_blocked_delivery() {
    let (broadcast, shared, receiver, mut subscription) = broadcast(1, Overflow::Block);
    let connection = deliver(broadcast, Arc::clone(&shared), 2);
    // As dropping `Events` does, while a bare clone of its receiver lives on.
    if subscription.unsubscribe() {
        shared.stop();
    }
    shared.token.parking().unpark();
    connection.join().unwrap();
    assert_is_sound(&rest(&receiver, &shared));
}

fn leaving_does_not_hold_up_the_others() {
    let (broadcast, shared, receiver, _subscription) = broadcast(1, Overflow::Block);
    let (_bare_clone, mut subscription) = broadcast.add().expect("not closed");
    let connection = deliver(broadcast, Arc::clone(&shared), 2);
    assert!(!subscription.unsubscribe(), "there is another");
    shared.token.parking().unpark();
    assert_eq!(rest(&receiver, &shared), [Ok(Event(0)), Ok(Event(1)), Err(Error)]);
    assert!(connection.join().unwrap());
}

fn one_after_the_other() {
    let (sender, receiver) = bounded(4);
    let members = [Shared::new(), Shared::new()].map(|shared| {
        let member = Member::new(BurstSender::bare(sender.clone()), Arc::clone(&shared));
        (member, shared)
    });
    drop(sender);
    let [(first, stopped), (second, shared)] = members;
    second.turn().follow(Arc::clone(first.turn()));
    let own = Arc::clone(&stopped);
    let old = thread::spawn(move || {
        let mut sender = EventSender::new(Sink::Tagged(first), own);
        sender.event(Event(0));
        sender.event(Event(1));
        sender.over(&End::Stopped);
    });
    // The id is free from here on.
    stopped.stop();
    EventSender::new(Sink::Tagged(second), shared).event(Event(2));
    old.join().unwrap();
    let items: Vec<_> = std::iter::from_fn(|| receiver.try_recv().ok()).map(|(_, item)| item).collect();
    let (end, new) = (Delivery::End(End::Stopped), Delivery::Event(Event(2)));
    assert_eq!(items[items.len() - 2..], [end.clone(), new]);
    assert_eq!(items.iter().filter(|item| **item == end).count(), 1, "{items:?}");
}

fn tagged_delivery_ends() {
    let shared = Shared::new();
    let (sender, receiver) = bounded(1);
    let other = Arc::clone(&shared);
    let connection = thread::spawn(move || {
        let mut sender = EventSender::new(
            Sink::Tagged(Member::new(BurstSender::bare(sender), Arc::clone(&other))),
            Arc::clone(&other),
        );
        sender.event(Event(0));
        sender.event(Event(1));
        assert!(other.token.is_cancelled(), "there was no room for the second");
        assert!(!sender.last(Error));
    });
    let other = Arc::clone(&shared);
    let stopping = thread::spawn(move || other.stop());
    drop(receiver);
    stopping.join().unwrap();
    connection.join().unwrap();
}

fn added_before_an_event() {
    let (broadcast, shared, _receiver, _subscription) = broadcast(4, Overflow::Block);
    let (open, gate) = bounded::<()>(0);
    let (other, other_shared) = (Arc::clone(&broadcast), Arc::clone(&shared));
    let connection = thread::spawn(move || {
        let mut sender = EventSender::new(Sink::Broadcast(other), other_shared);
        sender.event(Event(0));
        assert!(gate.recv().is_err());
        sender.event(Event(1));
    });
    let (added, _added_subscription) = broadcast.add().expect("not closed");
    drop(open);
    connection.join().unwrap();
    let items = rest(&added, &shared);
    assert_is_sound(&items);
    assert_eq!(items.last(), Some(&Ok(Event(1))), "{items:?}");
}

fn added_beside_the_end() {
    let (broadcast, shared, receiver, _subscription) = broadcast(2, Overflow::Block);
    let connection = deliver(Arc::clone(&broadcast), Arc::clone(&shared), 0);
    if let Some((added, _subscription)) = broadcast.add() {
        assert_eq!(rest(&added, &shared), [Err(Error)]);
    }
    assert_eq!(rest(&receiver, &shared), [Err(Error)]);
    assert!(connection.join().unwrap());
    assert!(broadcast.add().is_none());
}

fn added_beside_an_event() {
    let (broadcast, shared, receiver, _subscription) = broadcast(4, Overflow::Block);
    let connection = deliver(Arc::clone(&broadcast), Arc::clone(&shared), 2);
    if let Some((added, _subscription)) = broadcast.add() {
        let items = rest(&added, &shared);
        assert_is_sound(&items);
        assert_eq!(items.last(), Some(&Err(Error)));
    }
    assert_eq!(rest(&receiver, &shared), [Ok(Event(0)), Ok(Event(1)), Err(Error)]);
    assert!(connection.join().unwrap());
}

fn drop_oldest_makes_room() {
    let (broadcast, shared, receiver, _subscription) = broadcast(1, Overflow::DropOldest);
    let connection = deliver(broadcast, Arc::clone(&shared), 2);
    let items = rest(&receiver, &shared);
    assert_is_sound(&items);
    assert_eq!(items.last(), Some(&Err(Error)));
    assert!(connection.join().unwrap());
    assert_eq!(items.len() as u64 + shared.progress().dropped, 3, "{items:?}");
}
