//! Access to a connection from the rest of the program: stop it, observe it, wait for it.

mod progress;
mod shared;
mod state;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock;
use crate::error::Error;
use crate::sync::deadline;

pub(crate) use shared::Shared;
pub use state::{End, State, Stats};

/// A handle to a connection, for any thread. Dropping it has no effect.
///
/// It always refers to its original connection, even if the id is reused.
///
/// # Example: stopping on a signal
///
/// Do not call [`stop`](Self::stop) inside a raw signal handler. The `ctrlc` crate and the iterator of `signal-hook`
/// run your code on a thread, where it is safe. Without a handler, Ctrl-C ends the process, which is fine for a stream.
///
/// ```no_run
/// use http_sse::{Client, Handle, Request, RetryPolicy};
///
/// /// The argument of `ctrlc::set_handler`.
/// fn stopper(handle: Handle) -> impl Fn() + Send + 'static {
///     move || handle.stop()
/// }
///
/// let request = Request::get("https://example.com/events").retry(RetryPolicy::forever());
/// let events = Client::new().connect("meter", request)?;
/// let on_ctrl_c = stopper(events.handle());
/// std::thread::spawn(on_ctrl_c); // … or ctrlc::set_handler(on_ctrl_c)
/// for event in events {
///     println!("{}", event?.data());
/// }
/// // After the signal, the loop ends without an error.
/// # Ok::<(), http_sse::Error>(())
/// ```
#[derive(Clone)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
}

impl Handle {
    /// Returns the connection's id.
    ///
    /// # Example: one function for many connections
    ///
    /// ```
    /// use http_sse::{Client, Handle, Request};
    ///
    /// fn report(handle: &Handle) -> String {
    ///     format!("{} is {:?}", handle.id(), handle.state())
    /// }
    /// let reader = Client::new().read("oven", Request::get("https://example.com/oven"))?;
    /// assert_eq!(report(&reader.handle()), "oven is Connecting");
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// Stops the connection; events that are already in the channel can still be received.
    ///
    /// # Threads
    ///
    /// Never blocks; may be called from any thread and from a callback. The channel and the thread end within
    /// milliseconds, whatever the connection is doing.
    ///
    /// # Example: from another thread
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.wait_for_close();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let rx = client.connect("oven", Request::get(url))?;
    /// let handle = rx.handle();
    /// std::thread::spawn(move || handle.stop());
    /// for event in rx {
    ///     println!("{}", event?.data());
    /// }
    /// // The loop ends without an error after the other thread has stopped it.
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stop(&self) {
        self.shared.stop();
    }

