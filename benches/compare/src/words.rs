//! What all files speak of: the contestants by name, a failure, the clock.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::scenario::RECONNECT;

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The bare socket, against which the others are measured.
pub const FLOOR: &str = "raw";

/// Without the floor, in the order of the tables.
pub const ALL: &[&str] = &[
    "lines",
    "hand",
    #[cfg(feature = "peers")]
    "eventsource-client",
    #[cfg(feature = "peers")]
    "reqwest-eventsource",
    #[cfg(feature = "peers")]
    "sseer",
    "connect",
    "read",
];

/// Those that need an async runtime.
pub const PEERS: [&str; 3] = ["eventsource-client", "reqwest-eventsource", "sseer"];

/// Those that are this crate.
pub const OURS: [&str; 2] = ["connect", "read"];

/// Whether the contestant is measured in a scenario: who writes a reader by hand has no reconnect.
pub fn takes_part(contestant: &str, scenario: &str) -> bool {
    scenario != RECONNECT || ![FLOOR, "lines", "hand"].contains(&contestant)
}

/// One clock for two processes.
pub fn nanoseconds() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}
