//! The framing of chunks against a decoder that sees everything at once: the same data, the same end, wherever it is cut.

#[allow(dead_code, unreachable_pub, reason = "the crate's own source, of which a part is driven")]
#[path = "../../../src/http/framing.rs"]
#[allow(clippy::module_inception, reason = "the file has this name")]
mod framing;

use framing::Framing;

/// How a body came to its end.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Complete,
    Cut,
    Malformed,
}

/// The first byte says in what pieces the rest comes.
pub fn run(input: &[u8]) {
    let Some((&first, bytes)) = input.split_first() else { return };
    let expected = decode_at_once(bytes);
    for size in [usize::from(first) + 1, 1, bytes.len().max(1)] {
        assert_eq!(decode(bytes, size), expected, "in pieces of {size}: {:?}", String::from_utf8_lossy(bytes));
    }
    let mut length = Framing::Length(u64::from(first));
    let found = length.next(bytes).unwrap();
    assert_eq!((found.framing, found.data), (0, bytes.len().min(first.into())));
}

fn decode(bytes: &[u8], size: usize) -> (Vec<u8>, Verdict) {
    let mut framing = Framing::chunked();
    let mut data = Vec::new();
    for mut piece in bytes.chunks(size) {
        loop {
            let Ok(found) = framing.next(piece) else { return (data, Verdict::Malformed) };
            data.extend_from_slice(&piece[found.framing..found.framing + found.data]);
            piece = &piece[found.framing + found.data..];
            if found.data == 0 {
                break;
            }
        }
    }
    (data, if framing.may_end() { Verdict::Complete } else { Verdict::Cut })
}

/// RFC 9112 section 7.1, read off the grammar.
fn decode_at_once(bytes: &[u8]) -> (Vec<u8>, Verdict) {
    let (mut data, mut rest) = (Vec::new(), bytes);
    loop {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let text = std::str::from_utf8(&rest[..digits]).unwrap();
        let significant = text.trim_start_matches('0');
        if significant.len() > 16 {
            return (data, Verdict::Malformed);
        }
        let size = u64::from_str_radix(significant, 16).unwrap_or(0);
        let after = &rest[digits..];
        match after {
            [] => return (data, Verdict::Cut),
            _ if digits == 0 => return (data, Verdict::Malformed),
            [b'\r' | b';' | b' ' | b'\t', ..] => {}
            _ => return (data, Verdict::Malformed),
        }
        let Some(end) = after.iter().position(|&byte| byte == b'\r' || byte == b'\n') else {
            return (data, if after.len() > 16_000 { decode(bytes, 1).1 } else { Verdict::Cut });
        };
        match after[end..] {
            [b'\r'] => return (data, Verdict::Cut),
            [b'\r', b'\n', ..] => {}
            _ => return (data, Verdict::Malformed),
        }
        rest = &after[end + 2..];
        if size == 0 {
            // What trailers there are is no data; their limits have tests of their own.
            return (data, Verdict::Complete);
        }
        let available = usize::try_from(size).map_or(rest.len(), |size| size.min(rest.len()));
        data.extend_from_slice(&rest[..available]);
        rest = &rest[available..];
        match rest {
            [] | [b'\r'] => return (data, Verdict::Cut),
            [b'\r', b'\n', ..] => rest = &rest[2..],
            _ => return (data, Verdict::Malformed),
        }
    }
}
