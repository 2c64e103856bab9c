//! The memory of events that their consumer has let go, for the next ones.
//!
//! What one thread allocates and another frees is the largest part of what an event costs: both ends wait for the
//! allocator's lock. So the parser stays an owner of the small events that it made last, and makes the next one of the
//! oldest, once nobody else has it any more.

use std::fmt;
use std::sync::Arc;

use super::large::{LARGE_BYTES, Large};
use crate::event::{Content, Event};

/// A larger event has memory of its own.
const POOLED_BYTES: usize = 512;

/// As many as a channel of the default capacity holds, and those that its two ends are at work with.
const MOST_EVENTS: usize = 72;

#[derive(Default)]
pub(super) struct Pool {
    /// A ring.
    events: Vec<Event>,
    /// Where the oldest is, and the newest before it.
    oldest: usize,
    large: Large,
}

impl Pool {
    #[inline]
    pub(super) fn event(&mut self, data: &str, event_type: &str, own_id: &str, inherited: Option<&Arc<str>>) -> Event {
        let size = data.len() + event_type.len() + own_id.len();
        if size < LARGE_BYTES && self.large.is_expected() {
            self.large = Large::default();
        }
        // An id of an earlier event would be held for as long as the event that inherits it.
        if size + inherited.map_or(0, |id| id.len()) > POOLED_BYTES {
            return Event::of(Content::copied(data, event_type, own_id, inherited));
        }
        match self.events.get_mut(self.oldest).and_then(Event::content_mut) {
            Some(content) => content.refill(data, event_type, own_id, inherited),
            None => self.add(data, event_type, own_id, inherited),
        }
        let event = self.events[self.oldest].clone();
        self.oldest = if self.oldest + 1 == self.events.len() { 0 } else { self.oldest + 1 };
        event
    }

    /// Returns a buffer for the data of an event of which so many bytes are known.
    pub(super) fn room(&mut self, bytes: usize) -> Vec<u8> {
        self.large.room(bytes)
    }

    /// Takes notice of an event that was made elsewhere.
    pub(super) fn note(&mut self, event: &Event) {
        if event.text_bytes() < LARGE_BYTES {
            self.large = Large::default();
        } else {
            self.large.add(event);
        }
    }

    /// Makes a new one; that it is the newest is up to the caller.
    #[cold]
    fn add(&mut self, data: &str, event_type: &str, own_id: &str, inherited: Option<&Arc<str>>) {
        let event = Event::of(Content::copied(data, event_type, own_id, inherited));
        if self.events.len() < MOST_EVENTS {
            self.events.insert(self.oldest, event);
        } else {
            // The consumer keeps the one that was here, and may do so for ever.
            self.events[self.oldest] = event;
        }
    }

    pub(super) fn is_large(&self) -> bool {
        self.events.len() > 4 || self.large.is_expected()
    }

    /// Gives the memory back.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn held_bytes(&self) -> usize {
        let counters = 2 * size_of::<usize>();
        let events: usize = self.events.iter().map(|event| event.held_bytes() + counters).sum();
        events + self.events.capacity() * size_of::<Event>() + self.large.held_bytes()
    }
}

/// The memory stays with the first: two owners would find no event that is free.
impl Clone for Pool {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("events", &self.events.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made_of(pool: &mut Pool, data: &str) -> Event {
        pool.event(data, "", "", None)
    }

    #[test]
    fn an_event_that_was_let_go_is_used_again() {
        let mut pool = Pool::default();
        let address = made_of(&mut pool, "first").data().as_ptr();
        let second = made_of(&mut pool, "other");
        assert_eq!((second.data(), second.data().as_ptr()), ("other", address));
    }

    #[test]
    fn an_event_that_is_kept_stays_as_it_is() {
        let mut pool = Pool::default();
        let kept: Vec<Event> = (0..3 * MOST_EVENTS).map(|number| made_of(&mut pool, &number.to_string())).collect();
        for (number, event) in kept.iter().enumerate() {
            assert_eq!(event.data(), number.to_string());
        }
        assert_eq!(pool.events.len(), MOST_EVENTS);
    }

    #[test]
    fn a_large_event_leaves_nothing_behind() {
        let mut pool = Pool::default();
        drop(made_of(&mut pool, &"x".repeat(POOLED_BYTES + 1)));
        assert_eq!(pool.held_bytes(), 0);
    }

    #[test]
    fn nothing_of_the_last_event_shows_in_the_next() {
        let mut pool = Pool::default();
        let inherited = Arc::from("inherited");
        drop(pool.event("data", "type", "", Some(&inherited)));
        let next = pool.event("x", "", "own", None);
        assert_eq!((next.event_type(), next.id(), next.data()), ("message", Some("own"), "x"));
        drop(next);
        assert_eq!(pool.event("y", "", "", None).id(), None);
    }

    #[test]
    fn a_large_id_of_an_earlier_event_is_not_held() {
        let mut pool = Pool::default();
        drop(pool.event("x", "", "", Some(&Arc::from("7".repeat(POOLED_BYTES)))));
        assert_eq!(pool.held_bytes(), 0);
    }

    #[test]
    fn inherited_ids_are_counted() {
        let mut pool = Pool::default();
        drop(pool.event("x", "", "", Some(&Arc::from("7".repeat(400)))));
        assert!(pool.held_bytes() >= 400, "{}", pool.held_bytes());
    }

    #[test]
    fn nothing_is_held_after_clearing() {
        let mut pool = Pool::default();
        let kept: Vec<Event> = (0..10).map(|_| made_of(&mut pool, "x")).collect();
        drop(kept);
        pool.clear();
        assert_eq!(pool.held_bytes(), 0);
    }
}
