//! A crossbeam channel whose ends wake each other once per burst, until the bare receiver is used.
//!
//! A channel wakes its receiver at the first event, and its sender at the first free slot; and before a thread blocks,
//! crossbeam yields a few times, each of which costs a time slice on a busy machine. So the loop over events parks, and
//! the sender wakes it after it has sent everything; a sender that finds the channel full parks until it is half empty.
//! Code that uses crossbeam's receiver (for `select!`, a timeout, a clone) waits inside the channel, where only
//! crossbeam can wake it: from then on both ends do.

use std::convert::Infallible;

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError, bounded, select_biased};

use crate::cancel::CancelToken;
use crate::parking::Parking;
use crate::spin::AdaptiveSpin;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, lock};

/// A connection's end of a channel. Several may send into one.
#[derive(Debug)]
pub(crate) struct BurstSender<T> {
    sender: Sender<T>,
    /// Dropped last: the thread that it wakes finds the channel ended. None for a caller's channel.
    state: Option<WakeAtEnd>,
}

/// The consumer's end of a channel.
#[derive(Debug)]
pub(crate) struct BurstReceiver<T> {
    receiver: Receiver<T>,
    state: Arc<ChannelState>,
    /// Used only by the loop over events.
    spin: Mutex<AdaptiveSpin>,
}

/// The state shared by the two ends in addition to the channel.
#[derive(Debug)]
struct ChannelState {
    /// Where the loop over events waits for the next one.
    receiver: Parking,
    /// How many senders wait until the channel is half empty, each at its own parking.
    waiting: AtomicUsize,
    /// Only crossbeam wakes. Set once.
    is_bare: AtomicBool,
    half: usize,
}

#[derive(Clone, Debug)]
struct WakeAtEnd(Arc<ChannelState>);

/// The result of sending an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Delivered,
    /// There are no receivers.
    Disconnected,
    /// The sender was stopped, or the receiver dropped, while the channel was full.
    Interrupted,
}

/// Creates a channel of this crate.
pub(crate) fn channel<T>(capacity: usize) -> (BurstSender<T>, BurstReceiver<T>) {
    let (sender, receiver) = bounded(capacity);
    let state = Arc::new(ChannelState {
        receiver: Parking::default(),
        waiting: AtomicUsize::new(0),
        // Without slots, an item passes only to a receiver that waits inside the channel.
        is_bare: AtomicBool::new(capacity == 0),
        half: capacity / 2,
    });
    (
        BurstSender { sender, state: Some(WakeAtEnd(Arc::clone(&state))) },
        BurstReceiver { receiver, state, spin: Mutex::default() },
    )
}

impl<T> BurstSender<T> {
    /// Sends into a caller's channel, with only crossbeam's sender.
    pub(crate) fn bare(sender: Sender<T>) -> Self {
        Self { sender, state: None }
    }

    /// Sends if there is room. A loop that is parked is not woken: see [`flush`](Self::flush).
    ///
    /// A channel without slots is always full, even if a receiver waits: [`send`](Self::send) checks the stop first.
    #[inline]
    pub(crate) fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        if self.sender.capacity() == Some(0) { Err(TrySendError::Full(item)) } else { self.sender.try_send(item) }
    }

    /// Wakes the loop over events. Call it before anything that takes time.
    pub(crate) fn flush(&self) {
        if let Some(WakeAtEnd(state)) = &self.state {
            state.receiver.unpark();
        }
    }

    /// Blocks until there is room, until the stop, or until `gone` disconnects: after either, no more is received than
    /// was queued.
    pub(crate) fn send(&self, mut item: T, token: &CancelToken, gone: &Receiver<Infallible>) -> Sent {
        self.flush();
        while let Some(state) = self.parking_state() {
            self.wait_until_half_empty(state, token, gone);
            if token.is_cancelled() || is_disconnected(gone) {
                return Sent::Interrupted;
            }
            match self.sender.try_send(item) {
                Ok(()) => return Sent::Delivered,
                Err(TrySendError::Disconnected(_)) => return Sent::Disconnected,
                // Another sender was faster, or the bare receiver is used now.
                Err(TrySendError::Full(full)) => item = full,
            }
        }
        select_biased! {
            recv(token.cancelled()) -> _ => Sent::Interrupted,
            recv(gone) -> _ => Sent::Interrupted,
            send(self.sender, item) -> sent => if sent.is_ok() { Sent::Delivered } else { Sent::Disconnected },
        }
    }

    /// Returns the state while the loop over events parks; `None` if only crossbeam wakes.
    fn parking_state(&self) -> Option<&ChannelState> {
        self.state.as_ref().map(|WakeAtEnd(state)| &**state).filter(|state| !state.is_bare())
    }

    fn wait_until_half_empty(&self, state: &ChannelState, token: &CancelToken, gone: &Receiver<Infallible>) {
        state.waiting.fetch_add(1, Ordering::SeqCst);
        token.parking().park_until(|| {
            let is_over = token.is_cancelled() || is_disconnected(gone) || state.is_bare();
            (is_over || self.sender.len() <= state.half).then_some(())
        });
        state.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns crossbeam's sender, to wait for room in several channels at once.
    pub(crate) fn as_crossbeam(&self) -> &Sender<T> {
        &self.sender
    }
}

