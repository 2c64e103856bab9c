//! What each fault of a peer costs: attempts, memory, CPU time, time to stop, events lost and doubled.
//!
//! ```text
//! cargo bench --bench faults -- stall RST
//! ```
//!
//! Prints the table of docs/faults.md; words choose rows. Rows that wait run eight at a time, those that read as fast as they can
//! one after the other. Needs Linux: the figures come from `/proc`.
#![allow(clippy::unwrap_used, reason = "a failed unwrap ends the measurement")]
#![allow(clippy::print_stdout, reason = "the figures")]

use std::env;
use std::process::ExitCode;
use std::thread;

use support::faults::figures::Figures;
use support::faults::{Group, Row, Settings, again, client, table};

const AT_ONCE: usize = 8;

fn main() -> ExitCode {
    if let Some(figures) = client::play() {
        println!("{}", figures.line());
        return ExitCode::SUCCESS;
    }
    if !cfg!(target_os = "linux") {
        println!("left out: the figures come from /proc");
        return ExitCode::SUCCESS;
    }
    let words: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_chosen = |row: &&Row| words.is_empty() || words.iter().any(|word| row.name.contains(word));
    println!("{}", Figures::HEADING);
    let mut broken = Vec::new();
    let mut rest: Vec<&Row> = table::ROWS.iter().filter(is_chosen).collect();
    while !rest.is_empty() {
        let at_once = rest.iter().take_while(|row| row.group != Group::Endless).take(AT_ONCE).count().max(1);
        let later = rest.split_off(at_once);
        let running: Vec<_> = rest.into_iter().map(|row| (row, thread::spawn(|| measure(row)))).collect();
        for (row, thread) in running {
            let figures = thread.join().unwrap();
            println!("{}", figures.row(row.name));
            broken.extend(row.broken_bounds(&figures, Settings::LONG, 1));
        }
        rest = later;
    }
    println!("\nbounds broken: {}", broken.len());
    broken.iter().for_each(|what| println!("{what}"));
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn measure(row: &Row) -> Figures {
    row.measure(Settings::LONG, again)
}
