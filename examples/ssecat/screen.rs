//! Where everything is written: events to the output, the status line and log lines to the error output.

use std::env;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use http_sse::{Handle, State};
use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::status::{Rate, Status, harmless};

/// How often the status line is brought up to date.
const TICK: Duration = Duration::from_millis(250);
/// Back to the line's start, and empty it.
const ERASE: &str = "\r\x1b[K";
/// Lines that are too long are cut at the terminal's edge, not wrapped.
const NO_WRAP: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";

static SCREEN: OnceLock<Screen> = OnceLock::new();

/// The two outputs, which may be one terminal.
pub(crate) struct Screen {
    /// What the library's lines on the connection begin with.
    prefix: String,
    has_status_line: bool,
    /// Events on a terminal too: the status line must make room for them.
    shares_terminal: bool,
    verbose: bool,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// What the status line shows; empty while there is none.
    line: String,
    failure: Option<String>,
    rate: Rate,
    over: bool,
}

impl Screen {
    /// Looks what there is to write on, and begins to take log lines.
    pub(crate) fn start(id: &str, verbose: bool) -> &'static Self {
        let is_dumb = env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        let has_status_line = io::stderr().is_terminal() && !is_dumb;
        let screen = SCREEN.get_or_init(|| Self {
            prefix: format!("sse {id}: "),
            has_status_line,
            shares_terminal: has_status_line && io::stdout().is_terminal(),
            verbose,
            inner: Mutex::default(),
        });
        // Fails when there is a logger already: this one.
        let _ = log::set_logger(screen);
        log::set_max_level(if verbose { LevelFilter::Debug } else { LevelFilter::Warn });
        screen
    }

    /// Draws the status line again and again, where there is one.
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
        let inner = self.shares_terminal.then(|| self.inner());
        if let Some(inner) = &inner {
            inner.erase();
        }
        let mut output = io::stdout().lock();
        output.write_all(text.as_bytes())?;
        output.flush()?;
        if let Some(inner) = &inner {
            inner.restore();
        }
        Ok(())
    }

    /// The connection has failed; it may come back.
    pub(crate) fn failure(&self, failure: String) {
        self.inner().failure = Some(failure);
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

    /// Tells whether failures of the connection are log lines.
    pub(crate) fn shows_failures(&self) -> bool {
        self.verbose || !self.has_status_line
    }

    fn draw(&self, handle: &Handle) {
        let (state, stats, last_id) = (handle.state(), handle.stats(), handle.last_event_id());
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
            // At the end it has a line of its own.
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

    fn restore(&self) {
        if !self.line.is_empty() {
            write_error(&format!("{ERASE}{NO_WRAP}{}{WRAP}", self.line));
        }
    }
}

impl Log for Screen {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // What the libraries below log is not checked for secrets.
        metadata.target().starts_with("http_sse") || metadata.target().starts_with("ssecat")
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
        let inner = self.inner();
        inner.erase();
        say(&format_args!("{level}{}", of_connection.unwrap_or(&text)));
        inner.restore();
    }

    fn flush(&self) {}
}

/// Writes a line to the error output.
pub(crate) fn say(what: &dyn fmt::Display) {
    write_error(&format!("ssecat: {}\n", harmless(&what.to_string())));
}

fn write_error(text: &str) {
    // There is nowhere left to complain to.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
