//! All callbacks, and no loop: `cargo run --example callbacks [-- URL]`.
//!
//! `listen` has no channel: the closures run on the connection's thread, in stream order. Without a URL they use a server
//! inside this program, which is not ready at first, then sends a comment and an event, and then ends the stream.

#![allow(clippy::print_stdout, reason = "printing is what an example does")]

use http_sse::{Client, Request};
use std::error::Error;
use std::io::{self, Write};
use std::net::TcpStream;

mod shared;

fn main() -> Result<(), Box<dyn Error>> {
    let (client, url) = match std::env::args().nth(1) {
        Some(url) => (Client::new(), url),
        None => (Client::builder().no_proxy().build()?, shared::serve(not_ready_at_first)?),
    };
    let request = Request::get(url)
        .before_connect(|attempt| {
            println!("before_connect: attempt {}, last error {:?}", attempt.number(), attempt.last_error());
            attempt.header("x-attempt", attempt.number().to_string());
        })
        .retry_when(|error| {
            println!("retry_when: {error}");
            error.is_transient() || error.status() == Some(404)
        })
        .on_open(|response| println!("on_open: status {}, attempt {}", response.status(), response.attempt()))
        .on_comment(|text| println!("on_comment:{text}"))
        .on_event(|event| println!("on_event: {} {:?}", event.event_type(), event.data()))
        .on_error(|error| println!("on_error: {error}"))
        .on_close(|end| println!("on_close: {end:?}"));
    client.listen("callbacks", request)?.join();
    Ok(())
}

fn not_ready_at_first(head: &str, connection: &mut TcpStream) -> io::Result<()> {
    match shared::header(head, "x-attempt") {
        Some("1") => shared::refuse(connection, "404 Not Found"),
        Some("2") => {
            shared::open(connection)?;
            connection.write_all(b"retry: 500\n: still there\nevent: greeting\ndata: hello\n\n")
        }
        _ => shared::refuse(connection, "204 No Content"),
    }
}
