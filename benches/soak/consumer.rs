//! A consumer with a checkpoint, in a process of its own that is killed again and again, and one that starts over in this
//! process.

use std::env;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_sse::{Checkpoint, Client, Event, Gap};

use crate::chance::Chance;
use crate::tally::Tally;
use crate::wire::{Manner, number};
use crate::{ROLE, argument};

/// The longest that a consumer runs, in milliseconds.
const RUN: u64 = 20_000;

/// One of the consumers with a checkpoint.
#[derive(Clone, Copy)]
pub(crate) struct Consumer<'a> {
    pub(crate) addr: SocketAddr,
    pub(crate) stream: usize,
    pub(crate) file: &'a Path,
    pub(crate) tally: &'a Mutex<Tally>,
    pub(crate) is_over: &'a AtomicBool,
}

impl Consumer<'_> {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// A run that comes to its end, in this process: the event that is being handled comes again, no other does.
    pub(crate) fn restart(self) {
        let client = Client::builder().no_proxy().build().unwrap();
        let mut chance = Chance::new(2);
        while !self.is_over() {
            let checkpoint = Checkpoint::open(self.file).unwrap().every(Duration::from_secs(1));
            let request = Manner::of(5).request(self.addr, self.stream, Some(&checkpoint));
            let end = Instant::now() + Duration::from_millis(chance.below(RUN));
            let events = client.connect("restarts", request).unwrap();
            let handle = events.handle();
            for event in events.checkpoint(checkpoint) {
                self.tally.lock().unwrap().receive(self.stream, &event.unwrap());
                if Instant::now() >= end || self.is_over() {
                    break;
                }
            }
            handle.join();
            self.tally.lock().unwrap().restart();
        }
        assert!(client.shutdown(Duration::from_secs(10)));
    }

    /// Runs that end by SIGKILL, in another process.
    pub(crate) fn crash(self, manner: usize) {
        let mut chance = Chance::new(manner as u64);
        while !self.is_over() {
            let mut command = Command::new(env::current_exe().unwrap());
            command.args(["--address", &self.addr.to_string(), "--stream", &self.stream.to_string()]);
            command
                .args(["--manner", &manner.to_string(), "--file", self.file.to_str().unwrap()])
                .env(ROLE, "consumes");
            let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
            let end = Instant::now() + Duration::from_millis(chance.below(RUN));
            let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
            while Instant::now() < end && !self.is_over() {
                self.read(&lines.next().unwrap().unwrap());
            }
            process.kill().unwrap();
            // What it has done and is not read yet is done all the same; the last line may be cut.
            lines.map_while(Result::ok).filter(|line| line.ends_with('.')).for_each(|line| self.read(&line));
            process.wait().unwrap();
            self.tally.lock().unwrap().restart();
        }
    }

    /// Takes what the other process says.
    fn read(&self, line: &str) {
        let mut tally = self.tally.lock().unwrap();
        match line.trim_end_matches('.').split_once(' ') {
            Some(("event", number)) => tally.take(number.parse().unwrap()),
            Some(("saved", number)) => tally.save(number.parse().unwrap()),
            Some(("gap", from)) => tally.take_gap(&gap(from)),
            _ => panic!("a consumer says {line:?}"),
        }
    }
}

fn gap(resumed_from: &str) -> Gap {
    let mut gap = Gap::default();
    if resumed_from != "nothing known" {
        let mut reconnected = http_sse::Reconnected::default();
        reconnected.resumed_from = Some(resumed_from.into()).filter(|from: &Arc<str>| !from.is_empty());
        gap.reconnected = Some(reconnected);
    }
    gap
}

/// What the process does that is killed.
pub(crate) fn consume() -> ExitCode {
    let number = |name| argument(name).unwrap().parse::<usize>().unwrap();
    let (stream, manner) = (number("--stream"), number("--manner"));
    let addr = argument("--address").unwrap().parse().unwrap();
    let checkpoint = Checkpoint::open(argument("--file").unwrap()).unwrap();
    assert_eq!(checkpoint.damaged(), None);
    let request = Manner::of(manner).request(addr, stream, Some(&checkpoint));
    let client = Client::builder().no_proxy().build().unwrap();
    if manner % 4 == 0 {
        // Throttled as it is by default.
        let mut events = client.connect("crashes", request).unwrap().checkpoint(checkpoint);
        let mut last = 0;
        while let Some(event) = events.next() {
            if events.checkpoint().due_in().is_none() && last > 0 {
                println!("saved {last}.");
            }
            last = tell(&event.unwrap()).unwrap_or(last);
        }
        return ExitCode::FAILURE;
    }
    let mut checkpoint = checkpoint.every_events(30);
    for event in client.read("crashes", request).unwrap() {
        let event = event.unwrap();
        let Some(number) = tell(&event) else { continue };
        checkpoint.commit(event.position().unwrap()).unwrap();
        if checkpoint.due_in().is_none() {
            println!("saved {number}.");
        }
    }
    ExitCode::FAILURE
}

/// Returns the number of an event, `None` for a gap.
fn tell(event: &Event) -> Option<u64> {
    let Some(gap) = event.gap() else {
        println!("event {}.", number(event));
        return Some(number(event));
    };
    let from = gap.reconnected.as_ref().map(|reconnected| reconnected.resumed_from.clone().unwrap_or_default());
    println!("gap {}.", from.as_deref().unwrap_or("nothing known"));
    None
}
