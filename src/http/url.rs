//! Parses http and https URLs, and serialises them like browsers (URL Standard §4). Pure functions.
//!
//! Stricter than the standard where that guesses: the authority needs its two slashes. A zone of an IPv6 address, which
//! the standard does not define, is allowed (RFC 6874).

mod host;
mod punycode;

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use ureq::http::Uri;

pub(crate) use host::{HostNames, host_names};

/// URL Standard §1.3, "special-query percent-encode set"; what is not ASCII is always encoded.
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'\'');
/// URL Standard §1.3, "path percent-encode set".
const PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'?').add(b'^').add(b'`').add(b'{').add(b'}');

/// A URL without fragment, and the userinfo before its host.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) uri: Uri,
    /// Still percent-encoded; never empty.
    pub(super) userinfo: Option<String>,
}

/// Parses a URL; a relative one is resolved against `base`.
///
/// The error continues the phrase "the URL": what is wrong and what to do, without any part that may be secret.
pub(super) fn parse(text: &[u8], base: Option<&Uri>) -> Result<Parsed, String> {
    let is_space = |byte: &u8| *byte <= b' ';
    let start = text.iter().position(|byte| !is_space(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    let text: Vec<u8> = text[start..end].iter().copied().filter(|byte| !b"\t\n\r".contains(byte)).collect();
    // A fragment is never sent.
    let text = text.split(|byte| *byte == b'#').next().unwrap_or_default();
    match split_scheme(text) {
        Some((scheme, rest)) => match (scheme.as_str(), base) {
            ("http" | "https", _) if has_authority(rest) => absolute(&scheme, &rest[2..], base),
            ("http" | "https", Some(base)) if base.scheme_str() == Some(&*scheme) => relative(rest, base),
            ("http" | "https", _) => Err(format!("has no host (write {scheme}:// and the host first)")),
            (_, base) if base.is_some() || has_authority(rest) => Err("is neither http:// nor https://".into()),
            // It may be a host with a port.
            _ => Err(NO_SCHEME.into()),
        },
        None => relative(text, base.ok_or(NO_SCHEME)?),
    }
}

const NO_SCHEME: &str = "has no scheme (write http:// or https:// in front)";

/// Returns the lower-case scheme and what follows its colon.
fn split_scheme(text: &[u8]) -> Option<(String, &[u8])> {
    let colon = text.iter().position(|byte| *byte == b':')?;
    let scheme = std::str::from_utf8(&text[..colon]).ok()?;
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let is_sound = scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(is_scheme);
    is_sound.then(|| (scheme.to_ascii_lowercase(), &text[colon + 1..]))
}

fn is_slash(byte: u8) -> bool {
    matches!(byte, b'/' | b'\\')
}

fn has_authority(rest: &[u8]) -> bool {
    rest.len() >= 2 && rest[..2].iter().all(|byte| is_slash(*byte))
}

/// Parses what follows the two slashes.
fn absolute(scheme: &str, rest: &[u8], base: Option<&Uri>) -> Result<Parsed, String> {
    let end = rest.iter().position(|byte| is_slash(*byte) || *byte == b'?').unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let (userinfo, host_and_port) = match authority.iter().rposition(|byte| *byte == b'@') {
        Some(at) => (&authority[..at], &authority[at + 1..]),
        None => (&[][..], authority),
    };
    let (host, port) = split_port(host_and_port);
    // Part of a password that contains a slash, or of the user name before it, must not be shown.
    let may_show = !authority.contains(&b'@') && !rest.contains(&b'@');
    let host = host::serialise(host, may_show, base)?;
    let port = match parse_port(port)? {
        Some(80) if scheme == "http" => String::new(),
        Some(443) if scheme == "https" => String::new(),
        Some(port) => format!(":{port}"),
        None => String::new(),
    };
    let (path, query) = split_query(rest);
    let uri = assemble(&format!("{scheme}://{host}{port}"), path, query)?;
    let userinfo = (!userinfo.is_empty()).then(|| String::from_utf8_lossy(userinfo).into_owned());
    Ok(Parsed { uri, userinfo })
}

fn relative(rest: &[u8], base: &Uri) -> Result<Parsed, String> {
    let scheme = base.scheme_str().unwrap_or_default();
    if has_authority(rest) {
        return absolute(scheme, &rest[2..], Some(base));
    }
    let origin = format!("{scheme}://{}", base.authority().map(|authority| authority.as_str()).unwrap_or_default());
    let (path, query) = split_query(rest);
    let base_path = base.path();
    let directory = &base_path[..=base_path.rfind('/').unwrap_or(0)];
    let (path, query) = match path.first() {
        None => (base_path.as_bytes().to_vec(), query.or(base.query().map(str::as_bytes))),
        Some(first) if is_slash(*first) => (path.to_vec(), query),
        Some(_) => ([directory.as_bytes(), path].concat(), query),
    };
    Ok(Parsed { uri: assemble(&origin, &path, query)?, userinfo: None })
}

fn split_query(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|byte| *byte == b'?') {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

/// Splits at the last colon outside brackets.
fn split_port(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().rposition(|byte| matches!(byte, b':' | b']')) {
        Some(at) if text[at] == b':' => (&text[..at], &text[at + 1..]),
        _ => (text, &[]),
    }
}

fn parse_port(port: &[u8]) -> Result<Option<u16>, String> {
    if port.is_empty() {
        return Ok(None);
    }
    let digits = std::str::from_utf8(port).ok().filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    let port = digits.and_then(|digits| digits.parse().ok());
    port.map(Some).ok_or_else(|| "has an invalid port (must be a number up to 65535)".into())
}

/// Assembles a URL; `http::Uri` accepts every path and query that is encoded with the sets above.
fn assemble(origin: &str, path: &[u8], query: Option<&[u8]>) -> Result<Uri, String> {
    let mut text = format!("{origin}{}", normal_path(path));
    if let Some(query) = query {
        text.push('?');
        text.extend(percent_encode(query, QUERY));
    }
    text.parse().map_err(|_| {
        // The limit of `http::Uri`.
        if text.len() > usize::from(u16::MAX) - 1 { "is longer than 65,534 bytes" } else { "is malformed" }.into()
    })
}

/// URL Standard §4.4, "path state": removes dot segments, and encodes characters that are not allowed in a path.
fn normal_path(path: &[u8]) -> String {
    let path = if path.first().is_some_and(|byte| is_slash(*byte)) { &path[1..] } else { path };
    let mut normal = String::with_capacity(path.len() + 1);
    let mut parts = path.split(|byte| is_slash(*byte)).peekable();
    while let Some(part) = parts.next() {
        match dots(part) {
            0 => {
                normal.push('/');
                normal.extend(percent_encode(part, PATH));
                continue;
            }
            1 => {}
            _ => normal.truncate(normal.rfind('/').unwrap_or(0)),
        }
        if parts.peek().is_none() {
            normal.push('/');
        }
    }
    normal
}

/// Returns the number of dots in a dot segment, encoded or not: 1, 2, or 0 for any other segment.
fn dots(mut segment: &[u8]) -> usize {
    let mut count = 0;
    while let [first, rest @ ..] = segment {
        segment = match (first, rest) {
            (b'.', rest) | (b'%', [b'2', b'e' | b'E', rest @ ..]) => rest,
            _ => return 0,
        };
        count += 1;
    }
    if count > 2 { 0 } else { count }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, String> {
        parse(text.as_bytes(), None).map(|parsed| parsed.uri.to_string())
    }

    fn resolved(base: &str, location: &str) -> Result<String, String> {
        parse(location.as_bytes(), Some(&base.parse().unwrap())).map(|parsed| parsed.uri.to_string())
    }

    #[test]
    fn what_a_browser_leaves_as_it_is_stays_as_it_is() {
        for url in [
            "http://a.test/?ids[]=1&ids[]=2",
            "http://a.test/?filter={id}|{name}^2&x=100%&y=`",
            "http://a.test/[1]/a|b/100%/%zz",
            "http://a.test/a%2Fb%2f?c=%C3%BC&d=a+b&e=%20~!*()$,;:@/?",
            "http://a.test//b//?",
            "http://a.test/?a=\\",
            "https://a.test:8443/s?X-Amz-Signature=0a%2B%2F%3D&X-Amz-Date=20260101T000000Z&X-Amz-SignedHeaders=host%3Bx",
            "http://a.test/@user;v=1:2,3",
        ] {
            assert_eq!(parsed(url).as_deref(), Ok(url));
        }
    }

    #[test]
    fn what_a_browser_encodes_is_encoded() {
        for (url, sent) in [
            ("http://a.test/a b?c d", "http://a.test/a%20b?c%20d"),
            ("http://a.test/\"<>^`{}", "http://a.test/%22%3C%3E%5E%60%7B%7D"),
            ("http://a.test/?\"<>'", "http://a.test/?%22%3C%3E%27"),
            ("http://a.test/ü?ü", "http://a.test/%C3%BC?%C3%BC"),
            ("http://a.test/\u{7f}?\u{7f}", "http://a.test/%7F?%7F"),
            ("  http://a.test/x\r\n", "http://a.test/x"),
            ("http://a.test/a\tb\n", "http://a.test/ab"),
        ] {
            assert_eq!(parsed(url).as_deref(), Ok(sent));
        }
        assert_eq!(parse(b"http://a.test/\xfc?\xff", None).unwrap().uri, "http://a.test/%FC?%FF");
    }

    #[test]
    fn a_url_is_brought_into_its_normal_form() {
        for (url, normal) in [
            ("HTTP://A.Test", "http://a.test/"),
            ("http://a.test:80/", "http://a.test/"),
            ("https://a.test:443", "https://a.test/"),
            ("http://a.test:443/", "http://a.test:443/"),
            ("http://a.test:/", "http://a.test/"),
            ("http://a.test:00081/", "http://a.test:81/"),
            ("http://a.test?x", "http://a.test/?x"),
            ("http://a.test/#x?y", "http://a.test/"),
            ("http://a.test/a/./b/../c/%2E%2e/d/.", "http://a.test/a/d/"),
            ("http://a.test/../..", "http://a.test/"),
            ("http://a.test/.../%2/.a", "http://a.test/.../%2/.a"),
            ("http://a.test//../b/", "http://a.test/b/"),
            ("http:\\\\a.test\\b\\..\\c", "http://a.test/c"),
        ] {
            assert_eq!(parsed(url).as_deref(), Ok(normal));
        }
    }

    #[test]
    fn userinfo_ends_at_the_last_at_sign_before_the_path() {
        for (url, userinfo, uri) in [
            ("http://user:pw@a.test/@x", Some("user:pw"), "http://a.test/@x"),
            ("http://user:p@w@a.test:81", Some("user:p@w"), "http://a.test:81/"),
            ("http://us%40er@a.test", Some("us%40er"), "http://a.test/"),
            ("http://@a.test", None, "http://a.test/"),
            ("http://a.test/", None, "http://a.test/"),
        ] {
            let parsed = parse(url.as_bytes(), None).unwrap();
            assert_eq!((parsed.userinfo.as_deref(), parsed.uri.to_string().as_str()), (userinfo, uri));
        }
    }

    #[test]
    fn an_error_says_what_to_do() {
        for (url, why) in [
            ("", "no scheme"),
            ("a.test/x", "http:// or https://"),
            ("a.test:8080/x", "http:// or https://"),
            ("localhost:8080", "http:// or https://"),
            ("//a.test", "http:// or https://"),
            ("1http://a.test", "http:// or https://"),
            ("ftp://a.test", "neither"),
            ("http:a.test", "no host"),
            ("http:/a.test", "no host"),
            ("http://", "no host"),
            ("http:///a.test", "no host"),
            ("http://?x", "no host"),
            ("http://user@", "no host"),
            ("http://a.test:x/", "port"),
            ("http://a.test:+1/", "port"),
            ("http://a.test:65536/", "65535"),
        ] {
            let error = parsed(url).unwrap_err();
            assert!(error.contains(why), "{url}: {error}");
        }
        let long = format!("http://a.test/{}", "x".repeat(70_000));
        assert!(parsed(&long).unwrap_err().contains("longer than"));
    }

    #[test]
    fn a_reference_is_resolved_against_its_base() {
        let base = "http://a.test:81/b/c/d?q";
        for (location, url) in [
            ("/x", "http://a.test:81/x"),
            ("x", "http://a.test:81/b/c/x"),
            ("../x?y", "http://a.test:81/b/x?y"),
            ("../../../../x", "http://a.test:81/x"),
            ("./", "http://a.test:81/b/c/"),
            ("?y", "http://a.test:81/b/c/d?y"),
            ("", "http://a.test:81/b/c/d?q"),
            ("#part", "http://a.test:81/b/c/d?q"),
            ("//other.test/x", "http://other.test/x"),
            ("\\\\other.test\\x", "http://other.test/x"),
            ("http:x", "http://a.test:81/b/c/x"),
            ("http:/x", "http://a.test:81/x"),
            ("https://a.test/x#part", "https://a.test/x"),
            ("x:y", "neither http:// nor https://"),
            ("./x:y", "http://a.test:81/b/c/x:y"),
            ("a|b?ids[]={1}^%", "http://a.test:81/b/c/a|b?ids[]={1}^%"),
            ("/with space/ü", "http://a.test:81/with%20space/%C3%BC"),
        ] {
            match resolved(base, location) {
                Ok(resolved) => assert_eq!(resolved, url, "{location}"),
                Err(error) => assert!(error.contains(url), "{location}: {error}"),
            }
        }
        assert!(resolved(base, "https:/x").is_err(), "a scheme of its own needs a host of its own");
    }

    /// Some of everything that means something, put together by the numbers of a xorshift: the same each time.
    fn urls() -> impl Iterator<Item = String> {
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        let mut below = move |limit: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as usize % limit
        };
        std::iter::repeat_with(move || {
            let head = ["", "http://", "http://a.test/"][below(3)];
            let tail: String = (0..below(10)).map(|_| PIECES[below(PIECES.len())]).collect();
            head.to_owned() + &tail
        })
    }

    #[rustfmt::skip]
    const PIECES: &[&str] = &[
        "http:", "HTTPS:", "//", "/", "\\", "a.test", "127.1", "0x7f", "[::1]", "[fe80::1%eth0]", ":80", ":", "@", "?", "#",
        "..", ".", "%2e", "%", "%ff", " ", "\t", "^", "`", "{", "|", "[", "'", "\u{fc}", "\0", "\u{7f}", "\"", "x",
    ];

    #[test]
    fn a_url_that_was_serialised_is_fit_to_be_sent_and_does_not_change_any_more() {
        let base = "http://b.test/c/d?e".parse().unwrap();
        let mut parsed_urls = 0;
        for text in urls().take(5_000) {
            for base in [None, Some(&base)] {
                let Ok(once) = parse(text.as_bytes(), base) else { continue };
                let once = once.uri.to_string();
                assert!(once.bytes().all(|byte| byte.is_ascii_graphic()), "{once}");
                assert_eq!(parsed(&once).as_deref(), Ok(&*once), "{text:?}");
                parsed_urls += 1;
            }
        }
        assert!(parsed_urls > 1_000, "only {parsed_urls} of them parse");
    }
}
