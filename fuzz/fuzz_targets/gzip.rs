//! `tests/client/fuzz_seeds/gzip.rs` under libFuzzer.

#![no_main]

#[path = "../../tests/client/fuzz_seeds/gzip.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|input: &[u8]| harness::run(input));
