//! CPU time per event over event sizes: 16 B to 64 KiB, doubling. No size may cost more than its bytes explain.
//!
//! ```text
//! cargo bench --bench sizes
//! cargo bench --bench sizes -- 9 512 1024
//! ```
//!
//! The first number is that of the rounds, of which the median counts; further numbers choose sizes. Linux only: the CPU
//! time of all threads comes from `/proc`. The server is a process of its own, so it does not count.
//!
//! `step` compares `connect` with the size before. A byte costs what it costs `read` in events of 64 KiB, where nothing
//! else matters; what is expected is the cost of the size before and that of the additional bytes. More than 1.5 times as
//! much fails.
#![allow(clippy::unwrap_used, reason = "a failed unwrap ends the measurement")]
#![allow(clippy::print_stdout, reason = "the figures")]

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;

use http_sse::{Client, Error, Event, Request, RetryPolicy};

const ROUNDS: usize = 5;
const LARGEST: usize = 64 << 10;
/// Of one run.
const BYTES: usize = 128 << 20;
const MAX_EVENTS: usize = 500_000;
const MAX_STEP: f64 = 1.5;

fn main() -> ExitCode {
    let numbers: Vec<usize> = env::args().filter_map(|argument| argument.parse().ok()).collect();
    if env::args().any(|argument| argument == "--serve") {
        serve();
    }
    let rounds = numbers.first().copied().unwrap_or(ROUNDS);
    let mut sizes: Vec<usize> = numbers.into_iter().skip(1).collect();
    if sizes.is_empty() {
        sizes = (4..=16).map(|power| 1 << power).collect();
    }
    let server = Server::start();
    let byte = median(rounds, || server.read(LARGEST)) / LARGEST as f64;
    println!("ns of CPU time per event, median of {rounds}; a byte costs {byte:.3} ns");
    println!("{:>8}{:>10}{:>10}{:>10}{:>8}", "bytes", "socket", "read", "connect", "step");
    let mut before: Option<(usize, f64)> = None;
    let mut worst: f64 = 0.0;
    for size in sizes {
        let connect = median(rounds, || server.connect(size));
        let step = before.map_or(0.0, |(smaller, cost)| connect / (cost + byte * (size - smaller) as f64));
        let (socket, read) = (median(rounds, || server.socket(size)), median(rounds, || server.read(size)));
        println!("{size:>8}{socket:>10.0}{read:>10.0}{connect:>10.0}{step:>8.2}");
        worst = worst.max(step);
        before = Some((size, connect));
    }
    if worst > MAX_STEP { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn median(rounds: usize, mut run: impl FnMut() -> f64) -> f64 {
    let mut costs: Vec<f64> = (0..rounds).map(|_| run()).collect();
    costs.sort_by(f64::total_cmp);
    costs[costs.len() / 2]
}

fn count(size: usize) -> usize {
    MAX_EVENTS.min(BYTES / size)
}

/// One event that takes so many bytes of the stream.
fn event(size: usize) -> String {
    format!("data: {}\n\n", "x".repeat(size - "data: \n\n".len()))
}

/// A child process that sends events of the size that is asked for, without end.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let mut child =
            Command::new(env::current_exe().unwrap()).arg("--serve").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { port: line.trim().parse().unwrap(), child }
    }

    fn connect(&self, size: usize) -> f64 {
        let client = Client::builder().no_proxy().build().unwrap();
        let events = client.connect("sizes", self.request(size)).unwrap();
        per_event(size, events)
    }

    fn read(&self, size: usize) -> f64 {
        let client = Client::builder().no_proxy().build().unwrap();
        per_event(size, client.read("sizes", self.request(size)).unwrap())
    }

    fn request(&self, size: usize) -> Request {
        Request::get(format!("http://127.0.0.1:{}/{size}", self.port)).retry(RetryPolicy::never())
    }

    /// What the bytes cost without a parser.
    fn socket(&self, size: usize) -> f64 {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "GET /{size} HTTP/1.1\r\n\r\n").unwrap();
        let mut buffer = vec![0; 64 << 10];
        let mut take = |bytes: usize| {
            let mut left = bytes;
            while left > 0 {
                left = left.saturating_sub(stream.read(&mut buffer).unwrap());
            }
        };
        take(size * count(size) / 10);
        let start = cpu_nanoseconds();
        take(size * count(size));
        (cpu_nanoseconds() - start) / count(size) as f64
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn per_event(size: usize, mut events: impl Iterator<Item = Result<Event, Error>>) -> f64 {
    let mut take = |count| {
        for _ in 0..count {
            assert_eq!(events.next().unwrap().unwrap().data().len(), size - "data: \n\n".len());
        }
    };
    take(count(size) / 10);
    let start = cpu_nanoseconds();
    take(count(size));
    (cpu_nanoseconds() - start) / count(size) as f64
}

/// Of all threads that live.
fn cpu_nanoseconds() -> f64 {
    let of_thread = |task: fs::DirEntry| {
        let text = fs::read_to_string(task.path().join("schedstat")).unwrap();
        text.split_whitespace().next().unwrap().parse::<f64>().unwrap()
    };
    fs::read_dir("/proc/self/task").unwrap().map(|task| of_thread(task.unwrap())).sum()
}

fn serve() -> ! {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    loop {
        let (stream, _) = listener.accept().unwrap();
        thread::spawn(move || send(stream));
    }
}

fn send(mut stream: TcpStream) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let size = lines.next().and_then(|line| line.split(['/', ' ']).nth(2)?.parse().ok()).unwrap();
    while lines.next().is_some_and(|line| !line.is_empty()) {}
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
    let block = event(size).repeat(LARGEST / size);
    while stream.write_all(block.as_bytes()).is_ok() {}
}
