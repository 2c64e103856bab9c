//! The resolver and connector for ureq: DNS lookup, TCP, the proxy's tunnel and TLS of one attempt.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{ConnectionDetails, Connector, NextTimeout};

use super::head::{HeadTransport, Slot};
use super::{Failure, HeaderValue, HostNames, ProxyTarget, TransportConfig};
use crate::cancel::AttemptToken;
use crate::clock;
use crate::error;
use crate::error::Timeout;
use crate::sync::deadline;
use crate::transport::addresses::AddressMemory;
use crate::transport::buffers::{IoBuffers, Sizes};
use crate::transport::connect::Dialer;
use crate::transport::dns;
use crate::transport::proxy::{Refusal, tunnel};
use crate::transport::tcp::Tcp;
use crate::transport::{Fault, Wait, Wire};
#[cfg(feature = "tls")]
use crate::transport::{tls::Tls, tls_config};
#[cfg(feature = "tls")]
use rustls::ClientConfig;

/// The number of addresses that ureq passes on.
const MAX_ADDRESSES: usize = 16;

/// One request and its route to the server; a redirect is another hop.
#[derive(Debug)]
pub(super) struct Hop {
    pub(super) attempt: Arc<AttemptToken>,
    pub(super) addresses: Arc<AddressMemory>,
    pub(super) transport: TransportConfig,
    pub(super) target: Uri,
    pub(super) names: HostNames,
    pub(super) proxy: Option<ProxyTarget>,
    pub(super) user_agent: Option<HeaderValue>,
    /// The deadline of DNS lookup, TCP, proxy and TLS together.
    pub(super) deadline: Option<Instant>,
    /// Starts when these are done.
    pub(super) response_timeout: Duration,
    pub(super) sizes: Sizes,
    pub(super) slot: Arc<Slot>,
}

/// Why there is no connection.
#[derive(Debug)]
enum Missed {
    Failure(Failure),
    /// No root of the configuration has signed the certificate of the peer.
    #[cfg(feature = "tls")]
    Untrusted(Failure, Arc<ClientConfig>),
}

/// The peer of a connection.
#[derive(Clone, Copy, Debug)]
enum Endpoint {
    Proxy,
    Server,
}

#[derive(Debug)]
pub(super) struct HopResolver(pub(super) Arc<Hop>);

#[derive(Debug)]
pub(super) struct HopConnector(pub(super) Arc<Hop>);

impl Resolver for HopResolver {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let hop = &*self.0;
        let addresses = hop.resolve().map_err(|fault| hop.slot.fail(hop.unreachable(fault, Timeout::Resolve)))?;
        let mut resolved = self.empty();
        for address in addresses.into_iter().take(MAX_ADDRESSES) {
            resolved.push(address);
        }
        Ok(resolved)
    }
}

impl Connector<()> for HopConnector {
    type Out = HeadTransport;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<HeadTransport>, Error> {
        let hop = &*self.0;
        let (wire, head_time) = hop.dial(details).map_err(|failure| hop.slot.fail(failure))?;
        let deadline = deadline(clock::now(), head_time);
        Ok(Some(HeadTransport::new(wire, IoBuffers::new(hop.sizes), Arc::clone(&hop.slot), deadline)))
    }
}

impl Hop {
    /// Returns the host to connect to: the proxy, if there is one.
    fn peer(&self) -> (&str, u16) {
        match &self.proxy {
            Some(proxy) => (&proxy.host, proxy.port),
            None => (&self.names.resolver, self.names.port),
        }
    }

    fn resolve(&self) -> Result<Vec<SocketAddr>, Fault> {
        if self.transport.link.is_local() {
            // ureq requires one.
            return Ok(vec![SocketAddr::from(([0, 0, 0, 0], 0))]);
        }
        let (host, port) = self.peer();
        let mut addresses = self.transport.link.given(host, port);
        if addresses.is_empty() {
            addresses = dns::resolve(host, port, &self.transport.lookups, &self.attempt, self.deadline)?;
        }
        Ok(self.transport.link.reachable(addresses)?)
    }

    fn is_https(&self) -> bool {
        self.target.scheme_str() == Some("https")
    }

    /// Returns the connection, and how long the response head may take on it.
    fn dial(&self, details: &ConnectionDetails<'_>) -> Result<(Wire, Duration), Failure> {
        match self.open(details) {
            Ok(opened) => Ok(opened),
            Err(Missed::Failure(failure)) => Err(failure),
            #[cfg(feature = "tls")]
            Err(Missed::Untrusted(_, config)) if self.transport.tls.has_other_than(&config) => {
                self.open(details).map_err(Missed::into_failure)
            }
            #[cfg(feature = "tls")]
            Err(Missed::Untrusted(failure, _)) => Err(failure),
        }
    }

