//! The network link and the addresses for the connections of a client.

use std::io;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
#[cfg(unix)]
use std::path::PathBuf;

#[cfg(unix)]
use socket2::SockAddr;
use socket2::Socket;

/// The maximum length of a device name, in bytes: Linux allows 16 including the NUL.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MAX_DEVICE: usize = 15;

/// How the sockets of a client are created, and the addresses that need no lookup.
#[derive(Clone, Debug, Default)]
pub(crate) struct Link {
    pub(crate) hosts: Vec<HostAddress>,
    /// The local address of connections.
    pub(crate) source: Option<IpAddr>,
    /// The network device of connections.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) device: Option<String>,
    /// The Unix socket to use instead of an address.
    #[cfg(unix)]
    pub(crate) unix_socket: Option<PathBuf>,
}

/// A fixed address of a host, without a DNS lookup.
#[derive(Clone, Debug)]
pub(crate) struct HostAddress {
    host: String,
    /// `None` applies to every port.
    port: Option<u16>,
    address: IpAddr,
}

impl Link {
    /// Validates what can be validated without the network: address and device may appear and disappear.
    pub(crate) fn check(&self) -> Result<(), String> {
        if let Some(source) = self.source.filter(|source| source.is_unspecified() || source.is_multicast()) {
            return Err(format!("bind_address({source}): not a source address"));
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(device) = &self.device {
            let is_usable = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
            if device.is_empty() || device.len() > MAX_DEVICE || !device.bytes().all(is_usable) {
                return Err(format!(
                    "bind_device({device:?}): invalid device name, must be 1 to {MAX_DEVICE} visible ASCII characters without a slash"
                ));
            }
        }
        #[cfg(unix)]
        if let Some(path) = &self.unix_socket {
            if path.as_os_str().is_empty() {
                return Err("unix_socket: the path is empty".into());
            }
            SockAddr::unix(path).map_err(|error| format!("unix_socket({path:?}): {error}"))?;
            if self.binds() || !self.hosts.is_empty() {
                return Err("unix_socket cannot be combined with resolve, bind_address or bind_device".into());
            }
        }
        Ok(())
    }

    /// Returns `true` if no address is needed to reach the server.
    pub(crate) fn is_local(&self) -> bool {
        #[cfg(unix)]
        return self.unix_socket.is_some();
        #[cfg(not(unix))]
        false
    }

    /// Removes the addresses that cannot be reached from the configured local address.
    pub(crate) fn reachable(&self, mut addresses: Vec<SocketAddr>) -> io::Result<Vec<SocketAddr>> {
        if let Some(source) = self.source {
            addresses.retain(|address| address.is_ipv4() == source.is_ipv4());
            if addresses.is_empty() {
                return Err(io::Error::other(format!("the host has no address reachable from {source}")));
            }
        }
        Ok(addresses)
    }

    /// Binds a socket before it connects.
    pub(super) fn bind(&self, socket: &Socket) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(device) = &self.device {
            socket.bind_device(Some(device.as_bytes())).map_err(|error| {
                const ENODEV: i32 = 19;
                // A missing modem is treated like a network that is down.
                let kind = if error.raw_os_error() == Some(ENODEV) { ErrorKind::NetworkDown } else { error.kind() };
                io::Error::new(kind, format!("the device {device:?}: {error}"))
            })?;
        }
        if let Some(source) = self.source {
            socket
                .bind(&SocketAddr::new(source, 0).into())
                .map_err(|error| io::Error::new(error.kind(), format!("the address {source}: {error}")))?;
        }
        Ok(())
    }

    #[cfg(unix)]
    fn binds(&self) -> bool {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        return self.source.is_some() || self.device.is_some();
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        self.source.is_some()
    }

    /// Returns the configured addresses of a host; none if it needs a lookup.
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
                _ => return refused("the port must be a number from 1 to 65535"),
            },
        };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
            return refused("the host must be an ASCII name");
        }
        if name.parse::<IpAddr>().is_ok() {
            return refused("the host is an address, which needs no DNS lookup");
        }
        if address.is_unspecified() || address.is_multicast() {
            return refused("not an address to connect to");
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
        let link = Link { hosts, ..Link::default() };
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
    fn a_source_leaves_the_addresses_of_its_family() {
        let all: Vec<SocketAddr> = ["10.0.0.1:80", "[::1]:80"].map(|text| text.parse().unwrap()).into();
        for (source, expected) in [(None, &all[..]), (Some("10.0.0.9"), &all[..1]), (Some("::2"), &all[1..])] {
            let source = source.map(|source| source.parse().unwrap());
            let link = Link { source, ..Link::default() };
            assert_eq!(link.reachable(all.clone()).unwrap(), expected);
        }
        let link = Link { source: Some("::2".parse().unwrap()), ..Link::default() };
        assert!(link.reachable(all[..1].to_vec()).is_err());
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
