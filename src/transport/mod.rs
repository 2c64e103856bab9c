//! What ureq is given so that a stop reaches every phase: resolver, TCP connector, TLS connector.
//!
//! All limits of an attempt live in its [`Link`]; ureq's own timers stay off. Two of them would end a stream
//! that is meant to last, and none knows a phase that ends with the response head.

pub(crate) mod buffers;
pub(crate) mod dns;
mod head;
#[cfg(feature = "tls")]
pub(crate) mod roots;
pub(crate) mod tcp;
#[cfg(feature = "tls")]
pub(crate) mod tls;

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::error::Timeout;
use crate::stop::{Cut, Lap, deadline, lock};

pub(crate) use head::{HEAD_LIMIT, HeadConnector};

/// How long no byte must come until large buffers are given back: one wake-up at the end of a busy time.
pub(crate) const LULL: Duration = Duration::from_millis(100);

/// What the parts of one attempt's transport share.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) lap: Arc<Lap>,
    /// Written by the connection between calls, read by the transport within them: the same thread,
    /// or in turn with the helper that opens.
    limits: Mutex<Limits>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) phase: Phase,
    /// When the caller wants to be asked again, whatever arrives.
    pub(crate) tick: Option<Instant>,
    /// The caller holds large buffers, and wants to know when no more bytes come.
    pub(crate) minds_lull: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Look-up, TCP, proxy and TLS; `response` starts when they are through.
    Connect { until: Option<Instant>, response: Duration },
    /// Sending the request, waiting for the complete head.
    Response { until: Option<Instant> },
    /// Reading the body; without a byte for this long it is given up.
    Body { idle: Option<Duration> },
    /// Reading an error's body: a total, so that dripping bytes do not extend it.
    ErrorBody { until: Option<Instant> },
}

/// Why the transport gave up: none of it is an I/O error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupt {
    Cut,
    Timeout(Timeout),
    /// The caller's own time is over; the stream is as good as before.
    Tick,
    /// A busy stream has become quiet; it is as good as before.
    Lull,
    HeadTooLarge,
}

impl Link {
    pub(crate) fn new(lap: Arc<Lap>, now: Instant, connect: Duration, response: Duration) -> Self {
        let phase = Phase::Connect { until: deadline(now, connect), response };
        Self { lap, limits: Mutex::new(Limits { phase, tick: None, minds_lull: false }) }
    }

    pub(crate) fn limits(&self) -> Limits {
        *lock(&self.limits)
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        lock(&self.limits).phase = phase;
    }

    pub(crate) fn set_wait(&self, tick: Option<Instant>, minds_lull: bool) {
        let mut limits = lock(&self.limits);
        limits.tick = tick;
        limits.minds_lull = minds_lull;
    }

    /// Fails when the lap is cut; asked after everything that blocks.
    pub(crate) fn check(&self) -> io::Result<()> {
        if self.lap.is_cut() { Err(Interrupt::Cut.into()) } else { Ok(()) }
    }
}

impl Limits {
    /// Returns until when to wait at most, and what it means when that passes.
    fn until(&self, waiting_since: Instant) -> (Option<Instant>, Interrupt) {
        let (until, interrupt) = match self.phase {
            Phase::Connect { until, .. } => (until, Interrupt::Timeout(Timeout::Connect)),
            Phase::Response { until } | Phase::ErrorBody { until } => (until, Interrupt::Timeout(Timeout::Response)),
            Phase::Body { idle } => {
                (idle.and_then(|idle| deadline(waiting_since, idle)), Interrupt::Timeout(Timeout::Idle))
            }
        };
        match (until, self.tick) {
            (Some(until), Some(tick)) if tick < until => (Some(tick), Interrupt::Tick),
            (None, Some(tick)) => (Some(tick), Interrupt::Tick),
            _ => (until, interrupt),
        }
    }
}

impl Interrupt {
    /// Finds an interrupt in what ureq or rustls handed through.
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
        let inner = error.get_ref()?;
        if let Some(interrupt) = inner.downcast_ref::<Self>() {
            return Some(*interrupt);
        }
        match inner.downcast_ref::<ureq::Error>() {
            Some(ureq::Error::Io(error)) => Self::of(error),
            _ => None,
        }
    }
}

impl From<Interrupt> for io::Error {
    /// `Other` on purpose: ureq takes the kinds of a lost connection for the end of a body,
    /// and readers repeat `Interrupted`.
    fn from(interrupt: Interrupt) -> Self {
        Self::other(interrupt)
    }
}

impl From<Cut> for Interrupt {
    fn from(_: Cut) -> Self {
        Self::Cut
    }
}

impl fmt::Display for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => Cut.fmt(f),
            Self::Timeout(timeout) => timeout.fmt(f),
            Self::Tick => f.write_str("the caller's time is over"),
            Self::Lull => f.write_str("no more bytes for now"),
            Self::HeadTooLarge => write!(f, "the response head is larger than {HEAD_LIMIT} bytes"),
        }
    }
}

impl StdError for Interrupt {}
