//! Errors, and their classification.

mod json;
mod pin;
mod response;

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::coding::is_gzip;
use crate::event::Event;
use crate::parser::{EventTooLarge, RUNAWAY_FACTOR};

pub use json::JsonError;
pub use pin::PinMismatch;
pub use response::ErrorResponse;

/// A failure of a connection, or of a call that opens one.
///
/// Cheap to clone. [`Error::is_transient`] returns `true` if a retry may succeed. A connection retries by itself; only
/// the failure on which it gives up reaches its consumer.
///
/// # Example: distinguish failures
///
/// ```
/// use http_sse::Error;
///
/// fn exit_code(error: &Error) -> i32 {
///     match error {
///         Error::Status(_) => 4,
///         Error::Tls(_) | Error::ClockNotSet(_) | Error::PinMismatch(_) => 5,
///         _ => 3,
///     }
/// }
/// assert_eq!(exit_code(&Error::Disconnected), 3);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// An argument of a request, an id or a [`ClientBuilder`](crate::ClientBuilder) is invalid; the text names it, but
    /// contains no secret.
    InvalidRequest(String),
    /// A live connection of this client already has the id.
    DuplicateId(String),
    /// The operating system refused a thread.
    Spawn(Arc<io::Error>),
    /// The network or the operating system failed: DNS lookup, connect, read or write.
    Io(Arc<io::Error>),
    /// TLS failed: an untrusted certificate, a wrong name, a broken handshake, or roots that cannot be read.
    Tls(Arc<io::Error>),
    /// The server's certificate is not valid at the time of the system clock, which is earlier than the release of this
    /// version of the crate: the clock is not set.
    ///
    /// With a later clock, a certificate that is not valid yet or has expired is [`Tls`](Self::Tls).
    ClockNotSet(Arc<io::Error>),
    /// The server's certificate does not match the pins; contains the received digests. No policy retries, since a
    /// later attempt may reach the same attacker; [`Request::retry_when`](crate::Request::retry_when) can.
    PinMismatch(Arc<PinMismatch>),
    /// A phase exceeded its time limit.
    Timeout(Timeout),
    /// The response ended before it was complete, or before the event of
    /// [`Request::until`](crate::Request::until).
    Disconnected,
    /// The response ended cleanly without any event; contains the start of its body, at most 4 KiB, with invalid UTF-8
    /// replaced. [`Error::body`] returns it.
    NoEvent(Option<Arc<str>>),
    /// The server set a last event id that cannot be sent back; contains the reason. The stream continues, and the next
    /// attempt omits the id. Reported to [`Request::on_error`](crate::Request::on_error) once per id, never to a
    /// consumer.
    LastEventId(String),
    /// The [`Cursor`](crate::Cursor) of an event cannot be sent; contains the reason. The stream continues, and the
    /// next attempt sends the previous cursor.
    Cursor(String),
    /// The server answered with a status that does not open a stream.
    ///
    /// 200 does, and for a request other than GET every 2xx except 204 and 205.
    Status(Arc<ErrorResponse>),
    /// The response is not `text/event-stream`; contains its status, its type and the start of its body.
    ContentType(Arc<ErrorResponse>),
    /// The response is compressed, which was not requested; contains the received Content-Encoding. Use
    /// `Request::accept_gzip` for gzip.
    ///
    /// Only for codings that change the body: gzip, x-gzip, deflate, br, zstd, compress, x-compress, dcb and dcz. Any
    /// other value (`none`, `utf-8`) is ignored.
    ContentEncoding(String),
    /// A redirect cannot be followed; contains the reason.
    Redirect(String),
    /// The response is not valid HTTP/1.1: a malformed or oversized head, or malformed framing.
    Protocol(String),
    /// An event is larger than the limit of [`Request::max_event_size`](crate::Request::max_event_size).
    EventTooLarge {
        /// The limit in bytes.
        limit: usize,
        /// `true` if a block or line exceeds 16 times the limit, which ends the response. An id earlier in the block
        /// counts, so the next attempt resumes after it. `false` if one event was skipped and the stream continues.
        is_runaway: bool,
    },
    /// The proxy requires a user name and password, or different ones (407); contains its address.
    ProxyAuthentication(String),
    /// A panic ended the connection; contains its origin.
    Panicked(PanicOrigin),
    /// The data of an event is not the expected JSON document, or the event is a [gap](Event::gap).
    Json(Arc<JsonError>),
}