impl<T> Clone for BurstSender<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), state: self.state.clone() }
    }
}

impl<T> BurstReceiver<T> {
    /// Receives; `None` once the channel has ended.
    #[inline]
    pub(crate) fn recv(&self, wake_senders: impl FnOnce()) -> Option<T> {
        let item = match self.receiver.try_recv() {
            Ok(item) => Some(item),
            Err(TryRecvError::Disconnected) => None,
            Err(TryRecvError::Empty) => self.wait(),
        };
        // After the item was taken, like crossbeam's own check for waiting senders: either this sees the waiting
        // sender, or the sender sees the room.
        if self.state.waiting.load(Ordering::SeqCst) > 0 && self.receiver.len() <= self.state.half {
            wake_senders();
        }
        item
    }

    #[cold]
    fn wait(&self) -> Option<T> {
        if self.state.is_bare() {
            return self.receiver.recv().ok();
        }
        let attempt = || match self.receiver.try_recv() {
            Err(TryRecvError::Empty) => None,
            found => Some(found.ok()),
        };
        let found = lock(&self.spin).spin_until(attempt);
        found.unwrap_or_else(|| self.state.receiver.park_until(attempt))
    }

    /// Returns crossbeam's receiver, and leaves all waking to crossbeam from now on.
    #[inline]
    pub(crate) fn bare(&self, wake_senders: impl FnOnce()) -> &Receiver<T> {
        if !self.state.is_bare() {
            self.state.is_bare.store(true, Ordering::SeqCst);
            // A sender that waits until the channel is half empty would not be woken any more.
            wake_senders();
        }
        &self.receiver
    }

    /// Returns another receiver of the same channel, for a sender that only makes room.
    pub(crate) fn drain(&self) -> Receiver<T> {
        self.receiver.clone()
    }

    /// Returns how many items wait.
    pub(crate) fn len(&self) -> usize {
        self.receiver.len()
    }
}

impl ChannelState {
    #[inline]
    fn is_bare(&self) -> bool {
        self.is_bare.load(Ordering::SeqCst)
    }
}

impl Drop for WakeAtEnd {
    fn drop(&mut self) {
        self.0.receiver.unpark();
    }
}

