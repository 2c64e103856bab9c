//! The current time: of the system, or of a simulation (`tests/simulation`).

#[cfg(not(http_sse_simulation))]
pub(crate) use system::{now, random, wall_time};

#[cfg(http_sse_simulation)]
pub(crate) use crate::simulation::{now, random, wall_time};

#[cfg(not(http_sse_simulation))]
mod system {
    use std::hash::{BuildHasher, Hasher, RandomState};
    use std::time::{Instant, SystemTime};

    #[inline]
    pub(crate) fn now() -> Instant {
        Instant::now()
    }

    /// For dates set by others. No timer uses it.
    pub(crate) fn wall_time() -> SystemTime {
        SystemTime::now()
    }

    /// A random number in `0.0..1.0`: clients that were disconnected together must differ.
    pub(crate) fn random() -> f64 {
        let bits = RandomState::new().build_hasher().finish();
        (bits >> 11) as f64 / (1_u64 << 53) as f64
    }
}
