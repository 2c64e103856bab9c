//! Runs the rounds and prints the tables.

use std::env;
use std::process::Command;

use crate::Load;
use crate::contestant::{self, Failure};
use crate::scenario::{self, Scenario};

/// One run of one contestant.
#[derive(Clone, Copy, Debug)]
struct Run {
    wall: f64,
    cpu: f64,
    events: f64,
    median: f64,
    p99: f64,
}

pub fn run(arguments: &[String]) -> Result<(), Failure> {
    let rounds: usize = value(arguments, "--rounds").map_or(Ok(5), |value| value.parse())?;
    let only = value(arguments, "--only");
    let contestants = contestant::ALL;
    let load = Load::start()?;
    println!("Share of a bare socket's speed in the same round (median of {rounds}), and processor time an event.\n");
    println!("| scenario | {} |", contestants[1..].join(" | "));
    println!("|---|{}", "---|".repeat(contestants.len() - 1));
    for scenario in scenario::ALL.iter().filter(|scenario| only.is_none_or(|only| only == scenario.name)) {
        let cells = throughput(scenario, &contestants, rounds, &load)?;
        println!("| {} | {} |", scenario.title, cells.join(" | "));
    }
    if only.is_none_or(|only| only == "latency") {
        println!("\n| latency at 1 kHz | {} |", contestants.join(" | "));
        println!("|---|{}", "---|".repeat(contestants.len()));
        println!("| median / 99 % (µs) | {} |", latency(&contestants, rounds, &load)?.join(" | "));
    }
    Ok(())
}

fn throughput(scenario: &Scenario, contestants: &[&str], rounds: usize, load: &Load) -> Result<Vec<String>, Failure> {
    let mut shares = vec![Vec::new(); contestants.len()];
    let mut costs = vec![Vec::new(); contestants.len()];
    for _ in 0..rounds {
        let floor = once("raw", scenario.name, scenario.events, load)?;
        for (index, contestant) in contestants.iter().enumerate().skip(1) {
            let run = once(contestant, scenario.name, scenario.events, load)?;
            shares[index].push(100.0 * floor.wall / run.wall);
            costs[index].push(run.cpu / run.events);
        }
    }
    Ok((1..contestants.len())
        .map(|at| format!("{:.1} % · {:.0} ns", median(&shares[at]), median(&costs[at])))
        .collect())
}

fn latency(contestants: &[&str], rounds: usize, load: &Load) -> Result<Vec<String>, Failure> {
    let mut medians = vec![Vec::new(); contestants.len()];
    let mut tails = vec![Vec::new(); contestants.len()];
    for _ in 0..rounds {
        for (index, contestant) in contestants.iter().enumerate() {
            let run = once(contestant, "latency", 2_000, load)?;
            medians[index].push(run.median / 1000.0);
            tails[index].push(run.p99 / 1000.0);
        }
    }
    Ok((0..contestants.len()).map(|at| format!("{:.0} / {:.0}", median(&medians[at]), median(&tails[at]))).collect())
}

fn once(contestant: &str, scenario: &str, events: u64, load: &Load) -> Result<Run, Failure> {
    let output = Command::new(env::current_exe()?)
        .args(["run", contestant, scenario, &load.port, &events.to_string()])
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    if !output.status.success() {
        return Err(format!("{contestant} on {scenario}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let numbers: Vec<f64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    match numbers[..] {
        [wall, cpu, events, _, median, p99] => Ok(Run { wall, cpu, events: events.max(1.0), median, p99 }),
        _ => Err(format!("{contestant} on {scenario} printed {text:?}").into()),
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

fn value<'a>(arguments: &'a [String], name: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at + 1).map(String::as_str)
}
