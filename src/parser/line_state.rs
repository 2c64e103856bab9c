//! A line that arrives in parts, or is about to exceed a limit: the careful way to read a line.

use std::mem;

use super::block::{Block, recycle};
use super::line::{Field, Line, without_space};
use super::{COMMENT_RAW_BYTES, EventTooLarge, Frame, Parser};

/// A line whose end has not arrived yet.
#[derive(Clone, Debug, Default)]
pub(super) struct LineState {
    kind: Kind,
    /// Raw bytes so far.
    bytes: usize,
    /// The event size before this line.
    event_bytes: usize,
    /// The part of the line that is needed at its end. Data goes directly to the block.
    text: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    /// The bytes so far, all in the text, could still become any field.
    #[default]
    Open,
    Comment,
    Field(Field),
    /// Of an unknown field, or dropped.
    Ignored,
}

impl LineState {
    pub(super) fn has_started(&self) -> bool {
        self.bytes > 0
    }

    pub(super) fn memory_usage(&self) -> usize {
        self.text.capacity()
    }
}

impl Parser {
    /// Consumes this many bytes of a line from the input; on an error only those up to the limit.
    pub(super) fn receive(&mut self, input: &mut &[u8], bytes: usize) -> Result<(), EventTooLarge> {
        if !self.line_state.has_started() {
            self.line_state.event_bytes = self.block.event_bytes();
        }
        let mut left = bytes;
        while left > 0 {
            let step = self.step(left);
            let (part, rest) = input.split_at(step);
            *input = rest;
            left -= step;
            self.receive_part(part)?;
        }
        Ok(())
    }

    /// Consumes the rest of a line up to its end.
    pub(super) fn receive_end(&mut self, input: &mut &[u8], bytes: usize) -> Result<Option<Frame>, EventTooLarge> {
        self.receive(input, bytes)?;
        if self.line_state.kind == Kind::Open {
            self.resolve_kind(); // a name without a colon
            self.check_limits()?;
        }
        Ok(self.finish_line())
    }

    /// Returns how many of the available bytes to consume at once: up to the one that exceeds a limit, so that errors
    /// do not depend on chunk boundaries.
    fn step(&self, left: usize) -> usize {
        let runaway = self.runaway_room();
        let room = match self.line_state.kind {
            Kind::Open => return 1,
            Kind::Field(_) if !self.block.is_skipped() => {
                runaway.min(self.limit.saturating_sub(self.line_state.event_bytes))
            }
            Kind::Field(_) | Kind::Comment | Kind::Ignored => runaway,
        };
        left.min(room.saturating_sub(self.line_state.bytes).saturating_add(1))
    }

    fn receive_part(&mut self, part: &[u8]) -> Result<(), EventTooLarge> {
        if self.keeps_raw {
            if !self.line_state.has_started() {
                self.block.start_raw_line();
            }
            self.block.append_raw(part, self.raw_limit());
        }
        self.line_state.bytes = self.line_state.bytes.saturating_add(part.len());
        if self.line_state.kind == Kind::Open {
            self.line_state.text.extend_from_slice(part);
            if !Line::is_open(&self.line_state.text) {
                self.resolve_kind();
            }
            return self.check_limits();
        }
        // The bytes that exceed the limit may still be an id, so they are stored before the error is returned.
        let within_limits = self.check_limits();
        self.store(part);
        within_limits
    }

    /// Decides what the line is.
    fn resolve_kind(&mut self) {
        self.line_state.kind = match Line::of(&self.line_state.text) {
            Line::Comment(_) => Kind::Comment,
            Line::Field(field, _) => Kind::Field(field),
            Line::Unknown => Kind::Ignored,
        };
        self.line_state.text.clear();
        if self.line_state.kind == Kind::Field(Field::Data) {
            self.block.start_data_line();
        }
    }

    fn check_limits(&mut self) -> Result<(), EventTooLarge> {
        let bytes = self.line_state.bytes;
        if bytes > self.runaway_room() {
            self.is_runaway = true;
            self.line_state = LineState::default();
            // The next request resumes after the id, otherwise it would meet the block again.
            self.commit_id();
            self.block = Block::default();
            return Err(self.too_large());
        }
        if !matches!(self.line_state.kind, Kind::Field(_)) {
            return Ok(());
        }
        let passes_now = !self.block.is_skipped() && self.line_state.event_bytes.saturating_add(bytes) > self.limit;
        if passes_now {
            self.block.skip();
        }
        if self.block.is_skipped() && bytes > self.limit {
            self.line_state.kind = Kind::Ignored;
            self.line_state.text = Vec::new();
        }
        match passes_now {
            true => Err(self.too_large()),
            false => Ok(()),
        }
    }

    fn store(&mut self, part: &[u8]) {
        let text = &mut self.line_state.text;
        match self.line_state.kind {
            Kind::Field(Field::Data) => {
                let is_first = self.line_state.bytes - part.len() == b"data:".len();
                self.block.append_data(if is_first { without_space(part) } else { part });
            }
            Kind::Field(_) => text.extend_from_slice(part),
            Kind::Comment => {
                let room = COMMENT_RAW_BYTES - text.len();
                text.extend_from_slice(&part[..part.len().min(room)]);
            }
            Kind::Open | Kind::Ignored => {}
        }
    }

    fn finish_line(&mut self) -> Option<Frame> {
        let LineState { kind, bytes, mut text, .. } = mem::take(&mut self.line_state);
        if kind != Kind::Comment {
            self.block.count_line(bytes);
        }
        let frame = match kind {
            Kind::Comment => Some(self.comment(&text)),
            Kind::Field(Field::Data) | Kind::Open | Kind::Ignored => None,
            Kind::Field(field) => self.field(field, without_space(&text)),
        };
        recycle(&mut text);
        self.line_state.text = text;
        frame
    }

    /// Returns how many raw bytes are left before the line, or its block, is a runaway.
    fn runaway_room(&self) -> usize {
        match self.line_state.kind {
            Kind::Comment => self.runaway_limit(),
            Kind::Open | Kind::Field(_) | Kind::Ignored => self.runaway_limit().saturating_sub(self.block.line_bytes()),
        }
    }
}
