//! How a body is sent: as it is or compressed, in one of the framings, whole or cut or damaged.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::chance::Chance;

/// What is done to a body on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Whole,
    /// It ends anywhere, and its framing says so.
    Cut,
    /// Behind what is sent comes no chunk.
    Malformed,
}

/// A response with a body.
pub struct Framed {
    pub bytes: Vec<u8>,
    pub told: String,
    /// So many bytes of the body arrive at the least.
    pub reached: usize,
    /// A FIN behind it is a clean end.
    pub is_clean: bool,
    /// The end is known without a FIN.
    pub has_end: bool,
}

/// A body as it is sent, before the framing.
struct Coded {
    bytes: Vec<u8>,
    /// After so many bytes, so many of the body can be read.
    marks: Vec<(usize, usize)>,
    /// After so many bytes nothing is missing that the coding could tell.
    ends: Vec<usize>,
    is_damaged: bool,
}

pub fn framed(body: &[u8], fate: Fate, accepts_gzip: bool, chance: &mut Chance) -> Framed {
    let is_gzip = accepts_gzip && chance.percent(50);
    let coded = if is_gzip { gzip(body, fate == Fate::Whole, chance) } else { identity(body) };
    let mut head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n".to_owned();
    if is_gzip || chance.percent(30) {
        head.push_str(if is_gzip { "Content-Encoding: gzip\r\n" } else { "Content-Encoding: identity\r\n" });
    }
    let length = coded.bytes.len();
    let (name, mut bytes, arrived) = match if fate == Fate::Malformed { 2 } else { chance.below(3) } {
        0 => {
            head.push_str("\r\n");
            ("up to FIN", coded.bytes.clone(), length)
        }
        1 => {
            let promised = length + if fate == Fate::Whole { 0 } else { 1 + chance.below(1000) };
            head.push_str(&format!("Content-Length: {promised}\r\n\r\n"));
            ("by length", coded.bytes.clone(), length)
        }
        _ => {
            head.push_str("Transfer-Encoding: chunked\r\n\r\n");
            let (bytes, arrived) = chunked(&coded.bytes, fate, chance);
            ("chunked", bytes, arrived)
        }
    };
    bytes.splice(0..0, head.bytes());
    let is_framed = name != "up to FIN";
    let is_sound = !coded.is_damaged && coded.ends.contains(&arrived);
    let is_identity = !is_gzip;
    let reached = if is_identity {
        arrived
    } else {
        coded.marks.iter().rev().find(|(sent, _)| *sent <= arrived).map_or(0, |(_, readable)| *readable)
    };
    Framed {
        told: format!("{}{name}, {} bytes", if coded.is_damaged { "damaged " } else { "" }, bytes.len())
            + if is_gzip { " of gzip" } else { "" },
        bytes,
        reached,
        is_clean: if is_framed { fate == Fate::Whole && is_sound } else { is_identity || is_sound },
        has_end: is_framed && fate == Fate::Whole,
    }
}

fn identity(body: &[u8]) -> Coded {
    Coded { bytes: body.to_vec(), marks: Vec::new(), ends: vec![body.len()], is_damaged: false }
}

/// Compresses a body in one member or several, flushed at any places. What is not whole ends anywhere.
fn gzip(body: &[u8], is_whole: bool, chance: &mut Chance) -> Coded {
    let level = Compression::new(chance.below(10) as u32);
    let largest = [150, 2000, 100_000][chance.below(3)];
    let (mut marks, mut ends) = (Vec::new(), vec![0]);
    let mut encoder = GzEncoder::new(Vec::new(), level);
    let mut done = 0;
    while done < body.len() {
        let size = (body.len() - done).min(1 + chance.below(largest));
        encoder.write_all(&body[done..done + size]).expect("a vector takes all");
        encoder.flush().expect("a vector takes all");
        done += size;
        marks.push((encoder.get_ref().len(), done));
        if done < body.len() && chance.percent(5) {
            let bytes = encoder.finish().expect("a vector takes all");
            ends.push(bytes.len());
            encoder = GzEncoder::new(bytes, level);
        }
    }
    let is_damaged = is_whole && chance.percent(25);
    let mut bytes =
        if is_whole { encoder.finish().expect("a vector takes all") } else { std::mem::take(encoder.get_mut()) };
    if is_damaged {
        damage(&mut bytes, marks.last().map_or(0, |(sent, _)| *sent), chance);
    } else if is_whole {
        ends.push(bytes.len());
    } else if chance.percent(50) {
        bytes.truncate(chance.below(bytes.len() + 1));
    }
    Coded { bytes, marks, ends, is_damaged }
}

/// Damages what stands behind the data of the last member: nobody could tell damaged data from data.
fn damage(bytes: &mut Vec<u8>, data_end: usize, chance: &mut Chance) {
    match chance.below(4) {
        0 => {
            let at = bytes.len() - 1 - chance.below(8);
            bytes[at] ^= 1 << chance.below(8);
        }
        1 => bytes.truncate(bytes.len() - 1 - chance.below(8)),
        // The next member begins, of a method that there is not. What does not begin like one would be ignored.
        2 => bytes.extend_from_slice(b"\x1f\x8b\x07"),
        _ => {
            // A block of a type that there is not.
            bytes.truncate(data_end);
            bytes.push(7);
        }
    }
}

/// Returns the chunks, and how many bytes of the body are in them.
fn chunked(body: &[u8], fate: Fate, chance: &mut Chance) -> (Vec<u8>, usize) {
    let largest = [2, 40, 5000][chance.below(3)];
    let (mut chunks, mut rest, mut places) = (Vec::new(), body, Vec::new());
    while !rest.is_empty() {
        let size = rest.len().min(1 + chance.below(largest));
        chunks.extend_from_slice(format!("{size:x}\r\n").as_bytes());
        places.push((chunks.len(), size));
        chunks.extend_from_slice(&rest[..size]);
        chunks.extend_from_slice(b"\r\n");
        rest = &rest[size..];
    }
    match fate {
        Fate::Whole => chunks.extend_from_slice(b"0\r\n\r\n"),
        Fate::Cut => chunks.truncate(chance.below(chunks.len() + 1)),
        Fate::Malformed => chunks.extend_from_slice(b"nonsense\r\n"),
    }
    let arrived = places.iter().map(|(at, size)| chunks.len().saturating_sub(*at).min(*size)).sum();
    (chunks, arrived)
}
