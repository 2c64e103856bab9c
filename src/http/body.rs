//! The body of a response: reads from the wire, and lends the data that the framing identifies.

#[cfg(feature = "gzip")]
use std::mem;
use std::time::{Duration, Instant};

use super::failure::{Failure, is_disconnect};
use super::framing::{Framing, Piece};
#[cfg(feature = "gzip")]
use super::gzip::{Gunzip, Step};
use crate::clock;
use crate::error::{Error, Timeout};
use crate::transport::buffers::IoBuffers;
use crate::transport::{Fault, Wait, Wire};

/// The time without a byte after which memory is released: one wake-up at the end of a busy period.
const QUIET: Duration = Duration::from_millis(100);
/// How much of a compressed body is decoded before the next check for a stop, in bytes: a block without data costs some
/// 20,000 instructions and ten bits.
#[cfg(feature = "gzip")]
const MAX_AT_ONCE: usize = 1024;

pub(crate) struct Body {
    wire: Wire,
    input: IoBuffers,
    framing: Framing,
    /// The number of data bytes at the start of the input.
    ready: usize,
    idle_timeout: Option<Duration>,
    /// The time without a byte in the previous calls; the time between calls belongs to the caller.
    silent_for: Duration,
    /// For a compressed body; input and framing above then refer to the decoded data.
    #[cfg(feature = "gzip")]
    compressed: Option<Compressed>,
}

/// The stage between the wire and the data of a compressed body.
#[cfg(feature = "gzip")]
struct Compressed {
    input: IoBuffers,
    framing: Framing,
    /// The number of bytes at the start of the input to be decoded.
    ready: usize,
    decoder: Gunzip,
}

/// The parts that read a body's bytes, and their buffer.
struct OnTheWire<'a> {
    wire: &'a mut Wire,
    input: &'a mut IoBuffers,
    framing: &'a mut Framing,
}

/// The result of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Bytes(usize),
    /// The response ended cleanly.
    End,
    /// The caller's deadline was reached; the stream is unchanged.
    DeadlineReached,
    /// No byte has arrived for a while; requested by `notify_when_quiet`.
    Quiet,
}

impl Body {
    pub(super) fn new(wire: Wire, input: IoBuffers, framing: Framing, idle_timeout: Option<Duration>) -> Self {
        Self {
            wire,
            input,
            framing,
            ready: 0,
            idle_timeout,
            silent_for: Duration::ZERO,
            #[cfg(feature = "gzip")]
            compressed: None,
        }
    }

    /// Decodes the body with gzip. The lent data has the same form and the same cost.
    #[cfg(feature = "gzip")]
    pub(super) fn gunzipped(mut self) -> Self {
        let decoded = self.input.like();
        self.compressed = Some(Compressed {
            input: mem::replace(&mut self.input, decoded),
            // All decoded bytes are data.
            framing: mem::replace(&mut self.framing, Framing::Close),
            ready: 0,
            decoder: Gunzip::new(),
        });
        self
    }

    /// Returns the lent data: received and not yet consumed.
    #[inline]
    pub(crate) fn data(&self) -> &[u8] {
        &self.input.bytes()[..self.ready]
    }

    /// Finds the next data in the received bytes, after all previous data has been consumed, and returns its size.
    /// Zero: more must be read.
    ///
    /// A framing error is returned here, after all data before it.
    #[inline]
    pub(crate) fn find_data(&mut self) -> Result<usize, Failure> {
        let Piece { framing, data } = self.framing.next(self.input.bytes()).map_err(malformed)?;
        self.input.consume(framing);
        self.ready = data;
        Ok(data)
    }

    /// Consumes the data except its last `left` bytes.
    #[inline]
    pub(crate) fn consume_to(&mut self, left: usize) {
        self.input.consume(self.ready - left);
        self.ready = left;
    }

    /// Returns how many bytes arrived with the head.
    pub(crate) fn buffered(&self) -> usize {
        #[cfg(feature = "gzip")]
        if let Some(compressed) = &self.compressed {
            return compressed.input.bytes().len();
        }
        self.input.bytes().len()
    }

