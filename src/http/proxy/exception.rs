//! The entries of `NO_PROXY`.

use std::net::IpAddr;

/// One entry of `NO_PROXY`.
#[derive(Debug, PartialEq)]
pub(super) struct Exception {
    hosts: Hosts,
    /// An entry with a port applies only to that port.
    port: Option<u16>,
}

#[derive(Debug, PartialEq)]
enum Hosts {
    All,
    /// A domain and its subdomains; lower case, without leading and trailing dots.
    Domain(String),
    /// A single address has all of its bits.
    Network {
        address: IpAddr,
        bits: u32,
    },
}

/// Parses a list separated by commas or spaces; invalid entries are skipped.
pub(super) fn parse(list: &str) -> Vec<Exception> {
    list.split([',', ' ', '\t']).filter_map(Exception::parse).collect()
}

impl Exception {
    fn parse(entry: &str) -> Option<Self> {
        let (host, port) = match entry.strip_prefix('[').and_then(|entry| entry.split_once(']')) {
            Some((host, "")) => (host.to_owned(), None),
            Some((host, rest)) => match rest.strip_prefix(':') {
                Some(port) => (host.to_owned(), Some(port)),
                None => (format!("{host}{rest}"), None),
            },
            None => match entry.split_once(':') {
                Some((host, port)) if !port.contains(':') => (host.to_owned(), Some(port)),
                _ => (entry.to_owned(), None),
            },
        };
        let port = match port {
            Some(port) => Some(port.parse().ok()?),
            None => None,
        };
        Some(Self { hosts: Hosts::parse(&host)?, port })
    }

    /// Returns `true` if a host, as in a URL but without brackets and zone, is reached directly at this port.
    pub(super) fn covers(&self, host: &str, port: u16) -> bool {
        self.port.is_none_or(|own| own == port) && self.hosts.contain(host)
    }
}

impl Hosts {
    fn parse(host: &str) -> Option<Self> {
        if host == "*" {
            return Some(Self::All);
        }
        let (name, bits) = match host.split_once('/') {
            Some((name, bits)) => (name, Some(bits.parse().ok()?)),
            None => (host, None),
        };
        match (name.parse::<IpAddr>(), bits) {
            (Ok(address), bits) => {
                let all = if address.is_ipv4() { 32 } else { 128 };
                let bits = bits.unwrap_or(all);
                (bits <= all).then_some(Self::Network { address, bits })
            }
            (Err(_), None) => {
                let name = name.strip_prefix("*.").or_else(|| name.strip_prefix('.')).unwrap_or(name);
                let name = name.strip_suffix('.').unwrap_or(name);
                (!name.is_empty()).then(|| Self::Domain(name.to_ascii_lowercase()))
            }
            (Err(_), Some(_)) => None,
        }
    }

    fn contain(&self, host: &str) -> bool {
        match (self, host.parse::<IpAddr>()) {
            (Self::All, _) => true,
            (Self::Domain(domain), Err(_)) => {
                let host = host.strip_suffix('.').unwrap_or(host);
                host.strip_suffix(domain.as_str()).is_some_and(|front| front.is_empty() || front.ends_with('.'))
            }
            (Self::Network { address: IpAddr::V4(network), bits }, Ok(IpAddr::V4(address))) => {
                (u32::from(*network) ^ u32::from(address)).checked_shr(32 - bits).unwrap_or(0) == 0
            }
            (Self::Network { address: IpAddr::V6(network), bits }, Ok(IpAddr::V6(address))) => {
                (u128::from(*network) ^ u128::from(address)).checked_shr(128 - bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_coverage(cases: &[(&str, &str, bool)]) {
        for (list, host, is_covered) in cases {
            let covers = parse(list).iter().any(|exception| exception.covers(host, 8080));
            assert_eq!(covers, *is_covered, "{list:?} {host}");
        }
    }

    #[test]
    fn an_entry_covers_what_curl_takes_it_for() {
        assert_coverage(&[
            ("a.test", "a.test", true),
            ("a.test", "www.a.test", true),
            ("a.test", "nota.test", false),
            ("www.a.test", "a.test", false),
            (".a.test", "a.test", true),
            (".a.test", "www.a.test", true),
            (".a.test", "nota.test", false),
            ("a.test.", "a.test", true),
            ("a.test", "a.test.", true),
            ("A.Test", "a.test", true),
            ("test", "a.test", true),
            ("..test", "a.test", false),
            ("localhost,127.0.0.1", "127.0.0.1", true),
            ("localhost, 127.0.0.1", "127.0.0.1", true),
            (" localhost ,, ,\t127.0.0.1 ", "127.0.0.1", true),
            ("localhost 127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.11", false),
            ("0.0.1", "127.0.0.1", false),
            (".0.0.1", "127.0.0.1", false),
            ("127.0.0", "127.0.0.1", false),
            ("127.0.0.0/8,10.0.0.0/8", "127.9.9.9", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("192.168.0.1/24", "192.168.0.200", true),
            ("192.168.0.0/24", "192.168.1.0", false),
            ("192.168.0.0/31", "192.168.0.1", true),
            ("192.168.0.0/32", "192.168.0.1", false),
            ("192.168.0.1/32", "192.168.0.1", true),
            ("127.0.0.0/33", "127.0.0.0", false),
            ("127/8", "127.0.0.1", false),
            ("a.test/8", "a.test", false),
            ("::1", "::1", true),
            ("0:0::1", "::1", true),
            ("fe80::/10", "fe80::1", true),
            ("fe80::/10", "fec0::1", false),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("::/129", "::", false),
            ("::1", "127.0.0.1", false),
            ("*", "a.test", true),
            ("*", "::1", true),
            ("", "a.test", false),
            (",", "a.test", false),
        ]);
    }

    /// curl takes none of these for anything; what they mean is plain.
    #[test]
    fn an_entry_may_have_a_port_brackets_or_a_star() {
        assert_coverage(&[
            ("a.test:8080", "a.test", true),
            ("a.test:8080", "www.a.test", true),
            ("a.test:8081", "a.test", false),
            ("127.0.0.1:8080", "127.0.0.1", true),
            ("127.0.0.1:80", "127.0.0.1", false),
            ("a.test:http", "a.test", false),
            ("[::1]", "::1", true),
            ("[::1]:8080", "::1", true),
            ("[::1]:8081", "::1", false),
            ("[fe80::]/10", "fe80::1", true),
            ("*.a.test", "www.a.test", true),
            ("*:8080", "a.test", true),
            ("b.test, *", "a.test", true),
            ("0.0.0.0/0", "10.1.2.3", true),
            ("0.0.0.0/0", "::1", false),
            ("a*.test", "ab.test", false),
        ]);
    }
}
