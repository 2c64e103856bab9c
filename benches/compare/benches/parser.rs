//! Parsers in memory: how many bytes a second, whole and in chunks.
//!
//! ```text
//! cargo bench [--features peers]
//! ```
//!
//! The floor finds line ends with memchr and does nothing else. Before the tables: whether the cost of a byte depends
//! on the chunks.

use std::fmt;
use std::hint::black_box;

use divan::Bencher;
use divan::counter::BytesCount;
use http_sse::parser::Parser;
use nix::time::{ClockId, clock_gettime};

#[path = "../src/scenario.rs"]
#[allow(dead_code, reason = "the events alone are needed")]
mod scenario;

use scenario::Scenario;

const STREAM: usize = 1 << 20;

/// A stream in chunks; a chunk of `STREAM` bytes is the whole.
struct Case {
    scenario: &'static str,
    chunk: usize,
}

const CASES: [Case; 8] = [
    Case { scenario: "llm", chunk: usize::MAX },
    Case { scenario: "llm", chunk: 8 << 10 },
    Case { scenario: "tiny", chunk: usize::MAX },
    Case { scenario: "tiny", chunk: 8 << 10 },
    Case { scenario: "typed", chunk: usize::MAX },
    Case { scenario: "typed", chunk: 8 << 10 },
    Case { scenario: "large", chunk: usize::MAX },
    Case { scenario: "large", chunk: 8 << 10 },
];

fn main() {
    linearity();
    divan::main();
}

fn stream(scenario: &str, bytes: usize) -> Vec<u8> {
    let one = Scenario::named(scenario).map_or_else(String::new, |scenario| scenario.text()).into_bytes();
    one.repeat(bytes.div_ceil(one.len().max(1)))
}

/// Measures `parse`, which returns how many pieces of the stream it saw.
fn bench(bencher: Bencher, case: &Case, expected: fn(&[u8]) -> usize, parse: impl Fn(&[u8], usize) -> usize) {
    let text = stream(case.scenario, STREAM);
    assert_eq!(parse(&text, case.chunk), expected(&text), "nothing is left out");
    bencher.counter(BytesCount::of_slice(&text)).bench_local(|| parse(black_box(&text), case.chunk));
}

fn events(text: &[u8]) -> usize {
    text.windows(2).filter(|pair| pair == b"\n\n").count()
}

fn lines(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}

/// This crate's parser, which hands out events that own their text.
#[divan::bench(args = &CASES)]
fn http_sse_owned(bencher: Bencher, case: &Case) {
    bench(bencher, case, events, owned);
}

fn owned(text: &[u8], chunk: usize) -> usize {
    let (mut parser, mut events) = (Parser::new(), 0);
    for mut input in text.chunks(chunk) {
        while let Ok(Some(frame)) = parser.next_frame(&mut input) {
            black_box(frame);
            events += 1;
        }
    }
    events
}

/// The same without copies: events that borrow from the chunk, where they lie whole in it.
#[divan::bench(args = &CASES)]
fn http_sse_borrowed(bencher: Bencher, case: &Case) {
    bench(bencher, case, events, |text, chunk| {
        let (mut parser, mut events) = (Parser::new(), 0);
        for mut input in text.chunks(chunk) {
            loop {
                while let Some(event) = parser.next_event_ref(&mut input) {
                    black_box(event);
                    events += 1;
                }
                match parser.next_frame(&mut input) {
                    Ok(Some(frame)) => drop(black_box(frame)),
                    _ => break,
                }
                events += 1;
            }
        }
        events
    });
}

/// The floor: no parser can do without looking for the line ends.
#[divan::bench(args = &CASES)]
fn memchr_lines(bencher: Bencher, case: &Case) {
    bench(bencher, case, lines, |text, chunk| {
        let ends = |chunk| memchr::memchr_iter(b'\n', chunk).map(black_box).count();
        text.chunks(chunk).map(ends).sum()
    });
}

#[cfg(feature = "peers")]
mod peers {
    use std::convert::Infallible;

    use eventsource_stream::Eventsource;
    use futures_util::{FutureExt, Stream, StreamExt, stream};

    use super::*;

    fn count<E>(mut events: impl Stream<Item = E> + Unpin) -> usize {
        let mut count = 0;
        while let Some(Some(event)) = events.next().now_or_never() {
            black_box(event);
            count += 1;
        }
        count
    }

    /// Its events share the chunk's memory: what it was given, not what it copied, is handed out.
    #[divan::bench(args = &CASES)]
    fn sseer(bencher: Bencher, case: &Case) {
        bench(bencher, case, events, |text, chunk| {
            let chunks = text.chunks(chunk).map(|chunk| Ok::<_, Infallible>(chunk.to_vec()));
            count(std::pin::pin!(sseer::EventStream::new(stream::iter(chunks))))
        });
    }

    #[divan::bench(args = &CASES)]
    fn eventsource_stream(bencher: Bencher, case: &Case) {
        bench(bencher, case, events, |text, chunk| {
            let chunks = text.chunks(chunk).map(Ok::<_, Infallible>);
            count(std::pin::pin!(stream::iter(chunks).eventsource()))
        });
    }
}

/// The cost of a byte in chunks of 1 byte, against chunks of 64: processor time, the least of some runs.
fn linearity() {
    let text = stream("llm", 10_000_000);
    let cost = |chunk: usize| {
        let time = |_| {
            let start = processor_nanoseconds();
            black_box(owned(black_box(&text), chunk));
            processor_nanoseconds() - start
        };
        (0..5).map(time).fold(f64::INFINITY, f64::min) / text.len() as f64
    };
    let (one, many) = (cost(1), cost(64));
    println!("10 MB in chunks of 1 byte: {one:.2} ns a byte; of 64 bytes: {many:.2} ns; ratio {:.1}\n", one / many);
}

fn processor_nanoseconds() -> f64 {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock that every thread has");
    time.tv_sec() as f64 * 1e9 + time.tv_nsec() as f64
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chunk = if self.chunk == usize::MAX { "whole".to_owned() } else { format!("{} KiB", self.chunk >> 10) };
        write!(f, "{}, {chunk}", self.scenario)
    }
}
