//! Panics where one does not look for them: in a payload or a captured value that is dropped, in a logger, in an error.
//! Each ends its connection, and nothing else.

use std::panic::panic_any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fmt, thread};

use http_sse::crossbeam_channel::{Receiver, Sender};
use http_sse::testing::Server;
use http_sse::{End, Error, Event, Handle, PanicOrigin, Request, RetryPolicy};
use log::Level;

use support::transcript::{client, next, quick, rest, transcript};
use support::{deadline, logs};

/// Panics when it is dropped, unless something else is panicking: two at once abort.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(thread::panicking(), "on purpose, when dropped");
    }
}

impl Bomb {
    /// Does nothing, but is captured by a closure that calls it.
    fn touch(&self) {}
}

/// A stream with a comment and an event, and then a hold.
fn eventful() -> Server {
    Server::serve_concurrently(|_, mut peer| {
        peer.stream();
        peer.send(": hello\n\ndata: a\n\n");
        peer.wait_for_close();
    })
    .unwrap()
}

fn answering(status: u16) -> Server {
    Server::serve_concurrently(move |_, mut peer| peer.respond(status, &[], "")).unwrap()
}

/// What came of a connection: its items, failures as their text, and how `on_close` saw its end.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    items: Vec<String>,
    closed: Vec<String>,
}

fn text(item: Result<Event, Error>) -> String {
    item.map_or_else(|error| error.to_string(), Event::into_data)
}

fn name(end: &End) -> String {
    match end {
        End::Failed(error) => format!("failed: {error}"),
        end => format!("{end:?}"),
    }
}

/// Runs the request in every way, and returns what came of it, which must be the same in each.
#[track_caller]
fn outcome(id: &str, request: impl Fn() -> Request) -> Outcome {
    let observed = || {
        let (closed, ends) = transcript();
        (request().on_close(move |end| closed.send(name(end)).unwrap()), ends)
    };
    let check = |handle: &Handle, ends: &Receiver<String>, items: Vec<String>| {
        assert!(handle.join_timeout(deadline()), "{handle:?}");
        let closed = rest(ends);
        assert_eq!(handle.end().as_ref().map(name), closed.first().cloned());
        Outcome { items, closed }
    };

    let (connected, ends) = observed();
    let events = client().connect(id, connected).unwrap();
    let items = rest(&events).into_iter().map(text).collect();
    let first = check(&events.handle(), &ends, items);

    let (read, ends) = observed();
    let mut reader = client().read(id, read).unwrap();
    let handle = reader.handle();
    let items = reader.by_ref().map(text).collect();
    drop(reader);
    assert_eq!(check(&handle, &ends, items), first);

    let (read, ends) = observed();
    let mut reader = client().read(id, read).unwrap();
    let handle = reader.handle();
    let mut items = Vec::new();
    while let Ok(item) = reader.next_timeout(deadline()) {
        let is_last = item.is_err();
        items.push(text(item));
        if is_last {
            break;
        }
    }
    drop(reader);
    assert_eq!(check(&handle, &ends, items), first);

    let (listened, ends) = observed();
    let handle = client().listen(id, listened).unwrap();
    assert_eq!(check(&handle, &ends, first.items.clone()), first);
    first
}

#[track_caller]
fn assert_ends_with(outcome: &Outcome, origin: PanicOrigin) {
    let panicked = Error::Panicked(origin).to_string();
    assert_eq!(outcome.items.last(), Some(&panicked));
    assert_eq!(outcome.closed, [format!("failed: {panicked}")]);
}

#[test]
fn a_payload_that_panics_when_it_is_dropped_is_one_panic() {
    let (stream, busy) = (eventful(), answering(503));
    let get = |server: &Server| Request::get(server.url("/")).retry(quick());
    for (id, request) in [
        ("on_open", &(|| get(&stream).on_open(|_| panic_any(Bomb))) as &dyn Fn() -> Request),
        ("on_bytes", &|| get(&stream).on_bytes(|_| panic_any(Bomb))),
        ("on_event", &|| get(&stream).on_event(|_| panic_any(Bomb))),
        ("on_comment", &|| get(&stream).on_comment(|_| panic_any(Bomb))),
        ("until", &|| get(&stream).until(|_| panic_any(Bomb))),
        ("on_error", &|| get(&busy).on_error(|_| panic_any(Bomb))),
        ("retry_when", &|| get(&busy).retry_when(|_| panic_any(Bomb))),
        ("before_connect", &|| get(&busy).before_connect(|_| panic_any(Bomb))),
    ] {
        assert_ends_with(&outcome(id, request), PanicOrigin::Callback);
    }
}

