//! What was found, as the table of docs/failing-calls.md.

use std::time::Duration;

use crate::Journey;
use crate::case::{Case, Outcome, Verdict};

#[derive(Default)]
struct Row {
    cases: usize,
    absorbed: usize,
    reported: usize,
    refused: usize,
    text: String,
}

#[derive(Default)]
pub(crate) struct Table {
    /// By call and error, in the order in which they come up.
    rows: Vec<((&'static str, &'static str), Row)>,
    journeys: Vec<(&'static str, usize, usize, Duration)>,
    pub(crate) faults: Vec<String>,
}

impl Table {
    pub(crate) fn add(&mut self, journey: &'static Journey, cases: &[Case], verdicts: Vec<Verdict>) {
        let slowest = verdicts.iter().map(|verdict| verdict.time).max().unwrap_or_default();
        let missed = verdicts.iter().filter(|verdict| verdict.outcome == Outcome::NotReached).count();
        self.journeys.push((journey.name, cases.len(), missed, slowest));
        if missed > cases.len() / 4 {
            self.faults.push(format!("{}: {missed} of {} failures did not come about", journey.name, cases.len()));
        }
        for (case, verdict) in cases.iter().zip(verdicts) {
            let length = if case.length.is_zero() { String::new() } else { format!(", for {:?}", case.length) };
            let place = format!("{}, {} of {} {}{length}", journey.name, case.errno.0, case.call, case.count);
            self.faults.extend(verdict.faults.into_iter().map(|fault| format!("{place}: {fault}")));
            self.row((case.call, case.errno.0)).count(verdict.outcome);
        }
    }

    fn row(&mut self, key: (&'static str, &'static str)) -> &mut Row {
        let place = self.rows.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
            self.rows.push((key, Row::default()));
            self.rows.len() - 1
        });
        &mut self.rows[place].1
    }

    pub(crate) fn print(&self, is_whole: bool) {
        if is_whole {
            println!(
                "| call | error | failed | absorbed | reported | refused | the program reads |\n|---|---|---|---|---|---|---|"
            );
            for ((call, errno), row) in &self.rows {
                let Row { cases, absorbed, reported, refused, text } = row;
                println!("| {call} | {errno} | {cases} | {absorbed} | {reported} | {refused} | {text} |");
            }
            println!();
        }
        println!("| journey | failures | not reached | slowest, ms |\n|---|---|---|---|");
        for (name, cases, missed, slowest) in &self.journeys {
            println!("| {name} | {cases} | {missed} | {} |", slowest.as_millis());
        }
        println!("\nfaults: {}", self.faults.len());
        self.faults.iter().for_each(|fault| println!("{fault}"));
    }
}

impl Row {
    fn count(&mut self, outcome: Outcome) {
        let text = match outcome {
            Outcome::NotReached => return,
            Outcome::Absorbed => {
                self.absorbed += 1;
                String::new()
            }
            Outcome::Reported(text) => {
                self.reported += 1;
                text
            }
            Outcome::Refused(text) => {
                self.refused += 1;
                text
            }
        };
        self.cases += 1;
        if self.text.is_empty() {
            self.text = text;
        }
    }
}
