//! What cannot be sent is refused at once, by a text that names it and tells no secret; nothing else is.

mod url;

use std::sync::Arc;
use std::time::Duration;

use http_sse::testing::Server;
use http_sse::{Client, ClientBuilder, Error, Request};
use rustls::{ClientConfig, RootCertStore};

use support::exchange::{DEADLINE, client};
use support::tls::Authority;

const URL: &str = "http://127.0.0.1:9/";

/// Hands a request to `connect`, `read` and `listen`; each must refuse it, and leave nothing behind.
#[track_caller]
fn refusal(request: impl Fn() -> Request) -> String {
    let client = client();
    let texts = [
        refusal_text(client.connect("refused", request()).err()),
        refusal_text(client.read("refused", request()).err()),
        refusal_text(client.listen("refused", request()).err()),
    ];
    assert_eq!(texts[0], texts[1]);
    assert_eq!(texts[0], texts[2]);
    assert!(client.ids().is_empty());
    let [text, ..] = texts;
    text
}

#[track_caller]
fn build_refusal(builder: ClientBuilder) -> String {
    refusal_text(builder.build().err())
}

#[track_caller]
fn refusal_text(error: Option<Error>) -> String {
    match error {
        Some(Error::InvalidRequest(text)) => {
            assert!(!text.contains("secret") && !text.contains('\n'), "{text}");
            text
        }
        other => panic!("not an invalid request: {other:?}"),
    }
}

#[track_caller]
fn assert_names(text: &str, named: &str) {
    assert!(text.contains(named), "{text:?} does not name {named:?}");
}

#[test]
fn a_bad_query_pair_cannot_be_written_it_is_encoded() {
    let request = || Request::get(URL).query("a\r\nb\0", "\u{fc} &=#");
    assert!(client().read("query", request()).is_ok());
}

#[test]
fn a_bad_method_is_refused_and_named() {
    for (method, named) in [
        ("", "\"\""),
        ("GET /", "GET /"),
        ("GE\nT", "GE\\nT"),
        ("G\u{c4}T", "G\u{c4}T"),
        ("a:b", "a:b"),
        ("CONNECT", "CONNECT"),
    ] {
        assert_names(&refusal(|| Request::new(method, URL)), named);
    }
}

#[test]
fn a_bad_header_name_is_refused_and_named() {
    for (name, named) in [("", "\"\""), ("x key", "\"x \""), ("x\u{fc}y", "\"x\u{fc}\""), ("x:", "\"x:\"")] {
        assert_names(&refusal(|| Request::get(URL).header(name, "secret")), named);
        assert_names(&refusal(|| Request::get(URL).append_header(name, "secret")), named);
        assert_names(&build_refusal(Client::builder().header(name, "secret")), named);
    }
}

#[test]
fn a_whole_header_line_as_a_name_is_refused_without_its_value() {
    for line in ["Authorization: Bearer secret", "Authorization:secret", "Authorization=secret", "Authorization secret"]
    {
        assert_names(&refusal(|| Request::get(URL).header(line, "")), "Authorization");
    }
}

#[test]
fn a_bad_header_value_is_refused_and_its_header_named() {
    for value in ["secret\r\nx: y", "secret\n", "secret\0", "\u{7f}secret"] {
        assert_names(&refusal(|| Request::get(URL).header("X-Key", value)), "x-key");
        assert_names(&refusal(|| Request::get(URL).append_header("X-Key", value)), "x-key");
        assert_names(&refusal(|| Request::get(URL).bearer_auth(value)), "authorization");
        assert_names(&refusal(|| Request::get(URL).body("", value)), "content-type");
        assert_names(&build_refusal(Client::builder().header("X-Key", value)), "x-key");
        assert_names(&build_refusal(Client::builder().user_agent(value)), "user-agent");
    }
}

#[test]
fn a_header_that_the_library_sets_is_refused_and_named() {
    for name in
        ["Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "TE", "Trailer", "Upgrade", "Expect"]
    {
        assert_names(&refusal(|| Request::get(URL).header(name, "1")), &name.to_lowercase());
        assert_names(&build_refusal(Client::builder().header(name, "1")), &name.to_lowercase());
    }
    assert_names(&refusal(|| Request::get(URL).header("Last-Event-ID", "1")), "last-event-id");
}

#[test]
fn a_host_header_that_is_empty_or_there_twice_is_refused() {
    assert_names(&refusal(|| Request::get(URL).header("Host", "")), "host");
    let twice = || Request::get(URL).append_header("Host", "a.test").append_header("Host", "b.test");
    assert_names(&refusal(twice), "host");
}

#[test]
fn a_last_event_id_that_would_end_its_line_is_refused() {
    for id in ["4\n1", "4\r1", "4\u{0}1"] {
        assert_names(&refusal(|| Request::get(URL).last_event_id(id)), "last event id");
    }
}

#[test]
fn a_last_event_id_that_no_header_line_holds_is_refused_with_its_length() {
    assert_names(&refusal(|| Request::get(URL).last_event_id("4".repeat(7_984).as_str())), "7984");
    assert!(client().read("longest", Request::get(URL).last_event_id("4".repeat(7_983).as_str())).is_ok());
}

#[test]
fn a_body_that_is_not_json_is_refused() {
    struct Broken;
    impl serde::Serialize for Broken {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no such field"))
        }
    }
    assert_names(&refusal(|| Request::post(URL).json(&Broken)), "no such field");
}

