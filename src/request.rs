//! What to ask for, and how to handle the response.

mod attempt;
mod body;
mod cursor;
#[cfg(feature = "gzip")]
mod gzip;
mod hooks;
mod limits;
#[cfg(feature = "multipart")]
mod multipart;
mod origins;
mod prepared;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::broadcast::{Overflow, Queueing};
use crate::retry::RetryPolicy;

pub use attempt::{Attempt, Response};
pub use cursor::Cursor;
pub(crate) use cursor::check_value as check_cursor;
pub(crate) use hooks::Callbacks;
#[cfg(feature = "multipart")]
pub use multipart::Multipart;
pub(crate) use prepared::{MAX_CAPACITY, MAX_LAST_EVENT_ID, PreparedRequest, check_last_event_id, insert_header};

/// What to ask for, and how to handle the response.
///
/// It is sent again for every reconnect. Setters accept any value; an invalid one is
/// [`Error::InvalidRequest`](crate::Error::InvalidRequest) from [`Client::connect`](crate::Client::connect) and the
/// other calls that open a connection, before any network I/O.
///
/// # Threads
///
/// Callbacks run on the connection's thread, or with [`Client::read`](crate::Client::read) on the caller's thread
/// inside `next()`. They run in the order of the stream, each before the event is delivered. A slow callback delays the
/// stream; one that panics ends the connection with [`Error::Panicked`](crate::Error::Panicked).
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
#[must_use = "a request does nothing until a client opens it"]
pub struct Request {
    method: String,
    url: String,
    query: Vec<(String, String)>,
    headers: Vec<Header>,
    body: Option<Arc<[u8]>>,
    content_type: Option<String>,
    last_event_id: String,
    cursor: Option<Cursor>,
    ends_without_blank_line: bool,
    policy: Option<RetryPolicy>,
    connect_timeout: Option<Duration>,
    /// `None` if not set: the idle timeout applies.
    response_timeout: Option<Option<Duration>>,
    idle_timeout: Option<Duration>,
    max_event_size: usize,
    capacity: usize,
    overflow: Overflow,
    keeps_raw: bool,
    marks_gaps: bool,
    any_content_type: bool,
    accepts_gzip: bool,
    max_redirects: u32,
    trusted_origins: Vec<String>,
    keeps_body_at_origin: bool,
    callbacks: Callbacks,
    /// The error of a setter; reported together with everything else that is invalid.
    unusable: Option<String>,
}

struct Header {
    name: String,
    value: String,
    replaces: bool,
}

impl Request {
    /// Creates a GET request.
    ///
    /// The URL is serialised like in a browser (URL Standard): characters that must be encoded are encoded, all others
    /// are unchanged. A user name and password become [`basic_auth`](Self::basic_auth). A link-local address may have a
    /// zone (RFC 6874): `http://[fe80::1%25eth0]/`. A host name that is not ASCII is
    /// [`Error::InvalidRequest`](crate::Error::InvalidRequest), whose text shows the ASCII form to use.
    ///
    /// # Example: one line
    ///
    /// ```
    /// use http_sse::Request;
    ///
    /// let request = Request::get("https://example.com/events");
    /// assert!(format!("{request:?}").contains("GET"));
    /// ```
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// Creates a POST request.
    ///
    /// It is not repeated unless [`retry`](Self::retry) allows it.
    ///
    /// # Example: a question with a streamed answer
    ///
    /// ```
    /// use http_sse::Request;
    ///
    /// let request = Request::post("https://example.com/ask").text("Why is the sky blue?");
    /// ```
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// Creates a request with any method token (RFC 9110 section 9.1), which is case-sensitive.
    ///
    /// # Example: a method without a constructor
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// let reader = Client::new().read("a", Request::new("REPORT", "https://example.com/calendar"))?;
    /// assert!(Client::new().read("a", Request::new("NO TOKEN", "https://example.com/")).is_err());
    /// # drop(reader);
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn new(method: &str, url: impl Into<String>) -> Self {
        Self {
            method: method.to_owned(),
            url: url.into(),
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            content_type: None,
            last_event_id: String::new(),
            cursor: None,
            ends_without_blank_line: false,
            policy: None,
            connect_timeout: Some(Duration::from_secs(10)),
            response_timeout: None,
            idle_timeout: Some(Duration::from_secs(300)),
            max_event_size: 1 << 20,
            capacity: 256,
            overflow: Overflow::Block,
            keeps_raw: false,
            marks_gaps: false,
            any_content_type: false,
            accepts_gzip: false,
            max_redirects: 10,
            trusted_origins: Vec::new(),
            keeps_body_at_origin: false,
            callbacks: Callbacks::default(),
            unusable: None,
        }
    }

