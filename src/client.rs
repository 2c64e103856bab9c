//! The start of everything: gives out connections, and finds them again by id.

mod builder;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;

use crate::connection::Connection;
use crate::error::Error;
use crate::handle::{Handle, Shared};
use crate::receiver::{EventReader, Events};
use crate::request::Request;
use crate::stop::{deadline, lock};
use crate::worker::{self, Outlet};

pub use builder::ClientBuilder;
pub(crate) use builder::Settings;

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

/// Which ids are taken, and which connections are still winding down.
#[derive(Default)]
struct Registry(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    live: BTreeMap<Arc<str>, Arc<Shared>>,
    winding_down: Vec<Weak<Shared>>,
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
        let (sender, receiver) = bounded(request.channel_capacity());
        let shared = self.start(id.as_ref(), request, Some(sender))?;
        Ok(Events::new(receiver, shared))
    }

    /// Opens a connection that runs on the caller's thread, inside the iterator's `next()`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidRequest`] and [`Error::DuplicateId`], as for [`connect`](Self::connect).
    pub fn read(&self, id: impl AsRef<str>, request: Request) -> Result<EventReader, Error> {
        let (connection, shared) = self.register(id.as_ref(), request)?;
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
        let shared = self.start(id.as_ref(), request, None)?;
        Ok(Handle { shared })
    }

    /// Returns a handle to the live connection with this id.
    pub fn handle(&self, id: &str) -> Option<Handle> {
        let shared = lock(&self.inner.registry.0).live.get(id).cloned()?;
        Some(Handle { shared })
    }

    /// Returns the ids of the live connections, sorted.
    pub fn ids(&self) -> Vec<String> {
        lock(&self.inner.registry.0).live.keys().map(|id| id.to_string()).collect()
    }

    /// Stops the live connection with this id, and tells whether there was one. The id is free at once.
    pub fn close(&self, id: &str) -> bool {
        let Some(handle) = self.handle(id) else { return false };
        handle.stop();
        true
    }

    /// Stops all live connections.
    pub fn close_all(&self) {
        let live: Vec<_> = lock(&self.inner.registry.0).live.values().cloned().collect();
        for shared in live {
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

    fn start(&self, id: &str, request: Request, outlet: Outlet) -> Result<Arc<Shared>, Error> {
        let (connection, shared) = self.register(id, request)?;
        worker::start(connection, &shared, outlet, self.inner.settings.stack_size)?;
        Ok(shared)
    }

    /// Checks everything, then takes the id.
    fn register(&self, id: &str, request: Request) -> Result<(Connection, Arc<Shared>), Error> {
        check_id(id)?;
        let settings = &self.inner.settings;
        let plan = request.plan(&settings.headers)?;
        let network = settings.network().map_err(Error::InvalidRequest)?;
        let shared = Arc::new(Shared::new(id.into(), plan.parser.last_event_id().unwrap_or_default()));
        self.inner.registry.insert(&shared)?;
        Ok((Connection::new(Arc::clone(&shared), plan, network, settings.stack_size), shared))
    }
}

impl Registry {
    fn insert(self: &Arc<Self>, shared: &Arc<Shared>) -> Result<(), Error> {
        let mut entries = lock(&self.0);
        if entries.live.contains_key(&shared.id) {
            return Err(Error::DuplicateId(shared.id.to_string()));
        }
        let (registry, own) = (Arc::downgrade(self), Arc::downgrade(shared));
        shared.on_release(move || {
            if let (Some(registry), Some(own)) = (registry.upgrade(), own.upgrade()) {
                registry.release(&own);
            }
        });
        entries.live.insert(Arc::clone(&shared.id), Arc::clone(shared));
        Ok(())
    }

    /// Frees the id, unless a successor already has it.
    fn release(&self, shared: &Arc<Shared>) {
        let mut entries = lock(&self.0);
        if !entries.live.get(&shared.id).is_some_and(|live| Arc::ptr_eq(live, shared)) {
            return;
        }
        entries.live.remove(&shared.id);
        entries.winding_down.retain(|old| old.upgrade().is_some_and(|old| old.is_running()));
        entries.winding_down.push(Arc::downgrade(shared));
    }

    fn winding_down(&self) -> Vec<Arc<Shared>> {
        lock(&self.0).winding_down.iter().filter_map(Weak::upgrade).collect()
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
