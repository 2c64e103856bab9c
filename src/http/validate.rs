//! Validates user-supplied values; an error names the value without its secrets.

use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use ureq::http::{HeaderName, HeaderValue, Uri};

use super::headers::is_token;
use super::redact::{redacted_nonsense, redacted_text};
use super::url::{self, Parsed};

/// Parses a URL; returns it without user name and password, and the `Authorization` for them.
pub(crate) fn parse_url(text: &str) -> Result<(Uri, Option<HeaderValue>), String> {
    let bad = |why: &str| format!("the URL {:?} {why}", redacted_nonsense(text));
    // Browsers drop some and encode others: in a program they are an error.
    if text.trim_matches(|character| character <= ' ').contains(|character: char| character.is_ascii_control()) {
        return Err(bad("contains a control character"));
    }
    let Parsed { uri, userinfo } = url::parse(text.as_bytes(), None).map_err(|why| bad(&why))?;
    if uri.scheme_str() == Some("https") && cfg!(not(feature = "tls")) {
        return Err(format!("the URL {:?} needs the feature `tls`", redacted_text(text)));
    }
    Ok((uri, userinfo.map(|userinfo| basic_of(&userinfo))))
}

/// Parses an origin, with or without a trailing slash.
pub(crate) fn parse_origin(text: &str) -> Result<Uri, String> {
    let (url, authorization) = parse_url(text)?;
    // The URL itself is normalised.
    if authorization.is_some() || url.path() != "/" || text.contains(['?', '#']) {
        return Err(format!("the origin {:?} must be only scheme, host and port", redacted_text(text)));
    }
    Ok(url)
}

/// Builds an `Authorization` from the percent-encoded user name and password of a URL.
pub(super) fn basic_of(userinfo: &str) -> HeaderValue {
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let decode = |text| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    basic(&decode(user), &decode(password))
}

/// Builds an `Authorization` of RFC 7617; it never appears in a log or a debug text.
pub(crate) fn basic(user: &[u8], password: &[u8]) -> HeaderValue {
    use base64::Engine;
    let pair = [user, b":", password].concat();
    let text = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
    // Base64 is valid in a header.
    let mut value = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// Checks a user-supplied header; the error names it, never its value.
pub(crate) fn parse_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let header: HeaderName = name.parse().map_err(|_| format!("invalid header name {:?}", up_to_illegal(name)))?;
    match header.as_str() {
        "content-length" | "transfer-encoding" | "connection" | "keep-alive" | "te" | "trailer" | "upgrade"
        | "expect" => {
            return Err(format!("the header {header} is set by the library"));
        }
        "last-event-id" => return Err("the header last-event-id is set by last_event_id()".into()),
        _ => {}
    }
    let mut value = HeaderValue::from_bytes(value.as_bytes())
        .map_err(|_| format!("the value of the header {header} contains control characters"))?;
    value.set_sensitive(header == AUTHORIZATION || header.as_str() == "cookie");
    if header == HOST && value.is_empty() {
        return Err("the header host is empty".into());
    }
    Ok((header, value))
}

/// Checks a user-supplied content type.
pub(crate) fn content_type(value: &str) -> Result<(HeaderName, HeaderValue), String> {
    parse_header(CONTENT_TYPE.as_str(), value)
}

/// Returns the start of a header name: a whole header line must not show its value.
fn up_to_illegal(name: &str) -> &str {
    let illegal = name.char_indices().find(|(_, character)| !u8::try_from(*character).is_ok_and(is_token));
    illegal.map_or(name, |(at, character)| &name[..at + character.len_utf8()])
}
