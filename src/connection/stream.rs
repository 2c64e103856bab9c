//! An open response, and what was received of it and not yet parsed.

use std::time::Instant;

use crate::event::Event;
use crate::http::{Chunk, Failure, Response};
use crate::parser::{EventTooLarge, Frame, Parser};

/// What one read of the body asks for, in bytes: little, as an idle stream holds it, and more while data keeps filling it.
const LEAST: usize = 2 * 1024;
const MOST: usize = 32 * 1024;

pub(super) struct Stream {
    response: Box<Response>,
    buffer: Vec<u8>,
    /// The bytes `start..end` of the buffer are received and not parsed.
    start: usize,
    end: usize,
    /// How many reads in a row brought little: the server waits for news, not for us.
    quiet_reads: u32,
}

impl Stream {
    pub(super) fn new(response: Box<Response>) -> Self {
        Self { response, buffer: vec![0; LEAST], start: 0, end: 0, quiet_reads: 0 }
    }

    /// Returns the next event if all of it has been received, and nothing else comes before it.
    #[inline]
    pub(super) fn whole_event(&mut self, parser: &mut Parser) -> Option<Event> {
        let mut input = &self.buffer[self.start..self.end];
        let event = parser.whole_event(&mut input);
        self.start = self.end - input.len();
        event
    }

    /// Parses what has been received, up to the next frame.
    pub(super) fn next_frame(&mut self, parser: &mut Parser) -> Result<Option<Frame>, EventTooLarge> {
        let mut input = &self.buffer[self.start..self.end];
        let frame = parser.next_frame(&mut input);
        self.start = self.end - input.len();
        frame
    }

    /// Reads once all is parsed, until `tick` at the longest.
    pub(super) fn read(&mut self, parser: &mut Parser, tick: Option<Instant>) -> Result<Chunk, Failure> {
        let chunk = self.response.read(&mut self.buffer, tick);
        if let Ok(Chunk::Bytes(amount)) = chunk {
            (self.start, self.end) = (0, amount);
            self.fit(parser, amount);
        }
        chunk
    }

    fn fit(&mut self, parser: &mut Parser, amount: usize) {
        let size = self.buffer.len();
        self.quiet_reads = if amount > size / 4 { 0 } else { self.quiet_reads.saturating_add(1) };
        if amount == size && size < MOST {
            self.buffer.resize(size * 2, 0);
        } else if self.quiet_reads == 2 {
            self.buffer.truncate(LEAST.max(amount));
            self.buffer.shrink_to_fit();
            parser.rest();
        }
    }
}
