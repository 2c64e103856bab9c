//! The settings that say whom to trust over TLS, and as whom to speak.

use std::sync::Arc;

use super::ClientBuilder;
use crate::rustls;

impl ClientBuilder {
    /// Trusts these certificates in addition to the built-in roots. PEM, any number in one text; may be called again.
    ///
    /// Default: the Mozilla roots alone.
    ///
    /// # Example: an authority of one's own, beside the public ones
    ///
    /// ```no_run
    /// use http_sse::Client;
    ///
    /// let client = Client::builder().root_certificates_pem(std::fs::read("/etc/ssl/own-ca.pem")?).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn root_certificates_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.trust.roots.push(pem.as_ref().to_vec());
        self
    }

    /// Trusts these certificates, and the built-in roots no more. PEM, any number in one text; may be called again.
    ///
    /// Default: the Mozilla roots alone.
    ///
    /// # Example: a text without a certificate is told at once
    ///
    /// ```
    /// use http_sse::{Client, Error};
    ///
    /// let built = Client::builder().only_root_certificates_pem("not PEM").build();
    /// assert!(matches!(built, Err(Error::InvalidRequest(_))));
    /// ```
    pub fn only_root_certificates_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.trust.only = true;
        self.root_certificates_pem(pem)
    }

    /// Shows this certificate chain to servers that ask for one (mutual TLS). Both PEM; the key PKCS#8, PKCS#1 or SEC1.
    ///
    /// A key that does not belong to the chain is [`Error::InvalidRequest`](crate::Error::InvalidRequest) from [`build`](Self::build). Default: none.
    ///
    /// # Example: a device that proves who it is
    ///
    /// ```no_run
    /// use http_sse::Client;
    /// use std::fs;
    ///
    /// let client = Client::builder()
    ///     .client_certificate_pem(fs::read("/etc/device/chain.pem")?, fs::read("/etc/device/key.pem")?)
    ///     .build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn client_certificate_pem(mut self, chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        self.trust.identity = Some((chain.as_ref().to_vec(), key.as_ref().to_vec()));
        self
    }

    /// Accepts every certificate: whoever is on the way can read and change everything. For tests only.
    ///
    /// Default: a certificate must be valid now, for this host, and signed by a root that is trusted.
    ///
    /// # Example: only when asked for by name
    ///
    /// ```
    /// use http_sse::Client;
    ///
    /// let mut builder = Client::builder();
    /// if std::env::var_os("TEST_BENCH_WITHOUT_CERTIFICATES").is_some() {
    ///     builder = builder.danger_accept_invalid_certs();
    /// }
    /// let client = builder.build()?;
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn danger_accept_invalid_certs(mut self) -> Self {
        self.trust.anybody = true;
        self
    }

    /// Takes complete control of TLS. Together with a certificate setter it is [`Error::InvalidRequest`](crate::Error::InvalidRequest).
    ///
    /// Default: TLS 1.2 and 1.3 by rustls with the ring provider, and the Mozilla roots.
    ///
    /// # Example: TLS 1.3 and nothing older
    ///
    /// ```
    /// use http_sse::rustls::{ClientConfig, RootCertStore, crypto::ring, version::TLS13};
    /// use std::sync::Arc;
    ///
    /// # let roots = RootCertStore::empty();
    /// let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
    ///     .with_protocol_versions(&[&TLS13])?
    ///     .with_root_certificates(roots)
    ///     .with_no_client_auth();
    /// let client = http_sse::Client::builder().tls_config(Arc::new(config)).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tls_config(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }
}
