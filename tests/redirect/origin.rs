//! What goes along over a redirect to another origin.

use std::sync::mpsc::channel;

use http_sse::testing::{Asked, Server};
use http_sse::{Client, Request, RetryPolicy};

use super::exchange::{Seen, drain, retries, run};
use super::support::tls::{Authority, TlsServer, Validity};
use super::{EVENT, elsewhere, follow, redirecting};

/// A request with everything that must not reach a stranger.
fn laden(url: String) -> Request {
    Request::get(url)
        .bearer_auth("secret")
        .header("Cookie", "secret")
        .header("X-Api-Key", "secret")
        .header("Proxy-Authorization", "secret")
        .header("Host", "secret.test")
        .header("User-Agent", "mine")
        .header("Accept", "text/event-stream, */*")
        .header("Cache-Control", "no-store")
        .header("Referer", "secret")
        .last_event_id("41")
        .before_connect(|attempt| attempt.header("X-Attempt", "secret"))
}

/// A client with a header of its own that must not reach a stranger.
fn laden_client() -> Client {
    Client::builder().no_proxy().header("X-Client", "secret").build().unwrap()
}

fn run_laden(client: &Client, request: Request) -> Seen {
    drain(&client.connect("laden", request.retry(RetryPolicy::never())).unwrap())
}

/// What a stranger may see: these headers and no secret.
#[track_caller]
fn assert_is_stripped(asked: &Asked) {
    let mut names: Vec<_> = asked.header_names().into_iter().map(str::to_ascii_lowercase).collect();
    names.sort();
    assert_eq!(names, ["accept", "accept-encoding", "cache-control", "host", "last-event-id", "user-agent"]);
    assert_eq!(asked.header("accept"), Some("text/event-stream, */*"));
    assert_eq!(asked.header("cache-control"), Some("no-store"));
    assert_eq!(asked.header("last-event-id"), Some("41"));
    assert_eq!(asked.header("user-agent"), Some("mine"));
    assert!(!format!("{asked:?}").contains("secret"), "{asked:?}");
}

#[test]
fn the_same_origin_gets_every_header_but_the_users_host() {
    let (server, asked) = redirecting(302, "/new");
    assert_eq!(run_laden(&laden_client(), laden(server.url("/old"))).data, ["here"]);
    let asked: Vec<_> = asked.try_iter().collect();
    for name in ["authorization", "cookie", "x-api-key", "x-client", "x-attempt", "last-event-id", "accept"] {
        assert_eq!(asked[1].headers(name), asked[0].headers(name), "{name}");
        assert_eq!(asked[1].headers(name).len(), 1, "{name}");
    }
    assert_eq!(asked[1].headers("host"), [server.addr().to_string()]);
}

#[test]
fn no_referer_is_ever_added() {
    let (server, asked) = redirecting(302, "/new");
    follow(Request::get(server.url("/old?secret")));
    assert!(asked.try_iter().all(|asked| asked.header("referer").is_none()));
}

#[test]
fn another_port_gets_no_secret() {
    for status in [301, 302, 303, 307, 308] {
        let (target, asked) = elsewhere();
        let (server, _) = redirecting(status, target.url("/new"));
        assert_eq!(run_laden(&laden_client(), laden(server.url("/old"))).data, ["here"]);
        assert_is_stripped(&asked.try_iter().next().unwrap());
    }
}

#[test]
fn another_host_gets_no_secret_though_it_is_the_same_server() {
    let server = Server::start().unwrap();
    let request = laden(server.url("/old")).retry(RetryPolicy::never());
    let events = laden_client().connect("host", request).unwrap();
    let location = format!("http://localhost:{}/new", server.addr().port());
    server.accept().respond(302, &[("Location", &location)], "");
    let mut peer = server.accept();
    assert_is_stripped(peer.request());
    peer.respond(200, &[("Content-Type", "text/event-stream")], EVENT);
    peer.end();
    assert_eq!(drain(&events).data, ["here"]);
}

#[test]
fn another_scheme_gets_no_secret() {
    let authority = Authority::new();
    let (sender, asked) = channel();
    let target = TlsServer::serve(authority.server_config(Validity::VALID), move |_, mut peer| {
        sender.send(peer.request().clone()).unwrap();
        peer.respond(200, &[("Content-Type", "text/event-stream")], EVENT);
    });
    let (server, _) = redirecting(302, target.url("/new"));
    let client = Client::builder().no_proxy().header("X-Client", "secret").only_root_certificates_pem(authority.pem());
    assert_eq!(run_laden(&client.build().unwrap(), laden(server.url("/old"))).data, ["here"]);
    assert_is_stripped(&asked.try_iter().next().unwrap());
}

#[test]
fn userinfo_of_the_url_is_for_the_original_origin_only() {
    let (target, asked_there) = elsewhere();
    let (server, asked_here) = redirecting(302, target.url("/new"));
    follow(Request::get(server.url("/old").replace("//", "//user:pass@")));
    assert_eq!(asked_here.try_iter().next().unwrap().header("authorization"), Some("Basic dXNlcjpwYXNz"));
    assert_eq!(asked_there.try_iter().next().unwrap().header("authorization"), None);
}

#[test]
fn what_was_dropped_does_not_come_back_on_the_way_home() {
    let home = Server::start().unwrap();
    let (stranger, _) = redirecting(302, home.url("/home"));
    let events = laden_client().connect("home", laden(home.url("/old")).retry(RetryPolicy::never())).unwrap();
    home.accept().respond(302, &[("Location", &stranger.url("/"))], "");
    let mut peer = home.accept();
    assert_eq!(peer.request().path(), "/home");
    assert_is_stripped(peer.request());
    peer.respond(200, &[("Content-Type", "text/event-stream")], EVENT);
    peer.end();
    assert_eq!(drain(&events).data, ["here"]);
}

#[test]
fn the_next_attempt_has_its_headers_again() {
    let (target, _) = elsewhere();
    let (sender, asked) = channel();
    let location = target.url("/new");
    let server = Server::serve(move |number, mut peer| {
        sender.send(peer.request().header("authorization").map(str::to_owned)).unwrap();
        match number {
            0 => peer.respond(302, &[("Location", &location)], ""),
            _ => peer.respond(204, &[], ""),
        }
    });
    run(laden(server.unwrap().url("/")).retry(retries(9)));
    assert_eq!(asked.try_iter().flatten().collect::<Vec<_>>(), ["Bearer secret", "Bearer secret"]);
}

#[test]
fn a_body_resent_to_another_origin_keeps_its_type_and_nothing_else() {
    let (target, asked) = elsewhere();
    let (server, _) = redirecting(307, target.url("/new"));
    follow(Request::post(server.url("/old")).json(&[1]).header("X-Api-Key", "secret"));
    let asked = asked.try_iter().next().unwrap();
    assert_eq!((asked.method(), asked.body()), ("POST", &b"[1]"[..]));
    assert_eq!((asked.headers("content-type"), asked.headers("content-length")), (vec!["application/json"], vec!["3"]));
    assert_eq!(asked.header("x-api-key"), None);
}
