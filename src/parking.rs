//! How a thread waits for another one of this crate, without a channel.

use crate::sync::atomic::{AtomicBool, Ordering, fence};
use crate::sync::thread::{self, Thread};
use crate::sync::{Mutex, lock};

/// Where one thread at a time waits, and any other wakes it.
#[derive(Debug, Default)]
pub(crate) struct Parking {
    is_parked: AtomicBool,
    /// The parked thread: the loop over events may move between threads.
    thread: Mutex<Option<Thread>>,
}

impl Parking {
    /// Blocks until an attempt succeeds: tries first, and again each time it is woken.
    pub(crate) fn park_until<T>(&self, mut attempt: impl FnMut() -> Option<T>) -> T {
        *lock(&self.thread) = Some(thread::current());
        loop {
            // An exchange, as in `unpark`: the changes of the flag have one order.
            self.is_parked.swap(true, Ordering::AcqRel);
            // Pairs with the one in `unpark`: either the attempt sees what was changed, or the flag is seen there.
            fence(Ordering::SeqCst);
            if let Some(outcome) = attempt() {
                self.is_parked.swap(false, Ordering::AcqRel);
                return outcome;
            }
            // It may be woken for another reason: a leftover token, or spuriously.
            while self.is_parked.load(Ordering::Acquire) {
                thread::park();
            }
        }
    }

    /// Wakes the parked thread, if any. Call it after the change that it waits for.
    pub(crate) fn unpark(&self) {
        fence(Ordering::SeqCst);
        if !self.is_parked.load(Ordering::Relaxed) || !self.is_parked.swap(false, Ordering::AcqRel) {
            return;
        }
        // Cloned, so that the thread that wakes does not wait for the lock.
        let thread = lock(&self.thread).clone();
        if let Some(thread) = thread {
            thread.unpark();
        }
    }

    /// Whether a thread is parked, or about to be.
    #[cfg(test)]
    pub(crate) fn is_occupied(&self) -> bool {
        self.is_parked.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;

    #[test]
    fn two_threads_wake_each_other_in_turn() {
        const TURNS: u32 = 10_000;
        let shared = Arc::new((AtomicU32::new(0), [Parking::default(), Parking::default()]));
        let play = |own: usize, shared: &(AtomicU32, [Parking; 2])| {
            let (turn, parking) = shared;
            for number in (own as u32..TURNS).step_by(2) {
                parking[own].park_until(|| (turn.load(Ordering::Relaxed) == number).then_some(()));
                turn.store(number + 1, Ordering::Relaxed);
                parking[1 - own].unpark();
            }
        };
        let other = Arc::clone(&shared);
        let second = thread::spawn(move || play(1, &other));
        play(0, &shared);
        second.join().unwrap();
        assert_eq!(shared.0.load(Ordering::Relaxed), TURNS);
    }

    #[test]
    fn a_leftover_unpark_token_wakes_no_other_wait() {
        let (parking, mut attempts) = (Parking::default(), 0);
        thread::current().unpark();
        thread::scope(|scope| {
            let gate = Arc::new(AtomicBool::new(false));
            let (other, own) = (Arc::clone(&gate), &parking);
            scope.spawn(move || {
                while !own.is_parked.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
                other.store(true, Ordering::Relaxed);
                own.unpark();
            });
            parking.park_until(|| {
                attempts += 1;
                gate.load(Ordering::Relaxed).then_some(())
            });
        });
        assert!(attempts <= 2, "tried {attempts} times");
    }

    #[test]
    fn the_thread_that_parks_may_be_another_each_time() {
        let (parking, turn) = (Parking::default(), AtomicU32::new(0));
        for number in 1..=100 {
            thread::scope(|scope| {
                scope.spawn(|| parking.park_until(|| (turn.load(Ordering::Relaxed) == number).then_some(())));
                turn.store(number, Ordering::Relaxed);
                parking.unpark();
            });
        }
    }
}
