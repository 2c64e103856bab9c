//! How a response is judged: its status, its type, its encoding, and what an error's body may cost.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use http_sse::testing::{Framing, Server};
use http_sse::{End, Error, Request, RetryPolicy, State};

use support::exchange::{answered, client, drain, retries, run};
use support::{deadline, wait_until};

const EVENT: &str = "data: here\n\n";
const TRANSIENT: [u16; 16] = [408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 529];

/// Runs a request with one retry against a server that always gives this status.
fn with_status(status: u16) -> support::exchange::Seen {
    let server =
        Server::serve(move |_, mut peer| peer.respond(status, &[("Content-Type", "text/event-stream")], EVENT));
    run(Request::get(server.unwrap().url("/")).retry(retries(1)))
}

#[test]
fn a_transient_status_is_retried_and_is_the_failure_that_is_given_up_on() {
    for status in TRANSIENT {
        let seen = with_status(status);
        assert_eq!((seen.failure().status(), seen.attempts), (Some(status), 2));
        assert_eq!((seen.data.len(), seen.last_status), (0, Some(status)));
    }
}

#[test]
fn every_other_status_but_200_and_204_and_3xx_is_terminal() {
    let others = (201..300).chain(400..600).chain([600, 999]);
    for status in others.filter(|status| *status != 204 && !TRANSIENT.contains(status)) {
        let seen = with_status(status);
        assert_eq!((seen.failure().status(), seen.attempts), (Some(status), 1));
        assert_eq!((seen.data.len(), seen.last_status), (0, Some(status)));
    }
}

#[test]
fn a_204_ends_without_an_error_and_is_never_retried() {
    let seen = with_status(204);
    assert!(matches!(seen.end, End::NoContent) && seen.error.is_none(), "{seen:?}");
    assert_eq!((seen.attempts, seen.last_status), (1, Some(204)));
}

#[test]
fn switching_protocols_is_terminal() {
    let server = Server::serve(|_, mut peer| peer.respond(101, &[("Upgrade", "x"), ("Connection", "upgrade")], ""));
    let seen = run(Request::get(server.unwrap().url("/")).retry(retries(1)));
    assert_eq!((seen.failure().status(), seen.attempts), (Some(101), 1));
}

#[test]
fn retry_when_decides_about_statuses() {
    let server = Server::serve(|number, mut peer| match number {
        0 => peer.respond(404, &[], ""),
        _ => peer.respond(503, &[], ""),
    });
    let server = server.unwrap();
    let request = Request::get(server.url("/")).retry(retries(9));
    let seen = run(request.retry_when(|error| error.status() == Some(404)));
    assert_eq!((seen.failure().status(), seen.attempts), (Some(503), 2));
}

#[test]
fn the_type_is_the_mime_essence_whatever_its_case_and_parameters() {
    for content_type in [
        "text/event-stream",
        "TEXT/Event-Stream",
        "text/event-stream;charset=utf-8",
        "text/event-stream ; charset=\"x,y\"; z",
        "text/html, text/event-stream",
        "text/event-stream, nonsense",
    ] {
        let seen = answered(move |_, mut peer| peer.respond(200, &[("Content-Type", content_type)], EVENT));
        assert_eq!(seen.data, ["here"], "{content_type}");
    }
}

#[test]
fn another_type_is_terminal_and_named() {
    for content_type in [
        "text/plain",
        "text/event-streams",
        "text/event",
        "application/text/event-stream",
        "text/event-stream, text/html",
        "; text/event-stream",
        "",
    ] {
        let server = Server::serve(move |_, mut peer| peer.respond(200, &[("Content-Type", content_type)], EVENT));
        let seen = run(Request::get(server.unwrap().url("/")).retry(retries(9)));
        assert!(
            matches!(seen.failure(), Error::ContentType(it) if it.content_type() == Some(content_type)),
            "{seen:?}"
        );
        assert_eq!((seen.attempts, seen.data.len()), (1, 0), "{seen:?}");
    }
}

#[test]
fn a_missing_type_is_terminal() {
    let server = Server::serve(|_, mut peer| peer.respond(200, &[], EVENT)).unwrap();
    let seen = run(Request::get(server.url("/")).retry(retries(9)));
    assert!(matches!(seen.failure(), Error::ContentType(it) if it.content_type().is_none()), "{seen:?}");
    assert_eq!((seen.attempts, seen.data.len()), (1, 0));
}

#[test]
fn of_a_repeated_type_the_last_valid_one_counts() {
    for (first, last, opens) in [
        ("text/html", "text/event-stream", true),
        ("text/event-stream", "*/*", true),
        ("text/event-stream", "text/html", false),
    ] {
        let seen = answered(move |_, mut peer| {
            peer.respond(200, &[("Content-Type", first), ("content-type", last)], EVENT);
        });
        assert_eq!(seen.data.len(), usize::from(opens), "{first} {last}");
        assert_eq!(matches!(seen.error, Some(Error::ContentType(_))), !opens, "{seen:?}");
    }
}

