//! One request and its response: what is asked for, and what an answer leads to.

use http_sse::testing::{Framing, Peer, ReceivedRequest, Server};
use http_sse::{End, Error, Request};

use super::{client, quick, verdict};
use support::deadline;

const STREAM: &str = "text/event-stream";

/// An answer of a suite's server, and what becomes of a connection that would retry if it were allowed to.
struct Answer {
    source: &'static str,
    status: u16,
    content_type: &'static str,
    becomes: Outcome,
}

#[derive(Clone, Copy)]
enum Outcome {
    Open,
    NoContent,
    /// Terminal, with this status.
    Status,
    /// Terminal, for the type.
    ContentType,
}

const fn answer(source: &'static str, status: u16, content_type: &'static str, becomes: Outcome) -> Answer {
    Answer { source, status, content_type, becomes }
}

const ANSWERS: [Answer; 13] = [
    answer("wpt request-status-error.window.js", 204, STREAM, Outcome::NoContent),
    answer("wpt request-status-error.window.js", 205, STREAM, Outcome::Status),
    answer("wpt request-status-error.window.js", 210, STREAM, Outcome::Status),
    answer("wpt request-status-error.window.js", 299, STREAM, Outcome::Status),
    answer("wpt request-status-error.window.js", 404, STREAM, Outcome::Status),
    answer("wpt request-status-error.window.js", 410, STREAM, Outcome::Status),
    answer("wpt format-mime-bogus.any.js", 200, "x bogus", Outcome::ContentType),
    answer("wpt format-mime-valid-bogus.any.js", 200, "text/x-bogus", Outcome::ContentType),
    answer("wpt format-mime-trailing-semicolon.any.js", 200, "text/event-stream;", Outcome::Open),
    answer("wpt format-utf-8.any.js", 200, "text/event-stream;charset=windows-1252", Outcome::Open),
    answer("wpt request-accept.any.js", 200, STREAM, Outcome::Open),
    answer("launchdarkly tests_http_behavior.go", 204, STREAM, Outcome::NoContent),
    answer("launchdarkly testapi_stream_server.go", 200, "text/event-stream; charset=utf-8", Outcome::Open),
];

#[test]
fn an_answer_opens_or_ends_the_connection_as_the_suites_say() {
    let mut wrong = Vec::new();
    for answer in &ANSWERS {
        let server = Server::start().unwrap();
        let mut events = client().connect("answer", Request::get(server.url("/")).retry(quick())).unwrap();
        let mut peer = server.accept();
        let body = if matches!(answer.status, 204 | 205) { "" } else { "data: ok…\n\n" };
        peer.respond(answer.status, &[("Content-Type", answer.content_type)], body);
        let first = events.next();
        let end = events.handle().end();
        let right = match (answer.becomes, &first, &end) {
            (Outcome::Open, Some(Ok(event)), _) => event.data() == "ok…",
            (Outcome::NoContent, None, Some(End::NoContent)) => true,
            (Outcome::Status, Some(Err(error)), Some(End::Failed(_))) => error.status() == Some(answer.status),
            (Outcome::ContentType, Some(Err(Error::ContentType(_))), Some(End::Failed(_))) => true,
            _ => false,
        };
        let goes_on = matches!(answer.becomes, Outcome::Open);
        if !right || !goes_on && server.connections() != 1 {
            let (source, status, content_type) = (answer.source, answer.status, answer.content_type);
            wrong.push(format!("{source}: {status} {content_type} gives {first:?} and {end:?}"));
        }
    }
    verdict(wrong, ANSWERS.len());
}

/// Where this crate leaves `wpt request-status-error.window.js` on purpose: browsers give up for good.
#[test]
fn a_503_is_tried_again_where_browsers_give_up() {
    let server = Server::start().unwrap();
    let _events = client().connect("busy", Request::get(server.url("/")).retry(quick())).unwrap();
    server.accept().respond(503, &[("Content-Type", STREAM)], "data: data\n\n");
    server.accept().respond(204, &[], "");
}

