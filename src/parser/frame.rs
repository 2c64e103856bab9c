//! The output of the parser.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::event::{Content, DEFAULT_TYPE, Event};

/// A part of a stream.
///
/// # Example: distinguish frames
///
/// ```
/// use http_sse::parser::{Frame, Parser};
///
/// let frame = Parser::new().next_frame(&mut &b"retry: 1500\n"[..])?;
/// match frame {
///     Some(Frame::Event(event)) => println!("{}", event.data()),
///     Some(Frame::Comment(_)) => println!("still alive"),
///     Some(Frame::Retry(delay)) => assert_eq!(delay.as_millis(), 1500),
///     _ => println!("needs more input"),
/// }
/// # Ok::<(), http_sse::parser::EventTooLarge>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame {
    /// A block with data was completed by its blank line.
    Event(Event),
    /// A comment line: the text after its colon, unchanged, but at most 4 KiB.
    Comment(Box<str>),
    /// The server set this reconnection time.
    Retry(Duration),
}

/// An event that borrows from the parser and its input: see [`Parser::next_event_ref`](super::Parser::next_event_ref).
///
/// # Example: inspect without copying
///
/// ```
/// use http_sse::parser::Parser;
///
/// let mut parser = Parser::new();
/// parser.next_frame(&mut &b"\n"[..])?; // past a byte order mark
/// let mut input: &[u8] = b"event: price\nid: 7\ndata: 101.5\n\n";
/// let event = parser.next_event_ref(&mut input).ok_or("not whole")?;
/// assert_eq!((event.event_type(), event.data(), event.id()), ("price", "101.5", Some("7")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct EventRef<'a> {
    pub(super) data: &'a str,
    pub(super) event_type: &'a str,
    pub(super) id: Option<&'a str>,
    /// The same id if it is inherited and long: not copied for each event.
    pub(super) shared_id: Option<&'a Arc<str>>,
}

impl<'a> EventRef<'a> {
    /// Returns the event type; `message` if the server sent none.
    ///
    /// # Example: the default
    ///
    /// ```
    /// # use http_sse::parser::Parser;
    /// # let mut parser = Parser::new();
    /// # parser.next_frame(&mut &b"\n"[..])?;
    /// let event = parser.next_event_ref(&mut &b"data: x\n\n"[..]).ok_or("not whole")?;
    /// assert_eq!(event.event_type(), "message");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn event_type(&self) -> &'a str {
        if self.event_type.is_empty() { DEFAULT_TYPE } else { self.event_type }
    }

    /// Returns the data.
    ///
    /// # Example: data without a copy
    ///
    /// ```
    /// # use http_sse::parser::Parser;
    /// # let mut parser = Parser::new();
    /// # parser.next_frame(&mut &b"\n"[..])?;
    /// let event = parser.next_event_ref(&mut &b"data: x\n\n"[..]).ok_or("not whole")?;
    /// assert_eq!(event.data(), "x");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn data(&self) -> &'a str {
        self.data
    }

    /// Returns the last event id, like [`Event::id`].
    ///
    /// # Example: no id yet
    ///
    /// ```
    /// # use http_sse::parser::Parser;
    /// # let mut parser = Parser::new();
    /// # parser.next_frame(&mut &b"\n"[..])?;
    /// let event = parser.next_event_ref(&mut &b"data: x\n\n"[..]).ok_or("not whole")?;
    /// assert_eq!(event.id(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn id(&self) -> Option<&'a str> {
        self.id
    }

    /// Copies the data into an owned event.
    ///
    /// # Example: an owned event
    ///
    /// ```
    /// # use http_sse::parser::Parser;
    /// # let mut parser = Parser::new();
    /// # parser.next_frame(&mut &b"\n"[..])?;
    /// let kept = parser.next_event_ref(&mut &b"data: x\n\n"[..]).ok_or("not whole")?.to_event();
    /// assert_eq!(kept.into_data(), "x");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_event(&self) -> Event {
        Event::of(match self.shared_id {
            Some(id) => Content::copied(self.data, self.event_type, "", Some(id)),
            None => Content::copied(self.data, self.event_type, self.id.unwrap_or_default(), None),
        })
    }
}

impl PartialEq for EventRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data && self.event_type == other.event_type && self.id == other.id
    }
}

impl Eq for EventRef<'_> {}

impl fmt::Debug for EventRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventRef")
            .field("event_type", &self.event_type())
            .field("data", &self.data)
            .field("id", &self.id)
            .finish()
    }
}
