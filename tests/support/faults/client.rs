//! The process with the client: reads as its row says, and measures itself.

use std::env;
use std::hint;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use http_sse::crossbeam_channel::{RecvTimeoutError, TryRecvError, bounded};
use http_sse::{Client, Error, Event, Events, Request};

use super::figures::{Figures, cpu_us, median};
use super::{Group, Row, Settings, table};
use crate::process::{peak, reset_peak, resident};

/// Set for a process that is to be a client.
pub const ROW: &str = "HTTP_SSE_FAULT";
pub const SETTINGS: &str = "HTTP_SSE_FAULT_SETTINGS";
pub const URL: &str = "HTTP_SSE_FAULT_URL";
pub const PEM: &str = "HTTP_SSE_FAULT_PEM";
/// For what a row waits for beyond its window.
const DEADLINE: Duration = Duration::from_secs(10);

/// Is the client of the row that the environment names, and returns its figures; `None` in every other process.
pub fn play() -> Option<Figures> {
    let name = env::var(ROW).ok()?;
    let row = table::ROWS.iter().find(|row| row.name == name).unwrap();
    let settings = Settings::named(&env::var(SETTINGS).unwrap());
    let builder = Client::builder().no_proxy();
    let builder = match env::var(PEM) {
        Ok(pem) => builder.only_root_certificates_pem(pem),
        Err(_) => builder,
    };
    let visitor = Visitor { client: builder.build().unwrap(), url: env::var(URL).unwrap(), row, settings };
    let mut figures = visitor.watch();
    visitor.stop_often(&mut figures);
    Some(figures)
}

struct Visitor {
    client: Client,
    url: String,
    row: &'static Row,
    settings: Settings,
}

impl Visitor {
    fn request(&self) -> Request {
        (self.row.request)(Request::get(&self.url).retry(self.settings.policy()), self.settings)
    }

    fn watch(&self) -> Figures {
        let mut figures = Figures { failure: "-".to_owned(), ..Figures::default() };
        let failure = Arc::new(Mutex::new(figures.failure.clone()));
        let noted = Arc::clone(&failure);
        let request = self.request().on_error(move |error| *noted.lock().unwrap() = variant(error));
        reset_peak();
        let (memory_before, cpu_before, start) = (resident(), cpu_us(), Instant::now());
        let rx = self.client.connect("watched", request).unwrap();
        let handle = rx.handle();
        let mut until = start + self.settings.window;
        let mut last = 0;
        loop {
            match rx.recv_deadline(until) {
                Ok(Ok(event)) => take(&event, &mut last, &mut figures),
                Ok(Err(_)) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    figures.has_ended = true;
                    break;
                }
                Err(RecvTimeoutError::Timeout) => {
                    let is_complete = handle.stats().attempts >= self.row.attempts.least()
                        && (figures.events > 0 || !self.row.has_events)
                        && (*failure.lock().unwrap() != "-" || self.row.sees.is_empty());
                    if is_complete || start.elapsed() > self.settings.window + DEADLINE {
                        break;
                    }
                    until = Instant::now() + Duration::from_millis(10);
                }
            }
        }
        let stats = handle.stats();
        figures.cpu_us = cpu_us().saturating_sub(cpu_before);
        figures.peak_kib = peak().saturating_sub(memory_before);
        // Taken last: the bound of the attempts grows with it.
        (figures.attempts, figures.bytes) = (stats.attempts, stats.bytes);
        figures.elapsed_ms = start.elapsed().as_millis() as u64;
        figures.failure = failure.lock().unwrap().clone();
        drop(rx);
        assert!(handle.join_timeout(DEADLINE));
        figures
    }

    fn stop_often(&self, figures: &mut Figures) {
        let mut controls = Vec::new();
        let times = (0..self.settings.rounds).map(|_| {
            controls.push(control(self.row.group == Group::Endless, self.settings.age));
            let rx = self.client.connect("stopped", self.request()).unwrap();
            let until = Instant::now() + self.settings.age;
            while rx.recv_deadline(until).is_ok() {}
            stop(&rx)
        });
        let (channel, thread) = times.unzip();
        figures.control_us = median(controls);
        (figures.channel_us, figures.thread_us) = (median(channel), median(thread));
    }
}

/// Counts an event, whose data is its number.
fn take(event: &Event, last: &mut u64, figures: &mut Figures) {
    let number = event.data().parse().unwrap();
    figures.events += 1;
    if number <= *last {
        figures.doubled += 1;
        return;
    }
    figures.lost += number - *last - 1;
    *last = number;
}

/// Returns how long it takes to the end of a thread that waits for a word, or is as busy as one that reads without end.
fn control(is_busy: bool, age: Duration) -> Duration {
    let (word, heard) = bounded::<()>(1);
    let thread = thread::spawn(move || {
        if is_busy {
            while heard.try_recv() == Err(TryRecvError::Empty) {
                hint::spin_loop();
            }
        } else {
            _ = heard.recv();
        }
    });
    // The time itself is the subject.
    thread::sleep(age);
    let start = Instant::now();
    word.send(()).unwrap();
    thread.join().unwrap();
    start.elapsed()
}

/// Returns how long it takes to the end of the channel and to that of the thread.
fn stop(rx: &Events) -> (Duration, Duration) {
    let handle = rx.handle();
    let start = Instant::now();
    handle.stop();
    loop {
        match rx.recv_timeout(DEADLINE) {
            Ok(_) => {}
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => panic!("the channel has not ended within {DEADLINE:?}"),
        }
    }
    let channel = start.elapsed();
    assert!(handle.join_timeout(DEADLINE));
    (channel, start.elapsed())
}

fn variant(error: &Error) -> String {
    let text = format!("{error:?}");
    match error {
        Error::Timeout(_) => text,
        _ => text.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default().to_owned(),
    }
}
