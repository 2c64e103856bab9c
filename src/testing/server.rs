//! The listening side: accepts on a separate thread, and queues connections or runs a script for each.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::port::Port;
use super::{Peer, script};
use crate::sync::lock;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};

/// The default limit of every wait of the kit.
const WAIT_LIMIT: Duration = Duration::from_secs(10);

/// A scripted server on a free port of 127.0.0.1.
///
/// Dropping it closes the listener and every connection, also one whose [`Peer`] is still in use, and joins its
/// threads.
///
/// # Panics
///
/// On drop, with the panic of a script, so that a failed assertion in the background fails the test.
///
/// # Example: one answer
///
/// ```
/// use http_sse::testing::Server;
/// use std::io::{Read, Write};
/// use std::net::TcpStream;
///
/// let server = Server::start()?;
/// let mut client = TcpStream::connect(server.addr())?;
/// client.write_all(b"GET /events?since=3 HTTP/1.1\r\nHost: test\r\n\r\n")?;
///
/// let mut peer = server.accept();
/// assert_eq!(peer.request().path(), "/events?since=3");
/// peer.stream_until_close();
/// peer.send("data: hello\n\n");
/// peer.end();
///
/// let mut answer = String::new();
/// client.read_to_string(&mut answer)?;
/// assert!(answer.ends_with("data: hello\n\n"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Server {
    addr: SocketAddr,
    shared: Arc<ServerState>,
    /// `None` once the server closes, which ends the queue.
    port: Mutex<Option<Port>>,
    queue: Receiver<Peer>,
    /// Dropping it notifies every pause and every script that the server closes.
    open: Option<Sender<Infallible>>,
    script: Option<JoinHandle<()>>,
}

struct ServerState {
    accepted: AtomicUsize,
    /// Weak, since a second handle would keep a socket open after its peer has been dropped.
    sockets: Mutex<Vec<Weak<TcpStream>>>,
    limit: Mutex<Duration>,
    closing: Receiver<Infallible>,
}

