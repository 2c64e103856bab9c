//! A table of faults, each with its bounds: what a peer does, and what it may cost the client.
//!
//! The client runs in a process of its own, this program once more, so that its memory and its CPU time can be read.

pub mod client;
pub mod figures;
pub mod peer;
pub mod table;

use std::env;
use std::process::{Command, Stdio};
use std::time::Duration;

use http_sse::{Request, RetryPolicy};

use figures::Figures;
use peer::Play;

/// How long and how often a row is watched.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub name: &'static str,
    /// At least, before the counts are taken.
    pub window: Duration,
    /// The first wait of the policy, doubled after every further failure in a row.
    pub base: Duration,
    pub jitter: f64,
    /// The timeout of the rows that are about one.
    pub limit: Duration,
    /// How many connections are stopped to see how long that takes, and how old they are then.
    pub rounds: usize,
    pub age: Duration,
}

impl Settings {
    pub const SHORT: Self = Self {
        name: "short",
        window: Duration::from_millis(800),
        base: Duration::from_millis(200),
        jitter: 0.0,
        limit: Duration::from_millis(200),
        rounds: 5,
        age: Duration::from_millis(30),
    };

    /// With the default waits of the library.
    pub const LONG: Self = Self {
        name: "long",
        window: Duration::from_secs(10),
        base: Duration::from_secs(1),
        jitter: 1.0,
        limit: Duration::from_secs(1),
        rounds: 21,
        age: Duration::from_millis(100),
    };

    fn named(name: &str) -> Self {
        if name == Self::LONG.name { Self::LONG } else { Self::SHORT }
    }

    fn policy(&self) -> RetryPolicy {
        let max_delay = Duration::from_secs(30);
        RetryPolicy::exponential(self.base, max_delay).jitter(self.jitter).max_retries(None)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Reads as fast as the machine can.
    Endless,
    Silent,
    Broken,
    Unreachable,
    Redirect,
    Id,
    Retry,
}

/// How many attempts there may be.
#[derive(Clone, Copy, Debug)]
pub enum Attempts {
    One,
    /// Waits that double.
    BackOff,
    /// Waits of the base delay.
    Base,
    /// Waits of this time.
    Every(Duration),
}

impl Attempts {
    pub fn least(self) -> u64 {
        if matches!(self, Self::One) { 1 } else { 2 }
    }

    pub fn most(self, settings: Settings, elapsed: Duration) -> u64 {
        let bases = elapsed.as_secs_f64() / settings.base.as_secs_f64();
        match self {
            Self::One => 1,
            Self::BackOff => 1 + (bases + 1.0).log2() as u64,
            Self::Base => 1 + bases as u64,
            Self::Every(wait) => 1 + (elapsed.as_secs_f64() / wait.as_secs_f64()) as u64,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    pub group: Group,
    pub play: Play,
    pub attempts: Attempts,
    /// The last failure is one of these; without any there is none.
    pub sees: &'static [&'static str],
    /// Whether events arrive all the same: none is lost and none doubled.
    pub has_events: bool,
    pub request: fn(Request, Settings) -> Request,
}

impl Row {
    /// Runs the row; `again` starts this program as its client.
    pub fn measure(&self, settings: Settings, again: fn() -> Command) -> Figures {
        let mut stage = self.play.start();
        let mut command = again();
        command.env(client::ROW, self.name).env(client::SETTINGS, settings.name).env(client::URL, &stage.url);
        if let Some(pem) = &stage.pem {
            command.env(client::PEM, pem);
        }
        let child = command.stdout(Stdio::piped()).spawn().unwrap();
        stage.direct(settings);
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        stage.finish();
        Figures::find(&text).unwrap_or_else(|| panic!("{}: the client failed: {text}", self.name))
    }

    /// Returns the bounds that the figures break; `slack` widens those that depend on the machine.
    pub fn broken_bounds(&self, figures: &Figures, settings: Settings, slack: u32) -> Vec<String> {
        let elapsed = Duration::from_millis(figures.elapsed_ms);
        let attempts = self.attempts.least()..=self.attempts.most(settings, elapsed);
        let is_terminal = self.sees == ["Redirect"];
        // 0.1 s of 10 s, and the start of the connection.
        let cpu_us = (figures.elapsed_ms * u64::from(slack) * 10).max(100_000);
        // Where even a thread that does nothing of ours takes long to end, the machine is busy.
        let busy_us = u64::from(slack) * figures.control_us;
        let (channel_us, thread_us) = (u64::from(slack) * 5_000 + busy_us, u64::from(slack) * 10_000 + busy_us);
        let checks = [
            (attempts.contains(&figures.attempts), format!("attempts {} not in {attempts:?}", figures.attempts)),
            (figures.lost == 0 && figures.doubled == 0, "events are lost or doubled".to_owned()),
            (self.has_events == (figures.events > 0), format!("{} events", figures.events)),
            (self.sees.contains(&figures.failure.as_str()) || self.sees.is_empty() && figures.failure == "-", {
                format!("the failure is {}, not one of {:?}", figures.failure, self.sees)
            }),
            (figures.has_ended == is_terminal, format!("ended: {}", figures.has_ended)),
            (figures.peak_kib <= u64::from(slack) * 4096, format!("{} KiB of memory", figures.peak_kib)),
            (self.group == Group::Endless || figures.cpu_us <= cpu_us, format!("{} µs of CPU time", figures.cpu_us)),
            (figures.channel_us <= channel_us, format!("channel: {} µs, not {channel_us}", figures.channel_us)),
            (figures.thread_us <= thread_us, format!("thread: {} µs, not {thread_us}", figures.thread_us)),
        ];
        let broken = checks.into_iter().filter(|(holds, _)| !holds);
        broken.map(|(_, what)| format!("{}: {what} ({figures:?})", self.name)).collect()
    }
}

/// This program, to be run as a client.
pub fn again() -> Command {
    Command::new(env::current_exe().unwrap())
}