    /// Reads once, after [`find_data`](Self::find_data) found none; waits until the deadline at most.
    ///
    /// Never called again after an error or the end.
    pub(crate) fn read(&mut self, deadline: Option<Instant>, notify_when_quiet: bool) -> Result<Received, Failure> {
        #[cfg(feature = "gzip")]
        if let Some(decoded) = self.decode()? {
            return Ok(Received::Bytes(decoded));
        }
        #[cfg(feature = "gzip")]
        if self.compressed.as_ref().is_some_and(|compressed| compressed.decoder.is_over()) {
            return self.end();
        }
        if self.on_the_wire().framing.is_complete() {
            return self.end();
        }
        let is_quiet_told = notify_when_quiet || self.holds_spare_memory();
        let quiet = is_quiet_told.then(|| self.silent_for.max(QUIET));
        let silence = [self.idle_timeout, quiet].into_iter().flatten().min();
        let mut wait = Wait::while_not_silent(silence, self.silent_for, deadline);
        let OnTheWire { wire, input, framing } = self.on_the_wire();
        let result = wire.read(input.room(), &mut wait);
        if let Ok(amount) = result {
            input.appended(amount);
            let may_end = framing.may_end();
            self.silent_for = Duration::ZERO;
            if amount == 0 {
                return if may_end { self.end() } else { Err(Error::Disconnected.into()) };
            }
            #[cfg(feature = "gzip")]
            self.decode()?;
            return Ok(Received::Bytes(amount));
        }
        let Err(fault @ Fault::DeadlineReached) = result else { return result.map(Received::Bytes).map_err(broken) };
        let now = clock::now();
        self.silent_for = wait.silence(now);
        if self.idle_timeout.is_some_and(|idle| self.silent_for >= idle) {
            return Err(Failure::of(fault, Timeout::Idle));
        }
        if deadline.is_some_and(|deadline| deadline <= now) {
            return Ok(Received::DeadlineReached);
        }
        Ok(Received::Quiet)
    }

    /// Releases what only a busy stream needs.
    pub(crate) fn release_memory(&mut self) {
        self.input.release_memory();
        #[cfg(feature = "gzip")]
        if let Some(compressed) = &mut self.compressed {
            compressed.input.release_memory();
        }
    }

    fn holds_spare_memory(&self) -> bool {
        #[cfg(feature = "gzip")]
        if self.compressed.as_ref().is_some_and(|compressed| compressed.input.holds_spare_memory()) {
            return true;
        }
        self.input.holds_spare_memory()
    }

