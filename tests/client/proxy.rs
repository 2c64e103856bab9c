//! Through a proxy: CONNECT for http and https, its refusals, and what the environment says.

use std::sync::mpsc::channel;
use std::time::Duration;

use http_sse::testing::{Peer, Server};
use http_sse::{Client, End, Error, Request, RetryPolicy, State, Timeout};

use support::exchange::{Seen, drain, retries};

const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

fn client_through(proxy: &Server, userinfo: &str) -> Client {
    Client::builder().proxy(format!("http://{userinfo}{}", proxy.addr())).build().unwrap()
}

/// Answers CONNECT, and then one event in the place of the server behind.
fn let_through(peer: &mut Peer) {
    peer.raw(ESTABLISHED);
    peer.next_request();
    peer.stream_until_close();
    peer.send("data: through\n\n");
}

#[test]
fn an_http_url_goes_through_connect() {
    let proxy = Server::start().unwrap();
    let request = Request::get("http://nowhere.test/x?y").bearer_auth("secret").retry(RetryPolicy::never());
    let events = client_through(&proxy, "").connect("http", request).unwrap();
    let mut peer = proxy.accept();
    let asked = peer.request();
    assert_eq!((asked.method(), asked.path()), ("CONNECT", "nowhere.test:80"));
    assert_eq!(asked.headers("host"), ["nowhere.test:80"]);
    assert_eq!(asked.headers("user-agent"), [concat!("http-sse/", env!("CARGO_PKG_VERSION"))]);
    assert_eq!((asked.header("authorization"), asked.header("proxy-authorization")), (None, None));
    peer.raw(ESTABLISHED);
    let asked = peer.next_request();
    assert_eq!((asked.method(), asked.path()), ("GET", "/x?y"));
    assert_eq!(asked.headers("host"), ["nowhere.test"]);
    assert_eq!(asked.headers("authorization"), ["Bearer secret"]);
    assert_eq!(asked.header("proxy-authorization"), None);
    peer.stream();
    peer.send("data: through\n\n");
    peer.end();
    let seen = drain(&events);
    assert_eq!(seen.data, ["through"]);
    assert!(matches!(seen.end, End::Complete), "{seen:?}");
}

#[test]
fn an_ipv6_address_is_asked_for_in_brackets_and_without_its_zone() {
    for host in ["[2001:db8::1]", "[fe80::1%25lo]"] {
        let proxy = Server::start().unwrap();
        let request = Request::get(format!("http://{host}:81/")).retry(RetryPolicy::never());
        let events = client_through(&proxy, "").connect("v6", request).unwrap();
        let expected = if host.contains('%') { "[fe80::1]:81" } else { "[2001:db8::1]:81" };
        let mut peer = proxy.accept();
        let asked = peer.request();
        assert_eq!((asked.method(), asked.path(), asked.headers("host")), ("CONNECT", expected, vec![expected]));
        events.handle().stop();
    }
}

#[test]
fn an_https_url_is_encrypted_from_end_to_end_through_connect() {
    let authority = support::tls::Authority::new();
    let proxy = Server::start().unwrap();
    let client = Client::builder()
        .proxy(format!("http://{}", proxy.addr()))
        .only_root_certificates_pem(authority.pem())
        .build()
        .unwrap();
    let request = Request::get("https://localhost/x").bearer_auth("secret").retry(RetryPolicy::never());
    let events = client.connect("https", request).unwrap();
    let mut peer = proxy.accept();
    let asked = peer.request();
    assert_eq!((asked.method(), asked.path()), ("CONNECT", "localhost:443"));
    assert_eq!(asked.header("authorization"), None);
    peer.raw(ESTABLISHED);
    support::tls::handshake(&mut peer, &authority.server_config(support::tls::Validity::VALID)).unwrap();
    let asked = peer.request();
    assert_eq!((asked.path(), asked.header("authorization")), ("/x", Some("Bearer secret")));
    peer.stream();
    peer.send("data: through\n\n");
    peer.end();
    assert_eq!(drain(&events).data, ["through"]);
}

