//! Where the events of a connection go: one channel per receiver, or the user's own.

use std::convert::Infallible;

use crossbeam_channel::{Receiver, Select, Sender, TrySendError, bounded};

use crate::channel::{BurstReceiver, BurstSender, Sent, channel, is_disconnected};
use crate::error::Error;
use crate::event::Event;
use crate::handle::{End, Shared};
use crate::ledger::{Entered, Item};
use crate::member::Member;
use crate::place::Ledger;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, Weak, lock};

/// What happens to an event when the channel of a receiver is full.
///
/// [`Request::mark_gaps`](crate::Request::mark_gaps) marks the place of dropped events.
///
/// # Example: a sensor whose newest readings matter
///
/// ```
/// use http_sse::{Overflow, Request};
///
/// let request = Request::get("https://example.com/temperature").capacity(8).overflow(Overflow::DropOldest);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// Blocks: nothing is read meanwhile, and TCP makes the server wait. No event is lost.
    #[default]
    Block,
    /// Drops the oldest event in the channel.
    DropOldest,
    /// Drops the new event.
    DropNewest,
}

/// How many events may wait for a receiver, and what happens to the others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queueing {
    pub(crate) capacity: usize,
    pub(crate) overflow: Overflow,
    pub(crate) marks_gaps: bool,
}

/// The destination of the connection's thread.
pub(crate) enum Sink {
    /// Channels of this crate, which can be added and removed.
    Broadcast(Arc<Broadcast>),
    /// One channel of several connections.
    Tagged(Member),
}

/// The receivers of one connection.
#[derive(Debug)]
pub(crate) struct Broadcast {
    queueing: Queueing,
    /// A connection of `connect` ends with its last receiver, one of `listen` does not.
    ends_with_last: bool,
    receivers: Mutex<Receivers>,
    /// Counts changes: the thread reads the list only after a change.
    version: AtomicUsize,
}

#[derive(Debug, Default)]
struct Receivers {
    list: Vec<Arc<Subscriber>>,
    next_number: u64,
    is_closed: bool,
}

#[derive(Debug)]
struct Subscriber {
    number: u64,
    sender: BurstSender<Item>,
    /// With `DropOldest`: the receiving side, to make room.
    oldest: Option<Receiver<Item>>,
    /// With both ways of dropping, if gaps are marked.
    ledger: Option<Arc<Ledger>>,
    /// Disconnects when the receiver is dropped: its channel may live on in a bare clone.
    gone: Receiver<Infallible>,
}

/// A receiver's place in the broadcast, released on drop.
#[derive(Debug)]
pub(crate) struct Subscription {
    broadcast: Arc<Broadcast>,
    number: u64,
    alive: Option<Sender<Infallible>>,
}

impl Broadcast {
    pub(crate) fn new(queueing: Queueing, ends_with_last: bool) -> Arc<Self> {
        let receivers = Mutex::default();
        Arc::new(Self { queueing, ends_with_last, receivers, version: AtomicUsize::new(0) })
    }

    /// Adds the first receiver, before the connection's thread starts.
    pub(crate) fn open(self: &Arc<Self>) -> (BurstReceiver<Item>, Subscription) {
        self.subscribe(&mut lock(&self.receivers))
    }

    /// Adds a receiver that gets every event from now on; `None` once the connection is ending.
    pub(crate) fn add(self: &Arc<Self>) -> Option<(BurstReceiver<Item>, Subscription)> {
        let mut receivers = lock(&self.receivers);
        if receivers.is_closed { None } else { Some(self.subscribe(&mut receivers)) }
    }

    fn subscribe(self: &Arc<Self>, receivers: &mut Receivers) -> (BurstReceiver<Item>, Subscription) {
        let Queueing { capacity, overflow, marks_gaps } = self.queueing;
        let ledger = (marks_gaps && overflow != Overflow::Block).then(|| Ledger::new(capacity));
        let (sender, receiver) = channel(if ledger.is_some() { Ledger::places(capacity) } else { capacity });
        let (alive, gone) = bounded(0);
        let oldest = (overflow == Overflow::DropOldest).then(|| receiver.drain());
        let number = receivers.next_number;
        receivers.next_number += 1;
        receivers.list.push(Arc::new(Subscriber { number, sender, oldest, ledger, gone }));
        self.version.fetch_add(1, Ordering::Release);
        (receiver, Subscription { broadcast: Arc::clone(self), number, alive: Some(alive) })
    }

