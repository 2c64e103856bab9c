//! Shows URLs without parts that may be secret: user name and password, query and fragment.

use ureq::http::Uri;

use super::url;

/// A URL without query and user name, for logs.
pub(super) fn redacted(url: &Uri) -> String {
    let host = url.authority().map(|authority| authority.as_str().rsplit('@').next().unwrap_or_default());
    // A URL pasted after another scheme: its host and password are part of the path here.
    let is_userinfo = |segment: &str| segment.split_once('@').is_some_and(|(front, _)| front.contains(':'));
    let path = if url.path().split('/').any(is_userinfo) { "/…" } else { url.path() };
    format!("{}://{}{path}", url.scheme_str().unwrap_or_default(), host.unwrap_or_default())
}

/// The same for a text that may not be a URL.
pub(crate) fn redacted_text(text: &str) -> String {
    match url::parse(text.as_bytes(), None) {
        Ok(parsed) => redacted(&parsed.uri),
        Err(_) => redacted_nonsense(text),
    }
}

/// The same for a text that is not a URL: secrets may be before any `@`, and after `?` and `#`.
pub(super) fn redacted_nonsense(text: &str) -> String {
    let (scheme, rest) = text.split_at(scheme_length(text));
    let visible = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
    // An encoded `@` means that too much was encoded.
    let at_sign = |text: &str| [text.rfind('@').map(|at| at + 1), text.rfind("%40").map(|at| at + 3)].into_iter().max();
    let authority = visible.split(['/', '\\']).next().unwrap_or_default();
    let port_or_password = authority.rsplit(']').next().unwrap_or_default().contains(':');
    let shown = match at_sign(visible).flatten() {
        // A password with a raw `?` or `#`, or a query with an `@`: nothing can be shown.
        None if at_sign(rest).flatten().is_some() => "…",
        None => visible,
        // A path that holds one, behind a host.
        Some(_) if !port_or_password && at_sign(authority).flatten().is_none() => visible,
        // A password with a raw `/` ends the authority too early.
        Some(end) if at_sign(&rest[visible.len()..]).flatten().is_none() => &visible[end..],
        Some(_) => "…",
    };
    format!("{scheme}{shown}")
}

/// Returns the length of a scheme and the slashes after it, of any number and kind: 0 without any.
fn scheme_length(text: &str) -> usize {
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let name = text.bytes().position(|byte| !is_scheme(byte)).unwrap_or(text.len());
    let colon = text[name..].strip_prefix(':').map_or(name, |_| name + 1);
    let rest = &text[colon..];
    let slashes = rest.len() - rest.trim_start_matches(['/', '\\']).len();
    let is_sound = slashes > 0 && (colon > name || name == 0);
    if is_sound { colon + slashes } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_spelling_of_a_url_shows_its_secrets() {
        for slashes in ["//", "///", "////", "/", "\\\\", "/\\", "\\", "", "//////"] {
            for scheme in ["http:", "HTTP:", "ftp:", "socks5:", "", " http:", "ht\ttp:", "http::", "1:", "http://http:"]
            {
                for userinfo in [
                    "user:secret@",
                    "secret@",
                    ":secret@",
                    "user:secret%40",
                    "user:a/secret@",
                    "user:1/secret@",
                    "user:1\\secret@",
                    "user:a?secret@",
                    "user:1?secret@",
                    "user:a#secret@",
                    "user:secret@secret@",
                    "user:secret/@",
                    "user:secret?@",
                    "user:[secret@",
                    "user:secret]@",
                    "user: secret@",
                    "secret?@",
                ] {
                    for host in ["a.test/x", "a.test:x", "", "a.test:81/@x?secret#secret", "[::1]:1", "\u{e4}.test"] {
                        let text = format!("{scheme}{slashes}{userinfo}{host}");
                        let shown = redacted_nonsense(&text);
                        assert!(!shown.contains("secret"), "{text:?} is shown as {shown:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        for (text, shown) in [
            ("a.test/x", "a.test/x"),
            ("ftp://a.test/@name", "ftp://a.test/@name"),
            ("ftp://[::1]/@name", "ftp://[::1]/@name"),
            ("http:///x", "http:///x"),
            ("http://a.test:x/", "http://a.test:x/"),
            ("http://user:pw@a.test:x/", "http://a.test:x/"),
            ("http:///user:pw@a.test", "http:///a.test"),
            ("http://a.test:x/?mail=a@b.test&x", "http://…"),
            ("//a.test", "//a.test"),
            ("", ""),
        ] {
            assert_eq!(redacted_nonsense(text), shown);
        }
        assert_eq!(redacted_text("http://http://user:pw@a.test/"), "http://http/…");
        assert_eq!(redacted_text("http://user:pw@a.test:81/b/@name?x=y@z#w"), "http://a.test:81/b/@name");
    }
}
