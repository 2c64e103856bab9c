//! Files that are missing, torn, foreign, or written too often.

use super::*;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("http-sse-checkpoint-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("id")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn event(id: &str) -> Result<Event, Error> {
    Ok(Event::new("message", "x").with_id(id))
}

#[test]
fn an_id_survives_a_restart() {
    let folder = Folder::new("restart");
    let mut checkpoint = Checkpoint::open(folder.file()).unwrap();
    assert_eq!(checkpoint.last_event_id(), "");
    checkpoint.commit("ü7").unwrap();
    drop(checkpoint);
    assert_eq!(Checkpoint::open(folder.file()).unwrap().last_event_id(), "ü7");
}

#[test]
fn every_torn_or_foreign_file_is_set_aside_and_started_over() {
    let folder = Folder::new("torn");
    let whole = text("1234");
    let torn = (0..whole.len()).map(|cut| whole.as_bytes()[..cut].to_vec());
    let zeros = [whole.replace("1234", "12\0\0").into_bytes(), b"\xff\xfe".to_vec(), b"1234".to_vec()];
    for bytes in torn.chain(zeros) {
        fs::write(folder.file(), &bytes).unwrap();
        let checkpoint = Checkpoint::open(folder.file()).unwrap();
        assert_eq!(checkpoint.last_event_id(), "", "{bytes:?}");
        assert_eq!(fs::read(checkpoint.damaged().unwrap()).unwrap(), bytes);
    }
}

#[test]
fn an_unreadable_path_is_set_aside_too() {
    let folder = Folder::new("folder");
    fs::create_dir(folder.file()).unwrap();
    let checkpoint = Checkpoint::open(folder.file()).unwrap();
    assert!(checkpoint.damaged().unwrap().is_dir());
}

#[test]
fn writes_are_throttled_by_events_and_by_time() {
    let folder = Folder::new("throttle");
    let saved = || Checkpoint::open(folder.file()).unwrap().last_event_id().to_owned();
    let mut checkpoint = Checkpoint::open(folder.file()).unwrap().every(Duration::MAX).every_events(3);
    for id in ["1", "2"] {
        checkpoint.commit(id).unwrap();
    }
    assert_eq!(saved(), "");
    checkpoint.commit("3").unwrap();
    assert_eq!(saved(), "3");
    let mut checkpoint = checkpoint.every(Duration::ZERO);
    checkpoint.commit("4").unwrap();
    assert_eq!(saved(), "4");
}

#[test]
fn an_event_is_committed_when_the_next_one_is_asked_for() {
    let folder = Folder::new("commit");
    let checkpoint = Checkpoint::open(folder.file()).unwrap();
    let mut events = Checkpointed::new([event("1"), event("2")].into_iter(), checkpoint);
    events.next();
    assert_eq!(events.checkpoint().last_event_id(), "");
    events.next();
    assert_eq!(events.checkpoint().last_event_id(), "1");
    drop(events);
    assert_eq!(Checkpoint::open(folder.file()).unwrap().last_event_id(), "1");
}

#[test]
fn a_folder_that_is_gone_is_an_error_and_not_a_panic() {
    let folder = Folder::new("gone");
    let mut checkpoint = Checkpoint::open(folder.0.join("sub").join("id")).unwrap().every_events(1);
    assert_eq!(checkpoint.commit("1").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(checkpoint.last_event_id(), "1");
}
