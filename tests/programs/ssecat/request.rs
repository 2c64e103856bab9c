//! What a server is asked for.

use std::fs;

use http_sse::testing::{ReceivedRequest, Server};

use crate::ssecat::ssecat;
use support::program::{Folder, run};

/// Returns the request of one run.
#[track_caller]
fn asked(arguments: &[&str]) -> ReceivedRequest {
    let server = Server::start().unwrap();
    let mut command = ssecat(arguments);
    command.arg(server.url("/events?x=1"));
    let running = support::program::Running::start(&mut command);
    let mut peer = server.accept();
    let asked = peer.request().clone();
    peer.respond(204, &[], "");
    let left = running.finish();
    assert_eq!((left.stdout.as_str(), left.stderr.as_str(), left.code), ("", "", Some(0)), "{asked:?}");
    assert_eq!(server.connections(), 1);
    asked
}

#[test]
fn without_options_it_is_a_get() {
    let asked = asked(&[]);
    assert_eq!((asked.method(), asked.path(), asked.body()), ("GET", "/events?x=1", &b""[..]));
    assert_eq!(asked.header("accept"), Some("text/event-stream"));
    assert_eq!(asked.header("last-event-id"), None);
    assert_eq!(asked.header("content-type"), None);
}

#[test]
fn gzip_is_asked_for_where_it_may_be_compressed() {
    assert_eq!(asked(&[]).headers("accept-encoding"), ["identity"]);
    assert_eq!(asked(&["--compressed"]).headers("accept-encoding"), ["gzip"]);
}

#[test]
fn the_method_is_sent_as_it_is() {
    assert_eq!(asked(&["-X", "REPORT"]).method(), "REPORT");
}

#[test]
fn headers_are_sent_all_and_replace_the_defaults() {
    let asked = asked(&["-H", "X-One: a: b", "-H", "x-one:c", "-H", "User-Agent: tool", "-HX-Empty:"]);
    assert_eq!(asked.headers("x-one"), ["a: b", "c"]);
    assert_eq!(asked.headers("user-agent"), ["tool"]);
    assert_eq!(asked.headers("x-empty"), [""]);
}

#[test]
fn a_body_makes_it_a_post_of_json_where_it_is_json() {
    let asked = asked(&["-d", r#"{"stream":true}"#]);
    assert_eq!((asked.method(), asked.body()), ("POST", &br#"{"stream":true}"#[..]));
    assert_eq!(asked.headers("content-type"), ["application/json"]);
}

#[test]
fn another_body_is_a_form() {
    let asked = asked(&["-X", "PUT", "-d", "q=crab&lang=en"]);
    assert_eq!((asked.method(), asked.body()), ("PUT", &b"q=crab&lang=en"[..]));
    assert_eq!(asked.headers("content-type"), ["application/x-www-form-urlencoded"]);
}

#[test]
fn a_content_type_that_is_given_wins() {
    let asked = asked(&["-d", "{}", "-H", "content-type: text/plain"]);
    assert_eq!(asked.headers("content-type"), ["text/plain"]);
}

#[test]
fn the_body_may_be_the_bytes_of_a_file() {
    let folder = Folder::new("ssecat-body");
    fs::write(folder.file("body"), b"\xff\x00\n").unwrap();
    let asked = asked(&["-d", &format!("@{}", folder.file("body").display())]);
    assert_eq!((asked.method(), asked.body()), ("POST", &b"\xff\x00\n"[..]));
}

#[test]
fn the_body_may_be_the_standard_input() {
    let folder = Folder::new("ssecat-stdin");
    fs::write(folder.file("body"), "[1]").unwrap();
    let server = Server::serve(|_, mut peer| {
        assert_eq!(peer.request().body(), b"[1]");
        peer.respond(204, &[], "");
    })
    .unwrap();
    let mut command = ssecat(&["-d", "@-"]);
    let left = run(command.arg(server.url("/")).stdin(fs::File::open(folder.file("body")).unwrap()));
    assert_eq!((left.stderr.as_str(), left.code), ("", Some(0)));
    server.finish();
}

#[test]
fn the_last_id_is_sent() {
    assert_eq!(asked(&["--last-id", "ü 7"]).header("last-event-id"), Some("ü 7"));
}

#[test]
fn options_may_follow_the_url_and_carry_their_value_behind_an_equals_sign() {
    let server = Server::start().unwrap();
    let url = server.url("/events");
    let running = support::program::Running::start(&mut ssecat(&[&url, "--last-id=7", "--retry=never"]));
    let mut peer = server.accept();
    assert_eq!(peer.request().header("last-event-id"), Some("7"));
    peer.respond(204, &[], "");
    assert_eq!(running.finish().code, Some(0));
}

#[test]
fn a_host_can_be_given_an_address_and_a_connection_its_own() {
    let server = Server::start().unwrap();
    let port = server.url("/").rsplit_once(':').unwrap().1.trim_end_matches('/').to_owned();
    let resolve = format!("bridge.example:{port}:127.0.0.1");
    let mut command = ssecat(&["--resolve", &resolve, "--interface", "127.0.0.1"]);
    let command = command.arg(format!("http://bridge.example:{port}/events")).env("no_proxy", "*");
    let running = support::program::Running::start(command);
    let mut peer = server.accept();
    assert_eq!(peer.request().header("host"), Some(format!("bridge.example:{port}").as_str()));
    peer.respond(204, &[], "");
    assert_eq!(running.finish().code, Some(0));
}

#[test]
fn a_unix_socket_is_connected_to() {
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixListener;

    let folder = Folder::new("ssecat-unix");
    let path = folder.file("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let mut command = ssecat(&["http://localhost/events", "--unix-socket"]);
    let server = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let head = BufReader::new(&connection).lines().map(Result::unwrap);
        let head: Vec<_> = head.take_while(|line| !line.is_empty()).collect();
        connection.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        head
    });
    let left = run(command.arg(&path));
    assert_eq!((left.stderr.as_str(), left.code), ("", Some(0)));
    assert_eq!(server.join().unwrap()[0], "GET /events HTTP/1.1");
}
