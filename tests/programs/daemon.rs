//! The example for systemd, with a socket of the test's own in systemd's place.

use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::time::Duration;

use http_sse::testing::Server;

use support::program::{Folder, Running, example, run};

/// Receives what the service says.
struct Systemd {
    socket: UnixDatagram,
}

impl Systemd {
    fn at(address: &SocketAddr) -> Self {
        let socket = UnixDatagram::bind_addr(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self { socket }
    }

    #[track_caller]
    fn next(&self) -> String {
        let mut buffer = [0; 256];
        let length = self.socket.recv(&mut buffer).unwrap_or_else(|error| panic!("nothing was said: {error}"));
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    /// Takes what is said until something else than WATCHDOG=1 is.
    #[track_caller]
    fn next_but_watchdog(&self) -> String {
        std::iter::repeat_with(|| self.next()).find(|state| state != "WATCHDOG=1").unwrap()
    }
}

fn daemon(url: &str) -> Command {
    let mut command = example("daemon");
    command.arg(url);
    command
}

/// A watchdog interval that passes often in a test.
fn with_watchdog(command: &mut Command) -> &mut Command {
    command.env("WATCHDOG_USEC", "40000")
}

#[test]
fn it_is_ready_feeds_the_watchdog_and_stops_cleanly() {
    let folder = Folder::new("daemon-path");
    let path = folder.file("notify");
    let systemd = Systemd::at(&SocketAddr::from_pathname(&path).unwrap());
    let server = Server::start().unwrap();
    let running = Running::start(with_watchdog(daemon(&server.url("/")).env("NOTIFY_SOCKET", &path)));
    assert_eq!(systemd.next(), "READY=1");
    let mut peer = server.accept();
    peer.stream();
    peer.send("data: 1\n\n");
    assert_eq!(running.line(), "1\n");
    for _ in 0..3 {
        assert_eq!(systemd.next(), "WATCHDOG=1");
    }
    running.signal("TERM");
    assert_eq!(systemd.next_but_watchdog(), "STOPPING=1");
    peer.wait_for_close();
    let left = running.finish();
    assert_eq!((left.stdout.as_str(), left.stderr.as_str(), left.code), ("", "", Some(0)));
}

#[test]
fn it_finds_a_socket_with_an_abstract_name() {
    let name = format!("http-sse-daemon-{}", std::process::id());
    let systemd = Systemd::at(&SocketAddr::from_abstract_name(&name).unwrap());
    let server = Server::start().unwrap();
    let running = Running::start(daemon(&server.url("/")).env("NOTIFY_SOCKET", format!("@{name}")));
    assert_eq!(systemd.next(), "READY=1");
    running.signal("TERM");
    // Without WATCHDOG_USEC nobody waits for more.
    assert_eq!(systemd.next(), "STOPPING=1");
    assert_eq!(running.finish().code, Some(0));
}

#[test]
fn it_is_ready_and_alive_without_a_network() {
    let folder = Folder::new("daemon-network");
    let path = folder.file("notify");
    let systemd = Systemd::at(&SocketAddr::from_pathname(&path).unwrap());
    let server = Server::start().unwrap();
    server.refuse().unwrap();
    let running = Running::start(with_watchdog(daemon(&server.url("/")).env("NOTIFY_SOCKET", &path)));
    assert_eq!(systemd.next(), "READY=1");
    for _ in 0..3 {
        assert_eq!(systemd.next(), "WATCHDOG=1");
    }
    running.signal("INT");
    assert_eq!(systemd.next_but_watchdog(), "STOPPING=1");
    assert_eq!(running.finish().code, Some(0));
}

#[test]
fn the_watchdog_is_not_fed_while_the_handling_of_an_event_hangs() {
    let folder = Folder::new("daemon-hang");
    let path = folder.file("notify");
    let systemd = Systemd::at(&SocketAddr::from_pathname(&path).unwrap());
    let server = Server::start().unwrap();
    let mut running = Running::start_unread(with_watchdog(daemon(&server.url("/")).env("NOTIFY_SOCKET", &path)));
    assert_eq!(systemd.next(), "READY=1");
    let mut peer = server.accept();
    peer.stream();
    // More than a pipe holds, and nobody reads it.
    peer.send(format!("data: {}\n\n", "x".repeat(500_000)));
    let output = running.take_output();
    // Fifty times as long as the daemon lets pass otherwise.
    systemd.socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let silence = std::iter::repeat_with(|| systemd.socket.recv(&mut [0; 256])).take(10_000).find_map(Result::err);
    assert_eq!(silence.map(|error| error.kind()), Some(ErrorKind::WouldBlock));
    drop(output);
    // Its output is gone: it ends by itself, not cleanly.
    assert_ne!(running.finish().code, Some(0));
}

#[test]
fn a_watchdog_that_is_meant_for_another_process_is_left_alone() {
    let folder = Folder::new("daemon-pid");
    let path = folder.file("notify");
    let systemd = Systemd::at(&SocketAddr::from_pathname(&path).unwrap());
    let server = Server::start().unwrap();
    let mut command = daemon(&server.url("/"));
    let running = Running::start(with_watchdog(command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_PID", "1")));
    assert_eq!(systemd.next(), "READY=1");
    let mut peer = server.accept();
    peer.stream();
    // Ten intervals.
    peer.pause(Duration::from_millis(400));
    running.signal("TERM");
    assert_eq!(systemd.next(), "STOPPING=1");
    assert_eq!(running.finish().code, Some(0));
}

#[test]
fn it_runs_without_systemd() {
    let server = Server::serve(|_, mut peer| peer.respond(204, &[], "")).unwrap();
    let left = run(&mut daemon(&server.url("/")));
    assert_eq!((left.stdout.as_str(), left.stderr.as_str(), left.code), ("", "", Some(0)));
}

#[test]
fn a_stream_that_fails_for_good_is_a_failure_of_the_service() {
    let proxy = Server::serve(|_, mut peer| peer.respond(407, &[], "")).unwrap();
    let left = run(daemon("http://nowhere.test/").env("http_proxy", proxy.url("/")));
    assert!(left.stderr.contains("ProxyAuthentication") && left.code == Some(1), "{left:?}");
}
