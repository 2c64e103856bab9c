//! The state of a block until its blank line.

use std::borrow::Cow;
use std::sync::Arc;

use simdutf8::basic as utf8;

use super::pool::Pool;
use crate::event::{Content, Event, Extra};

/// How many bytes of comment lines are kept for one event, and of one line for a comment frame.
pub(super) const COMMENT_BYTES: usize = 4 << 10;

/// A buffer that grew beyond this is released after a block that does not need it.
const SCRATCH_BYTES: usize = 8 << 10;

#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    /// The values of the data lines so far, joined by LF. Bytes, so that UTF-8 is checked once, at the end.
    data: Vec<u8>,
    has_data: bool,
    event_type: String,
    /// Takes effect at the blank line.
    id: String,
    has_id: bool,
    comment: String,
    has_comment: bool,
    comment_is_full: bool,
    raw: Vec<u8>,
    raw_is_dropped: bool,
    /// Raw bytes of the lines so far, without terminators and comments.
    line_bytes: usize,
    is_skipped: bool,
}

impl Block {
    #[inline]
    pub(super) fn start_data_line(&mut self) {
        if self.is_skipped {
            return;
        }
        if self.has_data {
            self.data.push(b'\n');
        }
        self.has_data = true;
    }

    #[inline]
    pub(super) fn append_data(&mut self, value: &[u8]) {
        if !self.is_skipped {
            self.data.extend_from_slice(value);
        }
    }

    pub(super) fn set_type(&mut self, value: &[u8]) {
        if !self.is_skipped {
            replace(&mut self.event_type, value);
        }
    }

    pub(super) fn set_id(&mut self, value: &[u8]) {
        if memchr::memchr(0, value).is_some() {
            return;
        }
        replace(&mut self.id, value);
        self.has_id = true;
    }

    /// Keeps only whole lines, and none after the first that does not fit.
    pub(super) fn add_comment(&mut self, text: &str) {
        if self.is_skipped || self.comment_is_full {
            return;
        }
        let separator = usize::from(self.has_comment);
        if self.comment.len() + separator + text.len() > COMMENT_BYTES {
            self.comment_is_full = true;
            return;
        }
        if self.has_comment {
            self.comment.push('\n');
        }
        self.has_comment = true;
        self.comment.push_str(text);
    }

    pub(super) fn start_raw_line(&mut self) {
        // No line of a block is empty: an empty buffer is at the start.
        if !self.raw.is_empty() {
            self.raw.push(b'\n');
        }
    }

    pub(super) fn append_raw(&mut self, part: &[u8], bound: usize) {
        if self.is_skipped || self.raw_is_dropped {
            return;
        }
        if self.raw.len().saturating_add(part.len()) > bound {
            self.raw_is_dropped = true;
            self.raw = Vec::new();
            return;
        }
        self.raw.extend_from_slice(part);
    }

    #[inline]
    pub(super) fn count_line(&mut self, bytes: usize) {
        self.line_bytes = self.line_bytes.saturating_add(bytes);
    }

    /// Drops the content, except an id to commit, and everything up to the blank line.
    pub(super) fn skip(&mut self) {
        self.is_skipped = true;
        self.has_data = false;
        self.data = Vec::new();
        self.event_type = String::new();
        self.comment = String::new();
        self.raw = Vec::new();
    }

    /// Creates the event of a block that has data.
    pub(super) fn take_event(&mut self, own_id: &str, inherited_id: Option<&Arc<str>>, pool: &mut Pool) -> Event {
        let comment = self.has_comment.then(|| Box::from(self.comment.as_str()));
        let raw = (!self.raw.is_empty()).then(|| Box::from(String::from_utf8_lossy(&self.raw)));
        // Copied, so that the buffer can be reused.
        let data = decode(&self.data);
        if comment.is_none() && raw.is_none() {
            return pool.event(&data, &self.event_type, own_id, inherited_id);
        }
        let mut content = Content::copied(&data, &self.event_type, own_id, inherited_id);
        content.add_extra(Extra { comment, raw, ..Extra::default() });
        pool.event_of(content)
    }

