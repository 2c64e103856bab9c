//! The command line: its options, or one line with its error.

mod cursor;
mod help;
mod request;
mod trust;
mod value;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use http_sse::{Event, RetryPolicy};
use lexopt::{Arg, Parser};
use log::LevelFilter;

use crate::format::{Format, Layout};
use crate::record::Recorder;
use crate::screen::Messages;
use trust::Trust;

pub(crate) use help::HELP;

pub(crate) enum Wish {
    Help,
    Version,
    Read(Box<Arguments>),
}

#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) count: Option<u64>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) exec: Option<OsString>,
    pub(crate) exec_retry: Option<Duration>,
    pub(crate) record: Option<PathBuf>,
    url: String,
    method: Option<String>,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    last_id: Option<String>,
    cursor: Option<cursor::Place>,
    is_cursor_inclusive: bool,
    checkpoint: Option<PathBuf>,
    idle: Option<Duration>,
    retry: Option<RetryPolicy>,
    trust: Trust,
    resolve: Vec<(String, IpAddr)>,
    interface: Option<String>,
    unix_socket: Option<PathBuf>,
    compressed: bool,
    format: Option<Format>,
    time: bool,
    gaps: bool,
    only: Vec<String>,
    ignore: Vec<String>,
    log_level: Option<LevelFilter>,
}

impl Arguments {
    /// Reads the command line, without the program's name.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString, IntoIter: 'static>) -> Result<Wish, String> {
        let mut parser = Parser::from_args(arguments);
        let mut asked = Self::default();
        let mut url = None;
        while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
            match argument {
                Arg::Short('X') => asked.method = Some(value::text(&mut parser, "-X")?),
                Arg::Short('H') => asked.headers.push(value::header(&mut parser)?),
                Arg::Short('d') if asked.body.is_some() => return Err("-d is given twice".into()),
                Arg::Short('d') => asked.body = Some(value::body(&mut parser)?),

                Arg::Long("last-id") => asked.last_id = Some(value::text(&mut parser, "--last-id")?),
                Arg::Long("cursor") => asked.cursor = Some(value::cursor(&mut parser)?),
                Arg::Long("cursor-inclusive") => asked.is_cursor_inclusive = true,
                Arg::Long("checkpoint") => asked.checkpoint = Some(value::any(&mut parser)?.into()),

                Arg::Long("idle") => asked.idle = Some(value::seconds(&mut parser, "--idle")?),
                Arg::Long("retry") => asked.retry = Some(value::retry(&mut parser)?),
                Arg::Long("cacert") => asked.trust.cacert = Some(value::certificates(&mut parser)?),
                Arg::Long("ca-native") => asked.trust.is_native = true,
                Arg::Long("pinnedpubkey") => asked.trust.pins.extend(value::pins(&mut parser)?),
                Arg::Long("resolve") => asked.resolve.push(value::resolve(&mut parser)?),
                Arg::Long("interface") => asked.interface = Some(value::text(&mut parser, "--interface")?),
                Arg::Long("compressed") => asked.compressed = true,
                Arg::Long("unix-socket") => asked.unix_socket = Some(value::any(&mut parser)?.into()),

                Arg::Long("format") => asked.format = Some(value::format(&mut parser)?),
                Arg::Long("json") => asked.format = Some(Format::Json),
                Arg::Long("time") => asked.time = true,
                Arg::Long("gaps") => asked.gaps = true,
                Arg::Long("only") => asked.only.push(value::event_type(&mut parser, "--only")?),
                Arg::Long("ignore") => asked.ignore.push(value::event_type(&mut parser, "--ignore")?),
                Arg::Long("record") => asked.record = Some(value::any(&mut parser)?.into()),

                Arg::Long("exec") => asked.exec = Some(value::any(&mut parser)?),
                Arg::Long("exec-retry") => asked.exec_retry = Some(value::seconds(&mut parser, "--exec-retry")?),

                Arg::Long("count") => asked.count = Some(value::count(&mut parser)?),
                Arg::Long("timeout") => asked.timeout = Some(value::seconds(&mut parser, "--timeout")?),

                Arg::Short('v') => asked.log_level = Some(LevelFilter::Debug),
                Arg::Short('q') | Arg::Long("quiet") => asked.log_level = Some(LevelFilter::Off),
                Arg::Short('h') | Arg::Long("help") => return Ok(Wish::Help),
                Arg::Short('V') | Arg::Long("version") => return Ok(Wish::Version),

                // A header without quotes ends up here, possibly with a secret.
                Arg::Value(_) if url.is_some() => {
                    return Err("more than one URL: an argument with a space in it needs quotes".into());
                }
                Arg::Value(value) => url = Some(value::unicode(value, "the URL")?),
                argument => return Err(argument.unexpected().to_string()),
            }
        }
        asked.url = url.ok_or("missing URL; see --help")?;
        if asked.is_cursor_inclusive && asked.cursor.is_none() {
            return Err("--cursor-inclusive requires --cursor".into());
        }
        if asked.gaps && asked.exec.is_none() && asked.format == Some(Format::Data) {
            return Err("--gaps cannot be combined with --format data, which cannot mark a gap".into());
        }
        match (&asked.exec, asked.exec_retry) {
            (None, Some(_)) => Err("--exec-retry requires --exec".into()),
            _ => Ok(Wish::Read(Box::new(asked))),
        }
    }

    /// Starts the recording, if requested.
    pub(crate) fn start_recording(&self) -> Result<Option<Recorder>, String> {
        let Some(path) = &self.record else { return Ok(None) };
        Recorder::create(path).map(Some).map_err(|error| format!("--record {path:?}: {error}"))
    }

    pub(crate) fn wants(&self, event: &Event) -> bool {
        let is_in = |types: &[String]| types.iter().any(|named| named == event.event_type());
        event.gap().is_some() || !is_in(&self.ignore) && (self.only.is_empty() || is_in(&self.only))
    }

    /// The format of an event, for the output or a command.
    pub(crate) fn layout(&self) -> Layout {
        let default = if self.exec.is_some() { Format::Data } else { Format::Text };
        Layout { format: self.format.unwrap_or(default), has_time: self.time }
    }

    /// The use of standard error.
    pub(crate) fn messages(&self) -> Messages {
        let level = self.log_level.unwrap_or(LevelFilter::Warn);
        // A command may write to the terminal at any time.
        Messages { level, status_line: level != LevelFilter::Off && self.exec.is_none() }
    }
}
