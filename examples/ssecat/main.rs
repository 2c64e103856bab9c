//! Prints the events of a stream, as a tool for the shell: `cargo install http-sse --example ssecat`.
//!
//! ```text
//! ssecat https://stream.wikimedia.org/v2/stream/recentchange
//! ssecat --json --only price https://example.com/events | jq -r .data
//! ssecat --retry forever --checkpoint /var/lib/meter/id https://example.com/meter >> meter.log
//! ssecat -H "Authorization: Bearer $TOKEN" -d @question.json https://example.com/v1/chat/completions
//! ```
//!
//! Events go to the standard output, one a block in its canonical wire form, or with `--json` one JSON object a line,
//! `{"type":"price","id":"7","data":"101.5"}`: `id` is `null` while there is none, `data` always the string that came.
//! Each event is written and flushed by itself; only then its id goes to the checkpoint.
//!
//! The state goes to the error output. On a terminal it is one status line that is kept up to date, anywhere else
//! a line for each failure; `-v` adds lines about everything else. Neither shows a header, a query, a password or data.
//!
//! Exit codes: 0 done, also after SIGINT, SIGTERM, `--count`, `--timeout`, and when the reader of the output has gone;
//! 1 the output cannot be written; 2 usage; 3 network; 4 HTTP status, or an answer that is no event stream;
//! 5 TLS or the clock.

mod arguments;
mod screen;
mod status;

use std::env;
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::process::{self, ExitCode};
use std::thread;
use std::time::Duration;

use arguments::{Arguments, Wish};
use http_sse::crossbeam_channel::RecvTimeoutError;
use http_sse::{Checkpoint, Client, Error, Event, Handle};
use log::warn;
use screen::Screen;
#[cfg(unix)]
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

/// The connection's name in the library's log lines, which the screen leaves out.
const ID: &str = "ssecat";
/// After so long without an event the checkpoint is written; while they come, it sees to that itself.
const QUIET: Duration = Duration::from_secs(5);
/// How long a stop waits for an output that takes nothing, or a slow disk.
const PATIENCE: Duration = Duration::from_secs(5);

const DONE: u8 = 0;
const OUTPUT: u8 = 1;
const USAGE: u8 = 2;
const NETWORK: u8 = 3;
const STATUS: u8 = 4;
const TLS: u8 = 5;

enum Failure {
    Usage(String),
    System(io::Error),
    Output(io::Error),
    Connection(Error),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse(env::args_os().skip(1)) {
        Ok(Wish::Read(arguments)) => read(*arguments),
        Ok(Wish::Help) => print(arguments::HELP),
        Ok(Wish::Version) => print(concat!("ssecat ", env!("CARGO_PKG_VERSION"), "\n")),
        Err(problem) => Err(Failure::Usage(problem)),
    };
    let Err(failure) = outcome else { return DONE.into() };
    if failure.is_closed_output() {
        return DONE.into();
    }
    screen::say(&failure);
    failure.exit_code().into()
}

