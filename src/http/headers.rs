//! Interprets the headers of a response. Pure functions.

use std::time::{Duration, SystemTime};

use log::debug;
use ureq::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, RETRY_AFTER, TRANSFER_ENCODING};
use ureq::http::{HeaderMap, Method};

use super::framing::Framing;
use crate::coding::is_coding;

/// Whether the body is an event stream: the MIME essence of the last valid item (Fetch, "extract a MIME type").
pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    content_type(headers).is_some_and(|essence| essence.eq_ignore_ascii_case("text/event-stream"))
}

/// Returns all Content-Type values as received, for the error.
pub(super) fn content_type_text(headers: &HeaderMap) -> Option<String> {
    headers.contains_key(CONTENT_TYPE).then(|| joined(headers, CONTENT_TYPE.as_str()))
}

/// Returns the start of a body as text, with invalid UTF-8 replaced. A character cut by the limit is omitted.
pub(crate) fn start_of_text(start: &[u8], limit: usize) -> String {
    let is_incomplete = |bytes| std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none());
    let is_cut = start.len() >= limit;
    let mut text = String::new();
    let mut chunks = start.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        text.push_str(chunk.valid());
        let is_left_out = is_cut && chunks.peek().is_none() && is_incomplete(chunk.invalid());
        if !(is_left_out || chunk.invalid().is_empty()) {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    text
}

/// Returns `true` if the start of a body is text, whatever coding its header names: no compressor produces text.
pub(super) fn is_text(start: &[u8]) -> bool {
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        // Its last character may be cut.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && !text.contains(|character: char| character.is_control() && !character.is_whitespace())
}

/// Returns the Content-Encoding if it changes the body; `id` is the connection's, for the log.
pub(super) fn content_encoding(id: &str, headers: &HeaderMap) -> Option<String> {
    let value = joined(headers, CONTENT_ENCODING.as_str());
    if value.split(',').map(str::trim).any(is_coding) {
        return Some(value);
    }
    if !value.is_empty() {
        debug!("sse {id}: ignoring a content encoding that does not change the body");
    }
    None
}

/// Decides how a body is framed (RFC 9112 section 6.3).
///
/// `chunked` also counts with HTTP/1.0, named once or several times, and overrides a length; `identity` has no effect.
/// Any other transfer coding is an error: it was not requested, and the bytes would not be the stream.
pub(super) fn framing(method: &Method, status: u16, headers: &HeaderMap) -> Result<Framing, &'static str> {
    if *method == Method::HEAD || matches!(status, 204 | 304) {
        return Ok(Framing::Length(0));
    }
    let mut is_chunked = false;
    for value in headers.get_all(TRANSFER_ENCODING) {
        for coding in String::from_utf8_lossy(value.as_bytes()).split(',').map(str::trim) {
            match coding {
                "" => {}
                _ if coding.eq_ignore_ascii_case("identity") => {}
                _ if coding.eq_ignore_ascii_case("chunked") => is_chunked = true,
                _ => return Err("it has a transfer coding that was not requested"),
            }
        }
    }
    if is_chunked {
        return Ok(Framing::chunked());
    }
    let mut length = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        for text in String::from_utf8_lossy(value.as_bytes()).split(',').map(str::trim) {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let found = text.parse().ok().filter(|_| digits).ok_or("its content length is not a number")?;
            if *length.get_or_insert(found) != found {
                return Err("it has conflicting content lengths");
            }
        }
    }
    Ok(length.map_or(Framing::Close, Framing::Length))
}

/// Returns the delay of `Retry-After`: seconds, or a date relative to the response's own `Date`.
///
/// A past or invalid date is `None`.
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
    use crate::coding::CODINGS;
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
    fn a_character_that_the_limit_cuts_is_left_out() {
        for (start, shown) in [
            (&b"ab\xc3"[..], "ab"),
            (b"a\xff\xc3", "a\u{fffd}"),
            (b"ab\xff", "ab\u{fffd}"),
            (b"\xe2\x82\xac", "\u{20ac}"),
            (b"a\xc3", "a\u{fffd}"),
            (b"", ""),
        ] {
            assert_eq!(start_of_text(start, 3), shown, "{start:?}");
        }
    }

    #[test]
    fn text_is_distinguished_from_compressed_data() {
        for text in [&b"busy"[..], b"{\r\n\t\"error\": \"no\"\n}", "r\u{e9}sum\u{e9}".as_bytes(), b"caf\xc3"] {
            assert!(is_text(text), "{text:?}");
        }
        // gzip, zlib, zstd, brotli; and nothing.
        for other in
            [&b"\x1f\x8b\x08"[..], b"\x78\x9c\x4b", b"\x28\xb5\x2f\xfd", b"\x0b\x02\x80busy\x03", b"caf\xe9 ", b""]
        {
            assert!(!is_text(other), "{other:?}");
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

    fn framing_of(pairs: &[(&'static str, &'static str)]) -> Result<Framing, &'static str> {
        framing(&Method::GET, 200, &headers(pairs))
    }

    #[test]
    fn the_headers_decide_how_a_body_is_framed() {
        let coding = "transfer-encoding";
        assert_eq!(framing_of(&[]), Ok(Framing::Close));
        assert_eq!(framing_of(&[("content-length", "5")]), Ok(Framing::Length(5)));
        assert_eq!(framing_of(&[("content-length", "5, 5"), ("content-length", "5")]), Ok(Framing::Length(5)));
        assert_eq!(framing_of(&[(coding, "identity")]), Ok(Framing::Close));
        assert_eq!(framing_of(&[(coding, "identity"), ("content-length", "5")]), Ok(Framing::Length(5)));
        for pairs in [
            &[(coding, "chunked")][..],
            &[(coding, "Chunked")],
            &[(coding, "chunked, chunked")],
            &[(coding, "chunked"), (coding, "chunked")],
            &[(coding, " , chunked,")],
            &[(coding, "identity, chunked")],
            &[(coding, "chunked"), ("content-length", "5")],
        ] {
            assert_eq!(framing_of(pairs), Ok(Framing::chunked()), "{pairs:?}");
        }
    }

    #[test]
    fn framing_that_is_not_understood_is_an_error() {
        for pairs in [
            &[("transfer-encoding", "gzip, chunked")][..],
            &[("transfer-encoding", "chunked, gzip")],
            &[("transfer-encoding", "gzip"), ("transfer-encoding", "chunked")],
            &[("transfer-encoding", "chunked;q=1")],
            &[("transfer-encoding", "x")],
            &[("content-length", "5"), ("content-length", "6")],
            &[("content-length", "5, 6")],
            &[("content-length", "+5")],
            &[("content-length", "")],
            &[("content-length", "99999999999999999999")],
        ] {
            assert!(framing_of(pairs).is_err(), "{pairs:?}");
        }
    }

    #[test]
    fn some_responses_have_no_body_whatever_the_headers_say() {
        let map = headers(&[("transfer-encoding", "chunked")]);
        for (method, status) in [(Method::HEAD, 200), (Method::GET, 204), (Method::GET, 304)] {
            assert_eq!(framing(&method, status, &map), Ok(Framing::Length(0)));
        }
    }
}
