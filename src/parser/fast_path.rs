//! The fast path: a block that is complete in the input, as almost all are, becomes an event directly.

use memchr::{memchr, memchr2};
use simdutf8::basic as utf8;

use super::frame::EventRef;
use super::line::{Field, Line};
use super::{CR, LF, Parser};
use crate::event::Event;

/// A block of one data line, with an optional event type and id, up to its blank line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CompleteBlock<'a> {
    data: &'a [u8],
    event_type: &'a [u8],
    /// Empty if there is none: a bare `id:` line is not handled here.
    id: &'a [u8],
    /// The rest of the input.
    rest: &'a [u8],
}

/// The same after it has been checked and consumed.
struct CheckedBlock<'a> {
    data: &'a str,
    event_type: &'a str,
    own_id: &'a str,
}

impl Parser {
    /// Returns the next event without copying it, if its block is complete in the input and contains only an event
    /// type, an id and one data line, as most do.
    ///
    /// For code that inspects many events and keeps few. `None` does not mean that there is no event: call
    /// [`next_frame`](Self::next_frame) then, and this method again after it has returned a frame, or `None` and there
    /// is more input.
    ///
    /// # Example: keep what matters
    ///
    /// ```
    /// use http_sse::parser::{Frame, Parser};
    ///
    /// let mut parser = Parser::new();
    /// let mut input: &[u8] = b": hello\n\ndata: dull\n\nevent: alarm\ndata: fire\n\n";
    /// let mut alarms = Vec::new();
    /// loop {
    ///     while let Some(event) = parser.next_event_ref(&mut input) {
    ///         if event.event_type() == "alarm" {
    ///             alarms.push(event.to_event());
    ///         }
    ///     }
    ///     match parser.next_frame(&mut input)? {
    ///         Some(Frame::Event(event)) if event.event_type() == "alarm" => alarms.push(event),
    ///         Some(_) => {}
    ///         None => break, // the next chunk
    ///     }
    /// }
    /// assert_eq!(alarms[0].data(), "fire");
    /// # Ok::<(), http_sse::parser::EventTooLarge>(())
    /// ```
    #[inline]
    #[allow(single_use_lifetimes, reason = "with one, the parser would be borrowed for as long as the input")]
    pub fn next_event_ref<'s, 'i: 's>(&'s mut self, input: &mut &'i [u8]) -> Option<EventRef<'s>> {
        let CheckedBlock { data, event_type, own_id } = self.take_complete(input)?;
        Some(match own_id {
            "" => EventRef { data, event_type, id: self.last_event_id(), shared_id: self.last_event_id.shared() },
            own_id => EventRef { data, event_type, id: Some(own_id), shared_id: None },
        })
    }

    /// The same, as an owned event.
    #[inline]
    pub(crate) fn complete_event(&mut self, input: &mut &[u8]) -> Option<Event> {
        let CheckedBlock { data, event_type, own_id } = self.take_complete(input)?;
        let inherited = if own_id.is_empty() { self.last_event_id.share() } else { None };
        Some(self.pool.event(data, event_type, own_id, inherited))
    }

    /// Consumes the block at the start of the input, if it is complete and contains only the usual fields. Otherwise
    /// nothing is consumed, and `next_frame` must continue from here.
    #[inline]
    fn take_complete<'i>(&mut self, input: &mut &'i [u8]) -> Option<CheckedBlock<'i>> {
        if !self.is_at_block {
            return None;
        }
        if self.after_cr {
            if *input.first()? == LF {
                *input = &input[1..];
            }
            self.after_cr = false;
        }
        if input.is_empty() {
            return None;
        }
        let taken = self.check_complete(input);
        self.is_at_block = taken.is_some();
        taken
    }

    #[inline]
    fn check_complete<'i>(&mut self, input: &mut &'i [u8]) -> Option<CheckedBlock<'i>> {
        let complete = CompleteBlock::of(input)?;
        if input.len() - complete.rest.len() > self.limit {
            return None;
        }
        let taken = if complete.event_type.is_empty() && complete.id.is_empty() {
            CheckedBlock { data: utf8::from_utf8(complete.data).ok()?, event_type: "", own_id: "" }
        } else {
            // Once for all fields: the lines around them are ASCII.
            let text = utf8::from_utf8(&input[..input.len() - complete.rest.len()]).ok()?;
            let own_id = part_of(text, complete.id)?;
            if !own_id.is_empty() {
                self.id_is_changed |= self.last_event_id.set(own_id);
            }
            CheckedBlock {
                data: part_of(text, complete.data)?,
                event_type: part_of(text, complete.event_type)?,
                own_id,
            }
        };
        *input = complete.rest;
        Some(taken)
    }
}

