//! What a response's headers say. Pure functions.

use std::time::{Duration, SystemTime};

use log::debug;
use ureq::http::HeaderMap;
use ureq::http::header::{CONTENT_ENCODING, CONTENT_TYPE, DATE, RETRY_AFTER};

/// The codings that change the body (IANA's registry). Any other word is no coding: `none`, `utf-8`, `binary` are sent.
const CODINGS: [&str; 9] = ["gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress", "dcb", "dcz"];

/// Whether the body is an event stream: the MIME essence of the last valid item (Fetch, "extract a MIME type").
pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    content_type(headers).is_some_and(|essence| essence.eq_ignore_ascii_case("text/event-stream"))
}

/// Returns all Content-Type values as received, for the error.
pub(super) fn content_type_text(headers: &HeaderMap) -> String {
    joined(headers, CONTENT_TYPE.as_str())
}

/// Returns the Content-Encoding if it changes the body; `id` is the connection's, for the log.
pub(super) fn content_encoding(id: &str, headers: &HeaderMap) -> Option<String> {
    let value = joined(headers, CONTENT_ENCODING.as_str());
    let is_coding = |item: &str| CODINGS.iter().any(|coding| item.eq_ignore_ascii_case(coding));
    if value.split(',').map(str::trim).any(is_coding) {
        return Some(value);
    }
    if !value.is_empty() {
        debug!("sse {id}: ignoring a content encoding that changes nothing");
    }
    None
}

/// Returns how long `Retry-After` asks to wait: seconds, or a date against the response's own `Date`.
///
/// Past or unparsable is `None`.
pub(super) fn retry_after(headers: &HeaderMap, now: impl FnOnce() -> SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    let date = headers.get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    at.duration_since(date.unwrap_or_else(now)).ok()
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    let values = joined(headers, CONTENT_TYPE.as_str());
    list_items(&values).into_iter().rev().find_map(essence).map(str::to_owned)
}

fn essence(item: &str) -> Option<&str> {
    let essence = item.split(';').next().unwrap_or_default().trim();
    let (kind, subtype) = essence.split_once('/')?;
    let valid = |part: &str| !part.is_empty() && part != "*" && part.bytes().all(is_token);
    (valid(kind) && valid(subtype)).then_some(essence)
}

/// Splits at the commas outside quoted strings.
fn list_items(value: &str) -> Vec<&str> {
    let (mut items, mut start, mut quoted, mut escaped) = (vec![], 0, false, false);
    for (index, byte) in value.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                items.push(&value[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    items.push(&value[start..]);
    items
}

fn joined(headers: &HeaderMap, name: &str) -> String {
    let values: Vec<_> =
        headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
    values.join(", ")
}

/// RFC 9110 section 5.6.2.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::http::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn the_essence_of_the_last_valid_content_type_decides() {
        for (values, open) in [
            (&["text/event-stream"][..], true),
            (&["Text/Event-Stream; charset=utf-8"], true),
            (&["text/event-stream;charset=\"a,b\""], true),
            (&["text/html, text/event-stream"], true),
            (&["text/event-stream, text/html"], false),
            (&["text/event-stream, nonsense"], true),
            (&["text/html", "text/event-stream"], true),
            (&["text/event-stream", "*/*"], true),
            (&["text/event-streams"], false),
            (&["text/event stream"], false),
            (&[""], false),
            (&[], false),
        ] {
            let pairs: Vec<_> = values.iter().map(|value| ("content-type", *value)).collect();
            assert_eq!(is_event_stream(&headers(&pairs)), open, "{values:?}");
        }
    }

    #[test]
    fn only_an_encoding_that_changes_the_body_is_reported() {
        let encoding = |pairs: &[(&'static str, &'static str)]| content_encoding("test", &headers(pairs));
        for plain in ["identity", "IDENTITY", "", ",", "none", "utf-8", "binary", "none, utf-8", "x-unknown", "gzip2"] {
            assert_eq!(encoding(&[("content-encoding", plain)]), None, "{plain}");
        }
        for coded in CODINGS.into_iter().chain(["GZip", "identity, br", "none,gzip", "zstd , identity"]) {
            assert_eq!(encoding(&[("content-encoding", coded)]).as_deref(), Some(coded));
        }
        assert_eq!(encoding(&[("content-encoding", "none"), ("content-encoding", "br")]).as_deref(), Some("none, br"));
        assert_eq!(encoding(&[]), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_against_the_servers_clock() {
        let now = || SystemTime::UNIX_EPOCH;
        let seconds = |pairs: &[(&'static str, &'static str)]| retry_after(&headers(pairs), now).map(|d| d.as_secs());
        assert_eq!(seconds(&[("retry-after", "120")]), Some(120));
        assert_eq!(seconds(&[("retry-after", "99999999999999999999999999")]), Some(u64::MAX));
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(seconds(&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), date]), Some(30));
        assert_eq!(seconds(&[("retry-after", "Sun, 06 Nov 1994 08:49:07 GMT"), date]), None);
        assert_eq!(seconds(&[("retry-after", "Thu, 01 Jan 1970 00:00:09 GMT")]), Some(9));
        for nonsense in ["soon", "-1", "+5", "1.5", ""] {
            let mut map = HeaderMap::new();
            map.insert(RETRY_AFTER, HeaderValue::from_str(nonsense).unwrap());
            assert_eq!(retry_after(&map, now), None, "{nonsense}");
        }
    }
}
