//! The start of everything: gives out connections, and finds them again by id.

mod builder;
mod registry;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};

use crate::connection::Connection;
use crate::error::Error;
use crate::event::Event;
use crate::handle::{Handle, Shared};
use crate::outlet::{Hub, Outlets, Overflow};
use crate::receiver::{EventReader, Events, Merged};
use crate::request::{MOST_CAPACITY, Request};
use crate::stop::deadline;
use crate::worker;

pub use builder::ClientBuilder;
pub(crate) use builder::Settings;
use registry::{Live, Registry};

/// The longest id, in bytes.
const MOST_ID: usize = 256;

/// Opens connections, each with an id of its own.
///
/// Clones share the connections; dropping one stops nothing.
///
/// # Example: two ways to consume
///
/// ```no_run
/// use http_sse::{Client, Request};
///
/// let client = Client::new();
/// let rx = client.connect("a", Request::get("https://example.com/a"))?;      // a thread of its own
/// let reader = client.read("b", Request::get("https://example.com/b"))?;     // this thread
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
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts to set a client up.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    pub(crate) fn with_settings(settings: Settings) -> Self {
        Self { inner: Arc::new(Inner { settings, registry: Arc::default() }) }
    }

    /// Opens a connection on a thread of its own, which sends its events into a channel.
    ///
    /// Does no network I/O: a device that boots before its network is not an error.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidRequest`]: what the text names is unusable. [`Error::DuplicateId`]: a live connection has
    /// this id; [`close`](Self::close) it first. [`Error::Spawn`]: the system refused a thread.
    pub fn connect(&self, id: impl AsRef<str>, request: Request) -> Result<Events, Error> {
        let (capacity, overflow) = request.channel();
        let (connection, shared, hub) = self.register_hub(id.as_ref(), request, Hub::new(capacity, overflow, true))?;
        let (receiver, seat) = hub.open();
        self.start(connection, &shared, Outlets::Hub(hub))?;
        Ok(Events::new(receiver, seat, shared))
    }

    /// Opens a connection that runs on the caller's thread, inside the iterator's `next()`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidRequest`] and [`Error::DuplicateId`], as for [`connect`](Self::connect).
    pub fn read(&self, id: impl AsRef<str>, request: Request) -> Result<EventReader, Error> {
        let (connection, shared) = self.register(id.as_ref(), request, None)?;
        Ok(EventReader::new(connection, shared))
    }

    /// Opens a connection on a thread of its own that only calls the request's callbacks.
    ///
    /// It lives until it is stopped or finished.
    ///
    /// # Errors
    ///
    /// As for [`connect`](Self::connect).
    pub fn listen(&self, id: impl AsRef<str>, request: Request) -> Result<Handle, Error> {
        let (capacity, overflow) = request.channel();
        let (connection, shared, hub) = self.register_hub(id.as_ref(), request, Hub::new(capacity, overflow, false))?;
        self.start(connection, &shared, Outlets::Hub(hub))?;
        Ok(Handle { shared })
    }

    /// Opens a connection that sends into a channel of the caller's, beside others that come and go.
    ///
    /// It stops at the first send after the receivers have gone: only a send can find that out. An `Err` is the
    /// last item of its id.
    ///
    /// # Errors
    ///
    /// As for [`connect`](Self::connect); a dropping [`Overflow`](crate::Overflow) is [`Error::InvalidRequest`].
    ///
    /// # Example: sensors that are plugged in and out
    ///
    /// ```no_run
    /// use http_sse::{Client, Request, crossbeam_channel::bounded};
    ///
    /// let client = Client::new();
    /// let (sender, receiver) = bounded(64);
    /// client.connect_to("attic", Request::get("https://example.com/attic"), sender.clone())?;
    /// client.connect_to("cellar", Request::get("https://example.com/cellar"), sender)?;
    /// for (id, event) in receiver {
    ///     println!("{id}: {}", event?.data());
    ///     client.close("attic");
    /// }
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn connect_to(
        &self,
        id: impl AsRef<str>,
        request: Request,
        sender: Sender<(Arc<str>, Result<Event, Error>)>,
    ) -> Result<Handle, Error> {
        check_blocks(&request)?;
        let (connection, shared) = self.register(id.as_ref(), request, None)?;
        self.start(connection, &shared, Outlets::Tagged(sender))?;
        Ok(Handle { shared })
    }

    /// Opens several connections into one channel of the sum of their capacities: all of them or, when one cannot
    /// be opened, none.
    ///
    /// # Errors
    ///
    /// As for [`connect_to`](Self::connect_to). Nothing is sent when one of the requests is bad.
    pub fn connect_all<I, S>(&self, requests: I) -> Result<Merged, Error>
    where
        I: IntoIterator<Item = (S, Request)>,
        S: AsRef<str>,
    {
        let mut capacity = 0_usize;
        let mut opened: Vec<(Connection, Arc<Shared>)> = Vec::new();
        for (id, request) in requests {
            capacity = capacity.saturating_add(request.channel().0).min(MOST_CAPACITY);
            let registered = check_blocks(&request).and_then(|()| self.register(id.as_ref(), request, None));
            match registered {
                Ok(connection) => opened.push(connection),
                Err(error) => {
                    opened.iter().for_each(|(_, shared)| shared.stop());
                    return Err(error);
                }
            }
        }
        let (sender, receiver) = bounded(capacity);
        // Dropped on the way out, it stops those that have started.
        let merged = Merged::new(receiver, opened.iter().map(|(_, shared)| Arc::clone(shared)).collect());
        for (connection, shared) in opened {
            self.start(connection, &shared, Outlets::Tagged(sender.clone()))?;
        }
        Ok(merged)
    }

    /// Adds one more receiver to a live connection of `connect` or `listen`: it gets every event from now on,
    /// through a channel of its own with the request's capacity and overflow.
    ///
    /// Under [`Overflow::Block`](crate::Overflow::Block) the slowest receiver holds up all. `None` when there is no
    /// such connection, or when it is ending.
    ///
    /// # Example: a display and a logger
    ///
    /// ```no_run
    /// use http_sse::{Client, Request};
    ///
    /// let client = Client::new();
    /// let display = client.connect("news", Request::get("https://example.com/events"))?;
    /// let logger = client.subscribe("news").ok_or("the connection has ended")?;
    /// std::thread::spawn(move || logger.into_iter().for_each(|event| println!("{event:?}")));
    /// # drop(display);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn subscribe(&self, id: &str) -> Option<Events> {
        let Live { shared, hub } = self.inner.registry.get(id)?;
        let (receiver, seat) = hub?.add()?;
        Some(Events::new(receiver, seat, shared))
    }

    /// Returns a handle to the live connection with this id.
    pub fn handle(&self, id: &str) -> Option<Handle> {
        let Live { shared, .. } = self.inner.registry.get(id)?;
        Some(Handle { shared })
    }

    /// Returns the ids of the live connections, sorted.
    pub fn ids(&self) -> Vec<String> {
        self.inner.registry.live().into_iter().map(|live| live.shared.id.to_string()).collect()
    }

    /// Stops the live connection with this id, and tells whether there was one. The id is free at once.
    pub fn close(&self, id: &str) -> bool {
        let Some(handle) = self.handle(id) else { return false };
        handle.stop();
        true
    }

    /// Stops all live connections.
    pub fn close_all(&self) {
        for Live { shared, .. } in self.inner.registry.live() {
            shared.stop();
        }
    }

    /// Stops all connections and waits at most this long: true when all their threads have ended.
    ///
    /// New connections can be opened afterwards. On a connection's own thread it stops all, and is false at once.
    pub fn shutdown(&self, timeout: Duration) -> bool {
        let until = deadline(Instant::now(), timeout);
        self.close_all();
        let ending = self.inner.registry.winding_down();
        if ending.iter().any(|shared| shared.is_own_thread()) {
            return false;
        }
        ending.iter().all(|shared| shared.join_until(until))
    }

    fn start(&self, connection: Connection, shared: &Arc<Shared>, outlets: Outlets) -> Result<(), Error> {
        worker::start(connection, shared, outlets, self.inner.settings.stack_size)
    }

    fn register_hub(
        &self,
        id: &str,
        request: Request,
        hub: Arc<Hub>,
    ) -> Result<(Connection, Arc<Shared>, Arc<Hub>), Error> {
        let (connection, shared) = self.register(id, request, Some(Arc::clone(&hub)))?;
        Ok((connection, shared, hub))
    }

    /// Checks everything, then takes the id.
    fn register(&self, id: &str, request: Request, hub: Option<Arc<Hub>>) -> Result<(Connection, Arc<Shared>), Error> {
        check_id(id)?;
        let settings = &self.inner.settings;
        let plan = request.plan(&settings.headers)?;
        let network = settings.network().map_err(Error::InvalidRequest)?;
        let shared = Arc::new(Shared::new(id.into(), plan.parser.last_event_id().unwrap_or_default()));
        self.inner.registry.insert(&shared, hub)?;
        Ok((Connection::new(Arc::clone(&shared), plan, network, settings.stack_size), shared))
    }
}

/// A channel of several connections cannot drop for one of them.
fn check_blocks(request: &Request) -> Result<(), Error> {
    match request.channel().1 {
        Overflow::Block => Ok(()),
        other => Err(Error::InvalidRequest(format!("overflow {other:?} in a channel of several connections"))),
    }
}

fn check_id(id: &str) -> Result<(), Error> {
    if id.is_empty() || id.len() > MOST_ID || id.chars().any(char::is_control) {
        return Err(Error::InvalidRequest(format!(
            "the id {:?} is not 1 to {MOST_ID} bytes without control characters",
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
