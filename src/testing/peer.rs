//! One accepted connection: reading the request, waiting for the client to disconnect, closing in every way.

use std::convert::Infallible;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::{Framing, ReceivedRequest, script};

/// One accepted connection, whose methods are the steps of a script.
///
/// Dropping it closes the connection normally (FIN), like [`close_abruptly`](Self::close_abruptly). The [module
/// documentation](super#when-the-client-goes-away) describes the steps after the client has disconnected.
///
/// # Panics
///
/// Every step panics if it waits longer than 10 s (see [`Server::wait_limit`](super::Server::wait_limit)), including a
/// blocked write.
///
/// # Example: the client disconnects
///
/// ```
/// use http_sse::testing::Server;
/// use std::io::Write;
/// use std::net::TcpStream;
/// use std::time::Duration;
///
/// let server = Server::start()?;
/// let mut client = TcpStream::connect(server.addr())?;
/// client.write_all(b"GET /events HTTP/1.1\r\nHost: test\r\n\r\n")?;
///
/// let mut peer = server.accept();
/// peer.stream();
/// peer.send(": welcome\n\n");
/// assert!(!peer.is_closed_within(Duration::from_millis(20)));
///
/// drop(client);
/// peer.wait_for_close();
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Peer {
    pub(super) number: usize,
    pub(super) socket: Arc<TcpStream>,
    /// The protocol over the socket, if it is not this kit itself.
    pub(super) upgraded: Option<Box<dyn Duplex>>,
    request: Option<ReceivedRequest>,
    /// Received and not yet consumed.
    inbox: Vec<u8>,
    pub(super) framing: Framing,
    has_left: bool,
    pub(super) resets: bool,
    pub(super) limit: Duration,
    pub(super) closing: Receiver<Infallible>,
}

pub(super) trait Duplex: Read + Write + Send {}
impl<S: Read + Write + Send> Duplex for S {}

pub(super) enum Received {
    Bytes,
    End(io::Error),
    Nothing,
}

impl Peer {
    pub(super) fn new(number: usize, socket: Arc<TcpStream>, limit: Duration, closing: Receiver<Infallible>) -> Self {
        // A socket that is already broken reports it at the first step.
        let _ = socket.set_nodelay(true);
        let _ = socket.set_write_timeout(Some(limit).filter(|limit| !limit.is_zero()));
        Self {
            number,
            socket,
            upgraded: None,
            request: None,
            inbox: Vec::new(),
            framing: Framing::UntilClose,
            has_left: false,
            resets: false,
            limit,
            closing,
        }
    }

