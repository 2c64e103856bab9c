//! The journal of systemd over HTTP: `systemd-journal-gatewayd`, over a journal that the test writes.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use http_sse::{Cursor, Event, Handle, Request, RetryPolicy};

use crate::delivery::client;
use crate::forwarder::Forwarder;
use crate::program::{find, or_left_out, say};
use crate::service::Service;
use crate::source::EVENTS;

const DEADLINE: Duration = Duration::from_secs(10);
const KILLS: usize = 20;
const BURST: usize = EVENTS / KILLS;

fn program(name: &str) -> Option<PathBuf> {
    Some(Path::new("/lib/systemd").join(name)).filter(|path| path.is_file())
}

/// What the test needs of an entry.
#[derive(serde::Deserialize)]
struct Entry {
    #[serde(rename = "__CURSOR")]
    cursor: String,
    #[serde(rename = "MESSAGE")]
    message: String,
}

fn cursor_of(event: &Event) -> Option<String> {
    event.json::<Entry>().ok().map(|entry| entry.cursor)
}

/// The gateway, over a journal that the test writes.
pub(crate) struct Gateway {
    pub(crate) server: Service,
    writer: PathBuf,
    journal: PathBuf,
}

impl Gateway {
    /// Starts it over a journal with one entry, the number 1.
    pub(crate) fn start() -> Option<Self> {
        let programs = program("systemd-journal-gatewayd").zip(program("systemd-journal-remote"));
        let (gateway, writer) = or_left_out(programs, "systemd-journal-gatewayd")?;
        let activate = or_left_out(find("systemd-socket-activate"), "systemd-socket-activate")?;
        let mut journal = PathBuf::new();
        let place = Mutex::new(&mut journal);
        let server = Service::start(|address, folder| {
            let journals = folder.join("journal");
            std::fs::create_dir_all(&journals).unwrap();
            let journal = journals.join("test.journal");
            // It must not be empty, or there is nothing to follow.
            append(&writer, &journal, 1..=1);
            **place.lock().unwrap() = journal;
            let mut command = Command::new(&activate);
            command.arg("--listen").arg(address.to_string()).arg(&gateway).arg("--directory").arg(journals);
            command.stderr(Stdio::null());
            command
        });
        Some(Self { server, writer, journal })
    }

    /// Adds entries with these numbers.
    pub(crate) fn append(&self, numbers: impl Iterator<Item = usize>) {
        append(&self.writer, &self.journal, numbers);
    }
}

/// Adds entries to a journal, by the program that receives them from other machines.
fn append(writer: &Path, journal: &Path, numbers: impl Iterator<Item = usize>) {
    let mut text = String::new();
    for number in numbers {
        let microseconds = 1_700_000_000_000_000 + number as u64;
        write!(text, "__REALTIME_TIMESTAMP={microseconds}\n__MONOTONIC_TIMESTAMP={number}\n").unwrap();
        write!(text, "_BOOT_ID=0123456789abcdef0123456789abcdef\nMESSAGE={number}\n\n").unwrap();
    }
    let mut child = Command::new(writer)
        .arg("--output")
        .arg(journal)
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{writer:?} cannot write {journal:?}");
}

#[test]
fn entries_of_the_journal_survive_twenty_kills_of_its_gateway() {
    let Some(mut gateway) = Gateway::start() else { return };
    // An entry is some 300 bytes: a connection is reset after 10 to 40 of them, in the middle of one.
    let forwarder = Forwarder::passing(gateway.server.address(), 3_000);
    let delay = Duration::from_millis(10);
    let request = Request::get(format!("http://{}/entries?follow", forwarder.address()))
        .cursor(Cursor::header("Range", "entries={}", cursor_of).inclusive())
        .retry(RetryPolicy::constant(delay).max_retries(None));
    let events = client().build().unwrap().connect("journal", request).unwrap();
    let handle = events.handle();
    let mut received: Vec<String> = Vec::new();
    let receive = |count: usize, received: &mut Vec<String>, handle: &Handle| {
        while received.len() < count {
            match events.recv_timeout(DEADLINE) {
                Ok(event) => received.push(event.unwrap().json::<Entry>().unwrap().message),
                Err(error) => panic!("{error} after {} entries: {handle:?}", received.len()),
            }
        }
    };
    for burst in 0..KILLS {
        let (first, last) = (burst * BURST + 1, (burst + 1) * BURST);
        gateway.append(first.max(2)..=last);
        // In the middle of a burst.
        receive(first + BURST / 2, &mut received, &handle);
        gateway.server.restart();
    }
    gateway.append(EVENTS + 1..=EVENTS + 1);
    // What is doubled comes before the last one.
    while received.last().is_none_or(|last| *last != (EVENTS + 1).to_string()) {
        let wanted = received.len() + 1;
        receive(wanted, &mut received, &handle);
    }
    received.pop();

    let expected: Vec<String> = (1..=EVENTS).map(|number| number.to_string()).collect();
    let lost = expected.iter().filter(|number| !received.contains(number)).count();
    let doubled = received.len() + lost - EVENTS;
    let (attempts, resets) = (handle.stats().attempts, forwarder.resets());
    say(&format!(
        "systemd-journal-gatewayd: {} entries received, {lost} lost, {doubled} doubled; {KILLS} kills, {resets} resets, \
         {attempts} requests",
        received.len()
    ));
    assert_eq!((lost, doubled), (0, 0));
    assert!(received == expected, "the entries came out of order");
    assert!(attempts as usize > KILLS, "the stream was hardly ever broken: {attempts} requests");
    assert!(resets > KILLS / 2, "the forwarder hardly ever broke it: {resets} times");
    handle.stop();
}
