//! The ways to read a stream, each in a process of its own.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;

use http_sse::{Client, Request, RetryPolicy};

use crate::server::nanoseconds;

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What a contestant saw.
#[derive(Debug, Default)]
pub struct Seen {
    pub events: u64,
    pub bytes: u64,
    /// Nanoseconds from the server's write to the event in the consumer's hands.
    pub latencies: Vec<u64>,
}

impl Seen {
    fn event(&mut self, data: &str) {
        self.events += 1;
        self.bytes += data.len() as u64;
    }

    fn timed(&mut self, data: &str) {
        self.event(data);
        if let Ok(sent) = data.trim().parse::<u128>() {
            self.latencies.push(nanoseconds().saturating_sub(sent) as u64);
        }
    }
}

pub const ALL: [&str; 5] = ["raw", "lines", "hand", "connect", "read"];

/// Reads the whole stream.
pub fn run(name: &str, url: &str, timed: bool) -> Result<Seen, Failure> {
    match name {
        "raw" => raw(url, timed),
        "lines" => lines(url, timed),
        "hand" => hand(url, timed),
        "connect" => connect(url, timed),
        "read" => read(url, timed),
        _ => Err(format!("no contestant {name}").into()),
    }
}

fn count(seen: &mut Seen, data: &str, timed: bool) {
    if timed { seen.timed(data) } else { seen.event(data) }
}

/// The floor: system calls and nothing else.
fn raw(url: &str, timed: bool) -> Result<Seen, Failure> {
    let (address, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).ok_or("not a URL")?;
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET /{path} HTTP/1.1\r\nhost: {address}\r\n\r\n")?;
    let mut seen = Seen::default();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let amount = stream.read(&mut buffer)?;
        if amount == 0 {
            return Ok(seen);
        }
        seen.bytes += amount as u64;
        if timed {
            for event in buffer[..amount].split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"data: ")) {
                seen.timed(&String::from_utf8_lossy(&event[6..]));
            }
        }
    }
}

/// ureq and its lines; no events are made of them.
fn lines(url: &str, timed: bool) -> Result<Seen, Failure> {
    let response = ureq::get(url).call()?;
    let mut reader = BufReader::with_capacity(16 << 10, response.into_body().into_reader());
    let mut seen = Seen::default();
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        if let Some(data) = line.strip_prefix("data: ") {
            count(&mut seen, data, timed);
        }
        line.clear();
    }
    Ok(seen)
}

/// What one writes by hand in sixty lines: ureq, lines, a thread and a channel.
fn hand(url: &str, timed: bool) -> Result<Seen, Failure> {
    struct Event {
        _event_type: String,
        _id: Option<String>,
        data: String,
    }
    let (sender, receiver) = crossbeam_channel::bounded::<Event>(64);
    let url = url.to_owned();
    let reader = thread::spawn(move || -> Result<(), Failure> {
        let response = ureq::get(&url).call()?;
        let reader = BufReader::with_capacity(16 << 10, response.into_body().into_reader());
        let (mut data, mut event_type, mut id) = (String::new(), String::new(), None);
        for line in reader.lines() {
            let line = line?;
            if line.is_empty() {
                if !data.is_empty() {
                    data.pop();
                    let event = Event { _event_type: event_type.clone(), _id: id.clone(), data: data.clone() };
                    sender.send(event).map_err(|_| io::Error::other("gone"))?;
                }
                data.clear();
                event_type.clear();
                continue;
            }
            match line.split_once(':').unwrap_or((&line, "")) {
                ("data", value) => {
                    data.push_str(value.strip_prefix(' ').unwrap_or(value));
                    data.push('\n');
                }
                ("event", value) => event_type = value.trim_start().to_owned(),
                ("id", value) => id = Some(value.trim_start().to_owned()),
                _ => {}
            }
        }
        Ok(())
    });
    let mut seen = Seen::default();
    for event in receiver {
        count(&mut seen, &event.data, timed);
    }
    reader.join().map_err(|_| "the reader panicked")??;
    Ok(seen)
}

fn request(url: &str) -> Request {
    Request::get(url).retry(RetryPolicy::never())
}

fn connect(url: &str, timed: bool) -> Result<Seen, Failure> {
    let mut seen = Seen::default();
    for event in Client::builder().no_proxy().build()?.connect("bench", request(url))? {
        count(&mut seen, event?.data(), timed);
    }
    Ok(seen)
}

fn read(url: &str, timed: bool) -> Result<Seen, Failure> {
    let mut seen = Seen::default();
    for event in Client::builder().no_proxy().build()?.read("bench", request(url))? {
        count(&mut seen, event?.data(), timed);
    }
    Ok(seen)
}
