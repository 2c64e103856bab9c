//! The charts: panels of bars, this crate's in colour.

use std::fs;
use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::results::{Results, Run};
use crate::scenario::{self, LATENCY, RECONNECT};
use crate::setup;
use crate::words::{FLOOR, Failure, OURS};

const WIDTH: u32 = 900;
const TITLE: u32 = 72;
const COLUMNS: usize = 2;
const BAR: i32 = 16;
const GAP: i32 = 6;
/// Above the bars of a panel, for its title, and below them.
const HEAD: i32 = 32;
const FOOT: i32 = 18;
/// Room for the names at the left of the bars, and for the values at the right.
const NAMES: i32 = 148;
const VALUES: i32 = 62;
const MARGIN: i32 = 18;

const FONTS: &str = "system-ui, sans-serif";

const PAPER: RGBColor = RGBColor(255, 255, 255);
const INK: RGBColor = RGBColor(31, 35, 40);
const FAINT: RGBColor = RGBColor(101, 109, 118);
const OTHERS: RGBColor = RGBColor(175, 184, 193);
const OUR_OWN: RGBColor = RGBColor(15, 118, 110);
/// Each colour in a browser that is set to dark.
const DARK: [(RGBColor, &str); 5] =
    [(PAPER, "#0d1117"), (INK, "#e6edf3"), (FAINT, "#9198a1"), (OTHERS, "#59636e"), (OUR_OWN, "#2dd4bf")];

/// One small diagram, and what its bars stand for.
struct Panel {
    title: String,
    bars: Vec<(String, f64)>,
}

struct Chart {
    title: &'static str,
    subtitle: &'static str,
    unit: &'static str,
    panels: Vec<Panel>,
}

/// Writes throughput.svg, cpu.svg and latency.svg into the folder.
pub fn draw(results: &Results, folder: &str) -> Result<(), Failure> {
    fs::create_dir_all(folder)?;
    let results = &results.within(setup::ALL[0].name);
    let speeds = |value: fn(&Results, &str, &str) -> Option<f64>| {
        let streams = scenario::ALL.iter().filter(|scenario| scenario.rate == 0);
        streams.map(|scenario| panel(results, scenario.title, scenario.name, value)).collect()
    };
    let times = [
        (LATENCY, "Write to event, 1,000 per second: median", (|run| run.median / 1000.0) as fn(&Run) -> f64),
        (LATENCY, "Write to event, 1,000 per second: 99 %", |run| run.p99 / 1000.0),
        (RECONNECT, "End of a connection to the next event: median", |run| run.median / 1000.0),
        (RECONNECT, "End of a connection to the next event: 99 %", |run| run.p99 / 1000.0),
    ];
    let charts = [
        (
            "throughput.svg",
            Chart {
                title: "Speed, as a share of a bare socket's",
                subtitle: "More is better. A loop of read(2) calls that looks at nothing is 100 %.",
                unit: " %",
                panels: speeds(Results::share),
            },
        ),
        (
            "cpu.svg",
            Chart {
                title: "CPU time per event",
                subtitle: "Less is better. All threads, in user space and in the kernel.",
                unit: " ns",
                panels: speeds(|results, scenario, contestant| {
                    results.least(scenario, contestant, |run| run.cpu / run.events)
                }),
            },
        ),
        (
            "latency.svg",
            Chart {
                title: "Latency",
                subtitle: "Less is better. A reconnect waits for 1 ms first.",
                unit: " µs",
                panels: times
                    .into_iter()
                    .map(|(scenario, title, value)| {
                        panel(results, title, scenario, |results, scenario, contestant| {
                            results.least(scenario, contestant, value)
                        })
                    })
                    .collect(),
            },
        ),
    ];
    for (file, mut chart) in charts {
        chart.panels.retain(|panel| !panel.bars.is_empty());
        if !chart.panels.is_empty() {
            fs::write(Path::new(folder).join(file), svg(&chart)?)?;
        }
    }
    Ok(())
}

fn panel(results: &Results, title: &str, scenario: &str, value: impl Fn(&Results, &str, &str) -> Option<f64>) -> Panel {
    let mut contestants = results.contestants();
    if scenario == LATENCY {
        contestants.insert(0, FLOOR);
    }
    let bars = contestants.into_iter().filter_map(|name| Some((name.to_owned(), value(results, scenario, name)?)));
    Panel { title: title.to_owned(), bars: bars.collect() }
}

