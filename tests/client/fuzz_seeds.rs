//! What the fuzzer runs, run with the inputs that are checked in: seeds, and whatever it found.

use std::fs;

use support::fuzz::{backoff, framing, gzip, parse, response};
use support::left_out::left_out;

/// Replays `fuzz/seeds/<target>`; a package from the registry has none.
#[track_caller]
fn replay(target: &str, run: fn(&[u8])) {
    let fuzz = support::root().join("fuzz");
    if !fuzz.exists() {
        return left_out(&format!("there is no {}", fuzz.display()));
    }
    let mut replayed = 0;
    for entry in fs::read_dir(fuzz.join("seeds").join(target)).unwrap() {
        let path = entry.unwrap().path();
        eprintln!("{}", path.display());
        run(&fs::read(path).unwrap());
        replayed += 1;
    }
    assert!(replayed > 5, "only {replayed} seeds");
}

#[test]
fn streams_of_the_corpus_mean_what_the_oracle_says() {
    replay("parse", parse::run);
}

#[test]
fn responses_of_the_corpus_come_to_one_end() {
    replay("response", response::run);
}

#[test]
fn waits_of_the_corpus_are_within_their_bounds() {
    replay("backoff", backoff::run);
}

#[test]
fn bodies_of_the_corpus_are_framed_the_same_wherever_they_are_cut() {
    replay("framing", framing::run);
}

#[test]
fn gzip_of_the_corpus_means_what_another_decoder_says() {
    replay("gzip", gzip::run);
}
