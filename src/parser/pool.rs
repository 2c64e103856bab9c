//! The memory of events that their consumer has dropped, reused for the next ones.
//!
//! Memory that one thread allocates and another frees is the largest part of the cost of an event: both threads wait
//! for the allocator's lock, and the memory of a large event is returned to the system and fetched again page by page.
//! So the parser keeps a reference to the most recent events, and reuses the oldest once there is no other reference to
//! it.

use std::fmt;
use std::mem;
use std::sync::Arc;

use super::last_event_id::MAX_COPIED_BYTES;
use crate::event::{Content, Event};

/// More than a channel of the default capacity: an event in flight that is not in the pool costs an allocation.
const MAX_EVENTS: usize = 1024;

/// The maximum size of all events together: a consumer that lags further behind gains nothing.
const MAX_BYTES: usize = 512 << 10;

#[derive(Default)]
pub(super) struct Pool {
    /// A ring.
    events: Vec<Event>,
    /// The index of the oldest event, after the newest.
    oldest: usize,
    /// The size of the events, without inherited ids: those are shared.
    bytes: usize,
    /// The attempt of the events.
    pub(super) attempt: u32,
}

impl Pool {
    /// Creates an event from borrowed text, in the memory of the oldest if it fits.
    #[inline]
    pub(super) fn event(&mut self, data: &str, event_type: &str, own_id: &str, inherited: Option<&Arc<str>>) -> Event {
        let attempt = self.attempt;
        let size = data.len() + event_type.len() + own_id.len();
        match self.free_content() {
            Some(content) if content.has_room_for(size) && !is_long(inherited) => {
                content.refill(data, event_type, own_id, inherited);
                content.attempt = attempt;
                self.share()
            }
            _ => self.event_of(Content::copied(data, event_type, own_id, inherited)),
        }
    }

    /// Creates an event from content with its own memory, in the place of the oldest.
    #[inline(never)]
    pub(super) fn event_of(&mut self, mut content: Content) -> Event {
        content.attempt = self.attempt;
        let bytes = content.own_bytes();
        // A long id of an earlier event would be kept after the next id has arrived.
        if bytes > MAX_BYTES || is_long(content.inherited_id()) {
            return Event::of(content);
        }
        let has_space = self.events.len() < MAX_EVENTS && self.bytes + bytes <= MAX_BYTES;
        let replaced = match self.free_content() {
            Some(oldest) => mem::replace(oldest, content).own_bytes(),
            None if has_space => {
                self.events.insert(self.oldest, Event::of(content));
                0
            }
            // The consumer still has the oldest, and may keep it indefinitely.
            None => mem::replace(&mut self.events[self.oldest], Event::of(content)).own_bytes(),
        };
        self.bytes = self.bytes + bytes - replaced;
        let event = self.share();
        while self.bytes > MAX_BYTES {
            self.bytes -= self.events.remove(self.oldest).own_bytes();
            self.oldest %= self.events.len();
        }
        event
    }

    /// Returns the bytes that `release_memory` releases.
    pub(super) fn spare_bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn release_memory(&mut self) {
        *self = Self { attempt: self.attempt, ..Self::default() };
    }

    pub(super) fn memory_usage(&self) -> usize {
        let counters = 2 * size_of::<usize>();
        let events: usize = self.events.iter().map(|event| event.memory_usage() + counters).sum();
        events + self.events.capacity() * size_of::<Event>()
    }

    /// Returns the content of the oldest event, if there is no other reference to it.
    #[inline]
    fn free_content(&mut self) -> Option<&mut Content> {
        self.events.get_mut(self.oldest)?.content_mut()
    }

    /// Returns the oldest event, which becomes the newest.
    #[inline]
    fn share(&mut self) -> Event {
        let event = self.events[self.oldest].clone();
        self.oldest = if self.oldest + 1 == self.events.len() { 0 } else { self.oldest + 1 };
        event
    }
}

#[inline]
fn is_long(id: Option<&Arc<str>>) -> bool {
    id.is_some_and(|id| id.len() > MAX_COPIED_BYTES)
}