#[test]
fn an_answer_of_another_type_is_kept_with_its_status_up_to_4_kib() {
    for (length, kept) in [(0, None), (7, Some(7)), (100_000, Some(4096))] {
        let headers = [("Content-Type", "application/json")];
        let seen = answered(move |_, mut peer| peer.respond(200, &headers, "x".repeat(length)));
        let Error::ContentType(response) = seen.failure() else { panic!("{seen:?}") };
        assert_eq!((response.status(), response.content_type()), (200, Some("application/json")));
        assert_eq!((response.body().map(str::len), seen.failure().body().map(str::len)), (kept, kept));
        assert_eq!(seen.failure().status(), Some(200));
    }
}

#[test]
fn a_message_shows_the_first_line_of_the_body_and_no_control_character() {
    for (status, content_type, message) in [
        (403, "text/plain", "the server answered 403: no [2Jmodel"),
        (200, "text/plain", "the response is \"text/plain\", not text/event-stream: no [2Jmodel"),
    ] {
        let headers = [("Content-Type", content_type)].to_vec().leak();
        let seen = answered(move |_, mut peer| peer.respond(status, headers, "no \u{1b}[2Jmodel\nsecond line"));
        assert_eq!(seen.failure().to_string(), message);
    }
}

/// What a request by this method comes to, answered once with a status.
fn by_method(method: &str, status: u16, headers: &'static [(&'static str, &'static str)]) -> support::exchange::Seen {
    let server = Server::serve(move |_, mut peer| peer.respond(status, headers, EVENT)).unwrap();
    let request = Request::new(method, server.url("/")).retry(RetryPolicy::never());
    run(request)
}

const STREAM: &[(&str, &str)] = &[("Content-Type", "text/event-stream")];

#[test]
fn a_success_with_a_stream_opens_for_every_method_but_get() {
    for method in ["POST", "PUT", "PATCH", "DELETE", "QUERY"] {
        for status in [200, 201, 202, 203, 206, 226, 299] {
            let seen = by_method(method, status, STREAM);
            assert_eq!((seen.data.as_slice(), seen.last_status), (&["here".to_owned()][..], Some(status)), "{method}");
            assert!(matches!(seen.end, End::Complete), "{seen:?}");
        }
        let seen = by_method(method, 205, STREAM);
        assert_eq!(seen.failure().status(), Some(205), "{method}");
        assert!(matches!(by_method(method, 204, STREAM).end, End::NoContent), "{method}");
    }
    for status in [201, 202, 203, 205, 206] {
        assert!(matches!(by_method("GET", status, STREAM).failure(), Error::Status(_)), "{status}");
    }
}

#[test]
fn on_open_sees_the_status_of_the_success() {
    let server = Server::serve(|_, mut peer| peer.respond(201, STREAM, EVENT)).unwrap();
    let (sender, opened) = channel();
    let request = Request::post(server.url("/")).on_open(move |open| sender.send(open.status()).unwrap());
    assert_eq!(run(request).data, ["here"]);
    assert_eq!(opened.recv_timeout(deadline()).unwrap(), 201);
}

#[test]
fn a_202_without_a_stream_is_a_clean_end_with_its_status() {
    for headers in [&[][..], &[("Content-Type", "application/json")]] {
        let seen = by_method("POST", 202, headers);
        assert!(matches!(seen.end, End::NoStream(202)) && seen.error.is_none(), "{seen:?}");
        assert_eq!((seen.attempts, seen.last_status), (1, Some(202)));
        assert!(matches!(by_method("GET", 202, headers).failure(), Error::Status(_)));
    }
}

#[test]
fn another_success_without_a_stream_is_an_error_that_shows_the_answer() {
    let seen = by_method("POST", 201, &[("Content-Type", "application/json")]);
    assert!(matches!(seen.failure(), Error::ContentType(it) if it.status() == 201), "{seen:?}");
    assert_eq!(seen.failure().body(), Some(EVENT));
    let message = "the response (201) is \"application/json\", not text/event-stream: data: here";
    assert_eq!(seen.failure().to_string(), message);
}

#[test]
fn an_encoded_body_is_left_out() {
    for (encoding, body) in [("gzip", None), ("br", None), ("none", Some("\u{1}no")), ("identity", Some("\u{1}no"))] {
        let seen = answered(move |_, mut peer| peer.respond(403, &[("Content-Encoding", encoding)], "\u{1}no"));
        assert_eq!((seen.failure().status(), seen.failure().body()), (Some(403), body), "{encoding}");
    }
}

