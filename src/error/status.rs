//! The answer of a server that does not give the stream.

use std::time::Duration;

/// A response whose status is not 200.
///
/// # Example: what code under test may be given
///
/// ```
/// use http_sse::{Error, Status};
///
/// let error = Error::from(Status::new(503));
/// assert_eq!(error.status(), Some(503));
/// assert!(error.is_transient());
/// assert!(!Error::from(Status::new(404)).is_transient());
/// ```
#[derive(Clone, Debug)]
pub struct Status {
    code: u16,
    retry_after: Option<Duration>,
    body: Option<Box<str>>,
}

impl Status {
    /// Creates a status without body and `Retry-After`.
    ///
    /// # Example: an error for the code under test
    ///
    /// ```
    /// use http_sse::{Error, Status};
    ///
    /// assert_eq!(Error::from(Status::new(502)).to_string(), "the server answered 502");
    /// ```
    pub fn new(code: u16) -> Self {
        Self { code, retry_after: None, body: None }
    }

    pub(crate) fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }

    pub(crate) fn with_body(mut self, body: Option<String>) -> Self {
        self.body = body.map(String::into_boxed_str);
        self
    }

    /// Returns the status code.
    ///
    /// # Example: a whole class of statuses
    ///
    /// ```
    /// use http_sse::{Error, Status};
    ///
    /// let error = Error::from(Status::new(404));
    /// assert!(matches!(error, Error::Status(status) if status.code() / 100 == 4));
    /// ```
    pub fn code(&self) -> u16 {
        self.code
    }

    /// Returns how long the server asked to wait, from `Retry-After` (RFC 9110 section 10.2.3); `None` when it did not.
    ///
    /// # Example: none without the header
    ///
    /// ```
    /// use http_sse::Status;
    ///
    /// assert_eq!(Status::new(503).retry_after(), None);
    /// ```
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Returns the first 4 KiB of the response's body, invalid UTF-8 replaced; `None` when it has none.
    ///
    /// # Example: show the reason to a person
    ///
    /// ```
    /// use http_sse::Error;
    ///
    /// fn explain(error: &Error) -> String {
    ///     match error {
    ///         Error::Status(status) => format!("{}: {}", status.code(), status.body().unwrap_or("no reason given")),
    ///         other => other.to_string(),
    ///     }
    /// }
    /// assert_eq!(explain(&Error::from(http_sse::Status::new(403))), "403: no reason given");
    /// ```
    pub fn body(&self) -> Option<&str> {
        self.body.as_deref()
    }

    pub(super) fn is_transient(&self) -> bool {
        matches!(self.code, 408 | 425 | 429 | 500 | 502..=504 | 520..=527 | 529)
    }
}
