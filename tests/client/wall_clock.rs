//! The wall clock, which a time synchronisation sets: no timer of the library reads it.

use std::fs;
use std::path::{Path, PathBuf};

/// The system's clock cannot be set in a test: only what reads dates of HTTP, and of files, may name it.
#[test]
fn the_wall_clock_is_read_for_dates_of_http_and_of_files_alone() {
    let source = support::root().join("src");
    let names = ["SystemTime", "UNIX_EPOCH", "UnixTime::now", "wall_time"];
    let reading: Vec<_> = rust_files(&source)
        .into_iter()
        .filter(|file| !file.ends_with("tests.rs"))
        .filter(|file| {
            let text = fs::read_to_string(file).unwrap();
            names.iter().any(|name| text.contains(name))
        })
        .map(|file| file.strip_prefix(&source).unwrap().to_owned())
        // Not part of the library.
        .filter(|file| !file.starts_with("simulation") && file != Path::new("simulation.rs"))
        .collect();
    // `clock.rs` gives it out; `failure.rs` compares it with the day of the release, for `ClockNotSet`; `store.rs` has the
    // age of a file that a writer left behind.
    let allowed = ["clock.rs", "http.rs", "http/headers.rs", "http/failure.rs", "checkpoint/store.rs"].map(Path::new);
    assert!(reading.iter().all(|file| allowed.contains(&file.as_path())), "{reading:?}");
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}
