//! Redirects: what follows which status, where to, and what is refused.

mod origin;

use std::sync::mpsc::{Receiver, channel};

use http_sse::testing::{Framing, ReceivedRequest, Server};
use http_sse::{Client, End, Error, Request, RetryPolicy};

use support::exchange::{client, drain, retries, run};
use support::tls::{Authority, TlsServer, Validity};

const EVENT: &str = "data: here\n\n";

/// Redirects the first request to `location`, and answers every later one with an event.
fn redirecting(status: u16, location: impl Into<String>) -> (Server, Receiver<ReceivedRequest>) {
    let (sender, asked) = channel();
    let location = location.into();
    let server = Server::serve(move |number, mut peer| {
        // Not every test asks what came.
        let _ = sender.send(peer.request().clone());
        match number {
            0 => peer.respond(status, &[("Location", &location)], "moved"),
            _ => peer.respond(200, &[("Content-Type", "text/event-stream")], EVENT),
        }
    });
    (server.unwrap(), asked)
}

/// A server of another origin, which answers one event.
fn elsewhere() -> (Server, Receiver<ReceivedRequest>) {
    let (sender, asked) = channel();
    let server = Server::serve(move |_, mut peer| {
        // Not every test asks what came.
        let _ = sender.send(peer.request().clone());
        peer.respond(200, &[("Content-Type", "text/event-stream")], EVENT);
    });
    (server.unwrap(), asked)
}

/// Runs a request once; a redirect that is followed ends in one event.
#[track_caller]
fn follow(request: Request) {
    let seen = run(request.retry(RetryPolicy::never()));
    assert_eq!(seen.data, ["here"], "{seen:?}");
    assert!(matches!(seen.end, End::Complete), "{seen:?}");
}

/// Runs a request that is to be refused at its redirect, for good.
#[track_caller]
fn refused(client: &Client, url: String) -> String {
    let seen = drain(&client.connect("refused", Request::get(url).retry(retries(9))).unwrap());
    assert!(matches!(seen.failure(), Error::Redirect(_)), "{seen:?}");
    assert_eq!((seen.attempts, seen.data.len()), (1, 0), "{seen:?}");
    seen.failure().to_string()
}

#[test]
fn each_redirect_keeps_or_changes_the_method_as_fetch_does() {
    for (status, method, next) in [
        (301, "GET", "GET"),
        (302, "GET", "GET"),
        (303, "GET", "GET"),
        (307, "GET", "GET"),
        (308, "GET", "GET"),
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
        (301, "PUT", "PUT"),
        (302, "REPORT", "REPORT"),
        (303, "DELETE", "GET"),
    ] {
        let (server, asked) = redirecting(status, "/new");
        follow(Request::new(method, server.url("/old")).body("{}", "application/json"));
        let asked: Vec<_> = asked.try_iter().collect();
        let lines: Vec<_> = asked.iter().map(|asked| (asked.method(), asked.path())).collect();
        assert_eq!(lines, [(method, "/old"), (next, "/new")], "{status} {method}");
        let is_kept = next == method;
        assert_eq!(asked[1].body(), if is_kept { &b"{}"[..] } else { b"" }, "{status} {method}");
        assert_eq!(asked[1].header("content-type"), is_kept.then_some("application/json"), "{status} {method}");
        assert_eq!(asked[1].header("content-length"), is_kept.then_some("2"), "{status} {method}");
        assert_eq!(asked[1].header("transfer-encoding"), None, "{status} {method}");
    }
}

#[test]
fn every_content_header_goes_with_the_body() {
    let (server, asked) = redirecting(303, "/new");
    follow(Request::post(server.url("/old")).text("x").header("Content-Language", "de").header("X-Key", "1"));
    let asked = asked.try_iter().nth(1).unwrap();
    assert_eq!((asked.header("content-language"), asked.header("x-key")), (None, Some("1")));
}

