//! `--exec`: a command for each event.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, SystemTime};

use http_sse::Event;
use log::warn;

use crate::Delivery;
use crate::failure::Failure;
use crate::format::Layout;
use crate::stop::Stop;

/// The maximum size of a variable on every system, with room for others: Linux allows 128 KiB for each.
const MAX_VARIABLE: usize = 64 * 1024;
/// Ctrl-C reaches the command and this program at the same time: the time until this program has noticed it.
const SIGNAL_LATENCY: Duration = Duration::from_millis(200);

pub(crate) struct Exec {
    pub(crate) command: OsString,
    /// The delay before a failed command runs again.
    pub(crate) retry: Option<Duration>,
    /// The format of its input.
    pub(crate) layout: Layout,
}

impl Exec {
    /// Runs the command until it succeeds, or until a stop.
    pub(crate) fn run(&self, event: &Event, stop: &Stop) -> Result<Delivery, Failure> {
        let input = self.layout.text(event, SystemTime::now());
        loop {
            let problem = match self.run_once(event, &input) {
                Ok(status) if status.success() => return Ok(Delivery::Done),
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            };
            let problem = format!("the command failed for the {}: {problem}", name(event));
            if stop.comes_within(SIGNAL_LATENCY) {
                return Ok(Delivery::Stopped);
            }
            let Some(pause) = self.retry else { return Err(Failure::Command(problem)) };
            warn!("{problem}; retrying in {pause:?}");
            if stop.comes_within(pause) {
                return Ok(Delivery::Stopped);
            }
        }
    }

    fn run_once(&self, event: &Event, input: &str) -> io::Result<ExitStatus> {
        let mut command = shell();
        command.arg(&self.command).stdin(Stdio::piped());
        let gap = event.gap().map(ToString::to_string);
        // Unset without a value, even if this program has inherited one.
        let of_event = |value| gap.is_none().then_some(value);
        for (name, value) in [
            ("SSE_GAP", gap.as_deref()),
            ("SSE_TYPE", of_event(event.event_type())),
            ("SSE_ID", of_event(event.id().unwrap_or_default())),
            ("SSE_DATA", of_event(event.data())),
        ] {
            match value.filter(|value| value.len() <= MAX_VARIABLE && !value.contains('\0')) {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            match stdin.write_all(input.as_bytes()) {
                // The command need not read all of its input.
                Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                    warn!("cannot write the command's input: {error}")
                }
                _ => {}
            }
        }
        child.wait()
    }
}

fn name(event: &Event) -> String {
    match (event.gap(), event.id()) {
        (Some(gap), _) => gap.to_string(),
        (None, Some(id)) => format!("event with the id {id:?}"),
        (None, None) => "event without an id".into(),
    }
}

#[cfg(unix)]
fn shell() -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c");
    shell
}

#[cfg(not(unix))]
fn shell() -> Command {
    let mut shell = Command::new("cmd");
    shell.arg("/C");
    shell
}
