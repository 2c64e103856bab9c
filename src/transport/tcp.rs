//! A TCP connector whose connects, reads and writes end when the lap is cut.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, Either, NextTimeout, Transport};

use super::buffers::{IoBuffers, Sizes};
use super::{Interrupt, LULL, Limits, Link, Phase};
use crate::error::Timeout;
use crate::stop::HangUp;

/// Windows does not wake a blocked `recv` at a shutdown: there reads are cut into slices.
const SLICE: Option<Duration> = if cfg!(windows) { Some(Duration::from_millis(100)) } else { None };

/// Probes that find a dead peer without traffic from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keepalive {
    pub(crate) idle: Duration,
    pub(crate) interval: Duration,
    pub(crate) probes: u32,
}

#[derive(Debug)]
pub(crate) struct TcpConnector {
    pub(crate) link: Arc<Link>,
    pub(crate) keepalive: Option<Keepalive>,
    pub(crate) sizes: Sizes,
}

#[derive(Debug)]
pub(crate) struct TcpTransport {
    line: Arc<Line>,
    link: Arc<Link>,
    buffers: IoBuffers,
    /// Since when no byte has come, over any number of ticks.
    waiting_since: Option<Instant>,
    /// What the socket's timers are set to: a system call only when that changes.
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
    /// Why a write failed. A peer that refuses says so before it closes, in a response or an alert: that is read first.
    unsent: Option<io::Error>,
}

#[derive(Debug)]
struct Line(TcpStream);

impl Keepalive {
    /// The system counts in whole seconds.
    pub(crate) fn check(&self) -> Result<(), String> {
        let Self { idle, interval, probes } = *self;
        let second = Duration::from_secs(1);
        if idle < second || interval < second || probes == 0 {
            return Err(format!("tcp_keepalive({idle:?}, {interval:?}, {probes}) has a part below 1 s or 1 probe"));
        }
        Ok(())
    }
}

impl HangUp for Line {
    fn hang_up(&self) {
        // Fails when the peer was faster: closed either way.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl<In: Transport> Connector<In> for TcpConnector {
    type Out = Either<In, TcpTransport>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        if let Some(proxied) = chained {
            return Ok(Some(Either::A(proxied)));
        }
        let line = self.connect_any(&details.addrs)?;
        Ok(Some(Either::B(TcpTransport {
            line,
            link: Arc::clone(&self.link),
            buffers: IoBuffers::new(self.sizes),
            waiting_since: None,
            read_timeout: None,
            write_timeout: None,
            unsent: None,
        })))
    }
}

impl TcpConnector {
    /// Tries all addresses in turn; each may use an equal share of the time that is left.
    fn connect_any(&self, addresses: &[SocketAddr]) -> io::Result<Arc<Line>> {
        let mut last = io::Error::from(ErrorKind::NotFound);
        for (index, address) in addresses.iter().enumerate() {
            let share = match self.link.limits().until(Instant::now()).0 {
                None => None,
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(Interrupt::Timeout(Timeout::Connect).into());
                    }
                    Some(left / u32::try_from(addresses.len() - index).unwrap_or(u32::MAX))
                }
            };
            match self.connect_one(*address, share) {
                Ok(line) => return Ok(line),
                Err(error) => {
                    self.link.check()?;
                    last = error;
                }
            }
        }
        Err(last)
    }

    fn connect_one(&self, address: SocketAddr, timeout: Option<Duration>) -> io::Result<Arc<Line>> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        let line = Arc::new(Line(socket.into()));
        let weak: Weak<Line> = Arc::downgrade(&line);
        self.link.lap.enter(weak).map_err(Interrupt::from)?;
        let socket = SockRef::from(&line.0);
        // socket2's connect without a timeout blocks uninterruptibly where a signal arrives: a long one does the same.
        let timeout = timeout.unwrap_or(Duration::from_secs(24 * 3600));
        match socket.connect_timeout(&address.into(), timeout) {
            Err(error) if error.kind() == ErrorKind::TimedOut && error.raw_os_error().is_none() => {
                return Err(Interrupt::Timeout(Timeout::Connect).into());
            }
            result => result?,
        }
        self.link.check()?;
        line.0.set_nodelay(true)?;
        if let Some(keepalive) = self.keepalive {
            let settings = TcpKeepalive::new().with_time(keepalive.idle);
            #[cfg(not(windows))]
            let settings = settings.with_interval(keepalive.interval).with_retries(keepalive.probes);
            socket.set_tcp_keepalive(&settings)?;
        }
        Ok(line)
    }
}

impl TcpTransport {
    fn read(&mut self) -> io::Result<usize> {
        let mut fresh = self.waiting_since.is_none();
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        loop {
            let limits = self.link.limits();
            let (until, interrupt) = limits.until(since);
            let timeout = match limits {
                // The whole idle time: the socket's timer stays as it is from read to read.
                Limits { phase: Phase::Body { idle }, tick: None, .. } if fresh => until.and(idle),
                _ => time_left(until, interrupt)?,
            };
            let lull = limits.minds_lull.then(|| lull_left(fresh, since));
            fresh = false;
            let slice = [timeout, lull, SLICE].into_iter().flatten().min();
            if slice != self.read_timeout {
                self.line.0.set_read_timeout(slice)?;
                self.read_timeout = slice;
            }
            let result = (&self.line.0).read(self.buffers.input_append_buf());
            // Before anything else: a busy stream never waits, and a shutdown looks like the end of a body.
            self.link.check()?;
            let result = match result {
                Ok(1..) => result,
                over => self.unsent.take().map_or(over, Err),
            };
            match result {
                Ok(amount) => {
                    self.waiting_since = None;
                    return Ok(amount);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if slice == timeout {
                        return Err(interrupt.into());
                    }
                    if lull.is_some() {
                        self.buffers.shrink();
                        return Err(Interrupt::Lull.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn write(&mut self, amount: usize) -> io::Result<()> {
        if self.unsent.is_some() {
            return Ok(());
        }
        let started = Instant::now();
        let mut rest = self.buffers.written(amount);
        while !rest.is_empty() {
            let limits = self.link.limits();
            let (until, interrupt) = limits.until(started);
            let timeout = time_left(until, interrupt)?;
            if timeout != self.write_timeout {
                self.line.0.set_write_timeout(timeout)?;
                self.write_timeout = timeout;
            }
            let result = (&self.line.0).write(rest);
            self.link.check()?;
            match result {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(sent) => rest = &rest[sent..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(interrupt.into()),
                Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                    self.unsent = Some(error);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Returns how long bytes may stay away until that is a lull, over any number of ticks.
fn lull_left(fresh: bool, since: Instant) -> Duration {
    // The whole time, without a look at the clock: the socket's timer stays as it is from read to read.
    if fresh { LULL } else { LULL.saturating_sub(since.elapsed()).max(Duration::from_millis(1)) }
}

/// Returns the time left; a socket's timer cannot be zero.
fn time_left(until: Option<Instant>, interrupt: Interrupt) -> io::Result<Option<Duration>> {
    let Some(until) = until else { return Ok(None) };
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(interrupt.into());
    }
    Ok(Some(left.max(Duration::from_millis(1))))
}

impl Transport for TcpTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        Ok(self.write(amount)?)
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        self.buffers.release_output();
        let amount = self.read()?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        false
    }
}
