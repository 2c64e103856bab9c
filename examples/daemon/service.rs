//! The loop: events, watchdog, and the signal that ends it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what an example does")]

use std::error::Error;
use std::time::{Duration, Instant};
use std::{env, io, thread};

use http_sse::crossbeam_channel::{Receiver, bounded, never, select, tick};
use http_sse::{Client, Request, RetryPolicy, Stats};
use signal_hook::{consts::SIGINT, consts::SIGTERM, iterator::Signals};

use crate::systemd;

/// The client reconnects if nothing arrives for this long; the server should send comments more often.
const IDLE: Duration = Duration::from_secs(60);
/// An attempt ends within 70 s: 10 s to connect, and `IDLE` for the response.
const ATTEMPT: Duration = Duration::from_secs(90);

pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let url = env::args().nth(1).ok_or("usage: daemon URL")?;
    let termination = termination()?;
    let client = Client::new();
    let request = Request::get(url).retry(RetryPolicy::forever()).idle_timeout(IDLE);
    let request = request.on_error(|error| eprintln!("{error}"));
    let rx = client.connect("service", request)?;
    let handle = rx.handle();
    systemd::notify("READY=1")?;
    let watchdog = systemd::watchdog_interval().map_or_else(never, |interval| tick(interval / 2));
    let mut alive = Instant::now();
    loop {
        select! {
            recv(rx) -> event => match event {
                Ok(event) => println!("{}", event?.data()),
                Err(_) => break,
            },
            recv(watchdog) -> _ => {
                if shows_life(&handle.stats()) {
                    alive = Instant::now();
                }
                if alive.elapsed() < ATTEMPT {
                    systemd::notify("WATCHDOG=1")?;
                }
            }
            recv(termination) -> _ => break,
        }
    }
    systemd::notify("STOPPING=1")?;
    if client.shutdown(Duration::from_secs(5)) { Ok(()) } else { Err("the connection did not end in 5 s".into()) }
}

fn shows_life(stats: &Stats) -> bool {
    stats.idle_for.is_some_and(|idle| idle < IDLE * 2) || stats.retry_in.is_some_and(|left| !left.is_zero())
}

/// A channel that receives a message at SIGTERM or SIGINT.
fn termination() -> io::Result<Receiver<()>> {
    let (sender, receiver) = bounded(1);
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    thread::spawn(move || signals.forever().try_for_each(|_| sender.send(())));
    Ok(receiver)
}