/// The memory stays with the original: with two owners no event would be free.
impl Clone for Pool {
    fn clone(&self) -> Self {
        Self { attempt: self.attempt, ..Self::default() }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("events", &self.events.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::event::Extra;

    fn made_of(pool: &mut Pool, data: &str) -> Event {
        pool.event(data, "", "", None)
    }

    /// The bytes are those of the events.
    fn assert_sound(pool: &Pool) {
        assert_eq!(pool.bytes, pool.events.iter().map(Event::own_bytes).sum::<usize>());
        assert!(pool.bytes <= MAX_BYTES && pool.events.len() <= MAX_EVENTS);
        assert!(pool.oldest == 0 || pool.oldest < pool.events.len());
    }

    #[test]
    fn the_memory_of_an_event_that_was_let_go_is_used_again() {
        for size in [0, 5, 511, 513, 4096, 65_536, 500_000] {
            let mut pool = Pool::default();
            let text = "x".repeat(size);
            let address = made_of(&mut pool, &text).data().as_ptr();
            for _ in 0..3 {
                assert_eq!(made_of(&mut pool, &text).data().as_ptr(), address, "{size}");
            }
        }
    }

    #[test]
    fn an_event_that_is_kept_stays_as_it_is() {
        for padding in [0, 1000, 100_000] {
            let mut pool = Pool::default();
            let text = |number: usize| format!("{number}{}", "x".repeat(padding));
            let kept: Vec<Event> = (0..3 * MAX_EVENTS).map(|number| made_of(&mut pool, &text(number))).collect();
            for (number, event) in kept.iter().enumerate() {
                assert_eq!(event.data(), text(number));
            }
            assert_sound(&pool);
        }
    }

    #[test]
    fn what_is_held_is_bounded_whatever_the_sizes() {
        let mut pool = Pool::default();
        let mut kept = VecDeque::new();
        for number in 0..2000 {
            let size = if number % 5 == 0 { number * 7919 % (MAX_BYTES + 100_000) } else { number % 700 };
            kept.push_back(match number % 2 {
                0 => made_of(&mut pool, &"x".repeat(size)),
                _ => {
                    let mut content = Content::copied("x", "", "", None);
                    content.add_extra(Extra { raw: Some("y".repeat(size).into()), ..Extra::default() });
                    pool.event_of(content)
                }
            });
            while kept.len() > number % 90 {
                kept.pop_front();
            }
            assert_sound(&pool);
        }
    }

    #[test]
    fn memory_that_does_not_fit_is_replaced() {
        let mut pool = Pool::default();
        for (size, max) in [(100_000, 200_000), (10, 300), (5000, 10_000), (5000, 10_000), (0, 300)] {
            drop(made_of(&mut pool, &"x".repeat(size)));
            assert!(pool.memory_usage() <= max, "{} after {size}", pool.memory_usage());
        }
    }

    #[test]
    fn an_event_beyond_the_budget_leaves_nothing_behind() {
        let mut pool = Pool::default();
        drop(made_of(&mut pool, &"x".repeat(MAX_BYTES)));
        assert_eq!(pool.memory_usage(), 0);
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
        let mut content = Content::copied("x", "", "", None);
        content.add_extra(Extra { comment: Some("comment".into()), raw: Some("raw".into()), ..Extra::default() });
        drop(pool.event_of(content));
        let next = made_of(&mut pool, "x");
        assert_eq!((next.comment(), next.raw()), (None, None));
    }

    #[test]
    fn a_long_id_of_an_earlier_event_is_not_held() {
        let mut pool = Pool::default();
        let long = Arc::from("7".repeat(MAX_COPIED_BYTES + 1));
        for _ in 0..2 {
            let event = pool.event("x", "", "", Some(&long));
            assert_eq!((event.data(), event.id()), ("x", Some(&*long)));
            drop(event);
            assert_eq!(Arc::strong_count(&long), 1);
            drop(made_of(&mut pool, "y")); // now there is an event that could be used
        }
    }

    #[test]
    fn inherited_ids_are_counted() {
        let mut pool = Pool::default();
        drop(pool.event("x", "", "", Some(&Arc::from("7".repeat(400)))));
        assert!(pool.memory_usage() >= 400, "{}", pool.memory_usage());
    }

    #[test]
    fn nothing_is_held_after_the_release() {
        let mut pool = Pool::default();
        let kept: Vec<Event> = (0..60).map(|_| made_of(&mut pool, "x")).collect();
        drop(kept);
        assert!(pool.spare_bytes() >= 60);
        pool.release_memory();
        assert_eq!((pool.memory_usage(), pool.spare_bytes()), (0, 0));
    }
}
