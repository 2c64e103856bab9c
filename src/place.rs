//! An item's place in the queue of a receiver that loses events, and whether it is an event there or a gap.
//!
//! This is decided when the consumer first looks at it. Until then the sender may turn an event into a gap in place
//! (`ledger`). Each item has a number, and the ledger has the numbers of the gaps; both sides use it under its lock, so
//! that no item changes after it was looked at.

use std::collections::VecDeque;

use crate::gap::Gap;
use crate::sync::{Arc, Mutex, OnceLock, lock};

/// Of one receiver.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// The maximum number of queued events, without gaps.
    pub(crate) max_events: usize,
    pub(crate) state: Mutex<LedgerState>,
}

#[derive(Debug, Default)]
pub(crate) struct LedgerState {
    /// The number of the next item.
    pub(crate) next: u64,
    /// The items that are gaps and have not been looked at, by number, in order.
    pub(crate) gaps: VecDeque<(u64, Gap)>,
}

/// An item's place in the queue.
#[derive(Debug)]
pub(crate) struct Place {
    ledger: Arc<Ledger>,
    number: u64,
    /// Empty until the first look.
    decided: OnceLock<Option<Gap>>,
}

impl Ledger {
    pub(crate) fn new(max_events: usize) -> Arc<Self> {
        Arc::new(Self { max_events, state: Mutex::default() })
    }
}

impl LedgerState {
    pub(crate) fn lose(&mut self, number: u64) -> u64 {
        if let Err(at) = self.find(number) {
            self.gaps.insert(at, (number, Gap::dropped(1)));
        }
        1
    }

    pub(crate) fn is_gap(&self, number: u64) -> bool {
        self.find(number).is_ok()
    }

    pub(crate) fn gap_mut(&mut self, number: u64) -> Option<&mut Gap> {
        let at = self.find(number).ok()?;
        self.gaps.get_mut(at).map(|(_, gap)| gap)
    }

    pub(crate) fn take(&mut self, number: u64) -> Option<Gap> {
        let at = self.find(number).ok()?;
        self.gaps.remove(at).map(|(_, gap)| gap)
    }

    fn find(&self, number: u64) -> Result<usize, usize> {
        self.gaps.binary_search_by_key(&number, |(number, _)| *number)
    }
}

impl Place {
    pub(crate) fn new(ledger: &Arc<Ledger>, number: u64) -> Self {
        Self { ledger: Arc::clone(ledger), number, decided: OnceLock::new() }
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Decides whether it is a gap; the result is final.
    pub(crate) fn gap(&self) -> Option<&Gap> {
        if let Some(decided) = self.decided.get() {
            return decided.as_ref();
        }
        let mut state = lock(&self.ledger.state);
        self.decided.get_or_init(|| state.take(self.number)).as_ref()
    }
}

impl Drop for Place {
    /// An item that no consumer has looked at.
    fn drop(&mut self) {
        if self.decided.get().is_none() {
            lock(&self.ledger.state).take(self.number);
        }
    }
}
