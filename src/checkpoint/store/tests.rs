//! Files that are missing, torn, foreign, linked, shared, or no files.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::SystemTime;

use super::*;
use crate::checkpoint::Checkpoint;
use crate::checkpoint::tests::{Folder, saved};

#[test]
fn every_torn_or_foreign_file_is_set_aside_and_started_over() {
    let folder = Folder::new("torn");
    let whole = text("1234");
    let torn = (0..whole.len()).map(|cut| whole.as_bytes()[..cut].to_vec());
    let foreign = [
        whole.replace("1234", "12\0\0").into_bytes(),
        whole.replace("1234", "12345").into_bytes(),
        b"\xff\xfe".to_vec(),
        b"1234".to_vec(),
        vec![b'x'; MAX_ID + 1000],
    ];
    for (bytes, number) in torn.chain(foreign).zip(1..) {
        fs::write(folder.file(), &bytes).unwrap();
        let checkpoint = Checkpoint::open(folder.file()).unwrap();
        assert_eq!(checkpoint.last_event_id(), None, "{bytes:?}");
        let aside = checkpoint.damaged().unwrap();
        // None overwrites another.
        assert!(aside.ends_with(format!("id.damaged-{number}")), "{aside:?}");
        assert!(fs::read(aside).unwrap() == bytes);
        assert!(!folder.file().exists());
    }
}

