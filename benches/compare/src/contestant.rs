//! The ways to read a stream, each in a process of its own.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use http_sse::{Client, Request, RetryPolicy};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body};

#[cfg(feature = "peers")]
use crate::peer;
use crate::scenario::{LATENCY, RECONNECT, Scenario};
use crate::server::nanoseconds;

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The bare socket, against which the others are measured.
pub const FLOOR: &str = "raw";

/// Without the floor, in the order of the tables.
pub const ALL: &[&str] = &[
    "lines",
    "hand",
    #[cfg(feature = "peers")]
    "eventsource-client",
    #[cfg(feature = "peers")]
    "reqwest-eventsource",
    #[cfg(feature = "peers")]
    "sseer",
    "connect",
    "read",
];

/// Those that need an async runtime.
pub const PEERS: [&str; 3] = ["eventsource-client", "reqwest-eventsource", "sseer"];

/// Those that are this crate.
pub const OURS: [&str; 2] = ["connect", "read"];

/// Whether the contestant is measured in a scenario: who writes a reader by hand has no reconnect.
pub fn takes_part(contestant: &str, scenario: &str) -> bool {
    scenario != RECONNECT || ![FLOOR, "lines", "hand"].contains(&contestant)
}

/// What to read.
#[derive(Clone, Debug)]
pub struct Target {
    pub url: String,
    /// The server's certificate where the scenario has TLS.
    pub root: Option<String>,
    pub events: u64,
    /// The connection ends after each event, and the client is to come back after `PAUSE`.
    pub reconnects: bool,
    timed: bool,
}

/// Before a reconnect.
pub const PAUSE: Duration = Duration::from_millis(1);

/// What a contestant saw.
#[derive(Debug, Default)]
pub struct Seen {
    pub events: u64,
    pub bytes: u64,
    /// Nanoseconds from what the event tells of to the event in the consumer's hands.
    pub latencies: Vec<u64>,
    timed: bool,
}

impl Seen {
    pub fn event(&mut self, data: &str) {
        self.events += 1;
        self.bytes += data.len() as u64;
        if !self.timed {
            return;
        }
        if let Ok(time) = data.trim().parse::<u128>() {
            self.latencies.push(nanoseconds().saturating_sub(time) as u64);
        }
    }
}

impl Target {
    /// Asks the server for what a scenario needs.
    pub fn new(scenario: &str, port: &str, events: u64) -> Result<Self, Failure> {
        let (mut url, mut root) = (format!("http://127.0.0.1:{port}/{scenario}/{events}"), None);
        if Scenario::named(scenario).is_some_and(|scenario| scenario.tls) {
            let introduction = introduction(port)?;
            let (port, certificate) = introduction.split_once('\n').ok_or("no certificate")?;
            url = format!("https://127.0.0.1:{port}/{scenario}/{events}");
            root = Some(certificate.to_owned());
        }
        let reconnects = scenario == RECONNECT;
        Ok(Self { url, root, events, reconnects, timed: reconnects || scenario == LATENCY })
    }

    fn address(&self) -> Result<(&str, &str), Failure> {
        let rest = self.url.split_once("://").ok_or("not a URL")?.1;
        Ok(rest.split_once('/').ok_or("not a URL")?)
    }
}

fn introduction(port: &str) -> Result<String, Failure> {
    let mut socket = TcpStream::connect(format!("127.0.0.1:{port}"))?;
    socket.write_all(b"GET /introduction HTTP/1.1\r\n\r\n")?;
    let mut text = String::new();
    socket.read_to_string(&mut text)?;
    Ok(text.split_once("\r\n\r\n").ok_or("no answer")?.1.to_owned())
}

/// Reads the whole stream.
pub fn run(name: &str, target: &Target) -> Result<Seen, Failure> {
    let mut seen = Seen { timed: target.timed, ..Seen::default() };
    match name {
        "raw" => raw(target, &mut seen),
        "lines" => lines(target, &mut seen),
        "hand" => hand(target, &mut seen),
        "connect" => connect(target, &mut seen),
        "read" => read(target, &mut seen),
        #[cfg(feature = "peers")]
        _ => peer::run(name, target, &mut seen),
        #[cfg(not(feature = "peers"))]
        _ => Err(format!("no contestant {name} in this build").into()),
    }?;
    Ok(seen)
}

