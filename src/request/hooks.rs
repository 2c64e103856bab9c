//! User-supplied closures: decisions and notifications.

use super::cursor::Extract;
use super::{Attempt, Request, Response};
use crate::error::Error;
use crate::event::Event;
use crate::handle::End;

type OnOpen = Box<dyn FnMut(&Response<'_>) + Send>;
type OnBytes = Box<dyn FnMut(&[u8]) + Send>;
type OnComment = Box<dyn FnMut(&str) + Send>;
/// A user-supplied closure that observes the connection.
type Hook<T> = Option<Box<dyn FnMut(&T) + Send>>;
type Prepare = Box<dyn FnMut(&mut Attempt<'_>) + Send>;
type Decide<T> = Box<dyn FnMut(&T) -> bool + Send>;
type Closed = Box<dyn FnOnce(&End) + Send>;

/// User-supplied closures. They run on the connection's thread, or inside `next()` of a reader.
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
    /// Decides for each failure whether to retry, overriding [`Error::is_transient`] and
    /// [`RetryPolicy::persistent`](crate::RetryPolicy::persistent).
    ///
    /// Called only if the policy retries at all; its limits still apply. A request other than GET, whose response may
    /// cost money, is not repeated after an event unless this returns `true`. For such a request it is also called
    /// after a clean end, with [`Error::Disconnected`] or [`Error::NoEvent`]: return `true` for a subscription by POST;
    /// otherwise the response is [`Complete`](crate::End::Complete). A GET reconnects after a clean end without this
    /// call. Default: [`Error::is_transient`], and `false` for repeating a request other than GET.
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

    /// Runs before each attempt, to set fresh headers and query pairs, or to make the attempt fail. Default: all
    /// attempts are equal.
    ///
    /// If it is set, a 401 is retried immediately, once in a row, with every policy, since the token can be renewed. A
    /// value that cannot be sent is [`Error::InvalidRequest`], and ends the connection.
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

    /// Ends the stream cleanly at the first event for which this returns `true`; a response that ends earlier is a
    /// failure, [`Error::Disconnected`]. Default: the stream has no last event.
    ///
    /// So a response that breaks off never looks complete: its failure goes to [`on_error`](Self::on_error), and is
    /// retried according to the [policy](crate::RetryPolicy) and [`retry_when`](Self::retry_when); after an event, a
    /// request other than GET only if `retry_when` returns `true`. A response without any event is [`Error::NoEvent`].
    /// The last event is neither delivered nor passed to [`on_event`](Self::on_event); its id counts.
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

    /// Also passes a last event without its blank line to [`until`](Self::until), if the response ended cleanly.
    /// Default: such an event is discarded (HTML §9.2.6).
    ///
    /// Some servers close right after the line `data: [DONE]`. The line itself must be complete, and a response that
    /// breaks off has no such event. If `until` returns `false` for the event, it is discarded as usual: a later
    /// response sends it completely, and `until` is called again. It is off by default, since a closure that counts
    /// events would count that one twice, and the last data lines of a multi-line event may be missing. Without `until`
    /// it has no effect.
    ///
    /// # Example: a server that closes early
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

    /// Runs each time a stream opens: status 200, or another 2xx for a request other than GET, and the right
    /// Content-Type.
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
    /// let request = Request::get(url).on_open(move |response| {
    ///     println!("{} from {:?}", response.status(), response.header("server"));
    ///     # let _ = note.send((response.status(), response.header("server").map(str::to_owned)));
    /// });
    /// let first = client.read("news", request)?.next();
    /// # assert_eq!(noted.recv()?, (200, Some("nchan".to_owned())));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_open(mut self, callback: impl FnMut(&Response) + Send + 'static) -> Self {
        self.callbacks.on_open = Some(Box::new(callback));
        self
    }

    /// Runs for each piece of a stream's body as received, before it is parsed. Default: nothing.
    ///
    /// The framing (RFC 9112 §7) and gzip are already decoded: a piece is the result of one read, and at most one
    /// chunk, unless it was compressed. Piece boundaries have no meaning. An empty piece is the end of the body
    /// according to its framing; a body that breaks off has none. The bodies of errors and redirects are not passed. A
    /// `Client::connect` or [`read`](crate::Client::read) with this callback delivers like one with
    /// [`on_event`](Self::on_event): a little slower.
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
    /// # Example: count events outside of the loop
    ///
    /// ```
    /// use http_sse::{Client, Request};
    /// use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.send("data: 1\n\n");
    /// #     peer.wait_for_close();
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

    /// Runs for each comment line, with the text after its colon, at most 4 KiB. Default: nothing.
    ///
    /// # Example: heartbeats of the server
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

    /// Runs once for each failure: before the delay of a retry, and before a terminal failure is delivered. It also
    /// runs for each event that is skipped as too large, and for each last event id or cursor that cannot be sent.
    /// Default: nothing.
    ///
    /// It does not run for a clean end, 204, a stop, `reconnect()`, or JSON that does not decode.
    ///
    /// # Example: failures that the loop does not see
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

    /// Runs exactly once, as the last callback: after the terminal item is queued, before the channel ends. Default:
    /// nothing.
    ///
    /// # Example: why it ended
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
