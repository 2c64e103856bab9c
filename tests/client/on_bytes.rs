//! The pieces of a body as `on_bytes` sees them. Each step of the scripted server is a chunk, and so a piece.

use http_sse::testing::{Framing, Peer, Server};
use http_sse::{End, Error, Request, RetryPolicy};
use support::deadline;
use support::transcript::{client, quick, rest, transcript};

/// Returns what was seen, pieces and events in their order, and how it ended.
#[track_caller]
fn seen(policy: RetryPolicy, script: impl FnMut(usize, Peer) + Send + 'static) -> (Vec<String>, Option<End>) {
    let server = Server::serve(script).unwrap();
    let (pieces, transcript) = transcript();
    let events = pieces.clone();
    let request = Request::get(server.url("/"))
        .retry(policy)
        .on_bytes(move |bytes| pieces.send(bytes.escape_ascii().to_string()).unwrap())
        .on_event(move |event| events.send(format!("event {}", event.data())).unwrap());
    let rx = client().connect("pieces", request).unwrap();
    rest(&rx);
    assert!(rx.handle().join_timeout(deadline()));
    (rest(&transcript), rx.handle().end())
}

#[test]
fn each_piece_comes_before_it_is_parsed_and_the_end_is_an_empty_one() {
    let (seen, _) = seen(RetryPolicy::never(), |_, mut peer| {
        peer.stream();
        for piece in ["da", "ta: a\n\ndata: b\n", "\r", "\n: \u{ff}\n\ndata: half"] {
            peer.send(piece);
        }
        peer.end();
    });
    let first = ["da", r"ta: a\n\ndata: b\n", "event a", r"\r", "event b"];
    assert_eq!(seen, [&first[..], &[r"\n: \xc3\xbf\n\ndata: half", ""]].concat());
}

#[test]
fn a_body_that_breaks_off_has_no_end_and_an_error_no_pieces() {
    let (seen, end) = seen(quick(), |number, mut peer| match number {
        0 => peer.respond(503, &[], "busy"),
        1 => peer.respond(302, &[("Location", "/there")], "moved"),
        2 => {
            peer.stream();
            peer.send("data: a\n\n");
            peer.close_abruptly();
        }
        3 => {
            peer.begin(200, &[("Content-Type", "text/event-stream")], Framing::Length(9));
            peer.send("data: b\n\n");
            peer.end();
        }
        _ => peer.respond(204, &[], ""),
    });
    assert_eq!(seen, [r"data: a\n\n", "event a", r"data: b\n\n", "event b", ""]);
    assert!(matches!(end, Some(End::NoContent)), "{end:?}");
}

#[test]
fn a_reader_sees_them_too() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("data: a\n\n");
        peer.send("data: b\n\n");
        peer.end();
    })
    .unwrap();
    let (pieces, transcript) = transcript();
    let request = Request::get(server.url("/")).retry(RetryPolicy::never());
    let request = request.on_bytes(move |bytes| pieces.send(bytes.len()).unwrap());
    assert_eq!(client().read("reader", request).unwrap().count(), 2);
    assert_eq!(rest(&transcript), [9, 9, 0]);
}

/// Runs a request whose `on_bytes` panics on some pieces; returns the data that came before the error.
#[track_caller]
fn before_panic(pieces: &'static [&'static str], is_fatal: fn(&[u8]) -> bool) -> Vec<String> {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        pieces.iter().for_each(|piece| peer.send(piece));
        peer.end();
    })
    .unwrap();
    let request = Request::get(server.url("/")).retry(quick()).on_bytes(move |bytes| assert!(!is_fatal(bytes)));
    let rx = client().connect("panic", request).unwrap();
    let mut items = rest(&rx);
    let last = items.pop().unwrap();
    assert!(matches!(last, Err(Error::Panicked(_))), "{last:?}");
    assert_eq!(server.connections(), 1);
    items.into_iter().map(|item| item.unwrap().into_data()).collect()
}

#[test]
fn a_panic_is_the_last_item_and_comes_after_the_events_before_it() {
    let pieces = &["data: a\n\n", "data: b\n\n"];
    assert_eq!(before_panic(pieces, |bytes| bytes.contains(&b'b')), ["a"]);
    assert_eq!(before_panic(pieces, |bytes| bytes.is_empty()), ["a", "b"]);
    assert!(before_panic(&[], |bytes| bytes.is_empty()).is_empty());
}
