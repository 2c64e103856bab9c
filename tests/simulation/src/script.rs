//! What a server answers to one request: bytes, their times, and how it ends.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::chance::Chance;

/// What comes over a connection, in order.
#[derive(Clone, Debug)]
pub enum Piece {
    Bytes(Vec<u8>),
    Fin,
    Broken(ErrorKind),
}

/// What the server did, as far as the client's waits depend on it.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub pieces: VecDeque<(Instant, Piece)>,
    pub told: String,
    pub retry_after: Option<Duration>,
    /// The next request comes at once.
    pub is_redirect: bool,
    /// The server asks not to come back.
    pub is_over: bool,
    /// The reconnection time that the stream sets, if that much of it arrives.
    pub retry: Option<Duration>,
}

/// The largest event that the client takes, in bytes.
pub const LIMIT: usize = 10_000;

/// The stream of one seed: event by event the same, however often it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    pub seed: u64,
    pub events: u64,
}

impl Stream {
    fn chance(self, number: u64) -> Chance {
        Chance::new(self.seed ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    /// A block with an id and no data: it is never delivered, and counts.
    pub fn is_silent(self, number: u64) -> bool {
        self.chance(number).percent(10)
    }

    /// An event above the limit of the client, which is skipped.
    pub fn is_oversized(self, number: u64) -> bool {
        !self.is_silent(number) && self.data(number).len() > LIMIT
    }

    pub fn data(self, number: u64) -> String {
        let mut chance = self.chance(number);
        chance.next();
        let size = match chance.below(50) {
            0 => 20_000,
            1..=5 => chance.below(3000),
            _ => chance.below(80),
        };
        let text = format!("{number} {}", "ä-".repeat(size / 3));
        if chance.percent(20) { format!("{text}\nsecond line of {number}") } else { text }
    }

    pub fn block(self, number: u64) -> String {
        let mut chance = self.chance(!number);
        let end = ["\n", "\r\n", "\r"][chance.below(3)];
        let mut lines = Vec::new();
        if chance.percent(10) {
            lines.push(": a comment".to_owned());
        }
        let id = format!("id: {number}");
        let id_first = chance.percent(50);
        if id_first {
            lines.push(id.clone());
        }
        if chance.percent(20) {
            lines.push("event: kind".into());
        }
        if !self.is_silent(number) {
            lines.extend(self.data(number).split('\n').map(|line| format!("data: {line}")));
        }
        if !id_first {
            lines.push(id);
        }
        lines.push(String::new());
        lines.iter().map(|line| format!("{line}{end}")).collect()
    }
}

impl Answer {
    pub fn new(stream: Stream, after: u64, chance: &mut Chance, now: Instant) -> Self {
        let mut answer = Self::default();
        let longest = if chance.percent(90) { 400 } else { 60_000 };
        let head_at = now + chance.millis(longest);
        if after >= stream.events {
            answer.is_over = true;
            return answer.say(head_at, "204", "HTTP/1.1 204 No Content\r\n\r\n");
        }
        match chance.below(100) {
            0..=5 => answer.unavailable(head_at, chance),
            6..=8 => {
                answer.is_redirect = true;
                answer.say(head_at, "redirect", "HTTP/1.1 307 Go\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")
            }
            9 => answer.say(head_at, "malformed head", "HTTP/1.1 2x0 OK\r\n\r\n"),
            10 => answer.say(head_at, "HTML", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>"),
            11 => answer.say(head_at, "JSON", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n{\"error\":1}"),
            12 => answer.say(head_at, "half a head, and silence", "HTTP/1.1 200 OK\r\nContent-Ty").without_end(),
            13 => answer.say(head_at, "gzip, chunked", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nxx\r\n"),
            _ => answer.stream(stream, after, chance, head_at),
        }
    }

    fn say(mut self, at: Instant, told: &str, text: &str) -> Self {
        self.told = told.to_owned();
        self.pieces.push_back((at, Piece::Bytes(text.as_bytes().to_vec())));
        self.pieces.push_back((at, Piece::Fin));
        self
    }

    fn without_end(mut self) -> Self {
        self.pieces.pop_back();
        self
    }

    fn unavailable(mut self, at: Instant, chance: &mut Chance) -> Self {
        let header = if chance.percent(50) {
            let seconds = chance.below(100) as u64;
            self.retry_after = Some(Duration::from_secs(seconds));
            format!("Retry-After: {seconds}\r\n")
        } else {
            String::new()
        };
        let text = format!("HTTP/1.1 503 Busy\r\n{header}Content-Length: 4\r\n\r\nbusy");
        let told = format!("503, Retry-After {:?}", self.retry_after);
        self.say(at, &told, &text)
    }

    fn stream(mut self, stream: Stream, after: u64, chance: &mut Chance, head_at: Instant) -> Self {
        let last = stream.events.min(after + 1 + chance.below(30) as u64);
        let mut body = String::new();
        if chance.percent(10) {
            body.push('\u{FEFF}');
        }
        let retry = chance.percent(10).then(|| Duration::from_millis(chance.next() % 20_000));
        if let Some(retry) = retry {
            body.push_str(&format!("retry: {}\n\n", retry.as_millis()));
        }
        (after + 1..=last).for_each(|number| body.push_str(&stream.block(number)));
        let mut body = body.into_bytes();
        let how = chance.below(100);
        self.retry = retry;
        if how >= 40 {
            body.truncate(chance.below(body.len() + 1));
        }
        let is_malformed = how >= 90;
        let (head, mut bytes) = framed(&body, how < 40, is_malformed, chance);
        if is_malformed {
            bytes.extend_from_slice(b"nonsense\r\n");
        }
        bytes.splice(0..0, head.bytes());
        self.cut_into_pieces(&bytes, chance, head_at);
        let at = self.pieces.back().map_or(head_at, |(at, _)| *at);
        self.told = format!("{}..={last}, {} bytes: ", after + 1, bytes.len());
        match how {
            0..40 | 60..80 => {
                self.told.push_str(if how < 40 { "whole, FIN" } else { "cut, FIN" });
                self.pieces.push_back((at + chance.millis(2000), Piece::Fin));
            }
            40..60 => {
                self.told.push_str("cut, RST");
                self.pieces.push_back((at + chance.millis(2000), Piece::Broken(ErrorKind::ConnectionReset)));
            }
            80..90 => self.told.push_str("cut, silence"),
            _ => self.told.push_str("a malformed chunk, silence"),
        }
        self
    }

    fn cut_into_pieces(&mut self, bytes: &[u8], chance: &mut Chance, mut at: Instant) {
        let largest = [3, 50, 1000, 100_000][chance.below(4)];
        let pause = [1, 50, 3000][chance.below(3)];
        let mut rest = bytes;
        while !rest.is_empty() {
            let size = rest.len().min(1 + chance.below(largest));
            self.pieces.push_back((at, Piece::Bytes(rest[..size].to_vec())));
            rest = &rest[size..];
            // A long stream in small pieces must not take days.
            if self.pieces.len() < 200 {
                at += chance.millis(pause);
            }
        }
    }
}

/// Compresses a body, flushed at any places; one that is not whole has no trailer, and may end anywhere.
fn gzip(body: &[u8], is_whole: bool, chance: &mut Chance) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(chance.below(10) as u32));
    let largest = [40, 2000, 100_000][chance.below(3)];
    let mut rest = body;
    while !rest.is_empty() {
        let size = rest.len().min(1 + chance.below(largest));
        encoder.write_all(&rest[..size]).expect("a vector takes all");
        encoder.flush().expect("a vector takes all");
        rest = &rest[size..];
    }
    if is_whole {
        return encoder.finish().expect("a vector takes all");
    }
    let mut bytes = std::mem::take(encoder.get_mut());
    if chance.percent(50) {
        bytes.truncate(chance.below(bytes.len() + 1));
    }
    bytes
}

/// Returns the head and the body in one of the framings; what is not whole has no end.
fn framed(body: &[u8], is_whole: bool, is_malformed: bool, chance: &mut Chance) -> (String, Vec<u8>) {
    let mut head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n".to_owned();
    let (coding, body) =
        if chance.percent(30) { ("gzip", &gzip(body, is_whole, chance)[..]) } else { ("identity", body) };
    head.push_str(&format!("Content-Encoding: {coding}\r\n"));
    match if is_malformed { 2 } else { chance.below(3) } {
        0 => (format!("{head}\r\n"), body.to_vec()),
        1 => {
            let length = body.len() + if is_whole { 0 } else { 1 + chance.below(1000) };
            (format!("{head}Content-Length: {length}\r\n\r\n"), body.to_vec())
        }
        _ => {
            let largest = [2, 40, 5000][chance.below(3)];
            let (mut chunks, mut rest) = (Vec::new(), body);
            while !rest.is_empty() {
                let size = rest.len().min(1 + chance.below(largest));
                chunks.extend_from_slice(format!("{size:x}\r\n").as_bytes());
                chunks.extend_from_slice(&rest[..size]);
                chunks.extend_from_slice(b"\r\n");
                rest = &rest[size..];
            }
            if is_whole {
                chunks.extend_from_slice(b"0\r\n\r\n");
            } else if !is_malformed {
                chunks.truncate(chance.below(chunks.len() + 1));
            }
            (format!("{head}Transfer-Encoding: chunked\r\n\r\n"), chunks)
        }
    }
}
