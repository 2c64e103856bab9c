//! Compares http-sse with a bare socket, with readers written by hand and, with the feature `peers`, with async clients.
//!
//! ```text
//! cargo run --release [--features peers] -- [--setup SETUP] [--rounds N] [--only SCENARIO]
//!     [--block BYTES] [--best] [--tsv FILE] [--markdown FILE]
//! cargo run --release -- --draw FILE FOLDER [--best]
//! cargo run --release -- --print FILE [--best]
//! ```
//!
//! prints markdown tables of medians, or of the best rounds; `--tsv` keeps every single run, `--draw` draws charts of
//! such a file, and `--print` prints its tables. Every round runs all contestants in turn, each in a fresh process against a server in another; a share is against the bare
//! socket of the same round. `run CONTESTANT SCENARIO PORT EVENTS` is one such process: put
//! `valgrind --tool=callgrind` before it to count its instructions. `serve` is the server, and `burn` a busy
//! loop. All is measured in three set-ups (`setup.rs`), the last of them with fewer events.

mod chart;
mod contestant;
#[cfg(feature = "peers")]
mod peer;
mod report;
mod results;
mod scenario;
mod server;
mod setup;
mod table;
mod target;
mod words;

use std::env;
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::time::{ClockId, clock_gettime};

use results::Statistic;
use scenario::RECONNECT;
use target::Target;
use words::{FLOOR, Failure};

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["burn"] => loop {
            std::hint::spin_loop();
        },
        ["serve"] => server::run(server::BLOCK),
        ["serve", block] => server::run(block.parse()?),
        ["run", contestant, scenario, port, events] => measured(contestant, scenario, port, events.parse()?),
        ["--draw", file, folder, ..] => chart::draw(&results::read(file, Statistic::of(&arguments))?, folder),
        ["--print", file, ..] => {
            print!("{}", table::markdown(&results::read(file, Statistic::of(&arguments))?)?);
            Ok(())
        }
        _ => report::run(&arguments),
    }
}

/// One contestant, once: prints wall and processor nanoseconds, events, bytes, the median and 99th percentile of the
/// latencies, and voluntary and forced context switches.
fn measured(contestant: &str, scenario: &str, port: &str, events: u64) -> Result<(), Failure> {
    let target = Target::new(scenario, port, events)?;
    let (wall, cpu) = (Instant::now(), processor_nanoseconds()?);
    let mut seen = contestant::run(contestant, &target)?;
    let (wall, cpu) = (wall.elapsed().as_nanos(), processor_nanoseconds()? - cpu);
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let (waits, preemptions) = (usage.voluntary_context_switches(), usage.involuntary_context_switches());
    if scenario == RECONNECT && !seen.latencies.is_empty() {
        // What was closed before the first connection was not this contestant's.
        seen.latencies.remove(0);
    }
    seen.latencies.sort_unstable();
    let at = |share: usize| seen.latencies.get(seen.latencies.len() * share / 100).copied().unwrap_or(0);
    println!("{wall} {cpu} {} {} {} {} {waits} {preemptions}", seen.events, seen.bytes, at(50), at(99));
    if contestant != FLOOR && seen.events != events {
        return Err(format!("{contestant} saw {} of {events} events", seen.events).into());
    }
    Ok(())
}

fn processor_nanoseconds() -> Result<u128, Failure> {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?;
    Ok(time.tv_sec() as u128 * 1_000_000_000 + time.tv_nsec() as u128)
}
