//! A request from a client: parsed leniently, and kept as received.

use std::fmt;
use std::io;

/// A request as received.
///
/// # Example: what a client sent
///
/// ```
/// use http_sse::testing::Server;
/// use std::io::Write;
/// use std::net::TcpStream;
///
/// let server = Server::start()?;
/// let mut client = TcpStream::connect(server.addr())?;
/// client.write_all(b"POST /chat?x=1 HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi")?;
///
/// let mut peer = server.accept();
/// let request = peer.request();
/// assert_eq!((request.method(), request.path()), ("POST", "/chat?x=1"));
/// assert_eq!(request.header("host"), Some("test"));
/// assert_eq!(request.header("accept"), None);
/// assert_eq!(request.header_names(), ["Host", "Content-Length"]);
/// assert_eq!(request.body(), b"hi");
/// assert!(request.head().ends_with(b"\r\n\r\n"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ReceivedRequest {
    method: String,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    head: Vec<u8>,
    body: Option<Vec<u8>>,
}

impl ReceivedRequest {
    /// Returns the method, as spelled.
    ///
    /// # Example: it was a POST
    ///
    /// ```
    /// # use http_sse::{Client, Request, testing::Server};
    /// # let server = Server::start()?;
    /// # let client = Client::builder().no_proxy().build()?;
    /// let rx = client.connect("ask", Request::post(server.url("/ask")).text("Hello"))?;
    /// assert_eq!(server.accept().request().method(), "POST");
    /// # drop(rx);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Returns the request target with its query; for `CONNECT` the authority, for a request to a proxy the whole URL.
    ///
    /// # Example: the query is there
    ///
    /// ```
    /// # use http_sse::{Client, Request, testing::Server};
    /// # let server = Server::start()?;
    /// # let client = Client::builder().no_proxy().build()?;
    /// let rx = client.connect("news", Request::get(server.url("/news")).query("lang", "en"))?;
    /// assert_eq!(server.accept().request().path(), "/news?lang=en");
    /// # drop(rx);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the first header of this name (case-insensitive); `None` also for one that is not UTF-8.
    ///
    /// # Example: the position that the client sends
    ///
    /// ```
    /// # use http_sse::{Client, Request, testing::Server};
    /// # let server = Server::start()?;
    /// # let client = Client::builder().no_proxy().build()?;
    /// let rx = client.connect("news", Request::get(server.url("/")).last_event_id("41"))?;
    /// assert_eq!(server.accept().request().header("last-event-id"), Some("41"));
    /// # drop(rx);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header_bytes(name).first().and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Returns all headers of this name that are UTF-8, in order of arrival.
    ///
    /// # Example: one header, not two
    ///
    /// ```
    /// # use http_sse::{Client, Request, testing::Server};
    /// # let server = Server::start()?;
    /// # let client = Client::builder().no_proxy().build()?;
    /// let rx = client.connect("news", Request::get(server.url("/")).header("accept", "*/*"))?;
    /// assert_eq!(server.accept().request().headers("Accept"), ["*/*"]);
    /// # drop(rx);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn headers(&self, name: &str) -> Vec<&str> {
        self.header_bytes(name).into_iter().filter_map(|value| std::str::from_utf8(value).ok()).collect()
    }

    /// Returns all headers of this name as received bytes, without surrounding white space.
    ///
    /// # Example: an id beyond ASCII goes as UTF-8
    ///
    /// ```
    /// # use http_sse::{Client, Request, testing::Server};
    /// # let server = Server::start()?;
    /// # let client = Client::builder().no_proxy().build()?;
    /// let rx = client.connect("news", Request::get(server.url("/")).last_event_id("é"))?;
    /// assert_eq!(server.accept().request().header_bytes("last-event-id"), [b"\xc3\xa9"]);
    /// # drop(rx);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn header_bytes(&self, name: &str) -> Vec<&[u8]> {
        self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| &value[..]).collect()
    }

    /// Returns the names of all headers, as spelled and in order of arrival.
    ///
    /// # Example: no extra headers are sent
    ///
    /// ```
    /// # use http_sse::{Client, Request, testing::Server};
    /// # let server = Server::start()?;
    /// # let client = Client::builder().no_proxy().build()?;
    /// let rx = client.connect("news", Request::get(server.url("/")))?;
    /// let mut peer = server.accept();
    /// assert!(!peer.request().header_names().iter().any(|name| name.eq_ignore_ascii_case("cookie")));
    /// # drop(rx);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn header_names(&self) -> Vec<&str> {
        self.headers.iter().map(|(name, _)| &name[..]).collect()
    }

    /// Returns the body without its framing; empty if there is none or it has not been read yet.
    ///
    /// # Example: the body was sent
    ///
    /// ```
    /// # use http_sse::{Client, Request, testing::Server};
    /// # let server = Server::start()?;
    /// # let client = Client::builder().no_proxy().build()?;
    /// let rx = client.connect("ask", Request::post(server.url("/ask")).text("Hello"))?;
    /// assert_eq!(server.accept().request().body(), b"Hello");
    /// # drop(rx);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.body.as_deref().unwrap_or_default()
    }

    /// Returns the head as received, including the final empty line.
    ///
    /// # Example: the request line to the byte
    ///
    /// ```
    /// # use http_sse::{Client, Request, testing::Server};
    /// # let server = Server::start()?;
    /// # let client = Client::builder().no_proxy().build()?;
    /// let rx = client.connect("news", Request::get(server.url("/news")))?;
    /// assert!(server.accept().request().head().starts_with(b"GET /news HTTP/1.1\r\n"));
    /// # drop(rx);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Takes a head from the front of `inbox` once it is complete.
    pub(super) fn take_head(inbox: &mut Vec<u8>) -> io::Result<Option<Self>> {
        let Some(end) = inbox.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head: Vec<u8> = inbox.drain(..end + 4).collect();
        let mut lines = head[..end].split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let start = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
        let [method, path, "HTTP/1.1" | "HTTP/1.0"] = start.split(' ').collect::<Vec<_>>()[..] else {
            return Err(malformed("request line", start.as_bytes()));
        };
        let headers = lines.map(split_header).collect::<io::Result<_>>()?;
        Ok(Some(Self { method: method.to_owned(), path: path.to_owned(), headers, head, body: None }))
    }

    /// Takes the body from the front of `inbox`; returns `true` once it is complete.
    pub(super) fn take_body(&mut self, inbox: &mut Vec<u8>) -> io::Result<bool> {
        if self.body.is_some() {
            return Ok(true);
        }
        self.body = if self.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            take_chunks(inbox)?
        } else {
            let length = self.header("content-length").unwrap_or("0");
            let length = length.parse().map_err(|_| malformed("content-length", length.as_bytes()))?;
            (inbox.len() >= length).then(|| inbox.drain(..length).collect())
        };
        Ok(self.body.is_some())
    }

    /// Returns `true` if the client waits for "100 Continue" before it sends the body.
    pub(super) fn expects_continue(&self) -> bool {
        self.body.is_none() && self.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
    }
}

