//! The units of docs/raspberry-pi.md and of the example for systemd: systemd's own verdict, and how what they start ends.

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs};

use http_sse::testing::Server;

use support::left_out::lacking;
use support::program::{Folder, Left, Running, example};

const PAGE: &str = include_str!("../../docs/raspberry-pi.md");
const DAEMON: &str = include_str!("../../examples/daemon/main.rs");

/// Far below the 10 s after which the unit of `daemon` lets it be killed.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Returns the first block of that kind, without the marks of a comment.
#[track_caller]
fn unit(text: &str) -> String {
    let lines = text.lines().map(|line| line.trim_start_matches("//!").trim());
    let unit: Vec<&str> =
        lines.skip_while(|line| *line != "```ini").skip(1).take_while(|line| *line != "```").collect();
    assert!(!unit.is_empty());
    unit.join("\n") + "\n"
}

/// Returns what systemd says about the unit; `None` where there is no systemd. Each test has a folder of its own.
fn verdict(folder: &str, name: &str, unit: &str) -> Option<String> {
    let folder = Folder::new(folder);
    let file = folder.file(&format!("{name}.service"));
    // A program has to be there.
    let program = env::current_exe().unwrap();
    let unit = unit.replace(&format!("/usr/local/bin/{name}"), program.to_str().unwrap());
    fs::write(&file, unit).unwrap();
    let output = match Command::new("systemd-analyze").arg("verify").arg(&file).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            lacking("systemd", "a test with systemd-analyze, which is not there");
            return None;
        }
        output => output.unwrap(),
    };
    // Other units of the machine are no affair of this one.
    let said = String::from_utf8(output.stderr).unwrap();
    Some(said.lines().filter(|line| line.contains(name)).collect())
}

#[test]
fn systemd_has_nothing_to_say_against_the_unit_of_the_page() {
    assert_eq!(verdict("unit-page", "tail", &unit(PAGE)).unwrap_or_default(), "");
}

#[test]
fn systemd_has_nothing_to_say_against_the_unit_of_the_daemon() {
    assert_eq!(verdict("unit-daemon", "daemon", &unit(DAEMON)).unwrap_or_default(), "");
}

#[test]
fn systemd_notices_a_unit_that_is_wrong() {
    let Some(verdict) = verdict("unit-wrong", "tail", &unit(PAGE).replace("Restart=", "Restrat=")) else { return };
    assert!(verdict.contains("Restrat"), "{verdict}");
}

/// Ends the program as systemd does, while it reads a stream.
#[track_caller]
fn terminate(program: &str, first_line: &str) -> Left {
    let server = Server::start().unwrap();
    let running = Running::start(example(program).arg(server.url("/")));
    let mut peer = server.accept();
    peer.stream();
    peer.send("data: 1\n\n");
    assert_eq!(running.line(), first_line);
    let start = Instant::now();
    running.signal("TERM");
    let left = running.finish();
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    peer.wait_for_close();
    left
}

#[test]
fn the_program_of_the_readme_ends_at_once_by_the_signal_of_systemd() {
    let left = terminate("tail", "message: 1\n");
    // The signal itself ends it, which systemd takes for a clean end.
    assert_eq!((left.stdout.as_str(), left.stderr.as_str(), left.code), ("", "", None));
}

#[test]
fn the_daemon_ends_at_once_and_cleanly_by_the_signal_of_systemd() {
    let left = terminate("daemon", "1\n");
    assert_eq!((left.stdout.as_str(), left.stderr.as_str(), left.code), ("", "", Some(0)));
}

#[test]
fn the_daemon_ends_at_once_and_cleanly_while_there_is_no_network() {
    let server = Server::start().unwrap();
    server.refuse().unwrap();
    let folder = Folder::new("systemd-network");
    let notify = folder.file("notify");
    let systemd = UnixDatagram::bind(&notify).unwrap();
    systemd.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let running = Running::start(example("daemon").arg(server.url("/")).env("NOTIFY_SOCKET", &notify));
    let mut said = [0; 16];
    let length = systemd.recv(&mut said).unwrap();
    assert_eq!(&said[..length], b"READY=1");
    let start = Instant::now();
    running.signal("TERM");
    assert_eq!(running.finish().code, Some(0));
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
}
