//! Locks, atomics and threads, and what goes with them. They are std's; `tests/model` has a file of this name with loom's.
//!
//! The files that the model takes as they are have them from here alone.

use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub(crate) use std::sync::{Arc, Mutex, OnceLock, Weak, atomic};
pub(crate) use std::thread;

/// Nothing panics while one of this crate's locks is held, so a poisoned one is still sound.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds without overflow; a duration beyond the clock's range is without limit.
pub(crate) fn deadline(now: Instant, timeout: Duration) -> Option<Instant> {
    now.checked_add(timeout)
}
