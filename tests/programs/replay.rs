//! The scripted server that plays a recording.

use std::fs;
use std::time::Duration;

use http_sse::testing::Server;
use http_sse::{Client, Error, Request, RetryPolicy};

use support::program::Folder;

#[test]
fn each_connection_gets_the_next_answer_and_the_rest_204() {
    let folder = Folder::new("replay-answers");
    let text = "http-sse recording 1\n0 status 503\n1 open 200 text/event-stream\n1 body id: 7\\ndata: 1\\n\\n\n1 cut\n\
                # 1.5 a comment\n2 open 200 text/event-stream\n2 body data: \\xff\\n\\n\n";
    fs::write(folder.file("r"), text).unwrap();
    let server = Server::replay(folder.file("r"), f64::INFINITY).unwrap();
    let client = Client::builder().no_proxy().build().unwrap();
    let (sender, errors) = http_sse::crossbeam_channel::unbounded();
    let request = Request::get(server.url("/"))
        .retry(RetryPolicy::constant(Duration::from_millis(1)).max_retries(9))
        .on_error(move |error| sender.send(error.clone()).unwrap());
    let data: Vec<_> = client.read("answers", request).unwrap().map(|event| event.unwrap().into_data()).collect();
    assert_eq!(data, ["1", "\u{fffd}"]);
    assert_eq!(server.connections(), 4);
    let errors: Vec<_> = errors.iter().collect();
    assert!(matches!(&errors[..], [Error::Status(_), Error::Disconnected]), "{errors:?}");
}

#[test]
fn pauses_are_played_at_the_speed_that_is_asked_for() {
    let folder = Folder::new("replay-speed");
    let text =
        "http-sse recording 1\n5 open 200 text/event-stream\n5 body data: 1\\n\\n\n8605 body data: 2\\n\\n\n8605 end\n";
    fs::write(folder.file("r"), text).unwrap();
    let client = Client::builder().no_proxy().build().unwrap();
    let read = |server: &Server| {
        let request = Request::get(server.url("/")).retry(RetryPolicy::never());
        client.read("replayed", request).unwrap()
    };
    // Two hours in no time, and in a thousandth of a second.
    for speed in [f64::INFINITY, 8_600_000.0] {
        let server = Server::replay(folder.file("r"), speed).unwrap();
        let data: Vec<_> = read(&server).map(|event| event.unwrap().into_data()).collect();
        assert_eq!(data, ["1", "2"]);
    }
    let server = Server::replay(folder.file("r"), 1.0).unwrap();
    let mut reader = read(&server);
    assert_eq!(reader.next().unwrap().unwrap().data(), "1");
    assert!(reader.next_timeout(Duration::from_millis(50)).is_err());
    drop(reader);
    // The client's leaving ends the pause.
    server.finish();
}

#[test]
fn a_replay_that_cannot_be_is_an_error() {
    let folder = Folder::new("replay-bad");
    fs::write(folder.file("r"), "http-sse recording 1\n").unwrap();
    for speed in [0.0, -1.0, f64::NAN] {
        let error = Server::replay(folder.file("r"), speed).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    }
    fs::write(folder.file("r"), "http-sse recording 1\n0 what\n").unwrap();
    assert_eq!(Server::replay(folder.file("r"), 1.0).unwrap_err().kind(), std::io::ErrorKind::InvalidData);
    assert_eq!(Server::replay(folder.file("none"), 1.0).unwrap_err().kind(), std::io::ErrorKind::NotFound);
}
