//! Opens connections and looks them up by id.

mod builder;
mod multi;
mod registry;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::broadcast::{Broadcast, Sink};
use crate::connection::Connection;
use crate::error::Error;
use crate::handle::{Handle, Shared};
use crate::receiver::{EventReader, Events};
use crate::request::Request;
use crate::sync::deadline;
use crate::worker;

pub use builder::ClientBuilder;
pub(crate) use builder::Settings;
use registry::{Live, Registry};

/// The longest id, in bytes.
const MAX_ID_LENGTH: usize = 256;

/// Opens connections, each with its own id.
///
/// Clones share the connections. Dropping a clone stops nothing.
///
/// # Example: two ways to consume
///
/// ```no_run
/// use http_sse::{Client, Request};
///
/// let client = Client::new();
/// let rx = client.connect("a", Request::get("https://example.com/a"))?;      // on a separate thread
/// let reader = client.read("b", Request::get("https://example.com/b"))?;     // on this thread
/// assert_eq!(client.ids(), ["a", "b"]);
/// # drop((rx, reader));
/// # Ok::<(), http_sse::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    settings: Settings,
    registry: Arc<Registry>,
}

impl Client {
    /// Creates a client with the defaults of [`ClientBuilder`].
    ///
    /// # Example: clones share the connections
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// let client = Client::new();
    /// let reader = client.clone().read("a", Request::get("https://example.com/a"))?;
    /// assert_eq!(client.ids(), ["a"]);
    /// # drop(reader);
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a builder with the default settings.
    ///
    /// # Example: a name for the server's log
    ///
    /// ```
    /// use http_sse::Client;
    ///
    /// let client = Client::builder().user_agent("weather-board/1.0").build()?;
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    pub(crate) fn with_settings(settings: Settings) -> Self {
        Self { inner: Arc::new(Inner { settings, registry: Arc::default() }) }
    }

