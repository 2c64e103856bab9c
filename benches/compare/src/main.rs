//! Compares http-sse with a bare socket and with hand-written readers.
//!
//! `cargo run --release [-- --rounds N] [--only NAME]` prints a markdown table of medians. Every round runs all
//! contestants in turn, each in a fresh process against a server in another; a share is against the bare socket of
//! the same round. `run CONTESTANT SCENARIO PORT EVENTS` is one such process: put `valgrind --tool=callgrind` before it
//! to count its instructions.

mod contestant;
mod report;
mod scenario;
mod server;

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

use contestant::Failure;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => Ok(server::run()?),
        ["run", contestant, scenario, port, events] => measured(contestant, scenario, port, events.parse()?),
        _ => report::run(&arguments),
    }
}

/// One contestant, once: prints wall and processor nanoseconds, events, bytes, and the median and 99th percentile of
/// the latencies.
fn measured(contestant: &str, scenario: &str, port: &str, events: u64) -> Result<(), Failure> {
    let url = format!("http://127.0.0.1:{port}/{scenario}/{events}");
    let (wall, cpu) = (Instant::now(), processor_nanoseconds());
    let mut seen = contestant::run(contestant, &url, scenario == "latency")?;
    let (wall, cpu) = (wall.elapsed().as_nanos(), processor_nanoseconds() - cpu);
    seen.latencies.sort_unstable();
    let at = |share: usize| seen.latencies.get(seen.latencies.len() * share / 100).copied().unwrap_or(0);
    println!("{wall} {cpu} {} {} {} {}", seen.events, seen.bytes, at(50), at(99));
    if contestant != "raw" && seen.events != events {
        return Err(format!("{contestant} saw {} of {events} events", seen.events).into());
    }
    Ok(())
}

fn processor_nanoseconds() -> u128 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u128 * 1_000_000_000 + time.tv_nsec as u128
}

/// The server's process, and its port.
pub struct Load {
    process: Child,
    pub port: String,
}

impl Load {
    pub fn start() -> Result<Self, Failure> {
        let mut process = Command::new(env::current_exe()?).arg("serve").stdout(Stdio::piped()).spawn()?;
        let mut port = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut port)?;
        Ok(Self { process, port: port.trim().to_owned() })
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // It has nothing to lose.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
