//! A last event whose blank line is missing, as servers send it that close right after `data: [DONE]`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_sse::testing::{Peer, Server};
use http_sse::{Cursor, End, Error, Request, RetryPolicy};

use support::transcript::{client, quick, rest};

fn is_done(event: &http_sse::Event) -> bool {
    event.data() == "[DONE]"
}

/// Runs one POST to its end; returns how many events came, the end, and the last event id.
#[track_caller]
fn outcome(send: fn(Peer), set: fn(Request) -> Request) -> (usize, End, Option<String>, u64) {
    let server = Server::serve(move |_, peer| send(peer)).unwrap();
    let request = set(Request::post(server.url("/")).retry(RetryPolicy::never()).until(is_done));
    let rx = client().connect("it", request).unwrap();
    let events = rest(&rx).iter().filter(|item| item.is_ok()).count();
    let handle = rx.handle();
    (events, handle.end().unwrap(), handle.last_event_id(), handle.stats().events)
}

fn allowed(request: Request) -> Request {
    request.end_without_blank_line()
}

fn chunked(mut peer: Peer, text: &str) {
    peer.stream();
    peer.send(text);
    peer.end();
}

const LACKING: &str = "data: a\n\nid: 7\ndata: [DONE]\n";

#[test]
fn a_complete_last_line_without_its_blank_line_is_the_end() {
    let sends: [fn(Peer); 4] = [
        |peer| chunked(peer, LACKING),
        |peer| chunked(peer, "data: a\r\rid: 7\rdata: [DONE]\r"),
        |mut peer| peer.respond(200, &[("Content-Type", "text/event-stream")], LACKING),
        |mut peer| {
            peer.stream_until_close();
            peer.send(LACKING);
            peer.end();
        },
    ];
    for send in sends {
        let (events, end, id, counted) = outcome(send, allowed);
        assert!(matches!(end, End::Until), "{end:?}");
        assert_eq!((events, id.as_deref(), counted), (1, Some("7"), 2));
    }
}

#[test]
fn without_the_opt_in_it_is_a_cut_answer() {
    let (events, end, id, counted) = outcome(|peer| chunked(peer, LACKING), |request| request);
    assert!(matches!(end, End::Failed(Error::Disconnected)), "{end:?}");
    assert_eq!((events, id, counted), (1, None, 1));
}

#[test]
fn a_line_that_is_not_complete_is_not_the_end() {
    let sends: [fn(Peer); 3] = [
        |peer| chunked(peer, "data: a\n\ndata: [DONE]"),
        |peer| chunked(peer, "data: a\n\ndata: [DONE]\nda"),
        |peer| chunked(peer, "data: a\n\nevent: [DONE]\n"),
    ];
    for send in sends {
        let (events, end, ..) = outcome(send, allowed);
        assert!(matches!(end, End::Failed(Error::Disconnected)), "{end:?}");
        assert_eq!(events, 1);
    }
}

#[test]
fn a_response_that_breaks_off_has_no_such_end() {
    let sends: [fn(Peer); 2] = [
        |mut peer| {
            peer.stream();
            peer.send(LACKING);
            peer.close_abruptly();
        },
        |mut peer| {
            peer.raw(format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 1000\r\n\r\n{LACKING}"
            ));
            peer.close_abruptly();
        },
    ];
    for send in sends {
        let (events, end, ..) = outcome(send, allowed);
        assert!(matches!(end, End::Failed(_)), "{end:?}");
        assert_eq!(events, 1);
    }
}

#[test]
fn an_unfinished_event_that_is_not_the_last_is_discarded_with_its_id_and_its_cursor() {
    let server = Server::serve(|number, mut peer| match number {
        0 => chunked(peer, "id: 1\ndata: a\n\nid: 2\ndata: b\n"),
        _ => {
            let asked = peer.request();
            assert_eq!((asked.header("last-event-id"), asked.path()), (Some("1"), "/?after=a"));
            peer.stream();
            peer.send("id: 2\ndata: b\n\nid: 3\ndata: [DONE]\n");
            peer.end();
        }
    })
    .unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let request = Request::get(server.url("/"))
        .retry(quick())
        .cursor(Cursor::query("after", |event| Some(event.data().to_owned())))
        .until(move |event| {
            counter.fetch_add(1, Ordering::SeqCst);
            is_done(event)
        })
        .end_without_blank_line();
    let rx = client().connect("it", request).unwrap();
    let data: Vec<_> = rest(&rx).into_iter().map(|item| item.unwrap().into_data()).collect();
    assert_eq!(data, ["a", "b"]);
    let handle = rx.handle();
    assert!(matches!(handle.end(), Some(End::Until)), "{handle:?}");
    assert_eq!((handle.last_event_id().as_deref(), handle.cursor().as_deref()), (Some("3"), Some("[DONE]")));
    // b twice: why it is an opt-in.
    assert_eq!((asked.load(Ordering::SeqCst), handle.stats().events), (4, 3));
}
