//! What a consumer gets in one run: each event once and in order, and a mark where one is missing.

use http_sse::{Event, Gap};

use crate::stream::Stream;
use crate::world::Net;

/// What was delivered in one run.
pub struct Delivery {
    stream: Stream,
    /// The last event, or where the run was begun.
    pub last: u64,
    marks_gaps: bool,
    /// What the server had forgotten when the run began is missing before any gap.
    forgotten_before: u64,
    /// Gaps of this run, and those since the last event.
    pub reconnects: u64,
    gap: Gap,
}

impl Delivery {
    pub fn new(stream: Stream, start: u64, marks_gaps: bool, forgotten_before: u64) -> Self {
        Self { stream, last: start, marks_gaps, forgotten_before, reconnects: 0, gap: Gap::default() }
    }

    /// Returns the event's number; `None` for a gap.
    pub fn take(&mut self, net: &mut Net, event: &Event) -> Result<Option<u64>, String> {
        if let Some(gap) = event.gap() {
            return self.take_gap(net, gap).map(|()| None);
        }
        net.say(format_args!("event {:?}", event.id()));
        let number = event.id().and_then(|id| id.parse().ok()).unwrap_or(0);
        if number <= self.last || number > self.stream.events() || !self.stream.is_delivered(number) {
            return Err(format!("event {number} after {}", self.last));
        }
        if event.data() != self.stream.data(number) {
            return Err(format!("event {number} is not what was sent"));
        }
        self.judge_missing(net.forgotten, number)?;
        self.judge_retry(net)?;
        self.last = number;
        self.gap = Gap::default();
        net.account().deliver();
        Ok(Some(number))
    }

    /// Every loss is marked: by a gap that stands between the two events, and tells why.
    fn judge_missing(&self, forgotten: u64, number: u64) -> Result<(), String> {
        let missing = (self.last + 1..number).filter(|number| !self.stream.is_silent(*number));
        let (oversized, lost): (Vec<u64>, Vec<u64>) = missing.partition(|number| self.stream.is_oversized(*number));
        if let Some(lost) = lost.iter().find(|lost| **lost > forgotten) {
            return Err(format!("event {number} where {lost} comes next"));
        }
        if !self.marks_gaps {
            return Ok(());
        }
        let is_unknown = lost.iter().any(|lost| *lost > self.forgotten_before);
        if is_unknown && self.gap.reconnected.is_none() {
            return Err(format!("{lost:?} are lost before {number}, and no gap says so"));
        }
        let skipped = oversized.iter().filter(|number| **number > forgotten).count() as u64;
        if self.gap.oversized < skipped {
            return Err(format!("{oversized:?} are too large before {number}, and {} are marked", self.gap.oversized));
        }
        Ok(())
    }

    /// A reconnection time that stands before the first event of a stream is known by then.
    fn judge_retry(&self, net: &Net) -> Result<(), String> {
        let retry = net.connections.last().and_then(|line| line.answer.as_ref()?.retry);
        let known = net.account().servers();
        if retry.is_some() && retry != known {
            return Err(format!("a reconnection time of {retry:?} was sent, and {known:?} is known"));
        }
        Ok(())
    }

    /// As soon as a stream has opened, unless it is the first of the run.
    fn take_gap(&mut self, net: &mut Net, gap: &Gap) -> Result<(), String> {
        net.say(format_args!("{gap}"));
        let opened = net.account().opens;
        if !self.marks_gaps || gap.dropped > 0 {
            return Err(format!("a gap that there is not: {gap}"));
        }
        self.gap.oversized += gap.oversized;
        if let Some(reconnected) = &gap.reconnected {
            self.reconnects += 1;
            self.gap.reconnected = Some(reconnected.clone());
            let asked_after = Some(&*net.asked_after).filter(|id| !id.is_empty());
            if reconnected.resumed_from.as_deref() != asked_after {
                return Err(format!("asked for what follows {asked_after:?}, and told {gap}"));
            }
        }
        if self.reconnects + 1 != opened {
            return Err(format!("{} gaps for {opened} streams", self.reconnects));
        }
        Ok(())
    }
}
