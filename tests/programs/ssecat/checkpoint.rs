//! `--checkpoint`: where the next run begins.

use std::path::Path;

use http_sse::Checkpoint;
use http_sse::testing::Server;

use crate::ssecat::ssecat;
use support::program::{Folder, Left, Running, run};

/// Runs once against a server that sends the ids 1 to 5, after the one that is asked for; returns what was asked, too.
#[track_caller]
fn run_once(arguments: &[&str], file: &Path) -> (Left, Option<String>) {
    let server = Server::start().unwrap();
    let mut command = ssecat(arguments);
    let running = Running::start(command.arg("--checkpoint").arg(file).arg(server.url("/events")));
    let mut peer = server.accept();
    let last_id = peer.request().header("last-event-id").map(str::to_owned);
    let from = last_id.as_deref().map_or(0, |id| id.parse().unwrap());
    peer.stream();
    for id in from + 1..=5 {
        peer.send(format!("event: e{id}\nid: {id}\ndata: {id}\n\n"));
    }
    peer.wait_for_close();
    (running.finish(), last_id)
}

fn ids(left: &Left) -> Vec<&str> {
    left.stdout.lines().filter_map(|line| line.strip_prefix("id: ")).collect()
}

#[test]
fn the_next_run_begins_after_the_last_event_that_was_printed() {
    let folder = Folder::new("ssecat-restart");
    let file = folder.file("id");
    let (left, last_id) = run_once(&["--count", "2"], &file);
    assert_eq!((ids(&left), last_id, left.code), (vec!["1", "2"], None, Some(0)));
    let (left, last_id) = run_once(&["--count", "3"], &file);
    assert_eq!((ids(&left), last_id.as_deref(), left.code), (vec!["3", "4", "5"], Some("2"), Some(0)));
}

/// Runs once with a cursor; returns the requests' path and range, and what was printed.
#[track_caller]
fn run_with_cursor(cursor: &str, file: &Path, data: &str) -> (String, Option<String>, String) {
    let server = Server::start().unwrap();
    let mut command = ssecat(&["--format", "data", "--count", "1", "--cursor-inclusive", "--cursor", cursor]);
    let running = Running::start(command.arg("--checkpoint").arg(file).arg(server.url("/json?x=1")));
    let mut peer = server.accept();
    let (path, range) = (peer.request().path().to_owned(), peer.request().header("range").map(str::to_owned));
    peer.stream();
    peer.send(data);
    peer.wait_for_close();
    let left = running.finish();
    assert_eq!((left.code, left.stderr.as_str()), (Some(0), ""), "{left:?}");
    (path, range, left.stdout)
}

#[test]
fn a_cursor_is_taken_from_the_data_and_begins_the_next_run() {
    let folder = Folder::new("ssecat-cursor");
    for (name, cursor, next) in [
        ("query", "since={head.at}", ("/json?x=1&since=5", None)),
        ("header", "Range: entries={head.at}", ("/json?x=1", Some("entries=5"))),
    ] {
        let file = folder.file(name);
        let first = "data: {\"head\":{\"at\":5}}\n\n";
        let (path, range, printed) = run_with_cursor(cursor, &file, first);
        assert_eq!((&path[..], range, &printed[..]), ("/json?x=1", None, "{\"head\":{\"at\":5}}\n"));
        let second = format!("{first}data: {{\"head\":{{\"at\":\"six\"}}}}\n\n");
        let (path, range, printed) = run_with_cursor(cursor, &file, &second);
        assert_eq!((&path[..], range.as_deref()), next);
        assert_eq!(printed, "{\"head\":{\"at\":\"six\"}}\n", "{name}");
        assert_eq!(Checkpoint::open(&file).unwrap().last_event_id(), Some("six"));
    }
}

#[test]
fn the_checkpoint_wins_over_last_id_once_it_holds_an_id() {
    let folder = Folder::new("ssecat-wins");
    let file = folder.file("id");
    let (left, last_id) = run_once(&["--last-id", "3", "--count", "1"], &file);
    assert_eq!((ids(&left), last_id.as_deref()), (vec!["4"], Some("3")));
    let (left, last_id) = run_once(&["--last-id", "1", "--count", "1"], &file);
    assert_eq!((ids(&left), last_id.as_deref()), (vec!["5"], Some("4")));
}

