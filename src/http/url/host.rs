//! The host of a URL: names, addresses, zones (URL Standard §3.5; RFC 6874).

use std::net::{Ipv4Addr, Ipv6Addr};

use percent_encoding::percent_decode;
use ureq::http::Uri;

/// URL Standard §3.2, "forbidden domain code point", without controls and the space; and what `http::Uri` refuses.
const FORBIDDEN: &[u8] = b"#/:<>?@[\\]^|%\"`{}";

/// The forms of a URL's host for different uses.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HostNames {
    /// For the resolver: a name or an address, without brackets, with its zone: `fe80::1%eth0`.
    pub(crate) resolver: String,
    /// For TLS and a proxy: the same without the zone.
    pub(crate) tls: String,
    /// For the `Host` header: with brackets and the port unless it is the scheme's own, without the zone (RFC 6874 §4).
    pub(crate) header: String,
    /// The port, or that of the scheme.
    pub(crate) port: u16,
}

/// Returns the names of a URL's host.
pub(crate) fn host_names(url: &Uri) -> HostNames {
    let host = url.host().unwrap_or_default();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let (tls, zone) = bare.split_once("%25").unwrap_or((bare, ""));
    let resolver = if zone.is_empty() { tls.to_owned() } else { format!("{tls}%{zone}") };
    let own = if url.scheme_str() == Some("https") { 443 } else { 80 };
    let port = url.port_u16().unwrap_or(own);
    let mut header = if host.starts_with('[') { format!("[{tls}]") } else { host.to_owned() };
    if port != own {
        header = format!("{header}:{port}");
    }
    HostNames { resolver, tls: tls.to_owned(), header, port }
}

/// Validates a host and returns it as it is sent; the error continues the phrase "the URL".
///
/// A link-local address in a redirect gets the zone of the address that it came from: a server does not know the zone.
pub(super) fn serialise(host: &[u8], may_show: bool, base: Option<&Uri>) -> Result<String, String> {
    if host.is_empty() {
        return Err("has no host".into());
    }
    if let Some(address) = host.strip_prefix(b"[") {
        let address = address.strip_suffix(b"]").and_then(|address| std::str::from_utf8(address).ok());
        return address.and_then(|address| ipv6(address, base)).ok_or_else(|| "has an invalid IPv6 address".into());
    }
    let decoded: Vec<u8> = percent_decode(host).collect();
    let host = std::str::from_utf8(&decoded).map_err(|_| "has a host that is not UTF-8")?.to_ascii_lowercase();
    if host.contains([' ', '\u{a0}']) {
        return Err("has a space in its host".into());
    }
    if !host.is_ascii() {
        return Err(match super::punycode::domain(&host).filter(|_| may_show) {
            Some(ascii) => format!("has a host that is not ASCII: write it as {ascii:?}"),
            None => "has a host that is not ASCII: write it as punycode, \"xn--…\"".into(),
        });
    }
    if host.bytes().any(|byte| byte.is_ascii_control() || FORBIDDEN.contains(&byte)) {
        return Err("has an invalid character in its host".into());
    }
    let last = host.strip_suffix('.').unwrap_or(&host).rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) && !last.is_empty() || number(last).is_some() {
        return ipv4(&host).map(|address| address.to_string()).ok_or_else(|| "has an invalid IPv4 address".into());
    }
    Ok(host)
}

fn ipv6(text: &str, base: Option<&Uri>) -> Option<String> {
    let (address, zone) = match text.split_once('%') {
        None => (text, None),
        Some((address, zone)) => (address, Some(zone.strip_prefix("25").unwrap_or(zone))),
    };
    let address: Ipv6Addr = address.parse().ok()?;
    let is_zone = |zone: &str| zone.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    let zone = match (zone, base) {
        (Some(zone), None) if !zone.is_empty() && is_zone(zone) => format!("%25{zone}"),
        // Another machine must not choose the interface of this one.
        (Some(_), _) => return None,
        (None, Some(base)) if address.is_unicast_link_local() => zone_of(base),
        (None, _) => String::new(),
    };
    // The standard has no dotted form within an IPv6 address.
    let text = match address.to_ipv4_mapped() {
        None => address.to_string(),
        Some(_) => format!("::ffff:{:x}:{:x}", address.segments()[6], address.segments()[7]),
    };
    Some(format!("[{text}{zone}]"))
}

fn zone_of(url: &Uri) -> String {
    let zone = url.host().and_then(|host| host.strip_suffix(']')?.split_once("%25"));
    zone.map(|(_, zone)| format!("%25{zone}")).unwrap_or_default()
}

/// URL Standard §3.5, "IPv4 parser": 127.1 and 0x7f.0.0.1 are addresses, too.
fn ipv4(host: &str) -> Option<Ipv4Addr> {
    let parts: Vec<&str> = host.strip_suffix('.').unwrap_or(host).split('.').collect();
    let (last, first) = parts.split_last()?;
    if first.len() > 3 {
        return None;
    }
    let mut address = 0_u32;
    for (index, part) in first.iter().enumerate() {
        let byte = u8::try_from(number(part)?).ok()?;
        address |= u32::from(byte) << (24 - 8 * index);
    }
    let last = number(last)?;
    let room = 1_u64 << (32 - 8 * first.len());
    (last < room).then(|| Ipv4Addr::from(address | u32::try_from(last).unwrap_or_default()))
}

