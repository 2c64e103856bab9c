//! The load: a process of its own, so that its work is not counted.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::scenario::Scenario;

/// Serves `/NAME/COUNT` (that many events as fast as they are taken) and `/latency/COUNT` (one a millisecond, with
/// the time of sending) until the process is killed. Prints its port first.
pub fn run() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || answer(stream));
    }
    Ok(())
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut path = String::new();
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some(rest) = line.strip_prefix("GET ") {
            path = rest.split(' ').next().unwrap_or_default().to_owned();
        }
    }
    let mut parts = path.trim_start_matches('/').split('/');
    let (name, count) =
        (parts.next().unwrap_or_default(), parts.next().and_then(|count| count.parse().ok()).unwrap_or(0));
    if name == "latency" {
        return latency(stream, count);
    }
    let Some(scenario) = Scenario::named(name) else {
        return stream.write_all(b"HTTP/1.1 404 \r\ncontent-length: 0\r\n\r\n");
    };
    head(&mut stream, scenario.chunked)?;
    let one = scenario.framed();
    let in_block = (256 << 10) / one.len() as u64 + 1;
    let block = one.repeat(in_block as usize);
    let mut left: u64 = count;
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

fn head(stream: &mut TcpStream, chunked: bool) -> io::Result<()> {
    let framing = if chunked { "transfer-encoding: chunked\r\n" } else { "connection: close\r\n" };
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{framing}\r\n")
}

/// Steady pace: the next send is due at a multiple of a millisecond, however late the last one was.
fn latency(mut stream: TcpStream, count: u64) -> io::Result<()> {
    head(&mut stream, false)?;
    let start = Instant::now();
    for number in 1..=count as u32 {
        let due = Duration::from_millis(1) * number;
        thread::sleep(due.saturating_sub(start.elapsed()));
        // Fixed length: a bare reader knows where an event ends.
        let event = format!("data: {:020}\n\n", nanoseconds());
        stream.write_all(event.as_bytes())?;
    }
    Ok(())
}

/// One clock for two processes.
pub fn nanoseconds() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}
