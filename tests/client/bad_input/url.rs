//! URLs and origins.

use http_sse::Request;

use super::{URL, assert_names, refusal};
use support::exchange::client;

#[test]
fn a_bad_url_is_refused_and_named() {
    for (url, named) in [
        ("", "\"\""),
        ("/relative", "/relative"),
        ("example.test/x", "example.test/x"),
        ("//example.test", "//example.test"),
        ("ftp://example.test/x", "ftp://example.test/x"),
        ("file:///etc/passwd", "file:///etc/passwd"),
        ("ws://example.test", "ws://example.test"),
        ("http://", "http://"),
        ("http:///x", "http:///x"),
        ("http://?q", "http://"),
        ("http://example test/", "example test"),
        ("http://example.test/a\nb", "/a\\nb"),
        ("http://example.test/a\0b", "/a\\0b"),
        ("http://example.test:99999/", "99999"),
        ("http://example.test:x/", "example.test:x"),
        ("http://example.test:-1/", "-1"),
        ("http://exämple.test/", "exämple.test"),
        ("http://exam%20ple.test/", "exam%20ple.test"),
        ("http://[::1/", "[::1"),
        ("http://[nonsense]/", "[nonsense]"),
        ("http://user@/", "http://"),
        ("http://1.2.3.4.5/", "1.2.3.4.5"),
        ("http://[fe80::1%25]/", "[fe80::1%25]"),
    ] {
        assert_names(&refusal(|| Request::get(url)), named);
    }
}

#[test]
fn a_bad_url_is_refused_with_what_to_do() {
    for (url, advice) in [
        ("example.test/x", "has no scheme (write http:// or https:// in front)"),
        ("example.test:8080/x", "has no scheme (write http:// or https:// in front)"),
        ("localhost:8080", "has no scheme (write http:// or https:// in front)"),
        ("ftp://example.test/x", "is neither http:// nor https://"),
        ("http:/example.test/x", "has no host (write http:// and the host first)"),
        ("http:///x", "has no host"),
        ("http://example test/", "has a space in its host"),
        ("http://exa\u{a0}mple.test/", "has a space in its host"),
        ("http://b\u{fc}cher.test/", "has a host that is not ASCII: write it as \"xn--bcher-kva.test\""),
        ("http://\u{661}.test/", "has a host that is not ASCII: write it as punycode"),
        ("http://example.test:http/", "has an invalid port (must be a number up to 65535)"),
        ("http://[fe80::1%25]/", "has an invalid IPv6 address"),
        ("http://example.test/a\nb", "contains a control character"),
    ] {
        assert_names(&refusal(|| Request::get(url)), advice);
    }
}

#[test]
fn an_ordinary_url_is_accepted() {
    for url in [
        "http://example.test/?ids[]=1&ids[]=2&filter={id}|x^y&share=100%",
        "http://example.test/a b/{id}/|^?c d",
        "http://example.test/\u{fc}?\u{fc}",
        " http://example.test/\n",
        "HTTP://EXAMPLE.TEST",
        "http:\\\\example.test\\x",
        "http://[fe80::1%25eth0]:8080/",
        "http://[fe80::1%eth0]/",
        "http://example.test?x",
        "http://example.test:/",
    ] {
        assert!(client().read("ordinary", Request::get(url)).is_ok(), "{url}");
        assert!(client().read("ordinary", Request::get(url).query("a", "1")).is_ok(), "{url}");
    }
}

#[test]
fn a_bad_url_is_named_without_userinfo_query_and_fragment() {
    for (url, named) in [
        ("ftp://user:secret@example.test/x", "ftp://example.test/x"),
        ("http://user:secret@example.test:x/", "example.test:x"),
        ("http://user:secret@exämple.test/", "exämple.test"),
        ("http://example.test:x/?token=secret", "example.test:x"),
        ("http://example.test:x/#secret", "example.test:x"),
        ("http://example.test:x/?mail=a@b.test&token=secret", "http://…"),
        ("user:secret@example.test//x", "example.test//x"),
        ("ftp://example.test/@name", "ftp://example.test/@name"),
        ("ftp://[::1]/@name", "ftp://[::1]/@name"),
        ("user:secret@example.test/x", "example.test/x"),
        ("http:/user:secret@example.test/x", "example.test/x"),
        ("http:user:secret@example.test/x", "example.test/x"),
        ("http://user:a/secret@example.test/x", "example.test/x"),
        ("http://user:a?secret@example.test/x", "http://…"),
        ("http://user:a#secret@example.test/x", "http://…"),
        ("http://user:secret@secret@example.test:x/", "example.test:x"),
        ("ftp://user:secret/@example.test/x", "example.test/x"),
        ("http://user:secret?@example.test/x", "http://…"),
        ("http:\\\\user:secret@example.test:x\\x", "example.test:x"),
        ("http:///user:secret@example.test/x", "http:///example.test/x"),
        ("http:////user:secret@example.test", "example.test"),
        ("http:/\\/user:secret@example.test", "example.test"),
        ("https:///secret@example.test", "example.test"),
        ("http://user:secret%40example.test/", "example.test"),
        ("ftp://user:1/secret@example.test:x/", "example.test:x"),
        ("ftp://http:///user:secret@example.test/", "example.test"),
    ] {
        assert_names(&refusal(|| Request::get(url)), named);
        let debug = format!("{:?}", Request::get(url));
        assert!(!debug.contains("secret"), "{debug}");
    }
}

#[test]
fn what_is_no_origin_is_not_trusted() {
    for (origin, named) in [
        ("example.test", "has no scheme"),
        ("https://example.test/x", "the origin \"https://example.test/x\" must be only"),
        ("https://user:secret@example.test", "the origin \"https://example.test/\" must be only"),
        ("https://example.test?secret", "must be only"),
        ("https://*.example.test/*", "must be only"),
        ("ftp://example.test", "is neither"),
    ] {
        assert_names(&refusal(|| Request::get(URL).trust_origin(origin)), named);
    }
    assert!(client().read("trust", Request::get(URL).trust_origin("HTTPS://Example.test:443/")).is_ok());
}
