//! What the tests and the benches share, beside `http_sse::testing`.

pub mod black_hole;
pub mod exchange;
pub mod faults;
pub mod fuzz;
pub mod left_out;
pub mod logs;
pub mod open_stream;
pub mod phase;
pub mod process;
pub mod program;
pub mod tls;
pub mod told;
pub mod transcript;

use std::env;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Returns how long a test waits for anything before it fails.
pub const fn deadline() -> Duration {
    Duration::from_secs(10)
}

/// Returns the folder of the whole project.
pub fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap()
}

/// Tells whether an emulator runs the tests: it is slow, and most of the memory of the process is its own.
pub fn is_emulated() -> bool {
    env::var_os("HTTP_SSE_RUNNER").is_some()
}

/// Waits until the connection waits for its next attempt, and returns how long that still takes.
#[track_caller]
pub fn waiting_for(handle: &http_sse::Handle) -> Duration {
    wait_until(|| handle.state() == http_sse::State::Waiting);
    handle.stats().retry_in.unwrap()
}

/// Waits until `condition` holds, and fails at the caller's line after 10 s.
///
/// It polls: only for what offers neither a state to wait on, nor a channel, nor a join.
#[track_caller]
pub fn wait_until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < deadline(), "the condition does not hold after {:?}", deadline());
        thread::sleep(Duration::from_millis(1));
    }
}
