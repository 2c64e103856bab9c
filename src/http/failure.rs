//! Translates what ureq and rustls report into this crate's errors.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use crate::error::{Error, Timeout};
use crate::stop::Cut;
use crate::transport::{HEAD_LIMIT, Interrupt};

/// Why an attempt, or a stream, is over.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The lap was cut: nothing failed.
    Cut,
    Error(Error),
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

impl From<Interrupt> for Failure {
    fn from(interrupt: Interrupt) -> Self {
        match interrupt {
            Interrupt::Cut => Self::Cut,
            Interrupt::Timeout(timeout) => Error::Timeout(timeout).into(),
            // Only a body is read with a tick, and its reader takes it out before.
            Interrupt::Tick | Interrupt::Lull => Error::Timeout(Timeout::Idle).into(),
            Interrupt::HeadTooLarge => Error::Protocol(interrupt.to_string()).into(),
        }
    }
}

impl From<ureq::Error> for Failure {
    fn from(error: ureq::Error) -> Self {
        Self::Error(match error {
            ureq::Error::Io(error) => return error.into(),
            ureq::Error::Protocol(error) => Error::Protocol(error.to_string()),
            ureq::Error::LargeResponseHeader(..) => {
                Error::Protocol(format!("the response head is larger than {HEAD_LIMIT} bytes"))
            }
            ureq::Error::BodyStalled => Error::Protocol("the body's framing is cut off".into()),
            ureq::Error::HostNotFound => Error::io(io::Error::new(ErrorKind::NotFound, "the host has no address")),
            ureq::Error::ConnectProxyFailed(why) => Error::io(io::Error::other(format!("the proxy refused: {why}"))),
            ureq::Error::Tls(why) => tls(io::Error::new(ErrorKind::InvalidData, why)),
            ureq::Error::TlsRequired => tls(io::Error::new(ErrorKind::Unsupported, "the feature `tls` is off")),
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
        if let Some(interrupt) = Interrupt::of(&error) {
            return interrupt.into();
        }
        if error.get_ref().is_some_and(|inner| inner.is::<ureq::Error>()) {
            return ureq::Error::from(error).into();
        }
        #[cfg(feature = "tls")]
        if let Some(fault) = crate::transport::tls::classify(&error) {
            return Self::Error(match fault {
                crate::transport::tls::Fault::Clock => Error::ClockNotSet(plain(&error)),
                crate::transport::tls::Fault::Other => Error::Tls(plain(&error)),
            });
        }
        match error.kind() {
            ErrorKind::UnexpectedEof => Error::Disconnected.into(),
            _ => Error::io(error).into(),
        }
    }
}

/// Keeps the text and drops the type: no foreign one is part of this crate's interface.
#[cfg(feature = "tls")]
fn plain(error: &io::Error) -> Arc<io::Error> {
    Arc::new(io::Error::new(error.kind(), error.to_string()))
}

fn tls(error: io::Error) -> Error {
    Error::Tls(Arc::new(error))
}
