//! Every state that a power cut may leave of a checkpoint, from the system calls that it makes; with bad writers as
//! controls. Needs strace: without it, or under an emulator, it is left out and says so; with `strace` in
//! `HTTP_SSE_REQUIRED` it fails then.

mod disk;
mod trace;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use http_sse::Checkpoint;

use disk::{Disk, Kind, State};
use support::left_out::{lacking, left_out};
use support::program::Folder;
use trace::Step;

const COMMITS: u64 = 5;

#[test]
#[ignore = "a part: the other tests trace it"]
fn write_some() {
    let variable = |name: &str| env::var(name).unwrap();
    let count = variable("WRITER_COUNT").parse().unwrap();
    let report = |line: &str| {
        let mut output = io::stdout().lock();
        output.write_all(format!("{line}\n").as_bytes())?;
        output.flush()
    };
    if let Err(error) = writer::write(&variable("WRITER"), Path::new(&variable("WRITER_FILE")), count, report) {
        println!("ERROR {:?} {error}", error.kind());
    }
}

#[test]
fn a_power_cut_leaves_the_old_id_or_the_new_one() {
    let Some(steps) = steps_of("checkpoint") else { return };
    for kind in [Kind::Inodes, Kind::Entries] {
        let verdicts = judge("checkpoint", &steps, kind);
        println!("checkpoint, {kind:?}: {} steps, {verdicts:?}", steps.len());
        assert_eq!(verdicts.keys().copied().collect::<Vec<_>>(), ["right"], "{verdicts:?}");
        assert!(verdicts["right"] > 15);
    }
}

#[test]
fn what_a_killed_program_has_written_lasts_once_it_is_read() {
    let folder = Folder::new("states-killed");
    let inner = folder.file("in");
    fs::create_dir(&inner).unwrap();
    let file = inner.join("id");
    let mut steps = Vec::new();
    // Killed as it is about to flush the file under its new name.
    for (when, is_killed) in [("2", true), ("100", false)] {
        let trace = folder.file("trace");
        let kill = format!("inject=fsync:signal=KILL:when={when}");
        let output = ["-y", "-s", "100000", "-e", "trace=%file,%desc", "-o", trace.to_str().unwrap(), "-e", &kill];
        let Some(output) = traced("checkpoint", &file, &output) else { return };
        assert_eq!(output.status.success(), !is_killed, "{output:?}");
        let made = trace::parse(&fs::read_to_string(&trace).unwrap(), &inner);
        // The end of a program closes its files.
        let opened = made.iter().filter_map(|step| match step {
            Step::Open { descriptor, .. } => Some(Step::Close(*descriptor)),
            _ => None,
        });
        let closed: Vec<_> = opened.collect();
        steps.extend(made.into_iter().chain(closed));
    }
    for kind in [Kind::Inodes, Kind::Entries] {
        let verdicts = judge("killed", &steps, kind);
        println!("killed, {kind:?}: {} steps, {verdicts:?}", steps.len());
        assert_eq!(verdicts.keys().copied().collect::<Vec<_>>(), ["right"], "{verdicts:?}");
    }
}

#[test]
fn every_bad_writer_is_caught() {
    let controls = [
        ("in-place", Kind::Inodes, "damaged"),
        ("no-file-flush", Kind::Inodes, "damaged"),
        ("no-folder-flush", Kind::Inodes, "older than reported"),
        ("no-last-flush", Kind::Entries, "damaged"),
        ("early-free", Kind::Entries, "damaged"),
        ("early-report", Kind::Inodes, "older than reported"),
    ];
    assert_eq!(controls.len() + 1, writer::WRITERS.len());
    for (name, kind, expected) in controls {
        let Some(steps) = steps_of(name) else { return };
        let verdicts = judge(name, &steps, kind);
        println!("{name}, {kind:?}: {} steps, {verdicts:?}", steps.len());
        assert!(verdicts.contains_key(expected), "{name}: {verdicts:?}");
    }
}

#[test]
fn what_fat_needs_is_not_needed_where_names_lead_to_data() {
    for name in ["no-last-flush", "early-free"] {
        let Some(steps) = steps_of(name) else { return };
        assert_eq!(judge(name, &steps, Kind::Inodes).into_keys().collect::<Vec<_>>(), ["right"]);
    }
}

