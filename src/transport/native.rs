//! The root certificates of the system.

use std::env;
use std::io;

use log::debug;
use rustls::RootCertStore;
use rustls_native_certs::{Error, ErrorKind, load_native_certs};

/// The variables that replace the system's store.
const VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Reads the roots. Unusable ones are skipped; if none is usable, it is an error.
pub(super) fn read() -> io::Result<RootCertStore> {
    let found = load_native_certs();
    let mut store = RootCertStore::empty();
    let (usable, unusable) = store.add_parsable_certificates(found.certs);
    debug!("loaded {usable} root certificates of the system, {unusable} unusable, {} errors", found.errors.len());
    if usable > 0 {
        return Ok(store);
    }
    let set = VARIABLES.iter().filter_map(|name| Some(format!("; {name} is {:?}", env::var_os(name)?)));
    let why = found.errors.first().map(|error| format!(": {}", text(error)));
    let text = ["the system has no usable root certificate".to_owned()].into_iter().chain(why).chain(set);
    Err(io::Error::other(text.collect::<String>()))
}

/// Describes the error. The text of a PEM error quotes lines, and a line may be a whole key.
fn text(error: &Error) -> String {
    match &error.kind {
        ErrorKind::Pem(_) => error.context.to_owned(),
        _ => error.to_string(),
    }
}
