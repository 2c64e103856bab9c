//! Tests that need what this machine may lack: a package, a privilege, a processor that is not emulated.

use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::parent_id;
use std::path::PathBuf;

/// Names what must not be left out, in words: `failing-calls`, `interop`, `nchan`, `netns`, `rustdoc`, `strace`,
/// `systemd`, `terminal`.
const REQUIRED: &str = "HTTP_SSE_REQUIRED";

/// Reports that a test is left out because something cannot be had here.
///
/// # Panics
///
/// When the environment requires it.
#[track_caller]
pub fn lacking(need: &str, why: &str) {
    let required = env::var(REQUIRED).unwrap_or_default();
    assert!(!required.split_whitespace().any(|word| word == need), "{REQUIRED} names {need}, but: {why}");
    left_out(why);
}

/// Reports that a test is left out because its result would mean nothing here.
///
/// Straight to the terminal, because the captured output of a passing test is not shown. `.ci/run` repeats these lines
/// at its end.
pub fn left_out(why: &str) {
    // One write: other tests write at the same time.
    let _ = io::stderr().write_all(format!("LEFT OUT: {why}\n").as_bytes());
    let note = note().and_then(|note| File::options().create(true).append(true).open(note).ok());
    if let Some(mut note) = note {
        let _ = note.write_all(format!("{why}\n").as_bytes());
    }
}

/// Returns the file in which the programs of one run of cargo note what they left out, for the last of them.
pub fn note() -> Option<PathBuf> {
    Some(env::current_exe().ok()?.with_file_name(format!("left-out-{}", parent_id())))
}
