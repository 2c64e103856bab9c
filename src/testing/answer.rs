//! The steps that respond: heads, bodies, and raw bytes.

use std::io;

use super::{Peer, script};
use crate::event::Event;

/// How the body of a response is delimited.
///
/// # Example: a body that is shorter than it claims
///
/// ```
/// use http_sse::testing::{Framing, Server};
/// use http_sse::{Client, Error, Request, RetryPolicy};
///
/// let server = Server::serve(|_, mut peer| {
///     peer.begin(200, &[("Content-Type", "text/event-stream")], Framing::Length(1000));
///     peer.send("data: 1\n\n");
///     peer.close_abruptly();
/// })?;
/// let request = Request::get(server.url("/")).retry(RetryPolicy::never());
/// let events: Vec<_> = Client::builder().no_proxy().build()?.read("short", request)?.collect();
/// assert!(matches!(events[..], [Ok(_), Err(Error::Disconnected)]), "{events:?}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// `Transfer-Encoding: chunked`: every step is a chunk, and an end without the last chunk breaks off the response.
    Chunked,
    /// The close of the connection ends the body.
    UntilClose,
    /// `Content-Length` with this many bytes; the steps need not add up to it.
    Length(u64),
}

/// Responses. Each except [`raw`](Self::raw) first reads the request, unless it has been read.
///
/// # Example: a status with a header, then a stream
///
/// ```
/// use http_sse::testing::Server;
/// use std::io::{Read, Write};
/// use std::net::TcpStream;
///
/// let server = Server::serve(|number, mut peer| match number {
///     0 => peer.respond(503, &[("Retry-After", "1")], "busy"),
///     _ => {
///         peer.stream();
///         peer.send("data: 1\n\n");
///         peer.end();
///     }
/// })?;
///
/// for end in ["\r\nRetry-After: 1\r\nContent-Length: 4\r\n\r\nbusy", "9\r\ndata: 1\n\n\r\n0\r\n\r\n"] {
///     let mut client = TcpStream::connect(server.addr())?;
///     client.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")?;
///     let mut answer = String::new();
///     client.read_to_string(&mut answer)?;
///     assert!(answer.ends_with(end));
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
impl Peer {
    /// Begins an event stream with a chunked body, as most servers do.
    ///
    /// # Example: a stream without an event
    ///
    /// ```
    /// use http_sse::testing::Server;
    /// use http_sse::{Client, Request, RetryPolicy};
    ///
    /// let server = Server::serve(|_, mut peer| {
    ///     peer.stream();
    ///     peer.end();
    /// })?;
    /// let request = Request::get(server.url("/")).retry(RetryPolicy::never());
    /// assert_eq!(Client::builder().no_proxy().build()?.read("empty", request)?.count(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn stream(&mut self) {
        self.begin(200, &[("Content-Type", "text/event-stream")], Framing::Chunked);
    }

    /// Begins an event stream that the close of the connection ends.
    ///
    /// # Example: an old-style server
    ///
    /// ```
    /// use http_sse::testing::Server;
    /// use http_sse::{Client, Request, RetryPolicy};
    ///
    /// let server = Server::serve(|_, mut peer| {
    ///     peer.stream_until_close();
    ///     peer.send("data: 1\n\n");
    ///     peer.close_abruptly();
    /// })?;
    /// let request = Request::get(server.url("/")).retry(RetryPolicy::never());
    /// assert_eq!(Client::builder().no_proxy().build()?.read("old", request)?.count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn stream_until_close(&mut self) {
        self.begin(200, &[("Content-Type", "text/event-stream")], Framing::UntilClose);
    }

    /// Begins a response with these headers and that of the framing.
    ///
    /// # Example: a stream that claims to be compressed
    ///
    /// ```
    /// use http_sse::testing::{Framing, Server};
    ///
    /// let server = Server::serve(|_, mut peer| {
    ///     let headers = [("Content-Type", "text/event-stream"), ("Content-Encoding", "gzip")];
    ///     peer.begin(200, &headers, Framing::Chunked);
    ///     peer.wait_for_close();
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn begin(&mut self, status: u16, headers: &[(&str, &str)], framing: Framing) {
        self.framing = framing;
        let result = self.write_head(status, headers, Some(framing), &[]);
        script::check_step("head of the answer", result);
    }

    /// Sends a complete response, with `Content-Length` unless a header frames the body already; 1xx, 204 and 304 have
    /// no body.
    ///
    /// The connection stays open: the client may send another request ([`next_request`](Self::next_request)).
    ///
    /// # Example: a server that is busy at first
    ///
    /// ```
    /// use http_sse::testing::Server;
    /// use http_sse::{Client, Request};
    ///
    /// let server = Server::serve(|_, mut peer| peer.respond(503, &[("Retry-After", "1")], "busy"))?;
    /// let request = Request::post(server.url("/"));
    /// let outcome = Client::builder().no_proxy().build()?.read("busy", request)?.next();
    /// let Some(Err(error)) = outcome else { panic!("no error") };
    /// assert_eq!((error.status(), error.body()), (Some(503), Some("busy")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn respond(&mut self, status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) {
        let is_framed = headers.iter().any(|(name, _)| {
            name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding")
        });
        let (framing, body) = match (status, body.as_ref()) {
            (100..=199 | 204 | 304, _) => (None, &[][..]),
            (_, body) if is_framed => (None, body),
            (_, body) => (Some(Framing::Length(body.len() as u64)), body),
        };
        self.framing = Framing::UntilClose;
        let result = self.write_head(status, headers, framing, body);
        script::check_step("answer", result);
    }

    /// Sends raw bytes: a malformed head, half a chunk, one byte at a time. Does not read the request.
    ///
    /// # Example: what is not HTTP
    ///
    /// ```
    /// use http_sse::testing::Server;
    /// use http_sse::{Client, Error, Request, RetryPolicy};
    ///
    /// let server = Server::serve(|_, mut peer| {
    ///     peer.request();
    ///     peer.raw("SSH-2.0-test\r\n\r\n");
    /// })?;
    /// let request = Request::get(server.url("/")).retry(RetryPolicy::never());
    /// let outcome = Client::builder().no_proxy().build()?.read("wrong port", request)?.next();
    /// assert!(matches!(outcome, Some(Err(Error::Protocol(_)))), "{outcome:?}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn raw(&mut self, bytes: impl AsRef<[u8]>) {
        let result = self.write(bytes.as_ref());
        script::check_step("raw bytes", result);
    }

    /// Sends an event in its wire form, with the framing of the response.
    ///
    /// # Example: the same event at both ends
    ///
    /// ```
    /// use http_sse::testing::Server;
    /// use http_sse::{Client, Event, Request};
    ///
    /// let sent = Event::new("price", "101.5").with_id("7");
    /// let event = sent.clone();
    /// let server = Server::serve(move |_, mut peer| {
    ///     peer.stream();
    ///     peer.event(&event);
    ///     peer.wait_for_close();
    /// })?;
    /// let received = Client::builder().no_proxy().build()?.read("prices", Request::get(server.url("/")))?.next();
    /// assert_eq!(received.ok_or("over")??, sent);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn event(&mut self, event: &Event) {
        self.send(event.to_string());
    }

    /// Sends a part of the body, with the framing of the response: one chunk if it is chunked.
    ///
    /// # Example: an event in three parts
    ///
    /// ```
    /// use http_sse::testing::Server;
    /// use http_sse::{Client, Request};
    ///
    /// let server = Server::serve(|_, mut peer| {
    ///     peer.stream();
    ///     for part in ["da", "ta: 1\n", "\n"] {
    ///         peer.send(part);
    ///     }
    ///     peer.wait_for_close();
    /// })?;
    /// let event = Client::builder().no_proxy().build()?.read("parts", Request::get(server.url("/")))?.next();
    /// assert_eq!(event.ok_or("over")??.data(), "1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn send(&mut self, text: impl AsRef<[u8]>) {
        let result = self.try_send(text);
        script::check_step("part of the body", result);
    }

    /// Sends a part of the body like [`send`](Self::send), and returns errors.
    ///
    /// # Errors
    ///
    /// `WouldBlock` or `TimedOut` if the client reads nothing for 10 s, and others if it has disconnected.
    ///
    /// # Example: send until the client disconnects
    ///
    /// ```
    /// use http_sse::testing::Server;
    /// use std::io::Write;
    /// use std::net::TcpStream;
    ///
    /// let server = Server::start()?;
    /// let mut client = TcpStream::connect(server.addr())?;
    /// client.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")?;
    ///
    /// let mut peer = server.accept();
    /// peer.stream();
    /// drop(client);
    /// while peer.try_send("data: tick\n\n").is_ok() {}
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_send(&mut self, text: impl AsRef<[u8]>) -> io::Result<()> {
        match (self.framing, text.as_ref()) {
            // An empty chunk would be the last one.
            (Framing::Chunked, []) => Ok(()),
            (Framing::Chunked, text) => {
                let size = format!("{:x}\r\n", text.len());
                self.write(&[size.as_bytes(), text, b"\r\n"].concat())
            }
            (_, text) => self.write(text),
        }
    }

    fn write_head(
        &mut self,
        status: u16,
        headers: &[(&str, &str)],
        framing: Option<Framing>,
        body: &[u8],
    ) -> io::Result<()> {
        self.try_request()?;
        let mut head = format!("HTTP/1.1 {status} \r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&match framing {
            Some(Framing::Chunked) => "Transfer-Encoding: chunked\r\n".to_owned(),
            Some(Framing::UntilClose) => "Connection: close\r\n".to_owned(),
            Some(Framing::Length(length)) => format!("Content-Length: {length}\r\n"),
            None => String::new(),
        });
        head.push_str("\r\n");
        self.write(&[head.as_bytes(), body].concat())
    }
}
