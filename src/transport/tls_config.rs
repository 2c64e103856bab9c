//! Builds the rustls configuration of a client from the user's TLS options.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rustls::client::WantsClientCert;
use rustls::crypto::{CryptoProvider, KeyProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::SigningKey;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

use super::pins::Pin;
use super::reread::Reread;
use super::verifier::{Accepts, NoChainVerification};

/// Trust and client identity.
#[derive(Default)]
pub(crate) struct TlsOptions {
    /// User-supplied PEM bundles.
    pub(crate) roots: Vec<Vec<u8>>,
    /// Files with such bundles.
    pub(crate) files: Vec<PathBuf>,
    /// Whether the system's roots are read too.
    #[cfg(feature = "native-roots")]
    pub(crate) native: bool,
    /// Whether the built-in roots are left out.
    pub(crate) replace_roots: bool,
    pub(crate) accept_invalid_certs: bool,
    /// Certificate chain and private key, both PEM.
    pub(crate) identity: Option<(Vec<u8>, Vec<u8>)>,
    /// Digests of servers, as the user wrote them.
    pub(crate) pins: Vec<String>,
}

/// The configurations that all connections of a client share.
///
/// The built-in one is created when the first connection needs it: a program that uses only plain http does not pay for
/// the roots. It neither reads PEM nor signs, so the code for both (40 KB) is only in programs that set certificates.
#[derive(Default)]
pub(crate) struct TlsConfigs {
    fixed: OnceLock<Arc<ClientConfig>>,
    /// Instead of it, roots that are not known before they are needed.
    source: Option<Box<dyn Source>>,
    /// For pinned servers. The other one is then for proxies.
    pinned: Option<Arc<ClientConfig>>,
}

/// A trait, so that the linker drops the code that reads PEM if no certificate is set.
pub(super) trait Source: Send + Sync {
    fn config(&self) -> io::Result<Arc<ClientConfig>>;

    /// Returns `true` if the roots differ from those of a configuration that refused a server.
    fn has_other_than(&self, refused: &Arc<ClientConfig>) -> bool;
}

impl TlsConfigs {
    /// Uses the user-supplied configuration.
    pub(crate) fn given(config: Arc<ClientConfig>) -> Self {
        Self { fixed: OnceLock::from(config), ..Self::default() }
    }

    /// Builds the configurations that need no file now, so that an invalid text is found immediately.
    pub(crate) fn checked(options: TlsOptions) -> Result<Self, String> {
        let pinned = if options.pins.is_empty() { None } else { Some(options.pinned()?) };
        let configs = if options.is_pins_alone() {
            Self::default()
        } else {
            Self::given(options.config(RootCertStore::empty())?)
        };
        if !options.reads_roots() {
            return Ok(Self { pinned, ..configs });
        }
        Ok(Self { fixed: OnceLock::new(), source: Some(Box::new(Reread::new(options))), pinned })
    }

    /// Returns `true` if servers are known by pins.
    pub(crate) fn is_pinned(&self) -> bool {
        self.pinned.is_some()
    }

    pub(crate) fn for_server(&self) -> io::Result<Arc<ClientConfig>> {
        match &self.pinned {
            Some(pinned) => Ok(Arc::clone(pinned)),
            None => self.for_proxy(),
        }
    }

    pub(crate) fn for_proxy(&self) -> io::Result<Arc<ClientConfig>> {
        if let Some(source) = &self.source {
            return source.config();
        }
        if let Some(config) = self.fixed.get() {
            return Ok(Arc::clone(config));
        }
        let provider = CryptoProvider { key_provider: &NoKeys, ..ring::default_provider() };
        let builder = builder(Arc::new(provider)).map_err(io::Error::other)?;
        let config = Arc::new(builder.with_root_certificates(built_in_roots()).with_no_client_auth());
        // Two threads may get here at the same time: the result of the first is shared.
        Ok(Arc::clone(self.fixed.get_or_init(|| config)))
    }

    /// Returns `true` if a server that a configuration refused for lack of a root should be tried again.
    pub(crate) fn has_other_than(&self, refused: &Arc<ClientConfig>) -> bool {
        self.source.as_ref().is_some_and(|source| source.has_other_than(refused))
    }
}

impl fmt::Debug for TlsConfigs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfigs").finish_non_exhaustive()
    }
}

/// A client without a certificate has no key to load.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        Err(rustls::Error::General("no keys are loaded here".into()))
    }
}

impl TlsOptions {
    pub(crate) fn is_default(&self) -> bool {
        self.pins.is_empty() && self.is_pins_alone()
    }

