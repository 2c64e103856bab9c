//! A request that is not a GET is never repeated by itself.

use std::time::Duration;

use http_sse::testing::{Peer, Server};
use http_sse::{End, Error, Request, RetryPolicy};

use support::deadline;
use support::transcript::{client, quick, rest, terminal_error, transcript};

const BODY: &str = "order: one pizza";

/// Sends a request that the server answers by `script`: its failure, and how often the server was asked.
fn failure(request: impl FnOnce(String) -> Request, script: impl FnMut(usize, Peer) + Send + 'static) -> Error {
    let server = Server::serve(script).unwrap();
    let (sender, failed) = transcript();
    let request = request(server.url("/")).on_error(move |error| sender.send(error.to_string()).unwrap());
    let rx = client().connect("it", request).unwrap();
    let handle = rx.handle();
    let error = terminal_error(&rx);
    assert_eq!((handle.stats().attempts, server.connections()), (1, 1), "{error}");
    assert_eq!(rest(&failed), [error.to_string()]);
    error
}

fn post(url: String) -> Request {
    Request::post(url).text(BODY)
}

#[test]
fn a_post_is_not_repeated_after_a_transient_status() {
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let error = failure(post, move |_, mut peer| peer.respond(status, &[("Retry-After", "0")], "later"));
        assert_eq!((error.status(), error.body(), error.is_transient()), (Some(status), Some("later"), true));
    }
}

#[test]
fn a_post_is_not_repeated_after_a_cut_before_the_head() {
    let error = failure(post, |_, mut peer| {
        peer.request();
        peer.close_abruptly();
    });
    assert!(error.is_transient(), "{error:?}");
}

#[test]
fn a_post_is_not_repeated_after_a_reset() {
    let error = failure(post, |_, mut peer| {
        peer.request();
        peer.reset();
    });
    assert!(matches!(error, Error::Io(_)), "{error:?}");
}

#[test]
fn a_post_is_not_repeated_after_a_cut_stream() {
    let error = failure(post, |_, mut peer| {
        peer.stream();
        peer.close_abruptly();
    });
    assert!(matches!(error, Error::Disconnected), "{error:?}");
}

#[test]
fn a_post_is_not_repeated_after_a_timeout() {
    let error = failure(
        |url| post(url).response_timeout(Duration::from_millis(50)),
        |_, mut peer| {
            peer.request();
            peer.wait_for_close();
        },
    );
    assert!(error.is_timeout(), "{error:?}");
    let error = failure(
        |url| post(url).idle_timeout(Duration::from_millis(50)),
        |_, mut peer| {
            peer.stream();
            peer.wait_for_close();
        },
    );
    assert!(error.is_timeout(), "{error:?}");
}

#[test]
fn no_method_but_get_is_repeated() {
    for method in ["POST", "PUT", "PATCH", "DELETE", "QUERY"] {
        failure(|url| Request::new(method, url), |_, mut peer| peer.respond(503, &[], ""));
    }
}

#[test]
fn a_post_whose_response_ends_is_complete_and_not_repeated() {
    let server = Server::serve(|_, mut peer| {
        assert_eq!(peer.request().body(), BODY.as_bytes());
        peer.stream();
        peer.send("data: a\n\n");
        peer.end();
    });
    let server = server.unwrap();
    let rx = client().connect("it", post(server.url("/"))).unwrap();
    assert_eq!(rest(&rx).len(), 1);
    assert!(rx.handle().join_timeout(deadline()));
    assert!(matches!(rx.handle().end(), Some(End::Complete)));
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_post_is_repeated_with_its_body_where_the_program_says_so() {
    let server = Server::serve(|number, mut peer| {
        let asked = peer.request();
        assert_eq!((asked.method(), asked.body()), ("POST", BODY.as_bytes()));
        match number {
            0 => peer.respond(503, &[], ""),
            1 => peer.close_abruptly(),
            _ => peer.respond(204, &[], ""),
        }
    });
    let server = server.unwrap();
    let rx = client().connect("it", post(server.url("/")).retry(quick())).unwrap();
    assert_eq!(rest(&rx).len(), 0);
    assert!(matches!(rx.handle().end(), Some(End::NoContent)));
    assert_eq!(server.connections(), 3);
    server.finish();
}

#[test]
fn a_get_under_never_is_not_repeated_either() {
    let error = failure(
        |url| Request::get(url).retry(RetryPolicy::never()).retry_when(|_| true),
        |_, mut peer| peer.respond(503, &[], ""),
    );
    assert_eq!(error.status(), Some(503));
}

#[test]
fn a_refusal_that_comes_while_a_large_body_is_being_sent_is_reported() {
    let error = failure(
        |url| Request::post(url).text("x".repeat(8 << 20)),
        |_, mut peer| {
            peer.request_head();
            peer.raw("HTTP/1.1 413 \r\nContent-Length: 9\r\nConnection: close\r\n\r\ntoo large");
            peer.close_abruptly();
        },
    );
    assert_eq!((error.status(), error.body()), (Some(413), Some("too large")), "{error:?}");
}
