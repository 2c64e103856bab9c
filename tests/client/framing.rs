//! Malformed, cut, oversized and endless responses: none hangs, none panics, none looks complete.

use std::time::{Duration, Instant};

use http_sse::testing::{Framing, Server};
use http_sse::{End, Error, Request, RetryPolicy, Timeout};

use support::exchange::{DEADLINE, Seen, answered, client, drain, retries, run};

const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
/// "data: here" with its blank line as a chunk.
const CHUNK: &str = "c\r\ndata: here\n\n\r\n";

/// Runs one attempt, without retry, against a server that answers with these bytes and closes.
#[track_caller]
fn answered_raw(answer: impl AsRef<[u8]> + Send + 'static) -> Seen {
    answered(move |_, mut peer| {
        peer.request();
        peer.raw(&answer);
        peer.end();
    })
}

/// Runs one attempt and expects one event and a clean end.
#[track_caller]
fn completes(answer: String) {
    let seen = answered_raw(answer);
    assert_eq!(seen.data, ["here"], "{seen:?}");
    assert!(matches!(seen.end, End::Complete), "{seen:?}");
}

#[test]
fn a_malformed_head_is_a_transient_failure() {
    for head in [
        "nonsense\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 0 OK\r\n\r\n",
        "HTTP/1.1 99 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: no name\r\n\r\n",
        "HTTP/1.1 200 OK\r\n folded: first\r\n\r\n",
        "HTTP/1.1 200 OK\r\nName: \0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
    ] {
        let server = Server::serve(move |_, mut peer| {
            peer.request();
            peer.raw(head);
        });
        let seen = run(Request::get(server.unwrap().url("/")).retry(retries(1)));
        assert!(matches!(seen.failure(), Error::Protocol(_)), "{head:?}: {seen:?}");
        assert_eq!(seen.attempts, 2, "{head:?}");
    }
}

#[test]
fn folded_lines_and_blanks_before_a_colon_are_read() {
    completes("HTTP/1.1 200 OK\r\nContent-Type : text/event-stream\r\n\r\ndata: here\n\n".into());
    completes("HTTP/1.1 200 OK\r\nContent-Type:\r\n text/event-stream;\r\n\tx=y\r\n\r\ndata: here\n\n".into());
}

