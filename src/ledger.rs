//! Marks the events that a receiver loses, in their place: the sender turns them into gaps in the middle of a queue
//! from which only the oldest item can be taken.

use crossbeam_channel::{Receiver, Sender};

use crate::error::Error;
use crate::event::Event;
use crate::gap::Gap;
use crate::place::{Ledger, LedgerState, Place};
use crate::sync::{Arc, lock};

/// An item of a receiver: an event or the mark of a gap, and finally the failure.
pub(crate) type Item = Result<Event, Error>;

/// The result of queueing an item.
pub(crate) struct Entered {
    /// The item to send; `None` if it was merged into another one in the queue.
    pub(crate) item: Option<Event>,
    /// How many events were dropped for it, itself included.
    pub(crate) lost: u64,
}

impl Ledger {
    /// Returns how many slots the channel needs: no two gaps are adjacent, and the failure comes last.
    pub(crate) fn places(max_events: usize) -> usize {
        max_events.saturating_mul(2).saturating_add(2)
    }

    /// Assigns a place to an event or a gap; others are dropped for it if `oldest`, the receiving side of the queue, is
    /// given.
    ///
    /// Only for the sending thread. The item must be sent before the next one enters.
    pub(crate) fn enter(
        self: &Arc<Self>,
        event: Event,
        queue: &Sender<Item>,
        oldest: Option<&Receiver<Item>>,
    ) -> Entered {
        // Dropped behind the lock, which that takes.
        let mut removed = Vec::new();
        let mut lost = 0;
        let mut state = lock(&self.state);
        let mut gap = event.gap().cloned();
        if gap.is_none() && state.count_events(queue) >= self.max_events {
            match oldest {
                Some(oldest) => lost = state.lose_oldest(queue, oldest, &mut removed),
                None => (gap, lost) = (Some(Gap::dropped(1)), 1),
            }
        }
        let number = state.next;
        let item = match gap {
            None => event,
            Some(gap) => {
                let first = state.first(queue);
                match state.gaps.back_mut() {
                    // It still waits, and is the last.
                    Some((last, before)) if *last >= first && *last + 1 == number => {
                        before.append(gap);
                        return Entered { item: None, lost };
                    }
                    _ => state.gaps.push_back((number, gap)),
                }
                event.without_content()
            }
        };
        state.next += 1;
        drop(state);
        Entered { item: Some(item.placed(Place::new(self, number))), lost }
    }
}

impl LedgerState {
    /// Returns the number of the first item that is queued, or was taken a moment ago: no consumer has looked at it or
    /// at a later one, and none can before the lock is free.
    fn first(&self, queue: &Sender<Item>) -> u64 {
        self.next.saturating_sub(queue.len() as u64)
    }

    fn count_events(&self, queue: &Sender<Item>) -> usize {
        let waiting = queue.len();
        let first = self.next.saturating_sub(waiting as u64);
        let gaps = self.gaps.len() - self.gaps.partition_point(|(number, _)| *number < first);
        waiting.saturating_sub(gaps)
    }

    /// Turns the first queued event into a gap, and returns how many events this lost.
    fn lose_oldest(&mut self, queue: &Sender<Item>, oldest: &Receiver<Item>, removed: &mut Vec<Event>) -> u64 {
        let Some(victim) = (self.first(queue)..self.next).find(|number| !self.is_gap(*number)) else { return 0 };
        let mut lost = self.lose(victim);
        // Of adjacent gaps the later one remains: only the first item can leave the queue.
        loop {
            let first = self.first(queue);
            if !self.is_gap(first) || !self.is_gap(first + 1) {
                return lost;
            }
            let Ok(Ok(event)) = oldest.try_recv() else { return lost };
            let number = event.number().unwrap_or(first);
            removed.push(event);
            // The consumer may have taken the first meanwhile, and even more.
            if !self.is_gap(number) {
                lost += self.lose(number);
            }
            let Some(mut gap) = self.take(number) else { return lost };
            if number > first {
                if !self.is_gap(number - 1) {
                    lost += self.lose(number - 1);
                }
                if let Some(before) = self.gap_mut(number - 1) {
                    before.append(gap);
                }
            } else if let Some(after) = self.gap_mut(number + 1) {
                gap.append(std::mem::take(after));
                *after = gap;
            }
        }
    }
}
