//! The counters of a connection.

use std::time::Instant;

/// Counters as `u64` under a lock: some ARM targets have no 64-bit atomics.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) comments: u64,
    pub(crate) bytes: u64,
    pub(crate) dropped: u64,
    pub(crate) oversized: u64,
    pub(crate) last_event_id: String,
    pub(crate) last_byte: Option<Instant>,
}

impl Progress {
    pub(crate) fn received(&mut self, amount: usize, now: Instant) {
        self.bytes = self.bytes.saturating_add(amount as u64);
        self.last_byte = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB_4: u64 = 1 << 32;

    #[test]
    fn bytes_are_counted_past_4_gib() {
        let mut progress = Progress { bytes: GIB_4 - 2, ..Progress::default() };
        progress.received(3, Instant::now());
        assert_eq!(progress.bytes, GIB_4 + 1);
        progress.received(usize::MAX, Instant::now());
        assert_eq!(progress.bytes, (GIB_4 + 1).saturating_add(usize::MAX as u64));
    }

    #[test]
    fn a_counter_stays_at_its_end_instead_of_starting_again() {
        let mut progress = Progress { bytes: u64::MAX - 1, ..Progress::default() };
        progress.received(2, Instant::now());
        assert_eq!(progress.bytes, u64::MAX);
    }
}
