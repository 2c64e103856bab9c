//! One run with one failure, and its verdict.

use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, io};

use crate::calls::{EAGAIN, EPIPE, Errno};
use crate::client::{CHECKPOINT, FIRST_ID};
use crate::server::EVENTS;
use crate::supervisor::Supervisor;
use crate::{Journey, Stage};
use support::program::Folder;

/// Texts that name the cause in other words: those of the resolver, which has no system error, of ends of streams and of
/// the tool's socket for signals, and of a connect that looks as if it were on its way.
const OTHER_WORDS: &[(&str, &str)] = &[
    ("", "failed to lookup address information"),
    ("EAGAIN", "no error set after POLLHUP"),
    ("ETIMEDOUT", "timed out"),
    ("ETIMEDOUT", "did not arrive in time"),
    ("ECONNRESET", "the stream ended early"),
    ("EPIPE", "the stream ended early"),
    ("", "ends the program immediately: unexpected end of file"),
];

/// Which call of a run fails.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) journey: &'static Journey,
    pub(crate) call: &'static str,
    pub(crate) count: usize,
    pub(crate) errno: Errno,
    /// How long all further calls of that name fail too.
    pub(crate) length: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The call did not come about this time.
    NotReached,
    /// The journey came to its end, and nothing was reported.
    Absorbed,
    /// The journey came to its end; this was reported on the way.
    Reported(String),
    /// The program was told that it cannot be done.
    Refused(String),
}

#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    pub(crate) faults: Vec<String>,
    pub(crate) time: Duration,
}

impl Case {
    pub(crate) fn judge(&self, stage: &Stage, supervisor: &mut Supervisor) -> Verdict {
        let folder = stage.folder();
        let plan =
            [self.call, &self.errno.1.to_string(), &self.count.to_string(), &self.length.as_millis().to_string()];
        let start = Instant::now();
        let run = Run::new(stage, supervisor, self.journey, &folder, &plan);
        let (outcome, faults) = self.verdict(&run, &folder.file(""));
        Verdict { outcome, faults, time: start.elapsed() }
    }

    fn verdict(&self, run: &Run, folder: &Path) -> (Outcome, Vec<String>) {
        if !run.report.lines().any(|line| line.starts_with("failed\t")) {
            return (Outcome::NotReached, run.unfinished());
        }
        let mut faults = run.unfinished();
        let texts = run.texts();
        // The log has longer ones.
        let cause = texts.iter().filter(|text| self.names_cause(text)).min_by_key(|text| text.len());
        if texts.iter().any(|text| text.contains("panicked")) {
            faults.push(format!("a panic: {texts:?}"));
        }
        let refusal = run.refusal();
        let hide = |text: &str| text.replace(&*folder.to_string_lossy(), "/var/lib/meter/");
        let outcome = match (&refusal, texts.first()) {
            (Some(text), _) => Outcome::Refused(hide(text)),
            (None, Some(text)) => Outcome::Reported(hide(cause.unwrap_or(text))),
            (None, None) => Outcome::Absorbed,
        };
        if cause.is_none() && !texts.is_empty() {
            faults.push(format!("no text names the cause: {texts:?}"));
        }
        if refusal.is_some() && !self.may_refuse() {
            faults.push(format!("given up for good, although it passes: {texts:?}"));
        }
        faults.extend(run.losses(refusal.is_some(), self));
        (outcome, faults)
    }

    fn names_cause(&self, text: &str) -> bool {
        let own = io::Error::from_raw_os_error(self.errno.1).to_string();
        // glibc reports every thread that there is no memory for as EAGAIN.
        let again = io::Error::from_raw_os_error(EAGAIN.1).to_string();
        let is_thread = matches!(self.call, "clone3" | "clone" | "mmap" | "mprotect");
        text.contains(&own)
            || is_thread && text.contains(&again)
            || OTHER_WORDS
                .iter()
                .any(|(name, words)| (name.is_empty() || *name == self.errno.0) && text.contains(words))
    }

