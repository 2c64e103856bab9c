//! The timers of an attempt and of an open stream.

use std::time::{Duration, Instant};

use http_sse::testing::Server;
use http_sse::{End, Error, Request, RetryPolicy, Timeout};
use support::black_hole::BlackHole;
use support::deadline;
use support::transcript::{client, next, next_data, next_event, quick, rest, stop, terminal_error, transcript};

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn once(server: &Server) -> Request {
    Request::get(server.url("/events")).retry(RetryPolicy::never())
}

#[test]
fn a_silent_stream_times_out_and_resumes_after_its_last_event() {
    let server = Server::start().unwrap();
    let (seen, transcript) = transcript();
    let request = Request::get(server.url("/"))
        .retry(quick())
        .idle_timeout(ms(200))
        .on_error(move |error| seen.send(error.clone()).unwrap());
    let rx = client().connect("silent", request).unwrap();
    let mut silent = server.accept();
    silent.stream();
    let start = Instant::now();
    silent.send("id: 1\ndata: a\n\n");
    let error = next(&transcript);
    assert!(matches!(error, Error::Timeout(Timeout::Idle)) && error.is_timeout() && error.is_transient(), "{error:?}");
    assert!(start.elapsed() >= ms(200), "{:?}", start.elapsed());
    let mut peer = server.accept();
    assert_eq!(peer.request().header("last-event-id"), Some("1"));
    peer.stream();
    peer.send("id: 2\ndata: b\n\n");
    assert_eq!(next_event(&rx).id(), Some("1"));
    assert_eq!(next_event(&rx).id(), Some("2"));
    stop(&rx);
    assert!(silent.is_closed_within(deadline()));
}

#[test]
fn a_silent_one_shot_stream_ends_with_the_timeout() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("data: a\n\n");
        peer.wait_for_close();
    })
    .unwrap();
    let rx = client().connect("one-shot", once(&server).idle_timeout(ms(100))).unwrap();
    assert_eq!(next_data(&rx), "a");
    assert!(matches!(terminal_error(&rx), Error::Timeout(Timeout::Idle)));
}

#[test]
fn comments_keep_a_stream_alive() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        for _ in 0..15 {
            peer.pause(ms(100));
            peer.send(":\n");
        }
        peer.send("data: a\n\n");
        peer.end();
    })
    .unwrap();
    let rx = client().connect("alive", once(&server).idle_timeout(ms(1000))).unwrap();
    assert_eq!(next_data(&rx), "a");
    assert!(rest(&rx).is_empty());
    assert!(matches!(rx.handle().end(), Some(End::Complete)));
    assert_eq!(rx.handle().stats().comments, 15);
}

#[test]
fn a_consumer_that_is_slower_than_the_idle_timeout_loses_nothing() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("data: a\n\ndata: b\n\ndata: c\n\n");
        peer.end();
    })
    .unwrap();
    let rx = client().connect("slow", once(&server).capacity(1).idle_timeout(ms(50))).unwrap();
    // Not a wait for anything: the consumer is busy for longer than the timeout.
    assert!(!rx.handle().join_timeout(ms(300)));
    assert_eq!([next_data(&rx), next_data(&rx), next_data(&rx)], ["a", "b", "c"]);
    assert!(rest(&rx).is_empty());
}

#[test]
fn a_server_that_never_answers_times_out_and_is_asked_again() {
    let server = Server::start().unwrap();
    let (seen, transcript) = transcript();
    let request = Request::get(server.url("/"))
        .retry(quick())
        .response_timeout(ms(100))
        .on_error(move |error| seen.send(error.clone()).unwrap());
    let rx = client().connect("mute", request).unwrap();
    let mut mute = server.accept();
    mute.request();
    assert!(matches!(next(&transcript), Error::Timeout(Timeout::Response)));
    assert!(mute.is_closed_within(deadline()));
    server.accept();
    stop(&rx);
}