    /// Opens a connection on a separate thread, which sends its events into a channel.
    ///
    /// Performs no network I/O: a device that boots before its network is not an error. The id is 1 to 256 bytes
    /// without control characters; it is part of the thread name and of log lines.
    ///
    /// The connection stops when the returned [`Events`] is dropped. `rx.clone()` does not keep it alive, and `&rx` iterates in
    /// another way: see [`Events`].
    ///
    /// # Errors
    ///
    /// [`Error::InvalidRequest`]: the request or the id is invalid; the text names the part. [`Error::DuplicateId`]: a
    /// live connection has this id; [`stop`](Self::stop) it first. [`Error::Spawn`]: the system refused a thread.
    ///
    /// # Example: wait for an event, with a limit
    ///
    /// ```
    /// use http_sse::{Client, Request};
    /// use std::time::Duration;
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.send("data: 21.5\n\n");
    /// #     peer.wait_for_close();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let rx = client.connect("oven", Request::get(url))?;
    /// let event = rx.recv_timeout(Duration::from_secs(10))??;
    /// assert_eq!(event.data(), "21.5");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn connect(&self, id: impl AsRef<str>, request: Request) -> Result<Events, Error> {
        let broadcast = Broadcast::new(request.queueing(), true);
        let (connection, shared, broadcast) = self.register_broadcast(id.as_ref(), request, broadcast)?;
        let (receiver, subscription) = broadcast.open();
        self.start(connection, &shared, Sink::Broadcast(broadcast))?;
        Ok(Events::new(receiver, subscription, shared))
    }

    /// Opens a connection that runs on the caller's thread, inside the iterator's `next()`.
    ///
    /// It has no thread and no channel. Its [`Handle`] stops it from any thread.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidRequest`] and [`Error::DuplicateId`], as for [`connect`](Self::connect).
    ///
    /// # Example: the first event, without a thread
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
    /// let mut reader = client.read("oven", Request::get(url))?;
    /// let event = reader.next().ok_or("the stream is over")??;
    /// assert_eq!(event.data(), "21.5");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(&self, id: impl AsRef<str>, request: Request) -> Result<EventReader, Error> {
        let (connection, shared) = self.register(id.as_ref(), request, None)?;
        Ok(EventReader::new(connection, shared))
    }

    /// Opens a connection on a separate thread that only calls the request's callbacks.
    ///
    /// It runs until it is stopped or ends.
    ///
    /// # Errors
    ///
    /// As for [`connect`](Self::connect).
    ///
    /// # Example: callbacks in the background
    ///
    /// ```
    /// use http_sse::{Client, Request, State};
    /// use std::time::Duration;
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.wait_for_close();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let handle = client.listen("door", Request::get(url).on_event(|event| println!("{}", event.data())))?;
    /// assert!(handle.wait_open(Duration::from_secs(10)));
    /// handle.stop();
    /// assert_eq!(handle.state(), State::Closed);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn listen(&self, id: impl AsRef<str>, request: Request) -> Result<Handle, Error> {
        let broadcast = Broadcast::new(request.queueing(), false);
        let (connection, shared, broadcast) = self.register_broadcast(id.as_ref(), request, broadcast)?;
        self.start(connection, &shared, Sink::Broadcast(broadcast))?;
        Ok(Handle { shared })
    }

    /// Returns a handle to the live connection with this id, or `None` if there is none.
    ///
    /// # Example: statistics of a connection opened elsewhere
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// let client = Client::new();
    /// let reader = client.read("oven", Request::get("https://example.com/oven"))?;
    /// assert_eq!(client.handle("oven").map(|handle| handle.stats().attempts), Some(0));
    /// assert!(client.handle("fridge").is_none());
    /// # drop(reader);
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn handle(&self, id: &str) -> Option<Handle> {
        let Live { shared, .. } = self.inner.registry.get(id)?;
        Some(Handle { shared })
    }

    /// Returns the ids of the live connections, sorted.
    ///
    /// # Example: what is connected
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// let client = Client::new();
    /// let oven = client.read("oven", Request::get("https://example.com/oven"))?;
    /// let door = client.read("door", Request::get("https://example.com/door"))?;
    /// assert_eq!(client.ids(), ["door", "oven"]);
    /// drop(door);
    /// assert_eq!(client.ids(), ["oven"]);
    /// # drop(oven);
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn ids(&self) -> Vec<String> {
        self.inner.registry.live().into_iter().map(|live| live.shared.id.to_string()).collect()
    }

    /// Stops the live connection with this id; returns `true` if there was one.
    ///
    /// The id is free immediately.
    ///
    /// # Example: reuse an id
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// let client = Client::new();
    /// let old = client.read("oven", Request::get("https://example.com/oven"))?;
    /// assert!(client.stop("oven"));
    /// let new = client.read("oven", Request::get("https://example.com/oven"))?;
    /// assert!(!client.stop("fridge"));
    /// # drop((old, new));
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn stop(&self, id: &str) -> bool {
        let Some(handle) = self.handle(id) else { return false };
        handle.stop();
        true
    }

    /// Stops all live connections without waiting.
    ///
    /// Their ids are free immediately.
    ///
    /// # Example: stop everything
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// let client = Client::new();
    /// let mut reader = client.read("oven", Request::get("https://example.com/oven"))?;
    /// client.stop_all();
    /// assert!(reader.next().is_none());
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn stop_all(&self) {
        for Live { shared, .. } in self.inner.registry.live() {
            shared.stop();
        }
    }

    /// Stops all connections and waits for their threads; returns `true` if all ended within the timeout.
    ///
    /// New connections can be opened afterwards. Zero checks without waiting. Not counted are a helper thread that is
    /// blocked in the system's DNS lookup, and a [`read`](Self::read) whose owner is not inside `next()`.
    ///
    /// # Threads
    ///
    /// On a connection's own thread, that is in a callback, it stops all connections and returns `false` immediately.
    ///
    /// # Example: before the process ends
    ///
    /// ```
    /// use http_sse::{Client, Request};
    /// use std::time::Duration;
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.wait_for_close();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let rx = client.connect("oven", Request::get(url))?;
    /// assert!(client.shutdown(Duration::from_secs(10)), "a thread is still busy");
    /// assert_eq!(rx.into_iter().count(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "some threads may still be running"]
    pub fn shutdown(&self, timeout: Duration) -> bool {
        let until = deadline(Instant::now(), timeout);
        self.stop_all();
        let ending = self.inner.registry.winding_down();
        if ending.iter().any(|shared| shared.is_own_thread()) {
            return false;
        }
        ending.iter().all(|shared| shared.join_until(until))
    }

    fn start(&self, connection: Connection, shared: &Arc<Shared>, sink: Sink) -> Result<(), Error> {
        worker::start(connection, shared, sink, self.inner.settings.stack_size)
    }

    fn register_broadcast(
        &self,
        id: &str,
        request: Request,
        broadcast: Arc<Broadcast>,
    ) -> Result<(Connection, Arc<Shared>, Arc<Broadcast>), Error> {
        let (connection, shared) = self.register(id, request, Some(Arc::clone(&broadcast)))?;
        Ok((connection, shared, broadcast))
    }

    /// Checks everything, then takes the id.
    fn register(
        &self,
        id: &str,
        request: Request,
        broadcast: Option<Arc<Broadcast>>,
    ) -> Result<(Connection, Arc<Shared>), Error> {
        check_id(id)?;
        let settings = &self.inner.settings;
        let request = request.prepare(&settings.headers)?;
        let mut transport = settings.transport().map_err(Error::InvalidRequest)?;
        transport.check_pins(&request.url).map_err(Error::InvalidRequest)?;
        transport.origins = request.origins.clone();
        transport.proxy.for_url(&request.url).map_err(Error::InvalidRequest)?;
        let shared = Arc::new(Shared::new(id.into(), request.parser.last_event_id().unwrap_or_default()));
        self.inner.registry.insert(&shared, broadcast)?;
        Ok((Connection::new(Arc::clone(&shared), request, transport, settings.stack_size), shared))
    }
}

fn check_id(id: &str) -> Result<(), Error> {
    if id.is_empty() || id.len() > MAX_ID_LENGTH || id.chars().any(char::is_control) {
        return Err(Error::InvalidRequest(format!(
            "invalid id {:?}: must be 1 to {MAX_ID_LENGTH} bytes without control characters",
            id.chars().take(64).collect::<String>()
        )));
    }
    Ok(())
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("ids", &self.ids()).finish_non_exhaustive()
    }
}
