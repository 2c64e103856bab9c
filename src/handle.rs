//! A connection as the rest of the program sees it: stop it, watch it, wait for it.

mod progress;
mod shared;
mod state;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::stop::deadline;

pub(crate) use shared::Shared;
pub use state::{End, State, Stats};

/// A connection, from any thread. Dropping it changes nothing.
///
/// It keeps meaning its own connection when the id is used again.
///
/// # Example: stopping from elsewhere
///
/// ```no_run
/// use http_sse::{Client, Request};
///
/// let rx = Client::new().connect("ticker", Request::get("https://example.com/events"))?;
/// let handle = rx.handle();
/// std::thread::spawn(move || {
///     // … a signal, a button, the end of the shift …
///     handle.stop();
/// });
/// for event in &rx {
///     println!("{}", event?.data());
/// }
/// # Ok::<(), http_sse::Error>(())
/// ```
#[derive(Clone)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
}

impl Handle {
    /// Returns the connection's id.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// Ends the connection; what is buffered stays to be read.
    ///
    /// # Threads
    ///
    /// Never blocks; from any thread, also from a callback. The channel ends within milliseconds, whatever the
    /// connection is doing, and so does its thread.
    pub fn stop(&self) {
        self.shared.stop();
    }

    /// Drops the stream, or cuts the wait short, and connects at once with a fresh back-off.
    ///
    /// The event in delivery is still delivered. Does nothing on a closed connection.
    pub fn reconnect(&self) {
        if !self.shared.stop.is_stopped() {
            self.shared.stop.reconnect();
        }
    }

    /// Returns what the connection is doing.
    pub fn state(&self) -> State {
        if self.shared.stop.is_stopped() { State::Closed } else { self.shared.life().state }
    }

    /// Tells whether the connection is over, or told to stop.
    pub fn is_closed(&self) -> bool {
        self.state() == State::Closed
    }

    /// Returns why the connection is over; set before its consumer can see the end.
    pub fn end(&self) -> Option<End> {
        self.shared.end()
    }

    /// Returns the last event id received; `None` while there is none.
    pub fn last_event_id(&self) -> Option<String> {
        let progress = self.shared.progress();
        if progress.last_event_id.is_empty() { None } else { Some(progress.last_event_id.clone()) }
    }

    /// Returns the connection's figures.
    pub fn stats(&self) -> Stats {
        self.shared.stats(Instant::now())
    }

    /// Waits until the connection's thread has ended. Stops nothing.
    ///
    /// A `read` counts only while its owner is inside `next()`.
    ///
    /// # Panics
    ///
    /// On the connection's own thread: it would wait for itself.
    pub fn join(&self) {
        assert!(!self.shared.is_own_thread(), "join() on the connection's own thread would wait for itself");
        self.shared.join_until(None);
    }

    /// Waits at most this long, and tells whether the connection's thread has ended. Zero asks without waiting.
    ///
    /// On the connection's own thread `false`, at once.
    pub fn join_timeout(&self, timeout: Duration) -> bool {
        if self.shared.is_own_thread() {
            return false;
        }
        match deadline(Instant::now(), timeout) {
            Some(until) => self.shared.join_until(Some(until)),
            None => self.shared.join_until(None),
        }
    }

    /// Waits at most this long until a stream is open; `false` when it is closed, or not open in time.
    pub fn wait_open(&self, timeout: Duration) -> bool {
        self.shared.wait_open(deadline(Instant::now(), timeout))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("id", &self.id()).field("state", &self.state()).finish_non_exhaustive()
    }
}
