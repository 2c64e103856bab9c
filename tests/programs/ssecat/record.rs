//! `--record`, and the server that plays a recording.

use std::fs;
use std::path::Path;

use http_sse::testing::{Framing, Peer, Server};

use crate::ssecat::{gzip, ssecat};
use support::program::{Folder, Running, run};

/// The lines without their times and comments.
#[track_caller]
fn lines(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().skip(1).filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
}

fn stream(peer: &mut Peer, pieces: &[&[u8]]) {
    peer.begin(200, &[("Content-Type", "text/event-stream; charset=utf-8")], Framing::Chunked);
    for piece in pieces {
        peer.send(piece);
    }
}

#[track_caller]
fn record(folder: &Folder, name: &str, url: &str) -> String {
    let mut command = ssecat(&["--retry", "9", "--json", "--record"]);
    let left = run(command.arg(folder.file(name)).arg(url));
    assert_eq!(left.code, Some(0), "{left:?}");
    left.stdout
}

#[test]
fn a_compressed_stream_is_recorded_as_what_it_means() {
    let folder = Folder::new("ssecat-record-gzip");
    let server = Server::serve(|_, mut peer| {
        let headers = [("Content-Type", "text/event-stream"), ("Content-Encoding", "gzip")];
        peer.respond(200, &headers, gzip("id: 1\ndata: a\n\n"));
    })
    .unwrap();
    let mut command = ssecat(&["--retry", "never", "--compressed", "--record"]);
    let left = run(command.arg(folder.file("r")).arg(server.url("/")));
    assert_eq!(left.code, Some(0), "{left:?}");
    assert_eq!(lines(&folder.file("r")), ["open 200 text/event-stream", r"body id: 1\ndata: a\n\n", "end"]);
}

#[test]
fn a_recording_is_played_as_it_was_and_recorded_again_the_same() {
    let folder = Folder::new("ssecat-record");
    let server = Server::serve(|number, mut peer| match number {
        0 => {
            stream(&mut peer, &[b"retry: 500\n\nid: 1\nda", b"ta: a\\b\n", b"\r\n: \xff\xc3", b"\xbc \x1b[2J\t\n\n"]);
            peer.close_abruptly();
        }
        1 => peer.respond(503, &[], "busy"),
        2 => {
            stream(&mut peer, &["data: ü \u{9b}\n\ndata: half".as_bytes()]);
            peer.end();
        }
        _ => peer.respond(204, &[], ""),
    })
    .unwrap();
    let events = record(&folder, "first", &server.url("/"));
    assert_eq!(events.lines().count(), 2, "{events}");
    let recorded = lines(&folder.file("first"));
    let expected = [
        "open 200 text/event-stream; charset=utf-8",
        r"body retry: 500\n\nid: 1\nda",
        r"body ta: a\\b\n",
        r"body \r\n: \xff\xc3",
        r"body \xbc \x1b[2J\t\n\n",
        "cut",
        "status 503",
        "open 200 text/event-stream; charset=utf-8",
        r"body data: ü \xc2\x9b\n\ndata: half",
        "end",
    ];
    assert_eq!(recorded, expected);

    let replayed = Server::replay(folder.file("first"), f64::INFINITY).unwrap();
    assert_eq!(record(&folder, "second", &replayed.url("/")), events);
    assert_eq!(lines(&folder.file("second")), expected);
}

#[test]
fn nothing_of_the_request_is_recorded() {
    let folder = Folder::new("ssecat-record-secrets");
    let server = Server::serve(|_, peer| crate::ssecat::send(peer, "data: 1\n\n")).unwrap();
    let url = server.url("/s3cret?key=s3cret").replace("http://", "http://user:s3cret@");
    let arguments = ["--retry", "never", "-H", "X-Key: s3cret", "-d", "s3cret", "--last-id", "s3cret", "--record"];
    let left = run(ssecat(&arguments).arg(folder.file("r")).arg(url));
    assert_eq!(left.code, Some(0), "{left:?}");
    let text = fs::read_to_string(folder.file("r")).unwrap();
    assert!(text.contains(r"body data: 1\n\n") && !text.contains("s3cret"), "{text}");
}

#[test]
fn a_stream_that_was_stopped_is_recorded_up_to_there() {
    let folder = Folder::new("ssecat-record-stop");
    let server = Server::start().unwrap();
    let running = Running::start(ssecat(&["--record"]).arg(folder.file("r")).arg(server.url("/")));
    let mut peer = server.accept();
    peer.stream();
    peer.send("data: 1\n\ndata");
    assert_eq!(running.line(), "data: 1\n");
    running.signal("INT");
    peer.wait_for_close();
    assert_eq!(running.finish().code, Some(0));
    assert_eq!(lines(&folder.file("r")), ["open 200 text/event-stream", r"body data: 1\n\ndata", "stop"]);
}

#[test]
fn an_attempt_without_an_answer_is_a_comment() {
    let folder = Folder::new("ssecat-record-comment");
    let server = Server::start().unwrap();
    server.refuse().unwrap();
    let left = run(ssecat(&["--retry", "never", "--record"]).arg(folder.file("r")).arg(server.url("/")));
    assert_eq!(left.code, Some(3));
    let text = fs::read_to_string(folder.file("r")).unwrap();
    assert!(text.lines().last().unwrap().ends_with(" refused (os error 111)") && lines(&folder.file("r")).is_empty());
}

#[test]
fn a_recording_that_cannot_be_written_is_refused_or_ends_with_a_warning() {
    let left = run(&mut ssecat(&["--record", "/no/such/folder", "http://127.0.0.1:1/"]));
    let line = "ssecat: --record \"/no/such/folder\": No such file or directory (os error 2)\n";
    assert_eq!((left.stderr.as_str(), left.code), (line, Some(2)));
    let left = run(&mut ssecat(&["--record", "/dev/full", "http://127.0.0.1:1/"]));
    assert_eq!(left.code, Some(2), "{left:?}");
}