#[test]
fn an_event_that_was_left_out_counts_as_printed() {
    let folder = Folder::new("ssecat-left-out");
    let file = folder.file("id");
    let (left, _) = run_once(&["--only", "e3", "--count", "1"], &file);
    assert_eq!(ids(&left), ["3"]);
    assert_eq!(Checkpoint::open(&file).unwrap().last_event_id(), Some("3"));
}

#[test]
fn an_event_that_could_not_be_printed_comes_again() {
    let folder = Folder::new("ssecat-again");
    let file = folder.file("id");
    let server = Server::start().unwrap();
    let mut command = ssecat(&[]);
    let mut running = Running::start_unread(command.arg("--checkpoint").arg(&file).arg(server.url("/events")));
    let mut peer = server.accept();
    peer.stream();
    drop(running.take_output());
    peer.send("id: 1\ndata: 1\n\n");
    peer.wait_for_close();
    assert_eq!(running.finish().code, Some(0));
    assert!(!file.exists());
}

#[test]
fn a_damaged_file_is_reported_kept_aside_and_started_over() {
    let folder = Folder::new("ssecat-damaged");
    let file = folder.file("id");
    std::fs::write(&file, "http-sse checkpoint 1\n4\n12").unwrap();
    let left = run(ssecat(&["--retry", "never"]).arg("--checkpoint").arg(&file).arg("http://127.0.0.1:1/"));
    let line = left.stderr.lines().next().unwrap();
    assert!(line.starts_with("ssecat: warning: the checkpoint ") && line.contains("; moved to "), "{left:?}");
    assert_eq!(std::fs::read_to_string(folder.file("id.damaged-1")).unwrap(), "http-sse checkpoint 1\n4\n12");
}

#[test]
fn a_quiet_stream_leaves_nothing_unsaved() {
    let folder = Folder::new("ssecat-quiet");
    let file = folder.file("id");
    let server = Server::start().unwrap();
    let mut command = ssecat(&[]);
    let running = Running::start(command.arg("--checkpoint").arg(&file).arg(server.url("/events")));
    let mut peer = server.accept();
    peer.stream();
    peer.send("id: 1\ndata: 1\n\nid: 2\ndata: 2\n\n");
    // Written a few seconds later; the first one at once.
    support::wait_until(|| std::fs::read_to_string(&file).is_ok_and(|text| text.contains("\n2\n")));
    running.signal("KILL");
    peer.wait_for_close();
    assert_eq!(running.finish().code, None);
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_a_warning() {
    let folder = Folder::new("ssecat-unwritable");
    let file = folder.file("id");
    let server = Server::start().unwrap();
    let mut command = ssecat(&["--count", "2"]);
    let running = Running::start(command.arg("--checkpoint").arg(&file).arg(server.url("/events")));
    let mut peer = server.accept();
    // It is open by now. Nothing can be renamed to a folder that is not empty.
    std::fs::create_dir_all(file.join("full")).unwrap();
    peer.stream();
    peer.send("id: 1\ndata: 1\n\nid: 2\ndata: 2\n\n");
    peer.wait_for_close();
    let left = running.finish();
    assert_eq!((ids(&left), left.code), (vec!["1", "2"], Some(0)));
    let text = format!("ssecat: warning: the checkpoint {} cannot be written: ", file.display());
    assert!(left.stderr.starts_with(&text), "{left:?}");
}

#[test]
fn a_folder_in_place_of_the_file_is_refused_and_stays() {
    let folder = Folder::new("ssecat-folder");
    let file = folder.file("id");
    std::fs::create_dir(&file).unwrap();
    let left = run(ssecat(&[]).arg("--checkpoint").arg(&file).arg("http://127.0.0.1:1/"));
    assert_eq!(left.code, Some(2));
    let text =
        format!("ssecat: --checkpoint {file:?}: the checkpoint {} cannot be read: is a directory", file.display());
    assert!(left.stderr.starts_with(&text), "{left:?}");
    assert!(file.is_dir());
}