    /// Sets a header, replacing an equal name (case-insensitive) of this request or the client.
    ///
    /// Default: `Accept: text/event-stream`, `Cache-Control: no-cache` (HTML §9.2.2), `Accept-Encoding: identity`, and
    /// the headers of the client.
    ///
    /// # Example: the last value wins
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     assert_eq!(peer.request().headers("accept-language"), ["de"]);
    /// #     peer.respond(204, &[], "");
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let request = Request::get(url).header("accept-language", "en").header("Accept-Language", "de");
    /// for event in client.read("news", request)? {
    ///     println!("in German: {}", event?.data());
    /// }
    /// # server.finish();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push(Header { name: name.into(), value: value.into(), replaces: true });
        self
    }

    /// Adds a header, keeping those of an equal name of this request; those of the client are replaced. Default: none.
    ///
    /// # Example: two cookies
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     assert_eq!(peer.request().headers("cookie"), ["a=1", "b=2"]);
    /// #     peer.respond(204, &[], "");
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let request = Request::get(url).append_header("cookie", "a=1").append_header("cookie", "b=2");
    /// for event in client.read("news", request)? {
    ///     println!("{}", event?.data());
    /// }
    /// # server.finish();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push(Header { name: name.into(), value: value.into(), replaces: false });
        self
    }

    /// Sets `Authorization: Bearer` (RFC 6750). Default: none.
    ///
    /// For a token that expires, see [`before_connect`](Self::before_connect).
    ///
    /// # Example: a token that does not show in the log
    ///
    /// ```
    /// use http_sse::Request;
    ///
    /// let request = Request::get("https://example.com/events").bearer_auth("s3cret");
    /// assert!(!format!("{request:?}").contains("s3cret"));
    /// ```
    pub fn bearer_auth(self, token: impl AsRef<str>) -> Self {
        self.header("authorization", format!("Bearer {}", token.as_ref()))
    }

    /// Sets `Authorization: Basic` (RFC 7617), as UTF-8. Default: the user name and password of the URL, if any.
    ///
    /// # Example: user and password
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     assert_eq!(peer.request().header("authorization"), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    /// #     peer.respond(204, &[], "");
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// for event in client.read("cave", Request::get(url).basic_auth("Aladdin", "open sesame"))? {
    ///     println!("{}", event?.data());
    /// }
    /// # server.finish();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn basic_auth(self, user: impl AsRef<str>, password: impl AsRef<str>) -> Self {
        let value = crate::http::basic(user.as_ref().as_bytes(), password.as_ref().as_bytes());
        // Base64 is ASCII.
        let value = value.to_str().unwrap_or_default().to_owned();
        self.header("authorization", value)
    }

    /// Adds a pair to the URL's query, form-encoded: a space becomes `+`. Default: the query of the URL.
    ///
    /// # Example: text that needs encoding
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     assert_eq!(peer.request().path(), "/events?all=1&topic=sea+%26+air");
    /// #     peer.respond(204, &[], "");
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/events?all=1"));
    /// let request = Request::get(url).query("topic", "sea & air"); // …/events?all=1&topic=sea+%26+air
    /// for event in client.read("news", request)? {
    ///     println!("{}", event?.data());
    /// }
    /// # server.finish();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn query(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((key.into(), value.into()));
        self
    }

    /// Resumes after this event: sent as `Last-Event-ID` (HTML §9.2.4) until the server sets another id. Default: none.
    ///
    /// An empty id means none, as on the wire. An id with CR, LF or NUL, or with more than 7,983 bytes (a header line
    /// of 8,000), is [`Error::InvalidRequest`](crate::Error::InvalidRequest).
    ///
    /// # Example: what came after event 41
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// let reader = Client::new().read("news", Request::get("https://example.com/events").last_event_id("41"))?;
    /// assert_eq!(reader.handle().last_event_id().as_deref(), Some("41"));
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    #[allow(single_use_lifetimes, reason = "`impl Trait` cannot elide it")]
    pub fn last_event_id<'a>(mut self, id: impl Into<Option<&'a str>>) -> Self {
        self.last_event_id = id.into().unwrap_or_default().to_owned();
        self
    }

    /// Resumes by a value that is extracted from each event, for servers that do not use `id:`. Default: none.
    ///
    /// [`Handle::cursor`](crate::Handle::cursor) and [`Attempt::cursor`] return it, and a
    /// [`Checkpoint`](crate::Checkpoint) stores it instead of the last event id.
    ///
    /// # Example: a service that resumes by time
    ///
    /// ```
    /// use http_sse::{Client, Cursor, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.send("data: 1700000000 start\n\n");
    /// #     peer.wait_for_close();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/events"));
    /// let time_of = |line: &str| line.split_once(' ').map(|(time, _)| time.to_owned());
    /// let request = Request::get(url).cursor(Cursor::query("since", move |event| time_of(event.data())));
    /// let mut reader = client.read("containers", request)?;
    /// assert_eq!(reader.next().ok_or("over")??.data(), "1700000000 start");
    /// assert_eq!(reader.handle().cursor().as_deref(), Some("1700000000")); // next: /events?since=1700000000
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cursor(mut self, cursor: Cursor) -> Self {
        self.cursor = Some(cursor);
        self
    }

    /// Sets the retry policy. Default: [`RetryPolicy::default`] for GET, [`RetryPolicy::never`] for other methods.
    ///
    /// # Example: an unattended device
    ///
    /// ```
    /// use http_sse::{Request, RetryPolicy};
    ///
    /// let request = Request::get("https://example.com/events").retry(RetryPolicy::forever());
    /// ```
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Accepts any Content-Type, or none. Default: `text/event-stream` is required (HTML §9.2.3).
    ///
    /// A 202 without a Content-Type, for a request other than GET, is still [`End::NoStream`](crate::End::NoStream).
    ///
    /// # Example: a server that calls its stream text/plain
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.respond(200, &[("Content-Type", "text/plain")], "data: 1\n\n");
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let mut reader = client.read("plain", Request::get(url).any_content_type())?;
    /// assert_eq!(reader.next().ok_or("over")??.data(), "1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn any_content_type(mut self) -> Self {
        self.any_content_type = true;
        self
    }

    /// Keeps the received text of each event, for [`Event::raw`](crate::Event::raw). Default: off.
    ///
    /// # Example: a field that the standard does not know
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.send("ttl: 5\ndata: 1\n\n");
    /// #     peer.wait_for_close();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let mut reader = client.read("news", Request::get(url).keep_raw())?;
    /// assert_eq!(reader.next().ok_or("over")??.raw(), Some("ttl: 5\ndata: 1"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn keep_raw(mut self) -> Self {
        self.keeps_raw = true;
        self
    }

    pub(crate) fn queueing(&self) -> Queueing {
        Queueing { capacity: self.capacity, overflow: self.overflow, marks_gaps: self.marks_gaps }
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
            .field("response_timeout", &self.response_timeout.unwrap_or(self.idle_timeout))
            .field("idle_timeout", &self.idle_timeout)
            .field("max_event_size", &self.max_event_size)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
