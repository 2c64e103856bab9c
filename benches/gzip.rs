//! What gzip saves and costs: bytes, memory, instructions and latency, each beside the same stream without it.
//!
//! ```text
//! cargo bench --bench gzip
//! ```
//!
//! The server compresses at zlib's level 6 and flushes after each event, which is a chunk by itself. It is a process of its
//! own, but for the latency, where both ends must have one clock. `curl --compressed` counts the bytes where it is there, and
//! callgrind the instructions.
#![allow(clippy::unwrap_used, reason = "a failed unwrap ends the measurement")]
#![allow(clippy::print_stdout, reason = "the figures")]

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use http_sse::crossbeam_channel::{Receiver, unbounded};
use http_sse::{Client, Request, RetryPolicy};

const CODINGS: [&str; 2] = ["identity", "gzip"];

/// Events as services send them; the numbers are what differs from one to the next.
fn event(kind: &str, number: u64) -> String {
    let mixed = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 33;
    match kind {
        "llm" => format!(
            "data: {{\"id\":\"chatcmpl-9QmVkL2xYt\",\"object\":\"chat.completion.chunk\",\"created\":1764468000,\
             \"model\":\"large-1\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{}\"}},\"logprobs\":null,\
             \"finish_reason\":null}}]}}\n\n",
            word(mixed)
        ),
        _ => format!(
            "id: {number}\nevent: reading\ndata: {{\"sensor\":\"cellar\",\"celsius\":{}.{}}}\n\n",
            mixed % 9 + 10,
            mixed % 10
        ),
    }
}

/// A word of two to seven letters that nobody can foresee, which is worse for a compressor than any language.
fn word(mut mixed: u64) -> String {
    let mut word = String::from(" ");
    for _ in 0..2 + mixed % 6 {
        mixed /= 26;
        word.push(char::from(b'a' + (mixed % 26) as u8));
    }
    word
}

fn main() {
    let argument = |index| env::args().skip(1).filter(|word| !word.starts_with("--")).nth(index).unwrap_or_default();
    match env::var("GZIP_ROLE").as_deref() {
        Ok("server") => serve(),
        Ok("read") => drop(read(&argument(0)).count()),
        Ok("memory") => measure_memory(&argument(0), argument(1).parse().unwrap()),
        Ok(other) => panic!("{other}"),
        Err(_) => {
            let server = Server::start();
            bytes(&server);
            memory(&server);
            instructions(&server);
            latency();
        }
    }
}

/// This program in another role.
fn again(role: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.env("GZIP_ROLE", role);
    command
}

fn read(url: &str) -> http_sse::EventReader {
    let request = Request::get(url).retry(RetryPolicy::never());
    let request = if url.contains("/gzip/") { request.accept_gzip() } else { request };
    Client::builder().no_proxy().build().unwrap().read(url, request).unwrap()
}

// --- The server

struct Server {
    process: Child,
    origin: String,
}

impl Server {
    fn start() -> Self {
        let mut process = again("server").stdout(Stdio::piped()).spawn().unwrap();
        let mut origin = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut origin).unwrap();
        Self { process, origin: origin.trim_end().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Answers `/CODING/KIND/EVENTS`; with `/hold` behind it the stream stays.
fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    for socket in listener.incoming() {
        thread::spawn(move || answer(socket.unwrap()));
    }
}

fn answer(socket: TcpStream) -> std::io::Result<()> {
    let path = requested(&socket)?;
    let parts: Vec<_> = path.split('/').skip(1).collect();
    let mut stream = Stream::begin(BufWriter::with_capacity(1 << 16, socket), parts[0])?;
    for number in 1..=parts[2].parse().unwrap() {
        stream.send(&event(parts[1], number))?;
    }
    if parts.get(3).is_some() {
        stream.output.flush()?;
        return stream.output.get_ref().read(&mut [0]).map(drop);
    }
    stream.end()
}

fn requested(mut socket: &TcpStream) -> std::io::Result<String> {
    socket.set_nodelay(true)?;
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).split(' ').nth(1).unwrap_or_default().to_owned())
}

struct Stream<W> {
    output: W,
    compressor: Option<GzEncoder<Vec<u8>>>,
}

impl<W: Write> Stream<W> {
    fn begin(mut output: W, coding: &str) -> std::io::Result<Self> {
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n";
        write!(output, "{head}Content-Encoding: {coding}\r\n\r\n")?;
        let compressor = (coding == "gzip").then(|| GzEncoder::new(Vec::new(), Compression::default()));
        Ok(Self { output, compressor })
    }

    fn coded(&mut self, text: &str) -> std::io::Result<Vec<u8>> {
        let Some(compressor) = &mut self.compressor else { return Ok(text.into()) };
        compressor.write_all(text.as_bytes())?;
        compressor.flush()?;
        Ok(std::mem::take(compressor.get_mut()))
    }

    fn chunk(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        self.output.write_all(&chunk)
    }

    fn send(&mut self, text: &str) -> std::io::Result<()> {
        let bytes = self.coded(text)?;
        self.chunk(&bytes)
    }

