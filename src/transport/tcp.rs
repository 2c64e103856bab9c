//! A TCP or Unix socket connection, whose reads and writes end when the attempt is cancelled.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::{Fault, Wait};
use crate::cancel::{AttemptToken, ShutdownHandle};

/// Windows does not wake a blocked `recv` at a shutdown: there, waits are cut into slices.
const SLICE: Option<Duration> = if cfg!(windows) { Some(Duration::from_millis(100)) } else { None };
/// The minimum timeout of a socket.
const MIN_TIMER: Duration = Duration::from_millis(1);

/// Probes that detect a dead peer without traffic from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keepalive {
    pub(crate) idle: Duration,
    pub(crate) interval: Duration,
    pub(crate) probes: u32,
}

#[derive(Debug)]
pub(crate) struct Tcp {
    socket: Arc<StreamSocket>,
    attempt: Arc<AttemptToken>,
    /// The current timeouts of the socket: a system call is made only if they change.
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
    /// An error to report once nothing can be read any more: a peer that refuses says why before it closes.
    deferred: Option<io::Error>,
}

/// A stream socket, TCP or Unix: std reads and writes both in the same way, and neither raises a signal (SIGPIPE).
#[derive(Debug)]
pub(super) struct StreamSocket(pub(super) TcpStream);

impl Keepalive {
    /// The system counts in whole seconds.
    pub(crate) fn check(&self) -> Result<(), String> {
        let Self { idle, interval, probes } = *self;
        let second = Duration::from_secs(1);
        if idle < second || interval < second || probes == 0 {
            return Err(format!(
                "tcp_keepalive({idle:?}, {interval:?}, {probes}): the minimum is 1 s, 1 s and 1 probe"
            ));
        }
        Ok(())
    }
}

impl ShutdownHandle for StreamSocket {
    fn shutdown(&self) {
        // Fails if the peer was faster: it is closed in both cases.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Tcp {
    pub(super) fn new(socket: Arc<StreamSocket>, attempt: Arc<AttemptToken>) -> Self {
        Self { socket, attempt, read_timeout: None, write_timeout: None, deferred: None }
    }

    pub(super) fn read(&mut self, buffer: &mut [u8], wait: &mut Wait) -> Result<usize, Fault> {
        let mut left = wait.first();
        loop {
            let is_last_look = left == Some(Duration::ZERO);
            let result = if is_last_look {
                wait.look()?;
                self.unblocked(|mut socket| socket.read(buffer))
            } else {
                self.read_within(buffer, left)
            };
            // Checked first: a busy stream never waits, and a shutdown looks like the end of a body.
            self.check()?;
            match result {
                Ok(amount @ 1..) => return Ok(amount),
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {
                    if is_last_look {
                        return Err(Fault::DeadlineReached);
                    }
                }
                over => return self.deferred.take().map_or(over, Err).map_err(Fault::Io),
            }
            left = wait.left();
        }
    }

    /// Writes some of the bytes. After an error that the peer may explain, all further bytes are accepted and
    /// discarded.
    pub(super) fn write(&mut self, bytes: &[u8], wait: &mut Wait) -> Result<usize, Fault> {
        let mut left = wait.first();
        while self.deferred.is_none() {
            let is_last_try = left == Some(Duration::ZERO);
            let result = if is_last_try {
                self.unblocked(|mut socket| socket.write(bytes))
            } else {
                self.write_within(bytes, left)
            };
            self.check()?;
            match result {
                Ok(0) => return Err(Fault::Io(ErrorKind::WriteZero.into())),
                Ok(sent) => return Ok(sent),
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {
                    if is_last_try {
                        return Err(Fault::DeadlineReached);
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                    self.deferred = Some(error);
                }
                Err(error) => return Err(Fault::Io(error)),
            }
            left = wait.left();
        }
        Ok(bytes.len())
    }

    pub(super) fn defer(&mut self, error: io::Error) {
        self.deferred = Some(error);
    }

    fn read_within(&mut self, buffer: &mut [u8], left: Option<Duration>) -> io::Result<usize> {
        let timer = timer(left);
        if timer != self.read_timeout {
            self.socket.0.set_read_timeout(timer)?;
            self.read_timeout = timer;
        }
        (&self.socket.0).read(buffer)
    }

    /// Reads or writes what is possible without waiting.
    fn unblocked(&self, act: impl FnOnce(&TcpStream) -> io::Result<usize>) -> io::Result<usize> {
        self.socket.0.set_nonblocking(true)?;
        let result = act(&self.socket.0);
        self.socket.0.set_nonblocking(false)?;
        result
    }

    fn write_within(&mut self, bytes: &[u8], left: Option<Duration>) -> io::Result<usize> {
        let timer = timer(left);
        if timer != self.write_timeout {
            self.socket.0.set_write_timeout(timer)?;
            self.write_timeout = timer;
        }
        (&self.socket.0).write(bytes)
    }

    fn check(&self) -> Result<(), Fault> {
        if self.attempt.is_cancelled() { Err(Fault::Cancelled) } else { Ok(()) }
    }
}

fn timer(left: Option<Duration>) -> Option<Duration> {
    [left.map(|left| left.max(MIN_TIMER)), SLICE].into_iter().flatten().min()
}
