//! What the kernel tells of the memory of this process. Needs Linux.

use std::fs;

/// Sets the peak back to the present.
pub fn reset_peak() {
    fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// Returns what the kernel has given to this process, in KiB. `VmRSS` of recent kernels lags behind.
pub fn resident() -> u64 {
    figure("/proc/self/smaps_rollup", "Rss:")
}

/// Returns the peak since the last reset, in KiB.
pub fn peak() -> u64 {
    figure("/proc/self/status", "VmHWM:").max(resident())
}

fn figure(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_matches(|letter: char| !letter.is_ascii_digit()).parse().unwrap()
}
