//! External stops: signals, `--timeout`, and a reader that closes the output.

use std::io;
#[cfg(unix)]
use std::io::{ErrorKind, Read, Write};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::process;
#[cfg(unix)]
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use http_sse::Handle;
#[cfg(unix)]
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
    low_level::pipe,
};

use crate::failure::OUTPUT;
use crate::output;

/// How long a stop waits for an output that accepts nothing, or a slow disk.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Signal,
    Timeout,
    ClosedOutput,
}

/// What a stop waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// For some seconds, if an event is being written.
    Writing,
    /// For as long as it takes, if a command is running.
    Command,
}

pub(crate) struct Stop {
    handle: Handle,
    work: Work,
    /// The first stop counts.
    cause: Mutex<Option<Cause>>,
    asked: Condvar,
}

impl Stop {
    pub(crate) fn new(handle: Handle, work: Work) -> Arc<Self> {
        Arc::new(Self { handle, work, cause: Mutex::default(), asked: Condvar::new() })
    }

    /// The first signal ends the stream, the second one ends the program immediately.
    #[cfg(unix)]
    pub(crate) fn on_signals(self: &Arc<Self>) -> io::Result<()> {
        let (signals, sender) = UnixStream::pair()?;
        let (has_come, is_last) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        for signal in [SIGINT, SIGTERM] {
            flag::register(signal, Arc::clone(&has_come))?;
            // In this order: each signal finds what those before it have left.
            flag::register_conditional_shutdown(signal, OUTPUT.into(), Arc::clone(&is_last))?;
            flag::register(signal, Arc::clone(&is_last))?;
            pipe::register(signal, sender.try_clone()?)?;
        }
        // A signal that came in between has not found all of them. No other thread runs yet that could be handling one.
        if has_come.load(Ordering::SeqCst) {
            is_last.store(true, Ordering::SeqCst);
            (&sender).write_all(&[0])?;
        }
        self.in_background("signals", move |stop| match next_signal(signals) {
            Ok(()) => stop.ask(Cause::Signal),
            Err(error) => {
                is_last.store(true, Ordering::SeqCst);
                log::warn!("cannot read signals, the next one ends the program immediately: {error}");
            }
        })
    }

    /// On other systems, the system ends the program.
    #[cfg(not(unix))]
    pub(crate) fn on_signals(self: &Arc<Self>) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn after(self: &Arc<Self>, timeout: Option<Duration>) -> io::Result<()> {
        let Some(timeout) = timeout else { return Ok(()) };
        self.in_background("timeout", move |stop| {
            thread::sleep(timeout);
            stop.ask(Cause::Timeout);
        })
    }

    /// On an idle stream nothing else would notice that `head` has exited. A command may not use the output.
    pub(crate) fn when_output_closes(self: &Arc<Self>) -> io::Result<()> {
        if self.work == Work::Command {
            return Ok(());
        }
        self.in_background("output", |stop| {
            if output::wait_for_close() {
                stop.ask(Cause::ClosedOutput);
            }
        })
    }

    /// Waits for a stop, at most this long; returns `true` if there was one.
    pub(crate) fn comes_within(&self, time: Duration) -> bool {
        let waiting = self.asked.wait_timeout_while(self.lock(), time, |cause| cause.is_none());
        waiting.unwrap_or_else(PoisonError::into_inner).0.is_some()
    }

    pub(crate) fn cause(&self) -> Option<Cause> {
        *self.lock()
    }

    /// Ends the stream, and with it the program, unless the program is blocked on its output.
    fn ask(&self, cause: Cause) {
        self.lock().get_or_insert(cause);
        self.asked.notify_all();
        self.handle.stop();
        if self.work == Work::Writing {
            thread::sleep(PATIENCE);
            process::exit(OUTPUT.into());
        }
    }

    fn in_background(self: &Arc<Self>, name: &str, task: impl FnOnce(Arc<Self>) + Send + 'static) -> io::Result<()> {
        let stop = Arc::clone(self);
        thread::Builder::new().name(name.into()).spawn(move || task(stop))?;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Cause>> {
        self.cause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for a signal.
#[cfg(unix)]
fn next_signal(mut signals: UnixStream) -> io::Result<()> {
    loop {
        match signals.read(&mut [0]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