impl fmt::Debug for ReceivedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedRequest")
            .field("head", &String::from_utf8_lossy(&self.head))
            .field("body", &String::from_utf8_lossy(self.body()))
            .finish()
    }
}

fn split_header(line: &[u8]) -> io::Result<(String, Vec<u8>)> {
    let colon = line.iter().position(|byte| *byte == b':').ok_or_else(|| malformed("header line", line))?;
    Ok((String::from_utf8_lossy(&line[..colon]).into_owned(), line[colon + 1..].trim_ascii().to_vec()))
}

fn take_chunks(inbox: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    let mut chunks = Vec::new();
    let mut position = 0;
    loop {
        let Some(line) = inbox[position..].windows(2).position(|window| window == b"\r\n") else {
            return Ok(None);
        };
        let size = &inbox[position..position + line];
        let size = std::str::from_utf8(size).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.ok_or_else(|| malformed("chunk size", &inbox[position..position + line]))?;
        let start = position + line + 2;
        let end = start + size;
        match inbox.get(end..end + 2) {
            None => return Ok(None),
            Some(b"\r\n") => {}
            Some(other) => return Err(malformed("end of a chunk", other)),
        }
        position = end + 2;
        if size == 0 {
            break;
        }
        chunks.push(start..end);
    }
    let body = chunks.into_iter().flat_map(|chunk| &inbox[chunk]).copied().collect();
    inbox.drain(..position);
    Ok(Some(body))
}

fn malformed(what: &str, bytes: &[u8]) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed {what}: {:?}", String::from_utf8_lossy(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_taken_only_when_it_is_complete() {
        let mut inbox = b"GET / HTTP/1.1\r\nA: 1\r\n".to_vec();
        assert_eq!(ReceivedRequest::take_head(&mut inbox).unwrap(), None);
        inbox.extend(b"\r\nrest");
        let request = ReceivedRequest::take_head(&mut inbox).unwrap().unwrap();
        assert_eq!(request.header_names(), ["A"]);
        assert_eq!(inbox, b"rest");
    }

    #[test]
    fn header_values_keep_their_bytes() {
        let mut inbox = b"GET / HTTP/1.1\r\nID: \xff\r\nid:b \r\n\r\n".to_vec();
        let request = ReceivedRequest::take_head(&mut inbox).unwrap().unwrap();
        assert_eq!(request.header_bytes("id"), [&b"\xff"[..], b"b"]);
        assert_eq!(request.header("id"), None);
        assert_eq!(request.headers("id"), ["b"]);
    }

    #[test]
    fn a_chunked_body_is_put_together() {
        let mut inbox = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n".to_vec();
        let mut request = ReceivedRequest::take_head(&mut inbox).unwrap().unwrap();
        assert!(!request.take_body(&mut inbox).unwrap());
        inbox.extend(b"\r\nrest");
        assert!(request.take_body(&mut inbox).unwrap());
        assert_eq!(request.body(), b"abcde");
        assert_eq!(inbox, b"rest");
    }

    #[test]
    fn nonsense_is_an_error() {
        assert!(ReceivedRequest::take_head(&mut b"\x16\x03\x01 hello\r\n\r\n".to_vec()).is_err());
        assert!(take_chunks(&mut b"x\r\n".to_vec()).is_err());
    }
}