/// Whether the other end of a channel that carries nothing is gone.
pub(crate) fn is_disconnected(receiver: &Receiver<Infallible>) -> bool {
    matches!(receiver.try_recv(), Err(TryRecvError::Disconnected))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::thread;
    use std::time::{Duration, Instant};

    use crossbeam_channel::Select;

    fn token_and_gone() -> (CancelToken, Sender<Infallible>, Receiver<Infallible>) {
        let (alive, gone) = bounded(0);
        (CancelToken::new(), alive, gone)
    }

    #[track_caller]
    fn wait_until_parked(parking: &Parking) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !parking.is_occupied() {
            assert!(Instant::now() < deadline, "nobody parks");
            thread::yield_now();
        }
    }

    /// Sends all, as a connection does: without a wake-up until it must wait, and at the end.
    fn send_all(sender: &BurstSender<u32>, token: &CancelToken, numbers: u32) {
        for number in 0..numbers {
            if let Err(error) = sender.try_send(number) {
                assert_eq!(sender.send(error.into_inner(), token, token.cancelled()), Sent::Delivered);
            }
        }
    }

    #[test]
    fn everything_is_received_in_order_and_then_the_end() {
        for capacity in [0, 1, 2, 64] {
            let (sender, receiver) = channel(capacity);
            let token = Arc::new(CancelToken::new());
            let other = Arc::clone(&token);
            let producer = thread::spawn(move || send_all(&sender, &other, 10_000));
            let received: Vec<u32> = std::iter::from_fn(|| receiver.recv(|| token.parking().unpark())).collect();
            producer.join().unwrap();
            assert_eq!(received, (0..10_000).collect::<Vec<_>>(), "capacity {capacity}");
        }
    }

    #[test]
    fn a_loop_that_is_parked_is_woken_by_the_flush_and_not_by_the_item() {
        let (sender, receiver) = channel(4);
        thread::scope(|scope| {
            let woken = scope.spawn(|| receiver.recv(|| ()));
            wait_until_parked(&sender.parking_state().unwrap().receiver);
            sender.try_send(7).unwrap();
            assert!(sender.parking_state().unwrap().receiver.is_occupied(), "woken by the item");
            sender.flush();
            assert_eq!(woken.join().unwrap(), Some(7));
        });
    }

    #[test]
    fn a_sender_waits_until_half_of_a_full_channel_is_empty() {
        let (token, _alive, gone) = token_and_gone();
        let (sender, receiver) = channel(4);
        (0..4).for_each(|number| sender.try_send(number).unwrap());
        thread::scope(|scope| {
            let sent = scope.spawn(|| sender.send(4, &token, &gone));
            wait_until_parked(token.parking());
            assert_eq!(receiver.recv(|| token.parking().unpark()), Some(0));
            assert!(token.parking().is_occupied(), "woken by one place");
            assert_eq!(receiver.recv(|| token.parking().unpark()), Some(1));
            assert_eq!(sent.join().unwrap(), Sent::Delivered);
        });
    }

    #[test]
    fn a_sender_that_waits_for_half_is_content_with_one_place_once_the_bare_receiver_is_used() {
        let (token, _alive, gone) = token_and_gone();
        let (sender, receiver) = channel(4);
        (0..4).for_each(|number| sender.try_send(number).unwrap());
        thread::scope(|scope| {
            let sent = scope.spawn(|| sender.send(4, &token, &gone));
            wait_until_parked(token.parking());
            let bare = receiver.bare(|| token.parking().unpark());
            assert_eq!(bare.recv(), Ok(0));
            assert_eq!(sent.join().unwrap(), Sent::Delivered);
            assert_eq!(bare.len(), 4);
        });
    }

    /// After a stop no more is received than was buffered, and such a channel buffers nothing.
    #[test]
    fn a_channel_without_places_passes_nothing_to_who_receives_after_a_stop() {
        let (token, _alive, gone) = token_and_gone();
        let (sender, receiver) = channel(0);
        token.cancel();
        thread::scope(|scope| {
            let received = scope.spawn(|| receiver.recv(|| ()));
            let mut waits = Select::new();
            waits.send(sender.as_crossbeam());
            assert!(waits.ready_timeout(Duration::from_secs(10)).is_ok(), "nobody receives");
            let sent = match sender.try_send(7) {
                Err(TrySendError::Full(item)) => sender.send(item, &token, &gone),
                other => panic!("{other:?}"),
            };
            assert_eq!(sent, Sent::Interrupted);
            drop(sender);
            assert_eq!(received.join().unwrap(), None);
        });
    }

    #[test]
    fn a_receiver_that_goes_ends_the_wait_for_room() {
        let (token, alive, gone) = token_and_gone();
        let (sender, receiver) = channel(1);
        sender.try_send(0).unwrap();
        thread::scope(|scope| {
            let sent = scope.spawn(|| sender.send(1, &token, &gone));
            wait_until_parked(token.parking());
            drop(alive);
            token.parking().unpark();
            assert_eq!(sent.join().unwrap(), Sent::Interrupted);
        });
        assert_eq!(receiver.len(), 1);
    }
}
