//! `tests/client/fuzz_seeds/response.rs` under libFuzzer.

#![no_main]

#[path = "../../tests/client/fuzz_seeds/response.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|input: &[u8]| harness::run(input));