#[test]
fn a_port_that_speaks_tls_is_named() {
    let seen = answered(|_, mut peer| {
        peer.request();
        peer.raw([0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46]);
        peer.close_abruptly();
    });
    assert!(matches!(seen.failure(), Error::Protocol(_)) && seen.failure().to_string().contains("https"), "{seen:?}");
}

#[test]
fn any_content_type_opens_whatever_it_is() {
    for headers in [&[("Content-Type", "text/plain")][..], &[]] {
        let server = Server::serve(move |_, mut peer| peer.respond(200, headers, EVENT)).unwrap();
        let seen = run(Request::get(server.url("/")).any_content_type().retry(RetryPolicy::never()));
        assert_eq!(seen.data, ["here"]);
    }
}

#[test]
fn a_202_that_names_no_content_type_has_no_stream_whatever_is_accepted() {
    let seen = |headers: &'static [(&str, &str)]| {
        let server = Server::serve(move |_, mut peer| peer.respond(202, headers, "")).unwrap();
        run(Request::post(server.url("/")).any_content_type())
    };
    assert!(matches!(seen(&[]).end, End::NoStream(202)));
    assert!(matches!(seen(&[("Content-Type", "text/plain")]).end, End::Complete));
}

#[test]
fn the_body_is_utf_8_whatever_the_charset_says() {
    let seen = answered(|_, mut peer| {
        peer.respond(200, &[("Content-Type", "text/event-stream; charset=iso-8859-1")], "data: \u{fc}\n\n");
    });
    assert_eq!(seen.data, ["\u{fc}"]);
}

#[test]
fn an_encoding_that_was_not_asked_for_is_a_transient_failure_and_never_parsed() {
    for encoding in ["gzip", "GZIP", "br", "deflate", "identity, gzip", "zstd", "compress", "none, gzip"] {
        let server = Server::serve(move |_, mut peer| {
            peer.respond(200, &[("Content-Type", "text/event-stream"), ("Content-Encoding", encoding)], EVENT);
        });
        let seen = run(Request::get(server.unwrap().url("/")).any_content_type().retry(retries(1)));
        assert!(matches!(seen.failure(), Error::ContentEncoding(received) if received == encoding), "{seen:?}");
        assert_eq!((seen.attempts, seen.data.len()), (2, 0), "{seen:?}");
    }
}

#[test]
fn gzip_that_was_not_asked_for_does_not_wait_for_a_body() {
    let seen = answered(|_, mut peer| {
        let headers = [("Content-Type", "text/event-stream"), ("Content-Encoding", "gzip")];
        peer.begin(200, &headers, Framing::Chunked);
        peer.wait_for_close();
    });
    assert!(matches!(seen.failure(), Error::ContentEncoding(_)), "{seen:?}");
}

#[test]
fn an_encoding_that_changes_nothing_opens() {
    for encoding in ["identity", "Identity", "", "identity, identity", "none", "utf-8", "binary", "x-unknown"] {
        let seen = answered(move |_, mut peer| {
            peer.respond(200, &[("Content-Type", "text/event-stream"), ("Content-Encoding", encoding)], EVENT);
        });
        assert_eq!(seen.data, ["here"], "{encoding:?}");
    }
}

/// How long the first wait is that this answer causes, and what the failure says about it.
fn wait_after(status: u16, headers: &'static [(&'static str, &'static str)]) -> (Duration, Option<Duration>) {
    let server = Server::serve(move |_, mut peer| peer.respond(status, headers, "")).unwrap();
    let (sender, failed) = channel();
    let request = Request::get(server.url("/")).retry(RetryPolicy::constant(Duration::from_secs(20)).jitter(0.0));
    let request = request.on_error(move |error| sender.send(error.retry_after()).unwrap());
    let events = client().connect("wait", request).unwrap();
    let handle = events.handle();
    let asked = failed.recv_timeout(deadline()).unwrap();
    wait_until(|| handle.state() == State::Waiting);
    let wait = handle.stats().retry_in.unwrap();
    handle.stop();
    assert!(matches!(drain(&events).end, End::Stopped));
    (wait, asked)
}

