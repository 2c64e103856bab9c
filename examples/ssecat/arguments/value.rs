//! The values of options: parsed and validated, or refused in one line that names the option.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use http_sse::RetryPolicy;
use lexopt::{Parser, ValueExt};

use super::cursor::Place;
use crate::format::Format;

/// The certificates of a file, which the client checks.
pub(crate) struct Certificates {
    pub(crate) path: PathBuf,
    pub(crate) pem: Vec<u8>,
}

pub(super) fn any(parser: &mut Parser) -> Result<OsString, String> {
    parser.value().map_err(|error| error.to_string())
}

pub(super) fn text(parser: &mut Parser, option: &str) -> Result<String, String> {
    unicode(any(parser)?, option)
}

pub(super) fn unicode(value: OsString, option: &str) -> Result<String, String> {
    // Not shown: it may be a secret.
    value.string().map_err(|_| format!("{option}: the value is not Unicode"))
}

/// The value is never shown: it may be a secret.
pub(super) fn header(parser: &mut Parser) -> Result<(String, String), String> {
    let text = text(parser, "-H")?;
    let (name, value) = text.split_once(':').ok_or("-H: missing colon, expected 'Name: value'")?;
    if name.trim().eq_ignore_ascii_case("last-event-id") {
        return Err("-H: the header last-event-id is set by --last-id".into());
    }
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

pub(super) fn body(parser: &mut Parser) -> Result<Vec<u8>, String> {
    let bytes = any(parser)?.into_encoded_bytes();
    let Some(path) = bytes.strip_prefix(b"@") else { return Ok(bytes) };
    let path = std::str::from_utf8(path).map_err(|_| "-d: the file name is not Unicode")?;
    if path != "-" {
        return fs::read(path).map_err(|error| format!("-d @{path}: {error}"));
    }
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes).map_err(|error| format!("-d @-: {error}"))?;
    Ok(bytes)
}

pub(super) fn event_type(parser: &mut Parser, option: &str) -> Result<String, String> {
    let text = text(parser, option)?;
    if text.is_empty() {
        return Err(format!("{option} \"\": events without a type have the type \"message\""));
    }
    Ok(text)
}

pub(super) fn cursor(parser: &mut Parser) -> Result<Place, String> {
    let text = text(parser, "--cursor")?;
    Place::named(&text).ok_or_else(|| format!("--cursor {text:?}: expected 'KEY={{FIELD}}' or 'NAME: …{{FIELD}}…'"))
}

pub(super) fn seconds(parser: &mut Parser, option: &str) -> Result<Duration, String> {
    let text = text(parser, option)?;
    let duration = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| format!("{option} {text:?}: expected a number of seconds above 0"))
}

pub(super) fn count(parser: &mut Parser) -> Result<u64, String> {
    let text = text(parser, "--count")?;
    let count = text.parse().ok().filter(|&count| count > 0);
    count.ok_or_else(|| format!("--count {text:?}: expected a whole number above 0"))
}

pub(super) fn retry(parser: &mut Parser) -> Result<RetryPolicy, String> {
    let text = text(parser, "--retry")?;
    match (text.as_str(), text.parse()) {
        ("never", _) | (_, Ok(0)) => Ok(RetryPolicy::never()),
        ("forever", _) => Ok(RetryPolicy::forever()),
        (_, Ok(retries)) => Ok(RetryPolicy::default().max_retries(retries)),
        (_, Err(_)) => Err(format!("--retry {text:?}: expected never, forever or a whole number")),
    }
}

pub(super) fn format(parser: &mut Parser) -> Result<Format, String> {
    let text = text(parser, "--format")?;
    Format::named(&text).ok_or_else(|| format!("--format {text:?}: expected one of {}", Format::NAMES))
}

/// `host:port:address`, as curl has it; an IPv6 address may have brackets.
pub(super) fn resolve(parser: &mut Parser) -> Result<(String, IpAddr), String> {
    let text = text(parser, "--resolve")?;
    let parts = text.split_once(':').and_then(|(host, rest)| Some((host, rest.split_once(':')?)));
    let resolved = parts.and_then(|(host, (port, address))| {
        let address = address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address);
        Some((format!("{host}:{port}"), address.parse().ok()?))
    });
    resolved.ok_or_else(|| format!("--resolve {text:?}: expected HOST:PORT:ADDRESS"))
}

/// One or several with semicolons in between, as curl has it.
pub(super) fn pins(parser: &mut Parser) -> Result<Vec<String>, String> {
    Ok(text(parser, "--pinnedpubkey")?.split(';').map(str::to_owned).collect())
}

pub(super) fn certificates(parser: &mut Parser) -> Result<Certificates, String> {
    let path = PathBuf::from(any(parser)?);
    match fs::read(&path) {
        Ok(pem) => Ok(Certificates { path, pem }),
        Err(error) => Err(format!("--cacert {path:?}: {error}")),
    }
}