#[test]
fn a_head_may_take_as_long_as_the_stream_may_be_silent() {
    let mute = || {
        Server::serve(|_, mut peer| {
            peer.request();
            peer.wait_for_close();
        })
        .unwrap()
    };
    let (server, patient) = (mute(), mute());
    let rx = client().connect("idle", once(&server).idle_timeout(ms(100))).unwrap();
    assert!(matches!(terminal_error(&rx), Error::Timeout(Timeout::Response)));
    // What is set is the only limit.
    let request = once(&patient).idle_timeout(ms(100)).response_timeout(None);
    let rx = client().connect("set", request).unwrap();
    assert!(!rx.handle().join_timeout(ms(500)));
    stop(&rx);
}

#[test]
fn a_head_that_comes_with_the_first_event_after_a_long_silence_is_waited_for() {
    let server = Server::serve(|_, mut peer| {
        peer.request();
        peer.pause(ms(600));
        peer.stream();
        peer.send("data: a\n\n");
        peer.end();
    })
    .unwrap();
    let rx = client().connect("late", once(&server).connect_timeout(ms(300)).idle_timeout(None)).unwrap();
    assert_eq!(next_data(&rx), "a");
    assert!(rest(&rx).is_empty());
}

#[test]
fn no_wait_grows_where_the_head_does_not_come_in_time_and_the_error_names_the_causes() {
    let server = Server::serve(|_, mut peer| {
        peer.request();
        peer.wait_for_close();
    })
    .unwrap();
    let policy = RetryPolicy::exponential(ms(20), Duration::from_secs(3600)).jitter(0.0).max_retries(9);
    let request = Request::get(server.url("/")).retry(policy).response_timeout(ms(20));
    let start = Instant::now();
    let rx = client().connect("mute", request).unwrap();
    let error = terminal_error(&rx);
    // Ten attempts of some 20 ms, with waits between them that would add up to 10 s.
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    assert!(error.to_string().contains("with the first event"), "{error}");
}

#[test]
fn a_head_that_drips_does_not_extend_the_response_timeout() {
    let server = Server::serve(|_, mut peer| {
        peer.request();
        peer.raw("HTTP/1.1 200 OK\r\n");
        loop {
            peer.pause(ms(20));
            peer.raw("X: y\r\n");
        }
    })
    .unwrap();
    let start = Instant::now();
    let rx = client().connect("drips", once(&server).response_timeout(ms(200))).unwrap();
    assert!(matches!(terminal_error(&rx), Error::Timeout(Timeout::Response)));
    assert!(start.elapsed() >= ms(100) && start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn the_response_timeout_is_over_once_the_stream_is_open() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.pause(ms(600));
        peer.send("data: a\n\n");
        peer.end();
    })
    .unwrap();
    let rx = client().connect("open", once(&server).connect_timeout(ms(300)).response_timeout(ms(300))).unwrap();
    assert_eq!(next_data(&rx), "a");
    assert!(rest(&rx).is_empty());
}

#[test]
fn an_address_that_does_not_answer_times_out() {
    let hole = BlackHole::open();
    let start = Instant::now();
    let request = Request::get(hole.url("/")).retry(RetryPolicy::never()).connect_timeout(ms(200));
    let rx = client().connect("hole", request).unwrap();
    assert!(matches!(terminal_error(&rx), Error::Timeout(Timeout::Connect)));
    assert!(start.elapsed() >= ms(100) && start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn timeouts_may_be_without_limit() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("data: a\n\n");
        peer.end();
    })
    .unwrap();
    for limit in [None, Some(Duration::MAX)] {
        let request = once(&server).connect_timeout(limit).response_timeout(limit).idle_timeout(limit);
        let rx = client().connect("without limit", request).unwrap();
        assert_eq!(next_data(&rx), "a");
        assert!(rest(&rx).is_empty());
    }
}

#[test]
fn a_timeout_of_zero_is_refused() {
    let get = || Request::get("http://127.0.0.1:9/");
    for request in [
        get().connect_timeout(Duration::ZERO),
        get().response_timeout(Duration::ZERO),
        get().idle_timeout(Duration::ZERO),
    ] {
        assert!(matches!(client().connect("zero", request), Err(Error::InvalidRequest(_))));
    }
}
