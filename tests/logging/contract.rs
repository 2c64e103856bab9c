//! The contract of the log: which level says what, and what none of them ever says.

use std::time::Duration;

use http_sse::testing::{Framing, Peer, Server};
use http_sse::{Client, Request, RetryPolicy};
use log::Level;
use support::deadline;
use support::logs::{Line, Logs};
use support::transcript::{assert_ended, client, next_data, quick, rest, stop};

/// Part of every secret that these tests send; no text of the library holds it.
const SECRET: &str = "s3cr3t";
/// The same as it would appear in Basic authentication: the three bytes "s3c" and "r3t" are encoded by themselves.
const SECRET_IN_BASE64: &str = "czNjcjN0";

fn once(server: &Server) -> Request {
    Request::get(server.url("/events")).retry(RetryPolicy::never())
}

/// The lines of the library about this connection, and those about none.
fn lines(id: &str) -> Vec<Line> {
    let own = format!("sse {id}:");
    let mut lines = Logs::of("").lines();
    lines.retain(|line| {
        let is_own = line.message.starts_with(&own) || !line.message.starts_with("sse ");
        line.target.starts_with("http_sse") && is_own
    });
    lines
}

#[track_caller]
fn assert_no_secret(id: &str) {
    let mut leaks = lines(id);
    assert!(!leaks.is_empty());
    leaks.retain(|line| line.message.to_lowercase().contains(SECRET) || line.message.contains(SECRET_IN_BASE64));
    assert!(leaks.is_empty(), "{leaks:#?}");
}

/// Runs a connection to its end, and looks for secrets in all that was logged.
#[track_caller]
fn assert_kept(client: &Client, id: &str, request: Request) {
    let _capture = Logs::of("");
    let rx = client.connect(id, request).unwrap();
    rest(&rx);
    assert!(rx.handle().join_timeout(deadline()));
    assert_no_secret(id);
}

/// Has one response judged.
#[track_caller]
fn assert_response_kept(id: &str, answer: impl FnMut(usize, Peer) + Send + 'static) {
    let server = Server::serve(answer).unwrap();
    assert_kept(&client(), id, once(&server));
}

#[test]
fn a_failure_that_is_retried_is_a_warning_with_its_cause_and_the_delay() {
    let logs = Logs::of("sse retried:");
    let server = Server::start().unwrap();
    let rx = client().connect("retried", Request::get(server.url("/")).retry(quick())).unwrap();
    server.accept().respond(503, &[], "");
    server.accept().respond(204, &[], "");
    assert_ended(&rx);
    assert!(rx.handle().join_timeout(deadline()));
    assert_eq!(logs.at(Level::Warn), ["sse retried: the server answered 503; retrying in 10 ms"]);
}

#[test]
fn giving_up_is_a_warning() {
    let logs = Logs::of("sse giving:");
    let server = Server::serve(|_, mut peer| peer.respond(503, &[], "")).unwrap();
    let rx = client().connect("giving", Request::get(server.url("/")).retry(quick().max_retries(1))).unwrap();
    assert_eq!(rest(&rx).len(), 1);
    assert!(rx.handle().join_timeout(deadline()));
    assert_eq!(
        logs.at(Level::Warn),
        ["sse giving: the server answered 503; retrying in 10 ms", "sse giving: the server answered 503; giving up"]
    );
}

#[test]
fn a_clean_life_has_no_warnings() {
    let logs = Logs::of("sse clean:");
    let server = Server::serve(|number, mut peer| match number {
        0 => {
            peer.stream();
            peer.send("id: 1\ndata: a\n\n: note\n\nretry: 500\n\n");
            peer.end();
        }
        _ => peer.respond(204, &[], ""),
    })
    .unwrap();
    let policy = quick().server_delay(Duration::ZERO..=Duration::from_millis(10));
    let rx = client().connect("clean", Request::get(server.url("/")).retry(policy)).unwrap();
    assert_eq!(next_data(&rx), "a");
    assert_ended(&rx);
    assert!(rx.handle().join_timeout(deadline()));
    let loud: Vec<_> = logs.lines().into_iter().filter(|line| line.level <= Level::Info).collect();
    assert!(loud.is_empty(), "{loud:?}");
}

#[test]
fn attempts_statuses_redirects_and_the_end_are_logged_at_debug_level() {
    let logs = Logs::of("sse debug:");
    let server = Server::serve(|number, mut peer| match number {
        0 => peer.respond(307, &[("Location", "/elsewhere?q=1")], ""),
        _ => {
            peer.stream();
            peer.end();
        }
    })
    .unwrap();
    let rx = client().connect("debug", once(&server)).unwrap();
    assert_ended(&rx);
    assert!(rx.handle().join_timeout(deadline()));
    let (here, there) = (server.url("/events"), server.url("/elsewhere"));
    assert_eq!(
        logs.at(Level::Debug),
        [
            "sse debug: attempt 1".to_owned(),
            format!("sse debug: GET {here} -> 307"),
            format!("sse debug: redirected by 307 to {there}"),
            format!("sse debug: GET {there} -> 200"),
            "sse debug: closed, the response is complete".to_owned(),
        ]
    );
}

