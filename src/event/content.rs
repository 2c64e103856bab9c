//! The content of an event.

use std::sync::Arc;

use super::mark::Mark;
use crate::gap::Gap;

/// How many bytes beyond twice its size the text of an event may use; the rest of the promised 256 is for the
/// structures around it.
const SPARE_BYTES: usize = 128;

#[derive(Default)]
pub(crate) struct Content {
    /// Data, type and own id, one after the other.
    pub(super) text: String,
    pub(super) data_end: usize,
    pub(super) type_end: usize,
    /// The id of an earlier block, if this one has no id.
    pub(super) inherited_id: Option<Arc<str>>,
    pub(super) extra: Option<Box<Extra>>,
    /// Of the connection, from 1; 0 without one.
    pub(crate) attempt: u32,
}

/// The parts that only few events have.
#[derive(Default)]
pub(crate) struct Extra {
    pub(crate) comment: Option<Box<str>>,
    pub(crate) raw: Option<Box<str>>,
    /// In force after the event; empty without one, `None` if the request has none.
    pub(crate) cursor: Option<Arc<str>>,
    /// Only where gaps are marked.
    pub(crate) mark: Option<Box<Mark>>,
}

impl Extra {
    /// Returns the gap, if it is not an event; this decides which of the two it is.
    pub(super) fn gap(&self) -> Option<&Gap> {
        match self.mark.as_deref()? {
            Mark::Gap(gap) => Some(gap),
            Mark::Place(place) => place.gap(),
        }
    }

    fn memory_usage(&self) -> usize {
        let texts = [self.comment.as_deref(), self.raw.as_deref(), self.cursor.as_deref()];
        let texts: usize = texts.into_iter().flatten().map(str::len).sum();
        size_of::<Self>() + texts + self.mark.as_ref().map_or(0, |_| size_of::<Mark>())
    }
}

/// The copy of a queued event has no place in the queue.
impl Clone for Extra {
    fn clone(&self) -> Self {
        if let Some(gap) = self.gap() {
            return Self { mark: Some(Box::new(Mark::Gap(gap.clone()))), ..Self::default() };
        }
        let Self { comment, raw, cursor, mark: _ } = self;
        Self { comment: comment.clone(), raw: raw.clone(), cursor: cursor.clone(), mark: None }
    }
}

impl Content {
    /// Creates content that reuses the memory of the data for its text.
    pub(crate) fn new(mut text: String, event_type: &str, own_id: &str, inherited_id: Option<Arc<str>>) -> Self {
        let data_end = text.len();
        let type_end = data_end + event_type.len();
        text.reserve_exact(event_type.len() + own_id.len());
        text.push_str(event_type);
        text.push_str(own_id);
        release_spare(&mut text);
        Self { text, data_end, type_end, inherited_id, extra: None, attempt: 0 }
    }

    pub(crate) fn copied(data: &str, event_type: &str, own_id: &str, inherited_id: Option<&Arc<str>>) -> Self {
        let text = String::with_capacity(data.len() + event_type.len() + own_id.len());
        let mut content = Self { text, ..Self::default() };
        content.refill(data, event_type, own_id, inherited_id);
        content
    }

    /// Returns `true` if a text of this size fits the memory, which may be neither too small nor too large for it.
    #[inline]
    pub(crate) fn has_room_for(&self, size: usize) -> bool {
        let capacity = self.text.capacity();
        size <= capacity && capacity <= max_bytes(size) && self.extra.is_none()
    }

    /// Replaces the content by that of another event in the same memory, which must have room for it.
    #[inline]
    pub(crate) fn refill(&mut self, data: &str, event_type: &str, own_id: &str, inherited_id: Option<&Arc<str>>) {
        let text = &mut self.text;
        text.clear();
        text.push_str(data);
        self.data_end = data.len();
        self.type_end = self.data_end + event_type.len();
        // Most events have neither.
        if !event_type.is_empty() || !own_id.is_empty() {
            text.push_str(event_type);
            text.push_str(own_id);
        }
        let is_same = match (&self.inherited_id, inherited_id) {
            (None, None) => true,
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            _ => false,
        };
        if !is_same {
            self.inherited_id = inherited_id.cloned();
        }
    }

    pub(crate) fn add_extra(&mut self, extra: Extra) {
        self.extra = match extra {
            Extra { comment: None, raw: None, cursor: None, mark: None } => None,
            extra => Some(Box::new(extra)),
        };
    }

    pub(crate) fn inherited_id(&self) -> Option<&Arc<str>> {
        self.inherited_id.as_ref()
    }

    pub(crate) fn memory_usage(&self) -> usize {
        self.own_bytes() + self.inherited_id.as_ref().map_or(0, |id| id.len())
    }

    /// The same, without the parts shared with other events.
    pub(crate) fn own_bytes(&self) -> usize {
        let extra = self.extra.as_ref().map_or(0, |extra| extra.memory_usage());
        size_of::<Self>() + self.text.capacity() + extra
    }
}

/// Limits the memory of a kept event to what is promised.
pub(super) fn release_spare(text: &mut String) {
    if text.capacity() > max_bytes(text.len()) {
        text.shrink_to_fit();
    }
}

/// Returns how much memory a text of this size may use.
fn max_bytes(size: usize) -> usize {
    size.saturating_mul(2).saturating_add(SPARE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_holds_at_most_twice_its_size_and_256_bytes() {
        let mut content = Content::new("x".repeat(1_000), "type", "id", None);
        for size in [0, 1, 100, 999, 1_000, 3, 0] {
            let text = "y".repeat(size);
            match content.has_room_for(size) {
                true => content.refill(&text, "", "", None),
                false => content = Content::copied(&text, "", "", None),
            }
            assert_eq!((content.text.as_str(), content.data_end), ("y".repeat(size).as_str(), size));
            // The two counters of an `Arc` are held too.
            let held = content.memory_usage() + 2 * size_of::<usize>();
            assert!(held <= 2 * size + 256, "{held} for {size}");
        }
    }
}
