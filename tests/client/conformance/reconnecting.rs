//! Several responses in a row: what is kept, what is dropped, when the next request comes.

use std::time::Duration;

use http_sse::testing::{Peer, Server};
use http_sse::{Client, End, Error, Events, Request, State, Timeout};

use super::case::{Seen, message, message_with_id};
use super::{client, quick, verdict};
use support::{deadline, wait_until};

/// Responses in turn, each broken off after its stream; the last request is answered with 204.
struct Journey {
    source: &'static str,
    name: &'static str,
    responses: Vec<String>,
    /// What each request but the first names; empty for no header at all.
    names: Vec<&'static str>,
    events: Vec<Seen>,
}

fn journeys() -> Vec<Journey> {
    let journey = |source, name, responses: &[&str], names: &[&'static str], events: &[Seen]| Journey {
        source,
        name,
        responses: responses.iter().map(|&stream| stream.to_owned()).collect(),
        names: names.to_vec(),
        events: events.to_vec(),
    };
    let (wpt, launchdarkly) = ("wpt eventsource-reconnect.window.js", "launchdarkly tests_reconnection.go");
    let (id, data) = ("id: …\nretry: 2\ndata: hello\n\n", "data: …\n\n");
    let long = "a".repeat(255);
    let mut journeys = vec![
        journey(wpt, "a response without an event", &["retry: 2\n", "data: data\n\n"], &["", ""], &[message("data")]),
        journey(
            wpt,
            "a response with one",
            &["retry: 2\ndata: ok\n\n", "data: data\n\n"],
            &["", ""],
            &[message("ok"), message("data")],
        ),
        journey(
            "wpt eventsource-close.window.js",
            "a server that asks not to come back the third time",
            &["retry: 2\ndata: opened\n\n", "data: reconnected\n\n"],
            &["", ""],
            &[message("opened"), message("reconnected")],
        ),
        journey(
            "wpt format-field-id.any.js",
            "an id that is not ASCII is sent as it came",
            &[id, data],
            &["…", "…"],
            &[message_with_id("hello", "…"), message_with_id("…", "…")],
        ),
        journey(
            "wpt format-field-id-2.any.js",
            "and again when the second response names none",
            &[id, data, data],
            &["…", "…", "…"],
            &[message_with_id("hello", "…"), message_with_id("…", "…"), message_with_id("…", "…")],
        ),
        journey(
            "wpt format-data-before-final-empty-line.any.js",
            "the id of a cut event is not kept",
            &["retry:2\ndata:test1\n\nid:test\ndata:test2\n", "data:test1\n\nid:test\ndata:test2\n"],
            &["", ""],
            &[message("test1"), message("test1")],
        ),
        journey(
            launchdarkly,
            "the last id is sent",
            &["id: abc\ndata: Hello\n\n"],
            &["abc"],
            &[message_with_id("Hello", "abc")],
        ),
        journey(
            launchdarkly,
            "the last id is sent when later events had none",
            &["id: abc\ndata: Hello\n\ndata: World\n\n"],
            &["abc"],
            &[message_with_id("Hello", "abc"), message_with_id("World", "abc")],
        ),
        journey(
            launchdarkly,
            "an empty id takes the header away",
            &["id: abc\ndata: Hello\n\nid: \ndata: World\n\n"],
            &[""],
            &[message_with_id("Hello", "abc"), message("World")],
        ),
        journey(
            launchdarkly,
            "a partial message is discarded with its id",
            &["id: abc\ndata: Hello\n\nid: def\ndata: Goodbye", "data: We meet again\n\n"],
            &["abc", "abc"],
            &[message_with_id("Hello", "abc"), message_with_id("We meet again", "abc")],
        ),
        journey(
            launchdarkly,
            "the next response works as the first",
            &["id: abc\ndata: Hello\n\n", "id: def\ndata: World\n\n"],
            &["abc", "def"],
            &[message_with_id("Hello", "abc"), message_with_id("World", "def")],
        ),
    ];
    for id in ["abc", "e5p3n<3k0k0s"] {
        journeys.push(journey(
            "wpt eventsource-cross-origin-preflight.window.js",
            "an id is sent byte for byte",
            &[&format!("id: {id}\nretry: 2\ndata: x\n\n")],
            &[id],
            &[message_with_id("x", id)],
        ));
    }
    journeys.push(journey(
        "wpt eventsource-cross-origin-preflight.window.js",
        "an id of 255 bytes",
        &[&format!("id: {long}\nretry: 2\ndata: x\n\n")],
        &[long.leak()],
        &[message_with_id("x", &"a".repeat(255))],
    ));
    for id in ["\0\0", "x\0", "\0x", "x\0x", " \0"] {
        let stream = format!("id: {id}\nretry: 2\ndata: hello\n\n");
        journeys.push(journey(
            "wpt format-field-id-null.window.js",
            "an id with NUL is not sent",
            &[&stream, &stream],
            &["", ""],
            &[message("hello"), message("hello")],
        ));
    }
    journeys
}

/// The end that the framing promises, and a connection that just goes.
const BREAKS: [fn(Peer); 2] = [Peer::end, Peer::close_abruptly];

