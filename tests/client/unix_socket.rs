//! Streams over a Unix socket: what is sent, how they end, and how promptly.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use http_sse::{Client, End, Error, Request, RetryPolicy, Timeout};
use socket2::{Domain, SockAddr, Socket, Type};
use support::{deadline, wait_until};

const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

/// A path for a socket, in a folder that goes away.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static NUMBERS: AtomicU32 = AtomicU32::new(0);
        let number = NUMBERS.fetch_add(1, Ordering::SeqCst);
        let folder = std::env::temp_dir().join(format!("http-sse-unix-{}-{number}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn client(path: &Path) -> Client {
    Client::builder().unix_socket(path).build().unwrap()
}

fn request() -> Request {
    Request::get("http://engine.example:8080/events?all=1").retry(RetryPolicy::constant(Duration::from_millis(10)))
}

/// Accepts a connection and reads the request's head.
fn accept(listener: &UnixListener) -> (UnixStream, String) {
    let (mut connection, _) = listener.accept().unwrap();
    connection.set_read_timeout(Some(deadline())).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    (connection, String::from_utf8(head).unwrap().to_ascii_lowercase())
}

#[test]
fn the_urls_host_is_the_host_header_and_the_stream_resumes() {
    let place = Place::new();
    let path = place.socket();
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || {
        let (mut first, head) = accept(&listener);
        assert!(head.starts_with("get /events?all=1 http/1.1\r\n"), "{head}");
        assert!(head.contains("\r\nhost: engine.example:8080\r\n"), "{head}");
        first.write_all(format!("{STREAM}id: 1\ndata: one\n\n").as_bytes()).unwrap();
        drop(first);
        let (mut second, head) = accept(&listener);
        assert!(head.contains("\r\nlast-event-id: 1\r\n"), "{head}");
        second.write_all(format!("{STREAM}id: 2\ndata: two\n\n").as_bytes()).unwrap();
        drop(second);
        let (mut third, _) = accept(&listener);
        third.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    });
    let mut events = client(&path).read("unix", request()).unwrap();
    let data: Vec<_> = events.by_ref().map(|event| event.unwrap().into_data()).collect();
    assert_eq!(data, ["one", "two"]);
    assert!(matches!(events.handle().end(), Some(End::NoContent)));
    server.join().unwrap();
}

#[test]
fn a_redirect_stays_on_the_socket() {
    let place = Place::new();
    let listener = UnixListener::bind(place.socket()).unwrap();
    let server = thread::spawn(move || {
        let (mut first, _) = accept(&listener);
        first.write_all(b"HTTP/1.1 307 x\r\nLocation: http://other.example/b\r\nContent-Length: 0\r\n\r\n").unwrap();
        let (mut second, head) = accept(&listener);
        assert!(head.contains("\r\nhost: other.example\r\n"), "{head}");
        second.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    });
    let mut events = client(&place.socket()).read("unix", request()).unwrap();
    assert!(events.next().is_none());
    server.join().unwrap();
}

#[test]
fn a_socket_that_is_not_there_is_named_and_found_later() {
    let place = Place::new();
    let never = request().retry(RetryPolicy::never());
    let error = client(&place.socket()).read("unix", never).unwrap().next().unwrap().unwrap_err();
    assert!(matches!(&error, Error::Io(_)) && error.to_string().contains("socket"), "{error}");
    assert!(error.is_transient());

    let path = place.socket();
    let often = RetryPolicy::constant(Duration::from_millis(100));
    let events = client(&path).connect("unix", request().retry(often)).unwrap();
    let handle = events.handle();
    wait_until(|| handle.last_error().is_some());
    let listener = UnixListener::bind(&path).unwrap();
    let (mut connection, _) = accept(&listener);
    connection.write_all(format!("{STREAM}data: here\n\n").as_bytes()).unwrap();
    assert_eq!(events.recv_timeout(deadline()).unwrap().unwrap().data(), "here");
}

#[test]
fn a_stop_ends_a_read_at_once_and_timeouts_are_those_of_tcp() {
    let place = Place::new();
    let listener = UnixListener::bind(place.socket()).unwrap();
    let events = client(&place.socket()).connect("unix", request()).unwrap();
    let (mut connection, _) = accept(&listener);
    connection.write_all(format!("{STREAM}data: here\n\n").as_bytes()).unwrap();
    events.recv_timeout(deadline()).unwrap().unwrap();
    let start = Instant::now();
    events.handle().stop();
    events.handle().join();
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert_eq!(connection.read(&mut [0]).unwrap(), 0, "the socket is open");

    let short = Duration::from_millis(100);
    let silent = || request().response_timeout(short).idle_timeout(short).retry(RetryPolicy::never());
    let error = client(&place.socket()).read("head", silent()).unwrap().next().unwrap().unwrap_err();
    assert!(matches!(error, Error::Timeout(Timeout::Response)), "{error}");
    let (_late, _) = accept(&listener);
    let server = thread::spawn(move || {
        let (mut connection, _) = accept(&listener);
        connection.write_all(STREAM.as_bytes()).unwrap();
        connection.read(&mut [0]).unwrap()
    });
    let error = client(&place.socket()).read("idle", silent().response_timeout(deadline())).unwrap().next();
    let error = error.unwrap().unwrap_err();
    assert!(matches!(error, Error::Timeout(Timeout::Idle)), "{error}");
    assert_eq!(server.join().unwrap(), 0);
}

/// Elsewhere such a connect is refused.
#[cfg(target_os = "linux")]
#[test]
fn a_queue_that_is_full_ends_with_the_connect_timeout_or_a_stop() {
    let place = Place::new();
    let address = SockAddr::unix(place.socket()).unwrap();
    let socket = || Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    let listener = socket();
    listener.bind(&address).unwrap();
    listener.listen(0).unwrap();
    let mut stuffing = Vec::new();
    loop {
        let client = socket();
        client.set_nonblocking(true).unwrap();
        let connected = client.connect(&address);
        stuffing.push(client);
        if connected.is_err() {
            break;
        }
    }
    let short = request().connect_timeout(Duration::from_millis(200)).retry(RetryPolicy::never());
    let error = client(&place.socket()).read("full", short).unwrap().next().unwrap().unwrap_err();
    assert!(matches!(error, Error::Timeout(Timeout::Connect)), "{error}");

    let handle = client(&place.socket()).listen("full", request().connect_timeout(Duration::from_secs(60))).unwrap();
    wait_until(|| handle.stats().attempts == 1);
    let start = Instant::now();
    handle.stop();
    handle.join();
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn what_cannot_be_is_refused_at_once() {
    let local = || "127.0.0.1".parse().unwrap();
    for (what, builder) in [
        ("empty", Client::builder().unix_socket("")),
        ("long", Client::builder().unix_socket("x".repeat(200))),
        ("proxy", Client::builder().unix_socket("/run/a").proxy("http://proxy.example")),
        ("resolve", Client::builder().unix_socket("/run/a").resolve("a", local())),
        ("source", Client::builder().unix_socket("/run/a").bind_address(local())),
    ] {
        let error = builder.build().unwrap_err();
        assert!(error.to_string().contains("unix_socket"), "{what}: {error}");
    }
}
