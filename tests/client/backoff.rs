//! When the next attempt is made: rates, the server's wishes, limits, and the timers of a stream.

use std::time::{Duration, Instant};

use http_sse::testing::{Peer, Server};
use http_sse::{End, Error, Request, RetryPolicy};
use support::transcript::{assert_ended, client, next_data, quick, rest, stop, terminal_error, transcript};
use support::{deadline, wait_until, waiting_for};

const HOUR: Duration = Duration::from_secs(3600);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A wait that only something else than its own end can cut short within a test.
fn slow() -> RetryPolicy {
    RetryPolicy::constant(HOUR)
}

fn request(server: &Server, policy: RetryPolicy) -> Request {
    Request::get(server.url("/events")).retry(policy)
}

/// Lets a client come back for 2 s, and compares how often it came with waits of 50, 100, 200, 200 … ms.
#[track_caller]
fn assert_rate(id: &str, script: fn(Peer)) {
    let server = Server::serve(move |_, peer| script(peer)).unwrap();
    let policy = RetryPolicy::exponential(ms(50), ms(200)).jitter(0.0).max_retries(None);
    let start = Instant::now();
    let handle = client().listen(id, request(&server, policy)).unwrap();
    assert!(!handle.join_timeout(Duration::from_secs(2)));
    let attempts = u128::from(handle.stats().attempts);
    let max = 3 + start.elapsed().saturating_sub(ms(150)).as_millis() / 200;
    // It did come back; how often within 2 s, a busy machine decides.
    assert!((2..=max).contains(&attempts), "{attempts} attempts, allowed are {max}");
    handle.stop();
    assert!(handle.join_timeout(deadline()));
}

#[test]
fn a_server_that_accepts_and_closes_is_not_hammered() {
    assert_rate("accept, close", Peer::close_abruptly);
}

#[test]
fn a_server_that_accepts_and_resets_is_not_hammered() {
    assert_rate("accept, reset", Peer::reset);
}

#[test]
fn a_server_that_opens_a_stream_and_ends_it_is_not_hammered() {
    assert_rate("open, end", |mut peer| {
        peer.stream();
        peer.send(": welcome\n\n");
        peer.end();
    });
}

#[test]
fn a_server_that_opens_a_stream_and_resets_it_is_not_hammered() {
    assert_rate("open, reset", |mut peer| {
        peer.stream();
        peer.reset();
    });
}

#[test]
fn a_server_that_sends_one_event_and_ends_is_asked_again_after_the_base_delay() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("data: a\n\n");
        peer.end();
    })
    .unwrap();
    let start = Instant::now();
    let handle = client().listen("one event", request(&server, RetryPolicy::constant(ms(100)))).unwrap();
    assert!(!handle.join_timeout(Duration::from_secs(1)));
    let (attempts, max) = (u128::from(handle.stats().attempts), 1 + start.elapsed().as_millis() / 100);
    assert!((2..=max).contains(&attempts), "{attempts} attempts, allowed are {max}");
    handle.stop();
}

#[test]
fn a_row_of_failures_doubles_the_wait() {
    let server = Server::serve(|_, mut peer| peer.respond(503, &[], "")).unwrap();
    let policy = RetryPolicy::exponential(ms(20), HOUR).jitter(0.0).max_retries(5);
    let start = Instant::now();
    let rx = client().connect("doubles", request(&server, policy)).unwrap();
    assert_eq!(terminal_error(&rx).status(), Some(503));
    assert!(start.elapsed() >= ms(20 + 40 + 80 + 160 + 320), "{:?}", start.elapsed());
}

#[test]
fn connections_that_are_cut_together_come_back_spread_out() {
    let server = Server::serve(|_, mut peer| peer.respond(503, &[], "")).unwrap();
    let (client, policy) = (client(), slow().jitter(1.0));
    let handles: Vec<_> =
        (0..8).map(|id| client.listen(id.to_string(), request(&server, policy.clone())).unwrap()).collect();
    let mut minutes: Vec<_> = handles.iter().map(|handle| waiting_for(handle).as_secs() / 60).collect();
    assert!(minutes.iter().all(|minutes| (59..=120).contains(minutes)), "{minutes:?}");
    minutes.sort_unstable();
    minutes.dedup();
    assert!(minutes.len() >= 3, "{minutes:?}");
    assert!(client.shutdown(deadline()));
}

#[test]
fn the_servers_retry_time_replaces_the_base_for_the_connections_life() {
    let server = Server::start().unwrap();
    let policy = slow().server_delay(Duration::ZERO..=HOUR);
    let rx = client().connect("retry", request(&server, policy)).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send("retry: 150\ndata: a\n\n");
    let start = Instant::now();
    peer.end();
    let mut peer = server.accept();
    assert!(start.elapsed() >= ms(150), "{:?}", start.elapsed());
    peer.stream();
    peer.send("data: b\n\n");
    peer.reset();
    server.accept();
    assert_eq!(next_data(&rx), "a");
    rx.handle().stop();
    // A reset may overtake the event before it.
    assert!(rest(&rx).len() <= 1);
}

