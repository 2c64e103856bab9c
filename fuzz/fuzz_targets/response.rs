//! `tests/support/fuzz/response.rs` under libFuzzer.

#![no_main]

#[path = "../../tests/support/fuzz/response.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|input: &[u8]| harness::run(input));