    fn is_pins_alone(&self) -> bool {
        self.roots.is_empty()
            && !self.reads_roots()
            && !self.replace_roots
            && !self.accept_invalid_certs
            && self.identity.is_none()
    }

    /// Returns `true` if some roots are not known before they are needed.
    fn reads_roots(&self) -> bool {
        #[cfg(feature = "native-roots")]
        return self.native || !self.files.is_empty();
        #[cfg(not(feature = "native-roots"))]
        !self.files.is_empty()
    }

    /// Builds the configuration with these additional roots; the error says which PEM is invalid, never its contents.
    pub(super) fn config(&self, read: RootCertStore) -> Result<Arc<ClientConfig>, String> {
        if self.accept_invalid_certs {
            return self.without_chain_verification(Accepts::Any);
        }
        let builder = builder(Arc::new(ring::default_provider()))?;
        self.identified(builder.with_root_certificates(self.store(read)?))
    }

    /// Builds the configuration for the servers that are pinned.
    fn pinned(&self) -> Result<Arc<ClientConfig>, String> {
        if self.accept_invalid_certs {
            return Err("pin_sha256 cannot be combined with danger_accept_invalid_certs".into());
        }
        let amount = self.pins.len();
        let parse = |(index, text): (usize, &String)| {
            Pin::parse(text).map_err(|why| match amount {
                1 => format!("pin_sha256: {why}"),
                _ => format!("pin_sha256: pin {} of {amount}: {why}", index + 1),
            })
        };
        let pins: Result<_, _> = self.pins.iter().enumerate().map(parse).collect();
        self.without_chain_verification(Accepts::Pinned(pins?))
    }

    fn without_chain_verification(&self, accepts: Accepts) -> Result<Arc<ClientConfig>, String> {
        let provider = ring::default_provider();
        let verifier = NoChainVerification { accepts, algorithms: provider.signature_verification_algorithms };
        let builder = builder(Arc::new(provider))?.dangerous();
        self.identified(builder.with_custom_certificate_verifier(Arc::new(verifier)))
    }

    fn identified(&self, builder: ConfigBuilder<ClientConfig, WantsClientCert>) -> Result<Arc<ClientConfig>, String> {
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = certificates(chain, "client_certificate_pem: the chain")?;
                let key = PrivateKeyDer::from_pem_slice(key)
                    .map_err(|error| format!("client_certificate_pem: the key is unusable: {}", fault(&error)))?;
                builder.with_client_auth_cert(chain, key).map_err(|error| {
                    format!("client_certificate_pem: the certificate and the key cannot be used: {error}")
                })?
            }
        };
        Ok(Arc::new(config))
    }

    fn store(&self, read: RootCertStore) -> Result<RootCertStore, String> {
        let mut store = if self.replace_roots { RootCertStore::empty() } else { built_in_roots() };
        for pem in &self.roots {
            add(&mut store, pem, "root_certificates_pem: a root certificate")?;
        }
        store.extend(read.roots);
        Ok(store)
    }
}

/// Adds the certificates of a PEM text.
pub(super) fn add(store: &mut RootCertStore, pem: &[u8], what: &str) -> Result<(), String> {
    for certificate in certificates(pem, what)? {
        store.add(certificate).map_err(|error| format!("{what} cannot be used: {error}"))?;
    }
    Ok(())
}

/// Returns `true` if no root has signed a certificate. A root with the right name but another key does not count.
pub(crate) fn is_untrusted(error: &rustls::Error) -> bool {
    use rustls::CertificateError::{
        BadSignature, UnknownIssuer, UnsupportedSignatureAlgorithmContext,
        UnsupportedSignatureAlgorithmForPublicKeyContext,
    };
    matches!(
        error,
        rustls::Error::InvalidCertificate(
            UnknownIssuer
                | BadSignature
                | UnsupportedSignatureAlgorithmContext { .. }
                | UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
        )
    )
}

fn builder(provider: Arc<CryptoProvider>) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, String> {
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("cannot set up TLS: {error}"))
}

fn built_in_roots() -> RootCertStore {
    RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned())
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{what} is unusable: {}", fault(&error)))?;
    if certificates.is_empty() {
        return Err(format!("{what} is missing: the text contains no PEM certificate"));
    }
    Ok(certificates)
}

/// Describes the error of a PEM text. Its own error quotes lines, and a line may be a whole key.
fn fault(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::NoItemsFound => "the text contains no PEM section of this kind",
        pem::Error::MissingSectionEnd { .. } => "its PEM section has no end",
        pem::Error::IllegalSectionStart { .. } => "its PEM section does not begin on a separate line",
        pem::Error::Base64Decode(_) => "its base64 is malformed",
        _ => "it is not PEM",
    }
}