/// Reads a part of an IPv4 address: decimal, octal or hexadecimal.
fn number(part: &str) -> Option<u64> {
    let (digits, radix) = match part.strip_prefix("0x") {
        Some("") => return Some(0),
        Some(digits) => (digits, 16),
        None if part.len() > 1 && part.starts_with('0') => (&part[1..], 8),
        None => (part, 10),
    };
    let is_sound = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    is_sound.then(|| u64::from_str_radix(digits, radix).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serialised(host: &str) -> Result<String, String> {
        serialise(host.as_bytes(), true, None)
    }

    #[test]
    fn a_name_is_lower_case_and_decoded() {
        for (host, name) in [
            ("Example.TEST", "example.test"),
            ("ex%61mple.test", "example.test"),
            ("under_score.test", "under_score.test"),
            ("xn--bcher-kva.test", "xn--bcher-kva.test"),
            ("a.test.", "a.test."),
            ("1.2.3.4.test", "1.2.3.4.test"),
        ] {
            assert_eq!(serialised(host).as_deref(), Ok(name));
        }
    }

    #[test]
    fn a_host_that_no_url_may_have_is_an_error_that_says_why() {
        for (host, why) in [
            ("a b", "space"),
            ("a%20b", "space"),
            ("a\0b", "invalid character"),
            ("a%00b", "invalid character"),
            ("a%2Fb", "invalid character"),
            ("a%b", "invalid character"),
            ("a<b", "invalid character"),
            ("a:b", "invalid character"),
            ("a|b", "invalid character"),
            ("%ff", "not UTF-8"),
            ("[::1", "IPv6"),
            ("[nonsense]", "IPv6"),
            ("[::1%]", "IPv6"),
            ("[::1%25]", "IPv6"),
            ("[fe80::1%a b]", "IPv6"),
            ("1.2.3.4.5", "IPv4"),
            ("1.2.3.256", "IPv4"),
            ("256.1.1.1", "IPv4"),
            ("1..2", "IPv4"),
            ("09", "IPv4"),
            ("4294967296", "IPv4"),
            ("", "no host"),
        ] {
            let error = serialised(host).unwrap_err();
            assert!(error.contains(why), "{host}: {error}");
        }
    }

    #[test]
    fn a_name_that_is_not_ascii_is_an_error_that_says_what_to_write() {
        for (host, ascii) in [
            ("b\u{fc}cher.test", "\"xn--bcher-kva.test\""),
            ("B%C3%BCcher.Test", "\"xn--bcher-kva.test\""),
            ("a.\u{4f8b}\u{3048}.test", "\"a.xn--r8jz45g.test\""),
            ("\u{3c0}.test", "\"xn--1xa.test\""),
            // Decomposed, or upper case: what is to be written needs tables that are not here.
            ("bu\u{308}cher.test", "xn--…"),
            ("B\u{dc}cher.test", "xn--…"),
        ] {
            let error = serialised(host).unwrap_err();
            assert!(error.contains(ascii), "{host}: {error}");
        }
        let hidden = serialise("b\u{fc}cher".as_bytes(), false, None).unwrap_err();
        assert!(!hidden.contains("kva"), "{hidden}");
    }

    #[test]
    fn an_address_has_one_spelling() {
        for (host, address) in [
            ("127.0.0.1", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("0x7F.0.0.1", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("0177.0.0.01", "127.0.0.1"),
            ("127.0.0.1.", "127.0.0.1"),
            ("0x", "0.0.0.0"),
            ("1.65535", "1.0.255.255"),
            ("[0:0:0:0:0:0:0:1]", "[::1]"),
            ("[2001:DB8::0:1]", "[2001:db8::1]"),
            ("[::ffff:1.2.3.4]", "[::ffff:102:304]"),
            ("[::1.2.3.4]", "[::102:304]"),
            ("[fe80::1%eth0]", "[fe80::1%25eth0]"),
            ("[fe80::1%25eth0]", "[fe80::1%25eth0]"),
            ("[fe80::1%2525]", "[fe80::1%2525]"),
        ] {
            assert_eq!(serialised(host).as_deref(), Ok(address));
        }
    }

    #[test]
    fn a_zone_goes_to_the_resolver_alone() {
        let names = |url: &str| host_names(&url.parse().unwrap());
        let expected = |resolver: &str, tls: &str, header: &str, port| HostNames {
            resolver: resolver.into(),
            tls: tls.into(),
            header: header.into(),
            port,
        };
        let url = "http://[fe80::1%25eth0]:8080/x";
        assert_eq!(names(url), expected("fe80::1%eth0", "fe80::1", "[fe80::1]:8080", 8080));
        assert_eq!(names("https://[::1]/"), expected("::1", "::1", "[::1]", 443));
        assert_eq!(names("http://a.test:443/"), expected("a.test", "a.test", "a.test:443", 443));
        assert_eq!(names("https://a.test/"), expected("a.test", "a.test", "a.test", 443));
        assert_eq!(names("http://127.0.0.1/"), expected("127.0.0.1", "127.0.0.1", "127.0.0.1", 80));
    }

    #[test]
    fn a_redirect_keeps_the_zone_of_a_link_local_address_and_names_none() {
        let base: Uri = "http://[fe80::1%25eth0]/".parse().unwrap();
        let redirected = |host: &str| serialise(host.as_bytes(), true, Some(&base));
        assert_eq!(redirected("[fe80::1]").as_deref(), Ok("[fe80::1%25eth0]"));
        assert_eq!(redirected("[fe80::2]").as_deref(), Ok("[fe80::2%25eth0]"));
        assert_eq!(redirected("[::1]").as_deref(), Ok("[::1]"));
        assert!(redirected("[fe80::1%25eth1]").is_err());
    }
}
