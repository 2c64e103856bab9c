//! Builds the rustls configuration of a client from what the user trusts.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// Whom to trust, and as whom to speak.
#[derive(Clone, Default)]
pub(crate) struct Trust {
    /// PEM bundles that the user gave.
    pub(crate) roots: Vec<Vec<u8>>,
    /// Whether the built-in roots are left out.
    pub(crate) only: bool,
    pub(crate) anybody: bool,
    /// Certificate chain and private key, both PEM.
    pub(crate) identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// The configuration that all connections of a client share.
///
/// Built when the first of them needs it: a program that only speaks plain http does not pay for the roots.
#[derive(Default)]
pub(crate) struct Tls {
    trust: Trust,
    config: OnceLock<Arc<ClientConfig>>,
}

impl Tls {
    /// Takes the user's own configuration.
    pub(crate) fn given(config: Arc<ClientConfig>) -> Self {
        Self { trust: Trust::default(), config: OnceLock::from(config) }
    }

    /// Builds the configuration now, so that an unusable PEM text is found at once.
    pub(crate) fn checked(trust: Trust) -> Result<Self, String> {
        Ok(Self { config: OnceLock::from(trust.config()?), trust })
    }

    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, String> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let config = self.trust.config()?;
        // Two threads may get here together: the first one's is shared.
        Ok(Arc::clone(self.config.get_or_init(|| config)))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl Trust {
    pub(crate) fn is_default(&self) -> bool {
        self.roots.is_empty() && !self.only && !self.anybody && self.identity.is_none()
    }

    /// Builds the configuration; the error says which PEM is unusable, never what is in it.
    fn config(&self) -> Result<Arc<ClientConfig>, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be set up: {error}"))?;
        let builder = if self.anybody {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        } else {
            builder.with_root_certificates(self.store()?)
        };
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

    fn store(&self) -> Result<RootCertStore, String> {
        let mut store = RootCertStore::empty();
        if !self.only {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        for pem in &self.roots {
            for certificate in certificates(pem, "root_certificates_pem: a root certificate")? {
                store
                    .add(certificate)
                    .map_err(|error| format!("root_certificates_pem: a root certificate cannot be used: {error}"))?;
            }
        }
        Ok(store)
    }
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{what} is unusable: {}", fault(&error)))?;
    if certificates.is_empty() {
        return Err(format!("{what} is missing: the text holds no PEM certificate"));
    }
    Ok(certificates)
}

/// Says what is wrong with a PEM text. Its own error quotes lines, and a line may be a whole key.
fn fault(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::NoItemsFound => "the text holds none in PEM",
        pem::Error::MissingSectionEnd { .. } => "its PEM section has no end",
        pem::Error::IllegalSectionStart { .. } => "its PEM section does not begin with a line of its own",
        pem::Error::Base64Decode(_) => "its base64 is malformed",
        _ => "it is not PEM",
    }
}

/// Accepts every certificate, but still checks that the peer holds its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
