//! The user's closures: what they may decide, and what they are told.

use super::cursor::Extract;
use super::{Attempt, Opened, Request};
use crate::error::Error;
use crate::event::Event;
use crate::handle::End;

type OnOpen = Box<dyn FnMut(&Opened<'_>) + Send>;
type OnBytes = Box<dyn FnMut(&[u8]) + Send>;
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
    pub(crate) cursor: Option<Extract>,
    pub(crate) until: Option<Decide<Event>>,
    pub(crate) on_open: Option<OnOpen>,
    pub(crate) on_bytes: Option<OnBytes>,
    pub(crate) on_event: Hook<Event>,
    pub(crate) on_comment: Option<OnComment>,
    pub(crate) on_error: Hook<Error>,
    pub(crate) on_close: Option<Closed>,
}

impl Request {
    /// Decides for each failure whether to try again, in place of [`Error::is_transient`] and
    /// [`RetryPolicy::persistent`](crate::RetryPolicy::persistent).
    ///
    /// Asked only where the policy retries at all; its limits stay in force. A request that is not a GET, whose response may
    /// cost money, is not repeated after an event unless this says so, and is asked for a clean end too, with
    /// [`Error::Disconnected`] or [`Error::NoEvent`]: a subscription by POST says yes, otherwise the response is
    /// [`Complete`](crate::End::Complete). A GET comes back after a clean end without a question. Default:
    /// [`Error::is_transient`], and `false` for the rest.
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
    /// With it set, a 401 is retried once in a row, at once, under every policy: the token can be renewed. A value set
    /// there that cannot be sent is [`Error::InvalidRequest`], and ends the connection. Default: every attempt is alike.
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

    /// Ends the stream cleanly at the first event for which this is true; a response that ends before is a failure,
    /// [`Error::Disconnected`].
    ///
    /// So a cut answer never looks complete: its failure goes to [`on_error`](Self::on_error), and is retried as the
    /// [policy](crate::RetryPolicy) and [`retry_when`](Self::retry_when) say; after an event only a GET is, unless
    /// `retry_when` says so. Without any event it is [`Error::NoEvent`]. The event that ends the stream is neither delivered
    /// nor given to [`on_event`](Self::on_event); its id counts. Default: no event is the last.
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