#[test]
fn a_head_that_is_cut_off_is_a_transient_failure() {
    for head in
        ["", "H", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Type: text/event-str", STREAM]
    {
        let server = Server::serve(move |_, mut peer| {
            peer.request();
            peer.raw(head);
        });
        let seen = run(Request::get(server.unwrap().url("/")).retry(retries(1)));
        assert!(seen.failure().is_transient(), "{head:?}: {seen:?}");
        assert_eq!((seen.attempts, seen.last_status), (2, None), "{head:?}");
    }
}

#[test]
fn a_redirect_whose_head_is_cut_off_is_not_followed() {
    let seen = answered_raw("HTTP/1.1 302 Found\r\nLocation: /new\r\n");
    assert!(seen.failure().is_transient(), "{seen:?}");
}

#[test]
fn a_reset_is_a_transient_failure() {
    for sends_head in [false, true] {
        let server = Server::serve(move |_, mut peer| {
            peer.request();
            if sends_head {
                peer.stream();
            }
            peer.reset();
        });
        let seen = run(Request::get(server.unwrap().url("/")).retry(retries(1)));
        assert!(seen.failure().is_transient(), "{seen:?}");
        assert_eq!(seen.attempts, 2);
    }
}

/// A head of this many bytes, status line and blank line included, and a body with one event.
fn head_of(bytes: usize) -> String {
    let padding = bytes - STREAM.len() - "Connection: close\r\nX-Padding: \r\n\r\n".len();
    format!("{STREAM}Connection: close\r\nX-Padding: {}\r\n\r\ndata: here\n\n", "x".repeat(padding))
}

#[test]
fn a_head_of_up_to_20_kib_is_accepted() {
    completes(head_of(8 * 1024));
    completes(head_of(20 * 1024));
}

#[test]
fn a_larger_head_is_a_transient_failure() {
    for bytes in [20 * 1024 + 1, 24 * 1024, 1 << 20] {
        let seen = answered_raw(head_of(bytes));
        assert!(matches!(seen.failure(), Error::Protocol(_)), "{bytes}: {seen:?}");
    }
}

#[test]
fn a_large_head_in_small_pieces_is_accepted() {
    let seen = answered(|_, mut peer| {
        peer.request();
        for piece in head_of(19 * 1024).as_bytes().chunks(97) {
            peer.raw(piece);
        }
    });
    assert_eq!(seen.data, ["here"], "{seen:?}");
}

#[test]
fn a_head_without_end_is_a_transient_failure() {
    for step in ["X-Padding: x\r\n".to_owned(), "x".repeat(1000)] {
        let seen = answered(move |_, mut peer| {
            peer.request();
            peer.raw("HTTP/1.1 200 OK\r\nX-Start: ");
            loop {
                peer.raw(&step);
            }
        });
        assert!(matches!(seen.failure(), Error::Protocol(_)), "{seen:?}");
    }
}

#[test]
fn more_headers_than_anyone_needs_are_a_transient_failure() {
    let headers: String = (0..1000).map(|number| format!("x-{number}: y\r\n")).collect();
    let seen = answered_raw(format!("{STREAM}{headers}\r\n"));
    assert!(matches!(seen.failure(), Error::Protocol(_)), "{seen:?}");
}

#[test]
fn informational_responses_before_the_answer_are_passed_over() {
    for before in [
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 102 Processing\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n",
    ] {
        completes(format!("{before}{STREAM}Connection: close\r\n\r\ndata: here\n\n"));
    }
}

#[test]
fn an_informational_response_in_a_packet_of_its_own_is_passed_over() {
    let seen = answered(|_, mut peer| {
        peer.request();
        peer.raw("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
        peer.pause(Duration::from_millis(20));
        peer.raw(format!("{CHUNKED}{CHUNK}0\r\n\r\n"));
    });
    assert_eq!(seen.data, ["here"], "{seen:?}");
}

#[test]
fn a_flood_of_informational_responses_is_a_transient_failure() {
    for flood in ["HTTP/1.1 103 Early Hints\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n"] {
        let seen = answered(move |_, mut peer| {
            peer.request();
            loop {
                peer.raw(flood);
            }
        });
        assert!(matches!(seen.failure(), Error::Protocol(_)), "{seen:?}");
    }
}

#[test]
fn a_dripping_flood_of_informational_responses_hits_the_response_timeout() {
    let server = Server::serve(|_, mut peer| {
        peer.request();
        loop {
            peer.raw("HTTP/1.1 103 Early Hints\r\n\r\n");
            peer.pause(Duration::from_millis(10));
        }
    });
    let server = server.unwrap();
    let request = Request::get(server.url("/")).response_timeout(Duration::from_millis(300));
    let seen = run(request.retry(RetryPolicy::never()));
    assert!(matches!(seen.failure(), Error::Timeout(Timeout::Response)), "{seen:?}");
}

#[test]
fn a_dripping_head_hits_the_response_timeout() {
    let start = Instant::now();
    let server = Server::serve(|_, mut peer| {
        peer.request();
        peer.raw("HTTP/1.1 200 OK\r\nX-Padding: ");
        loop {
            peer.raw("x");
            peer.pause(Duration::from_millis(10));
        }
    });
    let server = server.unwrap();
    let request = Request::get(server.url("/")).response_timeout(Duration::from_millis(300));
    let seen = run(request.retry(RetryPolicy::never()));
    assert!(matches!(seen.failure(), Error::Timeout(Timeout::Response)), "{seen:?}");
    assert!((300..10_000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
}

#[test]
fn lines_of_a_head_may_end_with_a_line_feed_alone() {
    completes("HTTP/1.1 200 OK\nContent-Type: text/event-stream\nConnection: close\n\ndata: here\n\n".to_owned());
}

#[test]
fn an_http_1_0_server_may_end_its_stream_by_closing() {
    completes("HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: here\n\n".to_owned());
}

#[test]
fn a_reason_may_be_missing_or_not_ascii() {
    for line in ["HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.1 200 Gut\u{fc}"] {
        completes(format!("{line}\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: here\n\n"));
    }
}

#[test]
fn every_framing_ends_the_stream_where_it_says() {
    completes(format!("{STREAM}Content-Length: 12\r\n\r\ndata: here\n\n"));
    completes(format!("{STREAM}Content-Length: 12\r\n\r\ndata: here\n\ndata: behind\n\n"));
    completes(format!("{STREAM}Content-Length: 12\r\nContent-Length: 12\r\n\r\ndata: here\n\n"));
    completes(format!("{STREAM}\r\ndata: here\n\n"));
    completes(format!("{CHUNKED}{CHUNK}0\r\n\r\n"));
    completes(format!("{CHUNKED}{CHUNK}0\r\nTrailer: x\r\n\r\n"));
    completes(format!("{CHUNKED}C;a=b\r\ndata: here\n\n\r\n000\r\n\r\n"));
    completes(format!("{CHUNKED}1\r\nd\r\n1\r\na\r\n8\r\nta: here\r\n2\r\n\n\n\r\n0\r\n\r\n"));
}

#[test]
fn a_transfer_encoding_wins_over_a_length() {
    completes(format!("{STREAM}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n{CHUNK}0\r\n\r\n"));
}

#[test]
fn a_stream_of_no_bytes_is_complete() {
    for answer in [format!("{STREAM}Content-Length: 0\r\n\r\n"), format!("{CHUNKED}0\r\n\r\n"), format!("{STREAM}\r\n")]
    {
        let seen = answered_raw(answer);
        assert!(matches!(seen.end, End::Complete) && seen.data.is_empty(), "{seen:?}");
    }
}

#[test]
fn a_body_that_is_cut_off_is_a_transient_failure_after_its_complete_events() {
    for answer in [
        CHUNKED.to_owned() + CHUNK,
        CHUNKED.to_owned() + CHUNK + "f",
        CHUNKED.to_owned() + CHUNK + "f\r\n",
        CHUNKED.to_owned() + CHUNK + "f\r\ndata: cut",
        CHUNKED.to_owned() + CHUNK + "c\r\ndata: next\n\n",
        CHUNKED.to_owned() + CHUNK + "0",
        STREAM.to_owned() + "Content-Length: 13\r\n\r\ndata: here\n\n",
        STREAM.to_owned() + "Content-Length: 99\r\n\r\ndata: here\n\ndata: cut",
    ] {
        let shown = answer.clone();
        let server = Server::serve(move |_, mut peer| {
            peer.request();
            peer.raw(&answer);
        });
        let seen = run(Request::get(server.unwrap().url("/")).retry(RetryPolicy::never()));
        assert!(seen.failure().is_transient(), "{shown:?}: {seen:?}");
        assert_eq!(seen.data[0], "here", "{shown:?}");
        assert!(!seen.data.iter().any(|data| data == "cut"), "{seen:?}");
    }
}

#[test]
fn a_cut_is_a_disconnect_for_one_shot_requests_too() {
    let seen = answered_raw(format!("{CHUNKED}{CHUNK}ff\r\ndata: cut"));
    assert!(matches!(seen.failure(), Error::Disconnected), "{seen:?}");
    assert_eq!(seen.data, ["here"]);
}

#[test]
fn a_malformed_chunk_is_a_transient_failure() {
    for chunk in [
        "x\r\n",
        "-1\r\n",
        "0x5\r\ndata:\r\n",
        "\r\n",
        " \r\n",
        "c\ndata: next\n\n\n",
        "c\r\ndata: next\n\nXX",
        "fffffffffffffffff\r\ndata",
        "ffffffffffffffffffffffffffffff\r\ndata",
        "99999999999999999999999999999999999999999\r\n",
        "c;an=extension that is longer than any limit is likely to be, and says nothing\r\ndata: next\n\n",
        "\u{fc}\r\n",
    ] {
        let server = Server::start().unwrap();
        let request = Request::get(server.url("/")).retry(RetryPolicy::never());
        let events = client().connect("malformed", request).unwrap();
        let mut peer = server.accept();
        peer.request();
        peer.raw(format!("{CHUNKED}{CHUNK}"));
        // Taken first: what comes in one packet with a malformed chunk is given up with it.
        assert_eq!(events.recv_timeout(DEADLINE).unwrap().unwrap().data(), "here");
        peer.raw(chunk);
        peer.close_abruptly();
        let seen = drain(&events);
        assert!(seen.failure().is_transient(), "{chunk:?}: {seen:?}");
    }
}

#[test]
fn a_chunk_size_whose_line_never_ends_is_a_transient_failure() {
    for step in ["0", "f", ";"] {
        let seen = answered(move |_, mut peer| {
            peer.request();
            peer.raw(CHUNKED);
            loop {
                peer.raw(step.repeat(1000));
            }
        });
        assert!(matches!(seen.failure(), Error::Protocol(_)), "{step}: {seen:?}");
    }
}

#[test]
fn the_largest_chunk_size_there_is_streams_like_any_other() {
    let server = Server::serve(|number, mut peer| match number {
        0 => {
            peer.request();
            // ureq counts a chunk's bytes in a usize: on a 32-bit machine a chunk of 4 GiB is malformed.
            peer.raw(format!("{CHUNKED}{:x}\r\ndata: here\n\n", usize::MAX));
        }
        _ => peer.respond(204, &[], ""),
    });
    let seen = run(Request::get(server.unwrap().url("/")).retry(retries(9)));
    assert!(matches!(seen.end, End::NoContent), "{seen:?}");
    assert_eq!((seen.data, seen.attempts), (vec!["here".to_owned()], 2));
}

#[test]
fn chunks_may_be_as_small_as_a_byte_and_split_anywhere() {
    let seen = answered(|_, mut peer| {
        peer.request();
        for byte in format!("{CHUNKED}1\r\nd\r\nb\r\nata: here\n\n\r\n0\r\n\r\n").as_bytes() {
            peer.raw([*byte]);
        }
    });
    assert_eq!(seen.data, ["here"], "{seen:?}");
}

#[test]
fn what_follows_the_head_in_the_same_packet_is_not_lost() {
    let seen = answered(|_, mut peer| {
        peer.request();
        let events: String = (0..1000).map(|number| format!("data: {number}\n\n")).collect();
        peer.raw(format!("{STREAM}Content-Length: {}\r\n\r\n{events}", events.len()));
    });
    assert_eq!(seen.data.len(), 1000);
}

#[test]
fn an_event_is_delivered_before_the_chunk_that_holds_it_is_complete() {
    let server = Server::start().unwrap();
    let events = client().connect("early", Request::get(server.url("/"))).unwrap();
    let mut peer = server.accept();
    peer.request();
    peer.raw(format!("{CHUNKED}ff\r\ndata: early\n\n"));
    let event = events.recv_timeout(DEADLINE).unwrap().unwrap();
    assert_eq!(event.data(), "early");
    drop(events);
    peer.wait_for_close();
}

#[test]
fn a_body_behind_a_204_is_not_waited_for() {
    let seen = answered(|_, mut peer| {
        peer.begin(204, &[], Framing::Length(1000));
        peer.wait_for_close();
    });
    assert!(matches!(seen.end, End::NoContent), "{seen:?}");
}

#[test]
fn short_status_lines_are_errors_or_fine_and_never_a_panic() {
    for line in ["", "H", "HTTP", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 2", "HTTP/1.1 20", "200", "\0"] {
        let server = Server::serve(move |_, mut peer| {
            peer.request();
            peer.raw(format!("{line}\r\n\r\n"));
            peer.end();
        })
        .unwrap();
        let seen = run(Request::get(server.url("/")).retry(RetryPolicy::never()));
        let error = seen.failure();
        assert!(!matches!(error, Error::Panicked(_)) && error.is_transient(), "{line:?}: {error:?}");
    }
}
