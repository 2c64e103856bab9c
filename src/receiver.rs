//! The receiving side of a connection.

use std::fmt;
use std::iter::FusedIterator;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use crate::broadcast::Subscription;
use crate::channel::BurstReceiver;
use crate::checkpoint::{Checkpoint, Checkpointed};
use crate::clock;
use crate::connection::{Connection, Next};
use crate::error::Error;
use crate::event::Event;
use crate::handle::{End, Handle, Shared};
use crate::sync::deadline;

#[cfg(feature = "json")]
mod decode;
#[cfg(feature = "json")]
mod json;
mod merged;
mod next_timeout;
#[cfg(feature = "json")]
mod typed;

#[cfg(feature = "json")]
pub use json::{Decoded, JsonEvents};
pub use merged::Merged;
pub use next_timeout::NextTimeoutError;

/// The shortest wait for a socket: with less, received data would never be read.
const POLL: Duration = Duration::from_millis(1);

/// The events of a connection that has its own thread.
///
/// An iterator of `Result<Event, Error>`, which dereferences to a crossbeam [`Receiver`] for `select!`, timeouts and
/// `try_recv`. An `Err` is terminal and last. A loop that ends without one ended on purpose: [`Handle::end`] says why.
/// When its last `Events` is dropped, the connection stops, without waiting.
///
/// The loop is woken once per burst: when all events of one read have been sent, when the channel is full, or before a
/// callback runs. From the first dereference on, each event wakes it, and every thread that waits in the [`Receiver`].
///
/// These methods are those of the [`Receiver`]:
///
/// - `rx.clone()` yields a plain [`Receiver`]: clones compete for events and do not keep the connection alive, so that
///   `client.connect(…)?.clone()` stops it immediately. To give each consumer all events, use
///   [`Client::subscribe`](crate::Client::subscribe).
/// - `for event in &rx`, `rx.iter()` and `rx.try_iter()` iterate over the [`Receiver`]. `for event in rx.by_ref()` keeps `rx`,
///   too, and is woken once per burst.
/// - `rx.len()` and `rx.is_empty()` dereference as well.
///
/// # Example: one loop
///
/// ```no_run
/// use http_sse::{Client, Request};
///
/// let rx = Client::new().connect("news", Request::get("https://example.com/events"))?;
/// for event in rx {
///     let event = event?;
///     println!("{}: {}", event.event_type(), event.data());
/// }
/// # Ok::<(), http_sse::Error>(())
/// ```
#[must_use = "dropping the last one stops the connection"]
pub struct Events {
    receiver: BurstReceiver<Result<Event, Error>>,
    shared: Arc<Shared>,
    subscription: Subscription,
}

impl Events {
    pub(crate) fn new(
        receiver: BurstReceiver<Result<Event, Error>>,
        subscription: Subscription,
        shared: Arc<Shared>,
    ) -> Self {
        Self { receiver, shared, subscription }
    }

