//! What goes out: method, target, headers and body.

use http_sse::testing::ReceivedRequest;
use http_sse::{Client, Request, RetryPolicy};
use mockito::Matcher;

use support::exchange::{asked, asked_by, client, drain, run};

const EVENT_STREAM: &str = "text/event-stream";

/// All headers but those that name the address and the library's version.
fn headers(asked: &ReceivedRequest) -> Vec<(String, String)> {
    let names = asked.header_names().into_iter().map(str::to_ascii_lowercase);
    let mut headers: Vec<_> = names
        .filter(|name| name != "host" && name != "user-agent")
        .map(|name| (name.clone(), asked.headers(&name).join(" and ")))
        .collect();
    headers.sort();
    headers
}

fn pairs(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_plain_get_carries_the_defaults_once_and_nothing_else() {
    let mut host = String::new();
    let asked = asked(|url| {
        host = url.trim_start_matches("http://").to_owned();
        Request::get(url)
    });
    assert_eq!((asked.method(), asked.path()), ("GET", "/"));
    let defaults = [("accept", EVENT_STREAM), ("accept-encoding", "identity"), ("cache-control", "no-cache")];
    assert_eq!(headers(&asked), pairs(&defaults));
    assert_eq!(asked.headers("host"), [host]);
    assert_eq!(asked.headers("user-agent"), [concat!("http-sse/", env!("CARGO_PKG_VERSION"))]);
    assert_eq!(asked.body(), b"");
}

#[test]
fn a_url_goes_out_as_a_browser_would_send_it() {
    for (path, sent) in [
        ("/?ids[]=1&ids[]=2&f={id}|^%&q=`\\", "/?ids[]=1&ids[]=2&f={id}|^%&q=`\\"),
        ("/[1]/a|b/100%/%zz", "/[1]/a|b/100%/%zz"),
        ("/a b/{id}^?c d'\u{fc}#part", "/a%20b/%7Bid%7D%5E?c%20d%27%C3%BC"),
        ("/s?X-Sig=0a%2B%2f%3d&t=20260101T000000Z", "/s?X-Sig=0a%2B%2f%3d&t=20260101T000000Z"),
        ("/a/../b;c=%2F\\c?d=e", "/b;c=%2F/c?d=e"),
        ("/x#part", "/x"),
        ("?x", "/?x"),
    ] {
        assert_eq!(asked(|url| Request::get(url + path)).path(), sent, "{path}");
    }
    assert_eq!(asked(|url| Request::get(url + "/?f={x}").query("y", "[]")).path(), "/?f={x}&y=%5B%5D");
}

#[test]
fn mockito_matches_a_request_with_everything_set() {
    let mut server = mockito::Server::new();
    let mock = server
        .mock("POST", "/chat")
        .match_query(Matcher::AllOf(vec![
            Matcher::UrlEncoded("topic".into(), "a b&c".into()),
            Matcher::UrlEncoded("lang".into(), "ü".into()),
        ]))
        .match_header("accept", EVENT_STREAM)
        .match_header("cache-control", "no-cache")
        .match_header("accept-encoding", "identity")
        .match_header("user-agent", "greenhouse/2")
        .match_header("authorization", "Bearer secret")
        .match_header("x-device", "7")
        .match_header("last-event-id", "41")
        .match_header("content-type", "application/json")
        .match_body(Matcher::Json(serde_json::json!({ "model": "m", "stream": true })))
        .with_header("content-type", EVENT_STREAM)
        .with_body("data: hello\n\n")
        .expect(1)
        .create();
    let client = Client::builder().no_proxy().user_agent("greenhouse/2").header("X-Device", "7").build().unwrap();
    let request = Request::post(server.url() + "/chat")
        .query("topic", "a b&c")
        .query("lang", "ü")
        .bearer_auth("secret")
        .last_event_id("41")
        .json(&serde_json::json!({ "model": "m", "stream": true }));
    let seen = drain(&client.connect("chat", request).unwrap());
    assert_eq!(seen.data, ["hello"]);
    mock.assert();
}

#[test]
fn mockito_sees_no_header_that_was_not_asked_for() {
    let mut server = mockito::Server::new();
    let mut mock = server.mock("GET", "/").with_header("content-type", EVENT_STREAM).expect(1);
    for name in ["content-type", "content-length", "transfer-encoding", "last-event-id", "authorization", "cookie"] {
        mock = mock.match_header(name, Matcher::Missing);
    }
    let mock = mock.create();
    run(Request::get(server.url()).retry(RetryPolicy::never()));
    mock.assert();
}

#[test]
fn any_method_token_goes_out_as_it_is_spelled() {
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "REPORT", "get", "Sub-Scribe", "M!#$%&'*+.^_`|~"]
    {
        assert_eq!(asked(|url| Request::new(method, url)).method(), method);
    }
}

