//! The event stream server of the examples when they have no URL: std only, free port of 127.0.0.1.

#![allow(dead_code, reason = "no example needs all of it")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// Starts the server and returns its URL. The script receives the head of each request and the connection for the
/// response, which is closed when the script returns.
pub(crate) fn serve<F>(script: F) -> io::Result<String>
where
    F: Fn(&str, &mut TcpStream) -> io::Result<()> + Clone + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let script = script.clone();
            // The client may disconnect at any time: a failed write is not a failure of the server.
            thread::spawn(move || answer(&script, connection));
        }
    });
    Ok(url)
}

fn answer(script: &impl Fn(&str, &mut TcpStream) -> io::Result<()>, mut connection: TcpStream) -> io::Result<()> {
    let mut input = BufReader::new(connection.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if input.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let length = header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    input.read_exact(&mut vec![0; length])?;
    script(&head, &mut connection)
}

/// Returns the value of a request header.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}

/// Opens an event stream.
pub(crate) fn open(connection: &mut TcpStream) -> io::Result<()> {
    connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
}

/// Answers without a stream: 204 tells a client not to reconnect.
pub(crate) fn refuse(connection: &mut TcpStream, status: &str) -> io::Result<()> {
    write!(connection, "HTTP/1.1 {status}\r\nConnection: close\r\n\r\n")
}