    fn end(mut self) -> std::io::Result<()> {
        if let Some(compressor) = self.compressor.take() {
            let bytes = compressor.finish()?;
            self.chunk(&bytes)?;
        }
        self.output.write_all(b"0\r\n\r\n")?;
        self.output.flush()
    }
}

// --- Bytes

fn bytes(server: &Server) {
    println!("| stream of 2,000 events | bytes of the body | with gzip | a part of |\n|---|---|---|---|");
    for kind in ["llm", "sensor"] {
        let size = |coding| {
            let url = format!("{}/{coding}/{kind}/2000", server.origin);
            let arguments = ["--compressed", "-s", "--noproxy", "*", "-o", "/dev/null", "-w", "%{size_download}"];
            let output = Command::new("curl").args(arguments).arg(url).output().ok()?;
            String::from_utf8_lossy(&output.stdout).parse::<u64>().ok()
        };
        let [Some(plain), Some(gzip)] = CODINGS.map(size) else {
            println!("LEFT OUT: there is no curl");
            return;
        };
        println!("| {kind}, {} bytes each | {plain} | {gzip} | {:.2} |", plain / 2000, gzip as f64 / plain as f64);
    }
}

// --- Memory

fn memory(server: &Server) {
    println!("\n| each of 100 readers that wait, after | identity | gzip |\n|---|---|---|");
    for events in [1, 1000] {
        let [plain, gzip] = CODINGS.map(|coding| {
            let url = format!("{}/{coding}/llm/{events}/hold", server.origin);
            let output = again("memory").arg(url).arg(events.to_string()).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        });
        println!("| {events} events | {plain} KiB each | {gzip} KiB each |");
    }
}

/// Prints what one of many readers holds. Nothing has come for long enough that what only a busy one needs is released.
fn measure_memory(url: &str, events: usize) {
    const CONNECTIONS: usize = 100;
    let mut open = Vec::with_capacity(CONNECTIONS + 1);
    let mut before = 0;
    for number in 0..=CONNECTIONS {
        let mut reader = read(&format!("{url}?{number}"));
        for _ in 0..events {
            reader.next().unwrap().unwrap();
        }
        assert!(reader.next_timeout(Duration::from_millis(120)).is_err());
        open.push(reader);
        if number == 0 {
            before = resident_kib();
        }
    }
    println!("{:.1}", (resident_kib() - before) as f64 / CONNECTIONS as f64);
}

fn resident_kib() -> u64 {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    rollup.lines().find_map(|line| line.strip_prefix("Rss:")?.trim().strip_suffix(" kB")?.parse().ok()).unwrap()
}

// --- Instructions

fn instructions(server: &Server) {
    println!("\n| instructions per event | identity | gzip |\n|---|---|---|");
    for kind in ["llm", "sensor"] {
        let counts = CODINGS.map(|coding| {
            let [few, many] = [2_000, 22_000].map(|events| {
                let mut command = Command::new("valgrind");
                command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(env::current_exe().unwrap());
                let command =
                    command.env("GZIP_ROLE", "read").arg(format!("{}/{coding}/{kind}/{events}", server.origin));
                let text = String::from_utf8(command.output().ok()?.stderr).ok()?;
                text.lines().find_map(|line| line.split("Collected : ").nth(1)?.trim().parse::<u64>().ok())
            });
            Some((many? - few?) / 20_000)
        });
        match counts {
            [Some(plain), Some(gzip)] => println!("| {kind} | {plain} | {gzip} |"),
            _ => return println!("LEFT OUT: there is no valgrind"),
        }
    }
}

// --- Latency

/// From the write to the event at the reader, one event a millisecond: the median of each run, in turn.
fn latency() {
    const RUNS: usize = 9;
    let mut medians = CODINGS.map(|_| Vec::new());
    for _ in 0..RUNS {
        for (coding, medians) in CODINGS.into_iter().zip(&mut medians) {
            medians.push(median(latencies(coding, 1000)));
        }
    }
    println!("\n| latency, median of {RUNS} medians | µs | from | to |\n|---|---|---|---|");
    for (coding, medians) in CODINGS.into_iter().zip(medians) {
        let [least, most] = [medians.iter().min().unwrap(), medians.iter().max().unwrap()].map(|time| time.as_micros());
        println!("| {coding} | {} | {least} | {most} |", median(medians).as_micros());
    }
}

fn latencies(coding: &'static str, events: u64) -> Vec<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/{coding}/", listener.local_addr().unwrap());
    let (sender, written): (_, Receiver<Instant>) = unbounded();
    let server = thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        requested(&socket).unwrap();
        let mut stream = Stream::begin(socket, coding).unwrap();
        for number in 1..=events {
            thread::sleep(Duration::from_millis(1));
            let bytes = stream.coded(&event("llm", number)).unwrap();
            sender.send(Instant::now()).unwrap();
            stream.chunk(&bytes).unwrap();
        }
        stream.end().unwrap();
    });
    let received: Vec<Instant> = read(&url).map(|event| event.map(|_| Instant::now()).unwrap()).collect();
    server.join().unwrap();
    written.iter().zip(received).map(|(written, received)| received - written).collect()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
