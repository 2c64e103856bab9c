//! What a connection tells of itself: what it does, why it is over, and its figures.

use std::time::Duration;

use crate::error::Error;

/// What a connection is doing.
///
/// # Example: a light for the connection
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
    /// Looking up, connecting, or waiting for the response head.
    Connecting,
    /// The stream is open.
    Open,
    /// Waiting before the next attempt.
    Waiting,
    /// Over, or told to stop.
    Closed,
}

/// Why a connection is over.
///
/// # Example: is it worth a word to the user?
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
    /// It was stopped, closed or dropped.
    Stopped,
    /// The server answered 204: do not come back (HTML §9.2.3).
    NoContent,
    /// The server took the request, and has no stream for it: 202 to a request that is not a GET, without an event stream.
    /// Holds the status.
    NoStream(u16),
    /// The event that [`Request::until`](crate::Request::until) waits for has come.
    Until,
    /// A one-shot response ended as its framing says.
    Complete,
    /// It failed and does not try again.
    Failed(Error),
}

/// Figures of a connection at one moment.
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
    /// Bytes of response bodies received, after decoding where they were compressed.
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
    /// How long ago the open stream received its last byte; `None` while no stream is open.
    pub idle_for: Option<Duration>,
    /// The reconnection time that the server sent last, as `retry:` (HTML §9.2.6); `None` while it has sent none.
    ///
    /// As it was sent: for a program that makes the next request itself. The connection's own waits stay within the limits
    /// of its policy.
    pub reconnection_time: Option<Duration>,
    /// How long until the next attempt; `None` while not waiting for one.
    pub retry_in: Option<Duration>,
}

impl End {
    /// What the log says.
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
