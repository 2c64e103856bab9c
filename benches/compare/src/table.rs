//! The tables.

use std::fmt::Write;

use crate::contestant::{FLOOR, Failure};
use crate::results::{Results, Run};
use crate::scenario::{self, LATENCY, RECONNECT};

pub fn markdown(results: &Results) -> Result<String, Failure> {
    let contestants = results.contestants();
    let mut text = format!("{}\n\n", results.machine);
    let statistic = results.statistic.title();
    writeln!(text, "Share of a bare socket's speed, and processor time an event; {statistic}.\n")?;
    heading(&mut text, "scenario", &contestants)?;
    for scenario in scenario::ALL.iter().filter(|scenario| results.has(scenario.name)) {
        row(&mut text, scenario.title, &contestants, |contestant| {
            let share = results.share(scenario.name, contestant)?;
            let cpu = results.least(scenario.name, contestant, |run| run.cpu / run.events)?;
            Some(format!("{share:.1} % · {cpu:.0} ns"))
        })?;
    }
    for (scenario, title) in [
        (LATENCY, "From the server's write to the event in the consumer's hands, 1,000 events a second"),
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

fn heading(text: &mut String, title: &str, columns: &[&str]) -> Result<(), Failure> {
    writeln!(text, "| {title} | {} |", columns.join(" | "))?;
    Ok(writeln!(text, "|---|{}", "---|".repeat(columns.len()))?)
}

fn row(text: &mut String, title: &str, columns: &[&str], cell: impl Fn(&str) -> Option<String>) -> Result<(), Failure> {
    let cells: Vec<String> = columns.iter().map(|column| cell(column).unwrap_or_else(|| "–".to_owned())).collect();
    Ok(writeln!(text, "| {title} | {} |", cells.join(" | "))?)
}