    /// Returns a handle to the connection.
    ///
    /// # Example: which connection it is
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| peer.respond(204, &[], ""))?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let rx = client.connect("oven", Request::get(url))?;
    /// assert_eq!(rx.handle().id(), "oven");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handle(&self) -> Handle {
        Handle { shared: Arc::clone(&self.shared) }
    }

    /// Decodes the data of each event as JSON.
    ///
    /// A document that does not decode is an `Err` for which [`Error::is_json`] returns `true`; the next event follows.
    ///
    /// # Example: typed events
    ///
    /// ```no_run
    /// use http_sse::{Client, Request};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Reading { celsius: f64 }
    ///
    /// let rx = Client::new().connect("oven", Request::get("https://example.com/events"))?;
    /// for reading in rx.json::<Reading>() {
    ///     match reading {
    ///         Ok(reading) => println!("{} °C", reading.value.celsius),
    ///         Err(error) if error.is_json() => eprintln!("skipped: {error}"),
    ///         Err(error) => return Err(error),
    ///     }
    /// }
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(self) -> JsonEvents<T, Self> {
        JsonEvents::new(self, |event| event.json())
    }

    /// Decodes each event into an enum whose variants are event types: see [`Event::typed`].
    ///
    /// An event that does not decode is an `Err` for which [`Error::is_json`] returns `true`; the next event follows.
    ///
    /// # Example: prices and news in one stream
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// #[derive(serde::Deserialize, Debug, PartialEq)]
    /// #[serde(rename_all = "lowercase")]
    /// enum Item {
    ///     Price(f64),
    ///     News { title: String },
    /// }
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.send("event: ping\ndata\n\nevent: price\ndata: 1.5\n\n");
    /// #     peer.wait_for_close();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let mut items = client.connect("shares", Request::get(url))?.typed::<Item>().ignore(["ping"]);
    /// assert_eq!(items.next().ok_or("over")??.value, Item::Price(1.5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "json")]
    pub fn typed<T: serde::de::DeserializeOwned>(self) -> JsonEvents<T, Self> {
        JsonEvents::new(self, |event| event.typed())
    }

    /// Commits the id of each handled event to the checkpoint: see [`Checkpoint`].
    ///
    /// # Example: continue after the last run
    ///
    /// ```no_run
    /// use http_sse::{Checkpoint, Client, Request};
    ///
    /// let checkpoint = Checkpoint::open("/var/lib/meter/last-event-id")?;
    /// let request = Request::get("https://example.com/events").last_event_id(checkpoint.last_event_id());
    /// for event in Client::new().connect("meter", request)?.checkpoint(checkpoint) {
    ///     println!("{}", event?.data());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn checkpoint(self, checkpoint: Checkpoint) -> Checkpointed<Self> {
        Checkpointed::new(self, checkpoint)
    }

    fn wake_sender(&self) {
        self.shared.token.parking().unpark();
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if self.subscription.unsubscribe() {
            self.shared.stop();
        }
        // It may be waiting for room in this channel.
        self.wake_sender();
    }
}

impl Deref for Events {
    type Target = Receiver<Result<Event, Error>>;

    fn deref(&self) -> &Self::Target {
        self.receiver.bare(|| self.wake_sender())
    }
}

impl Iterator for Events {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.receiver.recv(|| self.wake_sender())
    }
}

impl FusedIterator for Events {}

impl<'a> IntoIterator for &'a Events {
    type Item = Result<Event, Error>;
    type IntoIter = crossbeam_channel::Iter<'a, Result<Event, Error>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The events of a connection that runs on the caller's thread, inside [`next`](Iterator::next).
///
/// It has no thread and no channel: the least memory, power and latency. Between calls nothing is read, and TCP makes
/// the server wait. [`Handle::stop`] ends a call from any other thread.
///
/// # Example: a poll loop with other work
///
/// ```no_run
/// use http_sse::{Client, NextTimeoutError, Request};
/// use std::time::Duration;
///
/// let mut reader = Client::new().read("news", Request::get("https://example.com/events"))?;
/// loop {
///     match reader.next_timeout(Duration::from_millis(500)) {
///         Ok(event) => println!("{}", event?.data()),
///         Err(NextTimeoutError::Timeout) => { /* blink the light */ }
///         Err(NextTimeoutError::Ended) => break,
///     }
/// }
/// # Ok::<(), http_sse::Error>(())
/// ```
#[must_use = "a reader does nothing until it is iterated"]
pub struct EventReader {
    connection: Box<Connection>,
    shared: Arc<Shared>,
    over: bool,
}

impl EventReader {
    pub(crate) fn new(connection: Connection, shared: Arc<Shared>) -> Self {
        Self { connection: Box::new(connection), shared, over: false }
    }

    /// Waits for the next event, at most this long; zero checks what has arrived, for up to 1 ms.
    ///
    /// A timeout does not abort an attempt in progress; the next call continues it.
    ///
    /// # Errors
    ///
    /// [`NextTimeoutError::Timeout`]: no event yet, call again. [`NextTimeoutError::Ended`]: the connection has ended.
    ///
    /// # Example: poll without waiting
    ///
    /// ```
    /// use http_sse::{Client, NextTimeoutError, Request};
    /// use std::time::Duration;
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.wait_for_close();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let mut reader = client.read("door", Request::get(url))?;
    /// assert!(matches!(reader.next_timeout(Duration::ZERO), Err(NextTimeoutError::Timeout)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Result<Event, Error>, NextTimeoutError> {
        match self.advance(deadline(clock::now(), timeout.max(POLL))) {
            Next::Event(event) => Ok(Ok(event)),
            Next::End(End::Failed(error)) => Ok(Err(error)),
            Next::End(_) => Err(NextTimeoutError::Ended),
            Next::DeadlineReached => Err(NextTimeoutError::Timeout),
        }
    }

