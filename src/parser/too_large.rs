//! The only error of the parser.

use std::error::Error;
use std::fmt;

/// A line or block of this many times the largest event is a runaway.
pub(crate) const RUNAWAY_FACTOR: usize = 16;

/// An event exceeds [`Parser::max_event_size`](super::Parser::max_event_size), or a block or line has no end.
///
/// An oversized event is reported once, and parsing continues after it. A [runaway](Self::is_runaway) is final for the
/// stream; an id earlier in its block is kept.
///
/// # Example: continue after an oversized event
///
/// ```
/// use http_sse::parser::{Frame, Parser};
///
/// let mut parser = Parser::new().max_event_size(8);
/// let mut input: &[u8] = b"data: far too large\n\ndata: 1\n\n";
/// let error = parser.next_frame(&mut input).unwrap_err();
/// assert_eq!((error.limit(), error.is_runaway()), (8, false));
/// let Some(Frame::Event(event)) = parser.next_frame(&mut input)? else { panic!("no event") };
/// assert_eq!(event.data(), "1");
/// # Ok::<(), http_sse::parser::EventTooLarge>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventTooLarge {
    pub(super) limit: usize,
    pub(super) is_runaway: bool,
}

impl EventTooLarge {
    /// Returns the configured maximum event size in bytes.
    ///
    /// # Example: the configured limit
    ///
    /// ```
    /// use http_sse::parser::Parser;
    ///
    /// let mut parser = Parser::new().max_event_size(8);
    /// let error = parser.next_frame(&mut &b"data: far too large\n\n"[..]).unwrap_err();
    /// assert_eq!(error.limit(), 8);
    /// ```
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Returns `true` if a block or line exceeds 16 times the limit: the parser reads nothing more until
    /// [`Parser::reset`](super::Parser::reset).
    ///
    /// # Example: an endless line
    ///
    /// ```
    /// use http_sse::parser::Parser;
    ///
    /// let mut parser = Parser::new().max_event_size(8);
    /// let mut line: &[u8] = &[b'x'; 1000];
    /// let error = parser.next_frame(&mut line).unwrap_err();
    /// assert!(error.is_runaway());
    /// ```
    #[must_use]
    pub fn is_runaway(&self) -> bool {
        self.is_runaway
    }
}

impl fmt::Display for EventTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.limit;
        match self.is_runaway {
            true => write!(f, "a block or line exceeds {RUNAWAY_FACTOR} times the event limit of {limit} bytes"),
            false => write!(f, "skipped an event that exceeds the limit of {limit} bytes"),
        }
    }
}

impl Error for EventTooLarge {}
