//! Puts streams into a parser.

use http_sse::Event;
use http_sse::parser::{EventTooLarge, Frame, Parser};

pub(crate) type Outcome = Result<Frame, EventTooLarge>;

/// Everything that the parser says to one chunk, up to a runaway.
pub(crate) fn feed(parser: &mut Parser, stream: impl AsRef<[u8]>) -> Vec<Outcome> {
    let mut input = stream.as_ref();
    let mut outcomes = Vec::new();
    while let Some(outcome) = parser.next_frame(&mut input).transpose() {
        let is_final = matches!(outcome, Err(error) if error.is_runaway());
        outcomes.push(outcome);
        if is_final {
            return outcomes;
        }
    }
    assert!(input.is_empty(), "left {} bytes", input.len());
    outcomes
}

/// The one event among comments.
pub(crate) fn only_event(mut outcomes: Vec<Outcome>) -> Event {
    outcomes.retain(|outcome| !matches!(outcome, Ok(Frame::Comment(_))));
    match (outcomes.pop(), outcomes.is_empty()) {
        (Some(Ok(Frame::Event(event))), true) => event,
        (last, _) => panic!("{outcomes:?}, {last:?}"),
    }
}