#[test]
fn a_stop_and_a_reconnect_are_logged_at_debug_level() {
    let logs = Logs::of("sse asked:");
    let server = Server::start().unwrap();
    let rx = client().connect("asked", Request::get(server.url("/"))).unwrap();
    let mut first = server.accept();
    first.stream();
    assert!(rx.handle().wait_open(deadline()));
    rx.handle().reconnect();
    let mut second = server.accept();
    second.stream();
    stop(&rx);
    let debug = logs.at(Level::Debug);
    assert!(debug.contains(&"sse asked: reconnecting on request".to_owned()), "{debug:?}");
    assert_eq!(debug.last().unwrap(), "sse asked: closed, stopped");
}

#[test]
fn sizes_of_what_is_received_are_traced() {
    let logs = Logs::of("sse sizes:");
    let server = Server::serve(|_, mut peer| {
        peer.begin(200, &[("Content-Type", "text/event-stream")], Framing::Length(14));
        peer.send("data: 1234567\n");
        peer.end();
    })
    .unwrap();
    let rx = client().connect("sizes", once(&server)).unwrap();
    assert_ended(&rx);
    assert!(rx.handle().join_timeout(deadline()));
    assert_eq!(logs.at(Level::Trace), ["sse sizes: 14 bytes"]);
}

#[test]
fn an_event_is_traced_by_its_size() {
    let logs = Logs::of("sse event:");
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("data: 1234567\n\n");
        peer.end();
    })
    .unwrap();
    let rx = client().connect("event", once(&server)).unwrap();
    assert_eq!(next_data(&rx), "1234567");
    assert_ended(&rx);
    assert!(logs.at(Level::Trace).contains(&"sse event: event of 7 bytes".to_owned()));
}

#[test]
fn a_last_event_id_that_cannot_be_sent_is_one_warning_without_the_id() {
    let logs = Logs::of("sse long id:");
    let server = Server::start().unwrap();
    let rx = client().connect("long id", Request::get(server.url("/")).retry(quick())).unwrap();
    for number in 0..3 {
        let mut peer = server.accept();
        assert_eq!(peer.request().header("last-event-id"), None);
        peer.stream();
        if number == 0 {
            peer.send(format!("id: {}\n\n", SECRET.repeat(2000)));
        }
        peer.end();
    }
    let _unanswered = server.accept();
    stop(&rx);
    // What ended the streams is a warning of its own.
    let about_the_id = |line: &&String| line.contains("last event id");
    assert_eq!(logs.at(Level::Warn).iter().filter(about_the_id).count(), 1);
    assert_no_secret("long id");
}

#[test]
fn nothing_of_a_request_is_logged_but_method_host_and_path() {
    let server = Server::serve(|number, mut peer| match number {
        0 => peer.respond(503, &[], ""),
        1 => peer.reset(),
        _ => peer.respond(404, &[], ""),
    })
    .unwrap();
    let client = Client::builder().no_proxy().header("x-client", SECRET).user_agent(SECRET).build().unwrap();
    let url = server.url("/events?a=s3cr3t").replacen("http://", "http://s3cr3t:s3cr3t@", 1);
    let request = Request::post(url)
        .retry(quick())
        .query("s3cr3t", SECRET)
        .header("x-key", SECRET)
        .header("cookie", SECRET)
        .last_event_id(SECRET)
        .body(SECRET, format!("text/plain; boundary={SECRET}"))
        .before_connect(|attempt| {
            attempt.header("x-fresh", SECRET);
            attempt.query("fresh", SECRET);
            attempt.set_last_event_id(SECRET);
        });
    assert_kept(&client, "request", request);
}

#[test]
fn nothing_of_a_credential_is_logged() {
    let server = Server::serve(|_, mut peer| peer.respond(401, &[("WWW-Authenticate", SECRET)], SECRET)).unwrap();
    assert_kept(&client(), "basic", once(&server).basic_auth(SECRET, SECRET));
    assert_kept(&client(), "bearer", once(&server).bearer_auth(SECRET));
    assert_kept(&client(), "fresh", once(&server).before_connect(|attempt| attempt.bearer_auth(SECRET)));
}

#[test]
fn nothing_of_a_stream_is_logged() {
    assert_response_kept("stream", |_, mut peer| {
        peer.stream();
        peer.send(": s3cr3t\nid: s3cr3t\nevent: s3cr3t\ndata: s3cr3t\ns3cr3t: s3cr3t\nretry: s3cr3t\n\ndata: s3cr3t");
        peer.close_abruptly();
    });
}

