//! What to ask for, and how to treat the answer.

mod attempt;
#[cfg(feature = "multipart")]
mod multipart;
mod plan;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::event::Event;
use crate::handle::End;
use crate::outlet::Overflow;
use crate::retry::RetryPolicy;

pub use attempt::{Attempt, Opened};
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

type OnOpen = Box<dyn FnMut(&Opened<'_>) + Send>;
type OnComment = Box<dyn FnMut(&str) + Send>;
/// A closure of the user's that sees something of the connection.
type Hook<T> = Option<Box<dyn FnMut(&T) + Send>>;
type Prepare = Box<dyn FnMut(&mut Attempt<'_>) + Send>;
type Decide<T> = Box<dyn FnMut(&T) -> bool + Send>;
type Closed = Box<dyn FnOnce(&End) + Send>;

/// The user's closures. They run on the connection's thread, or inside `next()` of a reader.
#[derive(Default)]
pub(crate) struct Callbacks {
    pub(crate) retry_when: Option<Decide<Error>>,
    pub(crate) before_connect: Option<Prepare>,
    pub(crate) until: Option<Decide<Event>>,
    pub(crate) on_open: Option<OnOpen>,
    pub(crate) on_event: Hook<Event>,
    pub(crate) on_comment: Option<OnComment>,
    pub(crate) on_error: Hook<Error>,
    pub(crate) on_close: Option<Closed>,
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

    /// Sends the value as `application/json`.
    #[cfg(feature = "json")]
    pub fn json(mut self, value: &impl serde::Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(bytes) => self.body(bytes, "application/json"),
            Err(error) => {
                self.unusable = Some(format!("the JSON body cannot be written: {error}"));
                self
            }
        }
    }

    /// Sends the text as `text/plain; charset=utf-8`.
    pub fn text(self, text: impl Into<String>) -> Self {
        self.body(text.into(), "text/plain; charset=utf-8")
    }

    /// Sends the pairs as `application/x-www-form-urlencoded`.
    ///
    /// # Example: a form
    ///
    /// ```
    /// use http_sse::Request;
    ///
    /// let request = Request::post("https://example.com/search").form([("q", "crab"), ("lang", "en")]);
    /// ```
    pub fn form<K: AsRef<str>, V: AsRef<str>>(self, pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.body(text, "application/x-www-form-urlencoded")
    }

    /// Sends the bytes. Default: no body, and no Content-Type.
    pub fn body(mut self, bytes: impl Into<Vec<u8>>, content_type: impl Into<String>) -> Self {
        self.body = Some(Arc::from(bytes.into()));
        self.content_type = Some(content_type.into());
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

    /// Decides for each failure whether to try again, in place of [`Error::is_transient`].
    ///
    /// Asked only where the policy retries at all; its limits stay in force.
    ///
    /// # Example: a server that answers 404 until it is ready
    ///
    /// ```
    /// use http_sse::Request;
    ///
    /// let request = Request::get("https://example.com/events")
    ///     .retry_when(|error| error.is_transient() || error.status() == Some(404));
    /// ```
    pub fn retry_when(mut self, decide: impl FnMut(&Error) -> bool + Send + 'static) -> Self {
        self.callbacks.retry_when = Some(Box::new(decide));
        self
    }

    /// Runs before each attempt: fresh headers and query, or no attempt at all.
    ///
    /// With it set, a 401 is retried once in a row, at once, under every policy: the token can be renewed.
    ///
    /// # Example: a token that expires
    ///
    /// ```
    /// use http_sse::Request;
    /// # fn fresh_token() -> std::io::Result<String> { Ok("t".into()) }
    ///
    /// let request = Request::get("https://example.com/events").before_connect(|attempt| match fresh_token() {
    ///     Ok(token) => attempt.bearer_auth(token),
    ///     Err(error) => attempt.fail(error),
    /// });
    /// ```
    pub fn before_connect(mut self, prepare: impl FnMut(&mut Attempt) + Send + 'static) -> Self {
        self.callbacks.before_connect = Some(Box::new(prepare));
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

    /// Ends the stream cleanly at the first event for which this is true.
    ///
    /// That event is neither delivered nor given to [`on_event`](Self::on_event); its id counts. With it set and
    /// under [`RetryPolicy::never`] a response that ends before is [`Error::Disconnected`]: a cut answer never
    /// looks complete.
    ///
    /// # Example: the last chunk of a language model's answer
    ///
    /// ```
    /// use http_sse::Request;
    ///
    /// let request = Request::post("https://example.com/v1/chat/completions").until(|event| event.data() == "[DONE]");
    /// ```
    pub fn until(mut self, is_last: impl FnMut(&Event) -> bool + Send + 'static) -> Self {
        self.callbacks.until = Some(Box::new(is_last));
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

    /// Runs when a stream is open.
    pub fn on_open(mut self, callback: impl FnMut(&Opened) + Send + 'static) -> Self {
        self.callbacks.on_open = Some(Box::new(callback));
        self
    }

    /// Runs for each event, before it is delivered.
    pub fn on_event(mut self, callback: impl FnMut(&Event) + Send + 'static) -> Self {
        self.callbacks.on_event = Some(Box::new(callback));
        self
    }

    /// Runs for each comment line, with everything after its colon; 4 KiB of it at most.
    pub fn on_comment(mut self, callback: impl FnMut(&str) + Send + 'static) -> Self {
        self.callbacks.on_comment = Some(Box::new(callback));
        self
    }

    /// Runs once for each failure: before the wait for a retry, before a terminal one is delivered,
    /// and for each event that was skipped as too large.
    pub fn on_error(mut self, callback: impl FnMut(&Error) + Send + 'static) -> Self {
        self.callbacks.on_error = Some(Box::new(callback));
        self
    }

    /// Runs exactly once and last, before the channel ends.
    pub fn on_close(mut self, callback: impl FnOnce(&End) + Send + 'static) -> Self {
        self.callbacks.on_close = Some(Box::new(callback));
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
