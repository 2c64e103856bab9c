//! A second, naive implementation of HTML §9.2.6: the whole stream at once, no limits, no thought of speed.

use std::time::Duration;

use http_sse::Event;
use http_sse::parser::{Frame, Parser};

const COMMENT_BYTES: usize = 4096;

/// What a stream means: its frames, the raw text of each event, the id in force at its end.
#[derive(Debug, PartialEq)]
pub struct Meaning {
    pub frames: Vec<Seen>,
    pub last_event_id: Option<String>,
}

impl Meaning {
    /// The same to a parser that keeps no raw text.
    fn without_raw(mut self) -> Self {
        for frame in &mut self.frames {
            if let Seen::Event { raw, .. } = frame {
                *raw = None;
            }
        }
        self
    }
}

/// Both kinds of parser: one that keeps the raw text goes a careful way only.
pub fn parsers() -> [Parser; 2] {
    [Parser::new(), Parser::new().keep_raw()]
}

/// Both with what they are to see of a stream.
pub fn parsers_and_meanings(stream: &[u8]) -> [(Parser, Meaning); 2] {
    let [quick, careful] = parsers();
    [(quick, meaning(stream).without_raw()), (careful, meaning(stream))]
}

/// A frame in plain types.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    Event { event_type: String, data: String, id: Option<String>, comment: Option<String>, raw: Option<String> },
    Comment(String),
    Retry(Duration),
    TooLarge { is_runaway: bool },
}

/// Everything a parser says to a stream that comes in these chunks; a runaway is the last of it.
pub fn seen<C: AsRef<[u8]>>(mut parser: Parser, chunks: impl IntoIterator<Item = C>) -> (Vec<Seen>, Option<String>) {
    let mut seen = Vec::new();
    for chunk in chunks {
        let mut input = chunk.as_ref();
        loop {
            match parser.next_frame(&mut input) {
                Ok(Some(frame)) => seen.push(Seen::from(frame)),
                Ok(None) => break,
                Err(error) => {
                    seen.push(Seen::TooLarge { is_runaway: error.is_runaway() });
                    if error.is_runaway() {
                        return (seen, parser.last_event_id().map(str::to_owned));
                    }
                }
            }
        }
        assert!(input.is_empty(), "a parser without more frames left {} bytes", input.len());
    }
    let id = parser.last_event_id().map(str::to_owned);
    (seen, id)
}

impl From<Frame> for Seen {
    fn from(frame: Frame) -> Self {
        match frame {
            Frame::Event(event) => Self::of(&event),
            Frame::Comment(text) => Self::Comment(text.into_string()),
            Frame::Retry(delay) => Self::Retry(delay),
            other => panic!("unknown frame {other:?}"),
        }
    }
}

impl Seen {
    pub fn of(event: &Event) -> Self {
        Self::Event {
            event_type: event.event_type().to_owned(),
            data: event.data().to_owned(),
            id: event.id().map(str::to_owned),
            comment: event.comment().map(str::to_owned),
            raw: event.raw().map(str::to_owned),
        }
    }
}

/// Parses a complete stream.
pub fn meaning(stream: &[u8]) -> Meaning {
    let text = String::from_utf8_lossy(stream).into_owned();
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text);
    let mut frames = Vec::new();
    let mut in_force = String::new();
    let mut block: Vec<String> = Vec::new();
    for line in complete_lines(text) {
        if line.is_empty() {
            frames.extend(event(&block, &mut in_force));
            block.clear();
            continue;
        }
        frames.extend(frame_of_line(&line));
        block.push(line);
    }
    Meaning { frames, last_event_id: Some(in_force).filter(|id| !id.is_empty()) }
}

/// What is behind the last line end is not a line.
fn complete_lines(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    lines.pop();
    lines
}

fn frame_of_line(line: &str) -> Option<Seen> {
    if let Some(comment) = line.strip_prefix(':') {
        return Some(Seen::Comment(cut(comment)));
    }
    let (name, value) = split(line);
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    (name == "retry" && is_number).then(|| Seen::Retry(Duration::from_millis(value.parse().unwrap_or(u64::MAX))))
}

fn event(block: &[String], in_force: &mut String) -> Option<Seen> {
    let mut data: Vec<&str> = Vec::new();
    let mut event_type = "";
    let mut comments: Vec<String> = Vec::new();
    let mut comments_are_full = false;
    for line in block {
        if let Some(comment) = line.strip_prefix(':') {
            comments.push(cut(comment));
            if comments_are_full || comments.join("\n").len() > COMMENT_BYTES {
                comments_are_full = true;
                comments.pop();
            }
            continue;
        }
        match split(line) {
            ("data", value) => data.push(value),
            ("event", value) => event_type = value,
            ("id", value) if !value.contains('\0') => *in_force = value.to_owned(),
            _ => {}
        }
    }
    if data.is_empty() {
        return None;
    }
    Some(Seen::Event {
        event_type: if event_type.is_empty() { "message" } else { event_type }.to_owned(),
        data: data.join("\n"),
        id: Some(in_force.clone()).filter(|id| !id.is_empty()),
        comment: (!comments.is_empty()).then(|| comments.join("\n")),
        raw: Some(block.join("\n")),
    })
}

fn split(line: &str) -> (&str, &str) {
    match line.split_once(':') {
        None => (line, ""),
        Some((name, value)) => (name, value.strip_prefix(' ').unwrap_or(value)),
    }
}

/// The longest start of whole characters that is not over 4 KiB.
fn cut(comment: &str) -> String {
    let ends = comment.char_indices().map(|(start, character)| start + character.len_utf8());
    comment[..ends.take_while(|&end| end <= COMMENT_BYTES).last().unwrap_or(0)].to_owned()
}