/// `wpt request-redirect.window.js` 301 302 303 307, `launchdarkly tests_http_behavior.go` 301 307; 308 is ours.
#[test]
fn a_redirect_is_followed_to_a_path_and_to_another_server() {
    for status in [301, 302, 303, 307, 308] {
        let (first, second) = (Server::start().unwrap(), Server::start().unwrap());
        for (target, location) in [(&first, "/resources/message.py".to_owned()), (&second, second.url("/elsewhere"))] {
            let mut events = client().connect("redirect", Request::get(first.url("/")).retry(quick())).unwrap();
            let mut peer = first.accept();
            peer.respond(status, &[("Location", &location)], "");
            let mut peer = target.accept();
            assert!(location.ends_with(peer.request().path()), "{status}");
            peer.stream();
            peer.send("data: hello\n\n");
            assert_eq!(events.next().unwrap().unwrap().data(), "hello", "{status}");
            // Before the peer goes: no reconnect may get into the next round.
            events.handle().stop();
            assert!(events.handle().join_timeout(deadline()));
        }
    }
}

/// `launchdarkly tests_http_behavior.go`: neither a loop, nor silence.
#[test]
fn a_redirect_without_a_location_is_an_error() {
    for status in [301, 307] {
        for headers in [&[("Location", "")][..], &[]] {
            let server = Server::start().unwrap();
            let mut events = client().connect("nowhere", Request::get(server.url("/")).retry(quick())).unwrap();
            server.accept().respond(status, headers, "");
            assert!(matches!(events.next(), Some(Err(Error::Redirect(_)))), "{status} {headers:?}");
            assert!(events.next().is_none());
            assert_eq!(server.connections(), 1);
        }
    }
}

fn asked(request: impl FnOnce(String) -> Request) -> ReceivedRequest {
    let server = Server::start().unwrap();
    let _events = client().connect("asked", request(server.url("/events")).retry(quick())).unwrap();
    server.accept().request().clone()
}

/// `wpt request-accept.any.js`, `wpt request-cache-control.any.js`, `launchdarkly tests_http_behavior.go`.
#[test]
fn a_plain_request_asks_for_a_stream_that_is_not_cached_and_names_no_event() {
    let asked = asked(Request::get);
    assert_eq!(asked.method(), "GET");
    assert_eq!(asked.headers("accept"), ["text/event-stream"]);
    assert_eq!(asked.headers("cache-control"), ["no-cache"]);
    assert_eq!(asked.header("last-event-id"), None);
    assert!(asked.body().is_empty());
}

/// `launchdarkly tests_http_behavior.go`.
#[test]
fn headers_of_the_request_are_sent() {
    let asked = asked(|url| Request::get(url).header("header-name-1", "value-1").header("header-name-2", "value-2"));
    assert_eq!(asked.headers("header-name-1"), ["value-1"]);
    assert_eq!(asked.headers("header-name-2"), ["value-2"]);
}

/// `launchdarkly tests_http_behavior.go`.
#[test]
fn any_method_is_sent_with_its_body_and_type() {
    for method in ["POST", "REPORT"] {
        let body = r#"{"hello": "world"}"#;
        let asked = asked(|url| Request::new(method, &url).body(body, "application/json; charset=utf-8"));
        assert_eq!(asked.method(), method);
        assert_eq!(asked.headers("content-type"), ["application/json; charset=utf-8"]);
        assert_eq!(asked.body(), body.as_bytes());
    }
}

/// `launchdarkly tests_http_behavior.go`.
#[test]
fn the_first_request_names_the_event_that_it_is_given() {
    assert_eq!(asked(|url| Request::get(url).last_event_id("abc")).headers("last-event-id"), ["abc"]);
}

/// `wpt eventsource-constructor-url-bogus.any.js`.
#[test]
fn a_url_with_spaces_in_its_host_is_refused_before_anything_is_sent() {
    let refused = client().connect("bogus", Request::get("http://this is invalid/"));
    assert!(matches!(refused, Err(Error::InvalidRequest(_))));
}

/// `wpt eventsource-request-cancellation.any.js`, `wpt eventsource-close.window.js`.
#[test]
fn a_connection_that_is_stopped_before_its_answer_neither_opens_nor_delivers() {
    let server = Server::start().unwrap();
    let (opened, opens) = http_sse::crossbeam_channel::unbounded();
    let request = Request::get(server.url("/")).on_open(move |_| opened.send(()).unwrap());
    let mut events = client().connect("cancelled", request).unwrap();
    let mut peer = server.accept();
    peer.request();
    events.handle().stop();
    assert!(events.next().is_none());
    assert!(events.handle().join_timeout(deadline()));
    answer_late(peer);
    assert!(opens.try_recv().is_err());
    assert!(matches!(events.handle().end(), Some(End::Stopped)));
}

fn answer_late(mut peer: Peer) {
    peer.begin(200, &[("Content-Type", STREAM)], Framing::UntilClose);
    peer.send("retry:1000\ndata:abc\n\n");
}
