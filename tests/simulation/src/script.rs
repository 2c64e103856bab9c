//! What a server answers to one request: bytes, their times, and how it ends.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::time::{Duration, Instant, SystemTime};

use crate::chance::Chance;
use crate::framing::{Fate, framed};
use crate::stream::Stream;
use crate::world::date;

/// What comes over a connection, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// So many of the answer's bytes.
    Bytes(usize),
    Fin,
    Broken(ErrorKind),
}

/// How an answer that has arrived must be understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// No stream.
    #[default]
    Refusal,
    Clean,
    Failure,
}

/// What the server asks for by `Retry-After`.
#[derive(Clone, Copy, Debug)]
pub enum RetryAfter {
    Wait(Duration),
    /// A date, and no `Date` beside it: what that means is for the client's clock to say.
    Date(SystemTime),
}

/// What the server did, as far as the client's waits depend on it.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub bytes: Vec<u8>,
    pub sent: usize,
    pub pieces: VecDeque<(Instant, Piece)>,
    pub told: String,
    pub retry_after: Option<RetryAfter>,
    /// The next request comes at once.
    pub is_redirect: bool,
    /// The server asks not to come back.
    pub is_over: bool,
    /// The reconnection time that the stream sets, if that much of it arrives.
    pub retry: Option<Duration>,
    pub ending: Ending,
    /// Events that are complete in what arrives: at the least, and at the most.
    pub reached: (u64, u64),
}

/// What the server knows when it answers.
pub struct Asked<'a> {
    pub stream: &'a Stream,
    /// The last event id of the request, and what the server begins behind.
    pub id: u64,
    pub after: u64,
    pub accepts_gzip: bool,
    pub now: Instant,
    /// By the server's clock, which is right.
    pub date: SystemTime,
}

