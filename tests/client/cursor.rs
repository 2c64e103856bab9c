//! Streams that are resumed by a value taken from their events.

use std::sync::mpsc::channel;

use http_sse::testing::{ReceivedRequest, Server};
use http_sse::{Checkpoint, Cursor, End, Error, Event, Request};
use support::exchange::{Seen, asked, client, drain, retries, run};

/// An event `a 1` has the cursor `a`, and one without a space has none.
fn first_word(event: &Event) -> Option<String> {
    event.data().split_once(' ').map(|(word, _)| word.to_owned())
}

/// Streams one text for each connection, cut in mid-event, then answers 204; returns what was asked for.
fn streams(texts: &'static [&'static str], request: impl FnOnce(String) -> Request) -> (Vec<ReceivedRequest>, Seen) {
    let (sender, requests) = channel();
    let server = Server::serve(move |number, mut peer| {
        sender.send(peer.request().clone()).unwrap();
        match texts.get(number) {
            None => peer.respond(204, &[], ""),
            Some(text) => {
                peer.stream();
                peer.send(format!("{text}data: half"));
                peer.close_abruptly();
            }
        }
    });
    let server = server.unwrap();
    let seen = run(request(server.url("/events")));
    server.finish();
    (requests.iter().collect(), seen)
}

fn paths(asked: &[ReceivedRequest]) -> Vec<&str> {
    asked.iter().map(ReceivedRequest::path).collect()
}

#[test]
fn the_cursor_goes_into_the_query_and_lives_through_reconnects_until_an_event_brings_another() {
    let texts = &["data: a 1\n\n", "data: nothing\n\n", "data: b c 2\n\ndata: none\n\n", "data: \u{e4}& 3\n\n"];
    let (asked, seen) =
        streams(texts, |url| Request::get(url + "?x=%41").cursor(Cursor::query("since", first_word)).retry(retries(9)));
    assert_eq!(seen.data, ["a 1", "nothing", "b c 2", "none", "\u{e4}& 3"]);
    assert_eq!(
        paths(&asked),
        [
            "/events?x=%41",
            "/events?x=%41&since=a",
            "/events?x=%41&since=a",
            "/events?x=%41&since=b",
            "/events?x=%41&since=%C3%A4%26"
        ]
    );
    assert!(matches!(seen.end, End::NoContent), "{seen:?}");
}

#[test]
fn the_cursor_takes_the_place_of_pairs_with_its_key() {
    let (asked, _) = streams(&["data: a 1\n\n"], |url| {
        Request::get(url + "?since=all&x=1")
            .query("since", "10m")
            .before_connect(|attempt| attempt.query("since", "5m"))
            .cursor(Cursor::query("since", first_word))
            .retry(retries(9))
    });
    assert_eq!(paths(&asked), ["/events?since=all&x=1&since=10m&since=5m", "/events?x=1&since=a"]);
}

#[test]
fn the_cursor_goes_into_a_header_in_place_of_one_with_its_name() {
    let (asked, _) = streams(&["data: a 1\n\n", "data: b 2\n\n"], |url| {
        Request::get(url)
            .header("range", "entries=:-5:")
            .cursor(Cursor::header("Range", "entries={}:1:", first_word))
            .retry(retries(9))
    });
    let ranges: Vec<_> = asked.iter().map(|asked| asked.headers("range")).collect();
    assert_eq!(ranges, [["entries=:-5:"], ["entries=a:1:"], ["entries=b:1:"]]);
}

#[test]
fn a_start_is_sent_by_the_first_attempt_and_an_empty_one_is_none() {
    for (start, path) in [("7", "/?since=7"), ("", "/")] {
        let asked = asked(|url| Request::get(url).cursor(Cursor::query("since", first_word).start_at(start)));
        assert_eq!(asked.path(), path);
    }
}

#[test]
fn an_empty_value_leaves_the_cursor_as_it_was() {
    let (asked, _) = streams(&["data: a 1\n\ndata:  2\n\n"], |url| {
        Request::get(url).cursor(Cursor::query("since", first_word)).retry(retries(9))
    });
    assert_eq!(paths(&asked), ["/events", "/events?since=a"]);
}