impl<'a> CompleteBlock<'a> {
    #[inline]
    fn of(input: &'a [u8]) -> Option<Self> {
        let (mut data, mut event_type, mut id, mut rest): (_, &[u8], &[u8], _) = (None, &[], &[], input);
        loop {
            match rest {
                [LF, after @ ..] | [CR, LF, after @ ..] => {
                    return Some(Self { data: data?, event_type, id, rest: after });
                }
                _ => {}
            }
            let end = memchr2(CR, LF, rest)?;
            match Line::of(&rest[..end]) {
                Line::Field(Field::Data, value) if data.is_none() => data = Some(value),
                Line::Field(Field::Event, value) => event_type = value,
                Line::Field(Field::Id, value) if !value.is_empty() && memchr(0, value).is_none() => id = value,
                _ => return None,
            }
            rest = match &rest[end..] {
                [LF, after @ ..] | [CR, LF, after @ ..] => after,
                _ => return None,
            };
        }
    }
}

/// Returns the part of a text that these bytes are. Empty bytes may be from elsewhere.
#[inline]
fn part_of<'a>(text: &'a str, bytes: &[u8]) -> Option<&'a str> {
    if bytes.is_empty() {
        return Some("");
    }
    let start = bytes.as_ptr().addr().wrapping_sub(text.as_ptr().addr());
    text.get(start..start.checked_add(bytes.len())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser::Frame;

    #[test]
    fn an_ordinary_block_is_complete() {
        for end in ["\n", "\r\n"] {
            let input = ["event: t", "id: 7", "data: x", "", "data: y"].join(end);
            let block = CompleteBlock::of(input.as_bytes()).unwrap();
            assert_eq!((block.data, block.event_type, block.id), (&b"x"[..], &b"t"[..], &b"7"[..]));
            assert_eq!(block.rest, b"data: y");
        }
    }

    #[test]
    fn what_is_out_of_the_ordinary_is_not() {
        for input in [
            "data: x\n",
            "data: x",
            "data: x\n\r",
            "data: x\rdata: y\n\n",
            "data: x\r\r",
            "data: x\ndata: y\n\n",
            "id: 7\n\n",
            "id\ndata: x\n\n",
            "id: a\0b\ndata: x\n\n",
            ": c\ndata: x\n\n",
            "retry: 5\ndata: x\n\n",
            "foo: x\ndata: x\n\n",
            "\n",
            "",
        ] {
            assert_eq!(CompleteBlock::of(input.as_bytes()), None, "{input:?}");
        }
    }

    #[test]
    fn what_is_not_taken_stays_in_the_input() {
        let mut parser = Parser::new();
        assert_eq!(parser.next_frame(&mut &b"\n"[..]), Ok(None)); // past a byte order mark
        let mut input: &[u8] = b"data: x\n\ndata: \xFF\n\n";
        assert_eq!(parser.complete_event(&mut input).unwrap().data(), "x");
        assert_eq!(parser.complete_event(&mut input), None);
        assert_eq!(input, b"data: \xFF\n\n");
    }

    #[test]
    fn a_borrowed_event_is_the_same_as_one_of_its_own() {
        let stream = "\nid: 7\ndata: x\n\nevent: t\ndata: y\n\ndata: two\ndata: lines\n\nevent: u\nid: 8\ndata: z\n\n";
        let (mut borrowing, mut owning) = (Parser::new(), Parser::new());
        let (mut first, mut second) = (stream.as_bytes(), stream.as_bytes());
        let mut borrowed = Vec::new();
        loop {
            while let Some(event) = borrowing.next_event_ref(&mut first) {
                borrowed.push((event.to_event(), "borrowed"));
            }
            match borrowing.next_frame(&mut first).unwrap() {
                Some(Frame::Event(event)) => borrowed.push((event, "owned")),
                Some(_) => {}
                None => break,
            }
        }
        let owned = std::iter::from_fn(|| owning.next_frame(&mut second).unwrap());
        assert!(owned.eq(borrowed.iter().map(|(event, _)| Frame::Event(event.clone()))));
        assert_eq!(borrowed.iter().filter(|(_, how)| *how == "borrowed").count(), 2, "{borrowed:?}");
    }
}