    /// Shows [`until`](Self::until) a last event whose blank line is missing, too, where the response has ended as its framing
    /// says. Default: such an event is discarded (HTML §9.2.6).
    ///
    /// Some servers close right after the line `data: [DONE]`. The line itself must be complete, and a response that breaks
    /// off has no such event. If `until` is false for it, it is discarded as always: a later response brings it whole, and
    /// `until` is asked again. So it is off by default: a closure that counts events would count that one twice, and of an
    /// event with several lines of data the last ones may be missing. Without `until` it has no effect.
    ///
    /// # Example: a hasty server
    ///
    /// ```
    /// use http_sse::{Client, End, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.respond(200, &[("Content-Type", "text/event-stream")], "data: crab\n\ndata: [DONE]\n");
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let request = Request::post(url).until(|event| event.data() == "[DONE]").end_without_blank_line();
    /// let mut answer = client.read("answer", request)?;
    /// assert_eq!(answer.next().ok_or("over")??.data(), "crab");
    /// assert!(answer.next().is_none());
    /// assert!(matches!(answer.handle().end(), Some(End::Until)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn end_without_blank_line(mut self) -> Self {
        self.ends_without_blank_line = true;
        self
    }

    /// Runs each time when a stream has opened: 200, or another 2xx where the request is not a GET, and the right Content-Type.
    ///
    /// Default: nothing.
    ///
    /// # Example: which server answered
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     let headers = [("Content-Type", "text/event-stream"), ("Server", "nchan")];
    /// #     peer.respond(200, &headers, "data: 1\n\n");
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// # let (note, noted) = http_sse::crossbeam_channel::bounded(1);
    /// let request = Request::get(url).on_open(move |opened| {
    ///     println!("{} from {:?}", opened.status(), opened.header("server"));
    ///     # let _ = note.send((opened.status(), opened.header("server").map(str::to_owned)));
    /// });
    /// let first = client.read("news", request)?.next();
    /// # assert_eq!(noted.recv()?, (200, Some("nchan".to_owned())));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_open(mut self, callback: impl FnMut(&Opened) + Send + 'static) -> Self {
        self.callbacks.on_open = Some(Box::new(callback));
        self
    }

    /// Runs for each piece of a stream's body as it was received, before it is parsed. Default: nothing.
    ///
    /// The framing (RFC 9112 §7) is gone by then, and so is gzip: a piece is what one read has brought, and never more than
    /// one chunk, unless it was compressed. How the body is cut means nothing to the parser. An empty piece is the end of the body, where its framing says so; a
    /// body that breaks off has none. Bodies of errors and redirects do not come here. A `Client::connect` or
    /// [`read`](crate::Client::read) with it delivers as one with [`on_event`](Self::on_event): a little slower.
    ///
    /// # Example: a copy of what was received
    ///
    /// ```
    /// use http_sse::{Client, Request, RetryPolicy};
    /// use std::sync::{Arc, Mutex};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.send(": not an event\n");
    /// #     peer.send("data: 1\n\n");
    /// #     peer.end();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let copy = Arc::new(Mutex::new(Vec::new()));
    /// let received = Arc::clone(&copy);
    /// let request = Request::get(url).retry(RetryPolicy::never()).on_bytes(move |bytes| {
    ///     received.lock().unwrap().extend_from_slice(bytes);
    /// });
    /// assert_eq!(client.read("news", request)?.count(), 1);
    /// assert_eq!(*copy.lock().unwrap(), b": not an event\ndata: 1\n\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_bytes(mut self, callback: impl FnMut(&[u8]) + Send + 'static) -> Self {
        self.callbacks.on_bytes = Some(Box::new(callback));
        self
    }

    /// Runs for each event, before it is delivered. Default: nothing.
    ///
    /// # Example: count beside the loop
    ///
    /// ```
    /// use http_sse::{Client, Request};
    /// use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.send("data: 1\n\n");
    /// #     peer.hold();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let seen = Arc::new(AtomicU32::new(0));
    /// let counter = Arc::clone(&seen);
    /// let request = Request::get(url).on_event(move |_| { counter.fetch_add(1, Ordering::Relaxed); });
    /// let first = client.read("news", request)?.next();
    /// assert_eq!(seen.load(Ordering::Relaxed), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_event(mut self, callback: impl FnMut(&Event) + Send + 'static) -> Self {
        self.callbacks.on_event = Some(Box::new(callback));
        self
    }

    /// Runs for each comment line, with everything after its colon; 4 KiB of it at most. Default: nothing.
    ///
    /// # Example: the server's sign of life
    ///
    /// ```
    /// use http_sse::Request;
    ///
    /// let request = Request::get("https://example.com/events").on_comment(|text| eprintln!("alive:{text}"));
    /// ```
    pub fn on_comment(mut self, callback: impl FnMut(&str) + Send + 'static) -> Self {
        self.callbacks.on_comment = Some(Box::new(callback));
        self
    }

    /// Runs once for each failure: before the wait for a retry, before a terminal one is delivered,
    /// for each event that was skipped as too large, and for each last event id that cannot be sent back. Default: nothing.
    ///
    /// Not for a clean end, 204, a stop, `reconnect()`, and JSON that does not decode.
    ///
    /// # Example: what the loop does not see
    ///
    /// ```
    /// use http_sse::{Client, Request, RetryPolicy};
    /// use std::time::Duration;
    ///
    /// # let server = http_sse::testing::Server::serve(|number, mut peer| match number {
    /// #     0 => peer.respond(503, &[], "busy"),
    /// #     _ => peer.respond(200, &[("Content-Type", "text/event-stream")], "data: 1\n\n"),
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// # let (note, noted) = http_sse::crossbeam_channel::bounded(1);
    /// let request = Request::get(url)
    ///     .retry(RetryPolicy::constant(Duration::from_millis(10)))
    ///     .on_error(move |error| {
    ///         eprintln!("{error}"); // the server answered 503: busy
    ///         # let _ = note.try_send(error.to_string());
    ///     });
    /// let mut reader = client.read("news", request)?;
    /// assert_eq!(reader.next().ok_or("over")??.data(), "1");
    /// # assert_eq!(noted.recv()?, "the server answered 503: busy");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_error(mut self, callback: impl FnMut(&Error) + Send + 'static) -> Self {
        self.callbacks.on_error = Some(Box::new(callback));
        self
    }

    /// Runs exactly once and last: after the terminal item is queued, before the channel ends. Default: nothing.
    ///
    /// # Example: why it is over
    ///
    /// ```
    /// use http_sse::{Client, End, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| peer.respond(204, &[], ""))?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// # let (note, noted) = http_sse::crossbeam_channel::bounded(1);
    /// let request = Request::get(url).on_close(move |end| match end {
    ///     End::Failed(error) => eprintln!("lost: {error}"),
    ///     end => {
    ///         println!("over: {end:?}");
    ///         # let _ = note.send(matches!(end, End::NoContent));
    ///     }
    /// });
    /// assert!(client.connect("news", request)?.next().is_none());
    /// # assert!(noted.recv()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_close(mut self, callback: impl FnOnce(&End) + Send + 'static) -> Self {
        self.callbacks.on_close = Some(Box::new(callback));
        self
    }
}
