//! `tests/support/fuzz/framing.rs` under libFuzzer.

#![no_main]

#[path = "../../tests/support/fuzz/framing.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|input: &[u8]| harness::run(input));
