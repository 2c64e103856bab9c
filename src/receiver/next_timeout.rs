//! Why a reader returns no item in time.

use std::error::Error as StdError;
use std::fmt;

/// Why [`EventReader::next_timeout`](super::EventReader::next_timeout) returns no item.
///
/// # Example: work between events
///
/// ```
/// use http_sse::{Client, NextTimeoutError, Request};
/// use std::time::Duration;
///
/// # let server = http_sse::testing::Server::serve(|_, mut peer| {
/// #     peer.respond(200, &[("Content-Type", "text/event-stream")], "data: 1\n\n");
/// # })?;
/// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
/// # let request = Request::get(url).retry(http_sse::RetryPolicy::never());
/// let mut reader = client.read("door", request)?;
/// loop {
///     match reader.next_timeout(Duration::from_secs(1)) {
///         Ok(event) => println!("{}", event?.data()),
///         Err(NextTimeoutError::Timeout) => println!("still nothing"),
///         Err(NextTimeoutError::Ended) => break,
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a third reason would have to break every loop")]
pub enum NextTimeoutError {
    /// No item arrived in time: call again.
    Timeout,
    /// The connection has ended, and all its items were returned: [`Handle::end`](crate::Handle::end) says why it
    /// ended.
    Ended,
}

impl NextTimeoutError {
    /// Returns `true` if no item arrived in time, and a later call may return one.
    ///
    /// # Example: a loop condition
    ///
    /// ```
    /// use http_sse::NextTimeoutError;
    ///
    /// assert!(NextTimeoutError::Timeout.is_timeout());
    /// assert!(!NextTimeoutError::Ended.is_timeout());
    /// ```
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        *self == Self::Timeout
    }
}

impl fmt::Display for NextTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "no event came in time",
            Self::Ended => "the connection is over",
        })
    }
}

impl StdError for NextTimeoutError {}