#[test]
fn the_proxys_user_name_and_password_are_percent_decoded_and_only_for_the_proxy() {
    let proxy = Server::start().unwrap();
    let request = Request::get("http://nowhere.test/").retry(RetryPolicy::never());
    let events = client_through(&proxy, "us%40er:p%3Aa%2Fss@").connect("auth", request).unwrap();
    let mut peer = proxy.accept();
    let asked = peer.request();
    assert_eq!(asked.headers("proxy-authorization"), ["Basic dXNAZXI6cDphL3Nz"]);
    assert_eq!(asked.path(), "nowhere.test:80");
    peer.raw(ESTABLISHED);
    let asked = peer.next_request();
    assert_eq!((asked.header("proxy-authorization"), asked.header("authorization")), (None, None));
    peer.respond(204, &[], "");
    assert!(matches!(drain(&events).end, End::NoContent));
}

#[test]
fn a_port_of_the_url_is_asked_for_as_it_is() {
    let proxy = Server::start().unwrap();
    let request = Request::get("http://user:pass@nowhere.test:8123/").retry(RetryPolicy::never());
    let events = client_through(&proxy, "").connect("port", request).unwrap();
    let mut peer = proxy.accept();
    assert_eq!(peer.request().path(), "nowhere.test:8123");
    let_through(&mut peer);
    peer.end();
    assert_eq!(drain(&events).data, ["through"]);
}

#[test]
fn every_reconnect_and_every_redirect_goes_through_the_proxy() {
    let (sender, asked) = channel();
    let proxy = Server::serve(move |number, mut peer| {
        sender.send(peer.request().path().to_owned()).unwrap();
        peer.raw(ESTABLISHED);
        peer.next_request();
        match number {
            0 => peer.respond(302, &[("Location", "http://other.test:81/")], ""),
            1 => peer.respond(503, &[], ""),
            _ => peer.respond(204, &[], ""),
        }
    });
    let proxy = proxy.unwrap();
    let request = Request::get("http://nowhere.test/").retry(retries(9));
    assert!(matches!(drain(&client_through(&proxy, "").connect("both", request).unwrap()).end, End::NoContent));
    assert_eq!(asked.try_iter().collect::<Vec<_>>(), ["nowhere.test:80", "other.test:81", "nowhere.test:80"]);
}

/// Runs a request through a proxy that answers CONNECT by these bytes.
fn refused_by(answer: &'static [u8], policy: RetryPolicy) -> Seen {
    let proxy = Server::serve(move |_, mut peer| {
        peer.request();
        peer.raw(answer);
    });
    let proxy = proxy.unwrap();
    let request = Request::get("http://nowhere.test/").retry(policy);
    drain(&client_through(&proxy, "user:secret@").connect("refused", request).unwrap())
}

#[test]
fn a_proxy_that_wants_other_credentials_is_a_permanent_failure_without_a_secret() {
    let answer =
        b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n";
    let seen = refused_by(answer, retries(1));
    let text = format!("{:?} {}", seen.failure(), seen.failure());
    assert!(matches!(seen.failure(), Error::ProxyAuthentication(_)) && !text.contains("secret"), "{text}");
    assert!(text.contains("127.0.0.1"), "{text}");
    assert_eq!((seen.attempts, seen.last_status), (1, None));
}

#[test]
fn any_2xx_opens_the_tunnel() {
    let proxy = Server::serve(|_, mut peer| {
        peer.request();
        peer.raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 299 Fine\r\nX: y\r\n\r\n");
        peer.next_request();
        peer.respond(204, &[], "");
    });
    let proxy = proxy.unwrap();
    let request = Request::get("http://nowhere.test/").retry(RetryPolicy::never());
    assert!(matches!(drain(&client_through(&proxy, "").connect("299", request).unwrap()).end, End::NoContent));
}

