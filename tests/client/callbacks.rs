//! When callbacks run, in which order, on which thread, and what becomes of their panics.

use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use http_sse::crossbeam_channel::{Receiver, Sender};
use http_sse::testing::Server;
use http_sse::{End, Error, Event, Handle, PanicOrigin, Request, RetryPolicy};
use support::deadline;
use support::logs::Logs;
use support::transcript::{assert_ended, client, next, next_data, quick, rest, stop, terminal_error, transcript};

/// What one stream brings to every callback of a stream: a comment, an event, and then a hold.
fn eventful() -> Server {
    Server::serve(|_, mut peer| {
        peer.stream();
        peer.send(": hello\n\ndata: a\n\n");
        peer.wait_for_close();
    })
    .unwrap()
}

fn refusing() -> Server {
    Server::serve(|_, mut peer| peer.respond(503, &[], "")).unwrap()
}

/// A request whose callbacks all write down what they see.
fn recorded(url: String, seen: &Sender<String>) -> Request {
    let [open, event, comment, error, close] = [(); 5].map(|()| seen.clone());
    Request::get(url)
        .retry(quick())
        .on_open(move |opened| open.send(format!("open {}", opened.attempt())).unwrap())
        .on_event(move |seen| event.send(format!("event {}", seen.data())).unwrap())
        .on_comment(move |text| comment.send(format!("comment{text}")).unwrap())
        .on_error(move |failure| error.send(format!("error {failure}")).unwrap())
        .on_close(move |end| close.send(format!("close {}", name(end))).unwrap())
}

fn name(end: &End) -> String {
    match end {
        End::Failed(error) => format!("failed: {error}"),
        other => format!("{other:?}"),
    }
}

#[test]
fn callbacks_run_in_stream_order_and_on_close_is_last() {
    let server = Server::serve(|number, mut peer| match number {
        0 => {
            peer.stream();
            peer.send(": one\n\ndata: a\n\n: two\ndata: b\n\n");
            peer.close_abruptly();
        }
        1 => peer.respond(503, &[], ""),
        2 => {
            peer.stream();
            peer.send("data: c\n\n");
            peer.end();
        }
        _ => peer.respond(404, &[], ""),
    })
    .unwrap();
    let (seen, transcript) = transcript();
    let handle = client().listen("order", recorded(server.url("/"), &seen)).unwrap();
    drop(seen);
    assert_eq!(
        rest(&transcript),
        [
            "open 1",
            "comment one",
            "event a",
            "comment two",
            "event b",
            "error the stream ended early",
            "error the server answered 503",
            "open 3",
            "event c",
            "error the server answered 404",
            "close failed: the server answered 404",
        ]
    );
    assert!(handle.join_timeout(deadline()));
}

#[test]
fn neither_a_clean_end_nor_a_204_is_an_error() {
    let server = Server::serve(|number, mut peer| match number {
        0 => {
            peer.stream();
            peer.send("data: a\n\n");
            peer.end();
        }
        _ => peer.respond(204, &[], ""),
    })
    .unwrap();
    let (seen, transcript) = transcript();
    client().listen("clean", recorded(server.url("/"), &seen)).unwrap();
    drop(seen);
    assert_eq!(rest(&transcript), ["open 1", "event a", "close NoContent"]);
}

#[test]
fn neither_reconnect_nor_stop_is_an_error() {
    let server = eventful();
    let (seen, transcript) = transcript();
    let handle = client().listen("asked", recorded(server.url("/"), &seen)).unwrap();
    drop(seen);
    let first: Vec<_> = (0..3).map(|_| next(&transcript)).collect();
    assert_eq!(first, ["open 1", "comment hello", "event a"]);
    handle.reconnect();
    let second: Vec<_> = (0..3).map(|_| next(&transcript)).collect();
    assert_eq!(second, ["open 2", "comment hello", "event a"]);
    handle.stop();
    assert_eq!(rest(&transcript), ["close Stopped"]);
}

#[test]
fn a_connection_that_never_opens_still_closes_once() {
    let server = Server::start().unwrap();
    let (seen, transcript) = transcript();
    let rx = client().connect("early", recorded(server.url("/"), &seen)).unwrap();
    drop(seen);
    let _silent = server.accept();
    drop(rx);
    assert_eq!(rest(&transcript), ["close Stopped"]);
}

#[test]
fn a_reader_that_is_never_asked_still_closes_once() {
    let (seen, transcript) = transcript();
    let reader = client().read("unread", recorded("http://127.0.0.1:9/".into(), &seen)).unwrap();
    drop(seen);
    drop(reader);
    assert_eq!(rest(&transcript), ["close Stopped"]);
}

#[test]
fn a_reader_closes_once_when_it_is_dropped_after_its_end() {
    let server = Server::serve(|_, mut peer| peer.respond(404, &[], "")).unwrap();
    let (seen, transcript) = transcript();
    let mut reader = client().read("read", recorded(server.url("/"), &seen)).unwrap();
    drop(seen);
    assert_eq!(reader.next().unwrap().unwrap_err().status(), Some(404));
    assert!(reader.next().is_none());
    drop(reader);
    assert_eq!(rest(&transcript), ["error the server answered 404", "close failed: the server answered 404"]);
}

