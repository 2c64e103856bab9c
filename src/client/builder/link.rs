//! The settings that say where a connection goes, over which link, and how a dead one is found.

use std::net::IpAddr;
#[cfg(unix)]
use std::path::PathBuf;
use std::time::Duration;

use super::{ClientBuilder, ProxyChoice};
use crate::transport::link::{HostAddress, Link};
use crate::transport::tcp::Keepalive;

/// What was asked for, unchecked.
#[derive(Default)]
pub(super) struct LinkChoice {
    hosts: Vec<(String, IpAddr)>,
    link: Link,
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

    /// Connects to this Unix socket, whatever host the URLs name: like curl's `--unix-socket`.
    ///
    /// The URL's host stays the `Host` header, and with https the name that the certificate must have. It is the same for the
    /// target of a redirect. Timeouts and stops are those of a TCP connection; TCP probes are not needed, since the end of
    /// the server closes the socket. The environment's proxy is not used.
    ///
    /// A path that no socket can have (empty, longer than about 100 bytes), and one together with
    /// [`proxy`](Self::proxy), [`resolve`](Self::resolve), [`bind_address`](Self::bind_address) or `bind_device`, is
    /// [`Error::InvalidRequest`](crate::Error::InvalidRequest) from [`build`](Self::build). A socket that is not there yet is
    /// a failure of the attempt, which is repeated as others are. Default: TCP. Unix only.
    ///
    /// # Example: the events of a container engine
    ///
    /// ```no_run
    /// use http_sse::{Client, Request};
    ///
    /// let client = Client::builder().unix_socket("/run/engine.sock").build()?;
    /// let events = client.connect("engine", Request::get("http://localhost/events"))?;
    /// # drop(events);
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    #[cfg(unix)]
    pub fn unix_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.link.link.unix_socket = Some(path.into());
        self
    }

    /// Sends everything by this network device, as long as it is there: by no other, even if another has a route.
    ///
    /// DNS lookups are the system's, and not bound. A device that is missing or down is a failure of the attempt like a
    /// network that is down, and the next one finds it once it is there. A name that no device can have (empty, over 15 bytes)
    /// is [`Error::InvalidRequest`](crate::Error::InvalidRequest) from [`build`](Self::build). Linux before 5.7 lets only root
    /// do this (`CAP_NET_RAW`). Default: the device of the route. Linux and Android only (`SO_BINDTODEVICE`).
    ///
    /// # Example: by the modem, whatever Wi-Fi there is
    ///
    /// ```
    /// use http_sse::Client;
    ///
    /// let client = Client::builder().bind_device("wwan0").build()?;
    /// assert!(Client::builder().bind_device("no/device").build().is_err());
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn bind_device(mut self, name: impl Into<String>) -> Self {
        self.link.link.device = Some(name.into());
        self
    }

    /// Connects from this address of this machine.
    ///
    /// Of a host only the addresses of the same family are tried. It is what the server sees, and what rules of routing and
    /// firewall may ask for; without such rules it does not choose the device: that is `bind_device`. An address
    /// that the machine does not have is a failure of the attempt like a network that is down. One that no connection can
    /// come from (`0.0.0.0`, multicast) is [`Error::InvalidRequest`](crate::Error::InvalidRequest) from
    /// [`build`](Self::build). Default: the address that belongs to the route.
    ///
    /// # Example: a server that knows its clients by their addresses
    ///
    /// ```
    /// use http_sse::Client;
    ///
    /// let client = Client::builder().bind_address("192.0.2.7".parse()?).build()?;
    /// assert!(Client::builder().bind_address("0.0.0.0".parse()?).build().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn bind_address(mut self, address: IpAddr) -> Self {
        self.link.link.source = Some(address);
        self
    }

    /// Sets the TCP probes that find a dead peer without traffic: after how long without a byte the first is sent, how
    /// long after it the next, and after how many without an answer the connection counts as lost.
    ///
    /// Less than 1 s or 1 probe is [`Error::InvalidRequest`](crate::Error::InvalidRequest). Default: after 60 s, every 10 s, 3 probes.
    ///
    /// # Example: a dead peer is found within a minute
    ///
    /// ```
    /// use http_sse::Client;
    /// use std::time::Duration;
    ///
    /// let (idle, interval) = (Duration::from_secs(30), Duration::from_secs(10));
    /// let client = Client::builder().tcp_keepalive(idle, interval, 3).build()?;
    /// assert!(Client::builder().tcp_keepalive(Duration::ZERO, interval, 3).build().is_err());
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn tcp_keepalive(mut self, idle: Duration, interval: Duration, probes: u32) -> Self {
        self.keepalive = Some(Keepalive { idle, interval, probes });
        self
    }

    /// Sends no TCP probes. Default: those of [`tcp_keepalive`](Self::tcp_keepalive).
    ///
    /// # Example: a line that is paid by the byte
    ///
    /// ```
    /// use http_sse::Client;
    ///
    /// let client = Client::builder().no_tcp_keepalive().build()?;
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn no_tcp_keepalive(mut self) -> Self {
        self.keepalive = None;
        self
    }
}

impl LinkChoice {
    pub(super) fn check(self, proxy: &ProxyChoice) -> Result<Link, String> {
        let hosts: Result<_, _> = self.hosts.iter().map(|(host, address)| HostAddress::new(host, *address)).collect();
        let link = Link { hosts: hosts?, ..self.link };
        link.check()?;
        if link.is_local() && matches!(proxy, ProxyChoice::Url(_)) {
            return Err("unix_socket cannot be combined with a proxy".into());
        }
        Ok(link)
    }
}
