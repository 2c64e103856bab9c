//! Faults that were measured in other clients of event streams, one test each: this one must not have them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use http_sse::testing::{Peer, Server};
use http_sse::{Client, End, Error, Request, RetryPolicy, State};
use support::transcript::{assert_ended, client, next_data, next_event, quick, rest, stop, terminal_error};
use support::{deadline, wait_until};

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

/// Fault: Last-Event-ID is lost after the second reconnect.
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

/// Fault: Last-Event-ID is sent with an empty value.
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

/// Fault: the id of a block without data is not carried to the next connect.
#[test]
fn a_block_of_only_an_id_counts_for_the_next_connect() {
    let server = Server::start().unwrap();
    let rx = client().connect("priming", request(&server)).unwrap();
    assert_eq!(answer(&server, "id: prime\n\n"), None);
    assert_eq!(answer(&server, "").as_deref(), Some("prime"));
    stop(&rx);
}

/// Fault: a block of only `retry:` is ignored.
#[test]
fn a_block_of_only_a_retry_time_is_obeyed() {
    let server = Server::start().unwrap();
    let policy = RetryPolicy::constant(Duration::from_secs(3600)).server_delay(Duration::ZERO..=Duration::MAX);
    let rx = client().connect("retry", Request::get(server.url("/")).retry(policy)).unwrap();
    assert_eq!(answer(&server, "retry: 20\n\n"), None);
    server.accept();
    stop(&rx);
}

/// Fault: a block of only an unknown field drops the connection.
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

/// Fault: a byte order mark is a panic.
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

/// Fault: a short status line is a panic.
#[test]
fn short_status_lines_are_errors_or_fine_and_never_a_panic() {
    for line in ["", "H", "HTTP", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 2", "HTTP/1.1 20", "200", "\0"] {
        let server = Server::serve(move |_, mut peer| {
            peer.request();
            peer.raw(format!("{line}\r\n\r\n"));
            peer.end();
        })
        .unwrap();
        let rx = client().connect("short", Request::get(server.url("/")).retry(RetryPolicy::never())).unwrap();
        let error = terminal_error(&rx);
        assert!(!matches!(error, Error::Panicked(_)) && error.is_transient(), "{line:?}: {error:?}");
    }
}

/// Fault: a status line without a reason is refused.
#[test]
fn a_status_line_needs_no_reason() {
    let server = Server::serve(|_, mut peer| {
        peer.request();
        peer.raw("HTTP/1.1 200\r\nContent-Type: text/event-stream\r\n\r\ndata: a\n\n");
        peer.end();
    })
    .unwrap();
    let rx = client().connect("no reason", Request::get(server.url("/")).retry(RetryPolicy::never())).unwrap();
    assert_eq!(next_data(&rx), "a");
    assert_ended(&rx);
}

/// Fault: invalid UTF-8 ends the stream.
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

/// Fault: `max_retries` never bites.
#[test]
fn max_retries_ends_it() {
    let scripts: [fn(Peer); 4] = [
        |mut peer| peer.respond(503, &[], ""),
        |peer| peer.reset(),
        |mut peer| {
            peer.stream();
            peer.end();
        },
        |mut peer| {
            peer.stream();
            peer.send("data: a\n\n");
            peer.close_abruptly();
        },
    ];
    // No stream here lives as long as this delay: otherwise an event would start the count again.
    let policy = RetryPolicy::constant(Duration::from_millis(500)).max_retries(3);
    let connections = scripts.map(|script| {
        let server = Server::serve(move |_, peer| script(peer)).unwrap();
        let rx = client().connect("limit", Request::get(server.url("/")).retry(policy.clone())).unwrap();
        (server, rx)
    });
    for (server, rx) in connections {
        let last = rest(&rx).pop().unwrap();
        assert!(last.is_err(), "{last:?}");
        assert_eq!(server.connections(), 4);
    }
}

/// Fault: back-off starts again with every 200, so that accept-then-close is hammered.
#[test]
fn a_200_alone_does_not_reset_the_back_off() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send(": welcome\n\n");
        peer.end();
    })
    .unwrap();
    let policy = RetryPolicy::exponential(Duration::from_millis(20), Duration::MAX).jitter(0.0).max_retries(5);
    let start = Instant::now();
    let rx = client().connect("accept, close", Request::get(server.url("/")).retry(policy)).unwrap();
    let error = terminal_error(&rx);
    assert!(matches!(error, Error::NoEvent(_)) && error.body() == Some(": welcome\n\n"), "{error:?}");
    assert_eq!(server.connections(), 6);
    assert!(start.elapsed() >= Duration::from_millis(20 + 40 + 80 + 160 + 320), "{:?}", start.elapsed());
}

/// Fault: `retry: 0` makes a hundred connects in 1.5 s.
#[test]
fn a_retry_time_of_zero_is_no_invitation_to_hammer() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("retry: 0\ndata: a\n\n");
        peer.end();
    })
    .unwrap();
    let request = Request::get(server.url("/")).retry(RetryPolicy::forever().jitter(0.0));
    let handle = client().listen("zero", request).unwrap();
    let start = Instant::now();
    assert!(!handle.join_timeout(Duration::from_millis(1500)));
    let (attempts, elapsed) = (handle.stats().attempts, start.elapsed());
    assert!(u128::from(attempts) <= 1 + elapsed.as_millis() / 500, "{attempts} attempts in {elapsed:?}");
    handle.stop();
}

