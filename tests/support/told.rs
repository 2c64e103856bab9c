//! What a consumer that wants gaps marked was given, as lines.

use http_sse::crossbeam_channel::Receiver;
use http_sse::{Error, Event, Gap};

use crate::transcript;

/// The data of an event, or what a gap says, without a time.
pub fn line(event: &Event) -> String {
    let Some(gap) = event.gap() else { return event.data().to_owned() };
    assert_is_no_event(event);
    say(gap)
}

pub fn next_line(events: &Receiver<Result<Event, Error>>) -> String {
    line(&transcript::next_event(events))
}

/// The next lines of a stream, as many as are expected.
pub fn next_lines<const N: usize>(events: &Receiver<Result<Event, Error>>) -> [String; N] {
    std::array::from_fn(|_| next_line(events))
}

pub fn say(gap: &Gap) -> String {
    let mut words = Vec::new();
    if let Some(reconnected) = &gap.reconnected {
        words.push(format!("resumed from {:?}", reconnected.resumed_from.as_deref().unwrap_or("nothing")));
    }
    words.extend((gap.dropped > 0).then(|| format!("{} dropped", gap.dropped)));
    words.extend((gap.oversized > 0).then(|| format!("{} too large", gap.oversized)));
    assert!(!words.is_empty(), "a gap without a reason");
    words.join(", ")
}

fn assert_is_no_event(event: &Event) {
    assert_eq!((event.data(), event.event_type(), event.id(), event.position()), ("", "message", None, None));
    assert_eq!((event.comment(), event.raw(), event.clone().into_data().as_str()), (None, None, ""));
    assert!(event.to_string().starts_with(": gap: ") && event.to_string().ends_with("\n\n"), "{event}");
}
