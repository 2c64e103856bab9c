//! Gaps, marked in order: where a stream broke, and where an event was too large. Dropped events are in `gaps_dropped`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_sse::crossbeam_channel::unbounded;
use http_sse::testing::{Peer, Server};
use http_sse::{Cursor, Delivery, End, Error, Event, Gap, Request, RetryPolicy};

use support::deadline;
use support::told::{line, next_line, next_lines};
use support::transcript::{assert_ended, client, next, next_data, next_event, quick, rest, stop, transcript};

/// In bytes.
const LIMIT: usize = 1000;
const REST: &str = "data: b\n\n";

fn request(server: &Server) -> Request {
    Request::get(server.url("/events")).retry(quick()).max_event_size(LIMIT).mark_gaps()
}

fn large() -> String {
    format!("data: {}\n\n", "x".repeat(2 * LIMIT))
}

fn stream(server: &Server) -> Peer {
    let mut peer = server.accept();
    peer.stream();
    peer
}

/// Two streams: a with an id, a break, a large event and b.
fn broken() -> Server {
    let server = Server::serve_concurrently(|_, mut peer| {
        let is_first = peer.request().header("last-event-id").is_none();
        peer.stream();
        if is_first {
            peer.send("id: 7\ndata: a\n\n");
            return peer.close_abruptly();
        }
        peer.send(large() + REST);
        peer.wait_for_close();
    });
    server.unwrap()
}

/// What a consumer of it is told.
const BROKEN: [&str; 4] = ["a", "resumed from \"7\"", "1 too large", "b"];

#[test]
fn a_gap_comes_as_soon_as_the_next_stream_opens() {
    let server = Server::start().unwrap();
    let rx = client().connect("opens", request(&server)).unwrap();
    let mut peer = stream(&server);
    peer.send("id: 7\ndata: a\n\n");
    assert_eq!(next_line(&rx), "a");
    let broken = Instant::now();
    peer.close_abruptly();
    let mut peer = stream(&server);
    // Nothing follows it yet.
    let gap = next_event(&rx);
    assert_eq!((line(&gap).as_str(), gap.attempt()), ("resumed from \"7\"", Some(2)));
    let away = gap.gap().unwrap().reconnected.as_ref().unwrap().away;
    assert!(away >= Duration::from_millis(10) && away <= broken.elapsed() + deadline(), "{away:?}");
    peer.send(REST);
    assert_eq!(next_line(&rx), "b");
    stop(&rx);
}

#[test]
fn every_way_out_has_the_gaps_in_order() {
    let (server, client) = (broken(), client());
    let rx = client.connect("channel", request(&server)).unwrap();
    assert_eq!(next_lines(&rx), BROKEN);
    let told: Vec<_> = client.connect("loop", request(&server)).unwrap().take(4).map(|e| line(&e.unwrap())).collect();
    assert_eq!(told, BROKEN);
    let told: Vec<_> = client.read("read", request(&server)).unwrap().take(4).map(|e| line(&e.unwrap())).collect();
    assert_eq!(told, BROKEN);

    let mut reader = client.read("polled", request(&server)).unwrap();
    let mut next_timeout = || line(&reader.next_timeout(deadline()).unwrap().unwrap());
    assert_eq!([(); 4].map(|()| next_timeout()), BROKEN);

    let (seen, transcript) = transcript();
    let handle = client.listen("listen", request(&server).on_event(move |e| seen.send(line(e)).unwrap())).unwrap();
    assert_eq!([(); 4].map(|()| next(&transcript)), BROKEN);
    handle.stop();

    let merged = client.connect_all([("merged", request(&server))]).unwrap();
    assert_eq!(merged.take(4).map(delivered).collect::<Vec<_>>(), BROKEN);
    let (sender, receiver) = unbounded();
    let handle = client.connect_to("own", request(&server), sender).unwrap();
    assert_eq!([(); 4].map(|()| delivered(next(&receiver))), BROKEN);
    handle.stop();
}

fn delivered((_, delivery): (Arc<str>, Delivery)) -> String {
    line(&delivery.into_result().unwrap().unwrap())
}

