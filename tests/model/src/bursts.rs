//! The parking: a loop over events that is woken once per burst, and a sender that waits until half is empty.
//!
//! Wherever a property waits for a `gate`, the other side has nothing more to do meanwhile: a wake-up that is lost there is
//! made good by nothing that comes later.

use loom::thread;

use crate::broadcast::{EventSender, Overflow, Sink};
use crate::channel::{BurstReceiver, BurstSender, Sent, channel};
use crate::crossbeam::{Receiver, Sender, TryRecvError, bounded};
use crate::delivery::Delivery;
use crate::error::Error;
use crate::event::Event;
use crate::handle::Shared;
use crate::ledger::Item;
use crate::member::{Member, Tagged};
use crate::receivers::{broadcast, rest};
use crate::sync::Arc;

pub(crate) const PROPERTIES: [(&str, fn()); 12] = [
    ("a loop that parks is woken by the flush", woken_by_the_flush),
    ("a loop that parks is woken by a full channel", woken_by_a_full_channel),
    ("a loop that parks is woken by the end", woken_by_the_end),
    ("a loop that parks is woken by the failure", woken_by_the_failure),
    ("a sender that waits for half is woken by half", woken_by_half),
    ("a sender that waits for half is woken by the switch to the bare receiver", woken_by_the_switch),
    ("a stop ends the wait for half, and nothing is sent into the room made after it", woken_by_the_stop),
    ("a sender that waits for half is woken by the receiver's end", woken_by_the_end_of_the_receiver),
    ("the bare receiver needs no flush", bare_receiver_needs_no_flush),
    ("a wait for one receiver wakes the others", wait_for_one_wakes_the_others),
    ("two connections into one channel: all arrives, and the end", merged),
    ("two senders that wait for half are both woken", merged_senders_are_woken),
];

fn gate() -> (Sender<()>, Receiver<()>) {
    bounded(1)
}

fn recv(receiver: &BurstReceiver<Item>, shared: &Shared) -> Option<Item> {
    receiver.recv(|| shared.token.parking().unpark())
}

/// A connection's thread that holds its channel open until the gate is.
fn connection(
    sink: Sink,
    shared: &Arc<Shared>,
    gate: Receiver<()>,
    run: impl FnOnce(&mut EventSender) + 'static,
) -> thread::JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        let mut sender = EventSender::new(sink, shared);
        run(&mut sender);
        let _ = gate.recv();
    })
}

fn woken_by_the_flush() {
    let (broadcast, shared, receiver, _subscription) = broadcast(2, Overflow::Block);
    let (open, closed) = gate();
    let connection = connection(Sink::Broadcast(broadcast), &shared, closed, |sender| {
        sender.event(Event(0));
        sender.flush();
    });
    assert_eq!(recv(&receiver, &shared), Some(Ok(Event(0))));
    drop(open);
    connection.join().unwrap();
    assert_eq!(recv(&receiver, &shared), None);
}

fn woken_by_a_full_channel() {
    let (broadcast, shared, receiver, _subscription) = broadcast(1, Overflow::Block);
    let (open, closed) = gate();
    let connection = connection(Sink::Broadcast(broadcast), &shared, closed, |sender| {
        sender.event(Event(0));
        sender.event(Event(1));
    });
    assert_eq!(recv(&receiver, &shared), Some(Ok(Event(0))));
    drop(open);
    connection.join().unwrap();
    assert_eq!(rest(&receiver, &shared), [Ok(Event(1))]);
}

fn woken_by_the_end() {
    let (sender, receiver) = channel::<Item>(1);
    let other = sender.clone();
    let first = thread::spawn(move || other.try_send(Ok(Event(0))).unwrap());
    let second = thread::spawn(move || drop(sender));
    assert_eq!(receiver.recv(|| ()), Some(Ok(Event(0))));
    assert_eq!(receiver.recv(|| ()), None);
    first.join().unwrap();
    second.join().unwrap();
}

fn woken_by_the_failure() {
    let (broadcast, shared, receiver, _subscription) = broadcast(2, Overflow::Block);
    let (open, closed) = gate();
    let connection = connection(Sink::Broadcast(broadcast), &shared, closed, |sender| assert!(sender.last(Error)));
    // While `on_close` runs, the channel has not ended.
    assert_eq!(recv(&receiver, &shared), Some(Err(Error)));
    drop(open);
    connection.join().unwrap();
}

fn woken_by_half() {
    let (broadcast, shared, receiver, _subscription) = broadcast(2, Overflow::Block);
    let (open, closed) = gate();
    let (sent, all_sent) = gate();
    let connection = connection(Sink::Broadcast(broadcast), &shared, closed, move |sender| {
        (0..3).for_each(|number| sender.event(Event(number)));
        drop(sent);
    });
    assert_eq!(recv(&receiver, &shared), Some(Ok(Event(0))));
    assert!(all_sent.recv().is_err());
    drop(open);
    connection.join().unwrap();
    assert_eq!(rest(&receiver, &shared), [Ok(Event(1)), Ok(Event(2))]);
}