#[test]
fn captured_values_that_panic_when_they_are_dropped_end_the_connection_with_a_panic() {
    let server = answering(204);
    let request = || {
        let bombs = [Bomb, Bomb, Bomb];
        let [first, second, third] = bombs;
        let request = Request::get(server.url("/")).on_event(move |_| first.touch()).on_error(move |_| second.touch());
        request.before_connect(move |_| third.touch())
    };
    assert_ends_with(&outcome("captured", request), PanicOrigin::Callback);
}

#[test]
fn a_failure_stays_the_end_whatever_a_captured_value_does() {
    let server = answering(404);
    let request = || {
        let bomb = Bomb;
        Request::get(server.url("/")).on_event(move |_| bomb.touch())
    };
    let expected = "the server answered 404".to_owned();
    let seen = outcome("captured, failed", request);
    assert_eq!(seen, Outcome { closed: vec![format!("failed: {expected}")], items: vec![expected] });
}

#[test]
fn a_stop_stays_the_end_whatever_a_captured_value_does() {
    let server = eventful();
    let request = |closed: Sender<String>| {
        let bomb = Bomb;
        let request = Request::get(server.url("/")).on_comment(move |_| bomb.touch());
        request.on_close(move |end| closed.send(name(end)).unwrap())
    };
    let (closed, ends) = transcript();
    let events = client().connect("captured, stopped", request(closed.clone())).unwrap();
    next(&events).unwrap();
    support::transcript::stop(&events);
    let reader = client().read("captured, unread", request(closed.clone())).unwrap();
    drop(reader);
    let mut reader = client().read("captured, left", request(closed)).unwrap();
    reader.next().unwrap().unwrap();
    drop(reader);
    assert_eq!(rest(&ends), ["Stopped"; 3]);
}

#[test]
fn what_on_close_captured_or_threw_is_contained() {
    let server = answering(204);
    for is_thrown in [false, true] {
        let bomb = Bomb;
        let request = Request::get(server.url("/")).on_close(move |_| {
            bomb.touch();
            if is_thrown {
                std::mem::forget(bomb);
                panic_any(Bomb);
            }
        });
        let events = client().connect("closing", request).unwrap();
        assert!(rest(&events).is_empty());
        assert!(events.handle().join_timeout(deadline()));
        assert!(matches!(events.handle().end(), Some(End::NoContent)));
    }
}

/// An error that cannot be shown, and not be dropped.
#[derive(Debug)]
struct Unspeakable(#[allow(dead_code, reason = "it is dropped")] Option<BombInside>);

#[derive(Debug)]
struct BombInside;

static DROPPED: AtomicUsize = AtomicUsize::new(0);

impl Drop for BombInside {
    fn drop(&mut self) {
        // The first that may.
        if !thread::panicking() && DROPPED.fetch_add(1, Ordering::SeqCst) == 0 {
            panic_any(Bomb);
        }
    }
}

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic_any(Bomb)
    }
}

impl std::error::Error for Unspeakable {}

#[test]
fn an_error_of_before_connect_that_panics_ends_the_connection() {
    install();
    let request = || {
        let request = Request::get("http://127.0.0.1:9/").retry(quick());
        request.before_connect(|attempt| attempt.fail(Unspeakable(Some(BombInside))))
    };
    assert_ends_with(&outcome("unspeakable", request), PanicOrigin::Library);
}

/// Panics at the lines of connections whose id names their level.
fn install() {
    logs::listen(|level, message| {
        if message.contains(&format!("explodes at {level} ")) || message.contains("/explodes ") {
            panic_any(Bomb);
        }
    });
}

#[test]
fn a_logger_that_panics_ends_the_connection_and_nothing_else() {
    install();
    let (stream, busy) = (eventful(), answering(503));
    for level in [Level::Trace, Level::Debug] {
        let id = format!("explodes at {level} ");
        let seen = outcome(&id, || Request::get(stream.url("/")).retry(quick()));
        assert_ends_with(&seen, PanicOrigin::Library);
    }
    let id = format!("explodes at {} ", Level::Warn);
    let seen = outcome(&id, || Request::get(busy.url("/")).retry(quick()));
    assert_ends_with(&seen, PanicOrigin::Library);
    let id = format!("explodes at {} when it gives up", Level::Warn);
    let seen = outcome(&id, || Request::get(busy.url("/")).retry(RetryPolicy::never()));
    assert_ends_with(&seen, PanicOrigin::Library);
}

/// Explodes where the attempt is opened, on a thread of its own if the caller has a deadline.
#[test]
fn a_logger_that_panics_in_an_attempt_ends_the_connection_and_nothing_else() {
    install();
    let stream = eventful();
    let (told, errors) = transcript();
    let seen = outcome("in the attempt", || {
        let told = told.clone();
        Request::get(stream.url("/explodes"))
            .retry(quick())
            .on_error(move |error| told.send(matches!(error, Error::Panicked(PanicOrigin::Library))).unwrap())
    });
    drop(told);
    assert_ends_with(&seen, PanicOrigin::Library);
    assert_eq!(rest(&errors), [true; 4]);
}
