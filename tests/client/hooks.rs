//! What a program decides and sees around an attempt, where the kinds of answers are not the subject.

use std::thread;
use std::time::Duration;

use http_sse::crossbeam_channel::{bounded, unbounded};
use http_sse::testing::Server;
use http_sse::{Client, End, Error, Request, RetryPolicy, State};

use support::transcript::{assert_ended, client, next, next_data, quick, rest, stop, terminal_error, transcript};
use support::{deadline, wait_until};

const HOUR: Duration = Duration::from_secs(3600);

/// Answers the connections with these statuses in turn, and those beyond with a stream that stays open.
fn statuses(statuses: &'static [u16]) -> Server {
    let server = Server::serve(move |number, mut peer| match statuses.get(number) {
        Some(status) => peer.respond(*status, &[], ""),
        None => {
            peer.stream();
            peer.send("data: a\n\n");
            peer.wait_for_close();
        }
    });
    server.unwrap()
}

#[test]
fn retry_when_is_asked_for_each_failure_whether_transient_or_not() {
    let server = statuses(&[503, 404, 500, 403]);
    let (sender, asked) = transcript();
    let request = Request::get(server.url("/")).retry(quick()).retry_when(move |error| {
        sender.send((error.status(), error.is_transient())).unwrap();
        true
    });
    let rx = client().connect("it", request).unwrap();
    assert_eq!(next_data(&rx), "a");
    stop(&rx);
    let status = |status, transient| (Some(status), transient);
    assert_eq!(rest(&asked), [status(503, true), status(404, false), status(500, true), status(403, false)]);
}

#[test]
fn retry_when_says_no_to_what_is_transient() {
    let server = statuses(&[503]);
    let request = Request::get(server.url("/")).retry(quick()).retry_when(|_| false);
    let rx = client().connect("it", request).unwrap();
    assert_eq!(terminal_error(&rx).status(), Some(503));
    assert_eq!(server.connections(), 1);
}

#[test]
fn retry_when_decides_about_failures_without_a_response() {
    let server = Server::serve(|number, mut peer| match number {
        0 => peer.reset(),
        1 => {
            peer.stream();
            peer.close_abruptly();
        }
        _ => peer.respond(200, &[("Content-Type", "text/plain")], ""),
    });
    let server = server.unwrap();
    let (sender, asked) = transcript();
    let request = Request::get(server.url("/")).retry(quick()).retry_when(move |error| {
        sender.send(error.clone()).unwrap();
        error.is_transient()
    });
    let rx = client().connect("it", request).unwrap();
    assert!(matches!(terminal_error(&rx), Error::ContentType(_)));
    let asked = rest(&asked);
    assert!(matches!(asked[..], [Error::Io(_), Error::Disconnected, Error::ContentType(_)]), "{asked:?}");
}

#[test]
fn retry_when_leaves_the_limits_of_the_policy_in_force() {
    let server = statuses(&[404; 9]);
    let request = Request::get(server.url("/")).retry(quick().max_retries(2)).retry_when(|_| true);
    let rx = client().connect("it", request).unwrap();
    assert_eq!(terminal_error(&rx).status(), Some(404));
    assert_eq!((server.connections(), rx.handle().stats().attempts), (3, 3));
}

#[test]
fn retry_when_is_not_asked_where_nothing_is_retried() {
    let server = statuses(&[503, 204]);
    let (sender, asked) = transcript::<()>();
    let request = Request::get(server.url("/")).retry(RetryPolicy::never()).retry_when(move |_| {
        sender.send(()).unwrap();
        true
    });
    let rx = client().connect("it", request).unwrap();
    assert_eq!(terminal_error(&rx).status(), Some(503));
    assert_ended(&asked);
}

#[test]
fn retry_when_is_asked_neither_about_a_clean_end_nor_a_stop() {
    let server = Server::serve(|number, mut peer| match number {
        0 => {
            peer.stream();
            peer.send("data: a\n\n");
            peer.end();
        }
        _ => {
            peer.stream();
            peer.send("data: b\n\n");
            peer.wait_for_close();
        }
    });
    let server = server.unwrap();
    let (sender, asked) = transcript::<String>();
    let request = Request::get(server.url("/")).retry(quick()).retry_when(move |error| {
        sender.send(error.to_string()).unwrap();
        false
    });
    let rx = client().connect("it", request).unwrap();
    assert_eq!((next_data(&rx), next_data(&rx)), ("a".into(), "b".into()));
    stop(&rx);
    assert_ended(&asked);
}

#[test]
fn retry_when_is_not_asked_about_an_invalid_value_of_before_connect() {
    let server = statuses(&[]);
    let request = Request::get(server.url("/")).retry(quick()).retry_when(|_| true);
    let rx = client().connect("it", request.before_connect(|attempt| attempt.header("a b", "c"))).unwrap();
    assert!(matches!(terminal_error(&rx), Error::InvalidRequest(_)));
    assert_eq!(server.connections(), 0);
}

