//! A tunnel through an HTTP proxy (RFC 9110 section 9.3.6).

use std::io;

use ureq::http::HeaderValue;

use super::{Fault, MAX_HEAD, Wait, Wire};

/// The response of a proxy to CONNECT, if it is not a tunnel.
#[derive(Debug)]
pub(crate) enum Refusal {
    Fault(Fault),
    Status(u16),
    Malformed,
}

/// Requests a tunnel from the proxy; any 2xx opens one.
pub(crate) fn tunnel(
    wire: &mut Wire,
    authority: &str,
    headers: &[(&str, &HeaderValue)],
    wait: &mut Wait,
) -> Result<(), Refusal> {
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
    for (name, value) in headers {
        request.extend_from_slice(name.as_bytes());
        request.extend_from_slice(b": ");
        request.extend_from_slice(value.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    let mut rest = &request[..];
    while !rest.is_empty() {
        let sent = wire.write(rest, wait)?;
        rest = &rest[sent..];
    }
    let status = answer(wire, wait)?;
    if (200..300).contains(&status) { Ok(()) } else { Err(Refusal::Status(status)) }
}

/// Reads a head byte by byte: the bytes after it belong to the server behind the proxy. It is short, and read once.
fn answer(wire: &mut Wire, wait: &mut Wait) -> Result<u16, Refusal> {
    let mut head = Vec::new();
    loop {
        let mut byte = [0];
        if wire.read(&mut byte, wait)? == 0 {
            return Err(Refusal::Fault(Fault::Io(io::ErrorKind::UnexpectedEof.into())));
        }
        head.extend_from_slice(&byte);
        if head.ends_with(b"\n\r\n") || head.ends_with(b"\n\n") {
            match status(&head).ok_or(Refusal::Malformed)? {
                // Informational: the final response follows.
                100..200 => head.clear(),
                status => return Ok(status),
            }
        }
        if head.len() > MAX_HEAD {
            return Err(Refusal::Malformed);
        }
    }
}

/// Reads the status, and checks that the rest looks like header lines.
fn status(head: &[u8]) -> Option<u16> {
    let mut lines = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end);
    let rest = lines.next()?.strip_prefix(b"HTTP/1.")?;
    let (&[b'0' | b'1', b' ', a, b, c], reason) = rest.split_first_chunk()? else { return None };
    let is_status = [a, b, c].iter().all(u8::is_ascii_digit) && a != b'0' && matches!(reason, [] | [b' ', ..]);
    let is_head = lines.all(|line| line.is_empty() || line.contains(&b':') || matches!(line, [b' ' | b'\t', ..]));
    (is_status && is_head).then(|| [a, b, c].iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0')))
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxys_answer_is_a_status_line_and_header_lines() {
        for (head, expected) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", Some(200)),
            ("HTTP/1.0 200\r\n\r\n", Some(200)),
            ("HTTP/1.1 299 x\n\n", Some(299)),
            ("HTTP/1.1 407 No\r\nA: b\r\n folded\r\n\r\n", Some(407)),
            ("HTTP/2 200 OK\r\n\r\n", None),
            ("HTTP/1.1 20 OK\r\n\r\n", None),
            ("HTTP/1.1 2000 OK\r\n\r\n", None),
            ("HTTP/1.1 099 x\r\n\r\n", None),
            ("HTTP/1.1 200\r\nbad header\r\n\r\n", None),
            ("nonsense\r\n\r\n", None),
            ("\r\n\r\n", None),
        ] {
            assert_eq!(status(head.as_bytes()), expected, "{head:?}");
        }
    }
}
