//! Two streams and a clock in one loop: `cargo run --example sensors`.
//!
//! `Events` dereferences to a crossbeam receiver, so `select!` accepts it with any other channel. An ended connection is
//! set to `None` and replaced with `never()`: an ended channel would always be ready. Needs no network and ends by itself.

#![allow(clippy::print_stdout, reason = "printing is what an example does")]

use http_sse::crossbeam_channel::{never, select, tick};
use http_sse::{Client, Event, Events, Request, RetryPolicy};
use std::error::Error;
use std::io::{self, Write};
use std::net::TcpStream;
use std::{thread, time::Duration};

mod shared;

fn main() -> Result<(), Box<dyn Error>> {
    let url = shared::serve(measure)?;
    let client = Client::builder().no_proxy().build()?;
    let sensor = |path: &str| Request::get(format!("{url}/{path}")).retry(RetryPolicy::forever());
    let mut indoor = Some(client.connect("indoor", sensor("indoor"))?);
    let mut outdoor = Some(client.connect("outdoor", sensor("outdoor"))?);
    let ticker = tick(Duration::from_millis(250));
    while indoor.is_some() || outdoor.is_some() {
        select! {
            recv(indoor.as_deref().unwrap_or(&never())) -> item => show("indoor", &mut indoor, item.ok().transpose()?),
            recv(outdoor.as_deref().unwrap_or(&never())) -> item => show("outdoor", &mut outdoor, item.ok().transpose()?),
            recv(ticker) -> _ => println!("tick: {} connections", client.ids().len()),
        }
    }
    Ok(())
}

/// Prints the event; without one, the stream has ended on purpose.
fn show(name: &str, sensor: &mut Option<Events>, event: Option<Event>) {
    match event {
        Some(event) => println!("{name}: {} °C", event.data()),
        None => {
            println!("{name}: over");
            *sensor = None;
        }
    }
}

fn measure(head: &str, connection: &mut TcpStream) -> io::Result<()> {
    if shared::header(head, "last-event-id").is_some() {
        return shared::refuse(connection, "204 No Content");
    }
    let (pause, celsius) = if head.starts_with("GET /indoor ") { (100, 21) } else { (170, 4) };
    shared::open(connection)?;
    for id in 1..=4 {
        write!(connection, "retry: 500\nid: {id}\ndata: {}\n\n", celsius + id)?;
        thread::sleep(Duration::from_millis(pause));
    }
    Ok(())
}
