//! A stream that breaks off, and a client that reconnects: `cargo run --example quickstart`.
//!
//! Needs no network and ends by itself: the server is part of this program. It sends six readings, and closes the
//! connection after each third one. The client reconnects and sends the last id it has received, so that the server
//! resumes there. When there is nothing left, the server answers 204: do not reconnect.

#![allow(clippy::print_stdout, reason = "printing is what an example does")]

use http_sse::{Client, Request};
use std::error::Error;
use std::io::{self, Write};
use std::net::TcpStream;

mod shared;

const READINGS: u32 = 6;

fn main() -> Result<(), Box<dyn Error>> {
    let url = shared::serve(three_readings)?;
    let client = Client::builder().no_proxy().build()?;
    let events = client.connect("quickstart", Request::get(url))?;
    let handle = events.handle();
    for event in events {
        let event = event?;
        println!("client: {} with id {}", event.data(), event.id().unwrap_or("none"));
    }
    println!("client: the end is {:?} after {} attempts", handle.end(), handle.stats().attempts);
    Ok(())
}

/// The server: sends the readings after the last id of the client.
fn three_readings(head: &str, connection: &mut TcpStream) -> io::Result<()> {
    let last_event_id = shared::header(head, "last-event-id");
    println!("server: a request with Last-Event-ID {}", last_event_id.unwrap_or("none"));
    let seen: u32 = last_event_id.and_then(|id| id.parse().ok()).unwrap_or(0);
    if seen >= READINGS {
        return shared::refuse(connection, "204 No Content");
    }
    shared::open(connection)?;
    // The reconnection time of the client, in milliseconds.
    connection.write_all(b"retry: 500\n\n")?;
    for id in seen + 1..=seen + 3 {
        write!(connection, "id: {id}\ndata: reading {id}\n\n")?;
    }
    Ok(())
}
