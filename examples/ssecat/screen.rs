//! The outputs: events go to standard output, the status line and log lines to standard error.

use std::env;
use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use http_sse::{Error, Handle, State};
use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::format::harmless_lines;
use crate::output;
use crate::status::{Rate, Status, harmless};

/// The update interval of the status line.
const TICK: Duration = Duration::from_millis(250);
/// Moves to the start of the line and clears it.
const ERASE: &str = "\r\x1b[K";
/// Lines that are too long are cut at the terminal's edge, not wrapped.
const NO_WRAP: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";

static SCREEN: OnceLock<Screen> = OnceLock::new();

/// The use of standard error.
pub(crate) struct Messages {
    pub(crate) level: LevelFilter,
    /// A status line, if there is a terminal for it.
    pub(crate) status_line: bool,
}

/// The two outputs, which may be one terminal.
pub(crate) struct Screen {
    /// The prefix of the library's lines about the connection.
    prefix: String,
    level: LevelFilter,
    /// Only if events go to a terminal too, and make room for it: another program in between, as in `ssecat | jq`,
    /// would write into it.
    has_status_line: bool,
    events_on_terminal: bool,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// The text of the status line; empty if there is none.
    line: String,
    failure: Option<String>,
    rate: Rate,
    over: bool,
}

impl Screen {
    /// Detects the outputs, and installs the logger.
    pub(crate) fn start(id: &str, messages: Messages) -> &'static Self {
        let is_dumb = env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        let events_on_terminal = io::stdout().is_terminal();
        let screen = SCREEN.get_or_init(|| Self {
            prefix: format!("sse {id}: "),
            level: messages.level,
            has_status_line: messages.status_line && events_on_terminal && io::stderr().is_terminal() && !is_dumb,
            events_on_terminal,
            inner: Mutex::default(),
        });
        // Fails if there is a logger already: this one.
        let _ = log::set_logger(screen);
        log::set_max_level(messages.level);
        screen
    }

    /// Redraws the status line periodically, if there is one.
    pub(crate) fn keep_up_to_date(&'static self, handle: Handle) -> io::Result<()> {
        if !self.has_status_line {
            return Ok(());
        }
        let thread = thread::Builder::new().name("status".into());
        thread.spawn(move || {
            while !handle.is_closed() {
                self.draw(&handle);
                thread::sleep(TICK);
            }
        })?;
        Ok(())
    }

    /// Writes and flushes an event.
    pub(crate) fn print(&self, text: &str) -> io::Result<()> {
        if !self.events_on_terminal {
            return output::write(io::stdout().lock(), text.as_bytes());
        }
        let inner = self.inner();
        inner.erase();
        output::write(io::stdout().lock(), harmless_lines(text).as_bytes())?;
        inner.restore();
        Ok(())
    }

    /// The connection has failed and may reconnect, or has skipped an event.
    pub(crate) fn failure(&self, error: &Error) {
        let text = error.to_string();
        let mut inner = self.inner();
        match error {
            // The stream continues: the status line does not show it.
            Error::EventTooLarge { .. } if self.has_status_line && !self.shows_failures() => {
                inner.say_above(&format_args!("warning: skipped an event: {text}"));
            }
            Error::EventTooLarge { .. } => {}
            _ => inner.failure = Some(text),
        }
    }

    /// The connection is open.
    pub(crate) fn recovered(&self) {
        self.inner().failure = None;
    }

    /// Leaves the last status on the terminal.
    pub(crate) fn end(&self, handle: &Handle) {
        if !self.has_status_line {
            return;
        }
        self.draw(handle);
        let mut inner = self.inner();
        inner.over = true;
        if !inner.line.is_empty() {
            inner.line.clear();
            write_error("\n");
        }
    }

    /// Returns `true` if failures of the connection are log lines.
    pub(crate) fn shows_failures(&self) -> bool {
        self.level > LevelFilter::Warn || (self.level == LevelFilter::Warn && !self.has_status_line)
    }

    fn draw(&self, handle: &Handle) {
        let (state, stats, last_id) =
            (handle.state(), handle.stats(), handle.cursor().or_else(|| handle.last_event_id()));
        let mut inner = self.inner();
        if inner.over {
            return;
        }
        let status = Status {
            state,
            attempts: stats.attempts,
            events: stats.events,
            rate: inner.rate.sample(Instant::now(), stats.events),
            last_id: last_id.as_deref(),
            // At the end it gets a separate line.
            failure: inner.failure.as_deref().filter(|_| state != State::Closed),
            retry_in: stats.retry_in,
        };
        let line = status.to_string();
        if inner.line != line {
            inner.line = line;
            inner.restore();
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn erase(&self) {
        if !self.line.is_empty() {
            write_error(ERASE);
        }
    }

    /// Writes a line above the status line.
    fn say_above(&self, what: &dyn fmt::Display) {
        self.erase();
        say(what);
        self.restore();
    }

    fn restore(&self) {
        if !self.line.is_empty() {
            write_error(&format!("{ERASE}{NO_WRAP}{}{WRAP}", self.line));
        }
    }
}

impl Log for Screen {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Dependencies log queries and complete heads, including secrets.
        matches!(metadata.target().split("::").next(), Some("http_sse" | "ssecat"))
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = record.args().to_string();
        let of_connection = text.strip_prefix(&self.prefix);
        if of_connection.is_some() && !self.shows_failures() {
            return;
        }
        let level = match record.level() {
            Level::Warn => "warning: ",
            _ => "",
        };
        self.inner().say_above(&format_args!("{level}{}", of_connection.unwrap_or(&text)));
    }

    fn flush(&self) {}
}

/// Writes a line to standard error.
pub(crate) fn say(what: &dyn fmt::Display) {
    write_error(&format!("ssecat: {}\n", harmless(&what.to_string())));
}

fn write_error(text: &str) {
    // There is nowhere left to report it.
    let _ = output::write(io::stderr().lock(), text.as_bytes());
}