    fn open(&self, details: &ConnectionDetails<'_>) -> Result<(Wire, Duration), Missed> {
        #[cfg(http_sse_simulation)]
        if !self.is_https() {
            let connection = crate::transport::simulated::Simulated::open(&self.names.resolver, &self.attempt);
            return connection
                .map(|connection| (Wire::Simulated(connection), self.response_timeout))
                .map_err(|fault| self.unreachable(fault, Timeout::Connect).into());
        }
        let (tcp, head_time) =
            self.connect(&details.addrs).map_err(|fault| self.unreachable(fault, Timeout::Connect))?;
        let mut wire = Wire::Tcp(tcp);
        if let Some(proxy) = &self.proxy {
            if proxy.is_tls {
                wire = self.encrypt(wire, &proxy.host, Endpoint::Proxy).map_err(|missed| missed.named(proxy))?;
            }
            self.tunnel(&mut wire, proxy)?;
        }
        if self.is_https() {
            wire = self.encrypt(wire, &self.names.tls, Endpoint::Server)?;
        }
        Ok((wire, head_time))
    }

    fn connect(&self, addresses: &[SocketAddr]) -> Result<(Tcp, Duration), Fault> {
        let link = &*self.transport.link;
        let dialer =
            Dialer { link, keepalive: self.transport.keepalive, attempt: &self.attempt, deadline: self.deadline };
        #[cfg(unix)]
        if let Some(path) = &link.unix_socket {
            return dialer.connect_unix(path).map(|connection| (connection, self.response_timeout));
        }
        let (host, port) = self.peer();
        let peer = format!("{host}:{port}");
        let ordered = self.addresses.order(&peer, addresses);
        let mut failed = Vec::new();
        let connected = dialer.connect(&ordered, &mut failed);
        let reached = connected.as_ref().ok().map(|(_, address)| *address);
        let head_time = self.addresses.connected(&peer, &ordered, reached, &failed, self.response_timeout);
        connected.map(|(tcp, _)| (tcp, head_time))
    }

    #[cfg(feature = "tls")]
    fn encrypt(&self, wire: Wire, host: &str, endpoint: Endpoint) -> Result<Wire, Missed> {
        let config = match endpoint {
            Endpoint::Proxy => self.transport.tls.for_proxy(),
            Endpoint::Server => self.transport.tls.for_server(),
        };
        let config = config.map_err(|why| Failure::from(error::Error::Tls(Arc::new(why))))?;
        match Tls::connect(Arc::clone(&config), host, wire, &mut self.wait()) {
            Ok(tls) => Ok(Wire::Tls(Box::new(tls))),
            Err(fault) => {
                let is_untrusted = matches!(&fault, Fault::Tls(error) if tls_config::is_untrusted(error));
                let failure = Failure::of(fault, Timeout::Connect);
                Err(if is_untrusted { Missed::Untrusted(failure, config) } else { failure.into() })
            }
        }
    }

    #[cfg(not(feature = "tls"))]
    fn encrypt(&self, _: Wire, _: &str, _: Endpoint) -> Result<Wire, Missed> {
        let why = io::Error::new(io::ErrorKind::Unsupported, "the feature `tls` is off");
        Err(Failure::from(error::Error::Tls(Arc::new(why))).into())
    }

    fn tunnel(&self, wire: &mut Wire, proxy: &ProxyTarget) -> Result<(), Failure> {
        let (host, port) = (&self.names.tls, self.names.port);
        let authority = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let user_agent = self.user_agent.as_ref().map(|value| ("User-Agent", value));
        let authorization = proxy.authorization.as_ref().map(|value| ("Proxy-Authorization", value));
        let headers: Vec<_> = [user_agent, authorization].into_iter().flatten().collect();
        let refusal = match tunnel(wire, &authority, &headers, &mut self.wait()) {
            Ok(()) => return Ok(()),
            Err(refusal) => refusal,
        };
        Err(match refusal {
            Refusal::Fault(fault) => self.unreachable(fault, Timeout::Connect),
            Refusal::Status(407) => error::Error::ProxyAuthentication(proxy.shown.clone()).into(),
            Refusal::Status(status) => {
                let text = format!("the proxy {} answered CONNECT with {status}", proxy.shown);
                error::Error::io(io::Error::other(text)).into()
            }
            Refusal::Malformed => {
                error::Error::Protocol(format!("the proxy {} does not speak HTTP/1.1", proxy.shown)).into()
            }
        })
    }

    fn wait(&self) -> Wait {
        Wait::until(self.deadline)
    }

    /// Adds the proxy to the error, if the proxy could not be reached.
    fn unreachable(&self, fault: Fault, timeout: Timeout) -> Failure {
        let failure = Failure::of(fault, timeout);
        match &self.proxy {
            Some(proxy) => named(failure, proxy),
            None => failure,
        }
    }
}

impl Missed {
    #[cfg(feature = "tls")]
    fn into_failure(self) -> Failure {
        match self {
            Self::Failure(failure) => failure,
            #[cfg(feature = "tls")]
            Self::Untrusted(failure, _) => failure,
        }
    }

    /// Adds the proxy that could not be reached.
    fn named(self, proxy: &ProxyTarget) -> Self {
        match self {
            Self::Failure(failure) => named(failure, proxy).into(),
            #[cfg(feature = "tls")]
            untrusted => untrusted,
        }
    }
}

impl From<Failure> for Missed {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

fn named(failure: Failure, proxy: &ProxyTarget) -> Failure {
    match failure {
        Failure::Error(error::Error::Io(error)) => {
            let text = format!("the proxy {}: {error}", proxy.shown);
            error::Error::io(io::Error::new(error.kind(), text)).into()
        }
        failure => failure,
    }
}