impl Server {
    /// Starts a server whose connections wait for [`accept`](Self::accept).
    ///
    /// # Errors
    ///
    /// The error of the system, if no socket or thread is available.
    ///
    /// # Example: a server without connections
    ///
    /// ```
    /// use http_sse::testing::Server;
    ///
    /// let server = Server::start()?;
    /// assert_eq!(server.connections(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start() -> io::Result<Self> {
        let (open, closing) = crossbeam_channel::bounded(0);
        let (sender, queue) = crossbeam_channel::unbounded();
        let shared = Arc::new(ServerState {
            accepted: AtomicUsize::new(0),
            sockets: Mutex::new(Vec::new()),
            limit: Mutex::new(WAIT_LIMIT),
            closing,
        });
        let admitting = Arc::clone(&shared);
        let port = Port::open(Arc::new(move |socket| {
            // Without a receiver, the script has panicked: the connection is closed.
            let _ = sender.send(admitting.admit(socket));
        }))?;
        Ok(Self { addr: port.addr(), shared, port: Mutex::new(Some(port)), queue, open: Some(open), script: None })
    }

    /// Starts a server that runs `script` for each connection in turn, with the connection's number from 0.
    ///
    /// One thread runs all scripts: the system accepts the next connection, but it is not served before the script for
    /// the previous one has returned. A script that must keep a connection open stores its [`Peer`]; for clients that
    /// connect at the same time, use [`serve_concurrently`](Self::serve_concurrently).
    ///
    /// # Errors
    ///
    /// The error of the system, if no socket or thread is available.
    ///
    /// # Example: the second connection is refused by status
    ///
    /// ```
    /// use http_sse::testing::Server;
    /// use std::io::{Read, Write};
    /// use std::net::TcpStream;
    ///
    /// let server = Server::serve(|number, mut peer| match number {
    ///     0 => peer.respond(204, &[], ""),
    ///     _ => peer.respond(410, &[], "gone"),
    /// })?;
    ///
    /// for status in ["HTTP/1.1 204", "HTTP/1.1 410"] {
    ///     let mut client = TcpStream::connect(server.addr())?;
    ///     client.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")?;
    ///     let mut answer = String::new();
    ///     client.read_to_string(&mut answer)?;
    ///     assert!(answer.starts_with(status));
    /// }
    /// server.finish();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn serve(mut script: impl FnMut(usize, Peer) + Send + 'static) -> io::Result<Self> {
        Self::start()?.scripted(move |queue, closing| {
            for peer in queue {
                if closes(&closing) {
                    return;
                }
                script::run(|| script(peer.number(), peer));
            }
        })
    }

    /// Starts a server that runs `script` for all connections concurrently, each on a separate thread.
    ///
    /// # Errors
    ///
    /// The error of the system, if no socket or thread is available.
    ///
    /// # Example: both clients stay connected
    ///
    /// ```
    /// use http_sse::testing::Server;
    /// use std::io::{Read, Write};
    /// use std::net::TcpStream;
    ///
    /// let server = Server::serve_concurrently(|_, mut peer| {
    ///     peer.stream();
    ///     peer.wait_for_close();
    /// })?;
    ///
    /// let mut clients = [TcpStream::connect(server.addr())?, TcpStream::connect(server.addr())?];
    /// for client in &mut clients {
    ///     client.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")?;
    ///     client.read_exact(&mut [0; 12])?;
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn serve_concurrently(script: impl Fn(usize, Peer) + Send + Sync + 'static) -> io::Result<Self> {
        Self::start()?.scripted(move |queue, closing| {
            thread::scope(|scope| {
                let running: Vec<_> = queue
                    .into_iter()
                    .take_while(|_| !closes(&closing))
                    .map(|peer| scope.spawn(|| script::run(|| script(peer.number(), peer))))
                    .collect();
                for outcome in running.into_iter().map(thread::ScopedJoinHandle::join) {
                    if let Err(panic) = outcome {
                        resume_unwind(panic);
                    }
                }
            });
        })
    }

    /// Sets the limit of a wait of the server and of its later connections. Default: 10 s.
    ///
    /// # Example: a slow machine
    ///
    /// ```
    /// use http_sse::testing::Server;
    /// use std::time::Duration;
    ///
    /// let server = Server::start()?.wait_limit(Duration::from_secs(30));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn wait_limit(self, limit: Duration) -> Self {
        *lock(&self.shared.limit) = limit;
        self
    }

    /// Returns the address of the server.
    ///
    /// # Example: a client of another kind
    ///
    /// ```
    /// use http_sse::testing::Server;
    /// use std::net::TcpStream;
    ///
    /// let server = Server::start()?;
    /// assert!(server.addr().ip().is_loopback());
    /// let client = TcpStream::connect(server.addr())?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the `http` URL of a path, which may include a query.
    ///
    /// # Example: the URL of a stream
    ///
    /// ```
    /// use http_sse::testing::Server;
    ///
    /// let server = Server::start()?;
    /// assert!(server.url("/events?all=1").starts_with("http://127.0.0.1:"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        let slash = if path.starts_with('/') { "" } else { "/" };
        format!("http://{}{slash}{path}", self.addr())
    }

    /// Returns the number of connections accepted so far, including those still queued.
    ///
    /// # Example: a POST was not repeated
    ///
    /// ```
    /// # use http_sse::{Client, Request, testing::Server};
    /// let server = Server::serve(|_, mut peer| peer.respond(503, &[], "busy"))?;
    /// # let client = Client::builder().no_proxy().build()?;
    /// assert_eq!(client.read("ask", Request::post(server.url("/")))?.count(), 1); // the error
    /// assert_eq!(server.connections(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.accepted.load(Ordering::Acquire)
    }

    /// Waits for the next connection, in order of arrival.
    ///
    /// # Panics
    ///
    /// If there is none within 10 s (see [`wait_limit`](Self::wait_limit)), and always if a script accepts the
    /// connections.
    ///
    /// # Example: step by step with the client
    ///
    /// ```
    /// # use http_sse::{Client, Request, testing::Server};
    /// # let server = Server::start()?;
    /// # let client = Client::builder().no_proxy().build()?;
    /// let mut rx = client.connect("news", Request::get(server.url("/")))?;
    /// let mut peer = server.accept();
    /// peer.stream();
    /// peer.send("data: 1\n\n");
    /// assert_eq!(rx.next().ok_or("over")??.data(), "1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn accept(&self) -> Peer {
        let limit = *lock(&self.shared.limit);
        match self.accept_timeout(limit) {
            Some(peer) => peer,
            None => panic!("scripted server: no further connection within {limit:?}, {} so far", self.connections()),
        }
    }

    /// Waits for the next connection, at most this long.
    ///
    /// # Panics
    ///
    /// If a script accepts the connections.
    ///
    /// # Example: nobody connects
    ///
    /// ```
    /// use http_sse::testing::Server;
    /// use std::time::Duration;
    ///
    /// let server = Server::start()?;
    /// assert!(server.accept_timeout(Duration::from_millis(20)).is_none());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn accept_timeout(&self, timeout: Duration) -> Option<Peer> {
        assert!(self.script.is_none(), "scripted server: the script accepts the connections");
        self.queue.recv_timeout(timeout).ok()
    }

    /// Closes the port: new connections are refused until [`resume`](Self::resume); established ones stay.
    ///
    /// # Errors
    ///
    /// The error of the system, if the port cannot be reserved.
    ///
    /// # Example: a port that closes and reopens
    ///
    /// ```
    /// use http_sse::testing::Server;
    /// use std::net::TcpStream;
    ///
    /// let server = Server::start()?;
    /// server.refuse()?;
    /// assert!(TcpStream::connect(server.addr()).is_err());
    /// server.resume()?;
    /// assert!(TcpStream::connect(server.addr()).is_ok());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn refuse(&self) -> io::Result<()> {
        lock(&self.port).as_mut().map_or(Ok(()), Port::refuse)
    }

    /// Opens the port again after [`refuse`](Self::refuse), with the same number.
    ///
    /// # Errors
    ///
    /// The error of the system, if the port cannot be opened again.
    ///
    /// # Example: the client reconnects
    ///
    /// ```
    /// # use http_sse::{Client, Request, RetryPolicy, testing::Server};
    /// # use std::time::Duration;
    /// let server = Server::serve(|_, mut peer| peer.respond(204, &[], ""))?;
    /// server.refuse()?;
    /// let again = RetryPolicy::constant(Duration::from_millis(10)).max_retries(None);
    /// # let client = Client::builder().no_proxy().build()?;
    /// let rx = client.connect("news", Request::get(server.url("/")).retry(again))?;
    /// server.resume()?;
    /// assert_eq!(rx.into_iter().count(), 0); // 204: ends without an error
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resume(&self) -> io::Result<()> {
        lock(&self.port).as_mut().map_or(Ok(()), Port::resume)
    }

    /// Closes everything like dropping, at a place where a panic of the script is expected.
    ///
    /// # Panics
    ///
    /// With the panic of a script.
    ///
    /// # Example: the assertions of the script hold
    ///
    /// ```
    /// # use http_sse::{Client, Request, testing::Server};
    /// let server = Server::serve(|_, mut peer| {
    ///     assert_eq!(peer.request().path(), "/news");
    ///     peer.respond(204, &[], "");
    /// })?;
    /// # let client = Client::builder().no_proxy().build()?;
    /// assert_eq!(client.read("news", Request::get(server.url("/news")))?.count(), 0);
    /// server.finish();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn finish(mut self) {
        if let Some(panic) = self.close() {
            resume_unwind(panic);
        }
    }

    fn scripted(mut self, run: impl FnOnce(Receiver<Peer>, Receiver<Infallible>) + Send + 'static) -> io::Result<Self> {
        let (queue, closing) = (self.queue.clone(), self.shared.closing.clone());
        // Connections of a panicked script are closed, not queued.
        self.queue = crossbeam_channel::never();
        let thread = thread::Builder::new().name("sse-test-script".to_owned());
        self.script = Some(thread.spawn(move || run(queue, closing))?);
        Ok(self)
    }

    fn close(&mut self) -> Option<Box<dyn std::any::Any + Send>> {
        if let Some(mut port) = lock(&self.port).take() {
            port.close();
        }
        self.open = None;
        for socket in lock(&self.shared.sockets).drain(..).filter_map(|socket| socket.upgrade()) {
            // Fails if the client has closed already.
            let _ = socket.shutdown(Shutdown::Both);
        }
        let script = self.script.take().filter(|script| script.thread().id() != thread::current().id());
        script.and_then(|script| script.join().err())
    }
}

impl ServerState {
    fn admit(&self, socket: TcpStream) -> Peer {
        let socket = Arc::new(socket);
        let mut sockets = lock(&self.sockets);
        sockets.retain(|known| known.strong_count() > 0);
        sockets.push(Arc::downgrade(&socket));
        let number = self.accepted.fetch_add(1, Ordering::AcqRel);
        Peer::new(number, socket, *lock(&self.limit), self.closing.clone())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        match self.close() {
            Some(panic) if !thread::panicking() => resume_unwind(panic),
            _ => {}
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("addr", &self.addr())
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}

fn closes(closing: &Receiver<Infallible>) -> bool {
    matches!(closing.try_recv(), Err(TryRecvError::Disconnected))
}

/// Waits for this long, or until the server closes; returns `true` if it closes.
pub(super) fn closes_within(closing: &Receiver<Infallible>, timeout: Duration) -> bool {
    matches!(closing.recv_timeout(timeout), Err(RecvTimeoutError::Disconnected))
}
