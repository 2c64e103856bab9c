//! The transport through which ureq sends the request and reads the response head; then the connection is taken out of
//! it.

use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use memchr::memmem;
use ureq::Error;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

use super::{Failure, repair};
use crate::clock;
use crate::error;
use crate::error::Timeout;
use crate::sync::lock;
use crate::transport::buffers::IoBuffers;
use crate::transport::{Fault, MAX_HEAD, Wait, Wire};

/// How often the socket is checked for an early response while a body is sent.
const LOOK: Duration = Duration::from_secs(1);
/// The number of checks in a row without progress, after which a server that has begun a success will not accept the
/// rest of the body.
const MAX_STALLS: u32 = 10;

/// Where a transport stores its connection when ureq drops it, or the reason if it failed: ureq's errors cannot carry
/// ours.
#[derive(Default)]
pub(super) struct Slot(Mutex<Left>);

#[derive(Default)]
struct Left {
    connection: Option<(Wire, IoBuffers)>,
    failure: Option<Failure>,
}

impl Slot {
    /// Stores the reason, and returns an error for ureq.
    pub(super) fn fail(&self, failure: Failure) -> Error {
        lock(&self.0).failure = Some(failure);
        Error::ConnectionFailed
    }

    pub(super) fn take_failure(&self) -> Option<Failure> {
        lock(&self.0).failure.take()
    }

    pub(super) fn take_connection(&self) -> Option<(Wire, IoBuffers)> {
        lock(&self.0).connection.take()
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(super) struct HeadTransport {
    /// `None` only during drop.
    wire: Option<Wire>,
    buffers: IoBuffers,
    slot: Arc<Slot>,
    /// The deadline of sending the request and receiving the head, whatever arrives.
    wait: Wait,
    /// The size of the informational responses before the head.
    skipped: usize,
    /// ureq has seen the head: it asks again only if it cannot parse it.
    is_shown: bool,
    /// The response came before the whole body was sent: the rest is not sent.
    is_answered: bool,
    last_look: Instant,
}

impl HeadTransport {
    pub(super) fn new(wire: Wire, buffers: IoBuffers, slot: Arc<Slot>, deadline: Option<Instant>) -> Self {
        Self {
            wire: Some(wire),
            buffers,
            slot,
            wait: Wait::until(deadline),
            skipped: 0,
            is_shown: false,
            is_answered: false,
            last_look: clock::now(),
        }
    }

    /// Reads until the head is complete: ureq parses it from the start each time, which would take quadratic time if a
    /// server sends single bytes. Informational responses are skipped: ureq refuses some of them for their headers.
    /// Returns `false` at the end of the connection.
    fn await_head(&mut self) -> Result<bool, Failure> {
        self.buffers.release_output();
        if self.is_shown {
            return Err(error::Error::Protocol("cannot parse the response head".into()).into());
        }
        let mut searched = 0;
        loop {
            let input = self.buffers.bytes();
            if let Some(end) = head_end(input, searched) {
                if self.skipped + end > MAX_HEAD {
                    return Err(too_large());
                }
                if status(input).is_some_and(is_informational) {
                    self.buffers.consume(end);
                    (self.skipped, searched) = (self.skipped + end, 0);
                    continue;
                }
                if let Some(repaired) = repair::repair(&input[..end]) {
                    self.buffers.replace(end, &repaired);
                }
                self.is_shown = true;
                return Ok(true);
            }
            if input.len() > MAX_HEAD {
                return Err(too_large());
            }
            // The end of a head may span old and new bytes.
            searched = input.len().saturating_sub(3);
            let Some(wire) = &mut self.wire else { return Ok(false) };
            let amount = wire.read(self.buffers.room(), &mut self.wait)?;
            self.buffers.appended(amount);
            if amount == 0 {
                return if self.is_answered_in_tls() { Err(tls_spoken()) } else { Ok(false) };
            }
        }
    }

    /// An https server answers a plain request with an alert (RFC 8446 section 6), and closes.
    fn is_answered_in_tls(&self) -> bool {
        !self.is_tls() && self.buffers.bytes().starts_with(&[0x15, 0x03])
    }

    fn send(&mut self, amount: usize) -> Result<(), Failure> {
        let output = self.buffers.take_output();
        let mut rest = &output[..amount];
        let mut is_sent = false;
        let mut stalls = 0;
        while !is_sent && !self.is_answered {
            let Some(wire) = &mut self.wire else { break };
            let look_at = clock::now() + LOOK;
            let deadline = self.wait.deadline();
            let mut wait = Wait::until(Some(deadline.map_or(look_at, |deadline| deadline.min(look_at))));
            let step = match rest {
                [] => wire.flush(&mut wait).map(|()| is_sent = true),
                _ => wire.write(rest, &mut wait).map(|sent| rest = &rest[sent..]),
            };
            match step {
                Ok(()) => stalls = 0,
                Err(Fault::DeadlineReached) => stalls += 1,
                Err(fault) => return Err(fault.into()),
            }
            let now = clock::now();
            if stalls > 0 || now.saturating_duration_since(self.last_look) >= LOOK {
                let is_late = stalls > 0 && deadline.is_some_and(|deadline| deadline <= now);
                self.look_for_answer(is_late || stalls >= MAX_STALLS)?;
                if is_late && !self.is_answered {
                    return Err(error::Error::Timeout(Timeout::Response).into());
                }
            }
        }
        self.buffers.put_output(output);
        Ok(())
    }

    /// Reads a response that arrives before the whole body was sent. A refusal ends the sending; so does a success once
    /// the server accepts no more, and until then the start of its stream waits in the input.
    fn look_for_answer(&mut self, takes_no_more: bool) -> Result<(), Failure> {
        self.last_look = clock::now();
        let Some(wire) = &mut self.wire else { return Ok(()) };
        let room = self.buffers.room();
        // A read into an empty buffer would look like the end.
        let read = if room.is_empty() { Err(Fault::DeadlineReached) } else { wire.read(room, &mut Wait::none()) };
        match read {
            Ok(0) => self.is_answered = true,
            read @ (Ok(_) | Err(Fault::DeadlineReached)) => {
                self.buffers.appended(read.unwrap_or(0));
                self.is_answered = match final_status(self.buffers.bytes()) {
                    Some(status) => status >= 300 || takes_no_more,
                    None => self.buffers.bytes().len() > MAX_HEAD,
                };
            }
            Err(Fault::Io(error)) => {
                self.is_answered = true;
                wire.defer(error);
            }
            Err(fault) => return Err(fault.into()),
        }
        Ok(())
    }
}

impl Transport for HeadTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        self.send(amount).map_err(|failure| self.slot.fail(failure))
    }