#[test]
fn a_header_replaces_the_default_in_whatever_case() {
    let asked = asked(|url| {
        Request::get(url)
            .header("ACCEPT", "*/*")
            .header("Cache-control", "no-store")
            .header("accept-ENCODING", "")
            .header("User-AGENT", "mine")
    });
    for (name, value) in
        [("accept", "*/*"), ("cache-control", "no-store"), ("accept-encoding", ""), ("user-agent", "mine")]
    {
        assert_eq!(asked.headers(name), [value], "{name}");
    }
}

#[test]
fn the_last_of_equal_headers_counts() {
    let asked = asked(|url| Request::get(url).header("X-Key", "1").header("x-key", "2").header("X-KEY", "3"));
    assert_eq!(asked.headers("x-key"), ["3"]);
}

#[test]
fn an_appended_header_stands_beside_the_others_in_order() {
    let asked =
        asked(|url| Request::get(url).header("X-Key", "1").append_header("x-key", "2").append_header("Cookie", "a=b"));
    assert_eq!(asked.headers("x-key"), ["1", "2"]);
    assert_eq!(asked.headers("cookie"), ["a=b"]);
}

#[test]
fn a_header_after_an_appended_one_replaces_them_all() {
    let asked =
        asked(|url| Request::get(url).append_header("x-key", "1").append_header("x-key", "2").header("x-key", "3"));
    assert_eq!(asked.headers("x-key"), ["3"]);
}

#[test]
fn a_client_header_is_on_every_request_unless_the_request_has_its_own() {
    let client = Client::builder().no_proxy().header("X-Client", "c").header("X-Both", "c").build().unwrap();
    let asked = asked_by(&client, |url| Request::get(url).header("x-both", "r"));
    assert_eq!((asked.headers("x-client"), asked.headers("x-both")), (vec!["c"], vec!["r"]));
}

#[test]
fn a_client_header_replaces_the_defaults() {
    let client = Client::builder().no_proxy().header("Accept", "*/*").user_agent("one").user_agent("two").build();
    let asked = asked_by(&client.unwrap(), Request::get);
    assert_eq!((asked.headers("accept"), asked.headers("user-agent")), (vec!["*/*"], vec!["two"]));
}

#[test]
fn a_header_value_goes_out_as_utf_8() {
    assert_eq!(asked(|url| Request::get(url).header("X-Name", "Grüße")).headers("x-name"), ["Grüße"]);
}

#[test]
fn a_header_line_may_be_longer_than_the_output_buffer() {
    let long = "x".repeat(12_000);
    assert_eq!(asked(|url| Request::get(url).bearer_auth(&long)).headers("authorization"), [format!("Bearer {long}")]);
}

#[test]
fn a_target_may_be_longer_than_the_output_buffer() {
    let long = "x".repeat(12_000);
    assert_eq!(asked(|url| Request::get(url).query("q", &long)).path(), format!("/?q={long}"));
}

#[test]
fn basic_auth_is_base64_of_utf_8() {
    let asked = asked(|url| Request::get(url).basic_auth("Zoë", "p:w"));
    assert_eq!(asked.headers("authorization"), ["Basic Wm/DqzpwOnc="]);
}

#[test]
fn the_query_is_percent_encoded_and_joined_to_what_the_url_has() {
    for (path, target) in [
        ("", "/?a=1+2&b=%26%3D%23%C3%BC"),
        ("/", "/?a=1+2&b=%26%3D%23%C3%BC"),
        ("/x", "/x?a=1+2&b=%26%3D%23%C3%BC"),
        ("/x?", "/x?a=1+2&b=%26%3D%23%C3%BC"),
        ("/x?y", "/x?y&a=1+2&b=%26%3D%23%C3%BC"),
        ("/x?y=%20&", "/x?y=%20&a=1+2&b=%26%3D%23%C3%BC"),
        ("/x#part", "/x?a=1+2&b=%26%3D%23%C3%BC"),
        ("/x?y=1#part?", "/x?y=1&a=1+2&b=%26%3D%23%C3%BC"),
    ] {
        let asked = asked(|url| Request::get(url + path).query("a", "1 2").query("b", "&=#ü"));
        assert_eq!(asked.path(), target, "{path}");
    }
}

