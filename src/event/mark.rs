//! Items that are not, or may not remain, events: gaps, and queued events that may still become one.

use super::{Content, Event, Extra};
use crate::gap::Gap;
use crate::place::Place;

/// What a consumer that marks gaps may find instead of an event.
pub(crate) enum Mark {
    Gap(Gap),
    /// It is decided there.
    Place(Place),
}

impl Event {
    /// Returns why events may be missing here, if this is the mark of a gap instead of an event: see
    /// [`Request::mark_gaps`](crate::Request::mark_gaps).
    ///
    /// A gap has no data, no id and no [`position`](Self::position), and its type is `message`. Its text form is a
    /// comment.
    ///
    /// # Example: fetch the state again after a gap
    ///
    /// ```
    /// use http_sse::{Client, Request, RetryPolicy};
    /// use std::time::Duration;
    ///
    /// # let server = http_sse::testing::Server::serve(|number, mut peer| {
    /// #     peer.stream();
    /// #     peer.send(if number == 0 { "id: 7\ndata: a\n\n" } else { "id: 9\ndata: c\n\n" });
    /// #     if number == 0 { peer.close_abruptly() } else { drop(peer.wait_for_close()) }
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let request = Request::get(url).retry(RetryPolicy::constant(Duration::from_millis(10))).mark_gaps();
    /// let mut log = Vec::new();
    /// for event in client.read("state", request)?.take(3) {
    ///     let event = event?;
    ///     match event.gap() {
    ///         Some(gap) => log.push(format!("fetched again, {} dropped", gap.dropped)),
    ///         None => log.push(event.into_data()),
    ///     }
    /// }
    /// assert_eq!(log, ["a", "fetched again, 0 dropped", "c"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn gap(&self) -> Option<&Gap> {
        self.content.extra.as_ref()?.gap()
    }

    /// Returns `true` if this is a gap, whose content does not count.
    #[inline]
    pub(super) fn is_gap(&self) -> bool {
        self.content.extra.is_some() && self.gap().is_some()
    }

    /// Returns the parts of the event other than its text.
    pub(super) fn extra(&self) -> Option<&Extra> {
        self.content.extra.as_deref().filter(|extra| extra.gap().is_none())
    }

    pub(crate) fn of_gap(gap: Gap, attempt: u32) -> Self {
        let mut content = Content { attempt, ..Content::default() };
        content.add_extra(Extra { mark: Some(Box::new(Mark::Gap(gap))), ..Extra::default() });
        Self::of(content)
    }

    /// Returns an item with only the attempt number, which a gap in place of the event has.
    pub(crate) fn without_content(&self) -> Self {
        Self::of(Content { attempt: self.content.attempt, ..Content::default() })
    }

    /// Copied, since each receiver has a different place for it.
    pub(crate) fn placed(&self, place: Place) -> Self {
        self.copied_with(|extra| extra.mark = Some(Box::new(Mark::Place(place))))
    }

    /// Returns the number of its place, without deciding what it is.
    pub(crate) fn number(&self) -> Option<u64> {
        match self.content.extra.as_ref()?.mark.as_deref()? {
            Mark::Place(place) => Some(place.number()),
            Mark::Gap(_) => None,
        }
    }

    pub(super) fn copied_with(&self, change: impl FnOnce(&mut Extra)) -> Self {
        let old = &self.content;
        let own_id = &old.text[old.type_end..];
        let mut content = Content::copied(self.data(), self.named_type(), own_id, old.inherited_id.as_ref());
        let mut extra = old.extra.as_deref().cloned().unwrap_or_default();
        change(&mut extra);
        content.add_extra(extra);
        content.attempt = old.attempt;
        Self::of(content)
    }
}

/// For testing code that handles gaps.
impl From<Gap> for Event {
    fn from(gap: Gap) -> Self {
        Self::of_gap(gap, 0)
    }
}
