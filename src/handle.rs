//! A connection as the rest of the program sees it: stop it, watch it, wait for it.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::stop::{StopToken, deadline, lock};

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

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Looking up, connecting, or waiting for the response head.
    Connecting,
    /// The stream is open.
    Open,
    /// Waiting before the next attempt.
    Waiting,
    /// Over, or told to stop.
    Closed,
}

/// Why a connection is over.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum End {
    /// It was stopped, closed or dropped.
    Stopped,
    /// The server answered 204: do not come back (HTML §9.2.3).
    NoContent,
    /// The event that [`Request::until`](crate::Request::until) waits for has come.
    Until,
    /// A one-shot response ended as its framing says.
    Complete,
    /// It failed and does not try again.
    Failed(Error),
}

/// Figures of a connection at one moment.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Events received.
    pub events: u64,
    /// Comment lines received.
    pub comments: u64,
    /// Bytes of response bodies received.
    pub bytes: u64,
    /// Events dropped because the consumer was slow.
    pub dropped: u64,
    /// Events skipped because they were too large.
    pub oversized: u64,
    /// Attempts made.
    pub attempts: u64,
    /// Failures in a row so far.
    pub consecutive_failures: u32,
    /// The status of the last response.
    pub last_status: Option<u16>,
    /// How long ago the open stream received its last byte; `None` while no stream is open.
    pub idle_for: Option<Duration>,
    /// How long until the next attempt; `None` while not waiting for one.
    pub retry_in: Option<Duration>,
}

/// Shared between a connection, its handles and its client.
pub(crate) struct Shared {
    pub(crate) id: Arc<str>,
    pub(crate) stop: StopToken,
    /// Frees the id; set by the client, called by whoever ends the connection first.
    release: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// Written by the connection's thread once an event.
    progress: Mutex<Progress>,
    /// Written by the connection's thread a few times an attempt.
    life: Mutex<Life>,
    changed: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Counters as `u64` under a lock: some ARM targets have no 64-bit atomics.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) events: u64,
    pub(crate) comments: u64,
    pub(crate) bytes: u64,
    pub(crate) dropped: u64,
    pub(crate) oversized: u64,
    pub(crate) last_event_id: String,
    pub(crate) last_byte: Option<Instant>,
}

