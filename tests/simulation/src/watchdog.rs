//! Ends a client that loops without a call into its world: neither time nor a limit of calls reaches it.

use std::process;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// Thousands of times what a seed takes, by the real clock.
const LIMIT: Duration = Duration::from_secs(30);

/// The seed that runs, and since when.
static RUNNING: Mutex<Option<(u64, Instant)>> = Mutex::new(None);

/// A seed begins.
pub fn begin(seed: u64) {
    *RUNNING.lock().unwrap() = Some((seed, Instant::now()));
}

pub fn start() {
    thread::spawn(|| {
        loop {
            thread::sleep(Duration::from_secs(1));
            let running = *RUNNING.lock().unwrap();
            if let Some((seed, since)) = running.filter(|(_, since)| since.elapsed() > LIMIT) {
                println!(
                    "seed {seed}: no end after {:?} of real time\nreplay it with: scripts/simulate seed {seed}",
                    since.elapsed()
                );
                process::exit(1);
            }
        }
    });
}
