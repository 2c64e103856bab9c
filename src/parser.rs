//! The `text/event-stream` parser on its own: bytes in, [`Frame`]s out (HTML §9.2.5 and §9.2.6).
//!
//! It opens no socket, reads no clock and starts no thread: use it with any source of bytes (another HTTP library, a
//! file, a test). Chunk boundaries make no difference, and the cost is linear in the number of bytes.
//!
//! # Example: parse bytes from another transport
//!
//! ```
//! use http_sse::parser::{Frame, Parser};
//!
//! let mut parser = Parser::new();
//! let mut seen = Vec::new();
//! for chunk in ["data: hel", "lo\n\nretry: 5", "00\n: still here\n"] {
//!     let mut input = chunk.as_bytes();
//!     while let Some(frame) = parser.next_frame(&mut input)? {
//!         seen.push(match frame {
//!             Frame::Event(event) => event.into_data(),
//!             Frame::Comment(text) => text.into_string(),
//!             Frame::Retry(delay) => format!("{delay:?}"),
//!             _ => continue,
//!         });
//!     }
//! }
//! assert_eq!(seen, ["hello", "500ms", " still here"]);
//! # Ok::<(), http_sse::parser::EventTooLarge>(())
//! ```

mod block;
mod fast_path;
mod frame;
mod interpret;
mod last_event_id;
mod line;
mod line_state;
mod pool;
mod too_large;

use std::fmt;
use std::mem;

use memchr::memchr2;

use block::{Block, COMMENT_BYTES};
use line::Line;
use line_state::LineState;
use pool::Pool;

pub use frame::{EventRef, Frame};
pub(crate) use last_event_id::LastEventId;
pub use too_large::EventTooLarge;
pub(crate) use too_large::RUNAWAY_FACTOR;

const CR: u8 = b'\r';
const LF: u8 = b'\n';
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// The default maximum size of an event.
const DEFAULT_EVENT_BYTES: usize = 1 << 20;

/// The memory that an idle stream may keep for later events.
const MAX_IDLE_BYTES: usize = 4 << 10;

/// Text cut here may end inside a character, so one character more than needed is kept.
const COMMENT_RAW_BYTES: usize = COMMENT_BYTES + 4;

/// An incremental parser for consecutive `text/event-stream` responses.
///
/// It stores at most one event and one line, each within its limits, and [some memory](Self::memory_usage) of earlier
/// events.
///
/// # Example: one parser over two responses
///
/// ```
/// use http_sse::parser::Parser;
///
/// let mut parser = Parser::new();
/// parser.next_frame(&mut &b"id: 7\n\ndata: cut o"[..])?;
/// parser.reset(); // the connection broke; the next request resumes after "7"
/// assert_eq!(parser.last_event_id(), Some("7"));
/// # Ok::<(), http_sse::parser::EventTooLarge>(())
/// ```
#[derive(Clone)]
pub struct Parser {
    limit: usize,
    keeps_raw: bool,
    last_event_id: LastEventId,
    /// The id differs from the last result of `take_changed_id`.
    id_is_changed: bool,
    /// The received part of a byte order mark; `None` after the start of the stream.
    bom_bytes: Option<usize>,
    /// The next LF belongs to the previous CR.
    after_cr: bool,
    /// A block begins here, and its text is not kept.
    is_at_block: bool,
    line_state: LineState,
    block: Block,
    pool: Pool,
    is_runaway: bool,
}

impl Parser {
    /// Creates a parser at the start of a stream.
    ///
    /// # Example: no id at the start
    ///
    /// ```
    /// use http_sse::parser::Parser;
    ///
    /// assert_eq!(Parser::new().last_event_id(), None);
    /// ```
    pub fn new() -> Self {
        Self {
            limit: DEFAULT_EVENT_BYTES,
            keeps_raw: false,
            last_event_id: LastEventId::default(),
            id_is_changed: false,
            bom_bytes: Some(0),
            after_cr: false,
            is_at_block: false,
            line_state: LineState::default(),
            block: Block::default(),
            pool: Pool::default(),
            is_runaway: false,
        }
    }

