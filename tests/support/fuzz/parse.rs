//! A stream in any chunks means what the naive oracle says, and within a limit little is held.

#[path = "oracle.rs"]
pub mod oracle;

use http_sse::parser::Parser;
use oracle::{Seen, parsers_and_meanings, seen};

/// The first byte chooses a limit, the second the chunks; the rest is the stream.
pub fn run(input: &[u8]) {
    let [limit, seed, stream @ ..] = input else { return };
    for (parser, expected) in parsers_and_meanings(stream) {
        for chunks in [chunks(stream, *seed), vec![stream], stream.chunks(1).collect()] {
            let (frames, id) = seen(parser.clone(), &chunks);
            assert_eq!(frames, expected.frames);
            assert_eq!(id, expected.last_event_id);
            assert_sound_ids(&frames, id.as_deref());
        }
        let limit = usize::from(*limit) * 4;
        let parser = || parser.clone().max_event_size(limit);
        let whole = seen(parser(), [stream]);
        for chunks in [chunks(stream, *seed), stream.chunks(1).collect()] {
            let parts = seen(parser(), chunks);
            assert_eq!(whole, parts, "the limit of {limit} bytes bites elsewhere");
            assert_sound_ids(&parts.0, parts.1.as_deref());
        }
        assert_little_is_held(parser(), stream, limit, *seed);
    }
}

fn assert_sound_ids(frames: &[Seen], last: Option<&str>) {
    let of_events = frames.iter().filter_map(|seen| match seen {
        Seen::Event { id, .. } => id.as_deref(),
        _ => None,
    });
    for id in of_events.chain(last) {
        assert!(!id.is_empty() && !id.contains(['\0', '\r', '\n']), "{id:?}");
    }
}

fn assert_little_is_held(mut parser: Parser, stream: &[u8], limit: usize, seed: u8) {
    for mut chunk in chunks(stream, seed) {
        while !chunk.is_empty() {
            if matches!(parser.next_frame(&mut chunk), Err(error) if error.is_runaway()) {
                return;
            }
            // An invalid byte may take three, and a buffer twice its text; comments have 4 KiB of their own.
            assert!(parser.memory_usage() <= 40 * 1024 + 32 * limit, "{} of {limit}", parser.memory_usage());
        }
    }
}

/// Chunks of 0 to 16 bytes, some larger, as a small generator says.
fn chunks(mut stream: &[u8], seed: u8) -> Vec<&[u8]> {
    let mut state = u32::from(seed) + 1;
    let mut chunks = Vec::new();
    while !stream.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let number = (state >> 16) as usize;
        let length = if number % 8 == 0 { number % 500 } else { number % 17 };
        let (chunk, rest) = stream.split_at(length.min(stream.len()));
        chunks.push(chunk);
        stream = rest;
    }
    chunks
}
