//! An open response, and what was received of it and not yet parsed.

use std::time::Instant;

use crate::event::Event;
use crate::http::{Chunk, Failure, Response};
use crate::parser::{EventTooLarge, Frame, Parser};

/// What one read of the body asks for, in bytes: little, as an idle stream holds it, and more while data keeps filling it.
const LEAST: usize = 2 * 1024;

pub(super) struct Stream {
    response: Box<Response>,
    buffer: Vec<u8>,
    /// The bytes `start..end` of the buffer are received and not parsed.
    start: usize,
    end: usize,
    /// How large the buffer may become.
    most: usize,
}

impl Stream {
    pub(super) fn new(response: Box<Response>, most: usize) -> Self {
        Self { response, buffer: vec![0; LEAST], start: 0, end: 0, most: most.max(LEAST) }
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
    pub(super) fn read(&mut self, parser: &Parser, tick: Option<Instant>) -> Result<Chunk, Failure> {
        let minds_lull = self.buffer.len() > LEAST || parser.holds_spare_memory();
        let chunk = self.response.read(&mut self.buffer, tick, minds_lull)?;
        if let Chunk::Bytes(amount) = chunk {
            (self.start, self.end) = (0, amount);
            self.fit(amount);
        }
        Ok(chunk)
    }

    /// Gives back what only a busy stream needs.
    pub(super) fn rest(&mut self, parser: &mut Parser) {
        parser.release_memory();
        self.buffer = vec![0; LEAST];
        (self.start, self.end) = (0, 0);
    }

    /// Asks for more while data fills the buffer; until that ends, more is held than an idle stream may.
    fn fit(&mut self, amount: usize) {
        let size = self.buffer.len();
        if amount == size {
            self.buffer.resize(self.most.min(size * 2), 0);
        }
    }
}
