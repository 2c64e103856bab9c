//! The memory of large events, for the next ones.
//!
//! The allocator gives the memory of a large event back to the system as soon as the consumer lets go of it, and must
//! fetch it page by page for the next one. So the parser stays an owner of the last few, while one follows another.

use std::collections::VecDeque;

use crate::event::{Content, Event};

/// From this size on an event is large.
pub(super) const LARGE_BYTES: usize = 4 << 10;

/// Of all events together: a consumer that lags further behind gains nothing, and costs nothing.
const MOST_BYTES: usize = 512 << 10;

#[derive(Default)]
pub(super) struct Large {
    /// Those made last, the oldest first.
    events: VecDeque<Event>,
    /// What they hold.
    bytes: usize,
    /// The size of the last one: the next is likely to be as large.
    expected: usize,
}

impl Large {
    /// Returns a buffer for an event of which so many bytes are known: none unless the last one was large.
    pub(super) fn room(&mut self, bytes: usize) -> Vec<u8> {
        if !self.is_expected() {
            return Vec::new();
        }
        let size = bytes.max(self.expected);
        let is_free = self.events.front_mut().is_some_and(|oldest| oldest.content_mut().is_some());
        if is_free {
            let room = self.remove_oldest();
            if room.capacity() >= size {
                return room;
            }
        }
        Vec::with_capacity(size)
    }

    /// Stays an owner of an event that was made just now.
    pub(super) fn add(&mut self, event: &Event) {
        self.expected = event.text_bytes();
        let bytes = event.held_bytes();
        if bytes > MOST_BYTES {
            return;
        }
        while self.bytes + bytes > MOST_BYTES {
            self.remove_oldest();
        }
        self.bytes += bytes;
        self.events.push_back(event.clone());
    }

    fn remove_oldest(&mut self) -> Vec<u8> {
        let Some(mut oldest) = self.events.pop_front() else { return Vec::new() };
        self.bytes -= oldest.held_bytes();
        oldest.content_mut().map(Content::take_room).unwrap_or_default()
    }

    /// Tells whether the last event was large.
    #[inline]
    pub(super) fn is_expected(&self) -> bool {
        self.expected > 0
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.bytes + self.events.capacity() * size_of::<Event>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Extra;

    const SIZE: usize = 100_000;

    /// Makes an event as the parser does: of the room that is offered.
    fn made(large: &mut Large, bytes: usize) -> Event {
        let mut data = large.room(0);
        data.resize(bytes, b'x');
        let event = Event::of(Content::new(String::from_utf8(data).unwrap(), "", "", None));
        large.add(&event);
        event
    }

    #[test]
    fn the_memory_of_an_event_that_was_let_go_is_used_again() {
        let mut large = Large::default();
        let address = made(&mut large, SIZE).data().as_ptr();
        for _ in 0..3 {
            assert_eq!(made(&mut large, SIZE).data().as_ptr(), address);
        }
    }

    #[test]
    fn an_event_that_is_kept_stays_as_it_is() {
        let mut large = Large::default();
        let kept: Vec<Event> = (0..20).map(|more| made(&mut large, SIZE + more)).collect();
        for (more, event) in kept.iter().enumerate() {
            assert_eq!(event.data(), "x".repeat(SIZE + more));
        }
    }

    #[test]
    fn what_is_held_is_bounded_whatever_the_sizes() {
        let mut large = Large::default();
        let mut kept = VecDeque::new();
        for number in 0..300 {
            kept.push_back(made(&mut large, LARGE_BYTES + number * 7919 % (MOST_BYTES + SIZE)));
            if kept.len() > number % 9 {
                kept.pop_front();
            }
            let events: usize = large.events.iter().map(Event::held_bytes).sum();
            assert_eq!(large.bytes, events);
            assert!(large.held_bytes() <= MOST_BYTES + 4096, "{}", large.held_bytes());
        }
    }

    #[test]
    fn room_that_is_too_small_is_not_offered() {
        let mut large = Large::default();
        drop(made(&mut large, LARGE_BYTES));
        let last = made(&mut large, SIZE);
        assert_eq!(large.room(0).capacity(), SIZE);
        drop(last);
        assert_eq!(large.room(2 * SIZE).capacity(), 2 * SIZE);
    }

    #[test]
    fn after_no_large_event_there_is_no_room() {
        assert_eq!(Large::default().room(SIZE).capacity(), 0);
    }

    #[test]
    fn comments_and_raw_text_count_too() {
        let mut large = Large::default();
        for _ in 0..20 {
            let mut content = Content::new("x".repeat(LARGE_BYTES), "", "", None);
            content.add_extra(Extra { comment: None, raw: Some("y".repeat(SIZE).into()) });
            large.add(&Event::of(content));
        }
        assert_eq!(large.events.len(), MOST_BYTES / (SIZE + LARGE_BYTES));
    }
}
