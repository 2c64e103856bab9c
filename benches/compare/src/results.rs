//! Every single run of a bench, and the file that keeps them.

use std::fmt::Write;
use std::fs;

use crate::words::{FLOOR, Failure};

/// One run of one contestant. Times are in nanoseconds.
#[derive(Clone, Debug)]
pub struct Run {
    pub setup: String,
    pub scenario: String,
    pub contestant: String,
    pub round: usize,
    pub wall: f64,
    pub cpu: f64,
    pub events: f64,
    pub median: f64,
    pub p99: f64,
    /// Context switches: those of a thread that blocked, and those forced on one that could go on.
    pub waits: f64,
    pub preemptions: f64,
}

/// What stands for the rounds of a contestant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Statistic {
    #[default]
    Median,
    /// The best round. On a machine that others use, who needs two cores at once (a thread that reads and one that
    /// consumes) loses far more than who needs one: the best round is what a quiet machine would show.
    Best,
}

impl Statistic {
    pub fn of(arguments: &[String]) -> Self {
        if arguments.iter().any(|argument| argument == "--best") { Self::Best } else { Self::Median }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Median => "medians",
            Self::Best => "the best round of each",
        }
    }
}

/// The runs, and on what machine they were made.
#[derive(Clone, Debug, Default)]
pub struct Results {
    pub statistic: Statistic,
    pub machine: String,
    pub runs: Vec<Run>,
}

const COLUMNS: &str =
    "setup\tscenario\tcontestant\tround\twall_ns\tcpu_ns\tevents\tmedian_ns\tp99_ns\twaits\tpreemptions";

pub fn write(results: &Results, file: &str) -> Result<(), Failure> {
    let mut text = format!("# {}\n{COLUMNS}\n", results.machine);
    for run in &results.runs {
        let Run { setup, scenario, contestant, round, wall, cpu, events, median, p99, waits, preemptions } = run;
        write!(text, "{setup}\t{scenario}\t{contestant}\t{round}\t{wall}\t{cpu}\t{events}\t{median}\t{p99}")?;
        writeln!(text, "\t{waits}\t{preemptions}")?;
    }
    Ok(fs::write(file, text)?)
}

pub fn read(file: &str, statistic: Statistic) -> Result<Results, Failure> {
    let mut results = Results { statistic, ..Results::default() };
    for line in fs::read_to_string(file)?.lines() {
        if let Some(machine) = line.strip_prefix("# ") {
            results.machine = machine.to_owned();
        } else if line != COLUMNS {
            results.runs.push(run(line).ok_or_else(|| format!("not a run: {line:?}"))?);
        }
    }
    Ok(results)
}

fn run(line: &str) -> Option<Run> {
    let mut fields = line.split('\t');
    let (setup, scenario) = (fields.next()?.to_owned(), fields.next()?.to_owned());
    let contestant = fields.next()?.to_owned();
    let round = fields.next()?.parse().ok()?;
    let numbers: Vec<f64> = fields.map(str::parse).collect::<Result<_, _>>().ok()?;
    match numbers[..] {
        [wall, cpu, events, median, p99, waits, preemptions] => {
            Some(Run { setup, scenario, contestant, round, wall, cpu, events, median, p99, waits, preemptions })
        }
        _ => None,
    }
}

impl Results {
    /// What was measured, in order.
    pub fn contestants(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for run in &self.runs {
            if run.contestant != FLOOR && !names.contains(&run.contestant.as_str()) {
                names.push(&run.contestant);
            }
        }
        names
    }

    /// What was measured in one set-up.
    pub fn within(&self, setup: &str) -> Self {
        let runs = self.runs.iter().filter(|run| run.setup == setup).cloned().collect();
        Self { statistic: self.statistic, machine: self.machine.clone(), runs }
    }

    pub fn has(&self, scenario: &str) -> bool {
        self.runs.iter().any(|run| run.scenario == scenario)
    }

    /// A value, less of which is better, over the rounds; `None` where it was not measured.
    pub fn least(&self, scenario: &str, contestant: &str, value: impl Fn(&Run) -> f64) -> Option<f64> {
        let mut values: Vec<f64> = self.of(scenario, contestant).map(value).collect();
        values.sort_by(f64::total_cmp);
        match self.statistic {
            Statistic::Median => values.get(values.len() / 2).copied(),
            Statistic::Best => values.first().copied(),
        }
    }

    /// The share of the floor's speed, in per cent: the median of the rounds, each with its own floor, or that of the
    /// best round of both.
    pub fn share(&self, scenario: &str, contestant: &str) -> Option<f64> {
        let times = match self.statistic {
            Statistic::Median => self.least(scenario, contestant, |run| {
                let floor = self.of(scenario, FLOOR).find(|floor| floor.round == run.round);
                floor.map_or(f64::NAN, |floor| run.wall / floor.wall)
            }),
            Statistic::Best => {
                let floor = self.least(scenario, FLOOR, |run| run.wall)?;
                self.least(scenario, contestant, |run| run.wall / floor)
            }
        };
        Some(100.0 / times?)
    }

    fn of(&self, scenario: &str, contestant: &str) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(move |run| run.scenario == scenario && run.contestant == contestant)
    }
}
