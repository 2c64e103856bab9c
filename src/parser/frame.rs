//! What the parser hands out.

use std::time::Duration;

use crate::event::Event;

/// What a stream consists of.
///
/// # Example: tell them apart
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
    /// A block with data came to its blank line.
    Event(Event),
    /// A comment line ended: everything after its colon, unaltered, but cut to 4 KiB.
    Comment(Box<str>),
    /// The server asks for this reconnection time.
    Retry(Duration),
}
