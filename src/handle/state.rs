//! The observable state of a connection: what it is doing, why it ended, and its statistics.

use std::time::Duration;

use crate::error::Error;

/// What a connection is doing.
///
/// # Example: a status light
///
/// ```
/// use http_sse::State;
///
/// fn colour(state: State) -> &'static str {
///     match state {
///         State::Open => "green",
///         State::Connecting | State::Waiting => "yellow",
///         _ => "red",
///     }
/// }
/// assert_eq!(colour(State::Closed), "red");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// DNS lookup, connect, or waiting for the response head.
    Connecting,
    /// The stream is open.
    Open,
    /// Waiting before the next attempt.
    Waiting,
    /// Ended or stopped.
    Closed,
}

/// Why a connection ended.
///
/// # Example: should the user know?
///
/// ```
/// use http_sse::{Client, End, Request};
///
/// let reader = Client::new().read("news", Request::get("https://example.com/events"))?;
/// let handle = reader.handle();
/// drop(reader);
/// match handle.end() {
///     Some(End::Failed(error)) => eprintln!("lost: {error}"),
///     Some(End::Stopped) => {}
///     end => panic!("{end:?}"),
/// }
/// # Ok::<(), http_sse::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum End {
    /// It was stopped or dropped.
    Stopped,
    /// The server answered 204: do not reconnect (HTML §9.2.3).
    NoContent,
    /// The server accepted the request without a stream: 202 for a request other than GET, without an event stream.
    /// Contains the status.
    NoStream(u16),
    /// The event of [`Request::until`](crate::Request::until) was received.
    Until,
    /// A one-shot response ended cleanly.
    Complete,
    /// The connection failed and does not retry.
    Failed(Error),
}

/// Statistics of a connection at one moment.
///
/// # Example: one line for the log
///
/// ```
/// use http_sse::Stats;
///
/// fn line(stats: &Stats) -> String {
///     format!("{} events, {} bytes, {} attempts", stats.events, stats.bytes, stats.attempts)
/// }
/// assert_eq!(line(&Stats::default()), "0 events, 0 bytes, 0 attempts");
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Events received.
    pub events: u64,
    /// Comment lines received.
    pub comments: u64,
    /// Bytes of response bodies received, after decompression.
    pub bytes: u64,
    /// Events dropped because the consumer was slow.
    pub dropped: u64,
    /// Events skipped because they were too large.
    pub oversized: u64,
    /// Attempts made.
    pub attempts: u64,
    /// Failures in a row so far.
    pub consecutive_failures: u32,
    /// The status of the last response.
    pub last_status: Option<u16>,
    /// Time since the last byte of the open stream; `None` if no stream is open.
    pub idle_for: Option<Duration>,
    /// The last reconnection time of the server, from `retry:` (HTML §9.2.6); `None` if it has sent none.
    ///
    /// Unchanged, for a program that makes the next request itself. The connection's own delays stay within the limits
    /// of its policy.
    pub reconnection_time: Option<Duration>,
    /// Time until the next attempt; `None` if no attempt is scheduled.
    pub retry_in: Option<Duration>,
}

impl End {
    /// Returns the text for the log.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Stopped => "stopped".into(),
            Self::NoContent => "the server asked not to reconnect (204)".into(),
            Self::NoStream(status) => format!("the server accepted the request without a stream ({status})"),
            Self::Until => "the last event was received".into(),
            Self::Complete => "the response is complete".into(),
            Self::Failed(error) => error.log_text(),
        }
    }
}
