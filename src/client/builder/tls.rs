//! The settings that say whom to trust over TLS, and as whom to speak.

use std::path::PathBuf;
use std::sync::Arc;

use super::ClientBuilder;

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
        self.tls_options.roots.push(pem.as_ref().to_vec());
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
        self.tls_options.replace_roots = true;
        self.root_certificates_pem(pem)
    }

    /// Trusts the certificates of this file in addition to the built-in roots: PEM, any number; may be called again.
    ///
    /// It is read when the first connection needs it, and again when no root vouches for a server: then the attempt goes on
    /// with the new roots, so that an authority can be replaced without a restart. It is read again at most once per attempt
    /// and once per second, and counts as changed when its content is another; connections that are open stay. An authority
    /// that was taken out of the file stays trusted until then. Replace it by renaming a new file: one that is found
    /// half-written, or gone, leaves the roots as they are, and a warning in the log.
    ///
    /// A file that cannot be read at first is [`Error::Tls`](crate::Error::Tls), which names it: the attempt has failed, and
    /// the next one reads again. So are one without a certificate and one that is no regular file. Default: the Mozilla roots
    /// alone.
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

    /// Trusts the certificates of this file, and the built-in roots no more: otherwise
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

    /// Trusts what the system trusts, in addition to the built-in roots.
    ///
    /// That is the bundle or folder of the distribution, on macOS the keychain, on Windows the certificate store. Where
    /// `SSL_CERT_FILE` (a PEM bundle) or `SSL_CERT_DIR` (folders of PEM files, `:` in between) is set, it is what they name in
    /// place of that. It is read once, when the first connection needs it, and again only along with a
    /// [file](Self::root_certificates_file) that has changed.
    ///
    /// Certificates in it that cannot be used are left out. If there is none that can, it is
    /// [`Error::Tls`](crate::Error::Tls), which says so: the attempt has failed, and the next one reads again. Default: the
    /// Mozilla roots alone. Needs the feature `native-roots`.
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

    /// Trusts what the system trusts, and the built-in roots no more: otherwise [`native_roots`](Self::native_roots).
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
        self.tls_options.identity = Some((chain.as_ref().to_vec(), key.as_ref().to_vec()));
        self
    }

    /// Accepts every certificate: anyone on the way can read and change everything. For tests only.
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
        self.tls_options.accept_invalid_certs = true;
        self
    }

    /// Takes a server for the right one if the SHA-256 of its certificate, or of its public key, is this, and no other.
    ///
    /// It is for devices that sign their own certificates, a Philips Hue bridge for one. Call it again for further pins,
    /// of the next key for example: one of them must match. A pin may be
    ///
    /// - 64 hexadecimal digits, with a colon after each pair or without any, of the certificate (what browsers and
    ///   `openssl x509 -fingerprint -sha256` show) or of its public key;
    /// - `sha256//` and base64, of the public key alone: curl's `--pinnedpubkey`. It outlasts a new certificate with the same
    ///   key.
    ///
    /// Everything else is [`Error::InvalidRequest`](crate::Error::InvalidRequest) from [`build`](Self::build).
    ///
    /// A pin replaces every other check of the certificate: who signed it, which name it bears, whether it is an authority's,
    /// and its dates, so that neither a certificate that nobody renews nor a clock that is not set is in the way. That the
    /// server holds the key is checked. Only the server's own certificate is compared, not those that signed it.
    ///
    /// Any other certificate is [`Error::PinMismatch`](crate::Error::PinMismatch), which shows both digests and ends the
    /// connection under every policy. This holds for every https server of this client, the targets of redirects too: give a
    /// device a client of its own. A proxy that is reached over TLS is checked by the roots as without pins, and they are for
    /// nothing else then. Together with [`danger_accept_invalid_certs`](Self::danger_accept_invalid_certs) or
    /// [`tls_config`](Self::tls_config) it is [`Error::InvalidRequest`](crate::Error::InvalidRequest). Certificates of X.509
    /// version 1, which some old devices have, cannot be read. Default: no pins.
    ///
    /// # Example: a bridge, by its key and by the one that comes next
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

    /// Takes complete control of TLS. Together with a certificate setter it is [`Error::InvalidRequest`](crate::Error::InvalidRequest).
    ///
    /// Default: TLS 1.2 and 1.3 by rustls with the ring provider, and the Mozilla roots.
    ///
    /// ring can check neither keys on the curve P-521 nor RSA keys that are for PSS alone (`id-RSASSA-PSS`): a server whose
    /// certificate has one refuses the handshake (`HandshakeFailure`), whatever is trusted or pinned. For P-521 the way out is
    /// a configuration with `crypto::aws_lc_rs::default_provider()`, which is there once your program depends on rustls with
    /// the feature `aws_lc_rs`. For a key that is for PSS alone rustls has no provider; the server needs another certificate.
    /// Ordinary RSA keys in certificates that are signed with PSS are fine.
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
