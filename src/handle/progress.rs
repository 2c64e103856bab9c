//! The counters of a connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::parser::LastEventId;

/// Counters as `u64` under a lock: some ARM targets have no 64-bit atomics.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) comments: u64,
    pub(crate) dropped: u64,
    pub(crate) oversized: u64,
    pub(crate) last_event_id: LastEventId,
    /// Empty without one.
    pub(crate) cursor: Arc<str>,
    pub(crate) last_byte: Option<Instant>,
    /// The value of the last `retry:`.
    pub(crate) reconnection_time: Option<Duration>,
}