#[test]
fn a_proxy_that_refuses_is_a_transient_failure_that_tells_its_status_and_no_secret() {
    let seen = refused_by(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", retries(1));
    let text = format!("{:?} {}", seen.failure(), seen.failure());
    assert!(matches!(seen.failure(), Error::Io(_)) && text.contains("403") && !text.contains("secret"), "{text}");
    assert_eq!((seen.attempts, seen.last_status), (2, None));
}

#[test]
fn a_proxy_that_answers_nonsense_or_nothing_is_a_transient_failure() {
    for answer in [&b""[..], b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nX", b"HTTP/1.1 200\r\nbad header\r\n\r\n"] {
        let seen = refused_by(answer, retries(1));
        assert!(seen.failure().is_transient(), "{seen:?}");
        assert_eq!(seen.attempts, 2, "{seen:?}");
    }
}

#[test]
fn a_proxy_whose_answer_never_ends_is_a_transient_failure() {
    let proxy = Server::serve(|_, mut peer| {
        peer.request();
        peer.raw("HTTP/1.1 200 OK\r\n");
        loop {
            peer.raw(format!("X-Padding: {}\r\n", "x".repeat(1000)));
        }
    });
    let proxy = proxy.unwrap();
    let request = Request::get("http://nowhere.test/").retry(RetryPolicy::never());
    let seen = drain(&client_through(&proxy, "").connect("endless", request).unwrap());
    assert!(seen.failure().is_transient(), "{seen:?}");
}

#[test]
fn a_proxy_that_drips_its_answer_hits_the_connect_timeout() {
    let proxy = Server::serve(|_, mut peer| {
        peer.request();
        peer.raw("HTTP/1.1 200 OK\r\nX-Padding: ");
        loop {
            peer.raw("x");
            peer.pause(Duration::from_millis(10));
        }
    });
    let proxy = proxy.unwrap();
    let request = Request::get("http://nowhere.test/").connect_timeout(Duration::from_millis(300));
    let seen = drain(&client_through(&proxy, "").connect("drip", request.retry(RetryPolicy::never())).unwrap());
    assert!(matches!(seen.failure(), Error::Timeout(Timeout::Connect)), "{seen:?}");
}

#[test]
fn the_response_timeout_starts_behind_the_proxy() {
    let proxy = Server::serve(|_, mut peer| {
        peer.request();
        peer.pause(Duration::from_millis(400));
        peer.raw(ESTABLISHED);
        peer.next_request();
        peer.wait_for_close();
    });
    let proxy = proxy.unwrap();
    let request = Request::get("http://nowhere.test/").response_timeout(Duration::from_millis(200));
    let seen = drain(&client_through(&proxy, "").connect("late", request.retry(RetryPolicy::never())).unwrap());
    assert!(matches!(seen.failure(), Error::Timeout(Timeout::Response)), "{seen:?}");
}

#[test]
fn a_stop_reaches_the_wait_for_connect() {
    let proxy = Server::start().unwrap();
    let client = client_through(&proxy, "");
    let events = client.connect("stop", Request::get("http://nowhere.test/")).unwrap();
    let handle = events.handle();
    let mut peer = proxy.accept();
    assert_eq!(peer.request().method(), "CONNECT");
    assert_eq!(handle.state(), State::Connecting);
    handle.stop();
    assert!(matches!(drain(&events).end, End::Stopped));
    peer.wait_for_close();
}

#[test]
fn the_last_of_proxy_and_no_proxy_counts() {
    let proxy = Server::start().unwrap();
    let server = Server::serve(|_, mut peer| peer.respond(204, &[], "")).unwrap();
    let client = Client::builder().proxy(format!("http://{}", proxy.addr())).no_proxy().build().unwrap();
    let events = client.connect("direct", Request::get(server.url("/"))).unwrap();
    assert!(matches!(drain(&events).end, End::NoContent));
    assert_eq!((server.connections(), proxy.connections()), (1, 0));
}

const CHILD: &str = "HTTP_SSE_TEST_URL";

/// Runs a test of this binary in a process whose proxy variables are these alone.
fn in_environment(test: &str, url: &str, variables: &[(&str, String)]) {
    let mut command = support::program::part(module_path!(), test);
    command.env_remove("REQUEST_METHOD");
    for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_ascii_lowercase());
    }
    command.env(CHILD, url);
    let output = command.envs(variables.iter().cloned()).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && shown.contains("1 passed"), "{variables:?}: {shown}");
}

