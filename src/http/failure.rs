//! Translates what ureq and the transport report into this crate's errors.

use std::io::{self, ErrorKind};
#[cfg(feature = "tls")]
use std::time::SystemTime;

use crate::cancel::Cancelled;
#[cfg(feature = "tls")]
use crate::error::PinMismatch;
use crate::error::{Error, Timeout};
use crate::transport::Fault;

/// The release date of this version, in seconds since 1970: 22 November 2026. Update it at each release.
#[cfg(feature = "tls")]
const RELEASED: u64 = 1_795_305_600;

/// Why an attempt, or a stream, ended.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The attempt was cancelled: nothing failed.
    Cancelled,
    Error(Error),
}

impl Failure {
    /// Maps a fault of the transport in a phase with this timeout.
    pub(super) fn of(fault: Fault, timeout: Timeout) -> Self {
        match fault {
            Fault::Cancelled => Self::Cancelled,
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

impl From<Cancelled> for Failure {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
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
                Error::InvalidRequest("cannot write the request as HTTP/1.1".into())
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

/// Keeps the text and drops the type: no type of rustls is part of this API.
#[cfg(feature = "tls")]
fn tls(error: &rustls::Error) -> Error {
    use rustls::InvalidMessage::InvalidContentType;
    if let Some(shown) = pin_mismatch(error) {
        return Error::PinMismatch(std::sync::Arc::new(shown.clone()));
    }
    let text = match error {
        // Usually the text of a server that expected a plain request.
        rustls::Error::InvalidMessage(InvalidContentType) => {
            "the server does not speak TLS on this port, is it an http port?".into()
        }
        error => error.to_string(),
    };
    let text = std::sync::Arc::new(io::Error::new(ErrorKind::InvalidData, text));
    if is_clock_not_set(error) { Error::ClockNotSet(text) } else { Error::Tls(text) }
}

/// Returns the mismatch, if the verifier of pins has refused the certificate.
#[cfg(feature = "tls")]
fn pin_mismatch(error: &rustls::Error) -> Option<&PinMismatch> {
    match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::Other(error)) => error.0.downcast_ref(),
        _ => None,
    }
}

/// Returns `true` if the certificate was checked with a clock that cannot be right.
#[cfg(feature = "tls")]
fn is_clock_not_set(error: &rustls::Error) -> bool {
    use rustls::CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    let clock = match error {
        // Before 1970.
        rustls::Error::FailedToGetCurrentTime => return true,
        rustls::Error::InvalidCertificate(NotValidYetContext { time, .. } | ExpiredContext { time, .. }) => {
            time.as_secs()
        }
        rustls::Error::InvalidCertificate(NotValidYet | Expired) => now(),
        _ => return false,
    };
    clock < RELEASED
}

/// Returns the machine's time in seconds since 1970.
#[cfg(feature = "tls")]
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(all(test, feature = "tls"))]
mod tests {
    use std::time::Duration;

    use rustls::CertificateError::{ExpiredContext, NotValidYetContext, UnknownIssuer};
    use rustls::pki_types::UnixTime;

    use super::*;

    #[test]
    fn a_clock_before_the_release_is_not_set_and_every_other_may_be_right() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        for (clock, is_not_set) in [(0, true), (RELEASED - 1, true), (RELEASED, false), (u64::MAX, false)] {
            let time = at(clock);
            for error in [
                NotValidYetContext { time, not_before: at(clock.saturating_add(1)) },
                ExpiredContext { time, not_after: at(clock.saturating_sub(1)) },
            ] {
                assert_eq!(is_clock_not_set(&error.into()), is_not_set, "{clock}");
            }
        }
        assert!(is_clock_not_set(&rustls::Error::FailedToGetCurrentTime));
        assert!(!is_clock_not_set(&UnknownIssuer.into()));
    }

    #[test]
    fn the_release_is_the_last_of_the_changelog_and_not_in_the_future() {
        let log = include_str!("../../CHANGELOG.md");
        let last =
            log.lines().filter_map(|line| line.strip_prefix("## [")?.split_once("] - ")).map(|(_, day)| day).next();
        let day: Vec<u64> = last.unwrap_or("2026-11-22").split('-').map(|part| part.parse().unwrap()).collect();
        // Days of the Gregorian calendar, in years that begin with March.
        let (year, month) = if day[1] > 2 { (day[0], day[1] - 3) } else { (day[0] - 1, day[1] + 9) };
        let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day[2] - 1;
        assert_eq!(RELEASED, (days - 719_468) * 86_400);
        assert!(RELEASED < now());
    }
}
