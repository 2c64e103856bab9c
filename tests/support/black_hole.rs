//! An address whose connects neither succeed nor fail.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

/// More than Linux queues beyond a backlog of zero.
const STUFFING: usize = 8;

/// A port, of 127.0.0.1 unless another is wanted, whose accept queue is full: Linux drops every further SYN, as an address does that is not in use.
pub struct BlackHole {
    addr: SocketAddr,
    _sockets: Vec<Socket>,
}

impl BlackHole {
    pub fn open() -> Self {
        Self::open_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    pub fn open_at(addr: SocketAddr) -> Self {
        let listener = tcp_socket();
        listener.bind(&addr.into()).unwrap();
        listener.listen(0).unwrap();
        let addr = listener.local_addr().unwrap();
        let first = tcp_socket();
        first.connect(&addr).unwrap();
        let mut sockets = vec![listener, first];
        for _ in 0..STUFFING {
            let socket = tcp_socket();
            socket.set_nonblocking(true).unwrap();
            // Begins the connect, which is not meant to finish.
            let _ = socket.connect(&addr);
            sockets.push(socket);
        }
        Self { addr: addr.as_socket().unwrap(), _sockets: sockets }
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
}

fn tcp_socket() -> Socket {
    Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap()
}
