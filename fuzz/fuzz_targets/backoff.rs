//! `tests/client/fuzz_seeds/backoff.rs` under libFuzzer.

#![no_main]

#[path = "../../tests/client/fuzz_seeds/backoff.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|input: &[u8]| harness::run(input));
