//! Captures what the library logs. The tests of one binary share the logger: each looks at the lines of its own connection.

use std::sync::{Condvar, Mutex, MutexGuard, Once, OnceLock, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::deadline;

static CAPTURE: Capture = Capture { lines: Mutex::new(Vec::new()), grown: Condvar::new() };
static INSTALL: Once = Once::new();
static LISTENER: OnceLock<fn(Level, &str)> = OnceLock::new();

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub level: Level,
    pub target: String,
    pub message: String,
}

/// The lines whose message contains a text: a connection id that no other test of the binary uses.
pub struct Logs {
    text: String,
}

impl Logs {
    /// Captures at every level from now on.
    pub fn of(text: &str) -> Self {
        install();
        Self { text: text.to_owned() }
    }

    pub fn lines(&self) -> Vec<Line> {
        self.select(&CAPTURE.lock())
    }

    pub fn at(&self, level: Level) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.level == level).map(|line| line.message).collect()
    }

    /// Waits for a line that `matches`, and fails at the caller's line after 10 s with what has been logged.
    #[track_caller]
    pub fn wait_for(&self, mut matches: impl FnMut(&Line) -> bool) -> Line {
        let missing = |lines: &mut Vec<Line>| !self.select(lines).iter().any(&mut matches);
        let (lines, _) = CAPTURE
            .grown
            .wait_timeout_while(CAPTURE.lock(), deadline(), missing)
            .unwrap_or_else(PoisonError::into_inner);
        let lines = self.select(&lines);
        match lines.iter().find(|line| matches(line)) {
            Some(line) => line.clone(),
            None => panic!("no such line after {:?}, but {lines:#?}", deadline()),
        }
    }

    fn select(&self, lines: &[Line]) -> Vec<Line> {
        lines.iter().filter(|line| line.message.contains(&self.text)).cloned().collect()
    }
}

/// Calls the listener with each line from now on, where it is logged; it may panic.
pub fn listen(listener: fn(Level, &str)) {
    LISTENER.get_or_init(|| listener);
    install();
}

fn install() {
    INSTALL.call_once(|| {
        log::set_logger(&CAPTURE).unwrap();
        log::set_max_level(LevelFilter::Trace);
    });
}

struct Capture {
    lines: Mutex<Vec<Line>>,
    grown: Condvar,
}

impl Capture {
    fn lock(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for Capture {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line =
            Line { level: record.level(), target: record.target().to_owned(), message: record.args().to_string() };
        if let Some(listener) = LISTENER.get() {
            listener(line.level, &line.message);
        }
        self.lock().push(line);
        self.grown.notify_all();
    }

    fn flush(&self) {}
}