#[test]
fn a_zero_is_refused_and_named() {
    let zero = Duration::ZERO;
    assert_names(&refusal(|| Request::get(URL).connect_timeout(zero)), "connect_timeout");
    assert_names(&refusal(|| Request::get(URL).response_timeout(zero)), "response_timeout");
    assert_names(&refusal(|| Request::get(URL).idle_timeout(zero)), "idle_timeout");
    assert_names(&refusal(|| Request::get(URL).max_event_size(0)), "max_event_size");
    let second = Duration::from_secs(1);
    for (idle, interval, probes) in [(zero, second, 1), (second, zero, 1), (second, second, 0)] {
        assert_names(&build_refusal(Client::builder().tcp_keepalive(idle, interval, probes)), "tcp_keepalive");
    }
}

#[test]
fn a_capacity_that_no_memory_holds_is_refused() {
    assert_names(&refusal(|| Request::get(URL).capacity(usize::MAX)), &usize::MAX.to_string());
}

#[test]
fn a_stack_that_would_overflow_is_refused() {
    assert_names(&build_refusal(Client::builder().stack_size(1000)), "1000");
}

#[test]
fn a_bad_id_is_refused_by_everything_that_takes_one() {
    let (longest, long) = ("i".repeat(256), "i".repeat(257));
    for id in ["", "a\nb", "a\0b", "a\u{85}b", &long] {
        let client = client();
        for error in [
            client.connect(id, Request::get(URL)).err(),
            client.read(id, Request::get(URL)).err(),
            client.listen(id, Request::get(URL)).err(),
        ] {
            assert_names(&refusal_text(error), "id");
        }
    }
    for id in [&*longest, "\u{fc} ☃", " "] {
        assert!(client().read(id, Request::get(URL)).is_ok(), "{id}");
    }
}

#[test]
fn a_live_id_is_a_duplicate_for_everything_that_takes_one() {
    let server = Server::start().unwrap();
    let (client, url) = (client(), server.url("/"));
    let reader = client.read("read", Request::get(&*url)).unwrap();
    let events = client.connect("connect", Request::get(&*url)).unwrap();
    let handle = client.listen("listen", Request::get(&*url)).unwrap();
    for id in ["read", "connect", "listen"] {
        for error in [
            client.connect(id, Request::get(&*url)).err(),
            client.read(id, Request::get(&*url)).err(),
            client.clone().listen(id, Request::get(&*url)).err(),
        ] {
            assert!(matches!(&error, Some(Error::DuplicateId(named)) if named == id), "{error:?}");
            assert_names(&error.unwrap().to_string(), id);
        }
    }
    assert!(!handle.is_closed() && !events.handle().is_closed() && !reader.handle().is_closed());
    drop((reader, events));
    assert!(client.shutdown(DEADLINE));
}

#[test]
fn a_bad_request_is_named_before_a_duplicate_id() {
    let client = client();
    let _reader = client.read("same", Request::get(URL)).unwrap();
    assert_names(&refusal_text(client.connect("same", Request::get("nonsense")).err()), "nonsense");
}

#[test]
fn a_bad_pem_is_refused_and_never_shown() {
    let private_key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
    let broken = "-----BEGIN CERTIFICATE-----\nsecret!\n-----END CERTIFICATE-----\n";
    let no_certificate = "-----BEGIN CERTIFICATE-----\nc2VjcmV0\n-----END CERTIFICATE-----\n";
    let open = "-----BEGIN CERTIFICATE-----\nc2VjcmV0\n";
    for pem in ["", "secret", private_key, broken, no_certificate, open] {
        for builder in [
            Client::builder().root_certificates_pem(pem),
            Client::builder().only_root_certificates_pem(pem),
            Client::builder().root_certificates_pem(Authority::new().pem()).root_certificates_pem(pem),
        ] {
            let text = build_refusal(builder);
            assert_names(&text, "root certificate");
            assert!(!text.contains("c2VjcmV0"), "{text}");
        }
    }
}

