//! Over which link, and to which addresses, the connections of a client go.

use std::net::{IpAddr, SocketAddr};

/// How the sockets of a client are made, and the addresses that need no lookup.
#[derive(Clone, Debug, Default)]
pub(crate) struct Link {
    pub(crate) hosts: Vec<HostAddress>,
}

/// An address of a host that the resolver is not asked for.
#[derive(Clone, Debug)]
pub(crate) struct HostAddress {
    host: String,
    /// Without one, for every port.
    port: Option<u16>,
    address: IpAddr,
}

impl Link {
    /// Returns the given addresses of a host; none where it is to be looked up.
    pub(crate) fn given(&self, host: &str, port: u16) -> Vec<SocketAddr> {
        let is_it =
            |given: &&HostAddress| given.host.eq_ignore_ascii_case(host) && given.port.is_none_or(|own| own == port);
        self.hosts.iter().filter(is_it).map(|given| SocketAddr::new(given.address, port)).collect()
    }
}

impl HostAddress {
    /// Reads `host` or `host:port`.
    pub(crate) fn new(host: &str, address: IpAddr) -> Result<Self, String> {
        let refused = |why: &str| Err(format!("resolve({host:?}, {address}): {why}"));
        let (name, port) = match host.rsplit_once(':') {
            None => (host, None),
            Some((name, port)) => match port.parse() {
                Ok(port) if port > 0 => (name, Some(port)),
                _ => return refused("the port is not a number from 1 to 65535"),
            },
        };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
            return refused("the host is not a name in ASCII");
        }
        if name.parse::<IpAddr>().is_ok() {
            return refused("the host is an address, which is never looked up");
        }
        if address.is_unspecified() || address.is_multicast() {
            return refused("nobody can be reached at this address");
        }
        Ok(Self { host: name.to_owned(), port, address })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_given_address_counts_for_its_host_and_port() {
        let address = IpAddr::from([10, 0, 0, 1]);
        let hosts = ["bridge", "Camera.local:81"].map(|host| HostAddress::new(host, address).unwrap()).into();
        let link = Link { hosts };
        for (host, port, expected) in [
            ("bridge", 80, true),
            ("bridge", 443, true),
            ("bridge2", 80, false),
            ("camera.local", 81, true),
            ("camera.local", 80, false),
        ] {
            let given = link.given(host, port);
            assert_eq!(given == [SocketAddr::new(address, port)], expected, "{host}:{port}");
            assert_eq!(given.is_empty(), !expected);
        }
    }

    #[test]
    fn what_is_no_host_and_no_address_is_refused() {
        let good = IpAddr::from(Ipv4Addr::LOCALHOST);
        for host in ["", ":80", "a b", "a/b", "a:", "a:0", "a:65536", "::1", "[::1]", "10.0.0.1", "ü.example", "a@b"] {
            assert!(HostAddress::new(host, good).is_err(), "{host:?}");
        }
        for address in ["0.0.0.0", "::", "224.0.0.1", "ff02::1"] {
            assert!(HostAddress::new("a", address.parse().unwrap()).is_err(), "{address}");
        }
    }
}
