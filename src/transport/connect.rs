//! Opens a TCP connection to one of several addresses, in a way that a stop reaches.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use super::Fault;
use super::tcp::{Keepalive, Line, Tcp};
use crate::stop::Lap;

/// Tries all addresses in turn; each may use an equal share of the time that is left.
pub(crate) fn connect(
    addresses: &[SocketAddr],
    keepalive: Option<Keepalive>,
    lap: &Arc<Lap>,
    deadline: Option<Instant>,
) -> Result<Tcp, Fault> {
    let mut last = Fault::Io(ErrorKind::NotFound.into());
    for (index, address) in addresses.iter().enumerate() {
        let share = match deadline {
            None => None,
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(Fault::DeadlineReached);
                }
                Some(left / u32::try_from(addresses.len() - index).unwrap_or(u32::MAX))
            }
        };
        match connect_one(*address, share, keepalive, lap) {
            Ok(line) => return Ok(Tcp::new(line, Arc::clone(lap))),
            Err(Fault::Cancelled) => return Err(Fault::Cancelled),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn connect_one(
    address: SocketAddr,
    timeout: Option<Duration>,
    keepalive: Option<Keepalive>,
    lap: &Lap,
) -> Result<Arc<Line>, Fault> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    let line = Arc::new(Line(socket.into()));
    let weak: Weak<Line> = Arc::downgrade(&line);
    lap.enter(weak)?;
    // socket2's connect without a timeout blocks uninterruptibly where a signal arrives: a long one does the same.
    let timeout = timeout.unwrap_or(Duration::from_secs(24 * 3600));
    let connected = SockRef::from(&line.0).connect_timeout(&address.into(), timeout);
    if lap.is_cut() {
        return Err(Fault::Cancelled);
    }
    match connected {
        Err(error) if error.kind() == ErrorKind::TimedOut && error.raw_os_error().is_none() => {
            return Err(Fault::DeadlineReached);
        }
        connected => connected?,
    }
    configure(&line, keepalive)?;
    Ok(line)
}

fn configure(line: &Line, keepalive: Option<Keepalive>) -> io::Result<()> {
    line.0.set_nodelay(true)?;
    let Some(keepalive) = keepalive else { return Ok(()) };
    let settings = TcpKeepalive::new().with_time(keepalive.idle);
    #[cfg(not(windows))]
    let settings = settings.with_interval(keepalive.interval).with_retries(keepalive.probes);
    SockRef::from(&line.0).set_tcp_keepalive(&settings)
}
