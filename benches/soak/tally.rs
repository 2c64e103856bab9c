//! What has come of one stream, over all runs of its consumer.

use http_sse::{Event, Gap};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Tally {
    pub(crate) events: u64,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    /// Came again over a restart, as at least once allows.
    pub(crate) repeated: u64,
    pub(crate) gaps: u64,
    /// Gaps that say something else than what happened, and positions older than what was on the disk.
    pub(crate) wrong: u64,
    pub(crate) restarts: u64,
    /// The number that must come next.
    next: u64,
    /// On the disk for certain.
    durable: u64,
    /// Nothing has come since the consumer was started again.
    is_fresh: bool,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            events: 0,
            lost: 0,
            doubled: 0,
            repeated: 0,
            gaps: 0,
            wrong: 0,
            restarts: 0,
            next: 1,
            durable: 0,
            is_fresh: false,
        }
    }
}

impl Tally {
    /// The consumer is started again, at what its checkpoint holds.
    pub(crate) fn restart(&mut self) {
        self.restarts += 1;
        self.is_fresh = true;
    }

    /// The checkpoint holds this number for certain.
    pub(crate) fn save(&mut self, number: u64) {
        self.durable = self.durable.max(number);
    }

    pub(crate) fn take(&mut self, number: u64) {
        self.events += 1;
        let is_first = std::mem::take(&mut self.is_fresh);
        if is_first && number < self.next {
            self.wrong += u64::from(number <= self.durable);
            self.repeated += self.next - number;
        } else if number < self.next {
            self.doubled += 1;
            return;
        }
        if number > self.next {
            self.lost += number - self.next;
            println!("lost: {} to {}", self.next, number - 1);
        }
        self.next = number + 1;
    }

    /// A gap is where a stream broke, and names the event before it.
    pub(crate) fn take_gap(&mut self, gap: &Gap) {
        self.gaps += 1;
        let resumed_from = gap.reconnected.as_ref().and_then(|reconnected| reconnected.resumed_from.as_deref());
        let last = (self.next > 1).then(|| (self.next - 1).to_string());
        let is_sound = gap.reconnected.is_some() && gap.dropped == 0 && gap.oversized == 0;
        if !is_sound || !self.is_fresh && resumed_from != last.as_deref() {
            self.wrong += 1;
        }
    }

    /// Takes an event of this stream, or a gap; returns the number of an event.
    pub(crate) fn receive(&mut self, stream: usize, event: &Event) -> Option<u64> {
        if let Some(gap) = event.gap() {
            self.take_gap(gap);
            return None;
        }
        let number = crate::wire::number(event);
        let expected = crate::wire::event(stream, number);
        self.wrong += u64::from(event.data() != expected.data() || event.event_type() != expected.event_type());
        self.take(number);
        Some(number)
    }
}