    /// Returns a handle to the connection.
    ///
    /// # Example: a limit for the whole answer
    ///
    /// ```
    /// use http_sse::{Client, Request};
    /// use std::{thread, time::Duration};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.wait_for_close();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let reader = client.read("answer", Request::get(url))?;
    /// let handle = reader.handle();
    /// thread::spawn(move || {
    ///     thread::sleep(Duration::from_millis(50));
    ///     handle.stop();
    /// });
    /// assert_eq!(reader.count(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handle(&self) -> Handle {
        Handle { shared: Arc::clone(&self.shared) }
    }

    /// Decodes the data of each event as JSON.
    ///
    /// A document that does not decode is an `Err` for which [`Error::is_json`] returns `true`; the next event follows.
    ///
    /// # Example: numbers
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.send("data: 21.5\n\n");
    /// #     peer.wait_for_close();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let mut readings = client.read("oven", Request::get(url))?.json::<f64>();
    /// assert_eq!(readings.next().ok_or("over")??.value, 21.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(self) -> JsonEvents<T, Self> {
        JsonEvents::new(self, |event| event.json())
    }

    /// Decodes each event into an enum whose variants are event types: see [`Event::typed`].
    ///
    /// An event that does not decode is an `Err` for which [`Error::is_json`] returns `true`; the next event follows.
    ///
    /// # Example: prices and news in one stream
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// #[derive(serde::Deserialize, Debug, PartialEq)]
    /// #[serde(rename_all = "lowercase")]
    /// enum Item {
    ///     Price(f64),
    ///     News { title: String },
    /// }
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.send("event: ping\ndata\n\nevent: price\ndata: 1.5\n\n");
    /// #     peer.wait_for_close();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let mut items = client.read("shares", Request::get(url))?.typed::<Item>().ignore(["ping"]);
    /// assert_eq!(items.next().ok_or("over")??.value, Item::Price(1.5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "json")]
    pub fn typed<T: serde::de::DeserializeOwned>(self) -> JsonEvents<T, Self> {
        JsonEvents::new(self, |event| event.typed())
    }

    /// Commits the id of each handled event to the checkpoint: see [`Checkpoint`].
    ///
    /// # Example: an event counts once the next is requested
    ///
    /// ```
    /// use http_sse::{Checkpoint, Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.send("id: 7\ndata: 1\n\nid: 8\ndata: 2\n\n");
    /// #     peer.wait_for_close();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// # let path = std::env::temp_dir().join(format!("http-sse-reader-{}", std::process::id()));
    /// let mut events = client.read("meter", Request::get(url))?.checkpoint(Checkpoint::open(&path)?);
    /// events.next();
    /// assert_eq!(events.checkpoint().last_event_id(), None);
    /// events.next();
    /// assert_eq!(events.checkpoint().last_event_id(), Some("7"));
    /// # drop(events);
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn checkpoint(self, checkpoint: Checkpoint) -> Checkpointed<Self> {
        Checkpointed::new(self, checkpoint)
    }

    fn advance(&mut self, deadline: Option<Instant>) -> Next {
        if self.over {
            return Next::End(End::Stopped);
        }
        let item = self.connection.next(deadline, || ());
        if let Next::End(_) = item {
            self.over = true;
        }
        item
    }
}

/// Also runs when a panic unwinds.
impl Iterator for EventReader {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.advance(None) {
                Next::Event(event) => return Some(Ok(event)),
                Next::End(End::Failed(error)) => return Some(Err(error)),
                Next::End(_) => return None,
                Next::DeadlineReached => {}
            }
        }
    }
}

impl FusedIterator for EventReader {}

impl Drop for EventReader {
    fn drop(&mut self) {
        self.shared.stop();
        if !self.over {
            self.connection.close();
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("handle", &self.handle()).field("waiting", &self.receiver.len()).finish()
    }
}

impl fmt::Debug for EventReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventReader").field("handle", &self.handle()).finish_non_exhaustive()
    }
}