    /// Resets the block, keeping its small buffers, and the data buffer if the next block will probably need it.
    #[inline]
    pub(super) fn clear(&mut self) {
        if self.data.len() < self.data.capacity() / 4 {
            recycle(&mut self.data);
        }
        self.data.clear();
        recycle(&mut self.raw);
        recycle_text(&mut self.event_type);
        recycle_text(&mut self.id);
        self.comment.clear(); // small by its own limit
        self.has_data = false;
        self.has_id = false;
        self.has_comment = false;
        self.comment_is_full = false;
        self.raw_is_dropped = false;
        self.is_skipped = false;
        self.line_bytes = 0;
    }

    #[inline]
    pub(super) fn has_data(&self) -> bool {
        self.has_data
    }

    #[inline]
    pub(super) fn has_id(&self) -> bool {
        self.has_id
    }

    #[inline]
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    #[inline]
    pub(super) fn is_skipped(&self) -> bool {
        self.is_skipped
    }

    /// Bytes that count against the largest event size.
    #[inline]
    pub(super) fn event_bytes(&self) -> usize {
        self.data.len() + self.event_type.len() + self.id.len()
    }

    #[inline]
    pub(super) fn line_bytes(&self) -> usize {
        self.line_bytes
    }

    pub(super) fn release_memory(&mut self) {
        if self.data.is_empty() {
            self.data = Vec::new();
        }
    }

    /// Returns the bytes that `release_memory` releases.
    pub(super) fn spare_bytes(&self) -> usize {
        if self.data.is_empty() { self.data.capacity() } else { 0 }
    }

    pub(super) fn memory_usage(&self) -> usize {
        let text = self.event_type.capacity() + self.id.capacity() + self.comment.capacity();
        self.data.capacity() + self.raw.capacity() + text
    }
}

/// Decodes UTF-8 like the standard: invalid bytes become U+FFFD. No sequence crosses a line end.
pub(super) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    // Valid text, the common case, has the faster check.
    match utf8::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(lossy(bytes)),
    }
}

#[cold]
fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Empties a buffer for reuse, or releases it if it is large.
#[inline]
pub(super) fn recycle(buffer: &mut Vec<u8>) {
    buffer.clear();
    if buffer.capacity() > SCRATCH_BYTES {
        *buffer = Vec::new();
    }
}

#[inline]
fn recycle_text(buffer: &mut String) {
    buffer.clear();
    if buffer.capacity() > SCRATCH_BYTES {
        *buffer = String::new();
    }
}

fn replace(text: &mut String, value: &[u8]) {
    text.clear();
    text.push_str(&decode(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The address of the data while it is received.
    fn pass(block: &mut Block, bytes: usize) -> *const u8 {
        block.start_data_line();
        block.append_data(&vec![b'x'; bytes]);
        let address = block.data.as_ptr();
        let event = block.take_event("", None, &mut Pool::default());
        assert_eq!(event.data(), "x".repeat(bytes));
        block.clear();
        address
    }

    #[test]
    fn events_of_one_size_are_received_in_one_buffer() {
        for bytes in [1, 5000, 50_000] {
            let mut block = Block::default();
            let address = pass(&mut block, bytes);
            assert_eq!([pass(&mut block, bytes), pass(&mut block, bytes)], [address; 2], "{bytes}");
        }
    }

    #[test]
    fn the_buffer_of_a_large_event_is_released_after_a_small_one() {
        let mut block = Block::default();
        pass(&mut block, 50_000);
        pass(&mut block, 1);
        assert!(block.memory_usage() <= SCRATCH_BYTES, "{}", block.memory_usage());
    }

    #[test]
    fn the_buffer_of_a_large_event_is_spare_memory_until_the_next_begins() {
        let mut block = Block::default();
        pass(&mut block, 50_000);
        assert!(block.spare_bytes() >= 50_000);
        block.start_data_line();
        block.append_data(b"x");
        assert_eq!(block.spare_bytes(), 0);
        block.release_memory();
        assert_eq!(block.data, b"x");
        block.clear();
        block.release_memory();
        assert_eq!(block.memory_usage(), 0);
    }
}
