//! Where a stream is cut into chunks changes nothing, and a second implementation agrees on what it means.

use std::time::{Duration, Instant};

use http_sse::Event;
use http_sse::parser::{Frame, Parser};
use proptest::prelude::*;
use support::fuzz::parse::oracle::{parsers, parsers_and_meanings, seen};

/// Cuts at the places named by `cuts`, each as a share of 65536ths of the stream.
fn pieces<'a>(stream: &'a [u8], cuts: &[u16]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|&cut| stream.len() * usize::from(cut) / 65536).collect();
    ends.sort_unstable();
    ends.push(stream.len());
    let mut start = 0;
    ends.iter().map(|&end| &stream[std::mem::replace(&mut start, end)..end]).collect()
}

/// Short pieces that streams are made of, the awkward ones first.
fn short_token() -> impl Strategy<Value = Vec<u8>> {
    let fixed: &[&[u8]] = &[
        b"\n",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\r\r",
        b"\r\n\r\n",
        b"\xEF\xBB\xBF",
        b"\xEF",
        b"\xBB",
        b"\0",
        b":",
        b"::",
        b" ",
        b"data",
        b"data:",
        b"data: ",
        b"data:  ",
        b"data :",
        b"Data:",
        b"dat",
        b"datax:",
        b"event",
        b"event:",
        b"event: add",
        b"id",
        b"id:",
        b"id: 7",
        b"id: a\0b",
        b"i",
        b"retry",
        b"retry:",
        b"retry: 100",
        b"retry: 1x",
        b"retry: -1",
        b"retry: 99999999999999999999",
        b"foo: bar",
        b": beat",
        b"\xF0\x9F\x98\x80",
        b"\xF0\x9F",
        b"\xC3",
        b"\xE2\x82",
        b"\xFF",
        b"\xED\xA0\x80",
        b"\xC0\xAF",
        b"x",
    ];
    prop_oneof![
        6 => proptest::sample::select(fixed).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..6),
    ]
}

fn token() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        14 => short_token(),
        1 => (1_usize..9000, proptest::sample::select(&[b'x', b':', b' ', b'\xE2', b'9'][..]))
            .prop_map(|(bytes, byte)| vec![byte; bytes]),
        1 => (1_usize..3000).prop_map(|characters| "\u{20AC}".repeat(characters).into_bytes()),
    ]
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(token(), 0..40).prop_map(|tokens| tokens.concat())
}

/// Streams of short pieces, so that small limits are passed by a little.
fn short_stream() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(short_token(), 0..60).prop_map(|tokens| tokens.concat())
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn the_oracle_agrees_however_a_stream_is_cut(
        stream in stream(),
        cuts in proptest::collection::vec(any::<u16>(), 0..12),
    ) {
        for (parser, expected) in parsers_and_meanings(&stream) {
            let (frames, id) = seen(parser.clone(), pieces(&stream, &cuts));
            prop_assert_eq!(&frames, &expected.frames);
            prop_assert_eq!(&id, &expected.last_event_id);
            let (frames, id) = seen(parser, stream.chunks(1));
            prop_assert_eq!(&frames, &expected.frames);
            prop_assert_eq!(&id, &expected.last_event_id);
        }
    }

    #[test]
    fn limits_bite_at_the_same_byte_however_a_stream_is_cut(
        stream in short_stream(),
        limit in prop_oneof![0_usize..40, 40_usize..400],
        cuts in proptest::collection::vec(any::<u16>(), 0..12),
    ) {
        for parser in parsers().map(|parser| parser.max_event_size(limit)) {
            let whole = seen(parser.clone(), [&stream[..]]);
            prop_assert_eq!(&seen(parser.clone(), pieces(&stream, &cuts)), &whole);
            prop_assert_eq!(&seen(parser, stream.chunks(1)), &whole);
        }
    }

    #[test]
    fn a_parser_holds_no_more_than_its_limit_allows(stream in stream(), limit in 0_usize..3000) {
        for (mut parser, chunk) in parsers().into_iter().zip([1, 7]) {
            parser = parser.max_event_size(limit);
            for mut input in stream.chunks(chunk) {
                // An invalid byte may take three, and a buffer twice its text.
                while !matches!(parser.next_frame(&mut input), Ok(None)) && !input.is_empty() {}
                prop_assert!(parser.memory_usage() <= 40 * 1024 + 32 * limit, "{} of {limit}", parser.memory_usage());
            }
        }
    }

    #[test]
    fn the_wire_form_of_an_event_parses_back(
        event_type in text(),
        data in text(),
        id in text(),
        comment in proptest::option::of("[^\r\n]{0,20}"),
    ) {
        let mut wire = Event::new(event_type, data).with_id(id).to_string();
        if let Some(comment) = comment {
            wire = format!(":{comment}\n{wire}");
        }
        let event = only_event(&wire);
        prop_assert_eq!(event.to_string(), wire);
        prop_assert_eq!(only_event(&event.to_string()), event);
    }

    #[test]
    fn an_event_made_by_hand_parses_back(event_type in text(), data in text(), id in text()) {
        let event = Event::new(event_type, data).with_id(id);
        prop_assert_eq!(only_event(&event.to_string()), event);
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ a:\r\n\u{0}\u{FEFF}\u{20AC}]{0,12}", "(message|data|id|: |\r\n|\r|\n){0,4}", any::<String>()]
}