#[test]
fn what_is_kept_over_a_reconnect_is_what_the_suites_say() {
    let (client, journeys) = (client(), journeys());
    let mut wrong = Vec::new();
    for journey in &journeys {
        for break_off in BREAKS {
            let (names, events) = travel(&client, journey, break_off);
            if names != journey.names.iter().map(|name| name.as_bytes()).collect::<Vec<_>>() || events != journey.events
            {
                wrong.push(format!("{}: {}: {names:?}, {events:?}", journey.source, journey.name));
            }
        }
    }
    verdict(wrong, journeys.len());
}

/// Returns what each request but the first named, and the events of all responses.
fn travel(client: &Client, journey: &Journey, break_off: fn(Peer)) -> (Vec<Vec<u8>>, Vec<Seen>) {
    let server = Server::start().unwrap();
    let events = client.connect("journey", Request::get(server.url("/")).retry(quick())).unwrap();
    let mut names = Vec::new();
    for stream in &journey.responses {
        let mut peer = server.accept();
        names.push(last_event_id(&mut peer));
        peer.stream();
        peer.send(stream);
        break_off(peer);
    }
    let mut peer = server.accept();
    names.push(last_event_id(&mut peer));
    peer.respond(204, &[], "");
    let seen = events.iter().map(|event| Seen::of_event(&event.unwrap())).collect();
    assert!(matches!(events.handle().end(), Some(End::NoContent)));
    assert_eq!(names.remove(0), b"", "the first request");
    (names, seen)
}

fn last_event_id(peer: &mut Peer) -> Vec<u8> {
    match peer.request().header_bytes("last-event-id")[..] {
        [] => Vec::new(),
        [value] => {
            assert!(!value.is_empty(), "an empty header");
            value.to_vec()
        }
        ref several => panic!("{several:?}"),
    }
}

fn open(server: &Server, request: Request) -> (Events, Peer) {
    let events = client().connect("stream", request).unwrap();
    let mut peer = server.accept();
    peer.stream();
    (events, peer)
}

/// `wpt format-field-retry.any.js`, `wpt format-field-retry-bogus.any.js`: two seconds, not 1024 ms and not one second.
#[test]
fn the_reconnection_time_is_the_last_decimal_number() {
    for stream in ["retry:02000\ndata:x\n\n", "retry:2000\nretry:1000x\ndata:x\n\n"] {
        let server = Server::start().unwrap();
        let (events, mut peer) = open(&server, Request::get(server.url("/")).retry(quick()));
        peer.send(stream);
        peer.end();
        let handle = events.handle();
        wait_until(|| handle.state() == State::Waiting);
        let left = handle.stats().retry_in.unwrap();
        assert!(left > Duration::from_millis(1030) && left <= Duration::from_millis(2000), "{left:?}");
    }
}

/// `wpt request-cache-control.any.js`: the second request is as the first.
#[test]
fn the_next_request_has_the_headers_of_the_first() {
    let server = Server::start().unwrap();
    let (_events, mut peer) = open(&server, Request::get(server.url("/")).retry(quick()));
    let first = peer.request().clone();
    peer.send("data: x\n\n");
    peer.end();
    assert_eq!(server.accept().request(), &first);
}

/// `launchdarkly tests_reconnection.go`.
#[test]
fn the_body_is_sent_again_where_a_retry_is_asked_for() {
    let server = Server::start().unwrap();
    let request = Request::post(server.url("/")).body(r#"{"hello": "world"}"#, "application/json; charset=utf-8");
    let (_events, mut peer) = open(&server, request.retry(quick()).retry_when(|_| true));
    let first = peer.request().clone();
    assert_eq!((first.method(), first.body()), ("POST", &br#"{"hello": "world"}"#[..]));
    peer.end();
    assert_eq!(server.accept().request(), &first);
}

/// `launchdarkly tests_reconnection.go`.
#[test]
fn a_caller_can_ask_for_a_new_connection() {
    let server = Server::start().unwrap();
    let (mut events, mut peer) = open(&server, Request::get(server.url("/")).retry(quick()));
    peer.send("data: Hello\n\n");
    assert_eq!(events.next().unwrap().unwrap().data(), "Hello");
    events.handle().reconnect();
    let mut peer = server.accept();
    peer.stream();
    peer.send("data: Thanks\n\n");
    assert_eq!(events.next().unwrap().unwrap().data(), "Thanks");
}

/// `launchdarkly tests_reconnection.go`.
#[test]
fn silence_beyond_the_read_timeout_is_reported_and_leads_to_a_new_connection() {
    let server = Server::start().unwrap();
    let (sender, errors) = http_sse::crossbeam_channel::unbounded();
    let request = Request::get(server.url("/"))
        .retry(quick())
        .idle_timeout(Duration::from_millis(100))
        .on_error(move |error| sender.send(error.clone()).unwrap());
    let (mut events, mut peer) = open(&server, request);
    peer.send("data: Hello\n\n");
    assert_eq!(events.next().unwrap().unwrap().data(), "Hello");
    assert!(matches!(errors.recv_timeout(deadline()), Ok(Error::Timeout(Timeout::Idle))));
    server.accept();
}
