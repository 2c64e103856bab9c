//! A line that comes in parts, or is about to pass a limit: the careful way to take a line.

use std::mem;

use super::block::{Block, recycle};
use super::line::{Field, Line, without_space};
use super::{COMMENT_RAW_BYTES, EventTooLarge, Frame, Parser};

/// A line of which the end has not come yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Partial {
    kind: Kind,
    /// Raw bytes so far.
    bytes: usize,
    /// What counted against the event size before this line.
    event_bytes: usize,
    /// What is needed of the line at its end. Data is not: it goes straight to the block.
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

impl Partial {
    pub(super) fn has_started(&self) -> bool {
        self.bytes > 0
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.text.capacity()
    }
}

impl Parser {
    /// Takes so many bytes of a line from the input. On an error fewer: those that passed the limit.
    pub(super) fn receive(&mut self, input: &mut &[u8], bytes: usize) -> Result<(), EventTooLarge> {
        if !self.partial.has_started() {
            self.partial.event_bytes = self.block.event_bytes();
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

    /// Takes the rest of a line up to its end.
    pub(super) fn receive_end(&mut self, input: &mut &[u8], bytes: usize) -> Result<Option<Frame>, EventTooLarge> {
        self.receive(input, bytes)?;
        if self.partial.kind == Kind::Open {
            self.settle(); // a name without a colon
            self.check_limits()?;
        }
        Ok(self.end_partial())
    }

    /// Returns how many of the bytes at hand to take at once: up to the one that passes a limit, so that errors do not
    /// depend on where chunks are cut.
    fn step(&self, left: usize) -> usize {
        let runaway = self.runaway_room();
        let room = match self.partial.kind {
            Kind::Open => return 1,
            Kind::Field(_) if !self.block.is_skipped() => {
                runaway.min(self.limit.saturating_sub(self.partial.event_bytes))
            }
            Kind::Field(_) | Kind::Comment | Kind::Ignored => runaway,
        };
        left.min(room.saturating_sub(self.partial.bytes).saturating_add(1))
    }

    fn receive_part(&mut self, part: &[u8]) -> Result<(), EventTooLarge> {
        if self.keeps_raw {
            if !self.partial.has_started() {
                self.block.start_raw_line();
            }
            self.block.append_raw(part, self.raw_limit());
        }
        self.partial.bytes = self.partial.bytes.saturating_add(part.len());
        if self.partial.kind == Kind::Open {
            self.partial.text.extend_from_slice(part);
            if !Line::is_open(&self.partial.text) {
                self.settle();
            }
            return self.check_limits();
        }
        // What passes the event limit may still be an id, so it is stored before it is reported.
        let within_limits = self.check_limits();
        self.store(part);
        within_limits
    }

    /// Decides what the line is.
    fn settle(&mut self) {
        self.partial.kind = match Line::of(&self.partial.text) {
            Line::Comment(_) => Kind::Comment,
            Line::Field(field, _) => Kind::Field(field),
            Line::Unknown => Kind::Ignored,
        };
        self.partial.text.clear();
        if self.partial.kind == Kind::Field(Field::Data) {
            self.block.start_data_line();
        }
    }

    fn check_limits(&mut self) -> Result<(), EventTooLarge> {
        let bytes = self.partial.bytes;
        if bytes > self.runaway_room() {
            self.is_runaway = true;
            self.partial = Partial::default();
            // The next request asks for what follows the id, or it would meet the block again.
            self.commit_id();
            self.block = Block::default();
            return Err(self.too_large());
        }
        if !matches!(self.partial.kind, Kind::Field(_)) {
            return Ok(());
        }
        let passes_now = !self.block.is_skipped() && self.partial.event_bytes.saturating_add(bytes) > self.limit;
        if passes_now {
            self.block.skip();
        }
        if self.block.is_skipped() && bytes > self.limit {
            self.partial.kind = Kind::Ignored;
            self.partial.text = Vec::new();
        }
        match passes_now {
            true => Err(self.too_large()),
            false => Ok(()),
        }
    }

    fn store(&mut self, part: &[u8]) {
        let text = &mut self.partial.text;
        match self.partial.kind {
            Kind::Field(Field::Data) => {
                let is_first = self.partial.bytes - part.len() == b"data:".len();
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

    fn end_partial(&mut self) -> Option<Frame> {
        let Partial { kind, bytes, mut text, .. } = mem::take(&mut self.partial);
        if kind != Kind::Comment {
            self.block.count_line(bytes);
        }
        let frame = match kind {
            Kind::Comment => Some(self.comment(&text)),
            Kind::Field(Field::Data) | Kind::Open | Kind::Ignored => None,
            Kind::Field(field) => self.field(field, without_space(&text)),
        };
        recycle(&mut text);
        self.partial.text = text;
        frame
    }

    /// Returns how many raw bytes the line may have before it, or its block, is a runaway.
    fn runaway_room(&self) -> usize {
        match self.partial.kind {
            Kind::Comment => self.runaway_limit(),
            Kind::Open | Kind::Field(_) | Kind::Ignored => self.runaway_limit().saturating_sub(self.block.line_bytes()),
        }
    }
}
