//! The ways to read a stream, each in a process of its own.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;

use http_sse::{Client, Request, RetryPolicy};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body};

#[cfg(feature = "peers")]
use crate::peer;
use crate::target::{PAUSE, Seen, Target, tls};
use crate::words::Failure;

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
