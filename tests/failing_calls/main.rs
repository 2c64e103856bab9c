//! Every system call of a client fails once: on each of some journeys, each call, with each error that it may have.
//!
//! For each failure: no panic, no hang, no thread or descriptor left over, no event lost or doubled, a text that names
//! the cause, and the recovery that the policy promises.
//!
//! ```text
//! cargo test --test failing_calls                      the quick half: each call with one error
//! cargo test --test failing_calls -- --all             everything; prints the table of docs/failing-calls.md
//! cargo test --test failing_calls -- --all dns stop    the journeys of these names
//! ```
//!
//! Needs Linux 5.6 on x86-64 and Python: `fail.py` says how the calls are made to fail.

mod calls;
mod case;
mod client;
mod server;
mod supervisor;
mod table;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use calls::{CALLS, EINTR, EMFILE, ENETUNREACH, errnos};
use case::{Case, Run, Verdict};
use client::AUTHORITY;
use server::{EVENTS, Manner};
use supervisor::Supervisor;
use support::program::Folder;
use support::tls::{Authority, Validity};

/// They wait most of the time.
const AT_ONCE: usize = 4;
/// Longer than a few attempts.
const WHILE: Duration = Duration::from_millis(300);

#[derive(Debug)]
pub(crate) struct Journey {
    name: &'static str,
    /// How many events it reads.
    events: usize,
    end: &'static str,
}

#[rustfmt::skip]
const JOURNEYS: &[Journey] = &[
    Journey { name: "tls", events: 3, end: "Some(Stopped)" },
    Journey { name: "reconnect", events: EVENTS, end: "Some(NoContent)" },
    Journey { name: "read", events: EVENTS, end: "Some(NoContent)" },
    Journey { name: "deadline", events: EVENTS, end: "Some(NoContent)" },
    Journey { name: "stop", events: 1, end: "Some(Stopped)" },
    Journey { name: "checkpoint", events: EVENTS, end: "Some(NoContent)" },
    Journey { name: "dns", events: EVENTS, end: "Some(NoContent)" },
    Journey { name: "proxy", events: EVENTS, end: "Some(NoContent)" },
    Journey { name: "ssecat", events: EVENTS, end: "" },
];

impl Journey {
    fn has_checkpoint(&self) -> bool {
        matches!(self.name, "checkpoint" | "ssecat")
    }

    fn is_tool(&self) -> bool {
        self.name == "ssecat"
    }

    /// The data of its events.
    fn expected(&self) -> String {
        let first = if self.name == "checkpoint" { client::FIRST_ID.parse::<usize>().unwrap() + 1 } else { 1 };
        (first..=self.events).map(|number| number.to_string()).collect::<Vec<_>>().join(" ")
    }
}

/// The servers of all journeys.
pub(crate) struct Stage {
    cutting: SocketAddr,
    holding: SocketAddr,
    proxy: SocketAddr,
    whole: SocketAddr,
    tls: SocketAddr,
    authority: String,
    runs: AtomicUsize,
}

impl Stage {
    fn new() -> Self {
        let authority = Authority::new();
        Self {
            cutting: server::start(Manner::Cutting),
            holding: server::start(Manner::Holding),
            proxy: server::start(Manner::Proxy),
            whole: server::start(Manner::Whole),
            tls: server::start(Manner::Tls(authority.server_config(Validity::VALID))),
            authority: authority.pem(),
            runs: AtomicUsize::new(0),
        }
    }

    fn folder(&self) -> Folder {
        let folder = Folder::new(&format!("failing-{}", self.runs.fetch_add(1, Ordering::Relaxed)));
        fs::write(folder.file(AUTHORITY), &self.authority).unwrap();
        folder
    }