#[test]
fn a_location_is_resolved_against_the_url_it_came_from() {
    for (location, path) in [
        ("/new", "/new"),
        ("new", "/a/new"),
        ("./new?x=1", "/a/new?x=1"),
        ("../new#part", "/new"),
        ("?x=1", "/a/old?x=1"),
        ("/with space/ü", "/with%20space/%C3%BC"),
        ("/[1]/a|b?ids[]=1&f={x}|^%", "/[1]/a|b?ids[]=1&f={x}|^%"),
    ] {
        let (server, asked) = redirecting(302, location);
        follow(Request::get(server.url("/a/old?secret")));
        assert_eq!(asked.try_iter().nth(1).unwrap().path(), path, "{location}");
    }
}

#[test]
fn a_location_without_a_scheme_keeps_the_one_before() {
    let (target, asked) = elsewhere();
    let (server, _) = redirecting(302, format!("//{}/new", target.addr()));
    follow(Request::get(server.url("/old")));
    assert_eq!(asked.try_iter().next().unwrap().path(), "/new");
}

#[test]
fn a_location_that_cannot_be_followed_is_terminal() {
    for location in [
        "",
        " ",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "javascript:alert(1)",
        "data:text/event-stream,data:x",
        "http://user:secret@127.0.0.1/",
        "http://user@127.0.0.1/",
        "http://",
        "http://[bad",
        "http://127.0.0.1:99999/",
        "http://a b/",
    ] {
        let (server, asked) = redirecting(302, location);
        let text = refused(&client(), server.url("/"));
        assert!(!text.contains("secret"), "{text}");
        assert_eq!(asked.try_iter().count(), 1, "{location}");
    }
}

#[test]
fn a_redirect_without_a_location_is_terminal() {
    for status in [301, 302, 303, 307, 308] {
        let server = Server::serve(move |_, mut peer| peer.respond(status, &[], "")).unwrap();
        refused(&client(), server.url("/"));
        assert_eq!(server.connections(), 1);
    }
}

#[test]
fn every_other_3xx_is_terminal_though_it_has_a_location() {
    for status in [300, 304, 305, 306, 309, 399] {
        let (server, asked) = redirecting(status, "/new");
        refused(&client(), server.url("/"));
        assert_eq!(asked.try_iter().count(), 1, "{status}");
    }
}

#[test]
fn a_loop_ends_at_the_limit_of_10() {
    let server = Server::serve(|_, mut peer| peer.respond(302, &[("Location", "/")], "")).unwrap();
    refused(&client(), server.url("/"));
    assert_eq!(server.connections(), 11);
}

#[test]
fn the_redirect_past_the_limit_is_terminal_and_the_one_at_it_is_followed() {
    for (limit, connections) in [(0, 1), (1, 2), (2, 3)] {
        let server = Server::serve(|number, mut peer| match number {
            0 | 1 => peer.respond(302, &[("Location", "/")], ""),
            _ => peer.respond(200, &[("Content-Type", "text/event-stream")], EVENT),
        });
        let server = server.unwrap();
        let seen = run(Request::get(server.url("/")).max_redirects(limit).retry(RetryPolicy::never()));
        assert_eq!(seen.data.len(), usize::from(limit == 2), "{seen:?}");
        assert_eq!(matches!(seen.error, Some(Error::Redirect(_))), limit < 2, "{seen:?}");
        assert_eq!(server.connections(), connections);
    }
}

#[test]
fn reconnects_go_to_the_original_url_whatever_redirected() {
    for status in [301, 302, 303, 307, 308] {
        let (sender, asked) = channel();
        let server = Server::serve(move |number, mut peer| {
            let path = peer.request().path().to_owned();
            let redirects = path == "/old";
            sender.send(path).unwrap();
            match redirects {
                true => peer.respond(status, &[("Location", "/new")], ""),
                false if number == 1 => peer.respond(200, &[("Content-Type", "text/event-stream")], EVENT),
                false => peer.respond(204, &[], ""),
            }
        });
        let seen = run(Request::get(server.unwrap().url("/old")).retry(retries(9)));
        assert_eq!(seen.attempts, 2);
        assert_eq!(asked.try_iter().collect::<Vec<_>>(), ["/old", "/new", "/old", "/new"], "{status}");
    }
}

