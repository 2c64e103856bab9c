//! Many connections for a long time, each cut every 2 s in the middle of an event, by FIN and RST in turn.
//!
//! ```text
//! cargo bench --bench soak -- --minutes 20 --connections 8
//! ```
//!
//! Every event carries its number in its stream, so that a lost one and a doubled one show. A line a minute; the slope of
//! the memory is that of the line through all of them from minute 2 on. The server is a process of its own, and the even
//! streams are chunked, the odd ones end with their connection.
#![allow(clippy::unwrap_used, reason = "a failed unwrap ends the measurement")]
#![allow(clippy::print_stdout, reason = "the figures")]

#[path = "../tests/support/process.rs"]
mod process;

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitCode, Stdio, exit};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use http_sse::crossbeam_channel::RecvTimeoutError;
use http_sse::{Client, Event, Handle, Request, RetryPolicy};
use socket2::SockRef;

use process::resident;

/// Of all connections together.
const EVENTS_PER_SECOND: f64 = 200.0;
const LIFE_OF_A_CONNECTION: Duration = Duration::from_secs(2);
const MINUTE: Duration = Duration::from_secs(60);
/// From here on the memory is no longer warming up.
const SLOPE_FROM: u32 = 2;
/// Set in the process that serves.
const ROLE: &str = "SOAK_SERVES";

fn main() -> ExitCode {
    let connections = argument("--connections").unwrap_or(8).max(1);
    if env::var_os(ROLE).is_some() {
        serve(connections);
    }
    let minutes = argument("--minutes").unwrap_or(1);
    if !cfg!(target_os = "linux") {
        println!("left out: the figures come from /proc");
        return ExitCode::SUCCESS;
    }
    Soak::start(connections as usize).run(minutes)
}

fn argument(name: &str) -> Option<u32> {
    let mut arguments = env::args().skip_while(|argument| argument != name);
    arguments.next()?;
    arguments.next()?.parse().ok()
}

// --- The server

fn serve(connections: u32) -> ! {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap());
    let cuts: Arc<[AtomicUsize]> = (0..connections).map(|_| AtomicUsize::new(0)).collect();
    let clock = Clock { start: Instant::now(), period: f64::from(connections) / EVENTS_PER_SECOND };
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let cuts = Arc::clone(&cuts);
            // An error is the client's leaving.
            thread::spawn(move || _ = play(socket, clock, &cuts));
        }
    });
    // The input ends with the process that measures.
    let _ = io::stdin().read_to_end(&mut Vec::new());
    exit(0)
}

/// When each event of a stream comes into being.
#[derive(Clone, Copy)]
struct Clock {
    start: Instant,
    period: f64,
}

impl Clock {
    fn due(self, number: u64) -> Instant {
        self.start + Duration::from_secs_f64(self.period * number as f64)
    }
}

