//! Events over the limit: skipped, told once, never met again; and what has no end at all ends the attempt.

use http_sse::testing::Server;
use http_sse::{Error, PanicOrigin, Request, RetryPolicy};
use support::logs::Logs;
use support::transcript::{assert_ended, client, next, next_data, quick, rest, stop, terminal_error, transcript};
use support::{deadline, wait_until};

/// In bytes.
const LIMIT: usize = 1000;

fn request(server: &Server) -> Request {
    Request::get(server.url("/events")).retry(quick()).max_event_size(LIMIT)
}

fn large(id: &str) -> String {
    format!("id: {id}\ndata: {}\n\n", "x".repeat(2 * LIMIT))
}

#[test]
fn an_event_over_the_limit_is_skipped_and_the_stream_goes_on() {
    let server = Server::start().unwrap();
    let rx = client().connect("skipped", request(&server)).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send(format!("data: a\n\n{}data: b\n\n", large("1")));
    assert_eq!([next_data(&rx), next_data(&rx)], ["a", "b"]);
    let stats = rx.handle().stats();
    assert_eq!((stats.events, stats.oversized, stats.attempts), (2, 1, 1));
    stop(&rx);
}

#[test]
fn an_event_over_the_limit_is_reported_once_to_on_error_between_its_neighbours() {
    let server = Server::start().unwrap();
    let (seen, transcript) = transcript();
    let failed = seen.clone();
    let request = request(&server)
        .on_event(move |event| seen.send(event.data().to_owned()).unwrap())
        .on_error(move |error| failed.send(error.to_string()).unwrap());
    let handle = client().listen("told", request).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send("data: a\n\ndata: ");
    // In many pieces, each of which is over the limit by itself.
    for _ in 0..5 {
        peer.send("x".repeat(2 * LIMIT));
    }
    peer.send("\n\ndata: b\n\n");
    let all: Vec<_> = (0..3).map(|_| next(&transcript)).collect();
    assert_eq!(all, ["a", "an event is larger than 1000 bytes", "b"]);
    handle.stop();
    assert_ended(&transcript);
}

#[test]
fn an_event_over_the_limit_is_logged_as_a_warning_without_its_data() {
    let logs = Logs::of("sse warned");
    let server = Server::start().unwrap();
    let rx = client().connect("warned", request(&server)).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send(format!("{}data: b\n\n", large("secret")));
    assert_eq!(next_data(&rx), "b");
    stop(&rx);
    assert_eq!(logs.at(log::Level::Warn), ["sse warned: skipped an event: an event is larger than 1000 bytes"]);
    assert!(logs.lines().iter().all(|line| !line.message.contains("secret") && !line.message.contains("xxx")));
}

#[test]
fn each_event_over_the_limit_is_reported() {
    let server = Server::start().unwrap();
    let (seen, transcript) = transcript();
    let rx =
        client().connect("each", request(&server).on_error(move |error| seen.send(error.clone()).unwrap())).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send(format!("{}{}{}data: b\n\n", large("1"), large("2"), large("3")));
    assert_eq!(next_data(&rx), "b");
    assert_eq!(rx.handle().stats().oversized, 3);
    stop(&rx);
    let told = rest(&transcript);
    assert_eq!(told.len(), 3);
    let skipped = |error: &Error| matches!(error, Error::EventTooLarge { limit: LIMIT, is_runaway: false });
    assert!(told.iter().all(skipped), "{told:?}");
}

#[test]
fn an_event_exactly_at_the_limit_passes() {
    let server = Server::start().unwrap();
    // The line being received counts beside what is held: here the line is all there is.
    let rx = client().connect("exact", request(&server)).unwrap();
    let mut peer = server.accept();
    peer.stream();
    let data = "x".repeat(LIMIT - "data:".len() - 1);
    peer.send(format!("data:{data}\n\n"));
    assert_eq!(next_data(&rx), data);
    assert_eq!(rx.handle().stats().oversized, 0);
    stop(&rx);
}

#[test]
fn the_id_of_a_skipped_event_counts_for_the_reconnect() {
    let server = Server::start().unwrap();
    let rx = client().connect("id first", request(&server)).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send(large("1"));
    peer.end();
    let mut peer = server.accept();
    assert_eq!(peer.request().header("last-event-id"), Some("1"));
    assert_eq!(rx.handle().last_event_id().as_deref(), Some("1"));
    peer.stream();
    peer.send(format!("data: {}\nid: 2\n\n", "x".repeat(2 * LIMIT)));
    wait_until(|| rx.handle().last_event_id().as_deref() == Some("2"));
    peer.reset();
    assert_eq!(server.accept().request().header("last-event-id"), Some("2"));
    stop(&rx);
}

#[test]
fn a_skipped_event_that_is_cut_off_leaves_the_id_as_it_was() {
    let server = Server::start().unwrap();
    let rx = client().connect("cut", request(&server)).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send(format!("id: 1\ndata: a\n\nid: 2\ndata: {}", "x".repeat(2 * LIMIT)));
    peer.end();
    assert_eq!(next_data(&rx), "a");
    assert_eq!(server.accept().request().header("last-event-id"), Some("1"));
    stop(&rx);
}