#[test]
fn a_post_that_became_a_get_is_a_post_again_at_the_next_attempt() {
    let (sender, asked) = channel();
    let server = Server::serve(move |number, mut peer| {
        let request = peer.request();
        sender.send((request.method().to_owned(), request.body().len())).unwrap();
        match number {
            0 | 2 => peer.respond(303, &[("Location", "/new")], ""),
            1 => peer.respond(503, &[], ""),
            _ => peer.respond(204, &[], ""),
        }
    });
    run(Request::post(server.unwrap().url("/")).text("body").retry(retries(9)));
    let (post, get) = (("POST".to_owned(), 4), ("GET".to_owned(), 0));
    assert_eq!(asked.try_iter().collect::<Vec<_>>(), [post.clone(), get.clone(), post, get]);
}

#[test]
fn a_redirect_from_https_to_http_is_refused() {
    let authority = Authority::new();
    let (target, asked) = elsewhere();
    let location = target.url("/new");
    let server = TlsServer::serve(authority.server_config(Validity::VALID), move |_, mut peer| {
        peer.respond(302, &[("Location", &location)], "");
    });
    let client = Client::builder().no_proxy().only_root_certificates_pem(authority.pem()).build().unwrap();
    refused(&client, server.url("/old"));
    assert_eq!((asked.try_iter().count(), target.connections()), (0, 0));
}

#[test]
fn a_redirect_without_a_length_on_a_connection_kept_open_is_followed_at_once() {
    let (server, kept) = {
        let (sender, kept) = channel();
        let server = Server::serve(move |number, mut peer| match number {
            0 => {
                peer.request();
                peer.raw("HTTP/1.1 302 Found\r\nLocation: /new\r\n\r\nand a body that never ends");
                sender.send(peer).unwrap();
            }
            _ => peer.respond(200, &[("Content-Type", "text/event-stream")], EVENT),
        });
        (server.unwrap(), kept)
    };
    follow(Request::get(server.url("/old")));
    // The socket was dropped, not drained.
    kept.try_recv().unwrap().wait_for_close();
}

#[test]
fn a_redirect_whose_body_never_ends_is_followed_at_once() {
    for framing in [Framing::Chunked, Framing::Length(1 << 40), Framing::UntilClose] {
        let (sender, kept) = channel();
        let server = Server::serve(move |number, mut peer| match number {
            0 => {
                peer.begin(302, &[("Location", "/new")], framing);
                sender.send(peer).unwrap();
            }
            _ => peer.respond(200, &[("Content-Type", "text/event-stream")], EVENT),
        });
        follow(Request::get(server.unwrap().url("/old")));
        drop(kept);
    }
}

#[test]
fn a_chunked_redirect_that_is_empty_and_closed_is_followed() {
    let server = Server::serve(|number, mut peer| match number {
        0 => {
            peer.request();
            peer.raw("HTTP/1.1 302 Found\r\nLocation: /new\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
        }
        _ => peer.respond(200, &[("Content-Type", "text/event-stream")], EVENT),
    });
    follow(Request::get(server.unwrap().url("/old")));
}

#[test]
fn on_open_tells_the_url_after_redirects() {
    let (server, _) = redirecting(302, "/new?x");
    let (sender, opened) = channel();
    let url = server.url("/new?x");
    follow(Request::get(server.url("/old")).on_open(move |open| sender.send(open.url().to_owned()).unwrap()));
    assert_eq!(opened.try_iter().collect::<Vec<_>>(), [url]);
}

#[test]
fn a_redirect_may_lead_to_a_failure_that_is_retried() {
    let server = Server::serve(|number, mut peer| match number {
        0 | 2 => peer.respond(302, &[("Location", "/new")], ""),
        1 => peer.respond(503, &[], ""),
        _ => peer.respond(204, &[], ""),
    });
    let seen = run(Request::get(server.unwrap().url("/")).retry(retries(9)));
    assert_eq!((seen.attempts, seen.last_status), (2, Some(204)));
}
