//! The gzip decoder against another one: the same data and the same end, wherever the bytes are cut and whatever the room.

#[allow(dead_code, unreachable_pub, reason = "the crate's own source, of which a part is driven")]
#[path = "../../../src/http/gzip.rs"]
#[allow(clippy::module_inception, reason = "the file has this name")]
mod gzip;

use std::io::Read;

use flate2::read::MultiGzDecoder;
use gzip::{Gunzip, Step};

/// No more is decoded of one input: a few kilobytes can stand for megabytes.
const LIMIT: usize = 64 << 10;

/// How a body came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Complete,
    /// Behind a member is something else, which is ignored.
    Followed,
    Cut,
    Malformed,
    TooLong,
}

/// The first two bytes say in what pieces the rest comes, and how much room there is.
pub fn run(input: &[u8]) {
    let [first, second, bytes @ ..] = input else { return };
    let (data, verdict) = decode(bytes, bytes.len().max(1), 4096);
    for (size, room) in [(usize::from(*first) + 1, usize::from(*second) + 1), (1, 1)] {
        let found = decode(bytes, size, room);
        assert!(found == (data.clone(), verdict), "in pieces of {size}, for {room} bytes: {:?}", found.1);
    }
    let (expected, is_complete) = decode_by_another(bytes);
    if verdict != Verdict::TooLong {
        assert_eq!(verdict == Verdict::Complete, is_complete || bytes.is_empty(), "{verdict:?}");
    }
    // What is malformed is noticed at other places, but nothing is made up.
    let same = data.len().min(expected.len());
    assert!(data[..same] == expected[..same], "the data differs");
    if matches!(verdict, Verdict::Complete | Verdict::Followed) {
        assert_eq!(data.len(), expected.len());
    }
}

fn decode(bytes: &[u8], size: usize, room: usize) -> (Vec<u8>, Verdict) {
    let (mut decoder, mut data, mut room) = (Gunzip::new(), Vec::new(), vec![0; room]);
    for mut piece in bytes.chunks(size) {
        loop {
            let Ok(Step { consumed, produced }) = decoder.decode(piece, &mut room) else {
                return (data, Verdict::Malformed);
            };
            data.extend_from_slice(&room[..produced]);
            piece = &piece[consumed..];
            if data.len() > LIMIT {
                data.truncate(LIMIT);
                return (data, Verdict::TooLong);
            }
            if (consumed, produced) == (0, 0) {
                if decoder.is_over() {
                    return (data, Verdict::Followed);
                }
                assert!(piece.is_empty(), "bytes are left, and so is room");
                break;
            }
        }
    }
    // The last byte may have been the one that ended it.
    let verdict = match (decoder.is_over(), decoder.may_end()) {
        (true, _) => Verdict::Followed,
        (false, true) => Verdict::Complete,
        (false, false) => Verdict::Cut,
    };
    (data, verdict)
}

/// Byte by byte, so that nothing before an error is lost.
fn decode_by_another(bytes: &[u8]) -> (Vec<u8>, bool) {
    let (mut decoder, mut data, mut byte) = (MultiGzDecoder::new(bytes), Vec::new(), [0]);
    while data.len() < LIMIT {
        match decoder.read(&mut byte) {
            Ok(0) => return (data, true),
            Ok(_) => data.push(byte[0]),
            Err(_) => return (data, false),
        }
    }
    (data, false)
}
