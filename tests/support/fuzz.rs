//! What the fuzzer runs: `fuzz/` includes each of these files, and the tests run them with the seeds.

pub mod backoff;
pub mod framing;
pub mod gzip;
pub mod parse;
pub mod response;