#[test]
fn an_event_that_the_server_repeats_is_left_out_where_the_cursor_is_inclusive() {
    let texts = &[
        "data: a 1\n\ndata: a 2\n\n",
        "data: none\n\ndata: a 2\n\ndata: a 3\n\n", // once, and it need not come first
        "",                                         // nothing, so that it comes with the next stream
        "data: a 3\n\ndata: b 4\n\n",
        "data: c 5\n\ndata: b 6\n\n", // not the value that was sent, so nothing is left out
    ];
    let (asked, seen) =
        streams(texts, |url| Request::get(url).cursor(Cursor::query("from", first_word).inclusive()).retry(retries(9)));
    assert_eq!(seen.data, ["a 1", "a 2", "none", "a 3", "b 4", "c 5", "b 6"]);
    assert_eq!(paths(&asked)[4..], ["/events?from=b", "/events?from=b"]);
}

#[test]
fn a_start_is_left_out_too_and_does_not_count_where_the_cursor_is_inclusive() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("data: a 1\n\ndata: b 2\n\n");
        peer.wait_for_close();
    });
    let server = server.unwrap();
    let cursor = Cursor::query("from", first_word).inclusive().start_at("a");
    let mut reader = client().read("start", Request::get(server.url("/")).cursor(cursor)).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().data(), "b 2");
    assert_eq!(reader.handle().stats().events, 1);
}

#[test]
fn a_cursor_that_cannot_be_sent_is_reported_once_and_the_one_before_stays() {
    let (reports, reported) = channel();
    let texts = &["data: a 1\n\ndata: bad\u{1} 2\n\ndata: bad\u{1} 3\n\n", "data: b 4\n\ndata: bad\u{1} 5\n\n"];
    let (asked, seen) = streams(texts, |url| {
        Request::get(url).cursor(Cursor::query("since", first_word)).retry(retries(9)).on_error(move |error| {
            if let Error::Cursor(_) = error {
                assert!(!error.is_transient());
                reports.send(error.to_string()).unwrap();
            }
        })
    });
    assert_eq!(seen.data.len(), 5);
    assert_eq!(paths(&asked), ["/events", "/events?since=a", "/events?since=b"]);
    assert_eq!(reported.iter().collect::<Vec<_>>(), ["cannot send the cursor: it contains a control character"; 2],);
}

#[test]
fn the_cursor_of_an_event_is_in_force_before_the_other_callbacks_see_it_and_until_counts() {
    let server = Server::serve(|number, mut peer| {
        assert_eq!(number, 0);
        peer.stream();
        peer.send("data: a 1\n\ndata: b last\n\n");
        peer.wait_for_close();
    });
    let server = server.unwrap();
    let (seen, positions) = channel();
    let request = Request::get(server.url("/"))
        .cursor(Cursor::query("since", first_word))
        .on_event(move |event| seen.send(event.position().map(str::to_owned)).unwrap())
        .until(|event| event.position() == Some("b"));
    let events = client().connect("until", request).unwrap();
    let drained = drain(&events);
    assert!(matches!(drained.end, End::Until), "{drained:?}");
    assert_eq!(positions.iter().collect::<Vec<_>>(), [Some("a".to_owned())]);
    assert_eq!(events.handle().cursor().as_deref(), Some("b"));
}

#[test]
fn before_connect_sees_the_position_and_sets_the_cursor_until_an_event_brings_another() {
    let (note, noted) = channel();
    let texts = &["id: 7\ndata: a 1\n\n", "data: nothing\n\n", "data: c 2\n\n"];
    let (asked, _) = streams(texts, |url| {
        Request::get(url).cursor(Cursor::query("since", first_word)).retry(retries(9)).before_connect(move |attempt| {
            let before = (attempt.last_event_id().map(str::to_owned), attempt.cursor().map(str::to_owned));
            match attempt.number() {
                2 => attempt.set_cursor("z"),
                4 => {
                    attempt.set_cursor("");
                    attempt.set_last_event_id("");
                }
                _ => {}
            }
            let after = (attempt.last_event_id().map(str::to_owned), attempt.cursor().map(str::to_owned));
            note.send((before, after)).unwrap();
        })
    });
    let some = |id: &str, cursor: &str| (Some(id.to_owned()), Some(cursor.to_owned()));
    let expected = [
        ((None, None), (None, None)),
        (some("7", "a"), some("7", "z")),
        (some("7", "z"), some("7", "z")),
        (some("7", "c"), (None, None)),
    ];
    assert_eq!(noted.iter().collect::<Vec<_>>(), expected);
    assert_eq!(paths(&asked), ["/events", "/events?since=z", "/events?since=z", "/events"]);
    assert_eq!(asked[3].header("last-event-id"), None);
}

