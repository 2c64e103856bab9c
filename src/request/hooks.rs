//! The user's closures: what they may decide, and what they are told.

use super::{Attempt, Opened, Request};
use crate::error::Error;
use crate::event::Event;
use crate::handle::End;

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
}