#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) state: State,
    pub(crate) attempts: u64,
    pub(crate) failures: u32,
    pub(crate) last_status: Option<u16>,
    pub(crate) retry_at: Option<Instant>,
    end: Option<End>,
    /// How many streams were opened: `wait_open` must not miss a short one.
    opened: u64,
    /// How many threads wait for a change: to wake nobody is a system call too.
    waiting: u32,
    /// A thread is inside the connection, or about to be.
    running: bool,
    runner: Option<ThreadId>,
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
        self.shared.life().end.clone()
    }

    /// Returns the last event id received; `None` while there is none.
    pub fn last_event_id(&self) -> Option<String> {
        let progress = lock(&self.shared.progress);
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

impl Shared {
    pub(crate) fn new(id: Arc<str>, last_event_id: &str) -> Self {
        Self {
            id,
            stop: StopToken::new(),
            release: OnceLock::new(),
            progress: Mutex::new(Progress { last_event_id: last_event_id.to_owned(), ..Progress::default() }),
            life: Mutex::new(Life {
                state: State::Connecting,
                attempts: 0,
                failures: 0,
                last_status: None,
                retry_at: None,
                end: None,
                opened: 0,
                waiting: 0,
                running: false,
                runner: None,
            }),
            changed: Condvar::new(),
            thread: Mutex::new(None),
        }
    }

    pub(crate) fn on_release(&self, release: impl Fn() + Send + Sync + 'static) {
        // Set once, by the client that made this connection.
        let _ = self.release.set(Box::new(release));
    }

    /// Makes the id free for another connection.
    pub(crate) fn release(&self) {
        if let Some(release) = self.release.get() {
            release();
        }
    }

    pub(crate) fn stop(&self) {
        self.release();
        self.stop.stop();
        // Whoever waits for an open stream waits in vain.
        self.update(|_| {});
    }

    pub(crate) fn progress(&self) -> MutexGuard<'_, Progress> {
        lock(&self.progress)
    }

    /// Changes what the connection's life is at, and wakes who waits for it.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Life)) {
        let mut life = self.life();
        change(&mut life);
        if life.waiting > 0 {
            self.changed.notify_all();
        }
    }

    /// Marks that a thread is about to enter the connection.
    pub(crate) fn start_running(&self) {
        self.life().running = true;
    }

    /// Marks the calling thread as the connection's own.
    pub(crate) fn enter(&self) {
        let mut life = self.life();
        life.running = true;
        life.runner = Some(OWN_ID.with(|id| *id));
    }

    /// Marks that no thread is inside any more.
    pub(crate) fn leave(&self) {
        self.update(|life| {
            life.running = false;
            life.runner = None;
        });
    }

    pub(crate) fn set_thread(&self, thread: JoinHandle<()>) {
        *lock(&self.thread) = Some(thread);
    }

    pub(crate) fn is_running(&self) -> bool {
        self.life().running
    }

    pub(crate) fn is_own_thread(&self) -> bool {
        self.life().runner == Some(OWN_ID.with(|id| *id))
    }

    pub(crate) fn end(&self) -> Option<End> {
        self.life().end.clone()
    }

    /// Waits until no thread is inside; without an instant, for ever.
    pub(crate) fn join_until(&self, until: Option<Instant>) -> bool {
        let mut life = self.life();
        while life.running {
            match self.wait(life, until) {
                Ok(woken) => life = woken,
                Err(TimedOut) => return false,
            }
        }
        drop(life);
        // The thread has nothing left to do but to end; the lock makes others wait for that too.
        if let Some(thread) = lock(&self.thread).take() {
            // Its panics were contained and reported.
            let _ = thread.join();
        }
        true
    }

    fn wait_open(&self, until: Option<Instant>) -> bool {
        let mut life = self.life();
        let opened = life.opened;
        loop {
            if self.stop.is_stopped() {
                return false;
            }
            if life.state == State::Open || life.opened != opened {
                return true;
            }
            if life.state == State::Closed {
                return false;
            }
            match self.wait(life, until) {
                Ok(woken) => life = woken,
                Err(TimedOut) => return false,
            }
        }
    }

    fn wait<'a>(
        &self,
        mut life: MutexGuard<'a, Life>,
        until: Option<Instant>,
    ) -> Result<MutexGuard<'a, Life>, TimedOut> {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(TimedOut);
        }
        life.waiting += 1;
        let mut life = match left {
            None => self.changed.wait(life).unwrap_or_else(PoisonError::into_inner),
            Some(left) => self.changed.wait_timeout(life, left).unwrap_or_else(PoisonError::into_inner).0,
        };
        life.waiting -= 1;
        Ok(life)
    }

    fn stats(&self, now: Instant) -> Stats {
        let (open, attempts, consecutive_failures, last_status, retry_at) = {
            let life = self.life();
            (life.state == State::Open, life.attempts, life.failures, life.last_status, life.retry_at)
        };
        let progress = lock(&self.progress);
        Stats {
            events: progress.events,
            comments: progress.comments,
            bytes: progress.bytes,
            dropped: progress.dropped,
            oversized: progress.oversized,
            attempts,
            consecutive_failures,
            last_status,
            idle_for: progress.last_byte.filter(|_| open).map(|byte| now.saturating_duration_since(byte)),
            retry_in: retry_at.map(|at| at.saturating_duration_since(now)),
        }
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        lock(&self.life)
    }
}

impl End {
    /// What the log says.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Stopped => "stopped".into(),
            Self::NoContent => "the server asked not to come back (204)".into(),
            Self::Until => "the last event has come".into(),
            Self::Complete => "the response is complete".into(),
            Self::Failed(error) => error.log_text(),
        }
    }
}

struct TimedOut;

thread_local! {
    /// A reader enters and leaves with every event: asking for the id each time costs two atomic operations more.
    static OWN_ID: ThreadId = thread::current().id();
}

impl Life {
    pub(crate) fn open(&mut self) {
        self.state = State::Open;
        self.opened += 1;
    }

    /// Sets the end; a stop that wins over a waiting failure sets it again.
    pub(crate) fn ended(&mut self, end: End) {
        self.end = Some(end);
        self.state = State::Closed;
        self.retry_at = None;
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("id", &self.id()).field("state", &self.state()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("id", &self.id).field("stop", &self.stop).finish_non_exhaustive()
    }
}