#[test]
fn every_subscriber_receives_the_gap_of_a_break() {
    let (server, client) = (Server::start().unwrap(), client());
    let rx = client.connect("two", request(&server)).unwrap();
    let peer = stream(&server);
    assert!(rx.handle().wait_open(deadline()));
    let other = client.subscribe("two").unwrap();
    peer.close_abruptly();
    let mut peer = stream(&server);
    peer.send(REST);
    for receiver in [&rx, &other] {
        assert_eq!(next_lines(receiver), ["resumed from \"nothing\"", "b"]);
    }
    stop(&rx);
}

#[test]
fn no_gap_is_marked_without_the_opt_in() {
    let server = broken();
    let request = Request::get(server.url("/")).retry(quick()).max_event_size(LIMIT);
    let rx = client().connect("without", request).unwrap();
    assert_eq!([next_data(&rx), next_data(&rx)], ["a", "b"]);
    stop(&rx);
}

#[test]
fn before_the_first_stream_there_is_no_gap_whatever_failed_and_wherever_it_starts() {
    let server = Server::serve(|number, mut peer| match number {
        0 => peer.respond(503, &[], "busy"),
        1 => peer.reset(),
        _ => {
            peer.stream();
            peer.send(REST);
            peer.wait_for_close();
        }
    });
    let server = server.unwrap();
    let rx = client().connect("first", request(&server).last_event_id("7")).unwrap();
    assert_eq!(next_line(&rx), "b");
    stop(&rx);
}

#[test]
fn a_stream_without_an_event_counts_as_one_that_broke() {
    let server = Server::start().unwrap();
    let rx = client().connect("empty", request(&server)).unwrap();
    stream(&server).close_abruptly();
    stream(&server).end();
    let mut peer = stream(&server);
    peer.send(REST);
    assert_eq!(next_lines(&rx), ["resumed from \"nothing\"", "resumed from \"nothing\"", "b"]);
    stop(&rx);
}

#[test]
fn failed_attempts_between_two_streams_are_one_gap_as_long_as_all_of_them() {
    let server = Server::start().unwrap();
    let policy = RetryPolicy::constant(Duration::from_millis(100)).max_retries(None);
    let rx = client().connect("between", request(&server).retry(policy)).unwrap();
    stream(&server).close_abruptly();
    for _ in 0..3 {
        server.accept().respond(503, &[], "busy");
    }
    let mut peer = stream(&server);
    peer.send(REST);
    let gap = next_event(&rx);
    assert_eq!((line(&gap).as_str(), gap.attempt()), ("resumed from \"nothing\"", Some(5)));
    assert!(gap.gap().unwrap().reconnected.as_ref().unwrap().away >= Duration::from_millis(400), "{gap:?}");
    assert_eq!(next_line(&rx), "b");
    stop(&rx);
}

#[test]
fn a_gap_names_what_the_attempt_has_sent() {
    let server = Server::start().unwrap();
    let request = request(&server).before_connect(|attempt| {
        if attempt.number() == 2 {
            attempt.set_last_event_id("own");
        }
    });
    let rx = client().connect("sent", request).unwrap();
    let mut peer = stream(&server);
    peer.send("id: 1\ndata: a\n\n");
    peer.close_abruptly();
    let mut peer = server.accept();
    assert_eq!(peer.request().header("last-event-id"), Some("own"));
    peer.stream();
    assert_eq!(next_lines(&rx), ["a", "resumed from \"own\""]);
    stop(&rx);
}

#[test]
fn an_id_that_cannot_be_sent_resumes_from_nothing() {
    let server = Server::start().unwrap();
    let rx = client().connect("unsendable", request(&server).max_event_size(1 << 20)).unwrap();
    let mut peer = stream(&server);
    peer.send(format!("id: {}\ndata: a\n\n", "9".repeat(9000)));
    peer.close_abruptly();
    assert_eq!(next_line(&rx), "a");
    let _peer = stream(&server);
    assert_eq!(next_line(&rx), "resumed from \"nothing\"");
    stop(&rx);
}

#[test]
fn a_gap_names_the_cursor_where_there_is_one_and_is_no_event_to_it() {
    let server = Server::start().unwrap();
    let cursor = Cursor::query("since", |event| {
        assert!(event.gap().is_none());
        Some(event.data().to_owned())
    });
    let rx = client().connect("cursor", request(&server).cursor(cursor)).unwrap();
    let mut peer = stream(&server);
    peer.send("id: 1\n\n");
    peer.close_abruptly();
    let mut peer = stream(&server);
    peer.send("data: 41\n\n");
    peer.close_abruptly();
    let mut peer = server.accept();
    assert_eq!(peer.request().path(), "/events?since=41");
    peer.stream();
    assert_eq!(next_lines(&rx), ["resumed from \"nothing\"", "41", "resumed from \"41\""]);
    stop(&rx);
}