fn only_event(wire: &str) -> Event {
    let mut parser = Parser::new();
    let mut input = wire.as_bytes();
    let mut events = Vec::new();
    while let Some(frame) = parser.next_frame(&mut input).expect("small") {
        match frame {
            Frame::Event(event) => events.push(event),
            Frame::Comment(_) => {}
            other => panic!("{other:?} from {wire:?}"),
        }
    }
    assert_eq!(events.len(), 1, "{wire:?}");
    events.remove(0)
}

const ADVERSARIAL: [&str; 12] = [
    "\u{FEFF}data: x\n\n",
    "\u{FEFF}\u{FEFF}data: x\n\ndata: y\n\n",
    "\u{FEFF}\n\ndata\n\n",
    "data: a\rdata: b\r\n\r\ndata: c\n\r\r",
    "data:a\r\r\ndata:b\r\n\r\n\r\n\ndata\r\r",
    "id: 1\n\nid: 2\0\ndata: x\n\nid\ndata: y\n\n",
    ": a\n:b\ndata:  c \n:\n\n:d\n\ndata\n\n",
    "event: a\n\ndata: x\n\nevent: b\nevent: c\ndata:\ndata\n\n",
    "retry: 5\nretry:\nretry: 5x\nretry:  5\nretry:00000000000000000000000000000007\n",
    "datax: 1\ndat\nid \nid:\u{20AC}\nDATA: x\ndata: \u{1F600}\n\n",
    "data: x\nid: 9\nevent: t\nfoo\n\ndata: never finished\nid: 10\n",
    "dat\ndata\neven\nevent\ni\nid\nretr\nretry\n:\n\n",
];

#[test]
fn every_pair_of_cuts_gives_the_same_frames() {
    for stream in ADVERSARIAL.map(str::as_bytes) {
        for (parser, expected) in parsers_and_meanings(stream) {
            for first in 0..=stream.len() {
                for second in first..=stream.len() {
                    let chunks = [&stream[..first], &stream[first..second], &stream[second..]];
                    let (frames, id) = seen(parser.clone(), chunks);
                    assert_eq!(frames, expected.frames, "{stream:?} cut at {first} and {second}");
                    assert_eq!(id, expected.last_event_id, "{stream:?} cut at {first} and {second}");
                }
            }
        }
    }
}

#[test]
fn every_line_end_gives_the_same_frames() {
    for stream in ADVERSARIAL.map(|stream| stream.replace("\r\n", "\n").replace('\r', "\n")) {
        for parser in parsers() {
            let expected = seen(parser.clone(), [stream.as_bytes()]);
            for line_end in ["\r", "\r\n"] {
                let other = stream.replace('\n', line_end);
                assert_eq!(seen(parser.clone(), [other.as_bytes()]), expected, "{other:?}");
                assert_eq!(seen(parser.clone(), other.as_bytes().chunks(1)), expected, "{other:?} byte by byte");
            }
        }
    }
}

#[test]
fn every_pair_of_cuts_passes_a_small_limit_at_the_same_byte() {
    for stream in ADVERSARIAL.map(str::as_bytes) {
        let limits = [0, 1, 2, 3, 4, 6, 9, 14];
        for (limit, parser) in limits.into_iter().flat_map(|limit| parsers().map(|parser| (limit, parser))) {
            let parser = || parser.clone().max_event_size(limit);
            let whole = seen(parser(), [stream]);
            assert_eq!(seen(parser(), stream.chunks(1)), whole, "{stream:?} byte by byte, limit {limit}");
            for first in 0..=stream.len() {
                for second in first..=stream.len() {
                    let chunks = [&stream[..first], &stream[first..second], &stream[second..]];
                    assert_eq!(seen(parser(), chunks), whole, "{stream:?} cut at {first} and {second}, limit {limit}");
                }
            }
        }
    }
}

/// The times that parts of 8 KiB of one event take, each part byte by byte.
fn costs_of_parts(line: &str, bytes: usize) -> Vec<Duration> {
    let mut parser = Parser::new().max_event_size(usize::MAX);
    let cost = |part: &[u8]| {
        let start = Instant::now();
        for mut byte in part.chunks(1) {
            while parser.next_frame(&mut byte).expect("no limit").is_some() {}
        }
        start.elapsed()
    };
    line.repeat(bytes / line.len()).as_bytes().chunks(8 << 10).map(cost).collect()
}

#[test]
fn the_cost_of_a_byte_does_not_grow_with_the_event() {
    for line in ["data: x\n", "data:xxxxxxxxxxxxxxxx", ":xxxxxxxx", "x", "id: x\n", ":\n"] {
        let costs = costs_of_parts(line, 512 << 10);
        // The least of some, as others use the processor too. A quadratic parser would take 12 times as long.
        let (first, last) = (costs[..4].iter().min(), costs[costs.len() - 16..].iter().min());
        let (Some(first), Some(last)) = (first, last) else { panic!("too few parts") };
        assert!(*last < *first * 5, "{line:?}: {last:?} against {first:?} for 8 KiB");
    }
}

#[test]
fn a_chunk_with_many_frames_is_consumed_a_frame_at_a_time() {
    let mut parser = Parser::new();
    let stream = "data: x\n\n".repeat(1000);
    let mut input = stream.as_bytes();
    let mut left = input.len();
    while let Some(frame) = parser.next_frame(&mut input).expect("small") {
        assert!(matches!(frame, Frame::Event(_)));
        left -= "data: x\n\n".len();
        assert_eq!(input.len(), left);
    }
    assert_eq!(left, 0);
}