    /// Returns the number of the connection, starting at 0, in order of acceptance.
    ///
    /// # Example: the second connection
    ///
    /// ```
    /// use http_sse::testing::Server;
    /// use std::net::TcpStream;
    ///
    /// let server = Server::start()?;
    /// let clients = [TcpStream::connect(server.addr())?, TcpStream::connect(server.addr())?];
    /// assert_eq!((server.accept().number(), server.accept().number()), (0, 1));
    /// # drop(clients);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// Returns the client's address.
    ///
    /// # Errors
    ///
    /// The error of the system, if the client has disconnected.
    ///
    /// # Example: the client's address
    ///
    /// ```
    /// use http_sse::testing::Server;
    /// use std::net::TcpStream;
    ///
    /// let server = Server::start()?;
    /// let client = TcpStream::connect(server.addr())?;
    /// assert_eq!(server.accept().addr()?, client.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn addr(&self) -> io::Result<SocketAddr> {
        self.socket.peer_addr()
    }

    /// Waits for the request with its body and returns it; later calls return the same request.
    ///
    /// # Panics
    ///
    /// If the request is not complete within 10 s, is not HTTP/1, or the client disconnects first (which ends a script
    /// silently).
    ///
    /// # Example: path and headers of one request
    ///
    /// ```
    /// # use http_sse::{Client, Request, testing::Server};
    /// # let server = Server::start()?;
    /// # let client = Client::builder().no_proxy().build()?;
    /// let rx = client.connect("news", Request::get(server.url("/news")).last_event_id("41"))?;
    /// let mut peer = server.accept();
    /// assert_eq!(peer.request().path(), "/news");
    /// assert_eq!(peer.request().header("last-event-id"), Some("41"));
    /// # drop(rx);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn request(&mut self) -> &ReceivedRequest {
        let number = self.number;
        match self.try_request() {
            Ok(request) => request,
            Err(error) => give_up("request", number, error),
        }
    }

    /// Waits only for the head of the request, for a client whose body is meant to get stuck.
    ///
    /// # Panics
    ///
    /// As [`request`](Self::request) does.
    ///
    /// # Example: a body that never arrives
    ///
    /// ```
    /// use http_sse::testing::Server;
    /// use std::io::Write;
    /// use std::net::TcpStream;
    ///
    /// let server = Server::start()?;
    /// let mut client = TcpStream::connect(server.addr())?;
    /// client.write_all(b"POST /ask HTTP/1.1\r\nContent-Length: 1000\r\n\r\n")?;
    /// assert_eq!(server.accept().request_head().header("content-length"), Some("1000"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn request_head(&mut self) -> &ReceivedRequest {
        match self.take_head() {
            Ok(request) => self.request.insert(request),
            Err(error) => give_up("request head", self.number, error),
        }
    }

    /// Waits for another request on the same connection, from clients that keep it alive or through a proxy.
    ///
    /// # Panics
    ///
    /// As [`request`](Self::request) does.
    ///
    /// # Example: two requests on one connection
    ///
    /// ```
    /// use http_sse::testing::Server;
    /// use std::io::Write;
    /// use std::net::TcpStream;
    ///
    /// let server = Server::start()?;
    /// let mut client = TcpStream::connect(server.addr())?;
    /// client.write_all(b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n")?;
    /// let mut peer = server.accept();
    /// assert_eq!(peer.request().path(), "/1");
    /// assert_eq!(peer.next_request().path(), "/2");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn next_request(&mut self) -> &ReceivedRequest {
        self.request = None;
        self.request()
    }

    /// Waits for the request like [`request`](Self::request), and returns errors.
    ///
    /// # Errors
    ///
    /// `TimedOut` after 10 s, `InvalidData` if it is not HTTP/1, and others if the client has disconnected.
    ///
    /// # Example: a client that disconnects without a request
    ///
    /// ```
    /// use http_sse::testing::Server;
    /// use std::net::TcpStream;
    ///
    /// let server = Server::start()?;
    /// drop(TcpStream::connect(server.addr())?);
    /// assert!(server.accept().try_request().is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_request(&mut self) -> io::Result<&ReceivedRequest> {
        let mut request = self.take_head()?;
        let deadline = self.deadline();
        let mut continued = false;
        while !request.take_body(&mut self.inbox)? {
            if request.expects_continue() && !continued {
                continued = true;
                self.write(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            }
            self.receive_more("the body of the request", deadline)?;
        }
        Ok(self.request.insert(request))
    }

    /// Adds a protocol on top of the connection, for example TLS: all later steps use the result of `wrap`.
    ///
    /// `wrap` may perform a handshake, on this thread. [`end`](Self::end) drops the returned value before the FIN, so
    /// that it can close properly; [`close_abruptly`](Self::close_abruptly), [`reset`](Self::reset) and dropping the peer
    /// drop it after.
    ///
    /// # Errors
    ///
    /// The error of `wrap`; `InvalidData` if bytes of the other protocol have been read already.
    ///
    /// # Example: a pass-through protocol
    ///
    /// ```
    /// use http_sse::testing::Server;
    /// use std::io::Write;
    /// use std::net::TcpStream;
    ///
    /// let server = Server::start()?;
    /// let mut client = TcpStream::connect(server.addr())?;
    /// let mut peer = server.accept();
    /// peer.upgrade(|socket| Ok(socket))?; // with rustls: StreamOwned::new(ServerConnection::new(config)?, socket)
    /// client.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
    /// assert_eq!(peer.request().path(), "/");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn upgrade<S, F>(&mut self, wrap: F) -> io::Result<()>
    where
        S: Read + Write + Send + 'static,
        F: FnOnce(TcpStream) -> io::Result<S>,
    {
        if !self.inbox.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "received unread bytes before the upgrade"));
        }
        self.socket.set_read_timeout(Some(self.limit))?;
        self.upgraded = Some(Box::new(wrap(self.socket.try_clone()?)?));
        self.request = None;
        Ok(())
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.upgraded {
            Some(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            None => (&*self.socket).write_all(bytes),
        }
    }

    fn take_head(&mut self) -> io::Result<ReceivedRequest> {
        if let Some(request) = self.request.take() {
            return Ok(request);
        }
        let deadline = self.deadline();
        loop {
            match ReceivedRequest::take_head(&mut self.inbox)? {
                Some(request) => return Ok(request),
                None => self.receive_more("the head of the request", deadline)?,
            }
        }
    }

    fn receive_more(&mut self, what: &str, deadline: Option<Instant>) -> io::Result<()> {
        match self.receive(deadline) {
            Received::Bytes => Ok(()),
            Received::End(error) => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("the client disconnected before {what} was complete ({error}), after {:?}", self.inbox_text()),
            )),
            Received::Nothing => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("{what} was not complete within {:?}, after {:?}", self.limit, self.inbox_text()),
            )),
        }
    }

    /// Adds the next received bytes to the inbox. `None` waits without limit.
    pub(super) fn receive(&mut self, deadline: Option<Instant>) -> Received {
        let mut buffer = [0; 16 * 1024];
        loop {
            if self.has_left {
                return Received::End(io::ErrorKind::UnexpectedEof.into());
            }
            // A timeout of zero would be an error; a deadline that has passed still polls.
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let timeout = left.map(|left| left.max(Duration::from_millis(1)));
            let result = match (self.socket.set_read_timeout(timeout), &mut self.upgraded) {
                (Err(error), _) => Err(error),
                (Ok(()), Some(stream)) => stream.read(&mut buffer),
                (Ok(()), None) => (&*self.socket).read(&mut buffer),
            };
            match result {
                Ok(0) => self.has_left = true,
                Ok(length) => {
                    self.inbox.extend_from_slice(&buffer[..length]);
                    return Received::Bytes;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    if left.is_none_or(|left| left.is_zero()) {
                        return Received::Nothing;
                    }
                }
                Err(error) => {
                    self.has_left = true;
                    return Received::End(error);
                }
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        Instant::now().checked_add(self.limit)
    }

    fn inbox_text(&self) -> String {
        String::from_utf8_lossy(&self.inbox[..self.inbox.len().min(200)]).into_owned()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if self.resets {
            return;
        }
        // Each of these fails if the client has disconnected.
        let _ = self.socket.shutdown(Shutdown::Write);
        let _ = self.socket.set_nonblocking(true);
        // A socket that is closed with unread bytes sends RST, and the client would lose the end of the response.
        let mut buffer = [0; 16 * 1024];
        for _ in 0..256 {
            if !matches!((&*self.socket).read(&mut buffer), Ok(1..)) {
                return;
            }
        }
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("number", &self.number).field("request", &self.request).finish_non_exhaustive()
    }
}

#[track_caller]
fn give_up(step: &str, number: usize, error: io::Error) -> ! {
    let message = error.to_string();
    script::check_step(step, Err(error));
    panic!("scripted server: {step} of connection {number}: {message}");
}
