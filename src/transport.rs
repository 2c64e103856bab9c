//! The connection to the server: DNS lookup, TCP, proxy and TLS, with deadlines and cancellation of every wait.
//!
//! `http` passes it to ureq as connector and transport, until the end of the response head. Then the [`Wire`] is taken
//! out of ureq, and the body is read from it directly. ureq's own timers are off.

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
#[cfg(http_sse_simulation)]
pub(crate) mod simulated;
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
    Simulated(simulated::Simulated),
}

/// Why the wire returned no data.
#[derive(Debug)]
pub(crate) enum Fault {
    Cancelled,
    /// The deadline was reached; the connection is unchanged.
    DeadlineReached,
    Io(io::Error),
    #[cfg(feature = "tls")]
    Tls(rustls::Error),
}

/// The maximum size of a response head, of a server including its 1xx responses or of a proxy, in bytes.
pub(crate) const MAX_HEAD: usize = 20 * 1024;

/// How often a read may poll after its deadline: enough for the largest head, or for a TLS record.
const MAX_LOOKS: u8 = 8;

/// How long reads and writes may wait. After that, a read still takes what has arrived, without waiting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    since: Instant,
    /// The time of silence before that.
    silent_for: Duration,
    /// The maximum time of silence; `None` is no limit.
    idle: Option<Duration>,
    /// The deadline, whatever arrives.
    deadline: Option<Instant>,
    /// How often reads have polled since: further data does not extend the deadline.
    looks: u8,
}

impl Wire {
    /// Wraps an existing connection.
    #[cfg(test)]
    pub(crate) fn over(socket: std::net::TcpStream) -> Self {
        let socket = std::sync::Arc::new(tcp::StreamSocket(socket));
        Self::Tcp(Tcp::new(socket, crate::cancel::CancelToken::new().current_attempt()))
    }

    /// Reads received data, or waits for it. Zero bytes are the end: FIN, with TLS close_notify.
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

    /// Sends data that a write has accepted but not sent.
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

    /// Keeps an error until nothing can be read any more: data that the peer sent before it comes first.
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
    /// Waits until a deadline, whatever arrives; `None` is no limit.
    pub(crate) fn until(deadline: Option<Instant>) -> Self {
        Self::while_not_silent(None, Duration::ZERO, deadline)
    }

    /// Waits until there is this much silence, part of which has passed already.
    pub(crate) fn while_not_silent(idle: Option<Duration>, silent_for: Duration, deadline: Option<Instant>) -> Self {
        Self { since: clock::now(), silent_for, idle, deadline, looks: 0 }
    }

    /// Polls without waiting.
    pub(crate) fn none() -> Self {
        Self::until(Some(clock::now()))
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Returns the time since the last received byte.
    pub(crate) fn silence(&self, now: Instant) -> Duration {
        self.silent_for + now.saturating_duration_since(self.since)
    }

    /// Bytes were received that are not data yet.
    #[cfg(feature = "tls")]
    fn restart(&mut self) {
        self.since = clock::now();
        self.silent_for = Duration::ZERO;
        if self.deadline.is_none_or(|deadline| deadline > self.since) {
            self.looks = 0;
        }
    }

    /// Returns how long to wait first. If only silence is limited, this is the value from the start, without reading
    /// the clock: the timer of the socket then stays the same from read to read.
    pub(crate) fn first(&self) -> Option<Duration> {
        match self.deadline {
            None => self.left_at(self.since),
            Some(_) => self.left(),
        }
    }

    fn left(&self) -> Option<Duration> {
        self.left_at(clock::now())
    }

    /// Allows one poll after the deadline.
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