#[test]
fn an_id_that_is_itself_over_the_limit_is_dropped() {
    let server = Server::start().unwrap();
    let rx = client().connect("large id", request(&server)).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send(format!("id: 1\ndata: a\n\nid: {}\ndata: b\n\ndata: c\n\n", "9".repeat(2 * LIMIT)));
    peer.end();
    assert_eq!([next_data(&rx), next_data(&rx)], ["a", "c"]);
    assert_eq!(server.accept().request().header("last-event-id"), Some("1"));
    stop(&rx);
}

#[test]
fn comments_and_unknown_fields_make_no_event_too_large() {
    let server = Server::start().unwrap();
    let rx = client().connect("filler", request(&server)).unwrap();
    let mut peer = server.accept();
    peer.stream();
    let filler = "x".repeat(LIMIT / 2);
    peer.send(format!("data: a\n:{filler}\n:{filler}\nunknown: {filler}\nunknown: {filler}\n:{filler}\n\n"));
    assert_eq!(next_data(&rx), "a");
    assert_eq!(rx.handle().stats().oversized, 0);
    stop(&rx);
}

#[test]
fn a_runaway_line_is_a_transient_failure_and_the_next_attempt_goes_on() {
    let server = Server::serve(|number, mut peer| {
        peer.stream();
        if number > 0 {
            peer.send("data: b\n\n");
            peer.wait_for_close();
            return;
        }
        peer.send("id: 1\ndata: a\n\ndata: ");
        loop {
            peer.send("x".repeat(LIMIT));
        }
    })
    .unwrap();
    let (seen, transcript) = transcript();
    let rx =
        client().connect("runaway", request(&server).on_error(move |error| seen.send(error.clone()).unwrap())).unwrap();
    assert_eq!([next_data(&rx), next_data(&rx)], ["a", "b"]);
    let stats = rx.handle().stats();
    assert_eq!((stats.oversized, stats.attempts), (1, 2));
    stop(&rx);
    // Once for the event that is skipped, once for the attempt that fails.
    let told = rest(&transcript);
    let [
        Error::EventTooLarge { limit: LIMIT, is_runaway: false },
        runaway @ Error::EventTooLarge { limit: LIMIT, is_runaway: true },
    ] = &told[..]
    else {
        panic!("{told:?}")
    };
    assert!(runaway.is_transient());
    assert_eq!(runaway.to_string(), "a block or line exceeds 16 times the event limit of 1000 bytes");
}

#[test]
fn a_runaway_with_an_id_is_not_met_again() {
    // The server sends what follows the id that the client names.
    let server = Server::serve(|_, mut peer| {
        let last = peer.request().header("last-event-id").map(str::to_owned);
        peer.stream();
        match last.as_deref() {
            None => peer.send("id: 1\ndata: a\n\nid: 2\ndata: "),
            Some("1") => peer.send("id: 2\ndata: "),
            Some(_) => {
                peer.send("id: 3\ndata: b\n\n");
                peer.wait_for_close();
                return;
            }
        }
        loop {
            peer.send("x".repeat(LIMIT));
        }
    })
    .unwrap();
    let rx = client().connect("passed", request(&server)).unwrap();
    assert_eq!([next_data(&rx), next_data(&rx)], ["a", "b"]);
    assert_eq!(rx.handle().stats().attempts, 2);
    stop(&rx);
}

#[test]
fn a_runaway_comment_is_no_event_and_fails_the_attempt_alone() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send(":");
        loop {
            peer.send("x".repeat(LIMIT));
        }
    })
    .unwrap();
    let (seen, transcript) = transcript();
    let request = request(&server).retry(RetryPolicy::never()).on_error(move |error| seen.send(error.clone()).unwrap());
    let rx = client().connect("comment", request).unwrap();
    assert!(matches!(terminal_error(&rx), Error::EventTooLarge { limit: LIMIT, is_runaway: true }));
    assert_eq!(rx.handle().stats().oversized, 0);
    assert_eq!(rest(&transcript).len(), 1);
}

#[test]
fn a_reader_skips_as_a_thread_does() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send(format!("{}data: b\n\n", large("1")));
        peer.end();
    })
    .unwrap();
    let mut reader = client().read("reader", request(&server).retry(RetryPolicy::never())).unwrap();
    let event = reader.next().unwrap().unwrap();
    assert_eq!((event.data(), event.id()), ("b", Some("1")));
    assert!(reader.next().is_none());
    assert_eq!(reader.handle().stats().oversized, 1);
}

#[test]
fn a_panic_while_a_skipped_event_is_reported_is_terminal() {
    let server = Server::start().unwrap();
    let rx = client().connect("panics", request(&server).on_error(|_| panic!("on purpose"))).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send(large("1"));
    assert!(matches!(terminal_error(&rx), Error::Panicked(PanicOrigin::Callback)));
    assert!(rx.handle().join_timeout(deadline()));
}

#[test]
fn a_limit_of_zero_is_refused() {
    let request = Request::get("http://127.0.0.1:9/").max_event_size(0);
    assert!(matches!(client().connect("zero", request), Err(Error::InvalidRequest(_))));
}

#[test]
fn neither_a_line_nor_an_event_grows_without_limit() {
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