/// Sends what comes after the client's last event, for 2 s, then the half of one more event.
fn play(mut socket: TcpStream, clock: Clock, cuts: &[AtomicUsize]) -> io::Result<()> {
    let end = Instant::now() + LIFE_OF_A_CONNECTION;
    socket.set_nodelay(true)?;
    let (stream, mut number) = read_request(&socket)?;
    let is_chunked = stream % 2 == 0;
    let framing = if is_chunked { "Transfer-Encoding: chunked" } else { "Connection: close" };
    write!(socket, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{framing}\r\n\r\n")?;
    loop {
        number += 1;
        let due = clock.due(number);
        thread::sleep(due.min(end).saturating_duration_since(Instant::now()));
        let event = event(stream, number).to_string();
        let bytes = if is_chunked { format!("{:x}\r\n{event}\r\n", event.len()) } else { event };
        if due >= end {
            socket.write_all(&bytes.as_bytes()[..bytes.len() / 2])?;
            break;
        }
        socket.write_all(bytes.as_bytes())?;
    }
    if cuts[stream].fetch_add(1, Ordering::Relaxed) % 2 == 1 {
        SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
    }
    Ok(())
}

/// Returns the number of the stream, which is the path, and that of the last event.
fn read_request(socket: &TcpStream) -> io::Result<(usize, u64)> {
    let (mut stream, mut last) = (None, 0);
    for line in BufReader::new(socket).lines() {
        let line = line?;
        let mut words = line.split(' ');
        match (words.next(), words.next()) {
            (Some("GET"), Some(path)) => stream = path[1..].parse().ok(),
            (Some(name), Some(id)) if name.eq_ignore_ascii_case("last-event-id:") => last = id.parse().unwrap(),
            (Some(""), None) => break,
            _ => {}
        }
    }
    Ok((stream.ok_or(io::ErrorKind::UnexpectedEof)?, last))
}

fn event(stream: usize, number: u64) -> Event {
    Event::new("reading", format!("{stream} {number} {:?}", "some more text ".repeat(6))).with_id(number.to_string())
}

// --- The client

struct Soak {
    process: Child,
    client: Client,
    merged: http_sse::Merged,
    handles: Vec<Handle>,
    streams: Vec<Stream>,
    /// Threads and descriptors without any connection.
    before: (usize, usize),
    /// Minute and memory in KiB.
    memory: Vec<(f64, f64)>,
}

#[derive(Clone, Copy, Default)]
struct Stream {
    events: u64,
    last: u64,
    lost: u64,
    doubled: u64,
}

impl Soak {
    fn start(connections: usize) -> Self {
        let mut again = Command::new(env::current_exe().unwrap());
        again.args(["--connections", &connections.to_string()]).env(ROLE, "1");
        let mut process = again.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let addr = BufReader::new(process.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        let client = Client::builder().no_proxy().build().unwrap();
        let before = (count("task"), count("fd"));
        let policy = RetryPolicy::exponential(Duration::from_millis(100), Duration::from_secs(1)).max_retries(u32::MAX);
        let request = |number| Request::get(format!("http://{addr}/{number}")).retry(policy.clone());
        let merged = client.connect_all((0..connections).map(|number| (number.to_string(), request(number)))).unwrap();
        let handles = (0..connections).map(|number| client.handle(&number.to_string()).unwrap()).collect();
        let streams = vec![Stream::default(); connections];
        Self { process, client, merged, handles, streams, before, memory: Vec::new() }
    }

    fn run(mut self, minutes: u32) -> ExitCode {
        println!("| minute | events | lost | doubled | RSS, KiB | slope, KiB/min | fds | threads | attempts |");
        println!("|---|---|---|---|---|---|---|---|---|");
        let start = Instant::now();
        for minute in 1..=minutes {
            self.receive(start + MINUTE * minute);
            self.print(minute);
        }
        let is_clean = self.streams.iter().all(|stream| stream.lost == 0 && stream.doubled == 0 && stream.events > 0);
        drop(self.merged);
        let has_stopped = self.client.shutdown(Duration::from_secs(10));
        let after = (count("task"), count("fd"));
        println!("\nthreads and fds after the stop {after:?}, before the first connection {:?}", self.before);
        drop(self.process.stdin.take());
        self.process.wait().unwrap();
        if is_clean && has_stopped && after == self.before { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn receive(&mut self, until: Instant) {
        loop {
            match self.merged.recv_deadline(until) {
                Ok((id, item)) => {
                    let stream: usize = id.parse().unwrap();
                    let event = item.into_result().unwrap().unwrap();
                    self.streams[stream].take(stream, &event);
                }
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => panic!("all connections have ended"),
            }
        }
    }

    fn print(&mut self, minute: u32) {
        let total = |field: fn(&Stream) -> u64| self.streams.iter().map(field).sum::<u64>();
        let (events, lost, doubled) = (total(|it| it.events), total(|it| it.lost), total(|it| it.doubled));
        let attempts: u64 = self.handles.iter().map(|handle| handle.stats().attempts).sum();
        let memory = resident();
        if minute >= SLOPE_FROM {
            self.memory.push((f64::from(minute), memory as f64));
        }
        let slope = slope(&self.memory).map_or_else(|| "-".to_owned(), |slope| format!("{slope:.1}"));
        let (fds, threads) = (count("fd"), count("task"));
        println!("| {minute} | {events} | {lost} | {doubled} | {memory} | {slope} | {fds} | {threads} | {attempts} |");
        io::stdout().flush().unwrap();
    }
}

impl Stream {
    fn take(&mut self, stream: usize, event: &Event) {
        let number = event.id().unwrap().parse().unwrap();
        assert_eq!(*event, self::event(stream, number));
        self.events += 1;
        if number <= self.last {
            self.doubled += 1;
            return;
        }
        self.lost += number - self.last - 1;
        self.last = number;
    }
}

/// Of the line with the least squares.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    (points.len() > 1).then(|| points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum::<f64>() / spread)
}

fn count(what: &str) -> usize {
    fs::read_dir(format!("/proc/self/{what}")).unwrap().count()
}
