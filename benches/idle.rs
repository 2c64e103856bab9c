//! What an idle connection costs: memory of one and of many, plain and TLS, and how often its thread wakes up.
//!
//! ```text
//! cargo bench --bench idle -- 1000 60
//! ```
//!
//! The numbers are those of the connections, and of the seconds to watch two idle ones; 0 seconds leaves that out.
//! The server is a process of its own. Memory is what the kernel has given to the process (Rss of smaps_rollup; VmRSS lags), stacks
//! included.
//! `connect` has its own threads. `read, held` are readers that one thread holds: what a connection keeps by itself.
//! `read, threads` are readers that wait, each on a thread of the program's with a stack of 64 KiB. The last two rows are
//! streams that carried much, and then nothing more: what is left of their buffers.
#![allow(clippy::unwrap_used, reason = "a failed unwrap ends the measurement")]
#![allow(clippy::print_stdout, reason = "the figures")]

use std::any::Any;
use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use http_sse::crossbeam_channel::bounded;
use http_sse::{Client, EventReader, Events, Request};
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A way to consume, and the path of what the server sends.
const WAYS: [(&str, &str); 5] = [
    ("connect", "/"),
    ("read, held", "/"),
    ("read, threads", "/"),
    ("connect, after 512 KiB of small events", "/many"),
    ("connect, after an event of 512 KiB", "/large"),
];

fn answer_to(path: &str) -> String {
    let before = match path {
        "/many" => "data: an event of sixty-four bytes, its two line ends included.\n\n".repeat(8 * 1024),
        "/large" => format!("data: {}\n\n", "x".repeat(512 * 1024)),
        _ => String::new(),
    };
    let body = before + "data: a\n\n";
    format!("{HEAD}{:x}\r\n{body}\r\n", body.len())
}

fn main() {
    let numbers: Vec<usize> = env::args().skip(1).filter_map(|number| number.parse().ok()).collect();
    match env::var("IDLE_ROLE").as_deref() {
        Ok("plain") => serve(None),
        Ok("tls") => serve_tls(),
        Ok(measured) => {
            let (scheme, way) = measured.split_once(' ').unwrap();
            measure_memory(scheme, way, numbers[0]);
        }
        Err(_) => {
            let connections = numbers.first().copied().unwrap_or(1000).max(2);
            println!("| | | RSS before | 1 connection | {connections} connections | each further one |");
            println!("|---|---|---|---|---|---|");
            for scheme in ["plain", "tls"] {
                for (way, _) in WAYS {
                    // A process for each: what one has freed, the next would use.
                    assert!(again(&format!("{scheme} {way}"), connections).status().unwrap().success());
                }
            }
            watch(Duration::from_secs(numbers.get(1).copied().unwrap_or(60) as u64));
        }
    }
}

/// This program in another role.
fn again(role: &str, connections: usize) -> Command {
    let runner = env::var("HTTP_SSE_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace().map(str::to_owned).chain([env::args().next().unwrap()]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).arg(connections.to_string()).env("IDLE_ROLE", role);
    command
}

// --- The server

fn serve(tls: Option<Arc<ServerConfig>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap());
    let mut open = Vec::new();
    for socket in listener.incoming() {
        let socket = socket.unwrap();
        // With it the answer over TLS would wait 40 ms, until the client acknowledges the session tickets.
        socket.set_nodelay(true).unwrap();
        open.push(answer(socket, tls.clone()).unwrap());
    }
}

fn serve_tls() {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    println!("{}", certificate.pem().replace("\r\n", "|").replace('\n', "|"));
    serve(Some(Arc::new(config)));
}

fn answer(socket: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<Box<dyn Read>> {
    match tls {
        None => respond(socket),
        Some(config) => {
            let session = ServerConnection::new(config).map_err(io::Error::other)?;
            respond(StreamOwned::new(session, socket))
        }
    }
}

fn respond<S: Read + Write + 'static>(mut stream: S) -> io::Result<Box<dyn Read>> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head);
    stream.write_all(answer_to(head.split(' ').nth(1).unwrap_or_default()).as_bytes())?;
    stream.flush()?;
    Ok(Box::new(stream))
}

// --- The client

struct Server {
    process: Child,
    url: String,
    client: Client,
}

