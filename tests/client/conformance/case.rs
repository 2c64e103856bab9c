//! The form of a case: a stream, and everything that it means.

use http_sse::Event;
use http_sse::parser::Frame;

/// A fact of a public suite about what a stream means.
pub(crate) struct Case {
    /// The suite and its file.
    pub(crate) source: &'static str,
    pub(crate) name: &'static str,
    pub(crate) stream: Vec<u8>,
    /// All of it, in order: nothing more may come.
    pub(crate) sees: Vec<Seen>,
    /// What the next request names; empty for none.
    pub(crate) last_id: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Event { event_type: String, data: String, id: String },
    Comment(String),
    Retry(u64),
}

/// A case after which the id of its last event is in force, unless told otherwise.
pub(crate) fn case<const N: usize>(
    source: &'static str,
    name: &'static str,
    stream: impl AsRef<[u8]>,
    sees: [Seen; N],
) -> Case {
    case_of(source, name, stream, sees.to_vec())
}

pub(crate) fn case_of(source: &'static str, name: &'static str, stream: impl AsRef<[u8]>, sees: Vec<Seen>) -> Case {
    let id_of = |seen: &Seen| match seen {
        Seen::Event { id, .. } => Some(id.clone()),
        _ => None,
    };
    let last_id = sees.iter().rev().find_map(id_of).unwrap_or_default();
    Case { source, name, stream: stream.as_ref().to_vec(), sees, last_id }
}

pub(crate) fn event(event_type: &str, data: &str, id: &str) -> Seen {
    Seen::Event { event_type: event_type.to_owned(), data: data.to_owned(), id: id.to_owned() }
}

pub(crate) fn message(data: &str) -> Seen {
    event("message", data, "")
}

pub(crate) fn message_with_id(data: &str, id: &str) -> Seen {
    event("message", data, id)
}

pub(crate) fn comment(text: &str) -> Seen {
    Seen::Comment(text.to_owned())
}

impl Case {
    /// For a block that sets the id and is no event.
    pub(crate) fn last_id(mut self, id: &str) -> Self {
        self.last_id = id.to_owned();
        self
    }

    pub(crate) fn title(&self) -> String {
        format!("{}: {}", self.source, self.name)
    }

    /// What a client can see of it: a reconnection time is taken in silence.
    pub(crate) fn visible(&self) -> Vec<Seen> {
        self.sees.iter().filter(|seen| !matches!(seen, Seen::Retry(_))).cloned().collect()
    }
}

impl Seen {
    pub(crate) fn of_event(event: &Event) -> Self {
        self::event(event.event_type(), event.data(), event.id().unwrap_or_default())
    }
}

impl From<Frame> for Seen {
    fn from(frame: Frame) -> Self {
        match frame {
            Frame::Event(event) => Self::of_event(&event),
            Frame::Comment(text) => comment(&text),
            Frame::Retry(delay) => Self::Retry(delay.as_millis().try_into().unwrap()),
            other => panic!("unknown frame {other:?}"),
        }
    }
}