#[test]
fn userinfo_becomes_basic_auth_and_stays_out_of_the_request_line() {
    for (userinfo, authorization) in [
        ("user:pass", "Basic dXNlcjpwYXNz"),
        ("us%40er:p%3Aa%2Fss", "Basic dXNAZXI6cDphL3Nz"),
        ("Zo%C3%AB:", "Basic Wm/Dqzo="),
        ("user", "Basic dXNlcjo="),
    ] {
        let mut host = String::new();
        let asked = asked(|url| {
            host = url.trim_start_matches("http://").to_owned();
            Request::get(format!("http://{userinfo}@{host}/x?y"))
        });
        assert_eq!((asked.path(), asked.headers("host")), ("/x?y", vec![&host[..]]), "{userinfo}");
        assert_eq!(asked.headers("authorization"), [authorization], "{userinfo}");
    }
}

#[test]
fn an_authorization_of_the_request_wins_over_userinfo() {
    let asked = asked(|url| Request::get(url.replace("//", "//user:pass@")).bearer_auth("t"));
    assert_eq!(asked.headers("authorization"), ["Bearer t"]);
}

#[test]
fn bodies_carry_their_type_and_length() {
    type Set = fn(Request) -> Request;
    let cases: [(Set, &str, &str); 5] = [
        (|request| request.json(&[1, 2]), "application/json", "[1,2]"),
        (|request| request.text("grüße"), "text/plain; charset=utf-8", "grüße"),
        (|request| request.form([("a", "1 2"), ("b", "&ü")]), "application/x-www-form-urlencoded", "a=1+2&b=%26%C3%BC"),
        (|request| request.body(*b"\0\r\n", "application/octet-stream"), "application/octet-stream", "\0\r\n"),
        (|request| request.body("", "text/empty"), "text/empty", ""),
    ];
    for method in ["GET", "POST", "PUT", "DELETE", "REPORT"] {
        for (with_body, content_type, body) in cases {
            let asked = asked(|url| with_body(Request::new(method, url)));
            assert_eq!(asked.headers("content-type"), [content_type], "{method}");
            assert_eq!(asked.headers("content-length"), [body.len().to_string()], "{method} {content_type}");
            assert_eq!(asked.headers("transfer-encoding"), [""; 0], "{method} {content_type}");
            assert_eq!(asked.body(), body.as_bytes(), "{method} {content_type}");
        }
    }
}

#[test]
fn a_content_type_header_wins_over_the_bodys_own() {
    let asked = asked(|url| Request::post(url).json(&1).header("Content-Type", "application/ld+json"));
    assert_eq!(asked.headers("content-type"), ["application/ld+json"]);
}

#[test]
fn a_large_body_arrives_whole() {
    let body: Vec<u8> = (0..1_000_000_u32).map(|index| index as u8).collect();
    let asked = asked(|url| Request::post(url).body(body.clone(), "application/octet-stream"));
    assert!(asked.body() == body);
}

#[test]
fn without_a_body_only_methods_that_expect_one_send_a_length_of_zero() {
    for (method, lengths) in [
        ("GET", &[][..]),
        ("DELETE", &[]),
        ("OPTIONS", &[]),
        ("REPORT", &[]),
        ("POST", &["0"]),
        ("PUT", &["0"]),
        ("PATCH", &["0"]),
    ] {
        let asked = asked(|url| Request::new(method, url));
        assert_eq!(asked.headers("content-length"), lengths, "{method}");
        assert_eq!(asked.headers("content-type"), [""; 0], "{method}");
        assert_eq!(asked.headers("transfer-encoding"), [""; 0], "{method}");
    }
}

#[test]
fn a_user_supplied_host_header_replaces_that_of_the_url() {
    assert_eq!(asked(|url| Request::get(url).header("Host", "virtual.test")).headers("host"), ["virtual.test"]);
}

#[test]
fn a_repeated_request_is_the_same_to_the_byte() {
    let server = http_sse::testing::Server::start().unwrap();
    let request = Request::post(server.url("/x")).json(&[1]).basic_auth("u", "p").query("a", "b").header("x-key", "1");
    let events = client().connect("again", request.retry(support::exchange::retries(1))).unwrap();
    let ask = || {
        let mut peer = server.accept();
        let asked = peer.request().clone();
        peer.respond(503, &[], "");
        asked
    };
    let (first, second) = (ask(), ask());
    assert_eq!(first, second);
    assert_eq!(drain(&events).failure().status(), Some(503));
}