impl Server {
    fn start(scheme: &str) -> Self {
        let mut process = again(scheme, 0).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut builder = Client::builder().no_proxy();
        let mut protocol = "http";
        if scheme == "tls" {
            protocol = "https";
            builder = builder.root_certificates_pem(output.next().unwrap().unwrap().replace('|', "\n"));
        }
        let url = format!("{protocol}://{}", output.next().unwrap().unwrap());
        Self { process, url, client: builder.build().unwrap() }
    }

    fn request(&self, path: &str) -> Request {
        Request::get(format!("{}{path}", self.url)).idle_timeout(None)
    }

    fn connect(&self, id: &str, path: &str) -> Events {
        let events = self.client.connect(id, self.request(path)).unwrap();
        assert!(events.iter().any(|event| event.unwrap().data() == "a"));
        events
    }

    fn read(&self, id: &str) -> EventReader {
        let mut events = self.client.read(id, self.request("/")).unwrap();
        assert_eq!(events.next().unwrap().unwrap().data(), "a");
        events
    }

    /// Returns when the thread has the first event; it waits for another.
    fn read_on_a_thread(&self, id: String) {
        let mut events = self.client.read(&id, self.request("/")).unwrap();
        let (sender, first) = bounded(0);
        let thread = thread::Builder::new().name(format!("sse-{id}")).stack_size(64 * 1024);
        thread.spawn(move || sender.send(events.next()).map(|()| events.next())).unwrap();
        assert_eq!(first.recv().unwrap().unwrap().unwrap().data(), "a");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn measure_memory(scheme: &str, way: &str, connections: usize) {
    let server = Server::start(scheme);
    let before = resident();
    let mut open: Vec<Box<dyn Any>> = Vec::new();
    let path = WAYS.iter().find(|(name, _)| *name == way).unwrap().1;
    let mut add = |number: usize| {
        let id = format!("idle-{number}");
        match way {
            "read, held" => open.push(Box::new(server.read(&id))),
            "read, threads" => server.read_on_a_thread(id),
            _ => open.push(Box::new(server.connect(&id, path))),
        }
    };
    let last = |number: usize| match way {
        "read, held" => {}
        _ => drop(settle(&format!("sse-idle-{number}"))),
    };
    add(0);
    last(0);
    let one = resident();
    (1..connections).for_each(&mut add);
    last(connections - 1);
    if path != "/" {
        // What is large is given back after a tenth of a second of silence.
        thread::sleep(Duration::from_secs(1));
    }
    let all = resident();
    let each = (all - one) as f64 / (connections - 1) as f64;
    println!("| {scheme} | {way} | {before} KiB | {one} KiB | {all} KiB | {each:.1} KiB |");
}

fn watch(time: Duration) {
    if time.is_zero() {
        return;
    }
    println!("\n| idle for {} s | voluntary context switches of its thread |\n|---|---|", time.as_secs());
    let open: Vec<_> = ["plain", "tls"]
        .map(|scheme| {
            let server = Server::start(scheme);
            let events = server.connect(scheme, "/");
            let thread = format!("sse-{scheme}");
            let before = settle(&thread);
            (scheme, thread, before, events, server)
        })
        .into();
    thread::sleep(time);
    for (scheme, thread, before, ..) in &open {
        println!("| {scheme} | {} |", sleeps(thread).unwrap() - before);
    }
}

fn resident() -> i64 {
    field(&fs::read_to_string("/proc/self/smaps_rollup").unwrap(), "Rss:").unwrap()
}

/// How often the thread has gone to sleep so far.
fn sleeps(thread: &str) -> Option<i64> {
    let mut tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    // The kernel keeps 15 bytes of a name.
    let name = &thread[..thread.len().min(15)];
    let task = tasks.find(|task| fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim_end() == name))?;
    field(&fs::read_to_string(task.join("status")).ok()?, "voluntary_ctxt_switches:")
}

/// Waits until the thread sleeps on.
fn settle(thread: &str) -> i64 {
    loop {
        let before = sleeps(thread);
        thread::sleep(Duration::from_millis(200));
        match before {
            Some(count) if before == sleeps(thread) => return count,
            _ => {}
        }
    }
}

fn field(status: &str, name: &str) -> Option<i64> {
    status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}