#[test]
fn on_open_runs_for_every_stream_and_for_nothing_else() {
    let server = Server::serve(|number, mut peer| match number {
        0 | 2 => peer.respond(503, &[], ""),
        4 => peer.respond(204, &[], ""),
        _ => {
            peer.stream();
            peer.send("data: a\n\n");
            peer.end();
        }
    });
    let server = server.unwrap();
    let (sender, opened) = transcript();
    let request = Request::get(server.url("/")).retry(quick());
    let request = request.on_open(move |opened| sender.send((opened.status(), opened.attempt())).unwrap());
    let rx = client().connect("it", request).unwrap();
    assert_eq!(rest(&rx).len(), 2);
    assert_eq!(rest(&opened), [(200, 2), (200, 4)]);
    assert!(matches!(rx.handle().end(), Some(End::NoContent)));
}

#[test]
fn on_open_tells_the_url_that_answered_after_redirects_and_with_the_query_of_the_attempt() {
    let server = Server::serve(|_, mut peer| {
        let path = peer.request().path().to_owned();
        match path.as_str() {
            "/old?n=1" => peer.respond(302, &[("Location", "new/stream?x=%20y")], ""),
            _ => {
                peer.stream();
                peer.send("data: a\n\n");
                peer.wait_for_close();
            }
        }
    });
    let server = server.unwrap();
    let (sender, opened) = transcript();
    for (path, expected) in [("/old", "/new/stream?x=%20y"), ("/other", "/other?n=1")] {
        let sender = sender.clone();
        let request = Request::get(server.url(path))
            .before_connect(|attempt| attempt.query("n", attempt.number().to_string()))
            .on_open(move |opened| sender.send(opened.url().to_owned()).unwrap());
        let rx = client().connect("it", request).unwrap();
        assert_eq!(next_data(&rx), "a");
        stop(&rx);
        assert_eq!(next(&opened), server.url(expected));
    }
}

#[test]
fn on_open_runs_before_the_first_event_and_on_the_thread_of_the_connection() {
    let server = statuses(&[]);
    let (sender, seen) = transcript();
    let of_events = sender.clone();
    let name = || thread::current().name().unwrap_or_default().to_owned();
    let request = Request::get(server.url("/"))
        .on_open(move |_| sender.send(format!("open {}", name())).unwrap())
        .on_event(move |event| of_events.send(event.data().to_owned()).unwrap());
    let rx = client().connect("it", request).unwrap();
    assert_eq!(next_data(&rx), "a");
    stop(&rx);
    assert_eq!(rest(&seen), ["open sse-it", "a"]);
}

/// A program with a thread that is told when the network is up, and then reconnects everything.
fn on_network_up(client: &Client, network_up: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    let client = client.clone();
    thread::spawn(move || {
        network_up();
        for id in client.ids() {
            client.handle(&id).unwrap().reconnect();
        }
    })
}

#[test]
fn a_network_up_hook_cuts_the_wait_short_without_an_error() {
    let server = statuses(&[503]);
    let client = client();
    let (failures, failed) = unbounded();
    let request = Request::get(server.url("/")).retry(RetryPolicy::constant(HOUR));
    let rx = client.connect("it", request.on_error(move |error| failures.send(error.status()).unwrap())).unwrap();
    let handle = rx.handle();
    let (up, network) = bounded::<()>(0);
    let hook = on_network_up(&client, move || _ = network.recv());
    wait_until(|| handle.state() == State::Waiting);
    drop(up);
    hook.join().unwrap();
    assert_eq!(next_data(&rx), "a");
    assert_eq!((handle.stats().attempts, handle.stats().consecutive_failures), (2, 1));
    stop(&rx);
    assert_eq!(rest(&failed), [Some(503)]);
}

#[test]
fn a_network_up_hook_reaches_a_port_that_was_closed() {
    let server = Server::start().unwrap();
    server.refuse().unwrap();
    let client = client();
    let rx = client.connect("it", Request::get(server.url("/")).retry(RetryPolicy::constant(HOUR))).unwrap();
    let handle = rx.handle();
    wait_until(|| handle.state() == State::Waiting);
    server.resume().unwrap();
    on_network_up(&client, || {}).join().unwrap();
    let mut peer = server.accept();
    peer.stream();
    assert!(handle.wait_open(deadline()));
    stop(&rx);
    peer.wait_for_close();
}

#[test]
fn an_attempt_after_reconnect_has_the_next_number_and_the_last_error() {
    let server = statuses(&[503]);
    let client = client();
    let (sender, attempts) = transcript();
    let request = Request::get(server.url("/")).retry(RetryPolicy::constant(HOUR)).before_connect(move |attempt| {
        sender.send((attempt.number(), attempt.last_error().is_some())).unwrap();
    });
    let rx = client.connect("it", request).unwrap();
    wait_until(|| rx.handle().state() == State::Waiting);
    on_network_up(&client, || {}).join().unwrap();
    assert_eq!(next_data(&rx), "a");
    stop(&rx);
    assert_eq!(rest(&attempts), [(1, false), (2, true)]);
}

#[test]
fn a_204_is_never_retried_whatever_retry_when_says() {
    let server = Server::serve(|_, mut peer| peer.respond(204, &[], "")).unwrap();
    let rx = client().connect("204", Request::get(server.url("/")).retry(quick()).retry_when(|_| true)).unwrap();
    assert_ended(&rx);
    assert!(rx.handle().join_timeout(deadline()));
    assert!(matches!(rx.handle().end(), Some(End::NoContent)));
    assert_eq!(server.connections(), 1);
}
