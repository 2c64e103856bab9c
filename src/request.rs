//! What to ask for, and how to treat the answer.

mod attempt;
mod body;
mod hooks;
#[cfg(feature = "multipart")]
mod multipart;
mod plan;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::outlet::Overflow;
use crate::retry::RetryPolicy;

pub use attempt::{Attempt, Opened};
pub(crate) use hooks::Callbacks;
#[cfg(feature = "multipart")]
pub use multipart::Multipart;
#[cfg(feature = "multipart")]
pub(crate) use multipart::Part;
pub(crate) use plan::{MOST_CAPACITY, Plan, check_last_event_id, insert_header};

/// What to ask for, and how to treat the answer.
///
/// It is sent again for every reconnect. Setters take anything; what cannot be sent is
/// [`Error::InvalidRequest`] from [`Client::connect`](crate::Client::connect), before any network I/O.
///
/// # Example: a device's stream
///
/// ```
/// use http_sse::{Request, RetryPolicy};
/// use std::time::Duration;
///
/// let request = Request::get("https://example.com/events")
///     .query("topic", "weather")
///     .bearer_auth("token")
///     .last_event_id("41")
///     .retry(RetryPolicy::forever())
///     .idle_timeout(Duration::from_secs(90));
/// assert!(!format!("{request:?}").contains("token"));
/// ```
pub struct Request {
    method: String,
    url: String,
    query: Vec<(String, String)>,
    headers: Vec<Header>,
    body: Option<Arc<[u8]>>,
    content_type: Option<String>,
    last_event_id: String,
    policy: Option<RetryPolicy>,
    connect_timeout: Duration,
    response_timeout: Duration,
    idle_timeout: Option<Duration>,
    max_event_size: usize,
    capacity: usize,
    overflow: Overflow,
    keeps_raw: bool,
    any_content_type: bool,
    max_redirects: u32,
    callbacks: Callbacks,
    /// What a setter could not do; reported with everything else that is invalid.
    unusable: Option<String>,
}

struct Header {
    name: String,
    value: String,
    replaces: bool,
}

impl Request {
    /// Creates a GET request.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// Creates a POST request. It is never repeated by itself, unless [`retry`](Self::retry) says so.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// Creates a request with any method token (RFC 9110 section 9.1), which is case-sensitive.
    pub fn new(method: &str, url: impl Into<String>) -> Self {
        Self {
            method: method.to_owned(),
            url: url.into(),
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            content_type: None,
            last_event_id: String::new(),
            policy: None,
            connect_timeout: Duration::from_secs(10),
            response_timeout: Duration::from_secs(30),
            idle_timeout: Some(Duration::from_secs(300)),
            max_event_size: 1 << 20,
            capacity: 64,
            overflow: Overflow::Block,
            keeps_raw: false,
            any_content_type: false,
            max_redirects: 10,
            callbacks: Callbacks::default(),
            unusable: None,
        }
    }

    /// Sets a header, in place of an equal name (case-insensitively) of this request or the client's.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push(Header { name: name.into(), value: value.into(), replaces: true });
        self
    }

    /// Adds a header beside those of an equal name.
    pub fn append_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push(Header { name: name.into(), value: value.into(), replaces: false });
        self
    }

    /// Sets `Authorization: Bearer` (RFC 6750). For a token that expires, see [`before_connect`](Self::before_connect).
    pub fn bearer_auth(self, token: impl AsRef<str>) -> Self {
        self.header("authorization", format!("Bearer {}", token.as_ref()))
    }

    /// Sets `Authorization: Basic` (RFC 7617), as UTF-8.
    pub fn basic_auth(self, user: impl AsRef<str>, password: impl AsRef<str>) -> Self {
        let value = crate::http::basic(user.as_ref().as_bytes(), password.as_ref().as_bytes());
        // Base64 is ASCII.
        let value = value.to_str().unwrap_or_default().to_owned();
        self.header("authorization", value)
    }

    /// Adds a pair to the URL's query, percent-encoded.
    pub fn query(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((key.into(), value.into()));
        self
    }

    /// Starts in the middle: sent as `Last-Event-ID` (HTML §9.2.4) until the server sets another. Default: none.
    pub fn last_event_id(mut self, id: impl Into<String>) -> Self {
        self.last_event_id = id.into();
        self
    }

    /// Sets how the connection comes back. Default: [`RetryPolicy::default`] for GET, [`RetryPolicy::never`] for
    /// every other method.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Limits look-up, TCP, proxy and TLS together. Default: 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Limits sending the request and receiving the complete response head. Default: 30 s.
    ///
    /// Bytes that drip do not extend it.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// Limits the time without a byte, comments included, on an open stream. Default: 5 min; `None` is for ever.
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.idle_timeout = timeout.into();
        self
    }

    /// Limits what one event may hold, in bytes. Default: 1 MiB.
    ///
    /// A larger event is skipped in constant memory and reported to [`on_error`](Self::on_error) and in
    /// [`Stats::oversized`](crate::Stats::oversized); past 16 times the limit the attempt fails.
    pub fn max_event_size(mut self, bytes: usize) -> Self {
        self.max_event_size = bytes;
        self
    }

    /// Sets how many events wait for the consumer. Default: 64; 0 hands each one over directly.
    pub fn capacity(mut self, events: usize) -> Self {
        self.capacity = events;
        self
    }

    /// Sets what happens to an event for which there is no room. Default: [`Overflow::Block`].
    ///
    /// Events that are dropped are counted in [`Stats::dropped`](crate::Stats::dropped). Dropping with a capacity
    /// of 0, for `connect_all` or for `connect_to` is [`Error::InvalidRequest`].
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Accepts every Content-Type. Default: `text/event-stream` is required (HTML §9.2.3).
    pub fn any_content_type(mut self) -> Self {
        self.any_content_type = true;
        self
    }

    /// Keeps each event's text as received, for [`Event::raw`]. Default: it is not kept.
    pub fn keep_raw(mut self) -> Self {
        self.keeps_raw = true;
        self
    }

    /// Limits the redirects of one attempt. Default: 10.
    pub fn max_redirects(mut self, redirects: u32) -> Self {
        self.max_redirects = redirects;
        self
    }

    pub(crate) fn channel(&self) -> (usize, Overflow) {
        (self.capacity, self.overflow)
    }
}

impl fmt::Debug for Request {
    /// Shows no header value, query, user name, body or last event id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|header| header.name.as_str()).collect();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &crate::http::redacted_text(&self.url))
            .field("headers", &names)
            .field("body_bytes", &self.body.as_ref().map(|body| body.len()))
            .field("retry", &self.policy)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("idle_timeout", &self.idle_timeout)
            .field("max_event_size", &self.max_event_size)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
