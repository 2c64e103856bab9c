//! The settings shared by all connections of a client.

mod link;
#[cfg(feature = "tls")]
mod tls;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Client;
use crate::error::Error;
use crate::http::{self, HeaderMap, HeaderValue, OriginPolicy, ProxyRules, TransportConfig};
use crate::transport::buffers::INPUT;
use crate::transport::dns::PendingLookups;
use crate::transport::link::Link;
use crate::transport::tcp::Keepalive;
#[cfg(feature = "tls")]
use crate::transport::tls_config::{TlsConfigs, TlsOptions};
use link::LinkChoice;

const USER_AGENT: &str = concat!("http-sse/", env!("CARGO_PKG_VERSION"));
/// An attempt, with callbacks and a logger that format, overflows 125 KiB during a TLS handshake and 80 KiB without TLS, in
/// a build without optimization on x86-64: `tests/process/stack_size.rs`. The rest is for what goes deeper elsewhere.
const MIN_STACK: usize = if cfg!(feature = "tls") { 192 * 1024 } else { 128 * 1024 };

/// Configures the settings shared by all connections of a client.
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
#[must_use = "settings do nothing until they are built"]
pub struct ClientBuilder {
    headers: Vec<(String, String)>,
    proxy: ProxyChoice,
    keepalive: Option<Keepalive>,
    link: LinkChoice,
    read_buffer: usize,
    stack_size: usize,
    #[cfg(feature = "tls")]
    tls_options: TlsOptions,
    #[cfg(feature = "tls")]
    tls: Option<Arc<rustls::ClientConfig>>,
}