impl Answer {
    pub fn new(asked: &Asked<'_>, chance: &mut Chance) -> Self {
        let mut answer = Self::default();
        let longest = if chance.percent(90) { 400 } else { 60_000 };
        let head_at = asked.now + chance.millis(longest);
        if asked.after >= asked.stream.events() {
            answer.is_over = true;
            return answer.say(head_at, "204", "HTTP/1.1 204 No Content\r\n\r\n");
        }
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
        match chance.below(100) {
            0..=5 => answer.unavailable(head_at, asked.date, chance),
            6..=8 => {
                answer.is_redirect = true;
                answer.say(head_at, "redirect", "HTTP/1.1 307 Go\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")
            }
            9 => answer.say(head_at, "malformed head", "HTTP/1.1 2x0 OK\r\n\r\n"),
            10 => answer.say(head_at, "HTML", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>"),
            11 => {
                answer.ending = Ending::Clean;
                answer.reached = (asked.id, asked.id);
                answer.say(head_at, "JSON", &format!("{head}\r\n{{\"error\":1}}"))
            }
            12 => answer.say(head_at, "half a head, and silence", "HTTP/1.1 200 OK\r\nContent-Ty").without_end(),
            13 if chance.percent(50) => {
                let text = format!("{head}Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nxx\r\n");
                answer.say(head_at, "gzip, chunked", &text)
            }
            13 if !asked.accepts_gzip => {
                answer.say(head_at, "gzip, not asked for", &format!("{head}Content-Encoding: gzip\r\n\r\nxx"))
            }
            _ => answer.stream(asked, chance, head_at),
        }
    }

    fn say(mut self, at: Instant, told: &str, text: &str) -> Self {
        self.told = told.to_owned();
        self.bytes = text.as_bytes().to_vec();
        self.pieces.push_back((at, Piece::Bytes(text.len())));
        self.pieces.push_back((at, Piece::Fin));
        self
    }

    fn without_end(mut self) -> Self {
        self.pieces.pop_back();
        self
    }

    fn unavailable(mut self, at: Instant, now: SystemTime, chance: &mut Chance) -> Self {
        let longest = if chance.percent(90) { 100 } else { 5000 };
        let wait = Duration::from_secs(chance.below(longest) as u64);
        let until = whole_seconds(now) + wait;
        let header = match chance.below(6) {
            0 | 1 => {
                self.retry_after = Some(RetryAfter::Wait(wait));
                format!("Retry-After: {}\r\n", wait.as_secs())
            }
            2 => {
                self.retry_after = Some(RetryAfter::Wait(wait));
                format!("Retry-After: {}\r\nDate: {}\r\n", date(until), date(now))
            }
            3 => {
                self.retry_after = Some(RetryAfter::Date(until));
                format!("Retry-After: {}\r\n", date(until))
            }
            _ => String::new(),
        };
        let text = format!("HTTP/1.1 503 Busy\r\n{header}Content-Length: 4\r\n\r\nbusy");
        let told = format!("503, Retry-After {:?}", self.retry_after);
        self.say(at, &told, &text)
    }

    fn stream(mut self, asked: &Asked<'_>, chance: &mut Chance, head_at: Instant) -> Self {
        let (stream, after) = (asked.stream, asked.after);
        let last = stream.events().min(after + 1 + chance.below(30) as u64);
        let mut body = String::new();
        if chance.percent(10) {
            body.push('\u{FEFF}');
        }
        let retry = chance.percent(10).then(|| Duration::from_millis(chance.next() % 20_000));
        if let Some(retry) = retry {
            body.push_str(&format!("retry: {}\n\n", retry.as_millis()));
        }
        let start = body.len();
        (after + 1..=last).for_each(|number| body.push_str(stream.block(number)));
        let mut body = body.into_bytes();
        let how = chance.below(100);
        self.retry = retry;
        let fate = match how {
            0..40 => Fate::Whole,
            40..90 => Fate::Cut,
            _ => Fate::Malformed,
        };
        if fate != Fate::Whole {
            body.truncate(chance.below(body.len() + 1));
        }
        let framed = framed(&body, fate, asked.accepts_gzip, chance);
        let at_most = stream.reached(after, body.len().saturating_sub(start)).min(last);
        let at_least = stream.reached(after, framed.reached.saturating_sub(start)).min(last);
        let id_of = |reached| if reached == after { asked.id } else { reached };
        self.reached = (id_of(at_least), id_of(at_most));
        self.bytes = framed.bytes;
        self.cut_into_pieces(chance, head_at);
        let at = self.pieces.back().map_or(head_at, |(at, _)| *at) + chance.millis(2000);
        let (end, is_clean, told) = match how {
            0..40 if framed.has_end && chance.percent(30) => (None, framed.is_clean, "whole, kept open"),
            0..40 => (Some(Piece::Fin), framed.is_clean, "whole, FIN"),
            40..60 => (Some(Piece::Broken(ErrorKind::ConnectionReset)), false, "cut, RST"),
            60..80 => (Some(Piece::Fin), framed.is_clean, "cut, FIN"),
            80..90 => (None, false, "cut, silence"),
            _ => (None, false, "no chunk, silence"),
        };
        self.pieces.extend(end.map(|end| (at, end)));
        self.ending = if is_clean { Ending::Clean } else { Ending::Failure };
        self.told = format!("{}..={last}, {}: {told}", after + 1, framed.told);
        self
    }

    fn cut_into_pieces(&mut self, chance: &mut Chance, mut at: Instant) {
        let smallest = if self.bytes.len() < 3000 { 3 } else { 50 };
        let largest = [smallest, 50, 1000, 100_000][chance.below(4)];
        let pause = [1, 50, 3000][chance.below(3)];
        let mut left = self.bytes.len();
        while left > 0 {
            let size = left.min(1 + chance.below(largest));
            self.pieces.push_back((at, Piece::Bytes(size)));
            left -= size;
            // A long stream in small pieces must not take days.
            if self.pieces.len() < 200 {
                at += chance.millis(pause);
            }
        }
    }
}

/// A date has no fractions.
fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())
}
