//! The load: a process of its own, so that its work is not counted.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::scenario::{IDLE, LATENCY, RECONNECT, Scenario};
use crate::words::{Failure, nanoseconds};

/// What one write carries, in bytes, unless told otherwise: whole events from a prepared block, at least one. Shares
/// hardly depend on it from 8 KiB up; a server that copies event by event is the bottleneck for small events, and then
/// all readers look faster than they are.
pub const BLOCK: usize = 64 << 10;

/// Between two events of `IDLE`.
const IDLE_TIME: Duration = Duration::from_secs(5);

struct Service {
    block: usize,
    tls: Arc<ServerConfig>,
    /// Port and certificate of the TLS side, for who asks on the plain one.
    introduction: String,
    /// When the last connection of `RECONNECT` was closed.
    closed: Mutex<u128>,
}

/// Serves `/NAME/COUNT` (that many events of a scenario) until the process is killed. Prints its port first.
pub fn run(block: usize) -> Result<(), Failure> {
    let (plain, secure) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])?.self_signed(&key)?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?.with_no_client_auth();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let tls = Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key)?);
    let introduction = format!("{}\n{}", secure.local_addr()?.port(), certificate.pem());
    let service = Arc::new(Service { block, tls, introduction, closed: Mutex::default() });
    println!("{}", plain.local_addr()?.port());
    let other = Arc::clone(&service);
    thread::spawn(move || accept(&secure, &other, encrypted));
    accept(&plain, &service, Service::answer)?;
    Ok(())
}

fn accept(
    listener: &TcpListener,
    service: &Arc<Service>,
    answer: fn(&Service, TcpStream) -> io::Result<()>,
) -> io::Result<()> {
    for stream in listener.incoming() {
        let (stream, service) = (stream?, Arc::clone(service));
        stream.set_nodelay(true)?;
        thread::spawn(move || answer(&service, stream));
    }
    Ok(())
}

fn encrypted(service: &Service, socket: TcpStream) -> io::Result<()> {
    let session = ServerConnection::new(Arc::clone(&service.tls)).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(session, socket);
    let (scenario, count) = asked(&mut stream)?;
    if let Some(scenario) = Scenario::named(&scenario) {
        service.stream(&mut stream, scenario, count)?;
    }
    stream.conn.send_close_notify();
    stream.flush()
}

/// Reads a request for `/NAME/COUNT`.
fn asked(stream: &mut impl Read) -> io::Result<(String, u64)> {
    let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            amount => head.extend_from_slice(&buffer[..amount]),
        }
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap_or_default();
    let mut parts = path.trim_start_matches('/').split('/').map(str::to_owned);
    let name = parts.next().unwrap_or_default();
    Ok((name, parts.next().and_then(|count| count.parse().ok()).unwrap_or(0)))
}

impl Service {
    fn answer(&self, mut stream: TcpStream) -> io::Result<()> {
        let (name, count) = asked(&mut stream)?;
        match (name.as_str(), Scenario::named(&name)) {
            (LATENCY, _) => latency(stream, count),
            (RECONNECT, _) => self.once(stream),
            (IDLE, _) => idle(stream, count),
            ("introduction", _) => {
                let text = &self.introduction;
                write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len())
            }
            (_, Some(scenario)) => self.stream(&mut stream, scenario, count),
            (_, None) => stream.write_all(b"HTTP/1.1 404 \r\ncontent-length: 0\r\n\r\n"),
        }
    }

    /// As fast as they are taken, or at the scenario's rate.
    fn stream(&self, stream: &mut impl Write, scenario: Scenario, count: u64) -> io::Result<()> {
        head(stream, scenario.chunked)?;
        let one = scenario.framed();
        if scenario.rate > 0 {
            return paced(Duration::from_secs(1) / scenario.rate, count, || stream.write_all(&one));
        }
        let in_block = (self.block / one.len()).max(1) as u64;
        let block = one.repeat(in_block as usize);
        let mut left = count;
        while left > 0 {
            let now = left.min(in_block);
            stream.write_all(&block[..now as usize * one.len()])?;
            left -= now;
        }
        if scenario.chunked {
            stream.write_all(b"0\r\n\r\n")?;
        }
        Ok(())
    }

    /// One event and the end. The event tells when the connection before it was closed.
    fn once(&self, mut stream: TcpStream) -> io::Result<()> {
        head(&mut stream, false)?;
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        stream.write_all(stamp(*closed).as_bytes())?;
        *closed = nanoseconds();
        stream.shutdown(Shutdown::Write)
    }
}

fn head(stream: &mut impl Write, chunked: bool) -> io::Result<()> {
    let framing = if chunked { "transfer-encoding: chunked\r\n" } else { "connection: close\r\n" };
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{framing}\r\n");
    stream.write_all(head.as_bytes())
}

fn latency(mut stream: TcpStream, count: u64) -> io::Result<()> {
    head(&mut stream, false)?;
    paced(Duration::from_millis(1), count, || stream.write_all(stamp(nanoseconds()).as_bytes()))
}

/// Steady pace: the next send is due at a multiple of the interval, however late the last one was.
fn paced(interval: Duration, count: u64, mut send: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let start = Instant::now();
    for number in 1..=count as u32 {
        let due = interval * number;
        thread::sleep(due.saturating_sub(start.elapsed()));
        send()?;
    }
    Ok(())
}

fn idle(mut stream: TcpStream, count: u64) -> io::Result<()> {
    head(&mut stream, false)?;
    for number in 0..count {
        thread::sleep(if number > 0 { IDLE_TIME } else { Duration::ZERO });
        stream.write_all(stamp(nanoseconds()).as_bytes())?;
    }
    Ok(())
}

/// Of fixed length: a bare reader knows where an event ends.
fn stamp(time: u128) -> String {
    format!("data: {time:020}\n\n")
}
