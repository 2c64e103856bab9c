//! A server certificate that does not match the pins.

use std::error::Error as StdError;
use std::fmt;

/// The SHA-256 digests of a server certificate that does not match the pins, and the expected ones.
///
/// None of them is secret. Each text can be passed to
#[cfg_attr(feature = "tls", doc = "[`ClientBuilder::pin_sha256`](crate::ClientBuilder::pin_sha256)")]
#[cfg_attr(not(feature = "tls"), doc = "`ClientBuilder::pin_sha256`")]
/// after a person has compared it with the print on the device.
///
/// # Example: ask the user before trusting a device
///
/// ```no_run
/// use http_sse::{Client, Error, Request};
///
/// # let (pin, url) = ("sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "https://bridge.local/");
/// let client = Client::builder().pin_sha256(pin).build()?;
/// for event in client.read("bridge", Request::get(url))? {
///     match event {
///         Err(Error::PinMismatch(shown)) => println!("is this your device? {}", shown.certificate()),
///         event => println!("{}", event?.data()),
///     }
/// }
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinMismatch {
    certificate: String,
    public_key: String,
    expected: Vec<String>,
}

impl PinMismatch {
    /// Creates a mismatch from the digests of a certificate and of its public key, and the pins.
    ///
    /// # Example: an error for the code under test
    ///
    /// ```
    /// use http_sse::{Error, PinMismatch};
    /// use std::sync::Arc;
    ///
    /// let error = Error::PinMismatch(Arc::new(PinMismatch::new("E3:B0", "sha256//47DE", ["A1:B2"])));
    /// assert!(!error.is_transient());
    /// ```
    pub fn new<S: Into<String>>(
        certificate: impl Into<String>,
        public_key: impl Into<String>,
        expected: impl IntoIterator<Item = S>,
    ) -> Self {
        let expected = expected.into_iter().map(Into::into).collect();
        Self { certificate: certificate.into(), public_key: public_key.into(), expected }
    }

    /// Returns the digest of the server's certificate: 64 hexadecimal digits in pairs, with colons.
    ///
    /// # Example: what a browser shows too
    ///
    /// ```
    /// let shown = http_sse::PinMismatch::new("E3:B0", "sha256//47DE", ["A1:B2"]);
    /// assert_eq!(shown.certificate(), "E3:B0");
    /// ```
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Returns the digest of the public key in that certificate: `sha256//` and base64, like curl.
    ///
    /// # Example: a pin that survives a new certificate
    ///
    /// ```
    /// let shown = http_sse::PinMismatch::new("E3:B0", "sha256//47DE", ["A1:B2"]);
    /// assert_eq!(shown.public_key(), "sha256//47DE");
    /// ```
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    /// Returns the pins of the client.
    ///
    /// # Example: what was expected instead
    ///
    /// ```
    /// let shown = http_sse::PinMismatch::new("E3:B0", "sha256//47DE", ["A1:B2"]);
    /// assert_eq!(shown.expected(), ["A1:B2"]);
    /// ```
    pub fn expected(&self) -> &[String] {
        &self.expected
    }
}

impl fmt::Display for PinMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { certificate, public_key, expected } = self;
        let expected = expected.join(" or ");
        write!(f, "received the certificate {certificate} with the public key {public_key}, expected {expected}")
    }
}

impl StdError for PinMismatch {}