    /// What is needed before the first attempt: the connection's thread, the file of a checkpoint, signals of a tool.
    fn may_refuse(&self) -> bool {
        let is_thread = matches!(self.call, "clone3" | "clone" | "mmap" | "mprotect");
        let is_file = matches!(self.call, "openat" | "read" | "statx" | "lseek" | "rename" | "renameat" | "renameat2");
        let is_output = matches!(self.call, "write" | "writev" | "socketpair" | "pipe2" | "fcntl" | "ioctl" | "poll");
        is_thread || self.journey.has_checkpoint() && is_file || self.journey.is_tool() && is_output
    }
}

/// What a run left behind.
pub(crate) struct Run {
    pub(crate) report: String,
    code: i32,
    stdout: String,
    stderr: String,
    is_tool: bool,
    journey: &'static Journey,
    kept: String,
}

impl Run {
    pub(crate) fn new(
        stage: &Stage,
        supervisor: &mut Supervisor,
        journey: &'static Journey,
        folder: &Folder,
        plan: &[&str],
    ) -> Self {
        let code = supervisor.run(&folder.file(""), journey.is_tool(), plan, &stage.program(journey, folder));
        let text = |name| String::from_utf8_lossy(&fs::read(folder.file(name)).unwrap_or_default()).into_owned();
        Self {
            report: text("report"),
            code,
            stdout: text("stdout"),
            stderr: text("stderr"),
            is_tool: journey.is_tool(),
            journey,
            kept: text(CHECKPOINT).lines().nth(2).unwrap_or_default().to_owned(),
        }
    }

    fn values(&self, name: &str) -> Vec<String> {
        let values = self.stdout.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
        values.map(str::to_owned).collect()
    }

    fn value(&self, name: &str) -> String {
        self.values(name).pop().unwrap_or_default()
    }

    /// Returns what a program did that hangs or dies.
    pub(crate) fn unfinished(&self) -> Vec<String> {
        let hangs: Vec<_> = self.report.lines().filter(|line| line.starts_with("hangs\t")).collect();
        if !hangs.is_empty() {
            return vec![format!("hangs: {}", hangs.join(", ").replace("hangs\t", ""))];
        }
        let is_sound = if self.is_tool { matches!(self.code, 0..=5) } else { self.code == 0 };
        if is_sound { vec![] } else { vec![format!("exit code {}: {}", self.code, self.stderr.trim_end())] }
    }

    fn texts(&self) -> Vec<String> {
        if self.is_tool {
            self.stderr.lines().map(str::to_owned).collect()
        } else {
            let end = self.refusal().into_iter();
            self.values("text").into_iter().chain(end).collect()
        }
    }

    fn refusal(&self) -> Option<String> {
        if self.is_tool {
            return (self.code != 0).then(|| self.stderr.lines().last().unwrap_or_default().to_owned());
        }
        self.value("end").strip_prefix("refused: ").map(str::to_owned)
    }

    /// Events, the checkpoint, threads and descriptors.
    fn losses(&self, is_refused: bool, case: &Case) -> Vec<String> {
        let mut faults = Vec::new();
        let events = if self.is_tool {
            let data = self.stdout.lines().filter_map(|line| line.strip_prefix("data: "));
            data.collect::<Vec<_>>().join(" ")
        } else {
            self.value("events")
        };
        let all = self.journey.expected();
        // The reader of the output has gone: a tool ends then, which is no failure.
        let is_cut = is_refused || self.is_tool && case.errno == EPIPE;
        if !(events == all || is_cut && all.starts_with(&events)) {
            faults.push(format!("events {events:?}, not {all:?}"));
        }
        if self.journey.has_checkpoint() {
            let kept: usize = self.kept.parse().unwrap_or_default();
            let first: usize = if self.is_tool { 0 } else { FIRST_ID.parse().unwrap() };
            let is_reported = !self.texts().is_empty() || is_cut;
            if kept < first || kept > EVENTS || kept < EVENTS && !is_reported {
                faults.push(format!("the checkpoint holds {:?}", self.kept));
            }
            if self.value("kept").contains("set aside") {
                faults.push("a sound checkpoint is set aside".to_owned());
            }
        }
        if !self.is_tool {
            if self.value("before") != self.value("after") {
                faults.push(format!(
                    "threads and descriptors {} before, {} after",
                    self.value("before"),
                    self.value("after")
                ));
            }
            let end = self.value("end");
            if !is_refused && end != self.journey.end {
                faults.push(format!("the end is {end:?}, not {:?}", self.journey.end));
            }
        }
        faults
    }
}
