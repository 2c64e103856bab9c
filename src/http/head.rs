//! What ureq sends its request through and reads the response head from; then the connection is taken out of it.

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
use crate::stop::lock;
use crate::transport::buffers::IoBuffers;
use crate::transport::{Fault, Wait, Wire};

/// The largest response head that is accepted, 1xx responses included, in bytes.
pub(super) const HEAD_LIMIT: usize = 20 * 1024;
/// How often the socket is looked at for an early answer while a body is sent.
const LOOK: Duration = Duration::from_secs(1);

/// Where a transport leaves its connection when ureq drops it, and the reason when it failed: ureq's errors cannot
/// carry ours.
#[derive(Default)]
pub(super) struct Slot(Mutex<Left>);

#[derive(Default)]
struct Left {
    connection: Option<(Wire, IoBuffers)>,
    failure: Option<Failure>,
}

impl Slot {
    /// Keeps the reason, and returns what to tell ureq.
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
    /// `None` only while it is dropped.
    wire: Option<Wire>,
    buffers: IoBuffers,
    slot: Arc<Slot>,
    /// Of sending the request and receiving the head, whatever arrives.
    wait: Wait,
    deadline: Option<Instant>,
    /// How many bytes were received before the head was complete.
    received: usize,
    /// How many bytes there were when ureq was last shown a head.
    shown: usize,
    /// The answer came before all was sent: the rest is not.
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
            deadline,
            received: 0,
            shown: 0,
            is_answered: false,
            last_look: clock::now(),
        }
    }

    /// Reads on until the head is complete: ureq parses it from the start each time it is asked, which a server that
    /// drips single bytes would turn into quadratic work. Returns false at the end of the connection.
    fn await_head(&mut self) -> Result<bool, Failure> {
        self.buffers.release_output();
        let had = self.buffers.bytes().len();
        if self.received.saturating_sub(had) > HEAD_LIMIT {
            return Err(too_large());
        }
        if had > 0 && had == self.shown {
            return Err(error::Error::Protocol("the response head cannot be read".into()).into());
        }
        let mut searched = 0;
        loop {
            let input = self.buffers.bytes();
            if let Some(end) = head_end(input, searched) {
                if end > HEAD_LIMIT {
                    return Err(too_large());
                }
                if let Some(repaired) = repair::repair(&input[..end]) {
                    self.buffers.replace(end, &repaired);
                }
                self.shown = self.buffers.bytes().len();
                return Ok(true);
            }
            if input.len() > HEAD_LIMIT {
                return Err(too_large());
            }
            // The end of a head may straddle what was there before.
            searched = input.len().saturating_sub(3);
            let Some(wire) = &mut self.wire else { return Ok(false) };
            let amount = wire.read(self.buffers.room(), &mut self.wait)?;
            self.received_bytes(amount);
            if amount == 0 {
                return if self.is_answered_in_tls() { Err(tls_spoken()) } else { Ok(false) };
            }
        }
    }

    /// A server of https answers plain text with an alert (RFC 8446 section 6), and closes.
    fn is_answered_in_tls(&self) -> bool {
        !self.is_tls() && self.buffers.bytes().starts_with(&[0x15, 0x03])
    }

    fn received_bytes(&mut self, amount: usize) {
        self.buffers.appended(amount);
        self.received = self.received.saturating_add(amount);
    }

    fn send(&mut self, amount: usize) -> Result<(), Failure> {
        let output = self.buffers.take_output();
        let mut rest = &output[..amount];
        let mut is_sent = false;
        while !is_sent && !self.is_answered {
            let Some(wire) = &mut self.wire else { break };
            let look_at = clock::now() + LOOK;
            let mut wait = Wait::until(Some(self.deadline.map_or(look_at, |deadline| deadline.min(look_at))));
            let step = match rest {
                [] => wire.flush(&mut wait).map(|()| is_sent = true),
                _ => wire.write(rest, &mut wait).map(|sent| rest = &rest[sent..]),
            };
            let is_stalled = match step {
                Ok(()) => false,
                Err(Fault::DeadlineReached) => true,
                Err(fault) => return Err(fault.into()),
            };
            if is_stalled || self.last_look.elapsed() >= LOOK {
                self.look_for_answer(is_stalled)?;
            }
            if is_stalled && !self.is_answered && self.deadline.is_some_and(|deadline| deadline <= clock::now()) {
                return Err(error::Error::Timeout(Timeout::Response).into());
            }
        }
        self.buffers.put_output(output);
        Ok(())
    }

    /// Reads what the server says before it has got everything. A refusal ends the sending; so does a success once the
    /// server takes no more.
    fn look_for_answer(&mut self, is_stalled: bool) -> Result<(), Failure> {
        self.last_look = clock::now();
        let Some(wire) = &mut self.wire else { return Ok(()) };
        match wire.read(self.buffers.room(), &mut Wait::none()) {
            Ok(0) => self.is_answered = true,
            read @ (Ok(_) | Err(Fault::DeadlineReached)) => {
                self.received_bytes(read.unwrap_or(0));
                self.is_answered = match final_status(self.buffers.bytes()) {
                    Some(status) => status >= 300 || is_stalled,
                    None => self.buffers.bytes().len() > HEAD_LIMIT,
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

    /// Never pooled: a stream's connection is not used again.
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
    /// What a fault means while the request is sent and the head awaited.
    fn from(fault: Fault) -> Self {
        Self::of(fault, Timeout::Response)
    }
}

/// Returns where a head ends, blank line included. The parser skips blank lines before it.
fn head_end(input: &[u8], from: usize) -> Option<usize> {
    let from = from.max(input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count());
    let fresh = &input[from..];
    let with_cr = memmem::find(fresh, b"\n\r\n").map(|at| from + at + 3);
    let without = memmem::find(fresh, b"\n\n").map(|at| from + at + 2);
    [with_cr, without].into_iter().flatten().min()
}

/// Returns the status of the first response that is not informational, as soon as it is there.
fn final_status(mut input: &[u8]) -> Option<u16> {
    loop {
        let status = input.strip_prefix(b"HTTP/1.")?.get(2..5)?;
        let status = std::str::from_utf8(status).ok()?.parse().ok()?;
        if status >= 200 {
            return Some(status);
        }
        input = &input[head_end(input, 0)?..];
    }
}

fn tls_spoken() -> Failure {
    error::Error::Protocol("this port speaks TLS, is it one for https?".into()).into()
}

fn too_large() -> Failure {
    error::Error::Protocol(format!("the response head is larger than {HEAD_LIMIT} bytes")).into()
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
        let (mut transport, mut server) = too_late();
        server.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        assert!(transport.await_head().unwrap());
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
            (b"nonsense that is no status", None),
        ] {
            assert_eq!(final_status(input), status, "{:?}", String::from_utf8_lossy(input));
        }
    }
}
