//! What the callbacks around an attempt see.

use std::error::Error as StdError;
use std::fmt;

use crate::error::Error;
use crate::http::HeaderMap;

/// An attempt that is about to be made, as [`before_connect`](crate::Request::before_connect) sees it.
pub struct Attempt<'a> {
    number: u32,
    last_error: Option<&'a Error>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) last_event_id: Option<String>,
    pub(crate) failure: Option<Box<dyn StdError + Send + Sync>>,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(number: u32, last_error: Option<&'a Error>) -> Self {
        Self { number, last_error, headers: Vec::new(), query: Vec::new(), last_event_id: None, failure: None }
    }

    /// Returns which attempt of this connection it is, from 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Returns why the attempt before failed; `None` for the first, and after a stream that ended cleanly.
    pub fn last_error(&self) -> Option<&Error> {
        self.last_error
    }

    /// Sets a header for this attempt, in place of an equal name.
    pub fn header(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.headers.push((name.into(), value.into()));
    }

    /// Sets `Authorization: Bearer` for this attempt.
    pub fn bearer_auth(&mut self, token: impl AsRef<str>) {
        self.header("authorization", format!("Bearer {}", token.as_ref()));
    }

    /// Adds a pair to the URL's query for this attempt, percent-encoded.
    pub fn query(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.query.push((key.into(), value.into()));
    }

    /// Sets the last event id, for this attempt and until the server sets another.
    pub fn last_event_id(&mut self, id: impl Into<String>) {
        self.last_event_id = Some(id.into());
    }

    /// Makes this attempt fail without sending anything: a transient [`Error::Io`].
    pub fn fail(&mut self, error: impl Into<Box<dyn StdError + Send + Sync>>) {
        self.failure = Some(error.into());
    }
}

impl fmt::Debug for Attempt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("number", &self.number)
            .field("last_error", &self.last_error)
            .finish_non_exhaustive()
    }
}

/// A stream that has just opened, as [`on_open`](crate::Request::on_open) sees it.
pub struct Opened<'a> {
    pub(crate) status: u16,
    pub(crate) url: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) attempt: u32,
}

impl Opened<'_> {
    /// Returns the response's status: 200.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the URL that answered, after redirects; it may hold secrets in its query.
    pub fn url(&self) -> &str {
        self.url
    }

    /// Returns the first value of a response header, when it is visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns which attempt of this connection it is, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }
}

impl fmt::Debug for Opened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("status", &self.status).field("attempt", &self.attempt).finish_non_exhaustive()
    }
}
