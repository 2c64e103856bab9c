//! The settings for the address and the network link of a connection, and for detecting a dead peer.

use std::net::IpAddr;
#[cfg(unix)]
use std::path::PathBuf;
use std::time::Duration;

use super::{ClientBuilder, ProxyChoice};
use crate::transport::link::{HostAddress, Link};
use crate::transport::tcp::Keepalive;

/// The settings as given, not yet validated.
#[derive(Default)]
pub(super) struct LinkChoice {
    hosts: Vec<(String, IpAddr)>,
    link: Link,
}

impl ClientBuilder {
    /// Sets the address of a host name, instead of a DNS lookup, like curl's `--resolve`. Default: DNS lookups by the
    /// system.
    ///
    /// The `Host` header and the certificate check still use the name: this reaches a device at a known address whose
    /// certificate contains a name. `host:port` applies to one port, `host` to all. Further calls with the same name
    /// add addresses; they are tried as if the resolver had returned them in this order. It also applies to the name of
    /// a proxy; names behind a proxy are looked up by the proxy.
    ///
    /// An invalid name, or an address that no host can have, is [`Error::InvalidRequest`](crate::Error::InvalidRequest)
    /// from [`build`](Self::build).
    ///
    /// # Example: a bridge at a known address
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.send("data: on\n\n");
    /// #     peer.wait_for_close();
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

    /// Connects to this Unix socket, whatever the host in the URLs, like curl's `--unix-socket`. Default: TCP. Unix
    /// only.
    ///
    /// The URL's host is still the `Host` header, and with https the name that the certificate must contain. Redirects
    /// use the same socket. Timeouts and stops work as with TCP. TCP keepalive is not needed, since the socket closes
    /// when the server ends. The proxy from the environment is ignored.
    ///
    /// A path that no socket can have (empty, or longer than about 100 bytes) is
    /// [`Error::InvalidRequest`](crate::Error::InvalidRequest) from [`build`](Self::build), and so is a path combined
    /// with [`proxy`](Self::proxy), [`resolve`](Self::resolve), [`bind_address`](Self::bind_address) or `bind_device`.
    /// If the socket does not exist yet, the attempt fails and is retried.
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

    /// Uses only this network device, even if another has a route. Default: the device of the route. Linux and Android
    /// only.
    ///
    /// Sets `SO_BINDTODEVICE`. DNS lookups are made by the system and are not bound. If the device is missing or down,
    /// the attempt fails as without a network, and a later attempt uses the device once it is up. A name that no device
    /// can have (empty, or more than 15 bytes) is [`Error::InvalidRequest`](crate::Error::InvalidRequest) from
    /// [`build`](Self::build). Linux before 5.7 allows this only to root (`CAP_NET_RAW`).
    ///
    /// # Example: use the modem, even with Wi-Fi
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

    /// Connects from this local address. Default: the address of the route.
    ///
    /// Only addresses of the same family are tried. The server sees this address, and routing and firewall rules can
    /// match it; without such rules it does not select the device, see `bind_device`. If the machine does not have the
    /// address, the attempt fails as without a network. An address that cannot be a source (`0.0.0.0`, multicast) is
    /// [`Error::InvalidRequest`](crate::Error::InvalidRequest) from [`build`](Self::build).
    ///
    /// # Example: a server that identifies clients by address
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

    /// Sets TCP keepalive, which detects a dead peer on an idle connection. Default: after 60 s, every 10 s, 3 probes.
    ///
    /// `idle` is the time without a byte before the first probe, `interval` the time between probes, `probes` the
    /// number of unanswered probes after which the connection is lost. Less than 1 s or 1 probe is
    /// [`Error::InvalidRequest`](crate::Error::InvalidRequest).
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

    /// Turns off TCP keepalive. Default: on, see [`tcp_keepalive`](Self::tcp_keepalive).
    ///
    /// # Example: a metered link
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
