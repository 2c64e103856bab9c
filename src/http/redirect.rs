//! The target of a redirect, and what it may carry (Fetch, "HTTP-redirect fetch"). Pure functions.

use std::sync::Arc;

use ureq::http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION, CONTENT_TYPE, HOST,
    USER_AGENT,
};
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::url::{self, Parsed};

/// What a redirect to another origin may carry.
#[derive(Clone, Debug, Default)]
pub(crate) struct OriginPolicy {
    /// Origins that may receive what the first origin receives.
    pub(crate) trusted: Arc<[Uri]>,
    /// A redirect that would send the body to an untrusted origin is refused.
    pub(crate) keeps_body: bool,
}

impl OriginPolicy {
    /// Drops the headers that `target` must not receive; the error says why the redirect is refused.
    ///
    /// Dropped headers are never restored: the other host may have caused the redirect back to the origin.
    pub(super) fn enter(
        &self,
        origin: &Uri,
        target: &Uri,
        headers: &mut HeaderMap,
        has_body: bool,
    ) -> Result<(), String> {
        if same_origin(origin, target) || self.trusted.iter().any(|trusted| same_origin(trusted, target)) {
            return Ok(());
        }
        if has_body && self.keeps_body {
            return Err("refusing to send the body to another origin".into());
        }
        strip_for_other_origin(headers);
        Ok(())
    }
}

/// Returns `true` if the status redirects; 300, 304 and the rest of 3xx do not.
pub(super) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Resolves a Location against the URL of the response; the error says what is wrong with it.
pub(super) fn target(base: &Uri, location: Option<&HeaderValue>) -> Result<Uri, String> {
    let location = location.ok_or("the response has no Location")?;
    if location.is_empty() {
        return Err("the Location is empty".into());
    }
    let Parsed { uri, userinfo } =
        url::parse(location.as_bytes(), Some(base)).map_err(|why| format!("the Location {why}"))?;
    if userinfo.is_some() {
        return Err("the Location contains a user name".into());
    }
    if base.scheme_str() == Some("https") && uri.scheme_str() == Some("http") {
        return Err("refusing redirect from https to http".into());
    }
    Ok(uri)
}

/// Returns `true` if the two URLs have the same origin: scheme, host and port (HTML §7.1.1).
fn same_origin(one: &Uri, other: &Uri) -> bool {
    let host = |uri: &Uri| uri.host().map(str::to_ascii_lowercase);
    one.scheme() == other.scheme() && host(one) == host(other) && port(one) == port(other)
}

/// Returns the method of the next request; if it changes to `GET`, the body is dropped.
pub(super) fn method(status: u16, method: &Method) -> Method {
    match status {
        303 if *method != Method::HEAD => Method::GET,
        301 | 302 if *method == Method::POST => Method::GET,
        _ => method.clone(),
    }
}

/// Drops the headers that another origin must not receive, and keeps those that describe a body (Fetch,
/// "request-body-header name").
fn strip_for_other_origin(headers: &mut HeaderMap) {
    let last_event_id = HeaderName::from_static("last-event-id");
    let kept = [ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, USER_AGENT, last_event_id];
    let body = [CONTENT_TYPE, CONTENT_LANGUAGE, CONTENT_ENCODING, CONTENT_LOCATION];
    retain(headers, |name| kept.contains(name) || body.contains(name));
}

/// Drops the headers that describe a body that is no longer sent.
pub(super) fn strip_body_headers(headers: &mut HeaderMap) {
    retain(headers, |name| !name.as_str().starts_with("content-"));
}

/// Drops a user-supplied Host header: it was meant for the original URL.
pub(super) fn strip_host(headers: &mut HeaderMap) {
    headers.remove(HOST);
}

fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 })
}

fn retain(headers: &mut HeaderMap, keep: impl Fn(&HeaderName) -> bool) {
    let dropped: Vec<_> = headers.keys().filter(|name| !keep(name)).cloned().collect();
    for name in dropped {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(base: &str, location: &str) -> Result<String, String> {
        let value = HeaderValue::from_bytes(location.as_bytes()).unwrap();
        target(&base.parse().unwrap(), Some(&value)).map(|uri| uri.to_string())
    }

    #[test]
    fn what_must_not_be_followed_is_an_error() {
        for location in [
            "",
            "file:///etc/passwd",
            "ftp://a.test/",
            "http://user@a.test/",
            "http://[bad",
            "http://a.test:99999/",
            "http:///x",
            "javascript:1",
        ] {
            assert!(resolve("http://a.test/", location).is_err(), "{location}");
        }
        assert!(resolve("https://a.test/", "http://a.test/").is_err());
        assert!(target(&"http://a.test/".parse().unwrap(), None).is_err());
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let same = |one: &str, other: &str| same_origin(&one.parse().unwrap(), &other.parse().unwrap());
        assert!(same("http://a.test/x", "http://A.test:80/y"));
        assert!(!same("http://a.test/", "https://a.test/"));
        assert!(!same("http://a.test/", "http://a.test:8080/"));
        assert!(!same("http://a.test/", "http://b.a.test/"));
    }

    #[test]
    fn methods_change_as_fetch_does_it() {
        for (status, from, to) in [
            (301, Method::POST, Method::GET),
            (302, Method::POST, Method::GET),
            (303, Method::POST, Method::GET),
            (303, Method::PUT, Method::GET),
            (301, Method::PUT, Method::PUT),
            (307, Method::POST, Method::POST),
            (308, Method::POST, Method::POST),
            (302, Method::GET, Method::GET),
        ] {
            assert_eq!(method(status, &from), to, "{status} {from}");
        }
    }
}