#[test]
fn a_retry_time_counts_at_the_end_of_its_line() {
    let server = Server::start().unwrap();
    let policy = slow().server_delay(Duration::ZERO..=HOUR);
    let rx = client().connect("line", request(&server, policy)).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send("retry: 10\n");
    peer.close_abruptly();
    server.accept();
    stop(&rx);
}

#[test]
fn a_retry_time_is_clamped_from_below() {
    let server = Server::start().unwrap();
    let policy = slow().server_delay(ms(300)..=HOUR);
    let rx = client().connect("below", request(&server, policy)).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send("retry: 0\ndata: a\n\n");
    assert_eq!(next_data(&rx), "a");
    let start = Instant::now();
    peer.end();
    server.accept();
    assert!(start.elapsed() >= ms(300), "{:?}", start.elapsed());
    stop(&rx);
}

#[test]
fn a_retry_time_is_clamped_from_above() {
    let server = Server::start().unwrap();
    let policy = slow().server_delay(Duration::ZERO..=ms(20));
    let rx = client().connect("above", request(&server, policy)).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send("retry: 3600000\ndata: a\n\n");
    peer.end();
    server.accept();
    assert_eq!(next_data(&rx), "a");
    stop(&rx);
}

#[test]
fn a_retry_time_that_is_no_number_is_ignored() {
    let server = Server::start().unwrap();
    let rx = client().connect("nonsense", request(&server, slow())).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send("retry: 1s\nretry:\nretry: -1\nretry: +1\ndata: a\n\n");
    peer.end();
    assert_eq!(next_data(&rx), "a");
    assert!(waiting_for(&rx.handle()) > HOUR / 2);
    stop(&rx);
}

#[test]
fn retry_after_is_a_lower_bound() {
    let server = Server::start().unwrap();
    let rx = client().connect("retry-after", request(&server, quick())).unwrap();
    for status in [503, 429] {
        let start = Instant::now();
        server.accept().respond(status, &[("Retry-After", "1")], "");
        wait_until(|| server.connections() == if status == 503 { 2 } else { 3 });
        assert!(start.elapsed() >= Duration::from_secs(1), "{status}: {:?}", start.elapsed());
    }
    stop(&rx);
}

#[test]
fn retry_after_as_a_date_counts_from_the_date_of_the_response() {
    let server = Server::start().unwrap();
    let rx = client().connect("date", request(&server, quick())).unwrap();
    let headers = [("Date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("Retry-After", "Sun, 06 Nov 1994 08:59:37 GMT")];
    server.accept().respond(503, &headers, "");
    let wait = waiting_for(&rx.handle());
    assert!((Duration::from_secs(500)..=Duration::from_secs(601)).contains(&wait), "{wait:?}");
    stop(&rx);
}

#[test]
fn retry_after_never_shortens_the_wait() {
    let server = Server::start().unwrap();
    let rx = client().connect("zero", request(&server, slow())).unwrap();
    server.accept().respond(503, &[("Retry-After", "0")], "");
    assert!(waiting_for(&rx.handle()) > HOUR / 2);
    stop(&rx);
}

#[test]
fn the_last_failure_itself_is_what_it_gives_up_with() {
    let server =
        Server::serve(|number, mut peer| peer.respond([503, 500, 502][number], &[], number.to_string())).unwrap();
    let (seen, transcript) = transcript();
    let request =
        request(&server, quick().max_retries(2)).on_error(move |error| seen.send(error.status().unwrap()).unwrap());
    let rx = client().connect("last", request).unwrap();
    let error = terminal_error(&rx);
    assert_eq!((error.status(), error.body()), (Some(502), Some("2")));
    assert_eq!(rest(&transcript), [503, 500, 502]);
    assert_eq!((server.connections(), rx.handle().stats().attempts), (3, 3));
}

#[test]
fn without_retries_the_first_failure_is_terminal() {
    for policy in [RetryPolicy::never(), quick().max_retries(0)] {
        let server = Server::serve(|_, mut peer| peer.respond(503, &[], "")).unwrap();
        let rx = client().connect("first", request(&server, policy)).unwrap();
        assert_eq!(terminal_error(&rx).status(), Some(503));
        assert_eq!(server.connections(), 1);
    }
}

#[test]
fn a_stream_that_delivered_and_lived_starts_the_count_again() {
    let server = Server::serve(|number, mut peer| match number {
        2 => {
            peer.stream();
            peer.send("data: a\n\n");
            // Twenty times the base delay: the time itself is the subject.
            peer.pause(ms(200));
            peer.close_abruptly();
        }
        _ => peer.respond(503, &[], ""),
    })
    .unwrap();
    let rx = client().connect("again", request(&server, quick().max_retries(2))).unwrap();
    assert_eq!(next_data(&rx), "a");
    assert_eq!(terminal_error(&rx).status(), Some(503));
    assert_eq!(server.connections(), 5);
}

#[test]
fn max_elapsed_ends_a_long_row_of_failures() {
    let server = Server::serve(|_, mut peer| peer.respond(503, &[], "")).unwrap();
    let start = Instant::now();
    let rx = client().connect("elapsed", request(&server, quick().max_elapsed(ms(100)))).unwrap();
    assert_eq!(terminal_error(&rx).status(), Some(503));
    assert!(start.elapsed() < deadline() && server.connections() > 1);
}

#[test]
fn max_elapsed_gives_up_as_soon_as_the_next_wait_would_end_too_late() {
    let server = Server::serve(|_, mut peer| peer.respond(503, &[("Retry-After", "3600")], "")).unwrap();
    let rx = client().connect("late", request(&server, quick().max_elapsed(Duration::from_secs(30)))).unwrap();
    assert_eq!(terminal_error(&rx).retry_after(), Some(HOUR));
    assert_eq!(server.connections(), 1);
}

#[test]
fn every_response_without_an_event_is_reported_with_its_body() {
    const DOCUMENT: &str = "{\"message\": \"Internal error\"}";
    let server = Server::serve(|number, mut peer| {
        peer.stream();
        match number {
            0 => {}
            1 => peer.send("x".repeat(5000)),
            _ => peer.send(DOCUMENT),
        }
        peer.end();
    })
    .unwrap();
    let (seen, transcript) = transcript();
    let request = request(&server, quick().max_retries(3)).on_error(move |error| seen.send(error.clone()).unwrap());
    let rx = client().connect("no event", request).unwrap();
    let error = terminal_error(&rx);
    assert_eq!(error.body(), Some(DOCUMENT));
    let text = error.to_string();
    assert!(text.starts_with("the stream ended without an event") && text.contains("Internal error"), "{text}");
    let told = rest(&transcript);
    assert!(told.iter().all(|error| matches!(error, Error::NoEvent(_)) && error.is_transient()), "{told:?}");
    let bodies: Vec<_> = told.iter().map(|error| error.body().map(str::len)).collect();
    assert_eq!(bodies, [None, Some(4096), Some(DOCUMENT.len()), Some(DOCUMENT.len())]);
    assert!(told[1].to_string().len() < 400, "{}", told[1]);
    assert_eq!(rx.handle().stats().consecutive_failures, 4);
}

#[test]
fn max_retries_of_zero_is_never() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("data: a\n\n");
        peer.end();
    })
    .unwrap();
    let rx = client().connect("zero", request(&server, quick().max_retries(0))).unwrap();
    assert_eq!(next_data(&rx), "a");
    assert!(rest(&rx).is_empty());
    assert!(matches!(rx.handle().end(), Some(End::Complete)));
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_server_that_sends_one_event_and_ends_is_asked_ever_less_often() {
    assert_rate("one event, ever less", |mut peer| {
        peer.stream();
        peer.send("data: a\n\n");
        peer.end();
    });
}

