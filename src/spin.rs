//! A short wait that keeps the core, for when this costs less than being woken.

use std::hint;
use std::time::{Duration, Instant};

/// The maximum duration: about the cost of being woken from another core, which is 5 to 50 µs.
const LIMIT: Duration = Duration::from_micros(25);

/// An item that takes longer was not worth the spin: a stream of single events must not keep a core busy.
const PROMPT: Duration = Duration::from_micros(9);

/// The pause between two attempts. A receiver that polls without a pause keeps taking the sender's cache lines.
const PAUSE: Duration = Duration::from_micros(4);

/// The maximum number of waits without spinning.
const MAX_REST: u32 = 1023;

/// Spins before a thread parks, and less often the more often it was in vain.
///
/// On two cores at full speed, two threads that park are each woken too late for the other to be still active. If both
/// share a core, or other programs use it, spinning is useless: then one wait in 1,024 spins. It never yields: on a
/// busy machine that gives up a whole time slice.
#[derive(Debug, Default)]
pub(crate) struct AdaptiveSpin {
    /// How many waits are left without spinning, and how many there were the last time.
    rest: u32,
    last_rest: u32,
}

impl AdaptiveSpin {
    /// Attempts after each pause; after `None` the caller parks.
    pub(crate) fn spin_until<T>(&mut self, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
        if self.rest > 0 {
            self.rest -= 1;
            return None;
        }
        let since = Instant::now();
        let (mut now, mut outcome) = (since, None);
        while outcome.is_none() && now - since < LIMIT {
            let last = now;
            while now - last < PAUSE {
                hint::spin_loop();
                now = Instant::now();
            }
            outcome = attempt();
        }
        self.learn(outcome.is_some() && now - since <= PROMPT);
        outcome
    }

    fn learn(&mut self, was_worth_it: bool) {
        if was_worth_it {
            self.last_rest /= 2;
        } else {
            self.last_rest = (2 * self.last_rest + 1).min(MAX_REST);
            self.rest = self.last_rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(spin: &mut AdaptiveSpin) -> usize {
        let mut attempts = 0;
        let outcome = spin.spin_until(|| {
            attempts += 1;
            None::<()>
        });
        assert_eq!(outcome, None);
        attempts
    }

    #[test]
    fn the_more_often_it_is_in_vain_the_less_is_tried() {
        let mut spin = AdaptiveSpin::default();
        for rest in [1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 1023] {
            assert!(attempts(&mut spin) > 0);
            for _ in 0..rest {
                assert_eq!(attempts(&mut spin), 0);
            }
        }
    }

    #[test]
    fn what_comes_at_once_makes_the_next_rest_shorter_and_what_comes_late_does_not() {
        let mut spin = AdaptiveSpin { rest: 0, last_rest: 7 };
        spin.learn(true);
        assert_eq!((spin.rest, spin.last_rest), (0, 3));
        spin.learn(false);
        assert_eq!((spin.rest, spin.last_rest), (7, 7));
    }

    #[test]
    fn what_an_attempt_finds_is_returned() {
        // A thread that is put aside for long enough makes no attempt at all.
        let found = (0..1000).find_map(|_| AdaptiveSpin::default().spin_until(|| Some(7)));
        assert_eq!(found, Some(7));
    }
}
