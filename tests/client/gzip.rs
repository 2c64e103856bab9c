//! Streams and error pages in gzip, as a server with a compressor sends them.

use std::io::Write;
use std::time::{Duration, Instant};

use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use http_sse::testing::{Framing, Peer, ReceivedRequest, Server};
use http_sse::{Client, End, Error, Events, NextTimeoutError, Request, RetryPolicy};

use support::deadline;
use support::exchange::{asked, asked_by, client, drain, retries, run};

const STREAM: [(&str, &str); 2] = [("Content-Type", "text/event-stream"), ("Content-Encoding", "gzip")];

/// A compressor that is flushed after each piece, whose output is taken away each time.
struct Flushing(GzEncoder<Vec<u8>>);

impl Flushing {
    fn new() -> Self {
        Self(GzBuilder::new().write(Vec::new(), Compression::default()))
    }

    fn piece(&mut self, text: &str) -> Vec<u8> {
        self.0.write_all(text.as_bytes()).unwrap();
        self.0.flush().unwrap();
        std::mem::take(self.0.get_mut())
    }

    fn end(mut self) -> Vec<u8> {
        self.0.try_finish().unwrap();
        std::mem::take(self.0.get_mut())
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut whole = Flushing::new();
    [whole.piece(text), whole.end()].concat()
}

fn request(server: &Server) -> Request {
    Request::get(server.url("/")).accept_gzip().retry(RetryPolicy::never())
}

/// Runs one attempt with gzip.
#[track_caller]
fn answered(script: impl FnMut(usize, Peer) + Send + 'static) -> support::exchange::Seen {
    let server = Server::serve(script).unwrap();
    run(request(&server))
}

/// Runs one attempt whose answer is this body in chunks of this size, ended properly.
#[track_caller]
fn answered_by(body: Vec<u8>, size: usize) -> support::exchange::Seen {
    answered(move |_, mut peer| {
        peer.begin(200, &STREAM, Framing::Chunked);
        body.chunks(size).for_each(|piece| peer.send(piece));
        peer.end();
    })
}

#[track_caller]
fn next(events: &Events) -> String {
    events.recv_timeout(deadline()).unwrap().unwrap().into_data()
}

fn accept_encoding(asked: &ReceivedRequest) -> Vec<&str> {
    asked.headers("accept-encoding")
}

#[test]
fn gzip_is_asked_for_where_the_request_wants_it() {
    assert_eq!(accept_encoding(&asked(Request::get)), ["identity"]);
    assert_eq!(accept_encoding(&asked(|url| Request::get(url).accept_gzip())), ["gzip"]);
    let own = asked(|url| Request::get(url).accept_gzip().header("Accept-Encoding", "gzip;q=0.5"));
    assert_eq!(accept_encoding(&own), ["gzip;q=0.5"]);
    let client = Client::builder().no_proxy().header("accept-encoding", "identity").build().unwrap();
    assert_eq!(accept_encoding(&asked_by(&client, |url| Request::get(url).accept_gzip())), ["gzip"]);
}

#[test]
fn each_event_that_the_server_flushes_comes_at_once() {
    for framing in [Framing::Chunked, Framing::UntilClose] {
        let server = Server::start().unwrap();
        let events = client().connect("flushed", request(&server)).unwrap();
        let mut peer = server.accept();
        peer.begin(200, &STREAM, framing);
        let mut flushing = Flushing::new();
        for number in 1..=100 {
            let event = format!("id: {number}\ndata: {number} of many\n\n");
            peer.send(flushing.piece(&event));
            // The next one is not sent before this one is there.
            assert_eq!(next(&events), format!("{number} of many"));
        }
        peer.send(flushing.end());
        peer.end();
        let seen = drain(&events);
        assert!(matches!(seen.end, End::Complete) && seen.data.is_empty(), "{seen:?}");
    }
}

#[test]
fn a_reader_on_its_own_thread_gets_each_event_before_its_deadline() {
    let server = Server::start().unwrap();
    let mut reader = client().read("own", request(&server)).unwrap();
    assert!(matches!(reader.next_timeout(Duration::ZERO), Err(NextTimeoutError::Timeout)));
    let mut peer = server.accept();
    peer.begin(200, &STREAM, Framing::Chunked);
    let mut flushing = Flushing::new();
    for number in 1..=3 {
        peer.send(flushing.piece(&format!("data: {number}\n\n")));
        assert_eq!(reader.next_timeout(deadline()).unwrap().unwrap().data(), number.to_string());
        assert!(matches!(reader.next_timeout(Duration::from_millis(1)), Err(NextTimeoutError::Timeout)));
    }
}

#[test]
fn a_body_in_pieces_of_any_size_is_the_same_stream() {
    let text: String = (0..2000).map(|number| format!("id: {number}\ndata: number {number}\n\n")).collect();
    for size in [1, 2, 10, 1000, usize::MAX] {
        let seen = answered_by(gzip(&text), size);
        assert!(matches!(seen.end, End::Complete), "{size}: {:?}", seen.end);
        assert_eq!((seen.data.len(), seen.data.last().unwrap().as_str()), (2000, "number 1999"), "{size}");
    }
}

#[test]
fn other_names_and_words_mean_the_same() {
    for encoding in ["gzip", "GZIP", "x-gzip", "identity, gzip", "gzip, none"] {
        let seen = answered(move |_, mut peer| {
            peer.respond(200, &[STREAM[0], ("Content-Encoding", encoding)], gzip("data: here\n\n"));
        });
        assert_eq!(seen.data, ["here"], "{encoding}");
        assert!(matches!(seen.end, End::Complete), "{encoding}: {seen:?}");
    }
    for encoding in ["identity", "", "none"] {
        let seen = answered(move |_, mut peer| {
            peer.respond(200, &[STREAM[0], ("Content-Encoding", encoding)], "data: plain\n\n");
        });
        assert_eq!(seen.data, ["plain"], "{encoding}");
    }
}

#[test]
fn other_codings_are_refused_as_ever() {
    for encoding in ["br", "deflate", "zstd", "gzip, br", "gzip, gzip"] {
        let seen = answered(move |_, mut peer| {
            peer.respond(200, &[STREAM[0], ("Content-Encoding", encoding)], gzip("data: here\n\n"));
        });
        assert!(matches!(seen.failure(), Error::ContentEncoding(received) if received == encoding), "{seen:?}");
        let message = format!("the response has the content encoding {encoding:?}, which was not requested");
        assert_eq!(seen.failure().to_string(), message);
    }
}

#[test]
fn gzip_that_was_not_asked_for_is_refused_with_the_way_out() {
    for encoding in ["gzip", "x-gzip"] {
        let server = Server::serve(move |_, mut peer| {
            peer.respond(200, &[STREAM[0], ("Content-Encoding", encoding)], gzip("data: here\n\n"));
        });
        let seen = run(Request::get(server.unwrap().url("/")).retry(RetryPolicy::never()));
        let message = format!(
            "the response has the content encoding {encoding:?}, which was not requested (use Request::accept_gzip)"
        );
        assert_eq!(seen.failure().to_string(), message);
    }
}

#[test]
fn an_error_page_in_gzip_can_be_read() {
    let page = "a reason, ".repeat(1000);
    for (status, content_type) in [(403, "text/plain"), (200, "text/html"), (503, "text/event-stream")] {
        let headers = [("Content-Type", content_type), ("Content-Encoding", "gzip")];
        let body = gzip(&page);
        let seen = answered(move |_, mut peer| peer.respond(status, &headers, &body));
        assert_eq!(seen.failure().status(), Some(status));
        assert_eq!(seen.failure().body(), Some(&page[..4096]), "{status}");
    }
    // What is there of one that is cut or damaged.
    let body = gzip("the reason");
    let seen = answered(move |_, mut peer| peer.respond(403, &STREAM, &body[..body.len() - 6]));
    assert_eq!(seen.failure().body(), Some("the reason"));
    let seen = answered(move |_, mut peer| peer.respond(403, &STREAM, b"\x1f\x8b no gzip"));
    assert_eq!((seen.failure().status(), seen.failure().body()), (Some(403), None));
}

#[test]
fn an_error_page_that_is_text_is_shown_whatever_its_header_says() {
    let page = "a reason, ".repeat(1000);
    for size in [1, 700, usize::MAX] {
        for (status, content_type) in [(403, "text/plain"), (200, "text/html")] {
            let page = page.clone();
            let seen = answered(move |_, mut peer| {
                let headers = [("Content-Type", content_type), ("Content-Encoding", "gzip")];
                peer.begin(status, &headers, Framing::Chunked);
                page.as_bytes()[..5000].chunks(size).for_each(|piece| peer.send(piece));
                peer.end();
            });
            assert_eq!(
                (seen.failure().status(), seen.failure().body().map(str::len)),
                (Some(status), Some(4096)),
                "{size}"
            );
            assert!(seen.failure().to_string().contains("a reason"), "{seen:?}");
        }
    }
    // Where it was not asked for, the page is not decoded; but text is text.
    for (encoding, body, shown) in [
        ("gzip", b"no key".to_vec(), Some("no key")),
        ("br", b"no key".to_vec(), Some("no key")),
        ("gzip", gzip("no key"), None),
    ] {
        let server =
            Server::serve(move |_, mut peer| peer.respond(403, &[("Content-Encoding", encoding)], &body)).unwrap();
        let seen = run(Request::get(server.url("/")).retry(RetryPolicy::never()));
        assert_eq!((seen.failure().status(), seen.failure().body()), (Some(403), shown), "{encoding}");
    }
}

#[test]
fn a_stream_without_an_event_shows_what_it_was() {
    // No body is no gzip either, and no damage.
    for (body, shown) in [(gzip("no such topic"), Some("no such topic")), (vec![], None)] {
        let server = Server::serve(move |_, mut peer| peer.respond(200, &STREAM, &body)).unwrap();
        let seen = run(request(&server).retry(retries(1)));
        assert!(matches!(seen.failure(), Error::NoEvent(_)), "{seen:?}");
        assert_eq!((seen.failure().body(), seen.attempts), (shown, 2));
    }
}

#[test]
fn a_stream_without_its_trailer_is_cut_behind_its_events() {
    let whole = gzip("data: 1\n\ndata: 2\n\n");
    for missing in 1..=8 {
        let seen = answered_by(whole[..whole.len() - missing].to_vec(), 5);
        assert_eq!(seen.data, ["1", "2"], "{missing}");
        assert!(matches!(seen.failure(), Error::Disconnected), "{missing}: {seen:?}");
        assert!(seen.failure().is_transient());
    }
    // The same without framing, and with a length.
    let cut = whole[..whole.len() - 8].to_vec();
    let body = cut.clone();
    let seen = answered(move |_, mut peer| {
        peer.begin(200, &STREAM, Framing::UntilClose);
        peer.send(&body);
        peer.end();
    });
    assert!(matches!((seen.data.len(), seen.failure()), (2, Error::Disconnected)), "{seen:?}");
    let seen = answered(move |_, mut peer| peer.respond(200, &STREAM, &cut));
    assert!(matches!((seen.data.len(), seen.failure()), (2, Error::Disconnected)), "{seen:?}");
}

#[test]
fn damage_is_reported_after_the_events_before_it() {
    let mut wrong_checksum = gzip("data: 1\n\ndata: 2\n\n");
    let crc = wrong_checksum.len() - 8;
    wrong_checksum[crc] ^= 1;
    let mut flushing = Flushing::new();
    let damaged = [flushing.piece("data: 1\n\ndata: 2\n\n"), vec![0xff; 10]].concat();
    let followed = [gzip("data: 1\n\ndata: 2\n\n"), b"\x1f\x8b\x07".to_vec()].concat();
    for (body, part) in [(wrong_checksum, "checksum"), (damaged, "damaged"), (followed, "of another method")] {
        for size in [1, usize::MAX] {
            let seen = answered_by(body.clone(), size);
            assert_eq!(seen.data, ["1", "2"], "{part}");
            assert!(matches!(seen.failure(), Error::Protocol(why) if why.contains(part)), "{seen:?}");
        }
    }
}

/// RFC 1952 section 2.2 knows members alone; but all that was sent is there, as in a browser.
#[test]
fn what_follows_the_last_member_ends_the_stream() {
    for garbage in [&b"\0\0\0\0"[..], b"<!-- cached -->", b"data: 3\n\n"] {
        let body = [&gzip("data: 1\n\ndata: 2\n\n")[..], garbage].concat();
        for size in [1, usize::MAX] {
            let seen = answered_by(body.clone(), size);
            assert!(matches!((&seen.data[..], &seen.end), ([_, _], End::Complete)), "{seen:?}");
        }
        // Neither the end of the response nor what is wrong with its framing is waited for.
        let body = body.clone();
        let seen = answered(move |_, mut peer| {
            peer.begin(200, &STREAM, Framing::Chunked);
            peer.send(&body);
            peer.raw("nonsense");
            peer.wait_for_close();
        });
        assert!(matches!((&seen.data[..], &seen.end), ([_, _], End::Complete)), "{seen:?}");
    }
}

#[test]
fn events_before_a_reset_or_malformed_framing_are_delivered() {
    let seen = answered(|_, mut peer| {
        peer.begin(200, &STREAM, Framing::Chunked);
        peer.send(Flushing::new().piece(&"data: x\n\n".repeat(3000)));
        peer.raw("nonsense");
        peer.end();
    });
    assert_eq!(seen.data.len(), 3000);
    assert!(matches!(seen.failure(), Error::Protocol(_)), "{seen:?}");
}

#[test]
fn members_are_one_stream() {
    let body = [gzip("data: 1\n\nda"), gzip(""), gzip("ta: 2\n\n")].concat();
    for size in [1, 7, usize::MAX] {
        let seen = answered_by(body.clone(), size);
        assert_eq!(seen.data, ["1", "2"]);
        assert!(matches!(seen.end, End::Complete), "{seen:?}");
    }
}

#[test]
fn a_stream_that_is_cut_resumes_after_its_last_event() {
    let server = Server::serve(|attempt, mut peer| {
        let last = peer.request().header("last-event-id").map(str::to_owned);
        if attempt == 3 {
            return peer.respond(204, &[], "");
        }
        assert_eq!(last.unwrap_or("0".into()), (2 * attempt).to_string());
        peer.begin(200, &STREAM, Framing::Chunked);
        let first = 2 * attempt + 1;
        let mut flushing = Flushing::new();
        for number in [first, first + 1] {
            peer.send(flushing.piece(&format!("id: {number}\ndata: {number}\n\n")));
        }
        peer.send(flushing.piece("id: 99\ndata: half"));
        peer.close_abruptly();
    })
    .unwrap();
    let seen = run(request(&server).retry(retries(5)));
    assert_eq!(seen.data, ["1", "2", "3", "4", "5", "6"]);
    assert!(matches!(seen.end, End::NoContent), "{seen:?}");
}

#[test]
fn limits_are_about_what_is_decoded() {
    // An event of 100 KiB, which is a few hundred bytes on the wire, is skipped.
    let body = gzip(&format!("data: {}\n\ndata: after\n\n", "x".repeat(100 << 10)));
    assert!(body.len() < 1000);
    let server = Server::serve(move |_, mut peer| peer.respond(200, &STREAM, &body)).unwrap();
    let seen = run(request(&server).max_event_size(10 << 10));
    assert_eq!(seen.data, ["after"]);
    // One without end is cut at 16 times the limit.
    let body = gzip(&format!("data: {}", "x".repeat(1 << 20)));
    let server = Server::serve(move |_, mut peer| peer.respond(200, &STREAM, &body)).unwrap();
    let seen = run(request(&server).max_event_size(10 << 10));
    assert!(matches!(seen.failure(), Error::EventTooLarge { is_runaway: true, .. }), "{seen:?}");
}

#[test]
fn a_stop_ends_an_endless_decompression_bomb() {
    let mut flushing = Flushing::new();
    let first = flushing.piece("data: first\n\n");
    let bomb = flushing.piece(&":\n".repeat(1 << 20));
    let server = Server::serve(move |_, mut peer| {
        peer.begin(200, &STREAM, Framing::UntilClose);
        let _ = peer.try_send(&first);
        // What a flush has sent may be repeated as it is.
        while peer.try_send(&bomb).is_ok() {}
    })
    .unwrap();
    let events = client().connect("bomb", request(&server)).unwrap();
    assert_eq!(next(&events), "first");
    let handle = events.handle();
    let start = Instant::now();
    handle.stop();
    assert!(handle.join_timeout(deadline()), "still there after {:?}", start.elapsed());
    assert!(matches!(handle.end(), Some(End::Stopped)));
}

#[test]
fn bytes_that_mean_nothing_yet_are_a_sign_of_life() {
    let whole = gzip("data: late\n\n");
    let server = Server::serve(move |_, mut peer| {
        peer.begin(200, &STREAM, Framing::Chunked);
        // The header says nothing of the stream.
        for byte in &whole[..10] {
            peer.send([*byte]);
            peer.pause(Duration::from_millis(150));
        }
        peer.send(&whole[10..]);
        peer.end();
    })
    .unwrap();
    let seen = run(request(&server).idle_timeout(Duration::from_millis(1000)));
    assert_eq!(seen.data, ["late"]);
}

#[test]
fn pieces_and_figures_are_those_of_what_is_decoded() {
    let text = format!("data: {}\n\n", "x".repeat(20_000));
    let body = gzip(&text);
    let server = Server::serve(move |_, mut peer| peer.respond(200, &STREAM, &body)).unwrap();
    let (sender, pieces) = std::sync::mpsc::channel();
    let request = request(&server).on_bytes(move |bytes| sender.send(bytes.to_vec()).unwrap());
    let events = client().connect("pieces", request).unwrap();
    let seen = drain(&events);
    assert_eq!(seen.data.len(), 1);
    assert_eq!(events.handle().stats().bytes, text.len() as u64);
    let pieces: Vec<Vec<u8>> = pieces.iter().collect();
    assert_eq!(pieces.concat(), text.as_bytes());
    assert!(pieces.last().unwrap().is_empty() && pieces.iter().all(|piece| piece.len() <= 64 << 10));
}
