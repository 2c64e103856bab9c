//! A whole client over a simulated network, disk and clocks, on one thread: a seed decides everything that happens to it.
//!
//! `scripts/simulate` runs it. What must hold whatever happens is in `delivery`, `policy` and
//! `verdict`, and for the checkpoint in `journey`; what a server does in `script` and `framing`.

mod chance;
mod delivery;
mod disk;
mod framing;
mod journey;
mod policy;
mod script;
mod stream;
mod verdict;
mod watchdog;
mod world;

use std::env;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use journey::Journey;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    watchdog::start();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse::<u64>().ok());
    match (arguments.first().map(String::as_str), number(1)) {
        (Some("seconds"), Some(seconds)) => many(Duration::from_secs(seconds), u64::MAX, fresh_seed()),
        (Some("count"), Some(count)) => many(Duration::MAX, count, number(2).unwrap_or(0)),
        (Some("seed"), Some(seed)) => one(seed),
        _ => {
            eprintln!("usage: seconds N | count N [FIRST] | seed SEED");
            ExitCode::from(2)
        }
    }
}

fn fresh_seed() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_micros() as u64 & 0xffff_ffff_ffff
}

fn many(limit: Duration, count: u64, first: u64) -> ExitCode {
    let start = Instant::now();
    let (mut done, mut events, mut attempts) = (0, 0, 0);
    while done < count && start.elapsed() < limit {
        let seed = first + done;
        watchdog::begin(seed);
        let journey = Journey::run(seed, false);
        if let Some(fault) = journey.fault {
            println!("seed {seed}: {fault}\nreplay it with: scripts/simulate seed {seed}");
            return ExitCode::FAILURE;
        }
        done += 1;
        events += journey.events;
        attempts += journey.attempts;
    }
    let rate = done as f64 / start.elapsed().as_secs_f64();
    println!(
        "{done} seeds from {first} on, {attempts} attempts, {events} events, {rate:.0} seeds per second: nothing found"
    );
    ExitCode::SUCCESS
}

fn one(seed: u64) -> ExitCode {
    watchdog::begin(seed);
    let journey = Journey::run(seed, true);
    match journey.fault {
        None => ExitCode::SUCCESS,
        Some(fault) => {
            println!("FAULT: {fault}");
            ExitCode::FAILURE
        }
    }
}
