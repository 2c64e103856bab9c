//! Opens a connection, to one of several addresses (RFC 8305) or to a Unix socket, in a way that can be cancelled.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, at, bounded, never, select};
use log::warn;
#[cfg(unix)]
use socket2::SockAddr;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use super::link::Link;
use super::tcp::{Keepalive, StreamSocket, Tcp};
use super::{Fault, route};
use crate::cancel::{AttemptToken, ShutdownHandle};

/// RFC 8305 §5, "Connection Attempt Delay": after this time the next address is tried in parallel to those that have
/// not answered.
const HEAD_START: Duration = Duration::from_millis(250);
/// How long to wait for room in the queue of a Unix socket.
#[cfg(unix)]
const QUEUE_PAUSE: Duration = Duration::from_millis(50);
/// For a helper that only connects.
const STACK: usize = 64 * 1024;
/// There, a shutdown does not wake a connect: it waits until its deadline.
const SHUTDOWN_WAKES: bool = cfg!(not(windows));

/// How the sockets of an attempt are connected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialer<'a> {
    pub(crate) link: &'a Link,
    pub(crate) keepalive: Option<Keepalive>,
    pub(crate) attempt: &'a Arc<AttemptToken>,
    pub(crate) deadline: Option<Instant>,
}

/// Connects that run side by side, each on a helper thread.
struct Race<'a> {
    dialer: Dialer<'a>,
    running: Vec<Runner>,
    /// Results of the helpers, with room for all of them. `None` once no more helpers are to start.
    sender: Option<Sender<Finish>>,
    finishes: Receiver<Finish>,
}

struct Runner {
    number: usize,
    address: SocketAddr,
    socket: Arc<StreamSocket>,
}

/// The number of the runner, and its result.
type Finish = (usize, Result<(), Fault>);

impl Dialer<'_> {
    /// Connects to one of the addresses, in their order; adds those that fail to `failed`.
    pub(crate) fn connect(
        &self,
        addresses: &[SocketAddr],
        failed: &mut Vec<SocketAddr>,
    ) -> Result<(Tcp, SocketAddr), Fault> {
        let (socket, address) = match addresses {
            // The common case needs no helper.
            [address] => {
                let socket = self.connect_socket(self.socket(*address)?, *address, self.deadline);
                (socket.inspect_err(|_| failed.push(*address))?, *address)
            }
            _ => Race::new(*self, addresses.len()).run(addresses, failed)?,
        };
        configure(&socket, self.keepalive);
        Ok((Tcp::new(socket, Arc::clone(self.attempt)), address))
    }

    fn connect_socket(
        &self,
        socket: Arc<StreamSocket>,
        address: SocketAddr,
        deadline: Option<Instant>,
    ) -> Result<Arc<StreamSocket>, Fault> {
        let connected = socket.connect(address, deadline);
        if self.attempt.is_cancelled() {
            return Err(Fault::Cancelled);
        }
        connected.map(|()| socket)
    }

    /// Connects to a Unix socket.
    #[cfg(unix)]
    pub(crate) fn connect_unix(&self, path: &Path) -> Result<Tcp, Fault> {
        let socket = self.registered(Socket::new(Domain::UNIX, Type::STREAM, None)?)?;
        let (socket_ref, address) = (SockRef::from(&socket.0), SockAddr::unix(path)?);
        socket_ref.set_nonblocking(true)?;
        while let Err(error) = socket_ref.connect(&address) {
            // The queue of the server is full, and nothing signals when it accepts a connection.
            if error.kind() != ErrorKind::WouldBlock {
                return Err(io::Error::new(error.kind(), format!("the Unix socket {path:?}: {error}")).into());
            }
            let now = Instant::now();
            if self.deadline.is_some_and(|deadline| deadline <= now) {
                return Err(Fault::DeadlineReached);
            }
            let pause = Some(now + QUEUE_PAUSE);
            self.attempt.sleep_until([pause, self.deadline].into_iter().flatten().min())?;
        }
        socket_ref.set_nonblocking(false)?;
        if self.attempt.is_cancelled() {
            return Err(Fault::Cancelled);
        }
        Ok(Tcp::new(socket, Arc::clone(self.attempt)))
    }

    fn socket(&self, address: SocketAddr) -> Result<Arc<StreamSocket>, Fault> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        self.link.bind(&socket)?;
        self.registered(socket)
    }

    /// Registers the socket, so that a stop shuts it down.
    fn registered(&self, socket: Socket) -> Result<Arc<StreamSocket>, Fault> {
        let socket = Arc::new(StreamSocket(socket.into()));
        let weak: Weak<StreamSocket> = Arc::downgrade(&socket);
        self.attempt.register_shutdown(weak)?;
        Ok(socket)
    }
}

impl StreamSocket {
    fn connect(&self, address: SocketAddr, deadline: Option<Instant>) -> Result<(), Fault> {
        // socket2's connect without a timeout blocks uninterruptibly where a signal arrives: a long one does the same.
        let left = deadline.map_or(Duration::from_secs(24 * 3600), |at| at.saturating_duration_since(Instant::now()));
        match SockRef::from(&self.0).connect_timeout(&address.into(), left) {
            Err(error) if error.kind() == ErrorKind::TimedOut && error.raw_os_error().is_none() => {
                Err(Fault::DeadlineReached)
            }
            connected => connected.map_err(Fault::Io),
        }
    }
}

