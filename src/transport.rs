//! The way to the server: DNS lookup, TCP, proxy and TLS, with deadlines and a stop that reach every wait.
//!
//! `http` gives it to ureq as connector and transport, up to the end of the response head. Then the [`Wire`] is taken
//! out of ureq again, and the body is read from it directly. ureq's own timers stay off.

pub(crate) mod addresses;
pub(crate) mod buffers;
pub(crate) mod connect;
pub(crate) mod dns;
pub(crate) mod link;
#[cfg(feature = "native-roots")]
mod native;
#[cfg(feature = "tls")]
mod pins;
pub(crate) mod proxy;
#[cfg(feature = "tls")]
mod reread;
pub(crate) mod route;
pub(crate) mod tcp;
#[cfg(feature = "tls")]
pub(crate) mod tls;
#[cfg(feature = "tls")]
pub(crate) mod tls_config;
#[cfg(feature = "tls")]
mod verifier;

use std::io;
use std::time::{Duration, Instant};

use crate::cancel::Cancelled;
use crate::clock;

use tcp::Tcp;
#[cfg(feature = "tls")]
use tls::Tls;

/// A connection to the server, directly or through a proxy's tunnel.
#[derive(Debug)]
pub(crate) enum Wire {
    Tcp(Tcp),
    #[cfg(feature = "tls")]
    Tls(Box<Tls>),
    #[cfg(http_sse_simulation)]
    Simulated(crate::simulation::Connection),
}

/// Why the wire brought nothing.
#[derive(Debug)]
pub(crate) enum Fault {
    Cancelled,
    /// The wait is over; the connection is as good as before.
    DeadlineReached,
    Io(io::Error),
    #[cfg(feature = "tls")]
    Tls(rustls::Error),
}

/// The largest response head that is accepted, of a server with its 1xx responses, or of a proxy, in bytes.
pub(crate) const MAX_HEAD: usize = 20 * 1024;

/// How often a read may look once its time is over: enough for the largest head, or for a TLS record.
const MAX_LOOKS: u8 = 8;

/// How long reads and writes may wait. Once that has passed, a read still takes what is there, without waiting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    since: Instant,
    /// How long there was silence before that.
    silent_for: Duration,
    /// How long there may be silence; `None` is without limit.
    idle: Option<Duration>,
    /// When it ends whatever arrives.
    deadline: Option<Instant>,
    /// How often reads have looked since: what goes on arriving does not extend it.
    looks: u8,
}

impl Wire {
    /// A connection that is there already.
    #[cfg(test)]
    pub(crate) fn over(socket: std::net::TcpStream) -> Self {
        let socket = std::sync::Arc::new(tcp::StreamSocket(socket));
        Self::Tcp(Tcp::new(socket, crate::cancel::CancelToken::new().current_attempt()))
    }

    /// Reads what has arrived, or waits for it. Zero bytes are the end: FIN, under TLS close_notify.
    #[inline]
    pub(crate) fn read(&mut self, buffer: &mut [u8], wait: &mut Wait) -> Result<usize, Fault> {
        match self {
            Self::Tcp(tcp) => tcp.read(buffer, wait),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.read(buffer, wait),
            #[cfg(http_sse_simulation)]
            Self::Simulated(connection) => connection.read(buffer, wait),
        }
    }

    /// Writes some of the bytes.
    pub(crate) fn write(&mut self, bytes: &[u8], wait: &mut Wait) -> Result<usize, Fault> {
        match self {
            Self::Tcp(tcp) => tcp.write(bytes, wait),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.write(bytes, wait),
            #[cfg(http_sse_simulation)]
            Self::Simulated(connection) => connection.write(bytes),
        }
    }

    /// Sends what a write has taken and not sent.
    #[cfg_attr(not(feature = "tls"), allow(unused_variables, reason = "TCP takes no more than it sends"))]
    pub(crate) fn flush(&mut self, wait: &mut Wait) -> Result<(), Fault> {
        match self {
            Self::Tcp(_) => Ok(()),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.flush(wait),
            #[cfg(http_sse_simulation)]
            Self::Simulated(..) => Ok(()),
        }
    }

    /// Keeps an error until nothing can be read any more: what the peer said before it comes first.
    pub(crate) fn defer(&mut self, error: io::Error) {
        match self {
            Self::Tcp(tcp) => tcp.defer(error),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.defer(error),
            #[cfg(http_sse_simulation)]
            Self::Simulated(..) => drop(error),
        }
    }

    pub(crate) fn is_tls(&self) -> bool {
        !matches!(self, Self::Tcp(_))
    }
}

impl Wait {
    /// Waits up to an instant, whatever arrives; without one, without limit.
    pub(crate) fn until(deadline: Option<Instant>) -> Self {
        Self::while_not_silent(None, Duration::ZERO, deadline)
    }

    /// Waits for as long as there is no silence of this length, some of which has passed already.
    pub(crate) fn while_not_silent(idle: Option<Duration>, silent_for: Duration, deadline: Option<Instant>) -> Self {
        Self { since: clock::now(), silent_for, idle, deadline, looks: 0 }
    }

    /// Only looks.
    pub(crate) fn none() -> Self {
        Self::until(Some(clock::now()))
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Returns for how long nothing has been received.
    pub(crate) fn silence(&self, now: Instant) -> Duration {
        self.silent_for + now.saturating_duration_since(self.since)
    }

    /// Something was received that is not data yet.
    #[cfg(feature = "tls")]
    fn restart(&mut self) {
        self.since = clock::now();
        self.silent_for = Duration::ZERO;
        if self.deadline.is_none_or(|deadline| deadline > self.since) {
            self.looks = 0;
        }
    }

    /// Returns how long to wait first. Where only silence counts, that is as of the start, without a look at the clock:
    /// a socket's timer then stays as it is from read to read.
    pub(crate) fn first(&self) -> Option<Duration> {
        match self.deadline {
            None => self.left_at(self.since),
            Some(_) => self.left(),
        }
    }

    fn left(&self) -> Option<Duration> {
        self.left_at(clock::now())
    }

    /// Allows a look behind the deadline.
    pub(crate) fn look(&mut self) -> Result<(), Fault> {
        self.looks = self.looks.saturating_add(1);
        if self.looks > MAX_LOOKS { Err(Fault::DeadlineReached) } else { Ok(()) }
    }

    fn left_at(&self, now: Instant) -> Option<Duration> {
        let idle = self.idle.map(|idle| idle.saturating_sub(self.silence(now)));
        let total = self.deadline.map(|deadline| deadline.saturating_duration_since(now));
        [idle, total].into_iter().flatten().min()
    }
}

impl From<Cancelled> for Fault {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
