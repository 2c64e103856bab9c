//! What is read, when it is written, and when an event counts as handled.

use std::fs;
use std::io::ErrorKind;

use super::*;
use crate::error::Error;
use crate::event::Event;

/// A folder of the test's own, which goes when it is dropped.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("http-sse-checkpoint-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn file(&self) -> PathBuf {
        self.0.join("id")
    }

    /// The names in it, sorted.
    pub(super) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

pub(super) fn saved(folder: &Folder) -> String {
    Checkpoint::open(folder.file()).unwrap().last_event_id().unwrap_or_default().to_owned()
}

fn event(id: &str) -> Result<Event, Error> {
    Ok(Event::new("message", "x").with_id(id))
}

#[test]
fn an_id_survives_a_restart() {
    let folder = Folder::new("restart");
    let mut checkpoint = Checkpoint::open(folder.file()).unwrap();
    assert_eq!(checkpoint.last_event_id(), None);
    checkpoint.commit("ü7").unwrap();
    drop(checkpoint);
    assert_eq!(saved(&folder), "ü7");
}

#[test]
fn the_first_new_id_is_written_at_once() {
    let folder = Folder::new("first");
    let mut checkpoint = Checkpoint::open(folder.file()).unwrap().every(Duration::MAX);
    checkpoint.commit("1").unwrap();
    assert_eq!(saved(&folder), "1");
    drop(checkpoint);
    let mut checkpoint = Checkpoint::open(folder.file()).unwrap().every(Duration::MAX);
    // The event that came again is no news.
    for id in ["1", "2", "3"] {
        checkpoint.commit(id).unwrap();
    }
    assert_eq!(saved(&folder), "2");
}

#[test]
fn later_ids_are_written_by_a_wait_that_grows_up_to_the_interval() {
    let folder = Folder::new("wait");
    let mut checkpoint = Checkpoint::open(folder.file()).unwrap().every(Duration::from_secs(10));
    let start = checkpoint.opened_at;
    let mut written = vec![];
    // An event every 100 ms, for a minute.
    for tenth in 0..600 {
        let now = start + Duration::from_millis(100) * tenth;
        checkpoint.commit_at(&tenth.to_string(), now).unwrap();
        if checkpoint.due_in_at(now).is_none() {
            written.push(tenth);
        }
    }
    assert_eq!(written, [0, 10, 20, 40, 80, 160, 260, 360, 460, 560]);
}

#[test]
fn a_number_of_events_can_come_first() {
    let folder = Folder::new("events");
    let mut checkpoint = Checkpoint::open(folder.file()).unwrap().every(Duration::MAX).every_events(3);
    let now = checkpoint.opened_at;
    let mut written = vec![];
    for id in ["1", "2", "3", "4", "4", "4", "4", "5", "6", "7", "8"] {
        checkpoint.commit_at(id, now).unwrap();
        written.push(saved(&folder));
    }
    assert_eq!(written, ["1", "1", "1", "4", "4", "4", "4", "4", "4", "7", "7"]);
}

#[test]
fn what_is_not_written_yet_says_when_it_should_be() {
    let folder = Folder::new("due");
    let mut checkpoint = Checkpoint::open(folder.file()).unwrap();
    let start = checkpoint.opened_at;
    let after = |seconds| start + Duration::from_secs(seconds);
    assert_eq!(checkpoint.due_in_at(after(100)), None);
    checkpoint.commit_at("1", after(100)).unwrap();
    assert_eq!(checkpoint.due_in_at(after(200)), None);
    checkpoint.commit_at("2", after(110)).unwrap();
    assert_eq!(checkpoint.due_in_at(after(110)), Some(Duration::from_secs(50)));
    assert_eq!(checkpoint.due_in_at(after(200)), Some(Duration::ZERO));
    checkpoint.save().unwrap();
    assert_eq!(checkpoint.due_in(), None);
}

#[test]
fn a_failed_write_is_tried_again_when_the_next_is_due() {
    let folder = Folder::new("gone");
    let inner = folder.0.join("sub");
    fs::create_dir(&inner).unwrap();
    let mut checkpoint = Checkpoint::open(inner.join("id")).unwrap();
    let start = checkpoint.opened_at;
    fs::remove_dir(&inner).unwrap();
    let error = checkpoint.commit_at("1", start).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let text = format!("the checkpoint {} cannot be written: ", inner.join("id").display());
    assert!(error.to_string().starts_with(&text), "{error}");
    assert_eq!(checkpoint.last_event_id(), Some("1"));
    // Throttled, not asked again for every event.
    checkpoint.commit_at("2", start).unwrap();
    fs::create_dir(&inner).unwrap();
    checkpoint.commit_at("3", start + Duration::from_secs(1)).unwrap();
    assert_eq!(Checkpoint::open(inner.join("id")).unwrap().last_event_id(), Some("3"));
}

#[test]
fn what_could_not_be_read_back_is_refused() {
    let folder = Folder::new("refused");
    let mut checkpoint = Checkpoint::open(folder.file()).unwrap().every_events(1);
    checkpoint.commit("1").unwrap();
    for id in ["a\nb", "a\rb", "a\0b", &"x".repeat(1024 * 1024 + 1)] {
        assert_eq!(checkpoint.commit(id).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!((checkpoint.last_event_id(), saved(&folder)), (Some("1"), "1".to_owned()));
    }
    // Everything else comes back: a cursor may be JSON.
    let large = "x".repeat(1024 * 1024);
    for id in [r#"[{"topic":"ü","offset":-1}]"#, " end ", "1\t2\u{2028}3", &large] {
        checkpoint.commit(id).unwrap();
        assert!(saved(&folder) == id);
    }
}

#[test]
fn an_event_is_committed_when_the_next_one_is_asked_for() {
    let folder = Folder::new("commit");
    let checkpoint = Checkpoint::open(folder.file()).unwrap();
    let mut events = Checkpointed::new([event("1"), event("2")].into_iter(), checkpoint);
    events.next();
    assert_eq!(events.checkpoint().last_event_id(), None);
    events.next();
    assert_eq!(events.checkpoint().last_event_id(), Some("1"));
    drop(events);
    assert_eq!(saved(&folder), "1");
}