/// The validated settings of a client.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) headers: HeaderMap,
    pub(crate) stack_size: usize,
    read_buffer: usize,
    proxy: ProxyChoice,
    keepalive: Option<Keepalive>,
    link: Arc<Link>,
    lookups: Arc<PendingLookups>,
    #[cfg(feature = "tls")]
    tls: Arc<TlsConfigs>,
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
            link: LinkChoice::default(),
            read_buffer: 64 * 1024,
            stack_size: 256 * 1024,
            #[cfg(feature = "tls")]
            tls_options: TlsOptions::default(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

impl ClientBuilder {
    /// Sets the User-Agent. Default: `http-sse/` and the version.
    ///
    /// # Example: line breaks are refused
    ///
    /// ```
    /// use http_sse::Client;
    ///
    /// let client = Client::builder().user_agent("weather-board/1.0").build()?;
    /// assert!(Client::builder().user_agent("two\nlines").build().is_err());
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn user_agent(self, user_agent: impl Into<String>) -> Self {
        self.header("user-agent", user_agent)
    }

    /// Sets a header for every request of this client, replacing an equal name (case-insensitive).
    ///
    /// [`Request::header`](crate::Request::header) with the same name overrides it. Default: the User-Agent, and the
    /// headers of [every request](crate::Request::header).
    ///
    /// # Example: a header for every request
    ///
    /// ```
    /// use http_sse::Client;
    ///
    /// let client = Client::builder().header("x-device", "7").build()?;
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Uses this HTTP proxy: `http://user:password@host:port`. Default: the proxy from the environment.
    ///
    /// The scheme may be omitted. The default port is 80, or 443 for an `https://` proxy. The client always uses
    /// CONNECT, also for http URLs: the proxy must allow it for their ports.
    ///
    /// The environment is read like in curl, when the connection is opened, and the proxy is chosen anew for each
    /// redirect. For an https URL, the first variable that is set applies: `https_proxy`, `HTTPS_PROXY`, `all_proxy`,
    /// `ALL_PROXY`. For an http URL, `http_proxy` and `HTTP_PROXY` replace the first two; the latter is ignored in a
    /// CGI program (`REQUEST_METHOD` is set). An empty variable counts as not set. `no_proxy`, or else `NO_PROXY`,
    /// lists exceptions, separated by commas or spaces: a host and its subdomains (`example.com`, `.example.com`), an
    /// address (`::1`), a network (`10.0.0.0/8`), each with an optional port (`example.com:8080`), or `*` for all. Any
    /// other kind of proxy, such as SOCKS, is [`Error::InvalidRequest`] of the request that needs it.
    ///
    /// # Example: the proxy of the company
    ///
    /// ```
    /// use http_sse::Client;
    ///
    /// let client = Client::builder().proxy("http://proxy.example.com:3128").build()?;
    /// assert!(Client::builder().proxy("socks5://proxy.example.com").build().is_err());
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = ProxyChoice::Url(url.into());
        self
    }

    /// Uses no proxy, whatever the environment says. Default: the proxy from the environment, see
    /// [`proxy`](Self::proxy).
    ///
    /// # Example: a server in the same network
    ///
    /// ```
    /// use http_sse::Client;
    ///
    /// let client = Client::builder().no_proxy().build()?;
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn no_proxy(mut self) -> Self {
        self.proxy = ProxyChoice::None;
        self
    }

    /// Sets the stack size of a connection's thread, in bytes. Default: 256 KiB.
    ///
    /// Callbacks run on this stack; deep recursion needs more. Only touched pages use memory. Less than 192 KiB, or 128
    /// KiB without the feature `tls`, is [`Error::InvalidRequest`]: a TLS handshake in an unoptimized build would
    /// overflow the stack and abort the process.
    ///
    /// # Example: callbacks that need a deep stack
    ///
    /// ```
    /// use http_sse::Client;
    ///
    /// let client = Client::builder().stack_size(1 << 20).build()?;
    /// assert!(Client::builder().stack_size(1000).build().is_err());
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = bytes;
        self
    }

    /// Sets the maximum size of the buffer for socket reads, in bytes. Default: 64 KiB; the minimum is 4 KiB.
    ///
    /// Each connection starts with 4 KiB, and doubles the buffer while data keeps filling it; a tenth of a second after
    /// the last byte it is back at 4 KiB. A compressed stream has a second buffer, for what it decodes to.
    ///
    /// # Example: never more than an idle stream needs
    ///
    /// ```
    /// use http_sse::Client;
    ///
    /// let client = Client::builder().read_buffer(8 << 10).build()?;
    /// assert!(Client::builder().read_buffer(1000).build().is_err());
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn read_buffer(mut self, bytes: usize) -> Self {
        self.read_buffer = bytes;
        self
    }

    /// Validates the settings and creates the client.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidRequest`]: a setting is invalid. The text names it: a header, a PEM text, a proxy, a keepalive
    /// of zero, a size.
    ///
    /// # Example: what is wrong is named
    ///
    /// ```
    /// use http_sse::Client;
    ///
    /// let error = Client::builder().stack_size(1000).build().unwrap_err();
    /// assert!(error.to_string().contains("stack_size"), "{error}");
    /// ```
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
            ProxyRules::through(url, "ClientBuilder::proxy")?;
        }
        let link = self.link.check(&self.proxy)?;
        if let Some(keepalive) = self.keepalive {
            keepalive.check()?;
        }
        if self.stack_size < MIN_STACK {
            return Err(format!("stack_size {} is less than the minimum of {MIN_STACK} bytes", self.stack_size));
        }
        if self.read_buffer < INPUT {
            return Err(format!("read_buffer {} is less than the minimum of {INPUT} bytes", self.read_buffer));
        }
        Ok(Settings {
            headers,
            stack_size: self.stack_size,
            read_buffer: self.read_buffer,
            proxy: self.proxy,
            keepalive: self.keepalive,
            link: Arc::new(link),
            lookups: Arc::default(),
            #[cfg(feature = "tls")]
            tls: match (self.tls, self.tls_options.is_default()) {
                (Some(config), true) => Arc::new(TlsConfigs::given(config)),
                (Some(_), false) => return Err("tls_config cannot be combined with certificate setters".into()),
                (None, true) => Arc::default(),
                (None, false) => Arc::new(TlsConfigs::checked(self.tls_options)?),
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
            read_buffer: builder.read_buffer,
            proxy: builder.proxy,
            keepalive: builder.keepalive,
            link: Arc::default(),
            lookups: Arc::default(),
            #[cfg(feature = "tls")]
            tls: Arc::default(),
        }
    }
}

impl Settings {
    /// Returns how a connection reaches the network; reads the environment.
    pub(crate) fn transport(&self) -> Result<TransportConfig, String> {
        let proxy = match &self.proxy {
            // A proxy could not reach it.
            _ if self.link.is_local() => ProxyRules::default(),
            ProxyChoice::Environment => ProxyRules::environment(),
            ProxyChoice::None => ProxyRules::default(),
            ProxyChoice::Url(url) => ProxyRules::through(url, "ClientBuilder::proxy")?,
        };
        Ok(TransportConfig {
            #[cfg(feature = "tls")]
            tls: Arc::clone(&self.tls),
            proxy,
            origins: OriginPolicy::default(),
            keepalive: self.keepalive,
            link: Arc::clone(&self.link),
            lookups: Arc::clone(&self.lookups),
            read_buffer: self.read_buffer,
        })
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("ClientBuilder").field("headers", &names).finish_non_exhaustive()
    }
}
