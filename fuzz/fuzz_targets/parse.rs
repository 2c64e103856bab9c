//! `tests/support/fuzz/parse.rs` under libFuzzer.

#![no_main]

#[path = "../../tests/support/fuzz/parse.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|input: &[u8]| harness::run(input));
