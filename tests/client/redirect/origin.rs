//! What goes along over a redirect to another origin.

use std::sync::mpsc::channel;

use http_sse::testing::{ReceivedRequest, Server};
use http_sse::{Client, Error, Request, RetryPolicy};

use super::{EVENT, elsewhere, follow, redirecting};
use support::exchange::{Seen, drain, retries, run};
use support::tls::{Authority, TlsServer, Validity};

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
fn assert_is_stripped(asked: &ReceivedRequest) {
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
fn the_same_origin_receives_every_header_except_a_user_supplied_host() {
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

/// A request with a body, and with every header that a program may take for part of it.
fn with_body(url: String) -> Request {
    ["Language", "Encoding", "Location", "MD5", "Disposition", "Signature"]
        .into_iter()
        .fold(Request::post(url).json(&[1]), |request, name| request.header(format!("Content-{name}"), "secret"))
}

#[test]
fn only_headers_that_describe_the_body_are_sent_with_it() {
    let (target, asked) = elsewhere();
    let (server, _) = redirecting(308, target.url("/new"));
    follow(with_body(server.url("/old")));
    let asked = asked.try_iter().next().unwrap();
    let mut names: Vec<_> = asked.header_names().into_iter().map(str::to_ascii_lowercase).collect();
    names.retain(|name| name.starts_with("content-"));
    names.sort();
    let kept = ["content-encoding", "content-language", "content-length", "content-location", "content-type"];
    assert_eq!((names.as_slice(), asked.body()), (&kept.map(str::to_owned)[..], &b"[1]"[..]));
}

#[test]
fn the_same_origin_gets_every_content_header() {
    let (server, asked) = redirecting(308, "/new");
    follow(with_body(server.url("/old")));
    assert_eq!(asked.try_iter().nth(1).unwrap().header("content-md5"), Some("secret"));
}

#[test]
fn a_body_that_is_kept_at_its_origin_is_sent_nowhere_else() {
    for status in [307, 308] {
        let (target, asked) = elsewhere();
        let (server, _) = redirecting(status, target.url("/new?secret"));
        let request = Request::post(server.url("/old")).json(&["secret"]).keep_body_at_origin().retry(retries(9));
        let seen = run(request);
        let text = seen.failure().to_string();
        assert!(matches!(seen.failure(), Error::Redirect(_)) && text.contains("body"), "{text}");
        assert!(!text.contains("secret"), "{text}");
        assert_eq!((seen.attempts, asked.try_iter().count(), target.connections()), (1, 0, 0));
    }
}

#[test]
fn a_body_that_is_kept_at_its_origin_hinders_no_redirect_without_it() {
    let (target, asked) = elsewhere();
    let (server, _) = redirecting(303, target.url("/new"));
    follow(Request::post(server.url("/old")).json(&[1]).keep_body_at_origin());
    assert_eq!(asked.try_iter().next().unwrap().method(), "GET");
    let (server, asked) = redirecting(307, "/new");
    follow(Request::post(server.url("/old")).json(&[1]).keep_body_at_origin());
    assert_eq!(asked.try_iter().nth(1).unwrap().body(), b"[1]");
}

#[test]
fn a_trusted_origin_receives_what_the_first_one_does_except_a_user_supplied_host() {
    let (target, asked_there) = elsewhere();
    let (server, asked_here) = redirecting(307, target.url("/new"));
    let request = laden(server.url("/old")).keep_body_at_origin().text("secret").header("Content-MD5", "secret");
    let request = request.trust_origin("https://other.test").trust_origin(target.url("/").trim_end_matches('/'));
    assert_eq!(run_laden(&laden_client(), request).data, ["here"]);
    let (here, there) = (asked_here.try_iter().next().unwrap(), asked_there.try_iter().next().unwrap());
    for name in ["authorization", "cookie", "x-api-key", "x-client", "x-attempt", "content-md5", "last-event-id"] {
        assert_eq!(there.headers(name), here.headers(name), "{name}");
        assert_eq!(there.headers(name).len(), 1, "{name}");
    }
    assert_eq!((there.body(), there.headers("host")), (&b"secret"[..], vec![&*target.addr().to_string()]));
}

#[test]
fn trust_is_for_the_very_origin() {
    for trusted in ["http://127.0.0.1", "http://localhost:PORT", "https://127.0.0.1:PORT", "http://127.0.0.1:1"] {
        let (target, asked) = elsewhere();
        let (server, _) = redirecting(307, target.url("/new"));
        let trusted = trusted.replace("PORT", &target.addr().port().to_string());
        let request = laden(server.url("/old")).trust_origin(&*trusted);
        assert_eq!(run_laden(&laden_client(), request).data, ["here"]);
        assert_is_stripped(&asked.try_iter().next().unwrap());
    }
}

#[test]
fn headers_dropped_for_an_untrusted_origin_are_not_restored_for_a_trusted_one() {
    let (target, asked) = elsewhere();
    let (stranger, _) = redirecting(307, target.url("/new"));
    let (server, _) = redirecting(307, stranger.url("/"));
    let request = laden(server.url("/old")).trust_origin(target.url("/"));
    assert_eq!(run_laden(&laden_client(), request).data, ["here"]);
    assert_is_stripped(&asked.try_iter().next().unwrap());
}
