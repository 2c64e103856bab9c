//! Many connections for a long time, each broken off every two seconds or so, in one of ten ways.
//!
//! ```text
//! cargo bench --bench soak -- --minutes 60 --connections 8
//! ```
//!
//! Every event carries its number in its stream, so that a lost one and a doubled one show, and every break must have its
//! gap in its place. The streams differ: chunked or until the close, gzip or not, resumed by id or by a cursor in the query
//! or in a header. Beside the connections there are three consumers with a checkpoint: one that starts over in this
//! process, and two in processes of their own that are killed. The server is a process of its own too.
//!
//! A line a minute; a slope is that of the line with the least squares through all minutes from the second on.
#![allow(clippy::unwrap_used, reason = "a failed unwrap ends the measurement")]
#![allow(clippy::print_stdout, reason = "the figures")]

mod chance;
mod consumer;
mod server;
mod tally;
mod wire;

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use http_sse::crossbeam_channel::RecvTimeoutError;
use http_sse::{Client, Handle, Merged};

use consumer::Consumer;
use support::process::resident;
use tally::Tally;
use wire::Manner;

const MINUTE: Duration = Duration::from_secs(60);
/// From here on the memory is no longer warming up.
const SLOPE_FROM: u32 = 2;
/// Beside the connections.
const CONSUMERS: usize = 3;
/// Of the kernel's clock in `/proc`, in milliseconds.
const TICK: u64 = 10;
/// Set in the processes that serve and consume.
const ROLE: &str = "SOAK_ROLE";

