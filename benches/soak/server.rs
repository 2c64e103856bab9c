//! The server, in a process of its own: it ends each response after some seconds, in one of many ways.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::exit;
use std::thread;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use socket2::SockRef;

use crate::chance::Chance;
use crate::wire::{IDLE, event};

/// Of all connections together.
const EVENTS_PER_SECOND: f64 = 200.0;

/// How a response ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    /// In the middle of an event.
    Fin,
    Reset,
    /// As if the stream were complete.
    Whole,
    Silence,
    /// What is no chunk, or no gzip, behind an event.
    Garbage,
    /// Before it begins.
    Busy,
}

const BREAKS: [Break; 10] = {
    use Break::{Busy, Fin, Garbage, Reset, Silence, Whole};
    [Fin, Reset, Whole, Silence, Garbage, Busy, Fin, Reset, Fin, Reset]
};

pub(crate) fn serve(streams: u32) -> ! {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap());
    let clock = Clock { start: Instant::now(), period: f64::from(streams) / EVENTS_PER_SECOND };
    thread::spawn(move || {
        let mut seeds = Chance::new(1);
        for socket in listener.incoming().flatten() {
            let chance = Chance::new(seeds.next());
            // An error is the client's leaving.
            thread::spawn(move || _ = play(socket, clock, chance));
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

/// Sends what comes after the client's last event, for some seconds, and breaks off.
fn play(mut socket: TcpStream, clock: Clock, mut chance: Chance) -> io::Result<()> {
    let end = Instant::now() + Duration::from_millis(200 + chance.below(3600));
    let how = BREAKS[chance.below(10) as usize];
    socket.set_nodelay(true)?;
    let asked = Asked::read(&socket)?;
    if how == Break::Busy {
        let head = "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy";
        return socket.write_all(head.as_bytes());
    }
    let mut body = Body::new(&asked);
    socket.write_all(body.head().as_bytes())?;
    let mut number = asked.after;
    loop {
        number += 1;
        let due = clock.due(number);
        thread::sleep(due.min(end).saturating_duration_since(Instant::now()));
        let mut event = event(asked.stream, number);
        if asked.has_ids {
            event = event.with_id(number.to_string());
        }
        let is_last = due >= end;
        if is_last && how == Break::Whole {
            return socket.write_all(&body.end()?);
        }
        let bytes = body.piece(event.to_string().as_bytes())?;
        // Half of a compressed event and garbage could be another event.
        let is_half = is_last && how != Break::Garbage;
        let sent = if is_half { bytes.len() / 2 } else { bytes.len() };
        socket.write_all(&bytes[..sent])?;
        if is_last {
            break;
        }
    }
    match how {
        Break::Silence => thread::sleep(IDLE + Duration::from_secs(2)),
        Break::Garbage => socket.write_all(&[0xff; 100])?,
        Break::Reset => SockRef::from(&socket).set_linger(Some(Duration::ZERO))?,
        Break::Fin | Break::Whole | Break::Busy => {}
    }
    Ok(())
}

/// What a client wants.
struct Asked {
    stream: usize,
    after: u64,
    has_ids: bool,
    accepts_gzip: bool,
}

impl Asked {
    fn read(socket: &TcpStream) -> io::Result<Self> {
        let mut lines = BufReader::new(socket).lines();
        let first = lines.next().ok_or(io::ErrorKind::UnexpectedEof)??;
        let target = first.split(' ').nth(1).unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (folder, stream) = path[1..].split_once('/').ok_or(io::ErrorKind::InvalidData)?;
        let mut asked = Self {
            stream: stream.parse().map_err(|_| io::ErrorKind::InvalidData)?,
            after: query.strip_prefix("after=").map_or(0, |number| number.parse().unwrap()),
            has_ids: folder == "ids",
            accepts_gzip: false,
        };
        for line in lines {
            let line = line?.to_ascii_lowercase();
            match line.split_once(": ") {
                Some(("last-event-id", id)) => asked.after = id.parse().unwrap(),
                Some(("x-after", text)) => asked.after = text.strip_prefix("event ").unwrap().parse().unwrap(),
                Some(("accept-encoding", coding)) => asked.accepts_gzip = coding.contains("gzip"),
                None if line.is_empty() => break,
                _ => {}
            }
        }
        Ok(asked)
    }
}

/// Frames what is sent: even streams are chunked, odd ones end with their connection.
struct Body {
    is_chunked: bool,
    gzip: Option<GzEncoder<Vec<u8>>>,
}

impl Body {
    fn new(asked: &Asked) -> Self {
        let gzip = asked.accepts_gzip.then(|| GzEncoder::new(Vec::new(), Compression::default()));
        Self { is_chunked: asked.stream % 2 == 0, gzip }
    }

    fn head(&self) -> String {
        let framing = if self.is_chunked { "Transfer-Encoding: chunked" } else { "Connection: close" };
        let coding = if self.gzip.is_some() { "Content-Encoding: gzip\r\n" } else { "" };
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{coding}{framing}\r\n\r\n")
    }

    fn piece(&mut self, text: &[u8]) -> io::Result<Vec<u8>> {
        let Some(gzip) = &mut self.gzip else { return Ok(self.framed(text)) };
        gzip.write_all(text)?;
        gzip.flush()?;
        let bytes = std::mem::take(gzip.get_mut());
        Ok(self.framed(&bytes))
    }

    fn end(&mut self) -> io::Result<Vec<u8>> {
        let rest = self.gzip.take().map_or(Ok(Vec::new()), GzEncoder::finish)?;
        let mut bytes = if rest.is_empty() { rest } else { self.framed(&rest) };
        if self.is_chunked {
            bytes.extend_from_slice(b"0\r\n\r\n");
        }
        Ok(bytes)
    }

    fn framed(&self, bytes: &[u8]) -> Vec<u8> {
        if !self.is_chunked {
            return bytes.to_vec();
        }
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        chunk
    }
}