/// Another origin gets no user-supplied header, and that of the cursor is one.
#[test]
fn a_gap_names_no_cursor_that_a_redirect_has_dropped() {
    let shard = Server::start().unwrap();
    let url = shard.url("/");
    let server = Server::serve(move |_, mut peer| peer.respond(307, &[("Location", &url)], "")).unwrap();
    let cursor = || Cursor::header("X-Since", "{}", |event| Some(event.data().to_owned()));
    for (is_trusted, resumed_from) in [(false, "nothing"), (true, "41")] {
        let request = request(&server).cursor(cursor());
        let request = if is_trusted { request.trust_origin(shard.url("/")) } else { request };
        let rx = client().connect("dropped", request).unwrap();
        let mut peer = stream(&shard);
        peer.send("data: 41\n\n");
        peer.close_abruptly();
        let mut peer = shard.accept();
        assert_eq!(peer.request().header("x-since"), is_trusted.then_some("41"));
        peer.stream();
        assert_eq!(next_lines(&rx), ["41".to_owned(), format!("resumed from {resumed_from:?}")]);
        stop(&rx);
    }
}

#[test]
fn a_gap_names_no_cursor_that_the_url_of_a_redirect_lacks() {
    for (location, resumed_from) in [
        ("/shard", "nothing"),
        ("/shard?since=4%31&a", "41"),
        ("/shard?since=40", "nothing"),
        ("/shard?not=41", "nothing"),
    ] {
        let server = Server::serve_concurrently(move |_, mut peer| match peer.request().path() {
            "/events" => {
                peer.stream();
                peer.send("data: 41\n\n");
                peer.close_abruptly();
            }
            "/events?since=41" => peer.respond(307, &[("Location", location)], ""),
            path => {
                assert_eq!(path, location);
                peer.stream();
                peer.wait_for_close();
            }
        });
        let server = server.unwrap();
        let cursor = Cursor::query("since", |event| Some(event.data().to_owned()));
        let rx = client().connect("elsewhere", request(&server).cursor(cursor)).unwrap();
        assert_eq!(next_lines(&rx), ["41".to_owned(), format!("resumed from {resumed_from:?}")], "{location}");
        stop(&rx);
    }
}

#[test]
fn a_gap_stands_where_the_event_was_too_large_each_its_own() {
    let server = Server::start().unwrap();
    let rx = client().connect("oversized", request(&server)).unwrap();
    let mut peer = stream(&server);
    peer.send(format!("data: a\n\n{}{}data: b\n\n", large(), large()));
    // Told before its end is there.
    peer.send(&large()[..LIMIT + 10]);
    assert_eq!(next_lines(&rx), ["a", "1 too large", "1 too large", "b", "1 too large"]);
    assert_eq!((rx.handle().stats().oversized, rx.handle().stats().events), (3, 2));
    stop(&rx);
}

#[test]
fn a_gap_is_no_event_to_anything_that_counts_them() {
    let server = Server::serve(|number, mut peer| {
        peer.stream();
        match number {
            0 => peer.close_abruptly(),
            _ => peer.end(),
        }
    });
    let server = server.unwrap();
    let (seen, transcript) = transcript();
    let request = request(&server)
        .retry(RetryPolicy::constant(Duration::from_millis(10)).max_retries(2))
        .until(|event| event.gap().is_some() || event.data().is_empty())
        .on_error(move |error| seen.send(error.to_string()).unwrap());
    let mut reader = client().read("counted", request).unwrap();
    let told: Vec<String> = reader.by_ref().map_while(Result::ok).map(|event| line(&event)).collect();
    assert_eq!(told, ["resumed from \"nothing\"", "resumed from \"nothing\""]);
    assert_eq!(reader.handle().stats().events, 0);
    assert!(matches!(reader.handle().end(), Some(End::Failed(Error::NoEvent(None)))));
    let empty = "the stream ended without an event";
    assert_eq!(rest(&transcript), ["the stream ended early", empty, empty]);
}

