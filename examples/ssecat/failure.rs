//! Failures, as a line and as an exit code.

use std::fmt;
use std::io::{self, ErrorKind};

use http_sse::Error;

pub(crate) const DONE: u8 = 0;
pub(crate) const OUTPUT: u8 = 1;
const USAGE: u8 = 2;
const NETWORK: u8 = 3;
const STATUS: u8 = 4;
const TLS: u8 = 5;
const COMMAND: u8 = 6;
const TOO_FEW: u8 = 7;

pub(crate) enum Failure {
    Usage(String),
    System(io::Error),
    Output(io::Error),
    Command(String),
    TooFew { came: u64, wanted: u64 },
    Connection { error: Error, is_logged: bool },
}

impl Failure {
    /// Returns `true` if no message is needed: the output was closed by its reader, or the log has reported it.
    pub(crate) fn is_silent(&self) -> bool {
        match self {
            Self::Output(_) => self.exit_code() == DONE,
            Self::Connection { is_logged, .. } => *is_logged,
            _ => false,
        }
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Output(error) if error.kind() == ErrorKind::BrokenPipe => DONE,
            Self::System(_) | Self::Output(_) => OUTPUT,
            Self::Usage(_) => USAGE,
            Self::Command(_) => COMMAND,
            Self::TooFew { .. } => TOO_FEW,
            Self::Connection { error, .. } => match error {
                Error::InvalidRequest(_) => USAGE,
                Error::Status(_) | Error::ContentType(_) | Error::ContentEncoding(_) | Error::Redirect(_) => STATUS,
                Error::Tls(_) | Error::ClockNotSet(_) | Error::PinMismatch(_) => TLS,
                _ => NETWORK,
            },
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(problem) => f.write_str(problem),
            Self::System(error) => write!(f, "cannot start a thread or install a signal handler: {error}"),
            Self::Output(error) => write!(f, "cannot write the output: {error}"),
            Self::Command(problem) => f.write_str(problem),
            Self::TooFew { came, wanted } => write!(f, "received {came} of {wanted} events"),
            Self::Connection { error, .. } => write!(f, "{error}"),
        }
    }
}
