//! What an idle connection costs: memory of one and of many, plain and TLS, and how often its thread wakes up.
//!
//! ```text
//! cargo bench --bench idle -- 200 60
//! ```
//!
//! The numbers are those of the connections, and of the seconds to watch two idle ones; 0 seconds leaves that out.
//! The server is a process of its own. Memory is what the kernel has given to the process (VmRSS), stacks included.
#![allow(clippy::unwrap_used, reason = "a failed unwrap ends the measurement")]
#![allow(clippy::print_stdout, reason = "the figures")]

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use http_sse::{Client, Events, Request};
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
    9\r\ndata: a\n\n\r\n";

fn main() {
    let numbers: Vec<usize> = env::args().skip(1).filter_map(|number| number.parse().ok()).collect();
    match env::var("IDLE_ROLE").as_deref() {
        Ok("plain") => serve(None),
        Ok("tls") => serve_tls(),
        Ok(measured) => measure_memory(measured.trim_start_matches("memory-"), numbers[0]),
        Err(_) => {
            let connections = numbers.first().copied().unwrap_or(200).max(2);
            println!("| | RSS before | 1 connection | {connections} connections | each further one |");
            println!("|---|---|---|---|---|");
            for scheme in ["plain", "tls"] {
                // A process for each: what one has freed, the next would use.
                assert!(again(&format!("memory-{scheme}"), connections).status().unwrap().success());
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
        open.push(answer(socket.unwrap(), tls.clone()).unwrap());
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
    stream.write_all(ANSWER)?;
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
        let url = format!("{protocol}://{}/", output.next().unwrap().unwrap());
        Self { process, url, client: builder.build().unwrap() }
    }

    fn connect(&self, id: &str) -> Events {
        let events = self.client.connect(id, Request::get(&self.url).idle_timeout(None)).unwrap();
        assert_eq!(events.recv().unwrap().unwrap().data(), "a");
        events
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn measure_memory(scheme: &str, connections: usize) {
    let server = Server::start(scheme);
    let before = resident();
    let mut open = vec![server.connect("idle-0")];
    settle("sse-idle-0");
    let one = resident();
    open.extend((1..connections).map(|number| server.connect(&format!("idle-{number}"))));
    settle(&format!("sse-idle-{}", connections - 1));
    let all = resident();
    let each = (all - one) as f64 / (connections - 1) as f64;
    println!("| {scheme} | {before} KiB | {one} KiB | {all} KiB | {each:.1} KiB |");
}

fn watch(time: Duration) {
    if time.is_zero() {
        return;
    }
    println!("\n| idle for {} s | voluntary context switches of its thread |\n|---|---|", time.as_secs());
    let open: Vec<_> = ["plain", "tls"]
        .map(|scheme| {
            let server = Server::start(scheme);
            let events = server.connect(scheme);
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
    field(&fs::read_to_string("/proc/self/status").unwrap(), "VmRSS:").unwrap()
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
