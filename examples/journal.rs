//! Follows the systemd journal over HTTP: `cargo run --example journal -- http://localhost:19531 journal.cursor`.
//!
//! The server is systemd-journal-gatewayd (Debian: `systemd-journal-remote`; `systemctl start systemd-journal-gatewayd.socket`).
//! It has no ids: the position in the journal is a cursor inside each entry, which is sent back in the header `Range`. The
//! checkpoint stores it in a file, so that the next run continues after the last printed entry.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what an example does")]

use http_sse::{Checkpoint, Client, Cursor, Event, Request, RetryPolicy};
use std::error::Error;

#[derive(serde::Deserialize)]
struct Entry {
    #[serde(rename = "__CURSOR")]
    cursor: String,
    /// An array of numbers if it is not text, `null` if it is too large.
    #[serde(rename = "MESSAGE")]
    message: Option<serde_json::Value>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(file)) = (arguments.next(), arguments.next()) else {
        return Err("usage: journal URL CHECKPOINT".into());
    };
    let checkpoint = Checkpoint::open(file)?.every_events(100);
    // The server sends the entry of the cursor again.
    let cursor = Cursor::header("Range", "entries={}", cursor_of).inclusive().start_at(checkpoint.last_event_id());
    let request = Request::get(format!("{url}/entries?follow"))
        .cursor(cursor)
        .idle_timeout(None)
        .retry(RetryPolicy::forever())
        .on_error(|error| eprintln!("{error}"));
    for event in Client::new().connect("journal", request)?.checkpoint(checkpoint) {
        match event?.json::<Entry>()?.message {
            Some(serde_json::Value::String(message)) => println!("{message}"),
            message => println!("{message:?}"),
        }
    }
    Ok(())
}

fn cursor_of(event: &Event) -> Option<String> {
    event.json::<Entry>().ok().map(|entry| entry.cursor)
}
