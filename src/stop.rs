//! How another thread interrupts a connection, whatever it is doing.
//!
//! A connection's life is a row of *laps*: one attempt, the stream it opens, and the wait after it.
//! Cutting a lap wakes everything that blocks in it: waits through a channel that disconnects, system calls
//! through a shutdown of the sockets in use. `reconnect()` cuts the current lap; `stop()` cuts it and lets
//! no other begin.

use std::convert::Infallible;
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

#[cfg(not(http_sse_simulation))]
use crossbeam_channel::RecvTimeoutError;
use crossbeam_channel::{Receiver, Sender, bounded};

use crate::parking::Parking;

/// Something that blocks in system calls and can be shut down from another thread.
pub(crate) trait HangUp: Send + Sync {
    fn hang_up(&self);
}

/// The lap was cut: by `stop()`, or by `reconnect()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Cut {}

/// Shared between a connection and everybody who may stop it.
#[derive(Debug)]
pub(crate) struct StopToken {
    /// Sticky. Written by anybody, before the lap is cut.
    stopped: AtomicBool,
    laps: Mutex<Laps>,
    /// Disconnects at the stop, and not at a reconnect: an event in delivery outlives its lap.
    wake: Wake,
    /// Where the connection's thread waits for room in a channel.
    parking: Parking,
}

#[derive(Debug)]
struct Laps {
    current: Arc<Lap>,
    /// `reconnect_now()` was called, and has not happened yet.
    is_next_urgent: bool,
}

/// One attempt with its stream and the wait after it.
pub(crate) struct Lap {
    cut: AtomicBool,
    is_urgent: bool,
    /// The sockets in use, published before they connect; the code that connects owns and closes them. Several are there only
    /// while connects to several addresses run side by side.
    lines: Mutex<Vec<Weak<dyn HangUp>>>,
    wake: Wake,
}

/// A channel that never carries anything: all that happens is its end.
#[derive(Debug)]
struct Wake {
    sender: Mutex<Option<Sender<Infallible>>>,
    receiver: Receiver<Infallible>,
}

impl StopToken {
    pub(crate) fn new() -> Self {
        Self {
            stopped: AtomicBool::new(false),
            laps: Mutex::new(Laps { current: Arc::new(Lap::new(false)), is_next_urgent: false }),
            wake: Wake::new(),
            parking: Parking::default(),
        }
    }

    /// Ends the connection for good. Idempotent, never blocks.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.wake.fire();
        self.parking.unpark();
        // Cloned, so that no lock is held while the sockets are shut down.
        self.current_lap().cut();
    }

    /// Ends the current lap; the connection begins the next one at once.
    pub(crate) fn reconnect(&self) {
        self.current_lap().cut();
    }

    /// Does what `reconnect` does; the lap that it leads to is urgent.
    pub(crate) fn reconnect_now(&self) {
        let current = {
            let mut laps = lock(&self.laps);
            laps.is_next_urgent = true;
            Arc::clone(&laps.current)
        };
        current.cut();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    pub(crate) fn current_lap(&self) -> Arc<Lap> {
        Arc::clone(&lock(&self.laps).current)
    }

    /// Begins the next lap, and forgets a cut of the last one.
    pub(crate) fn next_lap(&self) -> Result<Arc<Lap>, Cut> {
        let next = {
            let mut laps = lock(&self.laps);
            laps.current = Arc::new(Lap::new(mem::take(&mut laps.is_next_urgent)));
            Arc::clone(&laps.current)
        };
        // After the exchange: a stop that cut the old lap is seen here, a later one cuts the new lap.
        if self.is_stopped() { Err(Cut) } else { Ok(next) }
    }

    /// Returns a receiver that disconnects at the stop.
    pub(crate) fn stopped(&self) -> &Receiver<Infallible> {
        &self.wake.receiver
    }

    /// Where the connection's thread parks while a channel is full; a stop wakes it.
    pub(crate) fn parking(&self) -> &Parking {
        &self.parking
    }
}

impl Lap {
    fn new(is_urgent: bool) -> Self {
        Self { cut: AtomicBool::new(false), is_urgent, lines: Mutex::new(Vec::new()), wake: Wake::new() }
    }

    fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        self.wake.fire();
        let lines = mem::take(&mut *lock(&self.lines));
        for line in lines.iter().filter_map(Weak::upgrade) {
            line.hang_up();
        }
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst)
    }

    /// Tells whether `reconnect_now()` has led to it.
    pub(crate) fn is_urgent(&self) -> bool {
        self.is_urgent
    }

    /// Publishes a socket, before it connects. Those that are closed by then are forgotten.
    ///
    /// The flag is set before the lock is taken in [`Lap::cut`], and read under the lock here:
    /// either this sees the flag, or the cut sees the socket.
    pub(crate) fn enter(&self, line: Weak<dyn HangUp>) -> Result<(), Cut> {
        let mut lines = lock(&self.lines);
        if self.is_cut() {
            return Err(Cut);
        }
        lines.retain(|line| line.strong_count() > 0);
        lines.push(line);
        Ok(())
    }

    /// Waits until the instant, for ever without one.
    pub(crate) fn sleep_until(&self, until: Option<Instant>) -> Result<(), Cut> {
        #[cfg(http_sse_simulation)]
        crate::simulation::sleep_until(until, || self.is_cut());
        #[cfg(http_sse_simulation)]
        return if self.is_cut() { Err(Cut) } else { Ok(()) };
        #[cfg(not(http_sse_simulation))]
        self.sleep_by_clock(until)
    }

    #[cfg(not(http_sse_simulation))]
    fn sleep_by_clock(&self, until: Option<Instant>) -> Result<(), Cut> {
        let Some(until) = until else {
            let Err(_) = self.wake.receiver.recv();
            return Err(Cut);
        };
        match self.wake.receiver.recv_deadline(until) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => Err(Cut),
        }
    }

    /// Returns a receiver that disconnects when the lap is cut.
    pub(crate) fn cut_signal(&self) -> &Receiver<Infallible> {
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

impl fmt::Debug for Lap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lap").field("cut", &self.is_cut()).finish_non_exhaustive()
    }
}

/// Adds without overflow; a duration beyond the clock's range is for ever.
pub(crate) fn deadline(now: Instant, timeout: Duration) -> Option<Instant> {
    now.checked_add(timeout)
}

/// Nothing panics while one of this crate's locks is held, so a poisoned one is still sound.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::atomic::AtomicUsize;
    use std::thread;

    #[derive(Default)]
    struct Line(AtomicUsize);

    impl HangUp for Line {
        fn hang_up(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn weak(line: &Arc<Line>) -> Weak<dyn HangUp> {
        let weak: Weak<Line> = Arc::downgrade(line);
        weak
    }

    #[test]
    fn stop_hangs_up_the_socket_in_use_exactly_once() {
        let token = StopToken::new();
        let line = Arc::new(Line::default());
        let lap = token.next_lap().unwrap();
        lap.enter(weak(&line)).unwrap();
        token.stop();
        token.stop();
        assert_eq!(line.0.load(Ordering::SeqCst), 1);
        assert!(lap.is_cut());
    }

    #[test]
    fn stop_hangs_up_every_socket_that_is_open() {
        let token = StopToken::new();
        let lap = token.next_lap().unwrap();
        let lines = [Arc::new(Line::default()), Arc::new(Line::default())];
        let closed = Arc::new(Line::default());
        lap.enter(weak(&closed)).unwrap();
        drop(closed);
        lines.iter().for_each(|line| lap.enter(weak(line)).unwrap());
        assert_eq!(lock(&lap.lines).len(), lines.len());
        token.stop();
        assert_eq!(lines.map(|line| line.0.load(Ordering::SeqCst)), [1, 1]);
    }

    #[test]
    fn after_the_stop_no_lap_begins_and_no_socket_enters() {
        let token = StopToken::new();
        let lap = token.next_lap().unwrap();
        token.stop();
        assert_eq!(lap.enter(weak(&Arc::default())), Err(Cut));
        assert!(token.next_lap().is_err());
        assert_eq!(lap.sleep_until(None), Err(Cut));
    }

    #[test]
    fn reconnect_cuts_one_lap_only() {
        let token = StopToken::new();
        let lap = token.next_lap().unwrap();
        token.reconnect();
        token.reconnect();
        assert_eq!(lap.sleep_until(None), Err(Cut));
        let lap = token.next_lap().unwrap();
        assert!(!lap.is_cut() && !token.is_stopped());
        assert_eq!(lap.sleep_until(Some(Instant::now())), Ok(()));
    }

    #[test]
    fn a_sleep_ends_as_soon_as_it_is_cut_from_another_thread() {
        let token = Arc::new(StopToken::new());
        let lap = token.next_lap().unwrap();
        let other = Arc::clone(&token);
        let stopper = thread::spawn(move || other.stop());
        assert_eq!(lap.sleep_until(None), Err(Cut));
        stopper.join().unwrap();
    }

    #[test]
    fn a_reconnect_leaves_the_delivery_alone() {
        let token = StopToken::new();
        token.reconnect();
        assert!(token.stopped().try_recv().unwrap_err().is_empty());
        token.stop();
        assert!(token.stopped().try_recv().unwrap_err().is_disconnected());
    }
}