#[test]
fn where_reset_after_is_set_events_do_not_start_the_count_again() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("data: a\n\n");
        // Ten times the base delay: the time itself is the subject.
        peer.pause(ms(100));
        peer.close_abruptly();
    })
    .unwrap();
    let rx = client().connect("exact", request(&server, quick().max_retries(3).reset_after(HOUR))).unwrap();
    let items = rest(&rx);
    assert_eq!((items.len(), server.connections()), (5, 4));
    assert!(matches!(items[4], Err(Error::Disconnected)));
}

#[test]
fn retry_when_may_retry_what_is_terminal_otherwise() {
    let server = Server::serve(|number, mut peer| match number {
        0 => peer.respond(404, &[], ""),
        _ => peer.respond(410, &[], ""),
    })
    .unwrap();
    let request = request(&server, quick()).retry_when(|error| error.status() == Some(404));
    let rx = client().connect("404", request).unwrap();
    assert_eq!(terminal_error(&rx).status(), Some(410));
    assert_eq!(server.connections(), 2);
}

#[test]
fn retry_when_may_refuse_what_is_transient() {
    let server = Server::serve(|_, mut peer| peer.respond(503, &[], "")).unwrap();
    let rx = client().connect("503", request(&server, quick()).retry_when(|_| false)).unwrap();
    assert_eq!(terminal_error(&rx).status(), Some(503));
    assert_eq!(server.connections(), 1);
}

#[test]
fn retry_when_does_not_lift_the_limit_of_the_policy() {
    let server = Server::serve(|_, mut peer| peer.respond(404, &[], "")).unwrap();
    let rx = client().connect("limit", request(&server, quick().max_retries(2)).retry_when(|_| true)).unwrap();
    assert_eq!(terminal_error(&rx).status(), Some(404));
    assert_eq!(server.connections(), 3);
}

#[test]
fn retry_when_is_not_asked_where_the_policy_never_retries() {
    let server = Server::serve(|_, mut peer| peer.respond(503, &[], "")).unwrap();
    let (seen, transcript) = transcript::<()>();
    let request = request(&server, RetryPolicy::never()).retry_when(move |_| seen.send(()).is_ok());
    let rx = client().connect("never", request).unwrap();
    assert_eq!(terminal_error(&rx).status(), Some(503));
    assert_ended(&transcript);
}

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
