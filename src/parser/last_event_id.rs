//! The last event id.

use std::sync::Arc;

/// A longer id is never copied: all events share one allocation, which is released with the next id.
pub(super) const MAX_COPIED_BYTES: usize = 1024;

/// An id in a reused buffer, or shared by its events; empty means none.
#[derive(Debug, Default)]
pub(crate) struct LastEventId {
    /// The id, while it is not shared.
    text: String,
    shared: Option<Arc<str>>,
}

impl LastEventId {
    /// Replaces the id; returns `true` if it has changed.
    #[inline]
    pub(crate) fn set(&mut self, id: &str) -> bool {
        if self.as_str() == id {
            return false;
        }
        if id.len() > MAX_COPIED_BYTES {
            self.text = String::new();
            self.shared = Some(Arc::from(id));
        } else {
            self.shared = None;
            self.text.clear();
            self.text.push_str(id);
        }
        true
    }

    /// Returns the id for an event that inherits it, or `None` if there is none. The allocation is made once per id.
    #[inline]
    pub(super) fn share(&mut self) -> Option<&Arc<str>> {
        if self.shared.is_none() && !self.text.is_empty() {
            self.shared = Some(Arc::from(self.text.as_str()));
        }
        self.shared.as_ref()
    }

    /// Returns the shared form, if there is one already.
    #[inline]
    pub(super) fn shared(&self) -> Option<&Arc<str>> {
        self.shared.as_ref()
    }

    #[inline]
    pub(crate) fn as_str(&self) -> &str {
        self.shared.as_deref().unwrap_or(&self.text)
    }

    pub(super) fn memory_usage(&self) -> usize {
        self.text.capacity() + self.shared.as_ref().map_or(0, |id| id.len())
    }
}

impl Clone for LastEventId {
    fn clone(&self) -> Self {
        let mut copy = Self::default();
        copy.clone_from(self);
        copy
    }

    /// Costs the same for an id of any length, and keeps the buffer.
    fn clone_from(&mut self, other: &Self) {
        self.text.clear();
        self.shared.clone_from(&other.shared);
        if self.shared.is_none() {
            self.text.push_str(&other.text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(text: &str) -> LastEventId {
        let mut id = LastEventId::default();
        id.set(text);
        id
    }

    #[test]
    fn only_another_id_is_a_change() {
        let mut id = LastEventId::default();
        let changes = ["", "7", "7", "8", "", ""].map(|text| id.set(text));
        assert_eq!(changes, [false, true, false, true, true, false]);
    }

    #[test]
    fn a_long_id_is_held_once_however_many_hold_it() {
        let long = "7".repeat(1 << 20);
        let mut id = id_of(&long);
        assert_eq!(id.memory_usage(), long.len());
        let copies = [id.clone(), id.clone()];
        for copy in &copies {
            assert_eq!(copy.as_str().as_ptr(), id.as_str().as_ptr());
        }
        assert_eq!(id.share().map(|shared| shared.as_ptr()), Some(copies[0].as_str().as_ptr()));
    }

    #[test]
    fn the_memory_of_a_long_id_goes_with_it() {
        let mut id = id_of(&"7".repeat(1 << 20));
        let mut copy = id.clone();
        id.set("8");
        copy.clone_from(&id);
        assert_eq!((id.as_str(), copy.as_str()), ("8", "8"));
        assert!(id.memory_usage() + copy.memory_usage() < 32, "{id:?} {copy:?}");
    }

    #[test]
    fn a_copy_is_the_same_whatever_was_there_before() {
        let texts = ["", "7", "another", &"8".repeat(MAX_COPIED_BYTES + 1)];
        for before in texts {
            for text in texts {
                let mut shared = id_of(text);
                assert_eq!(shared.share().map(|shared| &**shared), Some(text).filter(|text| !text.is_empty()));
                for original in [id_of(text), shared] {
                    let mut copy = id_of(before);
                    copy.clone_from(&original);
                    assert_eq!(copy.as_str(), text);
                }
            }
        }
    }
}
