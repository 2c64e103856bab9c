//! The cases against the parser alone.

use http_sse::parser::Parser;

use super::case::{Case, Seen};
use super::{cases, verdict};

/// Streams up to this size are cut at every pair of places too.
const SHORT: usize = 96;

fn outcome<'a, I: IntoIterator<Item = &'a [u8]>>(mut parser: Parser, chunks: I) -> (Vec<Seen>, String) {
    let mut seen = Vec::new();
    for mut chunk in chunks {
        while let Some(frame) = parser.next_frame(&mut chunk).unwrap() {
            seen.push(Seen::from(frame));
        }
    }
    (seen, parser.last_event_id().unwrap_or_default().to_owned())
}

#[track_caller]
fn every_case(cuts: impl Fn(&Case) -> Vec<Vec<&[u8]>>) {
    let cases = cases();
    let mut wrong = Vec::new();
    for case in &cases {
        let expected = (case.sees.clone(), case.last_id.clone());
        let differs = |chunks: &Vec<&[u8]>| outcome(Parser::new(), chunks.iter().copied()) != expected;
        if let Some(chunks) = cuts(case).into_iter().find(differs) {
            let lengths: Vec<usize> = chunks.iter().map(|chunk| chunk.len()).collect();
            let got = outcome(Parser::new(), chunks);
            wrong.push(format!("{} in chunks of {lengths:?}: {got:?} instead of {expected:?}", case.title()));
        }
    }
    verdict(wrong, cases.len());
}

#[test]
fn a_stream_in_one_piece_means_what_the_suites_say() {
    every_case(|case| vec![vec![&case.stream[..]]]);
}

#[test]
fn a_stream_byte_by_byte_means_the_same() {
    every_case(|case| vec![case.stream.chunks(1).collect(), case.stream.chunks(2).collect()]);
}

#[test]
fn a_stream_cut_in_two_anywhere_means_the_same() {
    every_case(|case| {
        let cut = |at| <[&[u8]; 2]>::from(case.stream.split_at(at)).to_vec();
        (0..=case.stream.len()).map(cut).collect()
    });
}

#[test]
fn a_short_stream_cut_in_three_anywhere_means_the_same() {
    every_case(|case| {
        let end = if case.stream.len() <= SHORT { case.stream.len() } else { 0 };
        let cut = |first: usize, second: usize| {
            vec![&case.stream[..first], &case.stream[first..second], &case.stream[second..]]
        };
        (0..=end).flat_map(|first| (first..=end).map(move |second| cut(first, second))).collect()
    });
}

/// `launchdarkly tests_basic_parsing.go`: data of megabytes, in one chunk and in two.
#[test]
fn a_message_of_ten_megabytes_comes_whole_where_it_is_allowed() {
    let data = "0123456789abcdef".repeat(10 << 16);
    let stream = format!("data: {data}\n\n");
    for chunk in [stream.len(), stream.len() / 2 + 3, 64 << 10] {
        let parser = Parser::new().max_event_size(16 << 20);
        let (seen, _) = outcome(parser, stream.as_bytes().chunks(chunk));
        assert!(matches!(&seen[..], [Seen::Event { data: got, .. }] if *got == data), "in chunks of {chunk}");
    }
}

#[test]
fn every_case_names_its_source_and_differs_from_the_others() {
    let mut titles: Vec<_> = cases().into_iter().map(|case| (case.title(), case.stream)).collect();
    let count = titles.len();
    assert!(titles.iter().all(|(title, _)| ["html ", "wpt ", "launchdarkly "].iter().any(|s| title.starts_with(s))));
    titles.sort();
    titles.dedup();
    assert_eq!(titles.len(), count);
}
