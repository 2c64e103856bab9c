//! The values of a Content-Encoding: which of them change a body, and which are gzip.

/// The codings that change the body (IANA registry). Other values that are not codings are also sent: `none`, `utf-8`,
/// `binary`.
pub(crate) const CODINGS: [&str; 9] =
    ["gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress", "dcb", "dcz"];

/// Returns `true` if a Content-Encoding contains gzip once, and otherwise only values that are not codings.
pub(crate) fn is_gzip(encoding: &str) -> bool {
    let mut codings = encoding.split(',').map(str::trim).filter(|item| is_coding(item));
    let is_gzip =
        codings.next().is_some_and(|coding| ["gzip", "x-gzip"].iter().any(|gzip| coding.eq_ignore_ascii_case(gzip)));
    is_gzip && codings.next().is_none()
}

/// Returns `true` if an item of a Content-Encoding changes the body.
pub(crate) fn is_coding(item: &str) -> bool {
    CODINGS.iter().any(|coding| item.eq_ignore_ascii_case(coding))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_one_coding_by_either_name() {
        for gzip in ["gzip", "GZip", "x-gzip", "X-GZIP", "identity, gzip", "gzip, none", " gzip ,"] {
            assert!(is_gzip(gzip), "{gzip}");
        }
        for other in ["", "none", "br", "gzip, br", "br, gzip", "gzip, gzip", "gzip, x-gzip", "gzip2", "deflate"] {
            assert!(!is_gzip(other), "{other}");
        }
    }
}