fn woken_by_the_switch() {
    let (broadcast, shared, receiver, _subscription) = broadcast(3, Overflow::Block);
    let (open, closed) = gate();
    let (sent, all_sent) = gate();
    let connection = connection(Sink::Broadcast(broadcast), &shared, closed, move |sender| {
        (0..4).for_each(|number| sender.event(Event(number)));
        drop(sent);
    });
    // One place is less than half, and all that a bare receiver needs to make.
    let bare = receiver.bare(|| shared.token.parking().unpark());
    assert_eq!(bare.recv(), Ok(Ok(Event(0))));
    assert!(all_sent.recv().is_err());
    drop(open);
    connection.join().unwrap();
    assert_eq!(rest(&receiver, &shared), [Ok(Event(1)), Ok(Event(2)), Ok(Event(3))]);
}

fn woken_by_the_stop() {
    let (sender, receiver) = channel(1);
    let shared = Shared::new();
    sender.try_send(0).unwrap();
    let other = Arc::clone(&shared);
    let sending = thread::spawn(move || sender.send(1, &other.token, other.token.cancelled()));
    shared.stop();
    assert_eq!(sending.join().unwrap(), Sent::Interrupted);
    assert_eq!([receiver.recv(|| ()), receiver.recv(|| ())], [Some(0), None]);
}

fn woken_by_the_end_of_the_receiver() {
    let (broadcast, shared, receiver, mut subscription) = broadcast(1, Overflow::Block);
    let (open, closed) = gate();
    let (sent, all_sent) = gate();
    // It has another receiver, so it is not stopped.
    let (_other, _other_subscription) = broadcast.add().expect("not closed");
    let connection = connection(Sink::Broadcast(broadcast), &shared, closed, move |sender| {
        sender.event(Event(0));
        drop(sent);
    });
    assert!(all_sent.recv().is_err());
    let other = Arc::clone(&shared);
    let leaving = thread::spawn(move || {
        assert!(!subscription.unsubscribe());
        other.token.parking().unpark();
        drop(receiver);
    });
    leaving.join().unwrap();
    drop(open);
    connection.join().unwrap();
}

fn bare_receiver_needs_no_flush() {
    let (broadcast, shared, receiver, _subscription) = broadcast(1, Overflow::Block);
    let (open, closed) = gate();
    let connection = connection(Sink::Broadcast(broadcast), &shared, closed, |sender| {
        sender.event(Event(0));
        sender.event(Event(1));
    });
    let bare = receiver.bare(|| shared.token.parking().unpark()).clone();
    assert_eq!(bare.recv(), Ok(Ok(Event(0))));
    // The loop goes on in the same way.
    assert_eq!(recv(&receiver, &shared), Some(Ok(Event(1))));
    drop(open);
    connection.join().unwrap();
    assert_eq!(bare.try_recv(), Err(TryRecvError::Disconnected));
}

fn wait_for_one_wakes_the_others() {
    let (broadcast, shared, slow, _subscription) = broadcast(1, Overflow::Block);
    let (quick, _quick_subscription) = broadcast.add().expect("not closed");
    let (open, closed) = gate();
    let connection = connection(Sink::Broadcast(broadcast), &shared, closed, |sender| {
        sender.event(Event(0));
        sender.event(Event(1));
    });
    // The second waits for the slow receiver, which takes nothing before the other has something.
    assert_eq!(recv(&quick, &shared), Some(Ok(Event(0))));
    assert_eq!(recv(&slow, &shared), Some(Ok(Event(0))));
    drop(open);
    connection.join().unwrap();
    assert_eq!(rest(&slow, &shared), [Ok(Event(1))]);
    assert_eq!(rest(&quick, &shared), [Ok(Event(1))]);
}

fn spawn_tagged(sender: &BurstSender<Tagged>, shared: &Arc<Shared>) -> thread::JoinHandle<()> {
    let (sink, shared) = (Sink::Tagged(Member::new(sender.clone(), Arc::clone(shared))), Arc::clone(shared));
    thread::spawn(move || {
        let mut sender = EventSender::new(sink, shared);
        sender.event(Event(0));
    })
}

fn merged() {
    let (sender, receiver) = channel(1);
    let connections = [Shared::new(), Shared::new()];
    let threads = [spawn_tagged(&sender, &connections[0]), spawn_tagged(&sender, &connections[1])];
    drop(sender);
    let wake = || connections.iter().for_each(|shared| shared.token.parking().unpark());
    let items: Vec<Delivery> = std::iter::from_fn(|| receiver.recv(wake)).map(|(_, item)| item).collect();
    assert_eq!(items, [Delivery::Event(Event(0)), Delivery::Event(Event(0))]);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

fn merged_senders_are_woken() {
    let (sender, receiver) = channel(1);
    let connections = [Shared::new(), Shared::new()];
    sender.try_send((Arc::clone(&connections[0].id), Delivery::Event(Event(0)))).unwrap();
    let threads = [spawn_tagged(&sender, &connections[0]), spawn_tagged(&sender, &connections[1])];
    let wake = || connections.iter().for_each(|shared| shared.token.parking().unpark());
    // The sender that was cloned is held: the end wakes nobody.
    (0..3).for_each(|_| assert!(receiver.recv(wake).is_some()));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    drop(sender);
    assert!(receiver.recv(wake).is_none());
}