#[test]
fn a_file_that_cannot_be_read_for_now_is_an_error_and_stays() {
    let folder = Folder::new("states-unreadable");
    let file = folder.file("id");
    for (call, errno) in
        [("openat", "EMFILE"), ("openat", "EACCES"), ("openat", "EIO"), ("read", "EIO"), ("statx", "EIO")]
    {
        Checkpoint::open(&file).unwrap().commit("7").unwrap();
        let inject = format!("inject={call}:error={errno}");
        let Some(output) = traced("checkpoint", &file, &["-P", file.to_str().unwrap(), "-e", &inject]) else { return };
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find_map(|line| line.find("ERROR ").map(|at| &line[at..]));
        let line = line.unwrap_or_else(|| panic!("{call} {errno}: {text}"));
        assert!(line.contains("cannot be read: ") && line.contains("(os error "), "{line}");
        assert_eq!(Checkpoint::open(&file).unwrap().last_event_id(), Some("7"));
        assert_eq!(names(&folder), ["id"]);
    }
}

#[test]
fn only_a_folder_that_cannot_be_flushed_at_all_is_excused() {
    let folder = Folder::new("states-folder-flush");
    let file = folder.file("id");
    for (errno, is_error) in [("EINVAL", false), ("EOPNOTSUPP", false), ("EIO", true)] {
        let inject = format!("inject=fsync:error={errno}");
        let path = folder.file("");
        let path = path.to_str().unwrap().trim_end_matches('/');
        let Some(output) = traced("checkpoint", &file, &["-P", path, "-e", &inject]) else { return };
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.contains("ERROR "), is_error, "{errno}: {text}");
        assert_eq!(names(&folder), ["id"]);
    }
}

/// Runs a writer under strace, in a new folder, and returns what it did to the disk.
fn steps_of(writer: &str) -> Option<Vec<Step>> {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let folder = Folder::new(&format!("states-{writer}-{}", RUNS.fetch_add(1, Ordering::SeqCst)));
    let file = folder.file("id");
    let trace = folder.file("trace");
    let inner = folder.file("in");
    fs::create_dir(&inner).unwrap();
    let file_in = inner.join(file.file_name().unwrap());
    let output = ["-y", "-s", "100000", "-e", "trace=%file,%desc", "-o", trace.to_str().unwrap()];
    let output = traced(writer, &file_in, &output)?;
    assert!(output.status.success(), "{output:?}");
    let steps = trace::parse(&fs::read_to_string(&trace).unwrap(), &inner);
    let done = steps.iter().filter(|step| matches!(step, Step::Done(_))).count() as u64;
    assert!(done >= COMMITS, "{steps:?}");
    Some(steps)
}

/// Runs a writer under strace; `None` where that cannot be.
fn traced(writer: &str, file: &Path, options: &[&str]) -> Option<Output> {
    if support::is_emulated() {
        left_out("the crash states of the checkpoint: an emulator cannot be traced");
        return None;
    }
    let can_trace = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    if !can_trace.is_ok_and(|status| status.success()) {
        lacking("strace", "the crash states of the checkpoint: strace is missing, or may not trace here");
        return None;
    }
    let part = support::program::part(module_path!(), "write_some");
    let output = Command::new("strace")
        .arg("-f")
        .args(options)
        .arg(part.get_program())
        .args(part.get_args())
        .arg("--test-threads=1")
        .env("WRITER", writer)
        .env("WRITER_FILE", file)
        .env("WRITER_COUNT", COMMITS.to_string())
        .output()
        .unwrap();
    Some(output)
}

/// Counts what a program finds after a cut at every moment.
fn judge(name: &str, steps: &[Step], kind: Kind) -> BTreeMap<&'static str, usize> {
    let folder = Folder::new(&format!("states-judge-{name}-{kind:?}"));
    let mut disk = Disk::new(kind);
    let (mut begun, mut done) = (0, 0);
    let mut seen = BTreeSet::new();
    let mut verdicts = BTreeMap::new();
    for step in steps {
        disk.apply(step);
        match step {
            Step::Begin(number) => begun = *number,
            Step::Done(number) => done = *number,
            _ => {}
        }
        for state in disk.states() {
            if seen.insert((state.clone(), begun, done)) {
                *verdicts.entry(verdict(&folder, &state, begun, done)).or_default() += 1;
            }
        }
    }
    verdicts
}

/// Opens a checkpoint in the folder as the cut has left it.
fn verdict(folder: &Folder, state: &State, begun: u64, done: u64) -> &'static str {
    for name in names(folder) {
        fs::remove_file(folder.file(&name)).unwrap();
    }
    for (name, content) in state {
        fs::write(folder.file(name), content).unwrap();
    }
    let checkpoint = match Checkpoint::open(folder.file("id")) {
        Ok(checkpoint) => checkpoint,
        Err(error) => panic!("{:?} {error}", error.kind()),
    };
    let number = checkpoint.last_event_id().map_or(Some(0), writer::number);
    match number {
        None => "garbage",
        Some(number) if number < done && checkpoint.damaged().is_some() => "damaged",
        Some(number) if number < done => "older than reported",
        Some(number) if number > begun => "newer than begun",
        Some(_) => "right",
    }
}

fn names(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(folder.file("")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
