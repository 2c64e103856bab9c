//! What std::sync is to the model. Reference counts are std's: loom has no `Weak`, and they are not what is looked at. So is `OnceLock`, which the ledger
//! sets under its lock.

pub use loom::sync::{Mutex, MutexGuard};
pub use std::sync::{Arc, OnceLock, PoisonError, Weak};

pub mod atomic {
    pub use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
}