#[test]
#[ignore = "a part: the tests below run it in a process with an environment of its own"]
fn child_gets_one_event() {
    let url = std::env::var(CHILD).unwrap();
    let events = Client::new().connect("child", Request::get(url).retry(RetryPolicy::never())).unwrap();
    assert_eq!(drain(&events).data, ["through"]);
}

#[test]
#[ignore = "a part: the last test runs it in a process whose proxy cannot be used"]
fn child_is_refused() {
    let url = std::env::var(CHILD).unwrap();
    let client = Client::new();
    let refusals = [
        client.connect("child", Request::get(&*url)).err(),
        client.read("child", Request::get(&*url)).err(),
        client.listen("child", Request::get(&*url)).err(),
    ];
    for refusal in refusals {
        let text = refusal.as_ref().map(ToString::to_string).unwrap_or_default();
        assert!(matches!(refusal, Some(Error::InvalidRequest(_))), "{text}");
        assert!(
            text.contains("HTTP_PROXY") && text.contains("socks5://proxy.test") && !text.contains("secret"),
            "{text}"
        );
    }
    assert!(client.ids().is_empty());
}

#[test]
fn the_environments_proxy_is_the_default() {
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        let proxy = Server::serve(|_, mut peer| {
            assert_eq!(peer.request().path(), "nowhere.test:80");
            let_through(&mut peer);
        });
        let proxy = proxy.unwrap();
        in_environment("child_gets_one_event", "http://nowhere.test/", &[(name, format!("http://{}", proxy.addr()))]);
        proxy.finish();
    }
}

/// A server that answers one event.
fn target() -> Server {
    let server = Server::serve(|_, mut peer| {
        peer.stream_until_close();
        peer.send("data: through\n\n");
    });
    server.unwrap()
}

#[test]
fn an_environment_that_does_not_concern_a_url_leaves_it_alone() {
    let (proxy, server) = (Server::start().unwrap(), target());
    let (url, socks) = (format!("http://{}", proxy.addr()), format!("socks5://{}", proxy.addr()));
    for variables in [
        &[("HTTP_PROXY", &*url), ("NO_PROXY", "127.0.0.1")][..],
        &[("http_proxy", &url), ("NO_PROXY", "localhost, 127.0.0.0/8")],
        &[("http_proxy", &url), ("no_proxy", "127.0.0.1"), ("NO_PROXY", "localhost")],
        &[("http_proxy", &url), ("NO_PROXY", &server.addr().to_string())],
        &[("ALL_PROXY", &url), ("NO_PROXY", "*")],
        &[("HTTPS_PROXY", &url)],
        &[("https_proxy", &socks)],
        &[("ALL_PROXY", &socks), ("NO_PROXY", "127.0.0.1")],
        &[("HTTP_PROXY", &url), ("REQUEST_METHOD", "GET")],
    ] {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        in_environment("child_gets_one_event", &server.url("/"), &variables);
        assert_eq!(proxy.connections(), 0, "{variables:?}");
    }
}

#[test]
fn the_proxy_is_chosen_anew_for_each_redirect() {
    let server = target();
    let location = server.url("/");
    let proxy = Server::serve(move |_, mut peer| {
        assert_eq!(peer.request().path(), "nowhere.test:80");
        peer.raw(ESTABLISHED);
        peer.next_request();
        peer.respond(307, &[("Location", &location)], "");
    });
    let proxy = proxy.unwrap();
    let variables = [("http_proxy", proxy.addr().to_string()), ("NO_PROXY", "127.0.0.1".to_owned())];
    in_environment("child_gets_one_event", "http://nowhere.test/", &variables);
    assert_eq!((proxy.connections(), server.connections()), (1, 1));
}

#[test]
fn an_unusable_proxy_in_the_environment_is_an_invalid_request() {
    let variables = [("HTTP_PROXY", "socks5://user:secret@proxy.test:1".to_owned())];
    in_environment("child_is_refused", "http://nowhere.test/", &variables);
}