impl<'a> Race<'a> {
    fn new(dialer: Dialer<'a>, size: usize) -> Self {
        let (sender, finishes) = bounded(size);
        Self { dialer, running: Vec::new(), sender: Some(sender), finishes }
    }

    fn run(
        &mut self,
        addresses: &[SocketAddr],
        failed: &mut Vec<SocketAddr>,
    ) -> Result<(Arc<StreamSocket>, SocketAddr), Fault> {
        let mut waiting = addresses;
        let mut next_start = Instant::now();
        let mut verdict = Fault::Io(ErrorKind::NotFound.into());
        loop {
            let is_due = self.running.is_empty() || next_start <= Instant::now();
            let (address, result) = match waiting {
                [] if self.running.is_empty() => return Err(verdict),
                [address, rest @ ..] if is_due => {
                    next_start = Instant::now() + HEAD_START;
                    let started = self.start(waiting.len(), *address);
                    waiting = rest;
                    match started {
                        Ok(None) => continue,
                        started => (*address, started),
                    }
                }
                waiting => match self.wait((!waiting.is_empty()).then_some(next_start)) {
                    Ok(None) => continue,
                    Ok(Some((number, result))) => {
                        let Some(runner) = self.take(number) else { continue };
                        let result = if self.dialer.attempt.is_cancelled() { Err(Fault::Cancelled) } else { result };
                        (runner.address, result.map(|()| Some(runner.socket)))
                    }
                    Err(fault) => {
                        if matches!(fault, Fault::DeadlineReached) {
                            failed.extend(self.running.iter().map(|runner| runner.address));
                        }
                        return Err(fault);
                    }
                },
            };
            match result {
                Ok(Some(socket)) => return Ok((socket, address)),
                Err(Fault::Cancelled) => return Err(Fault::Cancelled),
                Ok(None) => {}
                Err(fault) => {
                    // A missing route for one family is irrelevant if the other has reached something.
                    if failed.is_empty() || !matches!(&fault, Fault::Io(error) if route::is_missing(error)) {
                        verdict = fault;
                    }
                    failed.push(address);
                }
            }
        }
    }

    /// Starts to connect on a helper; if the system refuses the thread, connects here, and returns the socket.
    ///
    /// The number is that of the remaining addresses, including this one.
    fn start(&mut self, number: usize, address: SocketAddr) -> Result<Option<Arc<StreamSocket>>, Fault> {
        let socket = self.dialer.socket(address)?;
        let (used, sender, deadline) = (Arc::clone(&socket), self.sender.clone(), self.dialer.deadline);
        let helper = thread::Builder::new().name("sse-tcp".into()).stack_size(STACK).spawn(move || {
            let result = used.connect(address, deadline);
            // Closed before the result is sent, unless the race continues with it.
            drop(used);
            if let Some(sender) = sender {
                let _ = sender.send((number, result));
            }
        });
        if helper.is_ok() {
            self.running.push(Runner { number, address, socket });
            return Ok(None);
        }
        let share = self.dialer.deadline.map(|deadline| {
            let now = Instant::now();
            now + deadline.saturating_duration_since(now) / u32::try_from(number).unwrap_or(u32::MAX)
        });
        self.dialer.connect_socket(socket, address, share).map(Some)
    }

    /// Waits for a helper, until the next one should start.
    fn wait(&self, next_start: Option<Instant>) -> Result<Option<Finish>, Fault> {
        let deadline = self.dialer.deadline;
        let until = [next_start, deadline].into_iter().flatten().min();
        select! {
            recv(self.finishes) -> finish => Ok(finish.ok()),
            recv(self.dialer.attempt.cancelled()) -> _ => Err(Fault::Cancelled),
            recv(until.map_or_else(never, at)) -> _ => match deadline {
                Some(deadline) if deadline <= Instant::now() => Err(Fault::DeadlineReached),
                _ => Ok(None),
            }
        }
    }

    fn take(&mut self, number: usize) -> Option<Runner> {
        let place = self.running.iter().position(|runner| runner.number == number)?;
        Some(self.running.swap_remove(place))
    }
}

/// Shuts the others down, and waits for them: a stop must find every socket closed.
impl Drop for Race<'_> {
    fn drop(&mut self) {
        self.sender = None;
        self.running.iter().for_each(|runner| runner.socket.shutdown());
        if SHUTDOWN_WAKES {
            while self.finishes.recv().is_ok() {}
        }
    }
}

/// Sets optional socket options: some kernels and sandboxes refuse them.
fn configure(socket: &StreamSocket, keepalive: Option<Keepalive>) {
    if let Err(error) = socket.0.set_nodelay(true) {
        warn!("cannot set TCP_NODELAY, requests may be delayed: {error}");
    }
    let Some(keepalive) = keepalive else { return };
    let settings = TcpKeepalive::new().with_time(keepalive.idle);
    #[cfg(not(windows))]
    let settings = settings.with_interval(keepalive.interval).with_retries(keepalive.probes);
    if let Err(error) = SockRef::from(&socket.0).set_tcp_keepalive(&settings) {
        warn!("cannot enable TCP keepalive, only idle_timeout detects a dead peer: {error}");
    }
}
