//! What the connections of a client have in common.

use std::fmt;
#[cfg(feature = "tls")]
use std::sync::Arc;
use std::time::Duration;

use super::Client;
use crate::error::Error;
use crate::http::{self, HeaderMap, HeaderValue, Network};
use crate::transport::tcp::Keepalive;
#[cfg(feature = "tls")]
use crate::{
    rustls,
    transport::roots::{Tls, Trust},
};

const USER_AGENT: &str = concat!("http-sse/", env!("CARGO_PKG_VERSION"));
/// Less overflows in debug builds during a TLS handshake.
const LEAST_STACK: usize = 64 * 1024;

/// Sets what the connections of a client have in common.
///
/// # Example: a device behind its own certificate authority
///
/// ```no_run
/// use http_sse::Client;
///
/// let client = Client::builder()
///     .user_agent("greenhouse/2.1")
///     .header("x-device", "7")
///     .root_certificates_pem(std::fs::read("/etc/ssl/own-ca.pem")?)
///     .no_proxy()
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ClientBuilder {
    headers: Vec<(String, String)>,
    proxy: ProxyChoice,
    keepalive: Option<Keepalive>,
    stack_size: usize,
    #[cfg(feature = "tls")]
    trust: Trust,
    #[cfg(feature = "tls")]
    tls: Option<Arc<rustls::ClientConfig>>,
}

/// A client's settings, checked.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) headers: HeaderMap,
    pub(crate) stack_size: usize,
    proxy: ProxyChoice,
    keepalive: Option<Keepalive>,
    #[cfg(feature = "tls")]
    tls: Arc<Tls>,
}

#[derive(Clone)]
enum ProxyChoice {
    Environment,
    None,
    Url(String),
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            headers: vec![("user-agent".into(), USER_AGENT.into())],
            proxy: ProxyChoice::Environment,
            keepalive: Some(Keepalive { idle: Duration::from_secs(60), interval: Duration::from_secs(10), probes: 3 }),
            stack_size: 256 * 1024,
            #[cfg(feature = "tls")]
            trust: Trust::default(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

impl ClientBuilder {
    /// Sets the User-Agent. Default: `http-sse/` and the version.
    pub fn user_agent(self, user_agent: impl Into<String>) -> Self {
        self.header("user-agent", user_agent)
    }

    /// Sets a header that every request of this client carries, in place of an equal name.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Trusts these certificates in addition to the built-in roots. PEM, any number in one text.
    #[cfg(feature = "tls")]
    pub fn root_certificates_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.trust.roots.push(pem.as_ref().to_vec());
        self
    }

    /// Trusts these certificates, and the built-in roots no more.
    #[cfg(feature = "tls")]
    pub fn only_root_certificates_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.trust.only = true;
        self.root_certificates_pem(pem)
    }

    /// Shows this certificate chain to servers that ask for one (mutual TLS). Both PEM; the key PKCS#8, PKCS#1 or SEC1.
    #[cfg(feature = "tls")]
    pub fn client_certificate_pem(mut self, chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        self.trust.identity = Some((chain.as_ref().to_vec(), key.as_ref().to_vec()));
        self
    }

    /// Accepts every certificate: whoever is on the way can read and change everything. For tests only.
    #[cfg(feature = "tls")]
    pub fn danger_accept_invalid_certs(mut self) -> Self {
        self.trust.anybody = true;
        self
    }

    /// Takes complete control of TLS. Together with a certificate setter it is [`Error::InvalidRequest`].
    #[cfg(feature = "tls")]
    pub fn tls_config(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Goes through this HTTP proxy: `http://user:password@host:port`. Default: the environment's.
    ///
    /// The environment is `ALL_PROXY`, `HTTPS_PROXY` and `HTTP_PROXY`, upper or lower case, in this order; the
    /// first that is set counts for every URL that `NO_PROXY` does not name. The proxy is asked to CONNECT.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = ProxyChoice::Url(url.into());
        self
    }

    /// Goes directly, whatever the environment says.
    pub fn no_proxy(mut self) -> Self {
        self.proxy = ProxyChoice::None;
        self
    }

    /// Sets the probes that find a dead peer without traffic. Default: after 60 s, every 10 s, 3 times.
    pub fn tcp_keepalive(mut self, idle: Duration, interval: Duration, probes: u32) -> Self {
        self.keepalive = Some(Keepalive { idle, interval, probes });
        self
    }

    /// Sends no probes.
    pub fn no_tcp_keepalive(mut self) -> Self {
        self.keepalive = None;
        self
    }

    /// Sets the stack of a connection's thread, in bytes. Default: 256 KiB, of which only touched pages count.
    ///
    /// Callbacks run on it: a deep one needs more. At least 64 KiB.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = bytes;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidRequest`] names what is unusable: a header, a PEM text, a proxy, a keepalive of zero.
    pub fn build(self) -> Result<Client, Error> {
        self.settings().map(Client::with_settings).map_err(Error::InvalidRequest)
    }

    fn settings(self) -> Result<Settings, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let (name, value) = http::parse_header(name, value)?;
            headers.insert(name, value);
        }
        if let ProxyChoice::Url(url) = &self.proxy {
            http::parse_proxy(url, "ClientBuilder::proxy")?;
        }
        if let Some(keepalive) = self.keepalive {
            keepalive.check()?;
        }
        if self.stack_size < LEAST_STACK {
            return Err(format!("stack_size {} is less than {LEAST_STACK} bytes", self.stack_size));
        }
        Ok(Settings {
            headers,
            stack_size: self.stack_size,
            proxy: self.proxy,
            keepalive: self.keepalive,
            #[cfg(feature = "tls")]
            tls: match (self.tls, self.trust.is_default()) {
                (Some(config), true) => Arc::new(Tls::given(config)),
                (Some(_), false) => return Err("tls_config leaves no room for certificate setters".into()),
                (None, true) => Arc::default(),
                (None, false) => Arc::new(Tls::checked(self.trust)?),
            },
        })
    }
}

impl Default for Settings {
    fn default() -> Self {
        let builder = ClientBuilder::default();
        let mut headers = HeaderMap::new();
        headers.insert("user-agent", HeaderValue::from_static(USER_AGENT));
        Self {
            headers,
            stack_size: builder.stack_size,
            proxy: builder.proxy,
            keepalive: builder.keepalive,
            #[cfg(feature = "tls")]
            tls: Arc::default(),
        }
    }
}

impl Settings {
    /// Returns how a connection reaches the network; the environment is read now.
    pub(crate) fn network(&self) -> Result<Network, String> {
        let proxy = match &self.proxy {
            ProxyChoice::Environment => http::environment_proxy()?,
            ProxyChoice::None => None,
            ProxyChoice::Url(url) => Some(http::parse_proxy(url, "ClientBuilder::proxy")?),
        };
        Ok(Network {
            #[cfg(feature = "tls")]
            tls: Arc::clone(&self.tls),
            proxy,
            keepalive: self.keepalive,
        })
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("ClientBuilder").field("headers", &names).finish_non_exhaustive()
    }
}
