//! The port: accepts on a separate thread, or refuses without losing its number.

use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

const BACKLOG: i32 = 128;
/// The limit for a connect to this process itself, which takes microseconds.
const WAKE_UP_LIMIT: Duration = Duration::from_secs(10);
/// The limit for the moment in which a starting child process still holds the listener that was closed here.
const INHERITED_LIMIT: Duration = Duration::from_secs(10);

type OnConnection = Arc<dyn Fn(TcpStream) + Send + Sync>;

/// A port of 127.0.0.1, open at first.
pub(super) struct Port {
    addr: SocketAddr,
    on_connection: OnConnection,
    state: PortState,
}

enum PortState {
    Open {
        thread: JoinHandle<()>,
        shut: Arc<AtomicBool>,
    },
    /// Bound without listening: connects are refused and nobody else gets the port.
    Shut(Socket),
    /// Closed, or the last change failed.
    Gone,
}

impl Port {
    pub(super) fn open(on_connection: OnConnection) -> io::Result<Self> {
        let socket = reserve(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let listener = listen(socket)?;
        Ok(Self { addr: listener.local_addr()?, state: accept_in_background(listener, &on_connection)?, on_connection })
    }

    pub(super) fn refuse(&mut self) -> io::Result<()> {
        if matches!(self.state, PortState::Shut(_)) {
            return Ok(());
        }
        self.close();
        self.state = PortState::Shut(reserve_again(self.addr)?);
        Ok(())
    }

    pub(super) fn resume(&mut self) -> io::Result<()> {
        let socket = match mem::replace(&mut self.state, PortState::Gone) {
            PortState::Shut(socket) => socket,
            PortState::Gone => reserve_again(self.addr)?,
            open @ PortState::Open { .. } => {
                self.state = open;
                return Ok(());
            }
        };
        self.state = accept_in_background(listen(socket)?, &self.on_connection)?;
        Ok(())
    }

    /// Drops the listener, together with the connections that it has not accepted.
    pub(super) fn close(&mut self) {
        if let PortState::Open { thread, shut } = mem::replace(&mut self.state, PortState::Gone) {
            shut.store(true, Ordering::Release);
            // Wakes the thread from `accept`; refused if another connection has done so.
            let _ = TcpStream::connect_timeout(&self.addr, WAKE_UP_LIMIT);
            let _ = thread.join();
        }
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

/// Binds without listening.
fn reserve(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    // On Windows the option would let another process steal the port; it is not needed there.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

/// Binds to a port whose listener has just been closed.
fn reserve_again(addr: SocketAddr) -> io::Result<Socket> {
    let start = Instant::now();
    loop {
        match reserve(addr) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && start.elapsed() < INHERITED_LIMIT => {
                thread::sleep(Duration::from_millis(1));
            }
            outcome => return outcome,
        }
    }
}

fn listen(socket: Socket) -> io::Result<TcpListener> {
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn accept_in_background(listener: TcpListener, then: &OnConnection) -> io::Result<PortState> {
    let shut = Arc::new(AtomicBool::new(false));
    let (flag, then) = (Arc::clone(&shut), Arc::clone(then));
    let accept_all = move || loop {
        let accepted = listener.accept();
        if flag.load(Ordering::Acquire) {
            return;
        }
        // A connection that was reset in the queue is an error here; the next one is not.
        if let Ok((socket, _)) = accepted {
            then(socket);
        }
    };
    let thread = thread::Builder::new().name("sse-test-accept".to_owned()).spawn(accept_all)?;
    Ok(PortState::Open { thread, shut })
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[test]
    fn a_port_is_shut_also_while_processes_are_started_that_inherit_it_for_a_moment() {
        let started = Arc::new(AtomicU32::new(0));
        let goes_on = Arc::new(AtomicBool::new(true));
        let (count, flag) = (Arc::clone(&started), Arc::clone(&goes_on));
        let starter = thread::spawn(move || {
            while flag.load(Ordering::Acquire) {
                Command::new("true").status().unwrap();
                count.fetch_add(1, Ordering::AcqRel);
            }
        });
        let mut port = Port::open(Arc::new(drop)).unwrap();
        while started.load(Ordering::Acquire) < 100 {
            port.refuse().unwrap();
            assert!(TcpStream::connect(port.addr()).is_err());
            port.resume().unwrap();
        }
        goes_on.store(false, Ordering::Release);
        starter.join().unwrap();
    }
}
