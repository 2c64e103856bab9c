//! Trust over TLS: `--cacert`, `--ca-native` and `--pinnedpubkey`.

use http_sse::{Client, ClientBuilder, Error};

use super::request::problem;
use super::value::Certificates;

#[derive(Default)]
pub(super) struct Trust {
    pub(super) cacert: Option<Certificates>,
    pub(super) is_native: bool,
    pub(super) pins: Vec<String>,
}

impl Trust {
    pub(super) fn add_to(&self, mut builder: ClientBuilder) -> Result<ClientBuilder, Error> {
        if let Some(certificates) = &self.cacert {
            builder = trusting_file(builder, certificates)?;
        }
        if self.is_native {
            builder = trusting_system(builder)?;
        }
        for pin in &self.pins {
            builder = trusting_pinned(builder, pin)?;
        }
        Ok(builder)
    }

    /// Returns what is wrong, and in which option.
    pub(super) fn culprit(&self) -> Option<String> {
        let builder = || Client::builder().no_proxy();
        let refusal = |builder: Result<ClientBuilder, Error>| builder.and_then(ClientBuilder::build).err().map(problem);
        if let Some(certificates) = &self.cacert {
            if let Some(problem) = refusal(trusting_file(builder(), certificates)) {
                // The name of the setter is meaningless here.
                let problem = problem.replace("root_certificates_pem: ", "");
                return Some(format!("--cacert {:?}: {problem}", certificates.path));
            }
        }
        if self.is_native {
            if let Some(problem) = refusal(trusting_system(builder())) {
                return Some(format!("--ca-native: {problem}"));
            }
        }
        let pinned = self.pins.iter().try_fold(builder(), |builder, pin| trusting_pinned(builder, pin));
        refusal(pinned).map(|problem| problem.replace("pin_sha256: ", "--pinnedpubkey: "))
    }
}

/// The contents are checked now; a regular file is read again if none of its certificates matches.
#[cfg(feature = "tls")]
fn trusting_file(builder: ClientBuilder, certificates: &Certificates) -> Result<ClientBuilder, Error> {
    let Certificates { path, pem } = certificates;
    Client::builder().no_proxy().only_root_certificates_pem(pem).build()?;
    Ok(match path.is_file() {
        true => builder.only_root_certificates_file(path),
        false => builder.only_root_certificates_pem(pem),
    })
}

#[cfg(feature = "native-roots")]
fn trusting_system(builder: ClientBuilder) -> Result<ClientBuilder, Error> {
    Ok(builder.only_native_roots())
}

#[cfg(feature = "tls")]
fn trusting_pinned(builder: ClientBuilder, pin: &str) -> Result<ClientBuilder, Error> {
    Ok(builder.pin_sha256(pin))
}

#[cfg(not(feature = "tls"))]
fn trusting_file(_: ClientBuilder, _: &Certificates) -> Result<ClientBuilder, Error> {
    Err(without_tls())
}

#[cfg(not(feature = "native-roots"))]
fn trusting_system(_: ClientBuilder) -> Result<ClientBuilder, Error> {
    Err(Error::InvalidRequest("this program was built without the feature native-roots".into()))
}

#[cfg(not(feature = "tls"))]
fn trusting_pinned(_: ClientBuilder, _: &str) -> Result<ClientBuilder, Error> {
    Err(without_tls())
}

#[cfg(not(feature = "tls"))]
fn without_tls() -> Error {
    Error::InvalidRequest("this program was built without TLS".into())
}
