//! Programs that keep an id in a file: the checkpoint, and some that do it wrong, as controls.
//!
//! `scripts/power-cut` runs them in an emulated board, too.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use http_sse::Checkpoint;

pub(crate) const WRITERS: [&str; 7] =
    ["checkpoint", "in-place", "no-file-flush", "no-folder-flush", "no-last-flush", "early-free", "early-report"];

/// Commits the ids that follow the one in the file, and reports each before and after.
///
/// What is reported as done must survive a power cut.
pub(crate) fn write(
    writer: &str,
    path: &Path,
    count: u64,
    mut report: impl FnMut(&str) -> io::Result<()>,
) -> io::Result<()> {
    let mut checkpoint = Checkpoint::open(path)?.every_events(1);
    let first = checkpoint.last_event_id().and_then(number).unwrap_or(0) + 1;
    if first > 1 {
        // What was read is relied on, too.
        report(&format!("DONE {}", first - 1))?;
    }
    for n in first..first + count {
        report(&format!("BEGIN {n}"))?;
        match writer {
            "checkpoint" => checkpoint.commit(id(n).as_str())?,
            "early-report" => {
                report(&format!("DONE {n}"))?;
                checkpoint.commit(id(n).as_str())?;
            }
            bad => write_badly(bad, path, &id(n))?,
        }
        report(&format!("DONE {n}"))?;
    }
    // The bad ones have not told it.
    std::mem::forget(checkpoint);
    Ok(())
}

/// Each seventh id is long: it takes several sectors, as those of some servers do.
pub(crate) fn id(n: u64) -> String {
    if n % 7 == 3 { format!("{n}{}", ".".repeat(5000)) } else { n.to_string() }
}

/// Returns the number of an id that is whole.
pub(crate) fn number(text: &str) -> Option<u64> {
    let n = text.trim_end_matches('.').parse().ok()?;
    (id(n) == text).then_some(n)
}

fn write_badly(writer: &str, path: &Path, id: &str) -> io::Result<()> {
    let text = format!("http-sse checkpoint 1\n{}\n{id}\nend\n", id.len());
    let temporary = PathBuf::from(format!("{}.new", path.display()));
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = File::create(if writer == "in-place" { path } else { &temporary })?;
    file.write_all(text.as_bytes())?;
    if writer != "no-file-flush" {
        file.sync_all()?;
    }
    if writer == "in-place" {
        return Ok(());
    }
    fs::rename(&temporary, path)?;
    // With a journal this would make the new name last, too.
    if writer == "early-free" {
        file.sync_all()?;
    }
    if writer != "no-folder-flush" {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