#[test]
fn a_panic_while_a_gap_is_reported_is_terminal() {
    let server = Server::start().unwrap();
    let panics = |event: &Event| assert!(event.gap().is_none(), "on purpose");
    let rx = client().connect("panics", request(&server).on_event(panics)).unwrap();
    let mut peer = stream(&server);
    peer.send(large());
    assert!(matches!(support::transcript::terminal_error(&rx), Error::Panicked(_)));
}

#[test]
fn a_checkpoint_stores_nothing_of_a_gap() {
    let server = broken();
    let path = std::env::temp_dir().join(format!("http-sse-gaps-{}", std::process::id()));
    let checkpoint = http_sse::Checkpoint::open(&path).unwrap();
    let mut events = client().read("kept", request(&server)).unwrap().checkpoint(checkpoint);
    let mut ids = Vec::new();
    for expected in BROKEN {
        assert_eq!(line(&events.next().unwrap().unwrap()), expected);
        ids.push(events.checkpoint().last_event_id().map(str::to_owned));
    }
    drop(events);
    std::fs::remove_file(path).unwrap();
    assert_eq!(ids, [None, Some("7"), Some("7"), Some("7")].map(|id| id.map(str::to_owned)));
}

#[test]
fn typed_iteration_passes_a_gap_as_an_error_that_ends_nothing() {
    let server = Server::serve_concurrently(|number, mut peer| {
        peer.stream();
        peer.send(format!("data: {number}\n\n"));
        match number % 2 {
            0 => peer.close_abruptly(),
            _ => _ = peer.wait_for_close(),
        }
    });
    let (server, client) = (server.unwrap(), client());
    /// Fits whatever there is.
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Any {
        Message,
        #[serde(other)]
        Other,
    }
    let told = |item: Result<Option<Event>, Error>| match item {
        Ok(event) => event.map_or("a value".into(), |event| line(&event)),
        Err(error) => {
            assert!(error.is_json());
            let text = error.to_string();
            assert!(text.starts_with("gap: reconnected after ") && text.ends_with(", without a position"), "{text}");
            line(error.event().unwrap())
        }
    };
    let numbers = client.read("json", request(&server)).unwrap().json::<u32>().ignore(["message"]);
    // What is ignored is the events.
    assert_eq!(
        numbers.take(1).map(|n| told(n.map(|n| Some(n.event)))).collect::<Vec<_>>(),
        ["resumed from \"nothing\""]
    );
    let numbers = client.read("number", request(&server)).unwrap().json::<u32>();
    let lines: Vec<_> = numbers.take(3).map(|n| told(n.map(|n| Some(n.event)))).collect();
    assert_eq!(lines, ["2", "resumed from \"nothing\"", "3"]);
    let any = client.connect("typed", request(&server)).unwrap().typed::<Any>();
    let lines: Vec<_> = any.take(3).map(|value| told(value.map(|_| None))).collect();
    assert_eq!(lines, ["a value", "resumed from \"nothing\"", "a value"]);
}

#[test]
fn a_stop_between_two_streams_ends_without_a_gap() {
    let server = Server::start().unwrap();
    let policy = RetryPolicy::constant(Duration::from_secs(3600));
    let rx = client().connect("stopped", request(&server).retry(policy)).unwrap();
    stream(&server).close_abruptly();
    support::waiting_for(&rx.handle());
    rx.handle().stop();
    assert_ended(&rx);
}

#[test]
fn reconnecting_by_hand_is_a_gap() {
    let server = Server::start().unwrap();
    let rx = client().connect("asked", request(&server)).unwrap();
    let _first = stream(&server);
    assert!(rx.handle().wait_open(deadline()));
    rx.handle().reconnect();
    let _second = stream(&server);
    assert_eq!(next_line(&rx), "resumed from \"nothing\"");
    stop(&rx);
}

#[test]
fn a_gap_for_a_test_is_equal_to_itself_alone_and_keeps_its_nature() {
    let mut gap = Gap::default();
    gap.dropped = 3;
    let event = Event::from(gap.clone());
    assert_eq!(event.gap(), Some(&gap));
    assert_eq!((line(&event), line(&event.clone().with_id("7"))), ("3 dropped".into(), "3 dropped".into()));
    assert_ne!(event, Event::new("", ""));
    assert_eq!(event, event.clone());
    assert_eq!(
        (format!("{event:?}"), event.to_string().as_str(), event.attempt()),
        (format!("Event {{ gap: {gap:?} }}"), ": gap: 3 dropped\n\n", None)
    );
}
