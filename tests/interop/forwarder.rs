//! Stands between client and server, and resets connections in the middle of an event.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;

/// A TCP forwarder; dropping it closes what it carries.
pub(crate) struct Forwarder {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    server: SocketAddr,
    over: AtomicBool,
    resets: AtomicUsize,
    current: Mutex<Option<Arc<Pair>>>,
}

/// One connection of the client and the one to the server that belongs to it.
struct Pair {
    client: TcpStream,
    server: TcpStream,
    reset: AtomicBool,
}

impl Forwarder {
    pub(crate) fn start(server: SocketAddr) -> Self {
        // Enough for a head and a few events, so that every connection makes progress.
        Self::passing(server, 500)
    }

    /// Starts one that resets each connection after this number of bytes at least, and four times as many at most.
    pub(crate) fn passing(server: SocketAddr, least: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            server,
            over: AtomicBool::new(false),
            resets: AtomicUsize::new(0),
            current: Mutex::new(None),
        });
        let own = Arc::clone(&shared);
        let accepting = Some(thread::spawn(move || own.accept(&listener, least)));
        Self { address, shared, accepting }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns how many connections were reset.
    pub(crate) fn resets(&self) -> usize {
        self.shared.resets.load(Ordering::SeqCst)
    }

    /// Resets the connection that the client has now, if it has one.
    pub(crate) fn reset(&self) {
        if let Some(pair) = &*self.shared.current.lock().unwrap() {
            pair.reset.store(true, Ordering::SeqCst);
            let _ = pair.server.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        self.reset();
        // Wakes the accept.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let joined = accepting.join();
            assert!(joined.is_ok() || thread::panicking(), "the forwarder panicked");
        }
    }
}

impl Shared {
    fn accept(&self, listener: &TcpListener, least: usize) {
        // Any odd row of numbers does; a fixed one, so that a failure can be repeated.
        let mut random: u32 = 12345;
        thread::scope(|scope| {
            loop {
                let (client, _) = listener.accept().unwrap();
                if self.over.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(server) = TcpStream::connect(self.server) else { continue };
                random = random.wrapping_mul(1_103_515_245).wrapping_add(12_345);
                let allowance = least + (random >> 16) as usize % (3 * least);
                let pair = Arc::new(Pair { client, server, reset: AtomicBool::new(false) });
                *self.current.lock().unwrap() = Some(Arc::clone(&pair));
                scope.spawn(move || self.carry(pair, allowance));
            }
        });
    }

    fn carry(&self, pair: Arc<Pair>, allowance: usize) {
        thread::scope(|scope| {
            scope.spawn(|| {
                let _ = io::copy(&mut &pair.client, &mut &pair.server);
                let _ = pair.server.shutdown(Shutdown::Both);
            });
            let used_up = pair.carry_down(allowance);
            if used_up || pair.reset.load(Ordering::SeqCst) {
                self.resets.fetch_add(1, Ordering::SeqCst);
                // Closing now resets; reading ends without a word to the client.
                SockRef::from(&pair.client).set_linger(Some(Duration::ZERO)).unwrap();
                let _ = pair.client.shutdown(Shutdown::Read);
            } else {
                let _ = pair.client.shutdown(Shutdown::Both);
            }
        });
        let mut current = self.current.lock().unwrap();
        if current.as_ref().is_some_and(|other| Arc::ptr_eq(other, &pair)) {
            *current = None;
        }
        // The last owner closes the sockets, here, under the lock.
        drop(pair);
    }
}

impl Pair {
    /// Carries the answer, and tells whether the allowance ran out.
    fn carry_down(&self, mut allowance: usize) -> bool {
        let mut buffer = [0; 512];
        while allowance > 0 {
            let room = allowance.min(buffer.len());
            match (&self.server).read(&mut buffer[..room]) {
                Ok(0) | Err(_) => return false,
                Ok(amount) => {
                    if (&self.client).write_all(&buffer[..amount]).is_err() {
                        return false;
                    }
                    allowance -= amount;
                }
            }
        }
        true
    }
}
