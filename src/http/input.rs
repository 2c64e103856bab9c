//! Checks what the user passed in, and shows it without its secrets.

use std::net::Ipv6Addr;

use ureq::Proxy;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use ureq::http::{HeaderName, HeaderValue, Uri};

use super::judge::is_token;
use super::redirect;

/// Parses and checks a URL of the user's; the error names it without its secrets.
pub(crate) fn parse_url(text: &str) -> Result<(Uri, Option<HeaderValue>), String> {
    let shown = redacted_text(text);
    let bad = |why: &str| format!("the URL {shown:?} {why}");
    let text = percent_encoding::utf8_percent_encode(
        text.split('#').next().unwrap_or_default(),
        // Only what is not ASCII: a host of that kind is refused below, as "%".
        &percent_encoding::AsciiSet::EMPTY,
    )
    .to_string();
    let uri: Uri = text.parse().map_err(|_| bad("is malformed"))?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") if cfg!(feature = "tls") => {}
        Some("https") => return Err(bad("needs the feature `tls`")),
        _ => return Err(bad("is neither http:// nor https://")),
    }
    let host = uri.host().unwrap_or_default();
    if !is_host(host) {
        return Err(bad("has no host, or one that is not ASCII (write it as punycode)"));
    }
    if !redirect::port_is_valid(&uri) {
        return Err(bad("has a bad port"));
    }
    let authority = uri.authority().map(|authority| authority.as_str().to_owned()).unwrap_or_default();
    let Some((userinfo, host_and_port)) = authority.rsplit_once('@') else { return Ok((uri, None)) };
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let decode = |text| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    let authorization = basic(&decode(user), &decode(password));
    let mut parts = uri.into_parts();
    parts.authority = Some(host_and_port.parse().map_err(|_| bad("is malformed"))?);
    let uri = Uri::from_parts(parts).map_err(|_| bad("is malformed"))?;
    Ok((uri, Some(authorization)))
}

/// Builds an `Authorization` of RFC 7617; it never appears in a log or a debug text.
pub(crate) fn basic(user: &[u8], password: &[u8]) -> HeaderValue {
    use base64::Engine;
    let pair = [user, b":", password].concat();
    let text = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
    // Base64 is legal in a header.
    let mut value = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// Checks a header of the user's; the error names it, never its value.
pub(crate) fn parse_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let header: HeaderName = name.parse().map_err(|_| format!("{:?} is not a header name", up_to_illegal(name)))?;
    match header.as_str() {
        "content-length" | "transfer-encoding" | "connection" | "keep-alive" | "te" | "trailer" | "upgrade"
        | "expect" => {
            return Err(format!("the header {header} is set by the library"));
        }
        "last-event-id" => return Err("the header last-event-id is set by last_event_id()".into()),
        _ => {}
    }
    let mut value = HeaderValue::from_bytes(value.as_bytes())
        .map_err(|_| format!("the value of the header {header} holds control characters"))?;
    value.set_sensitive(header == AUTHORIZATION || header.as_str() == "cookie");
    if header == HOST && value.is_empty() {
        return Err("the header host is empty".into());
    }
    Ok((header, value))
}

/// Checks a content type of the user's.
pub(crate) fn content_type(value: &str) -> Result<(HeaderName, HeaderValue), String> {
    parse_header(CONTENT_TYPE.as_str(), value)
}

/// Checks a proxy's URL; the error shows it without user name and password.
pub(crate) fn parse_proxy(url: &str, from: &str) -> Result<Proxy, String> {
    let shown = redacted_text(url);
    let not_a_url = || format!("the proxy {shown:?} of {from} is not a URL");
    let proxy = Proxy::new(url).map_err(|_| not_a_url())?;
    // ureq takes a port that is none for the default.
    if !is_host(proxy.host()) || !redirect::port_is_valid(proxy.uri()) {
        return Err(not_a_url());
    }
    match proxy.protocol() {
        ureq::ProxyProtocol::Http => Ok(proxy),
        ureq::ProxyProtocol::Https if cfg!(feature = "tls") => Ok(proxy),
        _ => Err(format!("the proxy {shown:?} of {from} is not an HTTP proxy")),
    }
}

/// Finds the proxy of the environment, where ureq looks for it: the first variable that is set counts.
pub(crate) fn environment_proxy() -> Result<Option<Proxy>, String> {
    for name in ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] {
        match std::env::var(name) {
            Ok(url) if !url.is_empty() => {
                parse_proxy(&url, &format!("the environment variable {name}"))?;
                // Once more by ureq, which adds what NO_PROXY says.
                return Ok(Proxy::try_from_env());
            }
            _ => {}
        }
    }
    Ok(None)
}

/// A URL without query and user name, for logs.
pub(super) fn redacted(url: &Uri) -> String {
    let host = url.authority().map(|authority| authority.as_str().rsplit('@').next().unwrap_or_default());
    format!("{}://{}{}", url.scheme_str().unwrap_or_default(), host.unwrap_or_default(), url.path())
}

/// The same for a text that need not be a URL: secrets may stand in front of any `@`, and behind `?` and `#`.
pub(crate) fn redacted_text(text: &str) -> String {
    let is_scheme = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.:".contains(&byte));
    let (scheme, rest) = match text.find("//") {
        Some(slashes) if is_scheme(&text[..slashes]) => text.split_at(slashes + 2),
        _ => ("", text),
    };
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let authority = path.split('/').next().unwrap_or_default();
    let port = authority.rsplit(']').next().unwrap_or_default().rsplit_once(':').map(|(_, port)| port);
    let is_sound = port.is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    let shown = match path.rfind('@') {
        None if is_sound || !rest.contains('@') => path,
        // A password with a raw `?` or `#`, or a bad port and a query with an `@`: nothing can be shown.
        None => "…",
        Some(_) if is_sound && !authority.contains('@') => path,
        // A password with a raw `/` ends the authority too early.
        Some(at) => &path[at + 1..],
    };
    format!("{scheme}{shown}")
}

/// Whether a connection can be made to it, as far as its spelling tells.
fn is_host(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(address) => address.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => !host.is_empty() && !host.contains('%'),
    }
}

/// Returns the start of a header's name: a whole header line must not show its value.
fn up_to_illegal(name: &str) -> &str {
    let illegal = name.char_indices().find(|(_, character)| !u8::try_from(*character).is_ok_and(is_token));
    illegal.map_or(name, |(at, character)| &name[..at + character.len_utf8()])
}
