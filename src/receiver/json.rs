//! Typed iteration over events with JSON data.

use std::fmt;
use std::iter::FusedIterator;

use super::{EventReader, Events};
use crate::error::Error;
use crate::event::Event;
use crate::handle::Handle;

/// Events with decoded JSON data: by `json`, or by `typed` into an enum whose variants are event types.
///
/// A document that does not decode is an `Err` for which [`Error::is_json`] returns `true`, and which contains the
/// event; iteration continues after it. A gap ([`Request::mark_gaps`](crate::Request::mark_gaps)) is also such an
/// `Err`, whose event has a [`gap`](Event::gap); `ignore` does not skip it. Any other `Err` comes from the connection:
/// terminal and last.
///
/// # Example: one bad document among good ones
///
/// ```
/// use http_sse::{Client, Request};
///
/// # let server = http_sse::testing::Server::serve(|_, mut peer| {
/// #     peer.respond(200, &[("Content-Type", "text/event-stream")], "data: 1\n\ndata: one\n\ndata: 2\n\n");
/// # })?;
/// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
/// # let request = Request::get(url).retry(http_sse::RetryPolicy::never());
/// let numbers = client.read("numbers", request)?.json::<u32>();
/// let seen: Vec<_> = numbers.map(|number| number.map(|n| n.value).map_err(|error| error.is_json())).collect();
/// assert_eq!(seen, [Ok(1), Err(true), Ok(2)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it stops the connection"]
pub struct JsonEvents<T, I> {
    events: I,
    decode: fn(&Event) -> Result<T, Error>,
    ignored: Vec<String>,
}

/// A decoded document and its event.
///
/// # Example: the value and its event
///
/// ```
/// use http_sse::Decoded;
///
/// fn label(reading: &Decoded<f64>) -> String {
///     format!("{} {}", reading.event.event_type(), reading.value)
/// }
/// # use http_sse::{Client, Request};
/// # let server = http_sse::testing::Server::serve(|_, mut peer| {
/// #     peer.stream();
/// #     peer.send("event: celsius\ndata: 21.5\n\n");
/// #     peer.wait_for_close();
/// # })?;
/// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
/// # let mut readings = client.read("oven", Request::get(url))?.json();
/// let reading = readings.next().ok_or("over")??;
/// assert_eq!(label(&reading), "celsius 21.5");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decoded<T> {
    /// The document.
    pub value: T,
    /// The event, with its id and type.
    pub event: Event,
}

impl<T, I> JsonEvents<T, I> {
    pub(super) fn new(events: I, decode: fn(&Event) -> Result<T, Error>) -> Self {
        Self { events, decode, ignored: Vec::new() }
    }

    /// Skips events of these types without decoding them; adds to earlier calls. Default: none.
    ///
    /// Events without a type have the type `message`.
    ///
    /// # Example: heartbeats that are events
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.send("event: ping\ndata\n\nevent: open\ndata: {}\n\ndata: 1\n\n");
    /// #     peer.wait_for_close();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let mut numbers = client.read("numbers", Request::get(url))?.json::<u32>().ignore(["ping", "open"]);
    /// assert_eq!(numbers.next().ok_or("over")??.value, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ignore(mut self, types: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.ignored.extend(types.into_iter().map(Into::into));
        self
    }

    fn ignores(&self, event: &Event) -> bool {
        event.gap().is_none() && self.ignored.iter().any(|ignored| ignored == event.event_type())
    }

    /// Returns the inner iterator over undecoded events.
    ///
    /// # Example: a head in JSON, then plain text
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.send("data: 2\n\ndata: not JSON\n\n");
    /// #     peer.wait_for_close();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let mut head = client.read("table", Request::get(url))?.json::<u32>();
    /// assert_eq!(head.next().ok_or("over")??.value, 2);
    /// let mut rest = head.into_inner();
    /// assert_eq!(rest.next().ok_or("over")??.data(), "not JSON");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "dropping it stops the connection"]
    pub fn into_inner(self) -> I {
        self.events
    }
}

impl<T> JsonEvents<T, Events> {
    /// Returns a handle to the connection.
    ///
    /// # Example: statistics of a typed stream
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.send("data: 1\n\n");
    /// #     peer.wait_for_close();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let mut numbers = client.connect("numbers", Request::get(url))?.json::<u32>();
    /// assert_eq!(numbers.next().ok_or("over")??.value, 1);
    /// assert_eq!(numbers.handle().stats().events, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handle(&self) -> Handle {
        self.events.handle()
    }
}

impl<T> JsonEvents<T, EventReader> {
    /// Returns a handle to the connection.
    ///
    /// # Example: stop after the first value
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.send("data: 1\n\ndata: 2\n\n");
    /// #     peer.wait_for_close();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let mut numbers = client.read("numbers", Request::get(url))?.json::<u32>();
    /// assert_eq!(numbers.next().ok_or("over")??.value, 1);
    /// numbers.handle().stop();
    /// assert!(numbers.next().is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handle(&self) -> Handle {
        self.events.handle()
    }
}

impl<T, I: Iterator<Item = Result<Event, Error>>> Iterator for JsonEvents<T, I> {
    type Item = Result<Decoded<T>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let event = loop {
            match self.events.next()? {
                Ok(event) if self.ignores(&event) => {}
                Ok(event) => break event,
                Err(error) => return Some(Err(error)),
            }
        };
        Some((self.decode)(&event).map(|value| Decoded { value, event }))
    }
}

impl<T, I: FusedIterator<Item = Result<Event, Error>>> FusedIterator for JsonEvents<T, I> {}

impl<T, I: fmt::Debug> fmt::Debug for JsonEvents<T, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JsonEvents").field(&self.events).finish()
    }
}
