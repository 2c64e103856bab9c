//! The settings for trust and client identity over TLS.

use std::path::PathBuf;
use std::sync::Arc;

use super::ClientBuilder;

impl ClientBuilder {
    /// Trusts these root certificates in addition to the built-in ones. Default: only the Mozilla roots.
    ///
    /// PEM, with any number of certificates; may be called repeatedly.
    ///
    /// Default: the Mozilla roots alone.
    ///
    /// # Example: a private authority in addition to the public ones
    ///
    /// ```no_run
    /// use http_sse::Client;
    ///
    /// let client = Client::builder().root_certificates_pem(std::fs::read("/etc/ssl/own-ca.pem")?).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn root_certificates_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.tls_options.roots.push(pem.as_ref().to_vec());
        self
    }

    /// Trusts these root certificates instead of the built-in ones. Default: only the Mozilla roots.
    ///
    /// PEM, with any number of certificates; may be called repeatedly.
    ///
    /// Default: the Mozilla roots alone.
    ///
    /// # Example: a text without a certificate is an error
    ///
    /// ```
    /// use http_sse::{Client, Error};
    ///
    /// let built = Client::builder().only_root_certificates_pem("not PEM").build();
    /// assert!(matches!(built, Err(Error::InvalidRequest(_))));
    /// ```
    pub fn only_root_certificates_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.tls_options.replace_roots = true;
        self.root_certificates_pem(pem)
    }

    /// Trusts the root certificates in this file in addition to the built-in ones. Default: only the Mozilla roots.
    ///
    /// The file is PEM, with any number of certificates; may be called repeatedly. It is read when the first connection
    /// needs it, and again when no root has signed a server's certificate: then the attempt continues with the new
    /// roots, so an authority can be replaced without a restart. It is reloaded at most once per attempt and once per
    /// second, and only if its content has changed; open connections are not affected. An authority that was removed
    /// from the file remains trusted until the next reload. Replace the file by renaming a new one: if it is incomplete
    /// or missing, the previous roots stay and the log has a warning.
    ///
    /// If the file cannot be read the first time, contains no certificate or is not a regular file, the attempt fails
    /// with [`Error::Tls`](crate::Error::Tls), which names the file, and the next attempt reads it again.
    ///
    /// # Example: an authority that is replaced once a year
    ///
    /// ```
    /// use http_sse::Client;
    ///
    /// let client = Client::builder().root_certificates_file("/etc/ssl/own-ca.pem").build()?;
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn root_certificates_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.tls_options.files.push(path.into());
        self
    }

    /// Trusts the root certificates in this file instead of the built-in ones; otherwise like
    /// [`root_certificates_file`](Self::root_certificates_file).
    ///
    /// # Example: the company's authority, and no other
    ///
    /// ```
    /// use http_sse::{Client, Error, Request};
    ///
    /// let client = Client::builder().only_root_certificates_file("/no/such/file.pem").no_proxy().build()?;
    /// # let server = http_sse::testing::Server::start()?;
    /// # let url = server.url("/").replace("http:", "https:");
    /// let request = Request::get(url).retry(http_sse::RetryPolicy::never());
    /// let Some(Err(error)) = client.read("news", request)?.next() else { panic!("no error") };
    /// assert!(matches!(&error, Error::Tls(why) if why.to_string().contains("/no/such/file.pem")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn only_root_certificates_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.tls_options.replace_roots = true;
        self.root_certificates_file(path)
    }

    /// Trusts the system's root certificates in addition to the built-in ones. Default: only the Mozilla roots.
    ///
    /// These are the distribution's bundle or directory, on macOS the keychain, on Windows the certificate store. If
    /// `SSL_CERT_FILE` (a PEM bundle) or `SSL_CERT_DIR` (directories of PEM files, separated by `:`) is set, it
    /// replaces them. The roots are read once, when the first connection needs them, and again only together with a
    /// changed [file](Self::root_certificates_file).
    ///
    /// Unusable certificates are skipped. If none is usable, the attempt fails with [`Error::Tls`](crate::Error::Tls),
    /// and the next attempt reads them again. Requires the feature `native-roots`.
    ///
    /// # Example: a laptop whose owner has added an authority
    ///
    /// ```
    /// use http_sse::Client;
    ///
    /// let client = Client::builder().native_roots().build()?;
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    #[cfg(feature = "native-roots")]
    pub fn native_roots(mut self) -> Self {
        self.tls_options.native = true;
        self
    }

    /// Trusts the system's root certificates instead of the built-in ones; otherwise like
    /// [`native_roots`](Self::native_roots).
    ///
    /// # Example: a machine whose administrator decides
    ///
    /// ```
    /// use http_sse::Client;
    ///
    /// let client = Client::builder().only_native_roots().build()?;
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    #[cfg(feature = "native-roots")]
    pub fn only_native_roots(mut self) -> Self {
        self.tls_options.replace_roots = true;
        self.native_roots()
    }

    /// Presents this certificate chain to servers that request one (mutual TLS). Default: none.
    ///
    /// Both are PEM; the key is PKCS#8, PKCS#1 or SEC1. A key that does not match the chain is
    /// [`Error::InvalidRequest`](crate::Error::InvalidRequest) from [`build`](Self::build).
    ///
    /// # Example: a device with a client certificate
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
        self.tls_options.identity = Some((chain.as_ref().to_vec(), key.as_ref().to_vec()));
        self
    }

    /// Accepts every certificate: anyone on the network path can read and change all data. For tests only.
    ///
    /// Default: a certificate must be valid now, for this host, and signed by a trusted root.
    ///
    /// # Example: only if enabled by name
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
        self.tls_options.accept_invalid_certs = true;
        self
    }

    /// Trusts only servers whose certificate or public key has this SHA-256 digest. Default: no pins.
    ///
    /// For devices with self-signed certificates, such as a Philips Hue bridge. Further calls add pins, for example of
    /// the next key: one of them must match. A pin is one of:
    ///
    /// - 64 hexadecimal digits, with or without colons between pairs: the digest of the certificate (as shown by
    ///   browsers and `openssl x509 -fingerprint -sha256`) or of its public key;
    /// - `sha256//` and base64, as for curl's `--pinnedpubkey`: the digest of the public key. It stays valid for a new
    ///   certificate with the same key.
    ///
    /// Any other text is [`Error::InvalidRequest`](crate::Error::InvalidRequest) from [`build`](Self::build).
    ///
    /// A pin replaces every other check of the certificate: issuer, names, basic constraints and dates. So it also
    /// works with a certificate that is never renewed, and with a clock that is not set. The client still verifies that
    /// the server has the key. It compares only the server's own certificate, not those of its issuers.
    ///
    /// Any other certificate is [`Error::PinMismatch`](crate::Error::PinMismatch), which shows both digests and ends
    /// the connection with every policy. Pins apply to every https server of this client, including redirect targets:
    /// use a separate client for each device. A proxy reached over TLS is checked against the roots, which then serve
    /// no other purpose. Combined with [`danger_accept_invalid_certs`](Self::danger_accept_invalid_certs) or
    /// [`tls_config`](Self::tls_config), a pin is [`Error::InvalidRequest`](crate::Error::InvalidRequest), and so is an
    /// http URL, for which a pin has no effect. X.509 version 1 certificates of some old devices are not supported.
    ///
    /// # Example: a bridge with its current and its next key
    ///
    /// ```
    /// use http_sse::Client;
    ///
    /// let client = Client::builder()
    ///     .pin_sha256("sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
    ///     .pin_sha256("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    ///     .build()?;
    /// assert!(Client::builder().pin_sha256("bridge.pem").build().is_err());
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn pin_sha256(mut self, pin: impl Into<String>) -> Self {
        self.tls_options.pins.push(pin.into());
        self
    }

    /// Uses this rustls configuration. Default: TLS 1.2 and 1.3 with the ring provider and the Mozilla roots.
    ///
    /// Combined with a certificate setter it is [`Error::InvalidRequest`](crate::Error::InvalidRequest).
    ///
    /// ring supports neither P-521 keys nor RSA keys restricted to PSS (`id-RSASSA-PSS`): a server with such a
    /// certificate refuses the handshake (`HandshakeFailure`), whatever is trusted or pinned. For P-521, use a
    /// configuration with `crypto::aws_lc_rs::default_provider()`, which is available if your program depends on rustls
    /// with the feature `aws_lc_rs`. For PSS-only keys rustls has no provider; the server needs another certificate.
    /// Ordinary RSA keys in certificates with a PSS signature work.
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
