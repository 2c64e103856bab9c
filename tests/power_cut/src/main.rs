//! The program that `scripts/power-cut` runs in an emulated board.
//!
//!     http-sse-power-cut write WRITER FILE COUNT PAUSE REPORTS    commits ids, every PAUSE seconds
//!     http-sse-power-cut check FILE                               says what is left, and whether it can go on
//!
//! REPORTS is a disk whose writes the host sees: in the same order as those of the disk under test.

#[path = "../../programs/checkpoint_states/writer.rs"]
mod writer;

use std::env;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use http_sse::Checkpoint;

/// A page: nothing has to be read before it is written.
const BLOCK: usize = 4096;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", writer, file, count, pause, reports] => {
            let mut reports = OpenOptions::new().write(true).open(reports)?;
            let pause = Duration::from_secs(pause.parse()?);
            writer::write(writer, Path::new(file), count.parse()?, |line| {
                if line.starts_with("BEGIN") {
                    thread::sleep(pause);
                }
                report(&mut reports, line)
            })?;
        }
        ["check", file] => {
            let file = Path::new(file);
            println!("FOUND {}", found(file));
            println!("THEN {}", found_after_more(file));
        }
        _ => return Err(format!("one of {:?} to write, or a file to check", writer::WRITERS).into()),
    }
    Ok(())
}

/// Returns once the host has seen it.
fn report(reports: &mut File, line: &str) -> io::Result<()> {
    let mut block = [0; BLOCK];
    block[..line.len()].copy_from_slice(line.as_bytes());
    reports.seek(SeekFrom::Start(0))?;
    reports.write_all(&block)?;
    reports.sync_data()
}

fn found(file: &Path) -> String {
    match Checkpoint::open(file) {
        // What was rescued is as good.
        Ok(checkpoint) if checkpoint.last_event_id().is_none() && checkpoint.damaged().is_some() => "damaged".to_owned(),
        Ok(checkpoint) => {
            let number = checkpoint.last_event_id().map_or(Some(0), writer::number);
            number.map_or("garbage".to_owned(), |number| number.to_string())
        }
        Err(error) => format!("error {error}"),
    }
}

fn found_after_more(file: &Path) -> String {
    match writer::write("checkpoint", file, 3, |_| Ok(())) {
        Ok(()) => found(file),
        Err(error) => format!("error {error}"),
    }
}
