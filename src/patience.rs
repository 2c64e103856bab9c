//! How the two ends of a channel wait for each other while events flow.

use std::hint;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError};

/// For how long a thread tries before it sleeps: about what it costs to be woken, which is 5 to 25 µs.
const WORTH: Duration = Duration::from_micros(25);

/// A wait up to this long, with sleep and wake-up, may have been one that trying makes shorter.
const SHORT: Duration = Duration::from_micros(60);

/// How long a receiver leaves an empty channel alone, for some events to gather.
const GATHERING: Duration = Duration::from_micros(4);

/// For how many waits at most nothing is tried.
const LONGEST_REST: u32 = 63;

/// Decides whether to wait awake or asleep, by what became of the waits before.
///
/// Two threads that put each other to sleep at each full or empty channel spend their time on waking each other. So one
/// whose waits are short tries again, in pauses, before it sleeps. On a stream that is not busy nothing is tried; and
/// where trying leads to nothing, as on one core, ever less is tried.
#[derive(Debug)]
pub(crate) struct Patience {
    /// When the last wait began.
    since: Instant,
    was_short: bool,
    /// For how many waits nothing is tried, and for how many it was the last time.
    rest: u32,
    last_rest: u32,
}

impl Patience {
    pub(crate) fn new() -> Self {
        Self { since: Instant::now(), was_short: false, rest: 0, last_rest: 0 }
    }

    /// Receives; `None` once the channel has ended.
    #[inline]
    pub(crate) fn recv<T>(&mut self, receiver: &Receiver<T>) -> Option<T> {
        match receiver.try_recv() {
            Ok(item) => Some(item),
            Err(TryRecvError::Disconnected) => None,
            Err(TryRecvError::Empty) => self.wait(receiver),
        }
    }

    fn wait<T>(&mut self, receiver: &Receiver<T>) -> Option<T> {
        let found = self.insist(GATHERING, || match receiver.try_recv() {
            Err(TryRecvError::Empty) => None,
            found => Some(found.ok()),
        });
        found.unwrap_or_else(|| {
            let item = receiver.recv().ok();
            self.slept();
            item
        })
    }

    /// Attempts after each pause, if and for as long as that is worth it; after `None` the caller sleeps, and calls
    /// [`slept`](Self::slept).
    ///
    /// The pause leaves the channel alone: who looks all the time takes the memory that the other end is writing to
    /// away from it, and both become slower by several times.
    pub(crate) fn insist<T>(&mut self, pause: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
        self.since = Instant::now();
        if !self.was_short {
            return None;
        }
        if self.rest > 0 {
            self.rest -= 1;
            return None;
        }
        let mut now = self.since;
        while now - self.since < WORTH {
            let last = now;
            // On one core, or a busy machine: whoever could go on is let by.
            thread::yield_now();
            loop {
                now = Instant::now();
                if now - last >= pause {
                    break;
                }
                hint::spin_loop();
            }
            if let Some(outcome) = attempt() {
                self.last_rest /= 2;
                return Some(outcome);
            }
        }
        self.last_rest = (2 * self.last_rest + 1).min(LONGEST_REST);
        self.rest = self.last_rest;
        None
    }

    /// Learns from a wait that ended asleep.
    pub(crate) fn slept(&mut self) {
        self.was_short = self.since.elapsed() <= SHORT;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crossbeam_channel::bounded;

    fn eager() -> Patience {
        Patience { was_short: true, ..Patience::new() }
    }

    fn attempts(patience: &mut Patience) -> usize {
        let mut attempts = 0;
        let outcome = patience.insist(Duration::ZERO, || {
            attempts += 1;
            None::<()>
        });
        assert_eq!(outcome, None);
        attempts
    }

    #[test]
    fn a_stream_that_is_not_busy_is_waited_for_asleep() {
        assert_eq!(attempts(&mut Patience::new()), 0);
    }

    #[test]
    fn short_waits_are_worth_trying_and_long_ones_are_not() {
        let mut patience = Patience::new();
        patience.since = Instant::now() + Duration::from_secs(3600);
        patience.slept();
        assert!(attempts(&mut patience) > 0);
        patience = eager();
        patience.since = Instant::now().checked_sub(SHORT * 2).unwrap();
        patience.slept();
        assert_eq!(attempts(&mut patience), 0);
    }

    #[test]
    fn the_more_often_trying_fails_the_less_is_tried_and_back() {
        let mut patience = eager();
        for rest in [1, 3, 7, 15, 31, 63, 63] {
            assert!(attempts(&mut patience) > 0);
            for _ in 0..rest {
                assert_eq!(attempts(&mut patience), 0);
            }
        }
        for rest in [31, 15, 7, 3, 1, 0] {
            assert_eq!(patience.insist(Duration::ZERO, || Some(7)), Some(7));
            assert_eq!(patience.last_rest, rest);
        }
    }

    #[test]
    fn what_comes_meanwhile_is_received_and_the_end_too() {
        let (sender, receiver) = bounded(1);
        let mut patience = Patience { last_rest: 1, ..eager() };
        sender.send(7).unwrap();
        assert_eq!((patience.wait(&receiver), patience.last_rest), (Some(7), 0), "not awake");
        drop(sender);
        assert_eq!(patience.wait(&receiver), None);
    }

    #[test]
    fn everything_is_received_in_order_and_then_the_end() {
        let (sender, receiver) = bounded(3);
        let producer = thread::spawn(move || (0..10_000).for_each(|number| sender.send(number).unwrap()));
        let mut patience = Patience::new();
        let received: Vec<i32> = std::iter::from_fn(|| patience.recv(&receiver)).collect();
        producer.join().unwrap();
        assert_eq!(received, (0..10_000).collect::<Vec<_>>());
    }
}
