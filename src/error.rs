//! What can go wrong, and how it is treated.

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

/// A failure of a connection, or of a call that starts one.
///
/// Cheap to clone. [`Error::is_transient`] says what is worth another attempt; a connection that
/// retries does so by itself, and only the failure it gives up on reaches its consumer.
///
/// # Example: telling failures apart
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
    /// The caller passed something unusable; the text names it, but never a secret.
    InvalidRequest(String),
    /// A live connection of this client already has the id.
    DuplicateId(String),
    /// The operating system refused a thread.
    Spawn(Arc<io::Error>),
    /// The network or the operating system failed: look-up, connect, read or write.
    Io(Arc<io::Error>),
    /// TLS failed: an untrusted certificate, a wrong name, a broken handshake, or roots that cannot be read.
    Tls(Arc<io::Error>),
    /// The server's certificate is not valid at this machine's time, and that time is before the release of this version
    /// of the crate: the clock is not set.
    ///
    /// A certificate that is not valid yet, or has expired, by a clock that may be right is [`Tls`](Self::Tls).
    ClockNotSet(Arc<io::Error>),
    /// The server's certificate is not a pinned one; holds what it showed. No policy tries again, since a later attempt may
    /// reach the same impostor: [`Request::retry_when`](crate::Request::retry_when) can.
    PinMismatch(Arc<PinMismatch>),
    /// A phase took longer than its limit.
    Timeout(Timeout),
    /// The response ended before it was complete, or before the event of
    /// [`Request::until`](crate::Request::until).
    Disconnected,
    /// The response ended as its framing says, and had no event; holds what it had instead, 4 KiB at most, invalid UTF-8
    /// replaced. [`Error::body`] returns it.
    NoEvent(Option<Arc<str>>),
    /// The server set a last event id that cannot be sent back; says why. The stream goes on, and the next attempt does
    /// without. Told to [`Request::on_error`](crate::Request::on_error) once per id, never a consumer.
    LastEventId(String),
    /// An event's [`Cursor`](crate::Cursor) cannot be sent; says why. The stream goes on, and the next attempt sends the
    /// one before.
    Cursor(String),
    /// The server answered with a status that opens no stream.
    ///
    /// 200 does, and every other 2xx but 204 and 205 where the request is not a GET.
    Status(Arc<ErrorResponse>),
    /// The response is not `text/event-stream`; holds its status, its type and the start of its body.
    ContentType(Arc<ErrorResponse>),
    /// The response is compressed and that was not asked for; holds the Content-Encoding received. `gzip` can be asked for:
    /// `Request::accept_gzip`.
    ///
    /// Only for codings that change the body: gzip, x-gzip, deflate, br, zstd, compress, x-compress, dcb and dcz. Any
    /// other word (`none`, `utf-8`) is ignored.
    ContentEncoding(String),
    /// A redirect cannot be followed; says why.
    Redirect(String),
    /// The peer does not speak HTTP/1.1: a malformed or oversized head, or broken framing.
    Protocol(String),
    /// An event is larger than the limit of [`Request::max_event_size`](crate::Request::max_event_size).
    EventTooLarge {
        /// The limit in bytes.
        limit: usize,
        /// A block or line ran past 16 times the limit, which ends the response. An id that the block had before counts,
        /// so the next attempt asks for what follows it. Otherwise one event was skipped, and the stream goes on.
        is_runaway: bool,
    },
    /// The proxy asks for a user name and password, or for others (407); holds its address.
    ProxyAuthentication(String),
    /// A panic ended the connection; says in whose code.
    Panicked(PanicOrigin),
    /// An event's data is not the JSON document that was expected, or it is a [gap](Event::gap).
    Json(Arc<JsonError>),
}

/// The phase whose limit was passed.
///
/// # Example: a silent stream is not a slow server
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
    /// Looking up the host name.
    Resolve,
    /// TCP connect, the proxy's CONNECT and the TLS handshake, look-up included.
    Connect,
    /// Sending the request and receiving the complete response head.
    Response,
    /// Nothing was received for the idle timeout.
    Idle,
}

/// Whose code panicked.
///
/// # Example: a defect of the program, or not
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
    /// A callback of the request, or a value that one had captured, when it was dropped.
    Callback,
    /// The library, or what it calls besides callbacks: the logger, the verifier of a `tls_config`, and the `Display` of an
    /// error that was given to [`Attempt::fail`](crate::Attempt::fail).
    Library,
}

impl Error {
    /// Tells whether another attempt may succeed.
    ///
    /// Transient are network, TLS and clock failures, timeouts, disconnects, responses without an event, malformed ones and the
    /// statuses 408, 425, 429, 500, 502, 503, 504, 520 to 527 and 529.
    ///
    /// # Example: sort failures by hand
    ///
    /// ```
    /// use http_sse::{Error, ErrorResponse};
    ///
    /// assert!(Error::Disconnected.is_transient());
    /// assert!(Error::from(ErrorResponse::new(503)).is_transient());
    /// assert!(!Error::from(ErrorResponse::new(403)).is_transient());
    /// ```
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

    /// Tells whether a phase took longer than its limit.
    ///
    /// # Example: every phase counts
    ///
    /// ```
    /// use http_sse::{Error, Timeout};
    ///
    /// assert!(Error::Timeout(Timeout::Idle).is_timeout());
    /// assert!(!Error::Disconnected.is_timeout());
    /// ```
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }

    /// Returns `true` if only one event's JSON is bad, or typed iteration has come to a [gap](Event::gap); the stream itself
    /// goes on.
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

    /// Returns how long the server asked to wait, from `Retry-After` (RFC 9110 section 10.2.3).
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

    /// Returns the first 4 KiB of the body of an [`Error::Status`] or [`Error::ContentType`], or of a stream without an event
    /// ([`Error::NoEvent`]), invalid UTF-8 replaced.
    ///
    /// `None` when it is empty or encoded (`gzip`, unless the request asked for that), and for every other error. What does
    /// not arrive within a second is not waited for.
    ///
    /// # Example: what the server has to say
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

    /// Returns the event whose JSON is bad, or which is a [gap](Event::gap); `None` for every other error.
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
            Self::Json(json) => Some(&json.event),
            _ => None,
        }
    }

    fn response(&self) -> Option<&ErrorResponse> {
        match self {
            Self::Status(response) | Self::ContentType(response) => Some(response),
            _ => None,
        }
    }

    /// Returns the text for the log, which never shows the value of a header, nor anything of a body.
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
        Self::Json(Arc::new(JsonError { event, source: Box::new(source) }))
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
            Self::Json(json) => match json.event.gap() {
                Some(gap) => write!(f, "{gap}"),
                None => write!(f, "the event's data is not the expected JSON: {}", json.source),
            },
        }
    }
}

/// Returns what would make a coding readable.
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
            Self::Json(json) => json.source.source(),
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