    /// Starts with a last event id, as after a reconnect. Default: none; an empty id also means none.
    ///
    /// CR, LF and NUL, which cannot be part of an id, are removed.
    ///
    /// # Example: events before the first id
    ///
    /// ```
    /// use http_sse::parser::{Frame, Parser};
    ///
    /// let mut parser = Parser::new().with_last_event_id("41");
    /// let Some(Frame::Event(event)) = parser.next_frame(&mut &b"data: x\n\n"[..])? else { panic!("no event") };
    /// assert_eq!(event.id(), Some("41"));
    /// # Ok::<(), http_sse::parser::EventTooLarge>(())
    /// ```
    #[must_use]
    #[allow(single_use_lifetimes, reason = "`impl Trait` cannot elide it")]
    pub fn with_last_event_id<'a>(mut self, id: impl Into<Option<&'a str>>) -> Self {
        let id = id.into().unwrap_or_default();
        self.id_is_changed |= self.last_event_id.set(&id.replace(['\r', '\n', '\0'], ""));
        self
    }

    /// Limits the memory for one event, in bytes: data, type and id together with the line being received. Default: 1
    /// MiB.
    ///
    /// A larger event is reported once and skipped in constant memory up to its blank line; its id counts. Comments and
    /// unknown fields are not stored and do not count. A block, or one line of any field, that exceeds 16 times the
    /// limit in raw bytes is a [runaway](EventTooLarge::is_runaway); an id earlier in the block counts.
    ///
    /// # Example: small events for a small device
    ///
    /// ```
    /// use http_sse::parser::Parser;
    ///
    /// let mut parser = Parser::new().max_event_size(16 << 10);
    /// assert!(parser.next_frame(&mut "data: x".repeat(10_000).as_bytes()).is_err());
    /// ```
    #[must_use]
    pub fn max_event_size(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Keeps the text of each block for [`Event::raw`](crate::Event::raw). Default: off.
    ///
    /// # Example: fields that the standard does not know
    ///
    /// ```
    /// use http_sse::parser::{Frame, Parser};
    ///
    /// let mut parser = Parser::new().keep_raw();
    /// let Some(Frame::Event(event)) = parser.next_frame(&mut &b"ttl: 5\ndata: x\n\n"[..])? else { panic!("no event") };
    /// assert_eq!(event.raw(), Some("ttl: 5\ndata: x"));
    /// # Ok::<(), http_sse::parser::EventTooLarge>(())
    /// ```
    #[must_use]
    pub fn keep_raw(mut self) -> Self {
        self.keeps_raw = true;
        self.is_at_block = false;
        self
    }

    /// Consumes input until a frame is complete, or until the input is used up (`None`).
    ///
    /// The remaining input stays in `input`: call again until `None`, then provide the next chunk.
    ///
    /// # Errors
    ///
    /// [`EventTooLarge`], as soon as the limit is exceeded. Call again to continue with the rest of the input; after a
    /// [runaway](EventTooLarge::is_runaway), every call consumes all input and returns the same error until
    /// [`reset`](Self::reset).
    ///
    /// # Example: two frames of one chunk
    ///
    /// ```
    /// use http_sse::parser::Parser;
    ///
    /// let mut parser = Parser::new();
    /// let mut input: &[u8] = b"data: 1\n\ndata: 2\n\ndata: 3";
    /// assert!(parser.next_frame(&mut input)?.is_some());
    /// assert_eq!(input, b"data: 2\n\ndata: 3");
    /// assert!(parser.next_frame(&mut input)?.is_some());
    /// assert!(parser.next_frame(&mut input)?.is_none());
    /// assert!(input.is_empty());
    /// # Ok::<(), http_sse::parser::EventTooLarge>(())
    /// ```
    #[inline]
    pub fn next_frame(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, EventTooLarge> {
        if let Some(event) = self.complete_event(input) {
            return Ok(Some(Frame::Event(event)));
        }
        if self.is_runaway {
            *input = &[];
            return Err(self.too_large());
        }
        self.skip_bom(input)?;
        while let Some(&first) = input.first() {
            if mem::take(&mut self.after_cr) && first == LF {
                *input = &input[1..];
                continue;
            }
            if (first == LF || first == CR) && !self.line_state.has_started() {
                self.end_line(input);
                match self.end_block().or_else(|| self.complete_event(input)) {
                    Some(event) => return Ok(Some(Frame::Event(event))),
                    None => continue,
                }
            }
            let Some(end) = memchr2(CR, LF, input) else {
                self.receive(input, input.len())?;
                break;
            };
            let frame = self.take_line(input, end)?;
            self.end_line(input);
            if frame.is_some() {
                return Ok(frame);
            }
        }
        Ok(None)
    }

    /// Prepares for a new response: drops the unfinished line and block, and keeps the last event id (HTML §9.2.6: an
    /// unfinished block at the end of a stream is discarded, including its id).
    ///
    /// # Example: half an event is dropped
    ///
    /// ```
    /// use http_sse::parser::Parser;
    ///
    /// let mut parser = Parser::new();
    /// parser.next_frame(&mut &b"data: hal"[..])?;
    /// parser.reset();
    /// assert_eq!(parser.next_frame(&mut &b"\n\n"[..])?, None);
    /// # Ok::<(), http_sse::parser::EventTooLarge>(())
    /// ```
    pub fn reset(&mut self) {
        *self = Self {
            limit: self.limit,
            keeps_raw: self.keeps_raw,
            last_event_id: mem::take(&mut self.last_event_id),
            id_is_changed: self.id_is_changed,
            pool: mem::take(&mut self.pool),
            ..Self::new()
        };
    }

    /// Returns the last event id: that of the last block with an id that was complete or a runaway.
    ///
    /// # Example: an id without an event
    ///
    /// ```
    /// use http_sse::parser::Parser;
    ///
    /// let mut parser = Parser::new();
    /// parser.next_frame(&mut &b"id: 7\n"[..])?;
    /// assert_eq!(parser.last_event_id(), None);
    /// parser.next_frame(&mut &b"\n"[..])?;
    /// assert_eq!(parser.last_event_id(), Some("7"));
    /// # Ok::<(), http_sse::parser::EventTooLarge>(())
    /// ```
    pub fn last_event_id(&self) -> Option<&str> {
        match self.last_event_id.as_str() {
            "" => None,
            id => Some(id),
        }
    }

    /// Returns the size of all buffers of the parser in bytes, including spare capacity.
    ///
    /// It is bounded by a small multiple of [`max_event_size`](Self::max_event_size), plus the memory of earlier events
    /// that is reused for later ones: up to 1,024 events and 512 KiB, until [`release_memory`](Self::release_memory).
    ///
    /// # Example: what an idle parser costs
    ///
    /// ```
    /// use http_sse::parser::Parser;
    ///
    /// assert_eq!(Parser::new().memory_usage(), 0);
    /// ```
    pub fn memory_usage(&self) -> usize {
        let buffers = self.line_state.memory_usage() + self.block.memory_usage() + self.pool.memory_usage();
        self.last_event_id.memory_usage() + buffers
    }

    /// Sets the attempt number for the events of the next response.
    pub(crate) fn set_attempt(&mut self, attempt: u32) {
        self.pool.attempt = attempt;
    }

    /// Returns the last event id if it has changed since the last call, so that callers need not compare it.
    #[inline]
    pub(crate) fn take_changed_id(&mut self) -> Option<&LastEventId> {
        mem::take(&mut self.id_is_changed).then_some(&self.last_event_id)
    }

    /// Releases the memory of earlier events, which only a busy stream needs: call it when the stream is idle.
    ///
    /// An unfinished block and the last event id are kept.
    ///
    /// # Example: a stream that falls silent
    ///
    /// ```
    /// use http_sse::parser::Parser;
    ///
    /// let mut parser = Parser::new();
    /// parser.next_frame(&mut "data: x\n\n".repeat(1000).as_bytes())?;
    /// parser.release_memory();
    /// assert!(parser.memory_usage() < 100);
    /// # Ok::<(), http_sse::parser::EventTooLarge>(())
    /// ```
    pub fn release_memory(&mut self) {
        self.pool.release_memory();
        self.block.release_memory();
    }

    /// Returns `true` if there is more memory to release than an idle stream may hold.
    pub(crate) fn holds_spare_memory(&self) -> bool {
        self.pool.spare_bytes() + self.block.spare_bytes() > MAX_IDLE_BYTES
    }

    /// HTML §9.2.5: the stream may start with one byte order mark; a second one is part of the first line.
    fn skip_bom(&mut self, input: &mut &[u8]) -> Result<(), EventTooLarge> {
        while let (Some(seen), Some(&byte)) = (self.bom_bytes, input.first()) {
            if byte != BOM[seen] {
                self.bom_bytes = None;
                return self.receive(&mut &BOM[..seen], seen); // they only looked like one
            }
            *input = &input[1..];
            self.bom_bytes = Some(seen + 1).filter(|&seen| seen < BOM.len());
        }
        Ok(())
    }

    /// Takes the text of a line up to its end, which remains in the input, and processes the line.
    fn take_line(&mut self, input: &mut &[u8], end: usize) -> Result<Option<Frame>, EventTooLarge> {
        if self.line_state.has_started() {
            return self.receive_end(input, end);
        }
        let text = &input[..end];
        let line = Line::of(text);
        if !self.is_within_limits(line, end) {
            // Handled as an incomplete line, whose code knows where exactly to stop.
            return self.receive_end(input, end);
        }
        *input = &input[end..];
        Ok(self.complete_line(line, text))
    }

    /// Consumes the CR or LF at the start of the input.
    fn end_line(&mut self, input: &mut &[u8]) {
        self.after_cr = input[0] == CR;
        *input = &input[1..];
    }

    fn is_within_limits(&self, line: Line<'_>, bytes: usize) -> bool {
        let runaway = self.runaway_limit();
        match line {
            Line::Comment(_) => bytes <= runaway,
            Line::Unknown => self.block.line_bytes().saturating_add(bytes) <= runaway,
            Line::Field(..) => {
                self.block.line_bytes().saturating_add(bytes) <= runaway
                    && self.block.event_bytes().saturating_add(bytes) <= self.limit
            }
        }
    }

    fn runaway_limit(&self) -> usize {
        self.limit.saturating_mul(RUNAWAY_FACTOR)
    }

    fn raw_limit(&self) -> usize {
        self.limit.saturating_mul(2)
    }

    fn too_large(&self) -> EventTooLarge {
        EventTooLarge { limit: self.limit, is_runaway: self.is_runaway }
    }
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows sizes, never contents.
impl fmt::Debug for Parser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parser")
            .field("max_event_size", &self.limit)
            .field("memory_usage", &self.memory_usage())
            .field("is_runaway", &self.is_runaway)
            .finish_non_exhaustive()
    }
}