fn svg(chart: &Chart) -> Result<String, Failure> {
    let rows: Vec<&[Panel]> = chart.panels.chunks(COLUMNS).collect();
    let heights: Vec<i32> = rows.iter().map(|row| row.iter().map(Panel::height).max().unwrap_or(0)).collect();
    let size = (WIDTH, TITLE + heights.iter().sum::<i32>() as u32);
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        root.fill(&PAPER)?;
        root.draw(&Text::new(chart.title, (MARGIN, 14), style(23, INK, FontStyle::Bold)))?;
        root.draw(&Text::new(chart.subtitle, (MARGIN, 42), style(16, FAINT, FontStyle::Normal)))?;
        let mut top = TITLE as i32;
        for (row, height) in rows.iter().zip(&heights) {
            for (column, panel) in row.iter().enumerate() {
                let left = (column as u32 * WIDTH / COLUMNS as u32) as i32;
                panel.draw(&root, (left + MARGIN, top), chart.unit)?;
            }
            top += height;
        }
        root.present()?;
    }
    Ok(with_dark_colours(&text))
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

impl Panel {
    fn height(&self) -> i32 {
        HEAD + FOOT + self.bars.len() as i32 * (BAR + GAP)
    }

    fn draw(&self, area: &Area<'_>, (left, top): (i32, i32), unit: &str) -> Result<(), Failure> {
        let most = self.bars.iter().map(|bar| bar.1).fold(f64::MIN_POSITIVE, f64::max);
        let room = (WIDTH as i32 / COLUMNS as i32) - 2 * MARGIN - NAMES - VALUES;
        area.draw(&Text::new(self.title.clone(), (left, top + 4), style(17, INK, FontStyle::Bold)))?;
        for (index, (name, value)) in self.bars.iter().enumerate() {
            let is_ours = OURS.contains(&name.as_str());
            let (fill, ink) = if is_ours { (OUR_OWN, INK) } else { (OTHERS, FAINT) };
            let weight = if is_ours { FontStyle::Bold } else { FontStyle::Normal };
            let (y, start) = (top + HEAD + index as i32 * (BAR + GAP), left + NAMES);
            let end = start + ((f64::from(room) * value / most) as i32).max(1);
            let label = style(15, ink, weight).pos(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(title(name), (start - 8, y + BAR / 2), label))?;
            area.draw(&Rectangle::new([(start, y), (end, y + BAR)], fill.filled()))?;
            let label = style(15, ink, weight).pos(Pos::new(HPos::Left, VPos::Center));
            area.draw(&Text::new(quantity(*value, unit), (end + 6, y + BAR / 2), label))?;
        }
        Ok(())
    }
}

/// How a contestant is called in a chart.
fn title(contestant: &str) -> String {
    match contestant {
        "raw" => "bare socket",
        "lines" => "ureq lines, no events",
        "hand" => "written by hand",
        "connect" => "http-sse connect",
        "read" => "http-sse read",
        other => other,
    }
    .to_owned()
}

fn quantity(value: f64, unit: &str) -> String {
    match unit {
        " ns" if value >= 10_000.0 => format!("{} µs", number(value / 1000.0)),
        _ => format!("{}{unit}", number(value)),
    }
}

fn number(value: f64) -> String {
    let digits = if value < 9.95 { format!("{value:.1}") } else { format!("{value:.0}") };
    match digits.len() {
        // A thousands' separator.
        4.. if !digits.contains('.') => format!("{},{}", &digits[..digits.len() - 3], &digits[digits.len() - 3..]),
        _ => digits,
    }
}

fn style(size: i32, colour: RGBColor, weight: FontStyle) -> TextStyle<'static> {
    (FONTS, size, weight).into_font().color(&colour)
}

/// A browser that is set to dark gets other colours; everything else shows the file as it was drawn.
fn with_dark_colours(svg: &str) -> String {
    let rules: String = DARK
        .iter()
        .map(|(RGBColor(red, green, blue), dark)| format!("[fill=\"#{red:02X}{green:02X}{blue:02X}\"]{{fill:{dark}}}"))
        .collect();
    let style = format!("<style>@media (prefers-color-scheme: dark){{{rules}}}</style>\n<rect ");
    svg.replacen("<rect ", &style, 1)
}