#[test]
fn on_event_runs_before_the_consumer_has_the_event() {
    let server = eventful();
    let (seen, transcript) = transcript();
    let request = Request::get(server.url("/")).on_event(move |event| seen.send(event.clone()).unwrap());
    let rx = client().connect("before", request).unwrap();
    let delivered = next(&rx).unwrap();
    assert_eq!(transcript.try_recv().unwrap(), delivered);
    stop(&rx);
    assert_ended(&transcript);
}

#[test]
fn on_close_runs_between_the_terminal_error_and_the_end_of_the_channel() {
    let server = Server::start().unwrap();
    let (give, given) = transcript::<Receiver<Result<Event, Error>>>();
    let (seen, transcript) = transcript();
    let request = Request::get(server.url("/")).on_close(move |_| {
        let rx = given.recv_timeout(deadline()).unwrap();
        let queued = rx.recv_timeout(deadline()).unwrap().unwrap_err().status();
        seen.send((queued, rx.try_recv().unwrap_err().is_empty())).unwrap();
    });
    let rx = client().connect("between", request).unwrap();
    give.send(rx.clone()).unwrap();
    server.accept().respond(404, &[], "");
    assert_eq!(next(&transcript), (Some(404), true));
    assert_ended(&rx);
    assert_ended(&transcript);
}

#[test]
fn on_error_runs_before_the_wait_and_before_the_terminal_error() {
    let server = refusing();
    let (seen, transcript) = transcript();
    let request = Request::get(server.url("/"))
        .retry(RetryPolicy::constant(Duration::from_millis(20)).max_retries(1))
        .on_error(move |error| seen.send(error.status()).unwrap());
    let rx = client().connect("before err", request).unwrap();
    assert_eq!(next(&transcript), Some(503));
    assert_eq!(terminal_error(&rx).status(), Some(503));
    assert_eq!(transcript.try_recv().unwrap(), Some(503));
    assert_ended(&transcript);
}

#[test]
fn callbacks_run_on_the_thread_that_is_named_after_the_connection() {
    let server = eventful();
    let (seen, transcript) = transcript();
    let request = Request::get(server.url("/"))
        .on_event(move |_| seen.send(thread::current().name().map(str::to_owned)).unwrap());
    let rx = client().connect("named", request).unwrap();
    assert_eq!(next(&transcript).as_deref(), Some("sse-named"));
    assert_eq!(next_data(&rx), "a");
    stop(&rx);
}

#[test]
fn callbacks_of_a_reader_run_on_the_callers_thread() {
    let server = eventful();
    let (seen, transcript) = transcript();
    let close = seen.clone();
    let request = Request::get(server.url("/"))
        .on_event(move |_| seen.send(thread::current().id()).unwrap())
        .on_close(move |_| close.send(thread::current().id()).unwrap());
    let mut reader = client().read("caller", request).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().data(), "a");
    drop(reader);
    assert_eq!(rest(&transcript), [thread::current().id(); 2]);
}

#[test]
fn a_callback_may_stop_its_own_connection() {
    let server = eventful();
    let own: Arc<OnceLock<Handle>> = Arc::default();
    let (ready, is_ready) = transcript::<()>();
    let inside = Arc::clone(&own);
    let request = Request::get(server.url("/")).retry(quick()).on_event(move |_| {
        next(&is_ready);
        let handle = inside.get().unwrap();
        handle.stop();
        assert!(!handle.join_timeout(Duration::MAX));
    });
    let rx = client().connect("suicide", request).unwrap();
    own.set(rx.handle()).unwrap();
    ready.send(()).unwrap();
    rest(&rx).into_iter().for_each(|item| assert_eq!(item.unwrap().data(), "a"));
    assert!(rx.handle().join_timeout(deadline()));
    assert!(matches!(rx.handle().end(), Some(End::Stopped)));
}

/// Runs a request one of whose callbacks panics; returns the data that came before the terminal error.
#[track_caller]
fn assert_panic_is_terminal(id: &str, request: Request) -> Vec<String> {
    let (seen, transcript) = transcript();
    let request = request.on_close(move |end| seen.send(name(end)).unwrap());
    let rx = client().connect(id, request).unwrap();
    let mut items = rest(&rx);
    let last = items.pop().unwrap();
    assert!(matches!(last, Err(Error::Panicked(PanicOrigin::Callback))), "{last:?}");
    let data = items.into_iter().map(|item| item.unwrap().into_data()).collect();
    assert!(matches!(rx.handle().end(), Some(End::Failed(Error::Panicked(PanicOrigin::Callback)))));
    assert_eq!(rest(&transcript), ["failed: a callback panicked"]);
    assert!(rx.handle().join_timeout(deadline()));
    data
}