    /// Drops the stream, or ends the current delay, and connects again.
    ///
    /// It connects immediately, but only once per base delay of the [`RetryPolicy`](crate::RetryPolicy) (or of the
    /// server's `retry:`), and not before the end of a `Retry-After`: until then it waits, as [`Stats::retry_in`]
    /// shows. So no rate of calls floods a server, also from `on_error`. An attempt in progress starts again: calls that
    /// come faster than a server answers keep the connection from opening. The attempt counts like any other and does not
    /// reset the failure count.
    ///
    /// An event that is being delivered is still delivered. The call itself is not a failure: nothing is reported to
    /// `on_error`. It has no effect on a closed connection.
    ///
    /// # Threads
    ///
    /// Never blocks; may be called from any thread and from a callback. Pending calls are coalesced.
    ///
    /// # Example: the network is up again
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
    /// # let (failed, failure) = http_sse::crossbeam_channel::bounded(1);
    /// let an_hour = RetryPolicy::constant(Duration::from_secs(3600));
    /// let request = Request::get(url).retry(an_hour);
    /// # let request = request.on_error(move |_| { let _ = failed.try_send(()); });
    /// let mut rx = client.connect("oven", request)?;
    /// # failure.recv()?;
    /// // … when the system reports that the network is up …
    /// rx.handle().reconnect();
    /// assert_eq!(rx.next().ok_or("over")??.data(), "1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reconnect(&self) {
        if !self.shared.token.is_cancelled() {
            self.shared.token.reconnect();
        }
    }

    /// Works like [`reconnect`](Self::reconnect), but ignores `Retry-After`: for requests by a person.
    ///
    /// It is still limited to once per base delay.
    ///
    /// # Example: a button
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|number, mut peer| match number {
    /// #     0 => peer.respond(503, &[("Retry-After", "3600")], "busy"),
    /// #     _ => peer.respond(200, &[("Content-Type", "text/event-stream")], "data: 1\n\n"),
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// # let (failed, failure) = http_sse::crossbeam_channel::bounded(1);
    /// # let request = Request::get(url).on_error(move |_| { let _ = failed.try_send(()); });
    /// let mut rx = client.connect("oven", request)?;
    /// # failure.recv()?;
    /// // … the server requested a delay of one hour, and a user presses "try now" …
    /// rx.handle().reconnect_now();
    /// assert_eq!(rx.next().ok_or("over")??.data(), "1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reconnect_now(&self) {
        if !self.shared.token.is_cancelled() {
            self.shared.token.reconnect_now();
        }
    }

    /// Returns what the connection is doing.
    ///
    /// # Example: before and after
    ///
    /// ```
    /// use http_sse::{Client, Request, State};
    ///
    /// let reader = Client::new().read("oven", Request::get("https://example.com/oven"))?;
    /// let handle = reader.handle();
    /// assert_eq!(handle.state(), State::Connecting);
    /// handle.stop();
    /// assert_eq!(handle.state(), State::Closed);
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn state(&self) -> State {
        if self.shared.token.is_cancelled() { State::Closed } else { self.shared.life().state }
    }

    /// Returns `true` if the connection has ended or was stopped.
    ///
    /// # Example: forget ended connections
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// let client = Client::new();
    /// let oven = client.read("oven", Request::get("https://example.com/oven"))?;
    /// let door = client.read("door", Request::get("https://example.com/door"))?;
    /// let mut handles = vec![oven.handle(), door.handle()];
    /// drop(door);
    /// handles.retain(|handle| !handle.is_closed());
    /// assert_eq!(handles.len(), 1);
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state() == State::Closed
    }

    /// Returns why the connection ended, or `None` while it runs; set before its consumer can see the end.
    ///
    /// # Example: the server asked not to reconnect
    ///
    /// ```
    /// use http_sse::{Client, End, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| peer.respond(204, &[], ""))?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let mut rx = client.connect("news", Request::get(url))?;
    /// assert!(rx.next().is_none());
    /// assert!(matches!(rx.handle().end(), Some(End::NoContent)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn end(&self) -> Option<End> {
        self.shared.end()
    }

    /// Returns the last event id received, or `None` if there is none.
    ///
    /// Events that wait in the channel count as received: to resume after a restart, store
    /// [`Event::id`](crate::Event::id) of the last handled event.
    ///
    /// # Example: the current position
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.send("id: 42\ndata: 1\n\n");
    /// #     peer.wait_for_close();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let mut reader = client.read("news", Request::get(url))?;
    /// let event = reader.next().ok_or("over")??;
    /// assert_eq!(reader.handle().last_event_id().as_deref(), event.id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn last_event_id(&self) -> Option<String> {
        let progress = self.shared.progress();
        let id = progress.last_event_id.as_str();
        (!id.is_empty()).then(|| id.to_owned())
    }

    /// Returns the last failure, and its time, that was reported to [`Request::on_error`](crate::Request::on_error) or
    /// ended the connection; `None` if there was none.
    ///
    /// It remains after the connection has recovered: [`state`](Self::state) shows whether it has.
    ///
    /// # Example: what is wrong, and since when
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| peer.respond(403, &[], "no key"))?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let rx = client.connect("oven", Request::get(url))?;
    /// let handle = rx.handle();
    /// for _ in rx {}
    /// let (error, at) = handle.last_error().ok_or("no failure")?;
    /// assert_eq!(error.to_string(), "the server answered 403: no key");
    /// assert!(at.elapsed().as_secs() < 60);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn last_error(&self) -> Option<(Error, Instant)> {
        self.shared.last_error()
    }

    /// Returns the current cursor, or `None` if there is none or the request has no [`Cursor`](crate::Cursor).
    ///
    /// # Example: the position to resume from
    ///
    /// ```
    /// use http_sse::{Client, Cursor, Request};
    ///
    /// let cursor = Cursor::query("since", |event| Some(event.data().to_owned())).start_at("7");
    /// let reader = Client::new().read("news", Request::get("https://example.com/events").cursor(cursor))?;
    /// assert_eq!(reader.handle().cursor().as_deref(), Some("7"));
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn cursor(&self) -> Option<String> {
        Some(self.shared.progress().cursor.as_ref()).filter(|cursor| !cursor.is_empty()).map(str::to_owned)
    }

    /// Returns the statistics of the connection.
    ///
    /// # Example: feed a watchdog only while bytes arrive
    ///
    /// ```
    /// use http_sse::Handle;
    /// use std::time::Duration;
    ///
    /// fn is_healthy(handle: &Handle) -> bool {
    ///     handle.stats().idle_for.is_some_and(|idle| idle < Duration::from_secs(60))
    /// }
    /// # let client = http_sse::Client::new();
    /// # let reader = client.read("oven", http_sse::Request::get("https://example.com/oven"))?;
    /// assert!(!is_healthy(&reader.handle()), "nothing is open yet");
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn stats(&self) -> Stats {
        self.shared.stats(clock::now())
    }

    /// Waits until the connection's thread has ended, without stopping it.
    ///
    /// A connection of `read` counts only while its owner is inside `next()`.
    ///
    /// # Panics
    ///
    /// On the connection's own thread, where it would deadlock.
    ///
    /// # Example: no thread is left behind
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.wait_for_close();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let handle = client.listen("door", Request::get(url).on_event(|event| println!("{}", event.data())))?;
    /// handle.stop();
    /// handle.join();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join(&self) {
        assert!(!self.shared.is_own_thread(), "join() on the connection's own thread would deadlock");
        self.shared.join_until(None);
    }

    /// Waits until the connection's thread has ended; returns `true` if it ended within the timeout. Zero checks
    /// without waiting.
    ///
    /// # Threads
    ///
    /// On the connection's own thread, that is in a callback, it returns `false` immediately.
    ///
    /// # Example: a callback may take long
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
    /// let handle = client.listen("door", Request::get(url).on_event(|event| println!("{}", event.data())))?;
    /// assert!(!handle.join_timeout(Duration::ZERO), "it runs until it is stopped");
    /// handle.stop();
    /// assert!(handle.join_timeout(Duration::from_secs(10)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "the thread may still be running"]
    pub fn join_timeout(&self, timeout: Duration) -> bool {
        if self.shared.is_own_thread() {
            return false;
        }
        match deadline(Instant::now(), timeout) {
            Some(until) => self.shared.join_until(Some(until)),
            None => self.shared.join_until(None),
        }
    }

    /// Waits until a stream is open; returns `true` if it opened within the timeout, `false` if not or if the
    /// connection ended. Zero checks without waiting.
    ///
    /// It only waits: a connection of `read` makes progress only inside its owner's `next()`.
    ///
    /// # Example: subscribe first, then fetch the current state
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
    /// let rx = client.connect("doors", Request::get(url))?;
    /// if !rx.handle().wait_open(Duration::from_secs(10)) {
    ///     return Err("no stream".into());
    /// }
    /// // … fetch the current state now: no change is missed …
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "the stream may not be open"]
    pub fn wait_open(&self, timeout: Duration) -> bool {
        self.shared.wait_open(deadline(Instant::now(), timeout))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("id", &self.id()).field("state", &self.state()).finish_non_exhaustive()
    }
}