#[test]
fn nothing_of_an_event_that_is_too_large_is_logged() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("id: s3cr3t\ndata: ");
        loop {
            peer.send("s3cr3t".repeat(100));
        }
    })
    .unwrap();
    assert_kept(&client(), "runaway", once(&server).max_event_size(1000));
}

#[test]
fn nothing_of_an_error_response_is_logged_but_its_status() {
    let headers = [("X-Secret", SECRET), ("Set-Cookie", SECRET), ("Retry-After", SECRET), ("Date", SECRET)];
    assert_response_kept("error", move |_, mut peer| peer.respond(404, &headers, SECRET));
}

#[test]
fn the_value_of_a_wrong_content_type_is_not_logged() {
    assert_response_kept("type", |_, mut peer| {
        peer.respond(200, &[("Content-Type", "text/html; token=s3cr3t")], SECRET);
    });
}

#[test]
fn the_value_of_a_content_encoding_is_not_logged() {
    assert_response_kept("encoding", |_, mut peer| {
        let headers = [("Content-Type", "text/event-stream"), ("Content-Encoding", SECRET)];
        peer.begin(200, &headers, Framing::Chunked);
        peer.end();
    });
}

#[test]
fn nothing_of_a_malformed_response_is_logged() {
    for (number, head) in [
        "s3cr3t",
        "HTTP/1.1 s3cr3t",
        "HTTP/s3cr3t 200",
        "HTTP/1.1 200 OK\r\ns3cr3t",
        "HTTP/1.1 200 OK\r\ns3cr3t s3cr3t: x",
        "HTTP/1.1 200 OK\r\nx: s3cr3t\0",
        "HTTP/1.1 200 OK\r\nContent-Length: s3cr3t",
        "HTTP/1.1 200 OK\r\nContent-Length: 1, s3cr3t",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: s3cr3t\r\nContent-Type: text/event-stream",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\ns3cr3t",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n1;s3cr3t\r\nxs3cr3t",
        "HTTP/1.1 101 s3cr3t\r\nUpgrade: s3cr3t",
        "HTTP/1.1 999 s3cr3t",
        "HTTP/1.1 200 s3cr3t\r\nContent-Type: s3cr3t",
    ]
    .into_iter()
    .enumerate()
    {
        assert_response_kept(&format!("malformed {number}"), move |_, mut peer| {
            peer.request();
            peer.raw(format!("{head}\r\n\r\n"));
            peer.end();
        });
    }
}

#[test]
fn nothing_of_a_location_is_logged_but_host_and_path() {
    for (number, location) in [
        "/?s3cr3t",
        "/#s3cr3t",
        "?s3cr3t=s3cr3t",
        "http://s3cr3t:s3cr3t@127.0.0.1:9/",
        "http://s3cr3t@127.0.0.1:9/",
        "http://127.0.0.1:s3cr3t/",
        "http://[s3cr3t",
        "ftp://x/?s3cr3t",
        "s3cr3t:x",
        "http:///?s3cr3t",
        "",
    ]
    .into_iter()
    .enumerate()
    {
        let server = Server::serve(move |_, mut peer| peer.respond(302, &[("Location", location)], SECRET)).unwrap();
        assert_kept(&client(), &format!("location {number}"), once(&server).max_redirects(3));
    }
}

#[test]
fn nothing_invalid_that_before_connect_sets_is_logged() {
    let request = || Request::get("http://127.0.0.1:9/").retry(RetryPolicy::never());
    assert_kept(&client(), "bad id", request().before_connect(|attempt| attempt.set_last_event_id("s3cr3t\n")));
    assert_kept(&client(), "bad value", request().before_connect(|attempt| attempt.header("x", "s3cr3t\n")));
    assert_kept(&client(), "bad token", request().before_connect(|attempt| attempt.bearer_auth("s3cr3t\n")));
}

#[test]
fn nothing_of_a_proxy_is_logged_but_its_host() {
    let server = Server::serve(|number, mut peer| match number {
        0 => {
            peer.request();
            peer.raw("HTTP/1.1 407 s3cr3t\r\nX: s3cr3t\r\n\r\n");
            peer.end();
        }
        _ => peer.reset(),
    })
    .unwrap();
    let proxy = server.url("").replacen("http://", "http://s3cr3t:s3cr3t@", 1);
    let client = Client::builder().proxy(proxy).build().unwrap();
    for id in ["proxy 407", "proxy reset"] {
        assert_kept(&client, id, Request::get("http://example.test/?s3cr3t").retry(RetryPolicy::never()));
    }
}

#[test]
fn no_line_of_the_library_is_an_error_or_an_info() {
    assert_response_kept("levels", |_, mut peer| peer.raw("nonsense\r\n\r\n"));
    let mut wrong = Logs::of("").lines();
    wrong.retain(|line| line.target.starts_with("http_sse") && matches!(line.level, Level::Error | Level::Info));
    assert!(wrong.is_empty(), "{wrong:#?}");
}
