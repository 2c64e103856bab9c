//! What std::sync is to the model. Reference counts are std's: loom has no `Weak`, and they are not what is looked at.

pub use loom::sync::{Mutex, MutexGuard};
pub use std::sync::{Arc, PoisonError, Weak};

pub mod atomic {
    pub use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
}
