//! What the blocks of a stream do to a connection, over one attempt or several.

use std::time::{Duration, Instant};

use http_sse::testing::Server;
use http_sse::{Client, Error, Request, RetryPolicy, State};
use support::transcript::{assert_ended, client, next_data, next_event, quick, stop};

fn request(server: &Server) -> Request {
    Request::get(server.url("/events")).retry(quick())
}

/// Accepts, answers with these bytes of a stream, and ends it cleanly; returns the Last-Event-ID that was sent.
#[track_caller]
fn answer(server: &Server, body: impl AsRef<[u8]>) -> Option<String> {
    let mut peer = server.accept();
    let id = peer.request().header("last-event-id").map(str::to_owned);
    peer.stream();
    peer.send(body);
    peer.end();
    id
}

#[test]
fn the_last_event_id_survives_any_number_of_reconnects() {
    let server = Server::start().unwrap();
    let rx = client().connect("survives", request(&server)).unwrap();
    assert_eq!(answer(&server, "id: 1\ndata: a\n\n"), None);
    for _ in 0..5 {
        assert_eq!(answer(&server, "data: b\n\n").as_deref(), Some("1"));
    }
    server.accept().respond(503, &[], "");
    assert_eq!(answer(&server, "").as_deref(), Some("1"));
    assert_eq!(next_data(&rx), "a");
    for _ in 0..5 {
        assert_eq!(next_event(&rx).id(), Some("1"));
    }
    stop(&rx);
}

#[test]
fn an_empty_id_sends_no_header() {
    let server = Server::start().unwrap();
    let rx = client().connect("empty", request(&server).last_event_id("")).unwrap();
    for body in ["id: 1\n\n", "id:\n\n", ""] {
        let mut peer = server.accept();
        let expected: &[&str] = if body.starts_with("id:\n") { &["1"] } else { &[] };
        assert_eq!(peer.request().headers("last-event-id"), expected);
        peer.stream();
        peer.send(body);
        peer.end();
    }
    stop(&rx);
}

#[test]
fn a_block_of_only_an_unknown_field_is_passed_over() {
    let server = Server::start().unwrap();
    let rx = client().connect("unknown", request(&server)).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send("future: x\n\nfuture\n\n:\n\ndata: a\n\n");
    assert_eq!(next_data(&rx), "a");
    assert_eq!((server.connections(), rx.handle().state()), (1, State::Open));
    stop(&rx);
}

#[test]
fn a_byte_order_mark_leads_every_stream() {
    let server = Server::start().unwrap();
    let rx = client().connect("bom", request(&server)).unwrap();
    for data in ["a", "b"] {
        answer(&server, format!("\u{FEFF}data: {data}\n\n"));
        assert_eq!(next_data(&rx), data);
    }
    stop(&rx);
}

#[test]
fn invalid_utf_8_is_replaced_and_the_stream_goes_on() {
    let server = Server::start().unwrap();
    let rx = client().connect("utf-8", request(&server)).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send(b"data: \xFFa\xC3\n\ndata: b\n\n");
    assert_eq!([next_data(&rx), next_data(&rx)], ["\u{FFFD}a\u{FFFD}", "b"]);
    assert_eq!(server.connections(), 1);
    stop(&rx);
}

#[test]
fn an_event_of_a_close_delimited_body_comes_at_once() {
    let server = Server::start().unwrap();
    let rx = client().connect("close-delimited", request(&server)).unwrap();
    let mut peer = server.accept();
    peer.stream_until_close();
    for number in 0..3 {
        peer.send(format!("data: {number}\n\n"));
        let start = Instant::now();
        assert_eq!(next_data(&rx), number.to_string());
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    }
    stop(&rx);
}

#[test]
fn a_loop_with_a_question_mark_outlives_every_transient_failure() {
    fn collect(client: &Client, request: Request) -> Result<String, Error> {
        let mut all = String::new();
        for event in client.connect("hiccups", request)? {
            all += event?.data();
        }
        Ok(all)
    }
    let server = Server::serve(|number, mut peer| match number {
        0 => peer.reset(),
        1 => peer.respond(503, &[], "busy"),
        2 => peer.raw("this is not HTTP\r\n\r\n"),
        3 => {
            peer.stream();
            peer.close_abruptly();
        }
        4 => {
            peer.stream();
            peer.send("data: a\n\n");
            peer.end();
        }
        5 => peer.respond(204, &[], ""),
        _ => panic!("retried after 204"),
    })
    .unwrap();
    assert_eq!(collect(&client(), request(&server)).unwrap(), "a");
}

#[test]
fn a_stored_id_resumes_in_another_client() {
    let server = Server::start().unwrap();
    let before = client().connect("before", request(&server).retry(RetryPolicy::never())).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send("id: 41\ndata: a\n\n");
    peer.end();
    let stored = next_event(&before).id().unwrap().to_owned();
    assert_ended(&before);
    let after = client().connect("after", request(&server).last_event_id(stored.as_str())).unwrap();
    assert_eq!(server.accept().request().header("last-event-id"), Some("41"));
    stop(&after);
}
