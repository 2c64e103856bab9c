//! Why events may be missing, as reported to the consumer.

use std::fmt;
use std::time::Duration;

use crate::sync::Arc;

/// Why events may be missing at one place of a stream: see [`Request::mark_gaps`](crate::Request::mark_gaps).
///
/// At least one of the reasons applies. If several gaps are adjacent because a consumer is slow, they merge: the counts
/// are sums.
///
/// # Example: what to do about it
///
/// ```
/// use http_sse::Gap;
/// use std::time::Duration;
///
/// /// Returns `true` if the server may not have repeated everything.
/// fn must_fetch_again(gap: &Gap) -> bool {
///     let was_away = gap.reconnected.as_ref();
///     let is_repeated = was_away.is_none_or(|was| was.resumed_from.is_some() && was.away < Duration::from_secs(60));
///     gap.dropped > 0 || gap.oversized > 0 || !is_repeated
/// }
/// let mut gap = Gap::default();
/// gap.dropped = 3;
/// assert!(must_fetch_again(&gap));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// Set if the stream broke and the next one starts here.
    pub reconnected: Option<Reconnected>,
    /// Events dropped because the consumer was slow: see [`Overflow`](crate::Overflow).
    pub dropped: u64,
    /// Events skipped because they were too large: see [`Request::max_event_size`](crate::Request::max_event_size).
    pub oversized: u64,
}

/// How a stream resumed after a break: see [`Gap`].
///
/// # Example: a server that keeps events for a minute
///
/// ```
/// use http_sse::Reconnected;
/// use std::time::Duration;
///
/// fn is_repeated(reconnected: &Reconnected) -> bool {
///     reconnected.resumed_from.is_some() && reconnected.away < Duration::from_secs(60)
/// }
/// assert!(!is_repeated(&Reconnected::default()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reconnected {
    /// The time from the last byte of the previous stream until this stream opened, since it is often unknown when
    /// exactly a link failed. If several breaks merged, the sum.
    pub away: Duration,
    /// The position sent to the server: the [`Cursor`](crate::Cursor), if the request has one, otherwise the last event
    /// id. `None` if the server did not receive it, also if a redirect dropped the cursor: another origin does not
    /// receive its header, and the target URL may lack its query pair. If several breaks merged, the position of the
    /// first.
    pub resumed_from: Option<Arc<str>>,
}

impl Gap {
    pub(crate) fn reconnected(away: Duration, resumed_from: Option<Arc<str>>) -> Self {
        Self { reconnected: Some(Reconnected { away, resumed_from }), ..Self::default() }
    }

    pub(crate) fn dropped(events: u64) -> Self {
        Self { dropped: events, ..Self::default() }
    }

    pub(crate) fn oversized(events: u64) -> Self {
        Self { oversized: events, ..Self::default() }
    }

    /// Merges the gap that follows directly.
    pub(crate) fn append(&mut self, later: Self) {
        self.dropped = self.dropped.saturating_add(later.dropped);
        self.oversized = self.oversized.saturating_add(later.oversized);
        self.reconnected = match (self.reconnected.take(), later.reconnected) {
            (Some(first), Some(second)) => {
                Some(Reconnected { away: first.away.saturating_add(second.away), resumed_from: first.resumed_from })
            }
            (first, second) => first.or(second),
        };
    }
}

/// Writes one line without control characters, as in `gap: reconnected after 2.500 s, resumed from "7"; 3 dropped`.
impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "gap: ";
        if let Some(reconnected) = &self.reconnected {
            write!(f, "{separator}{reconnected}")?;
            separator = "; ";
        }
        for (events, what) in [(self.dropped, "dropped"), (self.oversized, "too large")] {
            if events > 0 {
                write!(f, "{separator}{events} {what}")?;
                separator = "; ";
            }
        }
        Ok(())
    }
}

/// Writes a short text without control characters, as in `reconnected after 2.500 s, resumed from "7"`.
impl fmt::Display for Reconnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without floating point, whose formatting adds 15 KB to a program.
        write!(f, "reconnected after {}.{:03} s", self.away.as_secs(), self.away.subsec_millis())?;
        match &self.resumed_from {
            Some(position) => write!(f, ", resumed from {position:?}"),
            None => f.write_str(", without a position"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_that_come_together_add_up_and_keep_the_first_position() {
        let mut gap = Gap::dropped(2);
        gap.append(Gap::reconnected(Duration::from_secs(1), Some("7".into())));
        gap.append(Gap::oversized(1));
        gap.append(Gap::reconnected(Duration::from_secs(2), Some("9".into())));
        gap.append(Gap::dropped(u64::MAX));
        let reconnected = Some(Reconnected { away: Duration::from_secs(3), resumed_from: Some("7".into()) });
        assert_eq!(gap, Gap { reconnected, dropped: u64::MAX, oversized: 1 });
    }

    #[test]
    fn a_gap_is_one_line_whatever_the_position_holds() {
        let mut gap = Gap::reconnected(Duration::from_millis(2500), Some("7\u{1b}\u{9b}\n\u{7f}".into()));
        gap.append(Gap::dropped(3));
        gap.append(Gap::oversized(1));
        let text = gap.to_string();
        assert!(text.starts_with("gap: reconnected after 2.500 s, resumed from \"7"), "{text}");
        assert!(text.ends_with("; 3 dropped; 1 too large"), "{text}");
        assert!(!text.contains(char::is_control), "{text:?}");
        let blind = Gap::reconnected(Duration::ZERO, None);
        assert_eq!(blind.to_string(), "gap: reconnected after 0.000 s, without a position");
    }
}