/// The phase that exceeded its limit.
///
/// # Example: distinguish a silent stream from a slow server
///
/// ```
/// use http_sse::{Error, Timeout};
///
/// fn advice(error: &Error) -> &'static str {
///     match error {
///         Error::Timeout(Timeout::Idle) => "is the server alive?",
///         Error::Timeout(_) => "is the network slow?",
///         _ => "something else",
///     }
/// }
/// assert_eq!(advice(&Error::Timeout(Timeout::Connect)), "is the network slow?");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timeout {
    /// DNS lookup.
    Resolve,
    /// DNS lookup, TCP connect, the proxy's CONNECT and the TLS handshake.
    Connect,
    /// Sending the request and receiving the complete response head.
    Response,
    /// Nothing was received within the idle timeout.
    Idle,
}

/// The code that panicked.
///
/// # Example: whose defect it is
///
/// ```
/// use http_sse::{Error, PanicOrigin};
///
/// let error = Error::Panicked(PanicOrigin::Callback);
/// assert_eq!(error.to_string(), "a callback panicked");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PanicOrigin {
    /// A callback of the request, or the drop of a value that it captured.
    Callback,
    /// The library, or code that it calls other than callbacks: the logger, the verifier of a `tls_config`, and the
    /// `Display` of an error passed to [`Attempt::fail`](crate::Attempt::fail).
    Library,
}