    /// Accepts no more receivers; the last item follows.
    fn close(&self) -> Vec<Arc<Subscriber>> {
        let mut receivers = lock(&self.receivers);
        receivers.is_closed = true;
        receivers.list.clone()
    }

    /// Ends all channels.
    fn end(&self) {
        let mut receivers = lock(&self.receivers);
        receivers.is_closed = true;
        receivers.list.clear();
        self.version.fetch_add(1, Ordering::Release);
    }
}

impl Subscription {
    /// Releases the place; returns `true` if the connection has no receiver left.
    pub(crate) fn unsubscribe(&mut self) -> bool {
        self.alive = None;
        let mut receivers = lock(&self.broadcast.receivers);
        let own = receivers.list.iter().position(|subscriber| subscriber.number == self.number);
        let own = own.map(|at| receivers.list.remove(at));
        self.broadcast.version.fetch_add(1, Ordering::Release);
        // Under the lock: a thread that subscribes meanwhile is refused, or keeps the connection.
        let is_last = self.broadcast.ends_with_last && receivers.list.is_empty();
        receivers.is_closed |= is_last;
        drop(receivers);
        // Without the lock: it ends the channel, and may free what is queued there.
        drop(own);
        is_last
    }
}

/// The thread's side: delivers to the current receivers.
pub(crate) struct EventSender {
    sink: Sink,
    shared: Arc<Shared>,
    /// Empty between bursts: a receiver that is dropped then must end immediately, with everything that it had queued.
    current: Vec<Arc<Subscriber>>,
    /// The version of the list in `current`.
    version: Option<usize>,
}

impl EventSender {
    pub(crate) fn new(sink: Sink, shared: Arc<Shared>) -> Self {
        Self { sink, shared, current: Vec::new(), version: None }
    }

    /// Sends an event to every receiver; blocks until there is room or the connection is stopped.
    ///
    /// A parked loop may not be woken before [`flush`](Self::flush).
    pub(crate) fn event(&mut self, event: Event) {
        let broadcast = match &self.sink {
            Sink::Tagged(member) => return member.event(event),
            Sink::Broadcast(broadcast) => broadcast,
        };
        let overflow = broadcast.queueing.overflow;
        let version = Some(broadcast.version.load(Ordering::Acquire));
        if version != self.version {
            self.version = version;
            self.current.clear();
            self.current.extend(lock(&broadcast.receivers).list.iter().cloned());
        }
        let mut next = 0;
        while next + 1 < self.current.len() {
            let unsent = self.current[next].send(event.clone(), overflow, &self.shared);
            next += 1;
            if let Some(item) = unsent {
                self.wait(next - 1, item);
                // A stop while it waited: who stopped must not get more than was buffered.
                if self.shared.token.is_cancelled() {
                    return;
                }
                next = 0;
            }
        }
        let Some(last) = self.current.get(next) else { return };
        if let Some(item) = last.send(event, overflow, &self.shared) {
            self.wait(next, item);
        }
    }

    /// Releases the receivers until the next event.
    pub(crate) fn release(&mut self) {
        self.current.clear();
        self.version = None;
    }

    /// Wakes the loops over events. Call it after all events of one read have been sent, and before anything that may
    /// block or any user-supplied code. It is cheap if no loop is parked.
    pub(crate) fn flush(&self) {
        match &self.sink {
            Sink::Tagged(member) => member.flush(),
            Sink::Broadcast(_) => self.current.iter().for_each(|subscriber| subscriber.sender.flush()),
        }
    }

    /// Blocks until one receiver has room or is dropped, or the connection is stopped. `current` then contains the
    /// receivers after it that still exist.
    fn wait(&mut self, index: usize, item: Item) {
        self.flush();
        let subscriber = Arc::clone(&self.current[index]);
        let behind: Vec<Weak<Subscriber>> = self.current.iter().skip(index + 1).map(Arc::downgrade).collect();
        self.release();
        // A receiver that has gone takes itself off the list.
        let _: Sent = subscriber.sender.send(item, &self.shared.token, &subscriber.gone);
        self.current.extend(behind.iter().filter_map(Weak::upgrade));
    }