/// Prints the events until the stream ends or enough have come.
fn read(mut arguments: Arguments) -> Result<(), Failure> {
    let screen = Screen::start(ID, arguments.verbose);
    let mut checkpoint = match arguments.open_checkpoint() {
        Ok(checkpoint) => checkpoint,
        Err(problem) => return Err(Failure::Usage(problem)),
    };
    let last_event_id = checkpoint.as_ref().map(Checkpoint::last_event_id).unwrap_or_default();
    let request = arguments
        .request(last_event_id)
        .on_open(move |_| screen.recovered())
        .on_error(move |error| screen.failure(error.to_string()));
    let reader = arguments.client().and_then(|client: Client| client.read(ID, request));
    let mut reader = reader.map_err(|error| Failure::Usage(arguments.culprit(error)))?;
    let handle = reader.handle();
    stop_on_signals(handle.clone()).map_err(Failure::System)?;
    stop_after(arguments.timeout, handle.clone()).map_err(Failure::System)?;
    screen.keep_up_to_date(handle.clone()).map_err(Failure::System)?;

    let mut left = arguments.count;
    // Of the checkpoint: there may be an id that is not on the disk yet.
    let mut is_behind = false;
    let mut outcome = Ok(());
    while left != Some(0) {
        let event = match reader.next_timeout(if is_behind { QUIET } else { Duration::MAX }) {
            Ok(Ok(event)) => event,
            Ok(Err(error)) => {
                outcome = Err(Failure::Connection(error));
                break;
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                report(checkpoint.as_mut().map(Checkpoint::save));
                is_behind = false;
                continue;
            }
        };
        if arguments.wants(&event) {
            if let Err(error) = screen.print(&text(&event, arguments.json)) {
                outcome = Err(Failure::Output(error));
                break;
            }
            left = left.map(|left| left - 1);
        }
        // What is left out counts as written.
        report(checkpoint.as_mut().map(|checkpoint| checkpoint.commit(event.id().unwrap_or_default())));
        is_behind = checkpoint.is_some();
    }
    drop(reader);
    drop(checkpoint);
    screen.end(&handle);
    match outcome {
        // The log has said it.
        Err(Failure::Connection(error)) if screen.shows_failures() => process::exit(exit_code(&error).into()),
        outcome => outcome,
    }
}

fn text(event: &Event, json: bool) -> String {
    if !json {
        return event.to_string();
    }
    let object = [
        ("type", serde_json::Value::from(event.event_type())),
        ("id", event.id().into()),
        ("data", event.data().into()),
    ];
    let members: Vec<_> = object.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}\n", members.join(","))
}

/// The events go on without the checkpoint: after a restart, more of them come again.
fn report(saved: Option<io::Result<()>>) {
    if let Some(Err(error)) = saved {
        warn!("the checkpoint cannot be written: {error}");
    }
}

/// The first signal ends the stream, the second the program at once.
#[cfg(unix)]
fn stop_on_signals(handle: Handle) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        let mut signals = signals.forever();
        if signals.next().is_some() {
            thread::spawn(move || stop(&handle));
        }
        if signals.next().is_some() {
            process::exit(OUTPUT.into());
        }
    })?;
    Ok(())
}

/// Elsewhere the system ends the program.
#[cfg(not(unix))]
fn stop_on_signals(_: Handle) -> io::Result<()> {
    Ok(())
}

fn stop_after(timeout: Option<Duration>, handle: Handle) -> io::Result<()> {
    let Some(timeout) = timeout else { return Ok(()) };
    thread::Builder::new().name("timeout".into()).spawn(move || {
        thread::sleep(timeout);
        stop(&handle);
    })?;
    Ok(())
}

/// Ends the stream, and with it the program, unless that is stuck in its output.
fn stop(handle: &Handle) {
    handle.stop();
    thread::sleep(PATIENCE);
    process::exit(OUTPUT.into());
}

fn print(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).map_err(Failure::Output)
}

impl Failure {
    fn is_closed_output(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == ErrorKind::BrokenPipe)
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => USAGE,
            Self::System(_) | Self::Output(_) => OUTPUT,
            Self::Connection(error) => exit_code(error),
        }
    }
}

fn exit_code(error: &Error) -> u8 {
    match error {
        Error::InvalidRequest(_) => USAGE,
        Error::Status(_) | Error::ContentType(_) | Error::ContentEncoding(_) | Error::Redirect(_) => STATUS,
        Error::Tls(_) | Error::ClockNotSet(_) => TLS,
        _ => NETWORK,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(problem) => f.write_str(problem),
            Self::System(error) => write!(f, "the system refused a thread or a signal handler: {error}"),
            Self::Output(error) => write!(f, "the output cannot be written: {error}"),
            Self::Connection(error) => write!(f, "{error}"),
        }
    }
}
