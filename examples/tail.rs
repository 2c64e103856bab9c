//! Prints every event of a stream, indefinitely: `cargo run --example tail -- URL`. Ctrl-C ends it.
//!
//! Failures that are retried go to standard error. A stream to try:
//! `https://stream.wikimedia.org/v2/stream/recentchange`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what an example does")]

use http_sse::{Client, Request, RetryPolicy};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: tail URL")?;
    let request = Request::get(url).retry(RetryPolicy::forever()).on_error(|error| eprintln!("{error}"));
    for event in Client::new().connect("tail", request)? {
        let event = event?;
        println!("{}: {}", event.event_type(), event.data());
    }
    Ok(())
}