    /// Returns the parts that read and frame the bytes of the connection.
    fn on_the_wire(&mut self) -> OnTheWire<'_> {
        #[cfg(feature = "gzip")]
        if let Some(Compressed { input, framing, .. }) = &mut self.compressed {
            return OnTheWire { wire: &mut self.wire, input, framing };
        }
        OnTheWire { wire: &mut self.wire, input: &mut self.input, framing: &mut self.framing }
    }

    /// The body is complete according to its framing; a compressed one may still lack its end.
    fn end(&self) -> Result<Received, Failure> {
        #[cfg(feature = "gzip")]
        if self.compressed.as_ref().is_some_and(|compressed| !compressed.decoder.may_end()) {
            return Err(Error::Disconnected.into());
        }
        Ok(Received::End)
    }

    /// Decodes as much of the received bytes as is allowed at once, if the body is compressed, and returns the size of
    /// the decoded data: at most as much as a read of data may return. `None`: more must be read.
    ///
    /// An error is returned after all data before it, and again by each call.
    #[cfg(feature = "gzip")]
    fn decode(&mut self) -> Result<Option<usize>, Failure> {
        let Some(Compressed { input, framing, ready, decoder }) = &mut self.compressed else { return Ok(None) };
        let room = self.input.room();
        let mut decoded = 0;
        let mut left = MAX_AT_ONCE;
        let mut outcome = Ok(());
        while decoded < room.len() && left > 0 && !decoder.is_over() {
            if *ready == 0 {
                match framing.next(input.bytes()) {
                    Ok(Piece { framing, data }) => {
                        input.consume(framing);
                        *ready = data;
                    }
                    // The decoder may have data left for which there was no room.
                    Err(why) => outcome = Err(why),
                }
            }
            match decoder.decode(&input.bytes()[..left.min(*ready)], &mut room[decoded..]) {
                Ok(Step { consumed: 0, produced: 0 }) => break,
                Ok(Step { consumed, produced }) => {
                    input.consume(consumed);
                    *ready -= consumed;
                    left -= consumed;
                    decoded += produced;
                }
                Err(why) => {
                    outcome = Err(why);
                    break;
                }
            }
        }
        self.input.appended(decoded);
        match outcome {
            Err(why) if decoded == 0 => Err(malformed(why)),
            _ => Ok((decoded > 0 || left == 0).then_some(decoded)),
        }
    }

    /// Lends the body as received, if it is not gzip: its header is wrong.
    #[cfg(feature = "gzip")]
    fn undo_gunzip(&mut self) -> bool {
        match self.compressed.take() {
            Some(Compressed { input, framing, ready, decoder }) if decoder.has_refused() => {
                (self.input, self.framing, self.ready) = (input, framing, ready);
                true
            }
            _ => false,
        }
    }

    /// Reads the start of an error's body. A missing part is not an error; only a stop is.
    pub(super) fn read_start(mut self, limit: usize, deadline: Option<Instant>) -> Result<Vec<u8>, Failure> {
        let mut text = Vec::new();
        let mut is_last = false;
        loop {
            match self.find_data() {
                Ok(0) if !is_last => {}
                Ok(0) | Err(_) => return Ok(text),
                Ok(_) => {
                    if self.take_start(&mut text, limit) {
                        return Ok(text);
                    }
                    continue;
                }
            }
            is_last = deadline.is_some_and(|deadline| deadline <= clock::now());
            match self.read(deadline, false) {
                Ok(Received::Bytes(_)) => {}
                Err(Failure::Cancelled) => return Err(Failure::Cancelled),
                #[cfg(feature = "gzip")]
                Err(_) if self.undo_gunzip() => {
                    if self.take_start(&mut text, limit) {
                        return Ok(text);
                    }
                }
                _ => return Ok(text),
            }
        }
    }

    /// Consumes the lent data, and returns `true` once there is enough.
    fn take_start(&mut self, text: &mut Vec<u8>, limit: usize) -> bool {
        let data = self.data();
        text.extend_from_slice(&data[..data.len().min(limit - text.len())]);
        self.consume_to(0);
        text.len() >= limit
    }
}

#[cold]
fn malformed(why: &str) -> Failure {
    Error::Protocol(why.to_owned()).into()
}

/// Maps an error of the wire to the body (RFC 9112 section 8): it is incomplete, whatever its framing.
fn broken(fault: Fault) -> Failure {
    match fault {
        Fault::Io(error) if is_disconnect(&error) => Error::Disconnected.into(),
        fault => Failure::of(fault, Timeout::Idle),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::transport::buffers::Sizes;

    #[test]
    fn the_start_of_an_error_body_ends_where_its_framing_is_malformed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.write_all(b"3\r\nabc\r\nnonsense").unwrap();
        let input = IoBuffers::new(Sizes { output: 4096, input: 4096 });
        let body = Body::new(Wire::over(client), input, Framing::chunked(), None);
        let deadline = Instant::now() + Duration::from_secs(10);
        assert_eq!(body.read_start(100, Some(deadline)).unwrap(), b"abc");
        assert!(Instant::now() < deadline);
    }

    /// Each block of no data costs its tables of codes: some thousand are in what one read of the wire may bring.
    #[cfg(feature = "gzip")]
    #[test]
    fn a_compressed_body_that_means_nothing_is_looked_at_piece_by_piece() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.write_all(b"\x1f\x8b\x08\0\0\0\0\0\0\x03").unwrap();
        // Four blocks of ten bits each; then the last one, and the trailer of nothing.
        server.write_all(&b"\x02\x08\x20\x80\0".repeat(4000)).unwrap();
        server.write_all(b"\x03\0\0\0\0\0\0\0\0\0").unwrap();
        drop(server);
        let input = IoBuffers::new(Sizes { output: 4096, input: 64 << 10 });
        let mut body = Body::new(Wire::over(client), input, Framing::Close, None).gunzipped();
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let before = body.buffered();
            match body.read(Some(deadline), false).unwrap() {
                Received::Bytes(came) => assert!(before + came - body.buffered() <= MAX_AT_ONCE),
                Received::End => break,
                other => panic!("{other:?}"),
            }
        }
    }
}