    fn maybe_await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.await_input(timeout)
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        self.await_head().map_err(|failure| self.slot.fail(failure))
    }

    /// Never pooled: the connection of a stream is not reused.
    fn is_open(&mut self) -> bool {
        false
    }

    fn is_tls(&self) -> bool {
        self.wire.as_ref().is_some_and(Wire::is_tls)
    }
}

impl Drop for HeadTransport {
    fn drop(&mut self) {
        if let Some(wire) = self.wire.take() {
            let buffers = mem::take(&mut self.buffers);
            lock(&self.slot.0).connection = Some((wire, buffers));
        }
    }
}

impl From<Fault> for Failure {
    /// Maps a fault while the request is sent and the head awaited.
    fn from(fault: Fault) -> Self {
        Self::of(fault, Timeout::Response)
    }
}

/// Returns the end of a head, including the blank line. The parser skips blank lines before it.
fn head_end(input: &[u8], from: usize) -> Option<usize> {
    let from = from.max(input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count());
    let fresh = &input[from..];
    let with_cr = memmem::find(fresh, b"\n\r\n").map(|at| from + at + 3);
    let without = memmem::find(fresh, b"\n\n").map(|at| from + at + 2);
    [with_cr, without].into_iter().flatten().min()
}

/// Returns the status of the first final response, once it has arrived.
fn final_status(mut input: &[u8]) -> Option<u16> {
    loop {
        let status = status(input)?;
        if !is_informational(status) {
            return Some(status);
        }
        input = &input[head_end(input, 0)?..];
    }
}

/// Returns the status of the response at the start of the input.
fn status(input: &[u8]) -> Option<u16> {
    let status = input.trim_ascii_start().strip_prefix(b"HTTP/1.")?.get(2..5)?;
    std::str::from_utf8(status).ok()?.parse().ok()
}

