//! What the kernel tells of the memory of this process. Needs Linux.
#![allow(dead_code, reason = "each program uses a part")]
#![allow(unreachable_pub, reason = "a private module of every program")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is the verdict")]

use std::fs;

/// Sets the peak back to the present.
pub fn reset_peak() {
    fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// Returns a figure of this process in KiB: `VmRSS:` or `VmHWM:`.
pub fn memory(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_matches(|letter: char| !letter.is_ascii_digit()).parse().unwrap()
}
