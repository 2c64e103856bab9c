//! The tables.

use std::fmt::Write;

use crate::results::{Results, Run};
use crate::scenario::{self, LATENCY, RECONNECT};
use crate::setup;
use crate::words::{FLOOR, Failure, PEERS};

pub fn markdown(results: &Results) -> Result<String, Failure> {
    let mut text = format!("{}\n", results.machine);
    for setup in setup::ALL {
        let results = results.within(setup.name);
        if !results.runs.is_empty() {
            writeln!(text, "\n## {}\n", setup.title)?;
            text += &tables(&results)?;
        }
    }
    Ok(text)
}

fn tables(results: &Results) -> Result<String, Failure> {
    let contestants = results.contestants();
    let mut text = String::new();
    let statistic = results.statistic.title();
    writeln!(
        text,
        "Share of a bare socket's speed, processor time per event, and context switches per 1,000 events (of threads"
    )?;
    writeln!(text, "that blocked + of threads that could go on); {statistic}.\n")?;
    heading(&mut text, "scenario", &contestants)?;
    for scenario in scenario::ALL.iter().filter(|scenario| results.has(scenario.name)) {
        row(&mut text, scenario.title, &contestants, |contestant| {
            let share = results.share(scenario.name, contestant)?;
            let least = |value: fn(&Run) -> f64| results.least(scenario.name, contestant, value);
            let cpu = least(|run| run.cpu / run.events)?;
            let waits = least(|run| 1000.0 * run.waits / run.events)?;
            let preemptions = least(|run| 1000.0 * run.preemptions / run.events)?;
            let speed = if scenario.rate == 0 { format!("{share:.1} % · ") } else { String::new() };
            Some(format!("{speed}{cpu:.0} ns · {waits:.1} + {preemptions:.1}"))
        })?;
    }
    text += &ratios(results, &contestants)?;
    for (scenario, title) in [
        (LATENCY, "From the server's write to the event in the consumer's hands, 1,000 events per second"),
        (
            RECONNECT,
            "From the server's end of a connection to the first event of the next one, a wait of 1 ms included",
        ),
    ] {
        if !results.has(scenario) {
            continue;
        }
        let mut columns = vec![FLOOR];
        columns.extend(&contestants);
        columns.retain(|contestant| results.least(scenario, contestant, |run| run.median).is_some());
        writeln!(text, "\n{title}; {statistic}.\n")?;
        heading(&mut text, "µs", &columns)?;
        for (title, value) in [("median", (|run| run.median) as fn(&Run) -> f64), ("99 %", |run| run.p99)] {
            row(&mut text, title, &columns, |contestant| {
                Some(format!("{:.0}", results.least(scenario, contestant, value)? / 1000.0))
            })?;
        }
    }
    Ok(text)
}

/// CPU time and wall time against each other, from the same rounds.
fn ratios(results: &Results, contestants: &[&str]) -> Result<String, Failure> {
    let mut text = format!("\nCPU time / wall time, as ratios; {}.\n\n", results.statistic.title());
    let peers: Vec<&str> = contestants.iter().copied().filter(|name| PEERS.contains(name)).collect();
    let columns: [(&str, &str, &[&str]); 5] = [
        ("connect : read", "connect", &["read"]),
        ("connect : hand", "connect", &["hand"]),
        ("read : hand", "read", &["hand"]),
        ("connect : best async", "connect", &peers),
        ("read : best async", "read", &peers),
    ];
    heading(&mut text, "scenario", &columns.map(|(title, ..)| title))?;
    for scenario in scenario::ALL.iter().filter(|scenario| results.has(scenario.name)) {
        row(&mut text, scenario.title, &columns.map(|(title, ..)| title), |title| {
            let (_, own, others) = columns.iter().find(|(other, ..)| *other == title)?;
            let ratio = |value: fn(&Run) -> f64| {
                let of = |name: &&str| results.least(scenario.name, name, value);
                let best = others.iter().filter_map(of).min_by(f64::total_cmp)?;
                Some(of(own)? / best)
            };
            let cpu = ratio(|run| run.cpu / run.events)?;
            let wall = ratio(|run| run.wall / run.events)?;
            Some(if scenario.rate == 0 { format!("{cpu:.2} / {wall:.2}") } else { format!("{cpu:.2}") })
        })?;
    }
    Ok(text)
}

fn heading(text: &mut String, title: &str, columns: &[&str]) -> Result<(), Failure> {
    writeln!(text, "| {title} | {} |", columns.join(" | "))?;
    Ok(writeln!(text, "|---|{}", "---|".repeat(columns.len()))?)
}

fn row(text: &mut String, title: &str, columns: &[&str], cell: impl Fn(&str) -> Option<String>) -> Result<(), Failure> {
    let cells: Vec<String> = columns.iter().map(|column| cell(column).unwrap_or_else(|| "–".to_owned())).collect();
    Ok(writeln!(text, "| {title} | {} |", cells.join(" | "))?)
}