/// Returns `true` if another response follows (RFC 9110 section 15.2); after 101, it would not be HTTP.
fn is_informational(status: u16) -> bool {
    matches!(status, 100 | 102..200)
}

fn tls_spoken() -> Failure {
    error::Error::Protocol("the server speaks TLS on this port, is it an https port?".into()).into()
}

fn too_large() -> Failure {
    error::Error::Protocol(format!("the response head is larger than {MAX_HEAD} bytes")).into()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::transport::buffers::Sizes;

    /// The client's end with a deadline that has passed, and the server's end.
    fn too_late() -> (HeadTransport, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let buffers = IoBuffers::new(Sizes { output: 4096, input: 4096 });
        let transport = HeadTransport::new(Wire::over(client), buffers, Arc::default(), Some(Instant::now()));
        (transport, listener.accept().unwrap().0)
    }

    #[test]
    fn a_head_that_has_come_is_in_time_whatever_the_clock_says() {
        for size in [0, 10_000] {
            let (mut transport, mut server) = too_late();
            write!(server, "HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "a".repeat(size)).unwrap();
            assert!(transport.await_head().unwrap());
        }
    }

    #[test]
    fn a_part_of_a_head_does_not_extend_the_deadline() {
        for part in ["", "HTTP/1.1 200"] {
            let (mut transport, mut server) = too_late();
            server.write_all(part.as_bytes()).unwrap();
            let failure = transport.await_head().unwrap_err();
            assert!(matches!(failure, Failure::Error(error::Error::Timeout(Timeout::Response))), "{failure:?}");
        }
    }

    /// Shows ureq the head, and returns its first line.
    fn shown(transport: &mut HeadTransport) -> String {
        assert!(transport.await_head().unwrap());
        let input = transport.buffers.bytes();
        String::from_utf8_lossy(input.split(|&byte| byte == b'\r').next().unwrap()).into_owned()
    }

    #[test]
    fn informational_responses_are_skipped_whatever_their_headers_say() {
        let (mut transport, mut server) = too_late();
        let informational =
            "HTTP/1.1 100 Continue\r\nDate: x\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Length: x\r\n\r\n";
        write!(server, "{informational}HTTP/1.1 200 OK\r\n\r\n").unwrap();
        assert_eq!(shown(&mut transport), "HTTP/1.1 200 OK");
    }

    #[test]
    fn a_stream_that_begins_early_ends_the_sending_once_the_server_takes_no_more_and_not_by_its_size() {
        let (mut transport, mut server) = too_late();
        write!(server, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(60 << 10)).unwrap();
        while !transport.buffers.room().is_empty() {
            transport.look_for_answer(false).unwrap();
        }
        transport.look_for_answer(false).unwrap();
        assert!(!transport.is_answered);
        transport.look_for_answer(true).unwrap();
        assert!(transport.is_answered);
        assert_eq!(shown(&mut transport), "HTTP/1.1 200 OK");
    }

    #[test]
    fn a_head_ends_with_its_first_blank_line() {
        for (input, end) in [
            (&b"a\r\n\r\nb\n\n"[..], Some(5)),
            (b"a\n\nb\r\n\r\n", Some(3)),
            (b"a\r\n\n", Some(4)),
            (b"a\n\r\n", Some(4)),
            (b"a\r\n\r", None),
            (b"", None),
            (b"\r\n\r\n", None),
            (b"\r\n\r\na\n\n", Some(7)),
        ] {
            assert_eq!(head_end(input, 0), end, "{:?}", String::from_utf8_lossy(input));
        }
    }

    #[test]
    fn an_early_answer_is_known_by_its_status_behind_informational_ones() {
        for (input, status) in [
            (&b"HTTP/1.1 413 Too"[..], Some(413)),
            (b"HTTP/1.1 413", Some(413)),
            (b"HTTP/1.1 41", None),
            (b"HTTP/1.1 100 Continue\r\n\r\n", None),
            (b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.0 200 OK", Some(200)),
            (b"HTTP/1.1 103 Early\r\nLink: x", None),
            (b"HTTP/1.1 101 Switching", Some(101)),
            (b"\r\nHTTP/1.1 413", Some(413)),
            (b"nonsense that is no status", None),
        ] {
            assert_eq!(final_status(input), status, "{:?}", String::from_utf8_lossy(input));
        }
    }
}