#[test]
fn a_panic_in_on_open_is_the_last_item() {
    let server = eventful();
    let request = Request::get(server.url("/")).retry(quick()).on_open(|_| panic!("on purpose"));
    assert!(assert_panic_is_terminal("on_open", request).is_empty());
}

#[test]
fn a_panic_in_on_event_comes_after_the_events_before_it() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("data: a\n\ndata: b\n\ndata: c\n\n");
        peer.wait_for_close();
    })
    .unwrap();
    let request = Request::get(server.url("/")).retry(quick()).on_event(|event| assert_ne!(event.data(), "b"));
    assert_eq!(assert_panic_is_terminal("on_event", request), ["a"]);
}

#[test]
fn a_panic_in_on_comment_is_the_last_item() {
    let server = eventful();
    let request = Request::get(server.url("/")).retry(quick()).on_comment(|_| panic!("on purpose"));
    assert!(assert_panic_is_terminal("on_comment", request).is_empty());
}

#[test]
fn a_panic_in_on_error_ends_a_connection_that_would_retry() {
    let server = refusing();
    let request = Request::get(server.url("/")).retry(quick()).on_error(|_| panic!("on purpose"));
    assert!(assert_panic_is_terminal("on_error", request).is_empty());
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_panic_in_on_error_of_a_terminal_failure_leaves_one_error() {
    let server = refusing();
    let request = Request::get(server.url("/")).retry(RetryPolicy::never()).on_error(|_| panic!("on purpose"));
    assert!(assert_panic_is_terminal("on_error, terminal", request).is_empty());
}

#[test]
fn a_panic_in_before_connect_is_the_last_item() {
    let request = Request::get("http://127.0.0.1:9/").retry(quick()).before_connect(|_| panic!("on purpose"));
    assert!(assert_panic_is_terminal("before_connect", request).is_empty());
}

#[test]
fn a_panic_in_retry_when_is_the_last_item() {
    let server = refusing();
    let request = Request::get(server.url("/")).retry(quick()).retry_when(|_| panic!("on purpose"));
    assert!(assert_panic_is_terminal("retry_when", request).is_empty());
}

#[test]
fn a_panic_is_reported_to_on_error_once() {
    let server = eventful();
    let (seen, transcript) = transcript();
    let request = Request::get(server.url("/"))
        .on_event(|_| panic!("on purpose"))
        .on_error(move |error| seen.send(error.to_string()).unwrap());
    assert!(assert_panic_is_terminal("told", request).is_empty());
    assert_eq!(rest(&transcript), ["a callback panicked"]);
}

#[test]
fn a_reader_contains_panics_too() {
    let server = eventful();
    let request = Request::get(server.url("/")).on_event(|_| panic!("on purpose"));
    let mut reader = client().read("contained", request).unwrap();
    assert!(matches!(reader.next(), Some(Err(Error::Panicked(PanicOrigin::Callback)))));
    assert!(reader.next().is_none());
}

#[test]
fn a_panic_in_on_close_after_a_terminal_error_adds_no_second_one() {
    let server = Server::serve(|_, mut peer| peer.respond(404, &[], "")).unwrap();
    let logs = Logs::of("panics late");
    let request = Request::get(server.url("/")).on_close(|_| panic!("on purpose"));
    let rx = client().connect("panics late", request).unwrap();
    assert_eq!(terminal_error(&rx).status(), Some(404));
    assert!(rx.handle().join_timeout(deadline()));
    assert!(matches!(rx.handle().end(), Some(End::Failed(Error::Status(_)))));
    logs.wait_for(|line| line.level == log::Level::Warn && line.message.contains("on_close panicked"));
}

#[test]
fn a_panic_in_on_close_after_a_clean_end_is_only_logged() {
    let server = Server::serve(|_, mut peer| peer.respond(204, &[], "")).unwrap();
    let logs = Logs::of("panics quietly");
    let request = Request::get(server.url("/")).on_close(|_| panic!("on purpose"));
    let rx = client().connect("panics quietly", request).unwrap();
    assert_ended(&rx);
    assert!(rx.handle().join_timeout(deadline()));
    assert!(matches!(rx.handle().end(), Some(End::NoContent)));
    logs.wait_for(|line| line.level == log::Level::Warn && line.message.contains("on_close panicked"));
}

#[test]
fn join_inside_a_callback_panics_instead_of_waiting_for_itself() {
    let server = eventful();
    let own: Arc<OnceLock<Handle>> = Arc::default();
    let (ready, is_ready) = transcript::<()>();
    let inside = Arc::clone(&own);
    let request = Request::get(server.url("/")).on_event(move |_| {
        next(&is_ready);
        inside.get().unwrap().join();
    });
    let rx = client().connect("join", request).unwrap();
    own.set(rx.handle()).unwrap();
    ready.send(()).unwrap();
    assert!(matches!(terminal_error(&rx), Error::Panicked(PanicOrigin::Callback)));
}
