//! The server of the journeys: in the process of the test, whose calls do not fail.
//!
//! Its events are the numbers from 1, and are their own ids. It goes on after the Last-Event-ID, cuts each response
//! after two events, and answers 204 after the last one.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub(crate) const EVENTS: usize = 6;
const PER_RESPONSE: usize = 2;
const DEADLINE: Duration = Duration::from_secs(15);

#[derive(Clone)]
pub(crate) enum Manner {
    Cutting,
    /// Sends all events in one response.
    Whole,
    /// Sends one event, and nothing more.
    Holding,
    /// Answers CONNECT first.
    Proxy,
    Tls(Arc<ServerConfig>),
}

/// Serves until the process ends.
pub(crate) fn start(manner: Manner) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let manner = manner.clone();
            // A client whose calls fail breaks off at any moment.
            thread::spawn(move || drop(socket.and_then(|socket| answer(socket, manner))));
        }
    });
    address
}

fn answer(mut socket: TcpStream, manner: Manner) -> io::Result<()> {
    socket.set_read_timeout(Some(DEADLINE))?;
    match manner {
        Manner::Cutting => respond(&mut socket, PER_RESPONSE),
        Manner::Whole => respond(&mut socket, EVENTS),
        Manner::Holding => {
            respond(&mut socket, 1)?;
            wait_for_end(&mut socket)
        }
        Manner::Proxy => {
            head(&mut socket)?;
            socket.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
            respond(&mut socket, PER_RESPONSE)
        }
        Manner::Tls(config) => {
            let connection = ServerConnection::new(config).map_err(io::Error::other)?;
            let mut stream = StreamOwned::new(connection, socket);
            respond(&mut stream, PER_RESPONSE)?;
            stream.conn.send_close_notify();
            stream.flush()
        }
    }
}

fn respond(stream: &mut (impl Read + Write), max: usize) -> io::Result<()> {
    let head = head(stream)?;
    let last = head.lines().find_map(|line| line.strip_prefix("last-event-id:"));
    let last: usize = last.map_or(0, |id| id.trim().parse().unwrap());
    if last == EVENTS {
        return stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    }
    let mut text = String::from("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n");
    for number in (last + 1..=EVENTS).take(max) {
        text.push_str(&format!("id: {number}\ndata: {number}\n\n"));
    }
    stream.write_all(text.as_bytes())?;
    stream.flush()
}

fn head(stream: &mut impl Read) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    Ok(String::from_utf8_lossy(&head).to_lowercase())
}

fn wait_for_end(stream: &mut impl Read) -> io::Result<()> {
    while stream.read(&mut [0; 64])? > 0 {}
    Ok(())
}