    /// Sends an end that is not a failure, if the channel has items for that.
    pub(crate) fn over(&mut self, end: &End) {
        if let Sink::Tagged(member) = &self.sink {
            member.end(end);
        }
    }

    /// Sends the terminal failure to every receiver; returns `false` if a stop came first.
    pub(crate) fn last(&mut self, error: Error) -> bool {
        self.flush();
        let broadcast = match &self.sink {
            Sink::Tagged(member) => return member.end(&End::Failed(error)),
            Sink::Broadcast(broadcast) => broadcast,
        };
        let mut waiting = broadcast.close();
        loop {
            if self.shared.token.is_cancelled() {
                return waiting.is_empty();
            }
            // Those that have room, in any order: a slow receiver must not keep the others from their end.
            waiting.retain(|subscriber| {
                let is_over = is_disconnected(&subscriber.gone) || subscriber.try_last(&error, &self.shared);
                subscriber.sender.flush();
                !is_over
            });
            if waiting.is_empty() {
                return true;
            }
            let mut change = Select::new();
            change.recv(self.shared.token.cancelled());
            for subscriber in &waiting {
                change.recv(&subscriber.gone);
                change.send(subscriber.sender.as_crossbeam());
            }
            change.ready();
        }
    }
}

impl Drop for EventSender {
    fn drop(&mut self) {
        if let Sink::Broadcast(broadcast) = &self.sink {
            broadcast.end();
        }
    }
}

impl Subscriber {
    /// Returns the item if the sender is to wait for room.
    fn send(&self, event: Event, overflow: Overflow, shared: &Shared) -> Option<Item> {
        if let Some(ledger) = &self.ledger {
            self.send_marked(ledger, event, shared);
            return None;
        }
        let sent = self.sender.try_send(Ok(event));
        if overflow != Overflow::Block {
            // The sooner the receiver is awake, the less is dropped.
            self.sender.flush();
        }
        let mut item = match sent {
            Err(TrySendError::Full(item)) => item,
            // A receiver that has gone takes itself off the list.
            Ok(()) | Err(TrySendError::Disconnected(_)) => return None,
        };
        match (overflow, &self.oldest) {
            (Overflow::DropNewest, _) => count_dropped(shared, 1),
            (Overflow::DropOldest, Some(oldest)) => loop {
                if oldest.try_recv().is_ok() {
                    count_dropped(shared, 1);
                }
                match self.sender.try_send(item) {
                    Err(TrySendError::Full(full)) => item = full,
                    Ok(()) | Err(TrySendError::Disconnected(_)) => return None,
                }
            },
            _ => return Some(item),
        }
        None
    }

    /// Sends an event or a gap, and a gap in the place of what is dropped for it.
    #[cold]
    fn send_marked(&self, ledger: &Arc<Ledger>, event: Event, shared: &Shared) {
        let Entered { item, lost } = ledger.enter(event, self.sender.as_crossbeam(), self.oldest.as_ref());
        if lost > 0 {
            count_dropped(shared, lost);
        }
        if let Some(item) = item {
            // There is room. A receiver that has gone takes itself off the list.
            let _ = self.sender.try_send(Ok(item));
        }
        self.sender.flush();
    }

    /// Sends the terminal failure if there is room, or room can be made.
    fn try_last(&self, error: &Error, shared: &Shared) -> bool {
        loop {
            match (self.sender.as_crossbeam().try_send(Err(error.clone())), &self.oldest) {
                (Err(TrySendError::Full(_)), Some(oldest)) => {
                    if oldest.try_recv().is_ok() {
                        count_dropped(shared, 1);
                    }
                }
                (Err(TrySendError::Full(_)), None) => return false,
                (Ok(()) | Err(TrySendError::Disconnected(_)), _) => return true,
            }
        }
    }
}

fn count_dropped(shared: &Shared, events: u64) {
    let mut progress = shared.progress();
    progress.dropped = progress.dropped.saturating_add(events);
}
