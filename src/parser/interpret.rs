//! The effect of a complete line, including blank lines (HTML §9.2.6, "Interpreting an event stream").

use super::block::{COMMENT_BYTES, decode};
use super::line::{self, Field, Line};
use super::{COMMENT_RAW_BYTES, Frame, Parser};
use crate::event::Event;

impl Parser {
    pub(super) fn complete_line(&mut self, line: Line<'_>, text: &[u8]) -> Option<Frame> {
        if self.keeps_raw {
            self.block.start_raw_line();
            self.block.append_raw(text, self.raw_limit());
        }
        match line {
            Line::Comment(comment) => return Some(self.comment(comment)),
            Line::Field(..) | Line::Unknown => self.block.count_line(text.len()),
        }
        match line {
            Line::Field(field, value) => self.field(field, value),
            Line::Comment(_) | Line::Unknown => None,
        }
    }

    pub(super) fn comment(&mut self, text: &[u8]) -> Frame {
        let text = decode(&text[..text.len().min(COMMENT_RAW_BYTES)]);
        let mut end = text.len().min(COMMENT_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.block.add_comment(&text[..end]);
        Frame::Comment(Box::from(&text[..end]))
    }

    pub(super) fn field(&mut self, field: Field, value: &[u8]) -> Option<Frame> {
        match field {
            Field::Data => {
                self.block.start_data_line();
                self.block.append_data(value);
            }
            Field::Event => self.block.set_type(value),
            Field::Id => self.block.set_id(value),
            Field::Retry => return line::retry(value).map(Frame::Retry),
        }
        None
    }

    /// The blank line: commits the block's id, dispatches its data, resets the rest.
    pub(super) fn end_block(&mut self) -> Option<Event> {
        let has_own_id = self.commit_id();
        let event = self.block.has_data().then(|| self.event(has_own_id));
        self.block.clear();
        self.is_at_block = !self.keeps_raw;
        event
    }

    /// Returns the event of a block of complete lines that lacks its blank line. Its id is not committed.
    pub(crate) fn unfinished_event(&mut self) -> Option<Event> {
        if self.is_runaway || self.line_state.has_started() || !self.block.has_data() {
            return None;
        }
        if !self.block.has_id() {
            return Some(self.event(false));
        }
        let own_id = self.block.id().to_owned();
        Some(self.block.take_event(&own_id, None, &mut self.pool))
    }

    /// Commits the block's id; returns `true` if it has one.
    pub(crate) fn commit_id(&mut self) -> bool {
        let has_own_id = self.block.has_id();
        if has_own_id {
            self.id_is_changed |= self.last_event_id.set(self.block.id());
        }
        has_own_id
    }

    fn event(&mut self, has_own_id: bool) -> Event {
        if has_own_id {
            return self.block.take_event(self.last_event_id.as_str(), None, &mut self.pool);
        }
        self.block.take_event("", self.last_event_id.share(), &mut self.pool)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser::LastEventId;

    fn changed(parser: &mut Parser, stream: &str) -> Option<String> {
        let mut input = stream.as_bytes();
        while let Ok(Some(_)) = parser.next_frame(&mut input) {}
        parser.take_changed_id().map(LastEventId::as_str).map(str::to_owned)
    }

    #[test]
    fn an_id_is_to_be_shown_once_each_time_it_changes() {
        let mut parser = Parser::new();
        for (stream, expected) in [
            ("\ndata: x\n\n", None),
            ("id: 7\ndata: x\n\n", Some("7")),
            ("data: x\n\n", None),
            ("id: 7\ndata: x\n\nid: 7\n\n", None),
            ("id: 8\n", None),
            ("\n", Some("8")),
            ("id: 9\n\nid: 10\ndata: x\n\n", Some("10")),
            ("id\n\n", Some("")),
        ] {
            assert_eq!(changed(&mut parser, stream).as_deref(), expected, "{stream:?}");
        }
        parser = parser.with_last_event_id("11");
        parser.reset();
        assert_eq!(changed(&mut parser, "").as_deref(), Some("11"));
    }
}