/// Fault: a huge `retry:` makes a hundred connects in 1.5 s.
#[test]
fn a_huge_retry_time_is_a_long_wait() {
    for huge in ["9007199254740993", "18446744073709551616", "99999999999999999999999999999999"] {
        let server = Server::start().unwrap();
        let rx = client().connect("huge", Request::get(server.url("/")).retry(RetryPolicy::forever())).unwrap();
        answer(&server, format!("retry: {huge}\ndata: a\n\n"));
        assert_eq!(next_data(&rx), "a");
        wait_until(|| rx.handle().state() == State::Waiting);
        let wait = rx.handle().stats().retry_in.unwrap();
        assert!((Duration::from_secs(200)..=Duration::from_secs(600)).contains(&wait), "{huge}: {wait:?}");
        stop(&rx);
        assert_eq!(server.connections(), 1);
    }
}

/// Fault: retries after 204.
#[test]
fn a_204_is_never_retried() {
    let server = Server::serve(|_, mut peer| peer.respond(204, &[], "")).unwrap();
    let rx = client().connect("204", request(&server).retry_when(|_| true)).unwrap();
    assert_ended(&rx);
    assert!(rx.handle().join_timeout(deadline()));
    assert!(matches!(rx.handle().end(), Some(End::NoContent)));
    assert_eq!(server.connections(), 1);
}

/// Fault: Authorization is sent to another host after a redirect.
#[test]
fn a_redirect_to_another_origin_takes_no_credentials_along() {
    let (here, elsewhere) = (Server::start().unwrap(), Server::start().unwrap());
    let request = request(&here).bearer_auth("secret").header("x-api-key", "secret").header("cookie", "secret");
    let rx = client().connect("elsewhere", request).unwrap();
    let mut peer = here.accept();
    assert_eq!(peer.request().header("authorization"), Some("Bearer secret"));
    peer.respond(307, &[("Location", &elsewhere.url("/events"))], "");
    let mut peer = elsewhere.accept();
    let head = String::from_utf8(peer.request().head().to_vec()).unwrap();
    assert!(!head.contains("secret"), "{head}");
    peer.stream();
    peer.send("data: a\n\n");
    assert_eq!(next_data(&rx), "a");
    stop(&rx);
}

/// Fault: the wall clock in back-off, which an NTP step freezes or fires.
///
/// The system's clock cannot be set in a test: only what reads dates of HTTP, and of files, may name it.
#[test]
fn the_wall_clock_is_read_for_dates_of_http_and_of_files_alone() {
    let source = support::root().join("src");
    let names = ["SystemTime", "UNIX_EPOCH", "UnixTime::now", "wall_time"];
    let reading: Vec<_> = rust_files(&source)
        .into_iter()
        .filter(|file| !file.ends_with("tests.rs"))
        .filter(|file| {
            let text = fs::read_to_string(file).unwrap();
            names.iter().any(|name| text.contains(name))
        })
        .map(|file| file.strip_prefix(&source).unwrap().to_owned())
        // Not part of the library.
        .filter(|file| !file.starts_with("simulation") && file != Path::new("simulation.rs"))
        .collect();
    // `clock.rs` gives it out; `failure.rs` compares it with the day of the release, for `ClockNotSet`; `store.rs` has the
    // age of a file that a writer left behind.
    let allowed = ["clock.rs", "http.rs", "http/headers.rs", "http/failure.rs", "checkpoint/store.rs"].map(Path::new);
    assert!(reading.iter().all(|file| allowed.contains(&file.as_path())), "{reading:?}");
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// Fault: a stop blocks until the read timeout, or never stops.
#[test]
fn a_stop_does_not_wait_for_the_read() {
    let server = Server::start().unwrap();
    let rx = client().connect("idle", request(&server).idle_timeout(None)).unwrap();
    let mut peer = server.accept();
    peer.stream();
    assert!(rx.handle().wait_open(deadline()));
    let start = Instant::now();
    rx.handle().stop();
    assert_ended(&rx);
    assert!(rx.handle().join_timeout(deadline()));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert!(peer.is_closed_within(deadline()));
}

/// Fault: on a close-delimited body no event comes before a buffer is full.
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

/// Fault: after too large an event it reconnects and meets it again, for ever.
#[test]
fn an_event_that_is_too_large_is_passed_over_and_never_met_again() {
    let server = Server::start().unwrap();
    let rx = client().connect("large", request(&server).max_event_size(1000)).unwrap();
    assert_eq!(answer(&server, format!("id: 1\ndata: {}\n\nid: 2\ndata: b\n\n", "x".repeat(2000))), None);
    assert_eq!(next_data(&rx), "b");
    assert_eq!(answer(&server, format!("id: 3\ndata: {}\n\n", "x".repeat(2000))).as_deref(), Some("2"));
    assert_eq!(answer(&server, "").as_deref(), Some("3"));
    stop(&rx);
}

/// Fault: there is no bound at all on a line or event.
#[test]
fn neither_a_line_nor_an_event_goes_on_for_ever() {
    for (start, more) in [("data: ", "x"), (": ", "x"), ("unknown", "x"), ("", "data: and so on\n"), ("", "unknown\n")]
    {
        let server = Server::serve(move |_, mut peer| {
            peer.stream();
            peer.send(start);
            loop {
                peer.send(more.repeat(1000));
            }
        })
        .unwrap();
        let request = Request::get(server.url("/")).retry(RetryPolicy::never()).max_event_size(16 * 1024);
        let rx = client().connect("endless", request).unwrap();
        assert!(matches!(terminal_error(&rx), Error::EventTooLarge { limit: 16_384, .. }));
        assert!(rx.handle().stats().bytes < 1_000_000);
    }
}

/// Faults: a panic after a 503; the iterator yields transient errors, so that `?` quits at the first hiccup.
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
