//! The settings that say where a connection goes, and over which link.

use std::net::IpAddr;

use super::ClientBuilder;
use crate::transport::link::{HostAddress, Link};

/// What was asked for, unchecked.
#[derive(Default)]
pub(super) struct LinkChoice {
    hosts: Vec<(String, IpAddr)>,
}

impl ClientBuilder {
    /// Gives a host name an address, instead of looking the name up: like curl's `--resolve`.
    ///
    /// The name still is what the `Host` header and the certificate are about: this is the way to a device that is known by
    /// its address and whose certificate bears a name. It may be `host:port` for one port, without port it is for all. Call
    /// it again with the same name for another address: they are tried as if the resolver had returned them in this
    /// order. A proxy's name can be given an address too; the names behind a proxy are the proxy's to look up.
    ///
    /// A name that is none or an address that nobody can have is [`Error::InvalidRequest`](crate::Error::InvalidRequest)
    /// from [`build`](Self::build). Default: every name is looked up by the system's resolver.
    ///
    /// # Example: a bridge that is reached by its address
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.send("data: on\n\n");
    /// #     peer.hold();
    /// # })?;
    /// # let (address, port) = ("127.0.0.1", server.url("/").split([':', '/']).nth(4).unwrap().to_owned());
    /// let client = Client::builder().no_proxy().resolve("bridge.example", address.parse()?).build()?;
    /// let mut events = client.read("lamps", Request::get(format!("http://bridge.example:{port}/events")))?;
    /// assert_eq!(events.next().unwrap()?.data(), "on");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resolve(mut self, host: impl Into<String>, address: IpAddr) -> Self {
        self.link.hosts.push((host.into(), address));
        self
    }
}

impl LinkChoice {
    pub(super) fn check(self) -> Result<Link, String> {
        let hosts: Result<_, _> = self.hosts.iter().map(|(host, address)| HostAddress::new(host, *address)).collect();
        Ok(Link { hosts: hosts? })
    }
}