#[test]
fn a_checkpoint_stores_the_cursor_and_never_an_id_in_its_place() {
    let path = std::env::temp_dir().join(format!("http-sse-cursor-{}", std::process::id()));
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("id: 1\ndata: nothing\n\nid: 2\ndata: a 1\n\nid: 3\ndata: nothing\n\n");
        peer.wait_for_close();
    });
    let server = server.unwrap();
    let request = Request::get(server.url("/")).cursor(Cursor::query("since", first_word));
    let checkpoint = Checkpoint::open(&path).unwrap();
    let mut events = client().read("checkpoint", request).unwrap().checkpoint(checkpoint);
    let mut stored = Vec::new();
    for _ in 0..3 {
        events.next().unwrap().unwrap();
        stored.push(events.checkpoint().last_event_id().map(str::to_owned));
    }
    assert_eq!(stored, [None, None, Some("a".to_owned())]);
    drop(events);
    assert_eq!(Checkpoint::open(&path).unwrap().last_event_id(), Some("a"));
    std::fs::remove_file(path).unwrap();
}

#[test]
fn an_event_without_a_cursor_in_the_request_has_its_id_as_its_position() {
    assert_eq!(Event::new("", "x").with_id("7").position(), Some("7"));
    assert_eq!(Event::new("", "x").position(), None);
}

#[test]
fn a_cursor_keeps_everything_that_the_event_holds() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("id: 7\nevent: t\n: c\ndata: a 1\n\ndata: b 2\n\n");
        peer.wait_for_close();
    });
    let server = server.unwrap();
    let request = Request::get(server.url("/")).keep_raw().cursor(Cursor::query("since", first_word));
    let mut reader = client().read("whole", request).unwrap();
    let event = reader.next().unwrap().unwrap();
    assert_eq!((event.event_type(), event.data(), event.id()), ("t", "a 1", Some("7")));
    assert_eq!((event.attempt(), event.clone().with_id("8").attempt()), (Some(1), Some(1)));
    assert_eq!((event.comment(), event.raw()), (Some(" c"), Some("id: 7\nevent: t\n: c\ndata: a 1")));
    let inheriting = reader.next().unwrap().unwrap();
    assert_eq!((inheriting.id(), inheriting.position()), (Some("7"), Some("b")));
}

#[test]
fn a_panic_while_the_cursor_is_taken_ends_the_connection() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("data: a 1\n\n");
        peer.wait_for_close();
    });
    let server = server.unwrap();
    let request = Request::get(server.url("/"))
        .cursor(Cursor::query("since", |event| Some(event.id().expect("no id in this stream").to_owned())));
    let seen = run(request);
    assert!(matches!(seen.failure(), Error::Panicked(http_sse::PanicOrigin::Callback)), "{seen:?}");
}

#[test]
fn what_cannot_be_sent_is_refused_and_named() {
    let refusal = |cursor: Cursor| {
        let error = client().read("bad", Request::get("http://127.0.0.1:9/").cursor(cursor)).unwrap_err();
        assert!(matches!(error, Error::InvalidRequest(_)), "{error:?}");
        error.to_string()
    };
    for (cursor, named) in [
        (Cursor::query("", first_word), "key"),
        (Cursor::header("Range", "entries=", first_word), "template"),
        (Cursor::header("Range", "{}{}", first_word), "template"),
        (Cursor::header("Ra nge", "{}", first_word), "header name"),
        (Cursor::header("Last-Event-ID", "{}", first_word), "last-event-id"),
        (Cursor::header("Range", "a\nb{}", first_word), "range"),
        (Cursor::query("since", first_word).start_at("se\ncret"), "start_at"),
        (Cursor::query("since", first_word).start_at("4".repeat(7_984).as_str()), "7984"),
    ] {
        let text = refusal(cursor);
        assert!(text.contains(named) && !text.contains("cret"), "{text}");
    }
}

#[test]
fn what_before_connect_sets_wrongly_is_terminal_and_stays_secret() {
    let cursor = || Cursor::query("since", first_word);
    let with = Request::get("http://127.0.0.1:9/").cursor(cursor()).before_connect(|it| it.set_cursor("se\ncret"));
    let without = Request::get("http://127.0.0.1:9/").before_connect(|it| it.set_cursor("secret"));
    for request in [with, without] {
        let seen = run(request.retry(retries(9)));
        let text = seen.failure().to_string();
        assert!(matches!(seen.failure(), Error::InvalidRequest(_)), "{text}");
        assert!(text.contains("set_cursor") && !text.contains("cret"), "{text}");
    }
    assert!(!format!("{:?}", cursor().start_at("secret")).contains("secret"));
}
