//! Runs the rounds.

use std::env;
use std::fs;

use crate::results::{self, Results, Run, Statistic};
use crate::scenario::{self, LATENCY, RECONNECT, Scenario};
use crate::server;
use crate::setup::{Load, Setup, cores};
use crate::table;
use crate::words::{self, FLOOR, Failure, takes_part};

pub fn run(arguments: &[String]) -> Result<(), Failure> {
    let rounds: usize = value(arguments, "--rounds").map_or(Ok(5), str::parse)?;
    let block: usize = value(arguments, "--block").map_or(Ok(server::BLOCK), str::parse)?;
    let only = value(arguments, "--only");
    let before = load_average();
    let mut results = Results { statistic: Statistic::of(arguments), ..Results::default() };
    for setup in Setup::possible(value(arguments, "--setup")) {
        let _burners = setup.burn()?;
        let load = Load::start(&setup, block)?;
        let scenarios = scenario::ALL.iter().map(|scenario| (scenario.name, scenario.events / setup.divisor));
        for (scenario, events) in scenarios.chain([(LATENCY, 2_000), (RECONNECT, 201)]) {
            if only.is_some_and(|only| only != scenario) {
                continue;
            }
            for round in 0..rounds {
                for contestant in [FLOOR].iter().chain(words::ALL).filter(|name| takes_part(name, scenario)) {
                    results.runs.push(once(&setup, contestant, scenario, round, events, &load)?);
                }
            }
        }
    }
    results.machine = format!(
        "{}; {rounds} rounds; writes of {block} bytes; load {before} before, {} after",
        machine(),
        load_average()
    );
    let tables = table::markdown(&results)?;
    print!("{tables}");
    if let Some(file) = value(arguments, "--markdown") {
        fs::write(file, tables)?;
    }
    if let Some(file) = value(arguments, "--tsv") {
        results::write(&results, file)?;
    }
    Ok(())
}

/// How many times more than the others the bare socket reads. Otherwise it is done in some 20 ms, and up to four times as
/// fast in one round as in another, by where the system happens to have put the two ends.
const FLOOR_FACTOR: u64 = 8;

fn once(
    setup: &Setup,
    contestant: &str,
    scenario: &str,
    round: usize,
    events: u64,
    load: &Load,
) -> Result<Run, Failure> {
    let is_floor = contestant == FLOOR && Scenario::named(scenario).is_some_and(|scenario| scenario.rate == 0);
    let factor = if is_floor { FLOOR_FACTOR } else { 1 };
    let output =
        setup.contestant()?.args(["run", contestant, scenario, &load.port, &(events * factor).to_string()]).output()?;
    let text = String::from_utf8(output.stdout)?;
    if !output.status.success() {
        return Err(format!("{contestant} on {scenario}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let numbers: Vec<f64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [wall, cpu, events, _, median, p99, waits, preemptions] = numbers[..] else {
        return Err(format!("{contestant} on {scenario} printed {text:?}").into());
    };
    let (wall, cpu) = (wall / factor as f64, cpu / factor as f64);
    let (setup, scenario, contestant) = (setup.name.to_owned(), scenario.to_owned(), contestant.to_owned());
    Ok(Run { setup, scenario, contestant, round, wall, cpu, events: events.max(1.0), median, p99, waits, preemptions })
}

fn value<'a>(arguments: &'a [String], name: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at + 1).map(String::as_str)
}

/// The processor, and how many.
fn machine() -> String {
    let described = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = described.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or(env::consts::ARCH, |model| model.trim_start_matches([' ', '\t', ':']));
    format!("{model}, {} cores", cores())
}

/// How busy the machine is: processes that want to run, over the last minute.
fn load_average() -> String {
    let average = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    average.split(' ').next().unwrap_or_default().to_owned()
}
