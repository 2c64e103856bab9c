//! Pins: SHA-256 digests that identify a server's certificate or its public key.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;

use crate::error::PinMismatch;

pub(super) type Digest = [u8; 32];

/// The prefix of curl for the digest of a public key.
const CURL: &str = "sha256//";

/// An expected digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pin {
    /// The digest of a certificate or of a public key: no digest can be both.
    Either(Digest),
    PublicKey(Digest),
}

impl Pin {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix(CURL) {
            Some(base64) => {
                let bytes = STANDARD.decode(base64).map_err(|_| format!("invalid base64 after {CURL}"))?;
                let length = bytes.len();
                let digest = bytes.try_into().map_err(|_| format!("{length} bytes after {CURL}, expected 32"))?;
                Ok(Self::PublicKey(digest))
            }
            None => hexadecimal(text).map(Self::Either).ok_or_else(|| {
                format!("expected 64 hexadecimal digits, with or without colons between pairs, or {CURL} and base64")
            }),
        }
    }
}

/// Checks a certificate against the pins. Its contents do not count: names, dates, or issuer.
pub(super) fn check(certificate: &CertificateDer<'_>, pins: &[Pin]) -> Result<(), rustls::Error> {
    let public_key = sha256(&ParsedCertificate::try_from(certificate)?.subject_public_key_info())?;
    let certificate = sha256(certificate)?;
    let is_it = |pin: &Pin| match pin {
        Pin::Either(digest) => *digest == certificate || *digest == public_key,
        Pin::PublicKey(digest) => *digest == public_key,
    };
    if pins.iter().any(is_it) {
        return Ok(());
    }
    let [certificate, public_key] = [Pin::Either(certificate), Pin::PublicKey(public_key)].map(|pin| pin.to_string());
    let mismatch = PinMismatch::new(certificate, public_key, pins.iter().map(Pin::to_string));
    let other = rustls::OtherError(std::sync::Arc::new(mismatch));
    Err(rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other)))
}

/// Hashes with the provider that TLS uses anyway.
pub(super) fn sha256(bytes: &[u8]) -> Result<Digest, rustls::Error> {
    let suite = TLS13_AES_128_GCM_SHA256.tls13();
    let digest = suite.and_then(|suite| suite.common.hash_provider.hash(bytes).as_ref().try_into().ok());
    digest.ok_or_else(|| rustls::Error::General("SHA-256 is not available".into()))
}

/// Reads `00ff…` or `00:ff:…`, in either case.
fn hexadecimal(text: &str) -> Option<Digest> {
    let text = text.as_bytes();
    let step = match text.len() {
        64 => 2,
        95 => 3,
        _ => return None,
    };
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut digest = Digest::default();
    for (byte, pair) in digest.iter_mut().zip(text.chunks(step)) {
        *byte = match pair {
            [high, low] | [high, low, b':'] => digit(high)? << 4 | digit(low)?,
            _ => return None,
        };
    }
    Some(digest)
}

/// In the form in which a pin is given.
impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Either(digest) => {
                let pairs: Vec<_> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
                f.write_str(&pairs.join(":"))
            }
            Self::PublicKey(digest) => write!(f, "{CURL}{}", STANDARD.encode(digest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of nothing, as every tool gives it.
    const PLAIN: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const COLONS: &str =
        "E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55";
    const BASE64: &str = "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

    #[test]
    fn each_form_of_a_pin_is_the_same_digest() {
        let nothing = sha256(b"").unwrap();
        for text in [PLAIN, &PLAIN.to_uppercase(), COLONS, &COLONS.to_lowercase()] {
            assert_eq!(Pin::parse(text), Ok(Pin::Either(nothing)), "{text}");
        }
        assert_eq!(Pin::parse(BASE64), Ok(Pin::PublicKey(nothing)));
        assert_eq!(Pin::Either(nothing).to_string(), COLONS);
        assert_eq!(Pin::PublicKey(nothing).to_string(), BASE64);
    }

    #[test]
    fn everything_else_is_refused() {
        let too_short = format!("{CURL}{}", STANDARD.encode([0; 31]));
        let too_long = format!("{CURL}{}", STANDARD.encode([0; 33]));
        let moved = PLAIN.replacen("e3", "e:3", 1);
        let mixed = COLONS.replacen("E3:B0", "E3B0:", 1);
        for text in [
            "",
            "pin.pem",
            &PLAIN[1..],
            &format!("{PLAIN}0"),
            &format!(" {PLAIN}"),
            &format!("{PLAIN}\n"),
            &PLAIN.replace('e', "g"),
            &PLAIN[..40],
            &moved,
            &mixed,
            &COLONS.replace(':', "-"),
            &format!("{COLONS}:"),
            &format!("+{}", &PLAIN[1..]),
            &PLAIN.replacen("b0c", "ü", 1),
            &format!("SHA256:{PLAIN}"),
            CURL,
            &BASE64["sha256//".len()..],
            &BASE64.replace("//", "/"),
            &BASE64.replace('+', "-"),
            &BASE64[..BASE64.len() - 1],
            &format!("{BASE64};{BASE64}"),
            &format!("{CURL}{PLAIN}"),
            &too_short,
            &too_long,
        ] {
            assert!(Pin::parse(text).is_err(), "{text:?}");
        }
    }
}
