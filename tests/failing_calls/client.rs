//! The program whose calls fail: this test binary once more, on one of the journeys.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{iter, panic, thread};

use http_sse::{Checkpoint, Client, End, Error, Event, Handle, Request, RetryPolicy};
use log::{LevelFilter, Log, Metadata, Record};

/// Shorter than the 10 s after which the program is killed.
const LIMIT: Duration = Duration::from_secs(2);
const JOIN_LIMIT: Duration = Duration::from_secs(5);
const WAIT: Duration = Duration::from_millis(20);
/// Committed before the calls begin to fail.
pub(crate) const FIRST_ID: &str = "2";
pub(crate) const CHECKPOINT: &str = "id";
pub(crate) const AUTHORITY: &str = "authority.pem";

/// Everything that is reported in any way; printed after the calls that may fail.
#[derive(Default)]
struct Seen {
    events: Vec<String>,
    end: String,
    texts: Texts,
}

type Texts = Arc<Mutex<Vec<String>>>;

pub(crate) fn play(journey: &str, url: &str, folder: &Path) {
    let mut seen = Seen::default();
    let texts = Arc::clone(&seen.texts);
    panic::set_hook(Box::new(move |panic| texts.lock().unwrap().push(format!("panicked: {panic}"))));
    let log = Box::new(Warnings(Arc::clone(&seen.texts)));
    log::set_logger(Box::leak(log)).unwrap();
    log::set_max_level(LevelFilter::Warn);
    let authority = fs::read_to_string(folder.join(AUTHORITY)).unwrap();
    let file = folder.join(CHECKPOINT);
    let mut checkpoint = Checkpoint::open(&file).unwrap();
    checkpoint.commit(FIRST_ID).unwrap();
    checkpoint.save().unwrap();
    let before = held();

    mark("start");
    if let Err(error) = seen.travel(journey, url, &authority, &file) {
        seen.end = format!("refused: {error}");
    }
    mark("end");

    let start = Instant::now();
    while held() != before && start.elapsed() < JOIN_LIMIT {
        thread::sleep(Duration::from_millis(1));
    }
    seen.print(before, &file);
}

impl Seen {
    fn travel(
        &mut self,
        journey: &str,
        url: &str,
        authority: &str,
        file: &Path,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let builder = match journey {
            "tls" => Client::builder().no_proxy().only_root_certificates_pem(authority),
            "proxy" => Client::builder().proxy(url),
            _ => Client::builder().no_proxy(),
        };
        let url = if journey == "proxy" { "http://behind.test/" } else { url };
        let texts = Arc::clone(&self.texts);
        let mut request = Request::get(url)
            .retry(RetryPolicy::constant(WAIT).max_retries(None))
            .connect_timeout(LIMIT)
            .response_timeout(LIMIT)
            .idle_timeout(LIMIT)
            .on_error(move |error| texts.lock().unwrap().push(error.to_string()));
        let client = builder.build()?;
        match journey {
            "read" => {
                let events = client.read(journey, request)?;
                let handle = events.handle();
                self.take(events, usize::MAX);
                self.leave(&handle);
            }
            "deadline" => {
                let mut events = client.read(journey, request)?;
                let handle = events.handle();
                self.take(iter::from_fn(|| events.next_timeout(LIMIT).ok()), usize::MAX);
                self.leave(&handle);
            }
            "checkpoint" => {
                let checkpoint = Checkpoint::open(file)?.every_events(1);
                request = request.last_event_id(checkpoint.last_event_id());
                let events = client.connect(journey, request)?.checkpoint(checkpoint);
                let handle = events.get_ref().handle();
                self.take(events, usize::MAX);
                self.leave(&handle);
            }
            _ => {
                let events = client.connect(journey, request)?;
                let handle = events.handle();
                let until = match journey {
                    "tls" => 3,
                    "stop" => 1,
                    _ => usize::MAX,
                };
                self.take(events.into_iter(), until);
                self.leave(&handle);
            }
        }
        Ok(())
    }

    fn take(&mut self, events: impl Iterator<Item = Result<Event, Error>>, until: usize) {
        // Not `take`: the events must live until they have been stopped, and go at the end of this function.
        for event in events {
            match event {
                Ok(event) => self.events.push(event.data().to_owned()),
                Err(error) => self.texts.lock().unwrap().push(error.to_string()),
            }
            if self.events.len() == until {
                break;
            }
        }
    }

    fn leave(&mut self, handle: &Handle) {
        handle.stop();
        self.end = match handle.join_timeout(JOIN_LIMIT).then(|| handle.end()) {
            None => "not joined".to_owned(),
            Some(Some(End::Failed(error))) => format!("refused: {error}"),
            Some(end) => format!("{end:?}"),
        };
    }

    fn print(&self, before: (usize, usize), file: &Path) {
        let reopened = Checkpoint::open(file).unwrap();
        let is_set_aside = file.with_extension("damaged").exists() || reopened.damaged().is_some();
        println!("\nevents\t{}", self.events.join(" "));
        println!("end\t{}", self.end.replace('\n', " "));
        for text in self.texts.lock().unwrap().iter() {
            println!("text\t{}", text.replace('\n', " "));
        }
        println!("before\t{before:?}\nafter\t{:?}", held());
        println!(
            "kept\t{}{}",
            reopened.last_event_id().unwrap_or_default(),
            if is_set_aside { " and a file set aside" } else { "" }
        );
    }
}

/// The supervisor sees the call.
fn mark(name: &str) {
    let _ = fs::metadata(Path::new("/failing-calls").join(name));
}

/// Returns how many threads and descriptors the process has.
fn held() -> (usize, usize) {
    let count = |path: &str| fs::read_dir(path).unwrap().count();
    (count("/proc/self/task"), count("/proc/self/fd"))
}

struct Warnings(Texts);

impl Log for Warnings {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.0.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}
