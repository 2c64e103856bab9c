//! The state shared by a connection, its handles and its client.

use std::fmt;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::Instant;

use crossbeam_utils::atomic::AtomicCell;

use super::progress::Progress;
use super::state::{End, State, Stats};
use crate::cancel::CancelToken;
use crate::clock;
use crate::error::Error;
use crate::parser::LastEventId;
use crate::sync::lock;

/// Shared between a connection, its handles and its client.
pub(crate) struct Shared {
    pub(crate) id: Arc<str>,
    pub(crate) token: CancelToken,
    /// Frees the id; set by the client, called by the first code that ends the connection.
    release: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// Written only by the connection's thread.
    events: AtomicCell<u64>,
    /// Bytes of response bodies, without framing; written only by the connection's thread.
    bytes: AtomicCell<u64>,
    /// Written by the connection's thread once per read, and at an event with a new id.
    progress: Mutex<Progress>,
    /// Written by the connection's thread a few times per attempt.
    life: Mutex<Life>,
    changed: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) state: State,
    pub(crate) attempts: u64,
    pub(crate) failures: u32,
    pub(crate) last_status: Option<u16>,
    pub(crate) retry_at: Option<Instant>,
    /// The last reported failure and its time.
    last_error: Option<(Error, Instant)>,
    end: Option<End>,
    /// How many streams were opened: `wait_open` must not miss a short one.
    opened: u64,
    /// The number of threads that wait for a change: waking nobody is a system call too.
    waiting: u32,
    /// A thread is inside the connection, or about to be.
    running: bool,
    runner: Option<ThreadId>,
}

impl Shared {
    pub(crate) fn new(id: Arc<str>, last_event_id: &str) -> Self {
        let mut progress = Progress::default();
        progress.last_event_id.set(last_event_id);
        Self {
            id,
            token: CancelToken::new(),
            events: AtomicCell::new(0),
            bytes: AtomicCell::new(0),
            release: OnceLock::new(),
            progress: Mutex::new(progress),
            life: Mutex::new(Life {
                state: State::Connecting,
                attempts: 0,
                failures: 0,
                last_status: None,
                retry_at: None,
                last_error: None,
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
        self.token.cancel();
        // A thread that waits for an open stream waits in vain.
        self.update(|_| {});
    }

    pub(crate) fn progress(&self) -> MutexGuard<'_, Progress> {
        lock(&self.progress)
    }

    /// Counts an event. Only for the connection's thread, the only writer.
    #[inline]
    pub(crate) fn count_event(&self) {
        self.events.store(self.events.load().saturating_add(1));
    }

    /// Returns `true` if there has been an event.
    pub(crate) fn has_events(&self) -> bool {
        self.events.load() > 0
    }

    /// Counts bytes of a body. Only for the connection's thread, the only writer.
    #[inline]
    pub(crate) fn count_bytes(&self, amount: usize) {
        self.bytes.store(self.bytes.load().saturating_add(amount as u64));
    }

    /// Not inlined: most events have no new id, and the lock would slow them down.
    #[inline(never)]
    pub(crate) fn show_last_event_id(&self, id: &LastEventId) {
        self.progress().last_event_id.clone_from(id);
    }

    /// Changes the state, and wakes the threads that wait for it.
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

    /// Marks the calling thread as the connection's own for a while.
    pub(crate) fn enter_until_dropped(self: &Arc<Self>) -> Inside {
        self.enter();
        Inside(Arc::clone(self))
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

    /// Stores a failure for the handles of the connection.
    pub(crate) fn note_error(&self, error: &Error) {
        let noted = Some((error.clone(), clock::now()));
        // Dropped after the lock: it may contain a user-supplied error.
        let _before = mem::replace(&mut self.life().last_error, noted);
    }

    pub(super) fn last_error(&self) -> Option<(Error, Instant)> {
        self.life().last_error.clone()
    }

    pub(crate) fn end(&self) -> Option<End> {
        self.life().end.clone()
    }

    /// Waits until no thread is inside; `None` waits without limit.
    pub(crate) fn join_until(&self, until: Option<Instant>) -> bool {
        let mut life = self.life();
        while life.running {
            match self.wait(life, until) {
                Ok(woken) => life = woken,
                Err(TimedOut) => return false,
            }
        }
        drop(life);
        // The thread only has to end; the lock makes others wait for that too.
        if let Some(thread) = lock(&self.thread).take() {
            // Its panics were caught and reported.
            let _ = thread.join();
        }
        true
    }

    pub(super) fn wait_open(&self, until: Option<Instant>) -> bool {
        let mut life = self.life();
        let opened = life.opened;
        loop {
            if self.token.is_cancelled() {
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

    pub(super) fn stats(&self, now: Instant) -> Stats {
        let (open, attempts, consecutive_failures, last_status, retry_at) = {
            let life = self.life();
            (life.state == State::Open, life.attempts, life.failures, life.last_status, life.retry_at)
        };
        let progress = lock(&self.progress);
        Stats {
            events: self.events.load(),
            comments: progress.comments,
            bytes: self.bytes.load(),
            dropped: progress.dropped,
            oversized: progress.oversized,
            attempts,
            consecutive_failures,
            last_status,
            idle_for: progress.last_byte.filter(|_| open).map(|byte| now.saturating_duration_since(byte)),
            reconnection_time: progress.reconnection_time,
            retry_in: retry_at.map(|at| at.saturating_duration_since(now)),
        }
    }

    pub(crate) fn life(&self) -> MutexGuard<'_, Life> {
        lock(&self.life)
    }
}

struct TimedOut;

pub(crate) struct Inside(Arc<Shared>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.leave();
    }
}

thread_local! {
    /// A reader enters and leaves with every read: looking up the id each time costs two atomic operations more.
    static OWN_ID: ThreadId = thread::current().id();
}

impl Life {
    pub(crate) fn open(&mut self) {
        self.state = State::Open;
        self.opened += 1;
    }

    /// Sets the end; a stop that takes precedence over a waiting failure sets it again.
    pub(crate) fn ended(&mut self, end: End) {
        self.end = Some(end);
        self.state = State::Closed;
        self.retry_at = None;
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("id", &self.id).field("token", &self.token).finish_non_exhaustive()
    }
}
