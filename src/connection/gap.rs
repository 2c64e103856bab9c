//! Marking gaps, for requests with `mark_gaps`.

use std::sync::Arc;
use std::time::Instant;

use super::callback::{Panicked, invoke};
use super::{Break, Connection, Continue, Next, Step};
use crate::event::Event;
use crate::gap::Gap;
use crate::http::HeaderMap;

impl Connection {
    /// Stores the position that an attempt sends.
    pub(super) fn note_sent_position(&mut self, headers: &HeaderMap) {
        if !self.request.marks_gaps {
            return;
        }
        self.sent_position = if self.request.cursor.is_some() {
            Some(Arc::clone(&self.position.value)).filter(|cursor| !cursor.is_empty())
        } else {
            let id = headers.get("last-event-id").map(|id| String::from_utf8_lossy(id.as_bytes()));
            id.map(|id| id.as_ref().into())
        };
    }

    /// Returns the header that holds it, if another origin does not get that one over a redirect.
    pub(super) fn position_header(&self) -> Option<String> {
        if !self.request.marks_gaps {
            return None;
        }
        self.request.cursor.as_ref()?.header().map(str::to_owned)
    }

    /// Returns `true` if the cursor belongs in the query, and a redirect has led to a URL without it.
    pub(super) fn lacks_cursor(&self, url: &str) -> bool {
        let (Some(cursor), Some(sent)) = (&self.request.cursor, &self.sent_position) else { return false };
        !cursor.is_in(url, sent)
    }

    /// Marks the place between two streams; `last_byte` is the time of the last byte of the previous one, if any.
    pub(super) fn mark_reconnect(&mut self, last_byte: Option<Instant>, now: Instant) -> Step {
        let Some(last_byte) = last_byte.filter(|_| self.request.marks_gaps) else { return Continue(()) };
        let away = now.saturating_duration_since(last_byte);
        let resumed_from = self.sent_position.take();
        self.mark(Gap::reconnected(away, resumed_from))
    }

    pub(super) fn mark_oversized(&mut self) -> Step {
        if self.request.marks_gaps { self.mark(Gap::oversized(1)) } else { Continue(()) }
    }

    fn mark(&mut self, gap: Gap) -> Step {
        let gap = Event::of_gap(gap, self.attempts);
        match invoke(&mut self.request.callbacks.on_event, |on_event| on_event(&gap)) {
            Ok(()) => Break(Next::Event(gap)),
            Err(Panicked) => self.handle_panic(),
        }
    }
}