// --- The floor: system calls and nothing else; over TLS, rustls and nothing else.

fn raw(target: &Target, seen: &mut Seen) -> Result<(), Failure> {
    let socket = TcpStream::connect(target.address()?.0)?;
    match &target.root {
        None => raw_stream(socket, target, seen),
        Some(_) => {
            let session = ClientConnection::new(Arc::new(tls(target)?), ServerName::try_from("127.0.0.1")?)?;
            raw_stream(StreamOwned::new(session, socket), target, seen)
        }
    }
}

/// Trusts the server's certificate alone.
pub fn tls(target: &Target) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    if let Some(root) = &target.root {
        roots.add(CertificateDer::from_pem_slice(root.as_bytes())?)?;
    }
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn raw_stream(mut stream: impl Read + Write, target: &Target, seen: &mut Seen) -> Result<(), Failure> {
    let (address, path) = target.address()?;
    stream.write_all(format!("GET /{path} HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes())?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let amount = stream.read(&mut buffer)?;
        if amount == 0 {
            return Ok(());
        }
        if !target.timed {
            seen.bytes += amount as u64;
            continue;
        }
        for event in buffer[..amount].split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"data: ")) {
            seen.event(&String::from_utf8_lossy(&event[6..]));
        }
    }
}

// --- ureq

fn body(target: &Target) -> Result<Body, Failure> {
    let mut config = Agent::config_builder().proxy(None);
    if let Some(root) = &target.root {
        let roots = RootCerts::new_with_certs(&[Certificate::from_pem(root.as_bytes())?]);
        config = config.tls_config(TlsConfig::builder().provider(TlsProvider::Rustls).root_certs(roots).build());
    }
    Ok(Agent::new_with_config(config.build()).get(&target.url).call()?.into_body())
}

/// ureq and its lines; no events are made of them.
fn lines(target: &Target, seen: &mut Seen) -> Result<(), Failure> {
    let mut reader = BufReader::with_capacity(16 << 10, body(target)?.into_reader());
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        if let Some(data) = line.strip_prefix("data: ") {
            seen.event(data);
        }
        line.clear();
    }
    Ok(())
}

/// What one writes by hand in sixty lines: ureq, lines, a thread and a channel.
fn hand(target: &Target, seen: &mut Seen) -> Result<(), Failure> {
    struct Event {
        _event_type: String,
        _id: Option<String>,
        data: String,
    }
    let (sender, receiver) = crossbeam_channel::bounded::<Event>(64);
    let target = target.clone();
    let reader = thread::spawn(move || -> Result<(), Failure> {
        let reader = BufReader::with_capacity(16 << 10, body(&target)?.into_reader());
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
    for event in receiver {
        seen.event(&event.data);
    }
    reader.join().map_err(|_| "the reader panicked")?
}

// --- http-sse

fn client(target: &Target) -> Result<Client, Failure> {
    let builder = Client::builder().no_proxy();
    Ok(match &target.root {
        None => builder.build()?,
        Some(root) => builder.only_root_certificates_pem(root).build()?,
    })
}

fn request(target: &Target) -> Request {
    let policy = if target.reconnects { RetryPolicy::constant(PAUSE) } else { RetryPolicy::never() };
    Request::get(&target.url).retry(policy)
}

/// How many events to take: as many as there are, or those of one run.
fn most(target: &Target) -> usize {
    if target.reconnects { target.events as usize } else { usize::MAX }
}

fn connect(target: &Target, seen: &mut Seen) -> Result<(), Failure> {
    for event in client(target)?.connect("bench", request(target))?.take(most(target)) {
        seen.event(event?.data());
    }
    Ok(())
}

fn read(target: &Target, seen: &mut Seen) -> Result<(), Failure> {
    for event in client(target)?.read("bench", request(target))?.take(most(target)) {
        seen.event(event?.data());
    }
    Ok(())
}
