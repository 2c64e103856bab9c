//! What a client process measures of itself, and how it tells.

use std::fs;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Begins the line with the figures.
const MARK: &str = "figures: ";

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Figures {
    pub elapsed_ms: u64,
    pub attempts: u64,
    pub events: u64,
    pub lost: u64,
    pub doubled: u64,
    pub bytes: u64,
    /// The highest resident memory, less that before the connection.
    pub peak_kib: u64,
    pub cpu_us: u64,
    /// From `stop()` to the end of the channel and of the thread, median.
    pub channel_us: u64,
    pub thread_us: u64,
    /// From the word to a thread that does nothing of ours to its end, median: how fast this machine is just then.
    pub control_us: u64,
    /// Whether the connection ended by itself.
    pub has_ended: bool,
    /// The variant of the last failure.
    pub failure: String,
}

impl Figures {
    pub const HEADING: &str = "\
| fault | attempts in 10 s | MiB read | events | lost | doubled | the client sees | peak RSS over that before, KiB | CPU, ms \
| stop: channel, µs | stop: thread, µs |
|---|---|---|---|---|---|---|---|---|---|---|";

    pub fn line(&self) -> String {
        format!("{MARK}{}", serde_json::to_string(self).unwrap())
    }

    /// Finds the line in the output of a process.
    pub fn find(output: &str) -> Option<Self> {
        let (_, rest) = output.split_once(MARK)?;
        serde_json::from_str(rest.lines().next()?).ok()
    }

    pub fn row(&self, name: &str) -> String {
        let mib = self.bytes >> 20;
        let cpu_ms = self.cpu_us as f64 / 1000.0;
        let Self { attempts, events, lost, doubled, peak_kib, channel_us, thread_us, failure, .. } = self;
        format!(
            "| {name} | {attempts} | {mib} | {events} | {lost} | {doubled} | {failure} | {peak_kib} | {cpu_ms:.1} | {channel_us} | {thread_us} |"
        )
    }
}

pub fn median(mut times: Vec<Duration>) -> u64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0, |time| time.as_micros() as u64)
}

/// Returns the CPU time of this process in µs.
///
/// The kernel tells it in steps of 10 ms, ended threads included, and exactly for each living one.
pub fn cpu_us() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    // The name, in parentheses, may hold blanks; of what follows it, user and system time are the 12th and 13th.
    let fields = stat.rsplit(')').next().unwrap().split_whitespace();
    let coarse: u64 = fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap() * 10_000).sum();
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let schedules = tasks.filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok());
    let exact: u64 = schedules.filter_map(|times| times.split(' ').next()?.parse::<u64>().ok()).sum();
    coarse.max(exact / 1000)
}