#[test]
fn retry_after_is_a_lower_bound_in_both_forms_for_every_transient_status() {
    for headers in [
        &[("Retry-After", "1200")][..],
        &[("Date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("Retry-After", "Sun, 06 Nov 1994 09:09:37 GMT")],
    ] {
        for status in [429, 503, 500] {
            let (wait, asked) = wait_after(status, headers);
            assert_eq!(asked, Some(Duration::from_secs(1200)));
            assert!((1190..=1220).contains(&wait.as_secs()), "{wait:?}");
        }
    }
}

#[test]
fn retry_after_of_hours_is_obeyed_and_capped_at_a_day() {
    for (asked, obeyed) in [("43200", 43_200), ("99999999999999999999999", 86_400)] {
        let (wait, _) = wait_after(503, [("Retry-After", asked)].to_vec().leak());
        assert!((obeyed - 10..=obeyed + 20).contains(&wait.as_secs()), "{wait:?}");
    }
}

#[test]
fn retry_after_below_the_policys_own_wait_changes_nothing() {
    let (wait, asked) = wait_after(503, &[("Retry-After", "0")]);
    assert_eq!(asked, Some(Duration::ZERO));
    assert!((10..=20).contains(&wait.as_secs()), "{wait:?}");
}

#[test]
fn retry_after_that_is_past_or_nonsense_is_ignored() {
    for headers in [
        &[("Retry-After", "soon")][..],
        &[("Retry-After", "-1")],
        &[("Retry-After", "1.5")],
        &[("Retry-After", "")],
        &[("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT")],
        &[("Date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("Retry-After", "Sun, 06 Nov 1994 08:49:00 GMT")],
    ] {
        let (wait, asked) = wait_after(503, headers);
        assert_eq!(asked, None, "{headers:?}");
        assert!((10..=20).contains(&wait.as_secs()), "{wait:?}");
    }
}

#[test]
fn the_errors_body_is_kept_up_to_4_kib() {
    for (length, kept) in [(0, None), (5, Some(5)), (4096, Some(4096)), (100_000, Some(4096))] {
        let seen = answered(move |_, mut peer| peer.respond(403, &[], "x".repeat(length)));
        assert_eq!(seen.failure().body().map(str::len), kept, "{length}");
    }
}

#[test]
fn the_errors_body_is_read_in_every_framing() {
    for framing in [Framing::Chunked, Framing::UntilClose, Framing::Length(6)] {
        let seen = answered(move |_, mut peer| {
            peer.begin(403, &[], framing);
            peer.send("no \u{fc}!");
            peer.end();
        });
        assert_eq!(seen.failure().body(), Some("no \u{fc}!"), "{framing:?}");
    }
}

#[test]
fn the_errors_body_is_text_whatever_its_bytes() {
    let seen = answered(|_, mut peer| peer.respond(403, &[], b"no \xff\0"));
    assert_eq!(seen.failure().body(), Some("no \u{fffd}\0"));
}

#[test]
fn an_errors_body_that_is_cut_off_is_kept_as_far_as_it_came() {
    let seen = answered(|_, mut peer| {
        peer.begin(403, &[], Framing::Length(100));
        peer.send("no");
        peer.close_abruptly();
    });
    assert_eq!((seen.failure().status(), seen.failure().body()), (Some(403), Some("no")));
}

#[test]
fn an_errors_body_that_never_ends_is_not_waited_for_longer_than_a_second() {
    for is_dripping in [false, true] {
        let start = Instant::now();
        let seen = answered(move |_, mut peer| {
            peer.begin(403, &[], Framing::Chunked);
            peer.send("no");
            if !is_dripping {
                peer.wait_for_close();
                return;
            }
            loop {
                peer.send(".");
                peer.pause(Duration::from_millis(20));
            }
        });
        let body = seen.failure().body().unwrap_or_default();
        assert!(body.starts_with("no"), "{body}");
        assert!(start.elapsed() < deadline(), "{:?}", start.elapsed());
    }
}

#[test]
fn an_endless_errors_body_is_left_after_4_kib() {
    let seen = answered(|_, mut peer| {
        peer.begin(403, &[], Framing::Chunked);
        loop {
            peer.send("x".repeat(1000));
        }
    });
    assert_eq!(seen.failure().body().map(str::len), Some(4096));
}

#[test]
fn a_stop_reaches_the_wait_for_an_errors_body() {
    let server = Server::start().unwrap();
    let events = client().connect("stop", Request::get(server.url("/"))).unwrap();
    let mut peer = server.accept();
    peer.begin(403, &[], Framing::Chunked);
    events.handle().stop();
    assert!(matches!(drain(&events).end, End::Stopped));
    peer.wait_for_close();
}

#[test]
fn on_open_tells_status_headers_and_attempt() {
    let server = Server::serve(|number, mut peer| match number {
        0 => peer.respond(503, &[], ""),
        _ => peer.respond(200, &[("Content-Type", "text/event-stream"), ("X-Key", "1"), ("X-Key", "2")], EVENT),
    });
    let server = server.unwrap();
    let (sender, opened) = channel();
    let request = Request::get(server.url("/")).on_open(move |open| {
        let key = open.header("x-KEY").map(str::to_owned);
        sender.send((open.status(), key, open.header("x-none").is_none(), open.attempt())).unwrap();
    });
    let events = client().connect("open", request.retry(retries(9))).unwrap();
    assert_eq!(opened.recv_timeout(deadline()).unwrap(), (200, Some("1".to_owned()), true, 2));
    drop(events);
}
