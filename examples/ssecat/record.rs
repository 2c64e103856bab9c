//! `--record`: the received bytes, with their times and cuts. `http_sse::testing::Server::replay` replays them.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use http_sse::{Error, Response};
use log::warn;

use crate::format::utc;
use crate::status::harmless;

/// Records received data; nothing of the request, which may contain secrets.
#[derive(Clone)]
pub(crate) struct Recorder(Arc<Mutex<Recording>>);

struct Recording {
    /// `None` once it could not be written.
    file: Option<File>,
    began: Instant,
    /// A stream is open.
    is_open: bool,
}

impl Recorder {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let mut file = File::create(path)?;
        let (version, time) = (env!("CARGO_PKG_VERSION"), utc(SystemTime::now()));
        file.write_all(format!("http-sse recording 1\n# ssecat {version}, {time}\n").as_bytes())?;
        Ok(Self(Arc::new(Mutex::new(Recording { file: Some(file), began: Instant::now(), is_open: false }))))
    }

    pub(crate) fn opened(&self, response: &Response<'_>) {
        let mut recording = self.lock();
        // The previous response broke off, otherwise its end would be recorded.
        recording.end("cut");
        let content_type = response.header("content-type").unwrap_or("text/event-stream");
        recording.write(format_args!("open {} {}", response.status(), harmless(content_type)));
        recording.is_open = true;
    }

    /// A piece of the body; an empty one is its end.
    pub(crate) fn received(&self, bytes: &[u8]) {
        let mut recording = self.lock();
        match bytes {
            [] => recording.end("end"),
            bytes => recording.write(format_args!("body {}", Escaped(bytes))),
        }
    }

    pub(crate) fn failed(&self, error: &Error) {
        let mut recording = self.lock();
        let text = error.to_string();
        match error {
            // The stream continues.
            Error::EventTooLarge { .. } => {}
            _ => recording.end("cut"),
        }
        match error.status() {
            Some(status) => recording.write(format_args!("status {status}")),
            None => recording.comment(&text),
        }
    }

    /// Nothing more is read.
    pub(crate) fn stopped(&self) {
        self.lock().end("stop");
    }

    fn lock(&self) -> MutexGuard<'_, Recording> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recording {
    fn end(&mut self, how: &str) {
        if self.is_open {
            self.write(format_args!("{how}"));
            self.is_open = false;
        }
    }

    fn write(&mut self, what: fmt::Arguments<'_>) {
        self.line(&format!("{:.6} {what}\n", self.began.elapsed().as_secs_f64()));
    }

    fn comment(&mut self, text: &str) {
        self.line(&format!("# {:.6} {}\n", self.began.elapsed().as_secs_f64(), harmless(text)));
    }

    fn line(&mut self, line: &str) {
        let Some(file) = &mut self.file else { return };
        if let Err(error) = file.write_all(line.as_bytes()) {
            warn!("cannot write the recording, it ends here: {error}");
            self.file = None;
        }
    }
}

/// Text is unchanged; other bytes, and characters that would break a line, are escaped.
struct Escaped<'a>(&'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '\n' => f.write_str("\\n")?,
                    '\r' => f.write_str("\\r")?,
                    '\t' => f.write_str("\\t")?,
                    '\\' => f.write_str("\\\\")?,
                    control if control.is_control() => hexadecimal(control.encode_utf8(&mut [0; 4]).as_bytes(), f)?,
                    other => write!(f, "{other}")?,
                }
            }
            hexadecimal(chunk.invalid(), f)?;
        }
        Ok(())
    }
}

fn hexadecimal(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))
}
