//! The recordings of `ssecat --record`: the responses of a server, with their times.

use std::io;
use std::time::Duration;

const FIRST_LINE: &str = "http-sse recording 1";

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A response without a stream.
    Status(u16),
    Stream(Stream),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stream {
    pub(super) status: u16,
    pub(super) content_type: String,
    /// Since the start of the recording.
    pub(super) opened: Duration,
    pub(super) pieces: Vec<(Duration, Vec<u8>)>,
    pub(super) end: Option<(Duration, End)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Complete,
    Cut,
    /// The recording client disconnected first.
    Stopped,
}

/// Reads a recording; the error names the line.
pub(super) fn parse(text: &str) -> io::Result<Vec<Answer>> {
    let mut lines = text.split_terminator('\n').enumerate();
    match lines.next() {
        Some((_, FIRST_LINE)) => {}
        _ => return Err(invalid(1, "not a recording")),
    }
    let mut answers = Vec::new();
    for (index, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        read_line(line, &mut answers).ok_or_else(|| invalid(index + 1, "malformed line"))?;
    }
    Ok(answers)
}

fn invalid(line: usize, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("line {line}: {what}"))
}

fn read_line(line: &str, answers: &mut Vec<Answer>) -> Option<()> {
    let (time, what) = line.split_once(' ')?;
    let (kind, rest) = what.split_once(' ').unwrap_or((what, ""));
    let time = time.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())?;
    match kind {
        "status" => answers.push(Answer::Status(rest.parse().ok()?)),
        "open" => {
            let (status, content_type) = rest.split_once(' ')?;
            answers.push(Answer::Stream(Stream {
                status: status.parse().ok()?,
                content_type: content_type.to_owned(),
                opened: time,
                pieces: Vec::new(),
                end: None,
            }));
        }
        "body" => open_stream(answers)?.pieces.push((time, unescape(rest)?)),
        "end" => open_stream(answers)?.end = Some((time, End::Complete)),
        "cut" => open_stream(answers)?.end = Some((time, End::Cut)),
        "stop" => open_stream(answers)?.end = Some((time, End::Stopped)),
        _ => return None,
    }
    Some(())
}

fn open_stream(answers: &mut [Answer]) -> Option<&mut Stream> {
    match answers.last_mut() {
        Some(Answer::Stream(stream)) if stream.end.is_none() => Some(stream),
        _ => None,
    }
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let length = if escape.starts_with('x') { 3 } else { 1 };
        let (escape, after) = escape.split_at_checked(length)?;
        bytes.push(match escape {
            "n" => b'\n',
            "r" => b'\r',
            "t" => b'\t',
            "\\" => b'\\',
            _ => hexadecimal(escape.strip_prefix('x')?)?,
        });
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    Some(bytes)
}

/// Without the signs that Rust accepts in numbers.
fn hexadecimal(digits: &str) -> Option<u8> {
    let is_plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(digits, 16).ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(pieces: &[(u64, &[u8])], end: Option<(u64, End)>) -> Answer {
        let millis = Duration::from_millis;
        Answer::Stream(Stream {
            status: 200,
            content_type: "text/event-stream; charset=utf-8".to_owned(),
            opened: millis(250),
            pieces: pieces.iter().map(|(time, bytes)| (millis(*time), bytes.to_vec())).collect(),
            end: end.map(|(time, end)| (millis(time), end)),
        })
    }

    #[test]
    fn a_recording_is_read_line_by_line() {
        let text = "http-sse recording 1\n# GET http://h/\n0.100000 status 503\n\
                    0.250000 open 200 text/event-stream; charset=utf-8\n0.300000 body data: ü\\n\\xff\\t\\\\ \n\
                    1.500000 body \\r\n2.000000 cut\n0.250000 open 200 text/event-stream; charset=utf-8\n";
        let first = ["data: ü\n".as_bytes(), b"\xff\t\\ "].concat();
        let expected =
            [Answer::Status(503), stream(&[(300, &first), (1500, b"\r")], Some((2000, End::Cut))), stream(&[], None)];
        assert_eq!(parse(text).unwrap(), expected);
        assert_eq!(parse("http-sse recording 1\n").unwrap(), []);
    }

    #[test]
    fn the_line_that_is_malformed_is_named() {
        let open = "0 open 200 text/event-stream\n";
        for (lines, number) in [
            ("0 body x\n".to_owned(), 2),
            ("# a comment\n\nx status 503\n".to_owned(), 4),
            ("-1 status 503\n".to_owned(), 2),
            ("0 status\n".to_owned(), 2),
            ("0 status 99999\n".to_owned(), 2),
            ("0 open 200\n".to_owned(), 2),
            ("0 sing\n".to_owned(), 2),
            ("0\n".to_owned(), 2),
            (format!("{open}0 body \\\n"), 3),
            (format!("{open}0 body \\q\n"), 3),
            (format!("{open}0 body \\x0\n"), 3),
            (format!("{open}0 body \\xü\n"), 3),
            (format!("{open}0 body \\x+1\n"), 3),
            (format!("{open}0 end\n0 body x\n"), 4),
        ] {
            let error = parse(&format!("http-sse recording 1\n{lines}")).unwrap_err();
            assert_eq!(error.to_string(), format!("line {number}: malformed line"), "{lines:?}");
        }
        for text in ["", "http-sse recording 2\n", "data: 1\n\n"] {
            assert_eq!(parse(text).unwrap_err().to_string(), "line 1: not a recording");
        }
    }
}
