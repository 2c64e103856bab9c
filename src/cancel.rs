//! How another thread interrupts a connection, whatever it is doing.
//!
//! A connection has a [`CancelToken`], and a child of it for each attempt: the [`AttemptToken`], for the attempt, the stream
//! that it opens, and the wait after it. Cancelling one wakes everything that blocks: waits through a channel that
//! disconnects, system calls through a shutdown of the sockets in use. `Handle::reconnect` cancels the child of the current
//! attempt; a stop cancels the parent, after which there is no other child.

use std::convert::Infallible;
use std::fmt;
use std::mem;
use std::time::Instant;

#[cfg(not(http_sse_simulation))]
use crossbeam_channel::RecvTimeoutError;
use crossbeam_channel::{Receiver, Sender, bounded};

use crate::parking::Parking;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Mutex, Weak, lock};

/// A resource that blocks in system calls and can be shut down from another thread.
pub(crate) trait ShutdownHandle: Send + Sync {
    fn shutdown(&self);
}

/// The attempt was cancelled: by a stop, or by a reconnect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Cancelled {}

/// Shared between a connection and everything that may stop it.
#[derive(Debug)]
pub(crate) struct CancelToken {
    /// Sticky. Set by any thread, before the attempt is cancelled.
    is_cancelled: AtomicBool,
    attempts: Mutex<Attempts>,
    /// Disconnects at the stop, but not at a reconnect: an event in delivery outlives its attempt.
    wake: Wake,
    /// Where the connection's thread waits for room in a channel.
    parking: Parking,
}

#[derive(Debug)]
struct Attempts {
    current: Arc<AttemptToken>,
    /// `reconnect_now()` was called and is pending.
    is_next_urgent: bool,
}

/// The token of one attempt, its stream and the delay after it.
pub(crate) struct AttemptToken {
    is_cancelled: AtomicBool,
    is_urgent: bool,
    /// The sockets in use, registered before they connect; the code that connects owns and closes them. There are
    /// several only while parallel connects to several addresses are in progress.
    sockets: Mutex<Vec<Weak<dyn ShutdownHandle>>>,
    wake: Wake,
}

/// A channel that never carries an item: its only signal is its end.
#[derive(Debug)]
struct Wake {
    sender: Mutex<Option<Sender<Infallible>>>,
    receiver: Receiver<Infallible>,
}

impl CancelToken {
    pub(crate) fn new() -> Self {
        Self {
            is_cancelled: AtomicBool::new(false),
            attempts: Mutex::new(Attempts { current: Arc::new(AttemptToken::new(false)), is_next_urgent: false }),
            wake: Wake::new(),
            parking: Parking::default(),
        }
    }

    /// Ends the connection permanently, at a stop. Idempotent, never blocks.
    pub(crate) fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::SeqCst);
        self.wake.fire();
        self.parking.unpark();
        // Cloned, so that no lock is held while the sockets are shut down.
        self.current_attempt().cancel();
    }

    /// Cancels the current attempt; the connection begins the next one immediately.
    pub(crate) fn reconnect(&self) {
        self.current_attempt().cancel();
    }

    /// Like `reconnect`, but the next attempt is urgent.
    pub(crate) fn reconnect_now(&self) {
        let current = {
            let mut attempts = lock(&self.attempts);
            attempts.is_next_urgent = true;
            Arc::clone(&attempts.current)
        };
        current.cancel();
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::SeqCst)
    }

    pub(crate) fn current_attempt(&self) -> Arc<AttemptToken> {
        Arc::clone(&lock(&self.attempts).current)
    }

    /// Begins the next attempt, which is not cancelled.
    pub(crate) fn next_attempt(&self) -> Result<Arc<AttemptToken>, Cancelled> {
        let next = {
            let mut attempts = lock(&self.attempts);
            attempts.current = Arc::new(AttemptToken::new(mem::take(&mut attempts.is_next_urgent)));
            Arc::clone(&attempts.current)
        };
        // After the exchange: a stop that cancelled the old attempt is seen here, a later one cancels the new attempt.
        if self.is_cancelled() { Err(Cancelled) } else { Ok(next) }
    }

    /// Returns a receiver that disconnects at the stop.
    pub(crate) fn cancelled(&self) -> &Receiver<Infallible> {
        &self.wake.receiver
    }

    /// Where the connection's thread parks while a channel is full; a stop wakes it.
    pub(crate) fn parking(&self) -> &Parking {
        &self.parking
    }
}

impl AttemptToken {
    fn new(is_urgent: bool) -> Self {
        Self { is_cancelled: AtomicBool::new(false), is_urgent, sockets: Mutex::new(Vec::new()), wake: Wake::new() }
    }

    fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::SeqCst);
        self.wake.fire();
        let sockets = mem::take(&mut *lock(&self.sockets));
        for socket in sockets.iter().filter_map(Weak::upgrade) {
            socket.shutdown();
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::SeqCst)
    }

    /// Returns `true` if `reconnect_now()` has led to it.
    pub(crate) fn is_urgent(&self) -> bool {
        self.is_urgent
    }

    /// Registers a socket, before it connects. Those that are closed by then are forgotten.
    ///
    /// The flag is set before the lock is taken in [`AttemptToken::cancel`], and read under the lock here:
    /// either this sees the flag, or the cancel sees the socket.
    pub(crate) fn register_shutdown(&self, socket: Weak<dyn ShutdownHandle>) -> Result<(), Cancelled> {
        let mut sockets = lock(&self.sockets);
        if self.is_cancelled() {
            return Err(Cancelled);
        }
        sockets.retain(|socket| socket.strong_count() > 0);
        sockets.push(socket);
        Ok(())
    }

    /// Waits until the instant, without one indefinitely.
    pub(crate) fn sleep_until(&self, until: Option<Instant>) -> Result<(), Cancelled> {
        #[cfg(http_sse_simulation)]
        crate::simulation::sleep_until(until, || self.is_cancelled());
        #[cfg(http_sse_simulation)]
        return if self.is_cancelled() { Err(Cancelled) } else { Ok(()) };
        #[cfg(not(http_sse_simulation))]
        self.sleep_by_clock(until)
    }

    #[cfg(not(http_sse_simulation))]
    fn sleep_by_clock(&self, until: Option<Instant>) -> Result<(), Cancelled> {
        let Some(until) = until else {
            let Err(_) = self.wake.receiver.recv();
            return Err(Cancelled);
        };
        match self.wake.receiver.recv_deadline(until) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => Err(Cancelled),
        }
    }

    /// Returns a receiver that disconnects when the attempt is cancelled.
    pub(crate) fn cancelled(&self) -> &Receiver<Infallible> {
        &self.wake.receiver
    }
}

impl Wake {
    fn new() -> Self {
        let (sender, receiver) = bounded(0);
        Self { sender: Mutex::new(Some(sender)), receiver }
    }

    fn fire(&self) {
        lock(&self.sender).take();
    }
}

impl fmt::Debug for AttemptToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptToken").field("is_cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::atomic::AtomicUsize;
    use std::thread;

    #[derive(Default)]
    struct Socket(AtomicUsize);

    impl ShutdownHandle for Socket {
        fn shutdown(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn weak(socket: &Arc<Socket>) -> Weak<dyn ShutdownHandle> {
        let weak: Weak<Socket> = Arc::downgrade(socket);
        weak
    }

    #[test]
    fn a_cancel_shuts_down_the_socket_in_use_exactly_once() {
        let token = CancelToken::new();
        let socket = Arc::new(Socket::default());
        let attempt = token.next_attempt().unwrap();
        attempt.register_shutdown(weak(&socket)).unwrap();
        token.cancel();
        token.cancel();
        assert_eq!(socket.0.load(Ordering::SeqCst), 1);
        assert!(attempt.is_cancelled());
    }

    #[test]
    fn a_cancel_shuts_down_every_socket_that_is_open() {
        let token = CancelToken::new();
        let attempt = token.next_attempt().unwrap();
        let sockets = [Arc::new(Socket::default()), Arc::new(Socket::default())];
        let closed = Arc::new(Socket::default());
        attempt.register_shutdown(weak(&closed)).unwrap();
        drop(closed);
        sockets.iter().for_each(|socket| attempt.register_shutdown(weak(socket)).unwrap());
        assert_eq!(lock(&attempt.sockets).len(), sockets.len());
        token.cancel();
        assert_eq!(sockets.map(|socket| socket.0.load(Ordering::SeqCst)), [1, 1]);
    }

    #[test]
    fn after_the_cancel_no_attempt_begins_and_no_socket_is_registered() {
        let token = CancelToken::new();
        let attempt = token.next_attempt().unwrap();
        token.cancel();
        assert_eq!(attempt.register_shutdown(weak(&Arc::default())), Err(Cancelled));
        assert!(token.next_attempt().is_err());
        assert_eq!(attempt.sleep_until(None), Err(Cancelled));
    }

    #[test]
    fn a_reconnect_cancels_one_attempt_only() {
        let token = CancelToken::new();
        let attempt = token.next_attempt().unwrap();
        token.reconnect();
        token.reconnect();
        assert_eq!(attempt.sleep_until(None), Err(Cancelled));
        let attempt = token.next_attempt().unwrap();
        assert!(!attempt.is_cancelled() && !token.is_cancelled());
        assert_eq!(attempt.sleep_until(Some(Instant::now())), Ok(()));
    }

    #[test]
    fn a_sleep_ends_as_soon_as_it_is_cancelled_from_another_thread() {
        let token = Arc::new(CancelToken::new());
        let attempt = token.next_attempt().unwrap();
        let other = Arc::clone(&token);
        let stopper = thread::spawn(move || other.cancel());
        assert_eq!(attempt.sleep_until(None), Err(Cancelled));
        stopper.join().unwrap();
    }

    #[test]
    fn a_reconnect_leaves_the_delivery_alone() {
        let token = CancelToken::new();
        token.reconnect();
        assert!(token.cancelled().try_recv().unwrap_err().is_empty());
        token.cancel();
        assert!(token.cancelled().try_recv().unwrap_err().is_disconnected());
    }
}