fn main() -> ExitCode {
    let number = |name| argument(name).and_then(|number| number.parse::<u32>().ok());
    let connections = number("--connections").unwrap_or(8).max(1);
    match env::var(ROLE).as_deref() {
        Ok("serves") => server::serve(connections + CONSUMERS as u32),
        Ok(_) => return consumer::consume(),
        Err(_) => {}
    }
    if !cfg!(target_os = "linux") {
        println!("left out: the figures come from /proc");
        return ExitCode::SUCCESS;
    }
    let folder = env::temp_dir().join(format!("http-sse-soak-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    let is_sound = Soak::start(connections as usize).run(number("--minutes").unwrap_or(1), &folder);
    fs::remove_dir_all(&folder).unwrap();
    if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn argument(name: &str) -> Option<String> {
    env::args().skip_while(|argument| argument != name).nth(1)
}

struct Soak {
    process: Child,
    addr: SocketAddr,
    client: Client,
    merged: Merged,
    handles: Vec<Handle>,
    streams: Vec<Tally>,
    /// Threads and descriptors without any connection.
    before: (usize, usize),
    /// Minute, memory in KiB and processor time in ms.
    minutes: Vec<(f64, f64, f64)>,
    cpu: u64,
}

impl Soak {
    fn start(connections: usize) -> Self {
        let mut again = Command::new(env::current_exe().unwrap());
        again.args(["--connections", &connections.to_string()]).env(ROLE, "serves");
        let mut process = again.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let addr = BufReader::new(process.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        let addr = addr.parse().unwrap();
        let client = Client::builder().no_proxy().build().unwrap();
        let before = (count("/proc/self/task"), count("/proc/self/fd"));
        let request = |stream: usize| (stream.to_string(), Manner::of(stream).request(addr, stream, None));
        let merged = client.connect_all((0..connections).map(request)).unwrap();
        let handles = (0..connections).map(|number| client.handle(&number.to_string()).unwrap()).collect();
        let streams = vec![Tally::default(); connections];
        Self { process, addr, client, merged, handles, streams, before, minutes: Vec::new(), cpu: cpu() }
    }

    /// Returns whether nothing was lost, and nothing is left.
    fn run(mut self, minutes: u32, folder: &Path) -> bool {
        let is_over = AtomicBool::new(false);
        let tallies = [(); CONSUMERS].map(|()| Mutex::new(Tally::default()));
        let files: [PathBuf; CONSUMERS] = ["restarts", "throttled", "often"].map(|name| folder.join(name));
        let consumer = |number: usize| Consumer {
            addr: self.addr,
            stream: self.streams.len() + number,
            file: &files[number],
            tally: &tallies[number],
            is_over: &is_over,
        };
        let (restarting, throttled, often) = (consumer(0), consumer(1), consumer(2));
        thread::scope(|scope| {
            let consumers = [
                scope.spawn(move || restarting.restart()),
                scope.spawn(move || throttled.crash(4)),
                scope.spawn(move || often.crash(6)),
            ];
            print_head();
            let start = Instant::now();
            for minute in 1..=minutes {
                self.receive(start + MINUTE * minute);
                self.print(minute, &tallies);
            }
            is_over.store(true, Ordering::Relaxed);
            // The scope itself waits for what they do, not until they are gone.
            consumers.into_iter().for_each(|consumer| consumer.join().unwrap());
        });
        let all = self.all(&tallies);
        let is_clean =
            all.iter().all(|tally| (tally.lost, tally.doubled, tally.wrong) == (0, 0, 0) && tally.events > 0);
        drop(self.merged);
        let has_stopped = self.client.shutdown(Duration::from_secs(10));
        let after = (count("/proc/self/task"), count("/proc/self/fd"));
        println!("\nslopes per hour: {}", slopes(&self.minutes));
        println!("files in the folder of the checkpoints: {}", count(folder));
        println!("threads and fds after the stop {after:?}, before the first connection {:?}", self.before);
        drop(self.process.stdin.take());
        self.process.wait().unwrap();
        is_clean && has_stopped && after == self.before
    }

    fn receive(&mut self, until: Instant) {
        loop {
            match self.merged.recv_deadline(until) {
                Ok((id, item)) => {
                    let stream: usize = id.parse().unwrap();
                    let event = item.into_result().unwrap().unwrap();
                    self.streams[stream].receive(stream, &event);
                }
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => panic!("all connections have ended"),
            }
        }
    }

    fn all(&self, tallies: &[Mutex<Tally>]) -> Vec<Tally> {
        let consumers = tallies.iter().map(|tally| *tally.lock().unwrap());
        self.streams.iter().copied().chain(consumers).collect()
    }

    fn print(&mut self, minute: u32, tallies: &[Mutex<Tally>]) {
        let all = self.all(tallies);
        let total = |field: fn(&Tally) -> u64| all.iter().map(field).sum::<u64>();
        let attempts: u64 = self.handles.iter().map(|handle| handle.stats().attempts).sum();
        let (memory, before) = (resident(), self.cpu);
        self.cpu = cpu();
        let used = self.cpu - before;
        if minute >= SLOPE_FROM {
            self.minutes.push((f64::from(minute), memory as f64, used as f64));
        }
        println!(
            "| {minute} | {} | {} | {} | {} | {} | {} | {} | {attempts} | {memory} | {used} | {} | {} |",
            total(|it| it.events),
            total(|it| it.lost),
            total(|it| it.doubled),
            total(|it| it.wrong),
            total(|it| it.gaps),
            total(|it| it.restarts),
            total(|it| it.repeated),
            count("/proc/self/fd"),
            count("/proc/self/task"),
        );
        io::stdout().flush().unwrap();
    }
}

fn print_head() {
    println!(
        "| minute | events | lost | doubled | wrong | gaps | restarts | repeated | attempts | RSS, KiB | CPU, ms | fds | threads |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
}

fn slopes(minutes: &[(f64, f64, f64)]) -> String {
    let hourly = |field: fn(&(f64, f64, f64)) -> f64| {
        let points: Vec<_> = minutes.iter().map(|minute| (minute.0, field(minute))).collect();
        slope(&points).map_or_else(|| "-".to_owned(), |slope| format!("{:.1}", slope * 60.0))
    };
    format!("memory {} KiB, processor time per minute {} ms", hourly(|it| it.1), hourly(|it| it.2))
}

/// Of the line with the least squares.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    (points.len() > 1).then(|| points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum::<f64>() / spread)
}

fn count(folder: impl AsRef<Path>) -> usize {
    fs::read_dir(folder).unwrap().count()
}

/// Returns the processor time of this process, in milliseconds.
fn cpu() -> u64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap();
    // Behind the name, which may hold spaces: user and system time are fields 14 and 15.
    let fields = text.rsplit_once(')').unwrap().1.split_whitespace();
    fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum::<u64>() * TICK
}
