//! What `src/sync.rs` is to the model. Reference counts are std's: loom has no `Weak`, and they are not what is looked at. So
//! is `OnceLock`, which the ledger sets under its lock.

pub use loom::sync::{Mutex, MutexGuard};
pub use std::sync::{Arc, OnceLock, Weak};

pub(crate) use crate::thread;

pub mod atomic {
    pub use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
}

pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}