    /// Returns the program and its arguments.
    fn program(&self, journey: &Journey, folder: &Folder) -> Vec<String> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        if journey.is_tool() {
            let (tool, file) = (support::program::example("ssecat"), folder.file(client::CHECKPOINT));
            let (count, url) = (EVENTS.to_string(), format!("http://{}/", self.whole));
            let arguments = ["--retry", "forever", "--count", &count, "--checkpoint", &text(&file), &url];
            return [text(Path::new(tool.get_program()))].into_iter().chain(arguments.map(str::to_owned)).collect();
        }
        let url = match journey.name {
            "tls" => format!("https://{}/", self.tls),
            "stop" => format!("http://{}/", self.holding),
            "proxy" => format!("http://{}", self.proxy),
            "dns" => format!("http://localhost:{}/", self.cutting.port()),
            _ => format!("http://{}/", self.cutting),
        };
        let this = env::current_exe().unwrap();
        vec![text(&this), "client".to_owned(), journey.name.to_owned(), url, text(&folder.file(""))]
    }
}

/// Returns the names of the calls of a journey that can fail, and how many there are of each.
fn record(stage: &Stage, journey: &'static Journey) -> BTreeMap<&'static str, usize> {
    let run = Run::new(stage, &mut Supervisor::start(), journey, &stage.folder(), &["record"]);
    assert_eq!(run.unfinished(), [""; 0], "{}: {}", journey.name, run.report);
    let mut counts = BTreeMap::new();
    for line in run.report.lines() {
        let name = line.split('\t').nth(1).unwrap();
        let (known, _) =
            CALLS.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name} has no errors"));
        *counts.entry(*known).or_default() += 1;
    }
    assert!(counts.contains_key("connect"), "{}: {}", journey.name, run.report);
    counts
}

fn cases(stage: &Stage, journey: &'static Journey, is_quick: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    for (call, total) in record(stage, journey) {
        let errnos = errnos(call);
        // Where that is EINTR, which is only tried again, the next one too.
        let quick = errnos.iter().position(|errno| *errno != EINTR).map_or(1, |place| place + 1);
        // The bytes of a proxy's answer are read one by one.
        for count in (1..=total).filter(|count| !is_quick || *count <= 5 || count % 7 == 0) {
            for errno in if is_quick { &errnos[..quick] } else { errnos } {
                cases.push(Case { journey, call, count, errno: *errno, length: Duration::ZERO });
            }
        }
    }
    for (call, errno) in [("socket", EMFILE), ("connect", ENETUNREACH), ("openat", EMFILE)] {
        if cases.iter().any(|case| case.call == call) {
            cases.push(Case { journey, call, count: 1, errno, length: WHILE });
        }
    }
    cases
}

/// Judges all, several at once, and returns the verdicts in order.
fn judge(stage: &Stage, cases: &[Case]) -> Vec<Verdict> {
    let next = AtomicUsize::new(0);
    let verdicts = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let mut supervisor = Supervisor::start();
                while let Some((number, case)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|n| Some((n, cases.get(n)?)))
                {
                    let verdict = case.judge(stage, &mut supervisor);
                    verdicts.lock().unwrap().insert(number, verdict);
                }
            });
        }
    });
    verdicts.into_inner().unwrap().into_values().collect()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [role, journey, url, folder] = &arguments[..] {
        if role == "client" {
            client::play(journey, url, Path::new(folder));
            return ExitCode::SUCCESS;
        }
    }
    if arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    if support::is_emulated() || !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        support::left_out::left_out("failing system calls, elsewhere than on Linux on x86-64");
        return ExitCode::SUCCESS;
    }
    if let Err(why) = Supervisor::probe() {
        support::left_out::lacking("failing-calls", &why);
        return ExitCode::SUCCESS;
    }
    let is_all = arguments.iter().any(|argument| argument == "--all");
    // As the harness has it, but for what is skipped: nothing here.
    let skipped = arguments.iter().position(|argument| argument == "--skip").map(|place| place + 1);
    let is_word = |(place, argument): &(usize, &String)| !argument.starts_with('-') && Some(*place) != skipped;
    let words: Vec<&String> = arguments.iter().enumerate().filter(is_word).map(|(_, argument)| argument).collect();
    let is_chosen = |journey: &&Journey| words.is_empty() || words.iter().any(|word| journey.name.contains(*word));
    let stage = Stage::new();
    let mut table = table::Table::default();
    for journey in JOURNEYS.iter().filter(is_chosen) {
        let cases = cases(&stage, journey, !is_all);
        let verdicts = judge(&stage, &cases);
        table.add(journey, &cases, verdicts);
    }
    table.print(is_all);
    if table.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