impl Error {
    /// Returns `true` if another attempt may succeed.
    ///
    /// Transient are network, TLS and clock failures, timeouts, disconnects, responses without an event, malformed or
    /// compressed responses, oversized events, and the statuses 408, 425, 429, 500, 502, 503, 504, 520 to 527 and 529.
    ///
    /// # Example: classify failures
    ///
    /// ```
    /// use http_sse::{Error, ErrorResponse};
    ///
    /// assert!(Error::Disconnected.is_transient());
    /// assert!(Error::from(ErrorResponse::new(503)).is_transient());
    /// assert!(!Error::from(ErrorResponse::new(403)).is_transient());
    /// ```
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Io(_)
            | Self::Tls(_)
            | Self::ClockNotSet(_)
            | Self::Timeout(_)
            | Self::Disconnected
            | Self::NoEvent(_)
            | Self::Protocol(_)
            | Self::ContentEncoding(_)
            | Self::EventTooLarge { .. } => true,
            Self::Status(response) => response.is_transient(),
            Self::InvalidRequest(_)
            | Self::DuplicateId(_)
            | Self::Spawn(_)
            | Self::ContentType(_)
            | Self::Redirect(_)
            | Self::LastEventId(_)
            | Self::PinMismatch(_)
            | Self::Cursor(_)
            | Self::ProxyAuthentication(_)
            | Self::Panicked(_)
            | Self::Json(_) => false,
        }
    }

    /// Returns `true` if a phase exceeded its time limit.
    ///
    /// # Example: every phase counts
    ///
    /// ```
    /// use http_sse::{Error, Timeout};
    ///
    /// assert!(Error::Timeout(Timeout::Idle).is_timeout());
    /// assert!(!Error::Disconnected.is_timeout());
    /// ```
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }

    /// Returns `true` if the JSON of one event does not decode, or typed iteration found a [gap](Event::gap); the
    /// stream continues.
    ///
    /// # Example: a document that is not a number
    ///
    /// ```
    /// use http_sse::{Error, Event};
    ///
    /// let error = Event::new("", "{}").json::<u32>().unwrap_err();
    /// assert!(error.is_json());
    /// assert!(!Error::Disconnected.is_json());
    /// ```
    #[must_use]
    pub fn is_json(&self) -> bool {
        matches!(self, Self::Json(_))
    }

    /// Returns the HTTP status of an [`Error::Status`] or [`Error::ContentType`]; `None` for every other error.
    ///
    /// # Example: a stream that is gone for good
    ///
    /// ```
    /// use http_sse::{Error, ErrorResponse};
    ///
    /// let error = Error::from(ErrorResponse::new(410));
    /// assert_eq!(error.status(), Some(410));
    /// assert_eq!(Error::Disconnected.status(), None);
    /// ```
    pub fn status(&self) -> Option<u16> {
        self.response().map(ErrorResponse::status)
    }

    /// Returns the delay that the server requested by `Retry-After` (RFC 9110 section 10.2.3).
    ///
    /// # Example: a server that is busy
    ///
    /// ```
    /// use http_sse::{Client, Request};
    /// use std::time::Duration;
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.respond(429, &[("Retry-After", "20")], "later");
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let Some(Err(error)) = client.read("ask", Request::post(url))?.next() else { panic!("no error") };
    /// assert_eq!(error.retry_after(), Some(Duration::from_secs(20)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn retry_after(&self) -> Option<Duration> {
        self.response()?.retry_after()
    }

    /// Returns the first 4 KiB of the body of an [`Error::Status`] or [`Error::ContentType`], or of a stream without an
    /// event ([`Error::NoEvent`]), with invalid UTF-8 replaced.
    ///
    /// `None` if it is empty or encoded (`gzip`, unless the request asked for it; plain text that is only labelled so
    /// is returned), and for every other error. Data that does not arrive within one second is not included.
    ///
    /// # Example: the server's message
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| peer.respond(400, &[], "no such model"))?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let Some(Err(error)) = client.read("ask", Request::post(url))?.next() else { panic!("no error") };
    /// assert_eq!((error.status(), error.body()), (Some(400), Some("no such model")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn body(&self) -> Option<&str> {
        match self {
            Self::NoEvent(received) => received.as_deref(),
            _ => self.response()?.body(),
        }
    }

    /// Returns the event whose JSON does not decode, or which is a [gap](Event::gap); `None` for every other error.
    ///
    /// # Example: keep what could not be decoded
    ///
    /// ```
    /// use http_sse::Event;
    ///
    /// let error = Event::new("", "not JSON").with_id("7").json::<u32>().unwrap_err();
    /// assert_eq!(error.event().and_then(Event::id), Some("7"));
    /// ```
    pub fn event(&self) -> Option<&Event> {
        match self {
            Self::Json(json) => Some(json.event()),
            _ => None,
        }
    }

    fn response(&self) -> Option<&ErrorResponse> {
        match self {
            Self::Status(response) | Self::ContentType(response) => Some(response),
            _ => None,
        }
    }

    /// Returns the text for the log, which never contains the value of a header or any part of a body.
    pub(crate) fn log_text(&self) -> String {
        match self {
            Self::Status(response) => format!("the server answered {}", response.status()),
            Self::ContentType(response) => match (response.content_type(), response.status()) {
                (None, _) => "the response has no content type, expected text/event-stream".into(),
                (_, 200) => "the response is not text/event-stream".into(),
                (_, status) => format!("the response ({status}) is not text/event-stream"),
            },
            Self::ContentEncoding(encoding) => {
                format!("the response has a content encoding that was not requested{}", way_out(encoding))
            }
            Self::NoEvent(_) => "the stream ended without an event".into(),
            other => other.to_string(),
        }
    }

    #[cfg(feature = "json")]
    pub(crate) fn json(event: Event, source: serde_json::Error) -> Self {
        Self::Json(Arc::new(JsonError { event, cause: Box::new(source) }))
    }

    pub(crate) fn io(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

impl From<ErrorResponse> for Error {
    fn from(response: ErrorResponse) -> Self {
        Self::Status(Arc::new(response))
    }
}

impl From<EventTooLarge> for Error {
    fn from(error: EventTooLarge) -> Self {
        Self::EventTooLarge { limit: error.limit(), is_runaway: error.is_runaway() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidRequest(what) => write!(f, "invalid request: {what}"),
            Self::DuplicateId(id) => write!(f, "a connection with the id {id:?} is already open"),
            Self::Spawn(error) => write!(f, "cannot start a thread: {error}"),
            Self::Io(error) => write!(f, "network error: {error}"),
            Self::Tls(error) => write!(f, "TLS error: {error}"),
            Self::ClockNotSet(error) => {
                write!(f, "the system clock is earlier than the release of http-sse, is it set? {error}")
            }
            Self::PinMismatch(shown) => write!(f, "the server does not match the pin: {shown}"),
            Self::Timeout(timeout) => write!(f, "{timeout}"),
            Self::Disconnected => f.write_str("the stream ended early"),
            Self::NoEvent(received) => {
                f.write_str("the stream ended without an event")?;
                received
                    .iter()
                    .try_for_each(|received| write_excerpt(f, &ErrorResponse::new(200).with_body(&**received)))
            }
            Self::Cursor(why) => write!(f, "cannot send the cursor: {why}"),
            Self::LastEventId(why) => write!(f, "cannot send the last event id: {why}"),
            Self::Status(response) => {
                write!(f, "the server answered {}", response.status())?;
                write_excerpt(f, response)
            }
            Self::ContentType(response) => {
                match (response.content_type(), response.status()) {
                    (None, _) => f.write_str(&self.log_text())?,
                    (Some(value), 200) => write!(f, "the response is {value:?}, not text/event-stream")?,
                    (Some(value), status) => write!(f, "the response ({status}) is {value:?}, not text/event-stream")?,
                }
                write_excerpt(f, response)
            }
            Self::ContentEncoding(value) => {
                write!(f, "the response has the content encoding {value:?}, which was not requested{}", way_out(value))
            }
            Self::Redirect(why) => write!(f, "cannot follow the redirect: {why}"),
            Self::Protocol(why) => write!(f, "malformed response: {why}"),
            Self::EventTooLarge { limit, is_runaway: false } => write!(f, "an event is larger than {limit} bytes"),
            Self::EventTooLarge { limit, is_runaway: true } => {
                write!(f, "a block or line exceeds {RUNAWAY_FACTOR} times the event limit of {limit} bytes")
            }
            Self::ProxyAuthentication(proxy) => write!(f, "the proxy {proxy} requires authentication (407)"),
            Self::Panicked(PanicOrigin::Callback) => f.write_str("a callback panicked"),
            Self::Panicked(PanicOrigin::Library) => {
                f.write_str("http-sse panicked, or a logger or TLS configuration called by it")
            }
            Self::Json(json) => write!(f, "{json}"),
        }
    }
}

/// Returns a hint on how to enable a coding.
fn way_out(encoding: &str) -> &'static str {
    match (is_gzip(encoding), cfg!(feature = "gzip")) {
        (true, true) => " (use Request::accept_gzip)",
        (true, false) => " (use the feature `gzip` and Request::accept_gzip)",
        (false, _) => "",
    }
}

fn write_excerpt(f: &mut fmt::Formatter<'_>, response: &ErrorResponse) -> fmt::Result {
    match response.excerpt() {
        Some(excerpt) => write!(f, ": {excerpt}"),
        None => Ok(()),
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Spawn(error) | Self::Io(error) | Self::Tls(error) | Self::ClockNotSet(error) => error.source(),
            Self::Json(json) => json.source(),
            _ => None,
        }
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "the DNS lookup timed out",
            Self::Connect => "connecting timed out",
            Self::Response => {
                "the response head did not arrive in time (some servers send it with the first event only, or a proxy holds \
                 it back)"
            }
            Self::Idle => "nothing was received within the idle timeout",
        })
    }
}

#[cfg(test)]
mod tests;