#[test]
fn tls_config_cannot_be_combined_with_certificates() {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_root_certificates(RootCertStore::empty()).with_no_client_auth());
    assert!(Client::builder().tls_config(Arc::clone(&config)).build().is_ok());
    let pem = Authority::new().pem();
    for builder in [
        Client::builder().root_certificates_pem(&pem),
        Client::builder().only_root_certificates_pem(&pem),
        Client::builder().danger_accept_invalid_certs(),
    ] {
        assert_names(&build_refusal(builder.tls_config(Arc::clone(&config))), "tls_config");
    }
}

#[test]
fn a_bad_proxy_is_refused_and_named_without_its_password() {
    for (proxy, named) in [
        ("", "proxy \"\""),
        ("nonsense with spaces", "nonsense with spaces"),
        ("http://", "http://"),
        ("http://user:secret@", "http://"),
        ("http://user:secret@proxy.test:99999", "proxy.test:99999"),
        ("http://user:secret@proxy.test:x", "proxy.test:x"),
        ("http://user:a/secret@proxy.test:1", "proxy.test:1"),
        ("ftp://user:secret@proxy.test", "proxy.test"),
        ("socks5://user:secret@proxy.test:1080", "socks5://proxy.test:1080"),
        ("socks4://proxy.test", "socks4://proxy.test"),
        ("/relative", "/relative"),
    ] {
        let text = build_refusal(Client::builder().proxy(proxy));
        assert_names(&text, named);
        assert_names(&text, "proxy");
    }
}

#[test]
fn nothing_that_only_the_network_can_tell_is_refused() {
    let client = client();
    for (id, url) in [
        ("no such name", "http://nowhere.invalid/"),
        ("nobody listens", "http://127.0.0.1:1/"),
        ("reserved address", "http://0.0.0.0:1/"),
        ("no certificate can have it", "https://under_score.invalid/"),
        ("an address", "https://[::1]:1/"),
        ("long", &format!("http://{}.invalid/", "a".repeat(300))),
    ] {
        assert!(client.read(id, Request::get(url)).is_ok(), "{url}");
    }
    for duration in [Duration::from_nanos(1), Duration::MAX] {
        let request = Request::get(URL).connect_timeout(duration).response_timeout(duration).idle_timeout(duration);
        assert!(client.read("extreme", request.capacity(0).max_redirects(0).max_event_size(usize::MAX)).is_ok());
    }
    let without = Request::get(URL).connect_timeout(None).response_timeout(None).idle_timeout(None);
    assert!(client.read("no timeout", without).is_ok());
}

#[test]
fn the_debug_text_of_a_request_tells_no_secret() {
    let request = Request::post("http://user:secret@example.test/path?token=secret#secret")
        .header("X-Api-Key", "secret")
        .append_header("Cookie", "secret")
        .basic_auth("u", "secret")
        .bearer_auth("secret")
        .query("secret", "secret")
        .last_event_id("secret")
        .text("secret")
        .before_connect(|attempt| attempt.bearer_auth("secret"));
    for text in [format!("{request:?}"), format!("{request:#?}")] {
        assert!(!text.contains("secret"), "{text}");
        assert!(
            text.contains("POST") && text.contains("http://example.test/path") && text.contains("X-Api-Key"),
            "{text}"
        );
    }
}

#[test]
fn the_debug_text_of_a_client_and_its_builder_tells_no_secret() {
    let builder = Client::builder()
        .header("X-Api-Key", "secret")
        .user_agent("secret")
        .proxy("http://user:secret@proxy.test:1")
        .root_certificates_pem(Authority::new().pem());
    let text = format!("{builder:?} {builder:#?}");
    assert!(!text.contains("secret") && !text.contains("BEGIN"), "{text}");
    let client = builder.build().unwrap();
    let reader = client.read("one", Request::get("http://user:secret@example.test/?secret")).unwrap();
    let text = format!("{client:?} {reader:?} {:?}", reader.handle());
    assert!(!text.contains("secret") && text.contains("one"), "{text}");
}

#[test]
fn the_debug_text_of_what_callbacks_see_tells_no_secret() {
    let server = Server::serve(|_, mut peer| {
        peer.respond(200, &[("Content-Type", "text/event-stream"), ("Set-Cookie", "secret")], "");
    });
    let server = server.unwrap();
    let request = Request::get(server.url("/?secret"))
        .retry(http_sse::RetryPolicy::never())
        .before_connect(|attempt| {
            attempt.bearer_auth("secret");
            attempt.query("secret", "secret");
            attempt.set_last_event_id("secret");
            assert!(!format!("{attempt:?}").contains("secret"), "{attempt:?}");
        })
        .on_open(|opened| assert!(!format!("{opened:?}").contains("secret"), "{opened:?}"));
    let seen = support::exchange::drain(&client().connect("debug", request).unwrap());
    assert!(seen.error.is_none(), "{seen:?}");
}