#[test]
fn a_folder_is_an_error_and_stays() {
    let folder = Folder::new("folder");
    fs::create_dir(folder.file()).unwrap();
    let error = Checkpoint::open(folder.file()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IsADirectory);
    assert_eq!(error.to_string(), format!("the checkpoint {} cannot be read: is a directory", folder.file().display()));
    assert_eq!(folder.names(), ["id"]);
    for path in ["/", ".."] {
        assert_eq!(Checkpoint::open(path).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}

#[cfg(unix)]
#[test]
fn a_fifo_or_device_is_an_error_and_stays() {
    let folder = Folder::new("fifo");
    let made = std::process::Command::new("mkfifo").arg(folder.file()).status().unwrap();
    assert!(made.success());
    let error = Checkpoint::open(folder.file()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().ends_with("cannot be read: not a regular file"), "{error}");
    assert_eq!(folder.names(), ["id"]);

    let link = folder.0.join("device");
    std::os::unix::fs::symlink("/dev/null", &link).unwrap();
    assert_eq!(Checkpoint::open(link).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_folder_that_is_missing_or_cannot_be_written_is_an_error_at_once() {
    let folder = Folder::new("missing");
    let error = Checkpoint::open(folder.0.join("sub").join("id")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("/sub/id cannot be created or replaced: "), "{error}");
    // Root, too, cannot write there.
    if Path::new("/proc/self").exists() {
        assert!(Checkpoint::open("/proc/id").is_err());
    }
    fs::write(folder.file(), text("1")).unwrap();
    assert_eq!(Checkpoint::open(folder.file().join("id")).unwrap_err().kind(), ErrorKind::NotADirectory);
    assert_eq!(saved(&folder), "1");
}

#[cfg(unix)]
#[test]
fn a_link_stays_and_its_target_is_written() {
    let folder = Folder::new("link");
    let inner = folder.0.join("sub");
    fs::create_dir(&inner).unwrap();
    std::os::unix::fs::symlink("middle", folder.file()).unwrap();
    std::os::unix::fs::symlink("sub/id", folder.0.join("middle")).unwrap();
    for id in ["1", "2"] {
        Checkpoint::open(folder.file()).unwrap().commit(id).unwrap();
        assert_eq!(saved(&folder), id);
    }
    assert!(folder.file().is_symlink() && folder.0.join("middle").is_symlink());
    assert!(inner.join("id").is_file());

    let circle = folder.0.join("circle");
    std::os::unix::fs::symlink("circle", &circle).unwrap();
    assert!(Checkpoint::open(&circle).is_err());
    assert!(circle.is_symlink());
}

#[cfg(unix)]
#[test]
fn mode_and_owner_of_the_file_are_kept() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

    let folder = Folder::new("mode");
    let mut checkpoint = Checkpoint::open(folder.file()).unwrap().every_events(1);
    checkpoint.commit("0").unwrap();
    // Only root may give files away.
    let is_root = chown(folder.file(), Some(1), Some(1)).is_ok();
    for (mode, id) in [(0o600, "1"), (0o640, "2"), (0o444, "3"), (0o666, "4")] {
        fs::set_permissions(folder.file(), fs::Permissions::from_mode(mode)).unwrap();
        checkpoint.commit(id).unwrap();
        let metadata = fs::metadata(folder.file()).unwrap();
        assert_eq!(metadata.mode() & 0o7777, mode);
        assert!(!is_root || (metadata.uid(), metadata.gid()) == (1, 1));
    }
    assert_eq!(saved(&folder), "4");
}

#[cfg(unix)]
#[test]
fn a_planted_link_is_not_written_through() {
    let folder = Folder::new("planted");
    let victim = folder.0.join("victim");
    fs::write(&victim, "precious").unwrap();
    for name in ["id.tmp", "id.0123456789abcdef.tmp", "id.damaged-1"] {
        std::os::unix::fs::symlink(&victim, folder.0.join(name)).unwrap();
    }
    fs::write(folder.file(), "torn").unwrap();
    Checkpoint::open(folder.file()).unwrap().commit("1").unwrap();
    assert_eq!(saved(&folder), "1");
    assert_eq!(fs::read_to_string(victim).unwrap(), "precious");
    assert!(folder.0.join("id.damaged-2").is_file());
}

#[test]
fn leftovers_of_interrupted_writes_go_and_nothing_else() {
    let folder = Folder::new("leftovers");
    fs::create_dir(folder.0.join("id.00000000000000ff.tmp")).unwrap();
    let mut others =
        vec!["id.tmp", "id.12.tmp", "id.0123456789abcdeg.tmp", "di.0123456789abcdef.tmp", "id.0123456789abcdef"];
    for name in others.iter().chain(&["id.0123456789abcdef.tmp"]) {
        let file = File::create(folder.0.join(name)).unwrap();
        file.set_modified(SystemTime::now() - LEFTOVER_AGE).unwrap();
    }
    // Another program may be writing it right now.
    others.push("id.aaaaaaaaaaaaaaaa.tmp");
    fs::write(folder.0.join("id.aaaaaaaaaaaaaaaa.tmp"), "x").unwrap();
    drop(Checkpoint::open(folder.file()).unwrap());
    others.push("id.00000000000000ff.tmp");
    others.sort_unstable();
    assert_eq!(folder.names(), others);
}

#[test]
fn an_emptied_file_is_rescued_from_the_newest_whole_temporary_one() {
    let folder = Folder::new("rescued");
    let temporaries = [("1", "7", 30), ("2", "8", 20), ("3", "9", 10)];
    for (digit, id, age) in temporaries {
        let mut file = File::create(folder.0.join(format!("id.{}.tmp", digit.repeat(16)))).unwrap();
        // The newest is torn.
        let text = text(id);
        file.write_all(&text.as_bytes()[..text.len() - usize::from(id == "9")]).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
    }
    // Who deletes the file wants to start over.
    assert_eq!(saved(&folder), "");
    fs::write(folder.file(), "").unwrap();
    let checkpoint = Checkpoint::open(folder.file()).unwrap();
    assert_eq!(checkpoint.last_event_id(), Some("8"));
    assert_eq!(fs::read(checkpoint.damaged().unwrap()).unwrap(), b"");
    std::mem::forget(checkpoint);
    assert_eq!(fs::read_to_string(folder.file()).unwrap(), text("8"));
}

#[test]
fn a_leftover_that_may_be_the_same_data_stays() {
    let folder = Folder::new("same");
    let leftover = folder.0.join("id.0123456789abcdef.tmp");
    fs::write(folder.file(), text("7")).unwrap();
    for (id, stays) in [("7", true), ("6", false)] {
        fs::write(&leftover, text(id)).unwrap();
        File::open(&leftover).unwrap().set_modified(SystemTime::now() - LEFTOVER_AGE).unwrap();
        assert_eq!(saved(&folder), "7");
        assert_eq!(leftover.exists(), stays);
    }
}

#[test]
fn a_temporary_file_that_is_taken_away_is_written_again() {
    let folder = Folder::new("taken");
    let store = Store::open(&folder.file()).unwrap();
    let mut temporary = Temporary::create(&folder.file(), None).unwrap();
    fs::remove_file(&temporary.path).unwrap();
    assert_eq!(temporary.rename(&folder.file()).unwrap_err().kind(), ErrorKind::NotFound);
    let mut calls = 0;
    let take_away_once = || {
        calls += 1;
        if calls == 1 { temporary.rename(&folder.file()) } else { store.try_to_replace("1") }
    };
    retried(take_away_once).unwrap();
    assert_eq!(saved(&folder), "1");
}

#[test]
fn a_failed_write_leaves_nothing_behind() {
    let folder = Folder::new("failed");
    let store = Store::open(&folder.file()).unwrap();
    // Nothing can be renamed to a folder that is not empty.
    fs::create_dir_all(folder.file().join("full")).unwrap();
    store.replace("1").unwrap_err();
    assert_eq!(folder.names(), ["id"]);
}

#[test]
fn two_writers_and_an_opener_never_tear_the_file() {
    const ROUNDS: u32 = 200;
    let folder = Arc::new(Folder::new("two"));
    let start = Arc::new(Barrier::new(3));
    let is_over = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = ["a", "bb"]
        .into_iter()
        .map(|name| {
            let (folder, start) = (Arc::clone(&folder), Arc::clone(&start));
            thread::spawn(move || {
                let store = Store::open(&folder.file()).unwrap();
                start.wait();
                for round in 0..ROUNDS {
                    store.replace(&format!("{name}{round}")).unwrap();
                }
            })
        })
        .collect();
    let opener = {
        let (folder, is_over) = (Arc::clone(&folder), Arc::clone(&is_over));
        thread::spawn(move || {
            start.wait();
            let mut opened = 0_u32;
            while !is_over.load(Ordering::SeqCst) {
                assert_eq!(Checkpoint::open(folder.file()).unwrap().damaged(), None);
                opened += 1;
            }
            opened
        })
    };
    for writer in writers {
        writer.join().unwrap();
    }
    is_over.store(true, Ordering::SeqCst);
    assert!(opener.join().unwrap() > 0);
    let last = saved(&folder);
    assert!([format!("a{}", ROUNDS - 1), format!("bb{}", ROUNDS - 1)].contains(&last), "{last}");
    assert_eq!(folder.names(), ["id"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_flushed_is_no_error() {
    // There the system answers EINVAL.
    let folder = Path::new("/proc");
    assert_eq!(File::open(folder).unwrap().sync_all().unwrap_err().kind(), ErrorKind::InvalidInput);
    sync_folder(folder).unwrap();
    assert!(sync_folder(Path::new("/proc/none")).is_err());
}
