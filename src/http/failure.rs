//! Translates what ureq and the transport report into this crate's errors.

use std::io::{self, ErrorKind};

use crate::error::{Error, Timeout};
use crate::stop::Cut;
use crate::transport::Fault;

/// Why an attempt, or a stream, is over.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The lap was cut: nothing failed.
    Cut,
    Error(Error),
}

impl Failure {
    /// Returns what a fault of the transport means in a phase that has this timeout.
    pub(super) fn of(fault: Fault, timeout: Timeout) -> Self {
        match fault {
            Fault::Cancelled => Self::Cut,
            Fault::DeadlineReached => Error::Timeout(timeout).into(),
            Fault::Io(error) => error.into(),
            #[cfg(feature = "tls")]
            Fault::Tls(error) => tls(&error).into(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Cut> for Failure {
    fn from(_: Cut) -> Self {
        Self::Cut
    }
}

impl From<ureq::Error> for Failure {
    fn from(error: ureq::Error) -> Self {
        Self::Error(match error {
            ureq::Error::Io(error) => return error.into(),
            ureq::Error::Protocol(error) => Error::Protocol(error.to_string()),
            ureq::Error::HostNotFound => Error::io(io::Error::new(ErrorKind::NotFound, "the host has no address")),
            // Their texts may quote the URL, and a URL may hold a secret.
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
                Error::InvalidRequest("the request cannot be written as HTTP/1.1".into())
            }
            other => Error::io(io::Error::other(other.to_string())),
        })
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::UnexpectedEof => Error::Disconnected.into(),
            _ => Error::io(error).into(),
        }
    }
}

/// Returns true if the peer ended the connection, cleanly or not.
pub(super) fn is_disconnect(error: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// Keeps the text and drops the type: no foreign one is part of this crate's interface.
#[cfg(feature = "tls")]
fn tls(error: &rustls::Error) -> Error {
    use rustls::CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    let text = std::sync::Arc::new(io::Error::new(ErrorKind::InvalidData, error.to_string()));
    match error {
        rustls::Error::InvalidCertificate(
            NotValidYet | NotValidYetContext { .. } | Expired | ExpiredContext { .. },
        )
        | rustls::Error::FailedToGetCurrentTime => Error::ClockNotSet(text),
        _ => Error::Tls(text),
    }
}
