//! The start and end of a response's body in the received bytes (RFC 9112 sections 6 and 7.1).
//!
//! Sans-I/O: it receives bytes, and returns how many of them are framing and how many are data. Bytes that it does not
//! understand are an error, never a guess; each byte is examined once.

/// The maximum length of a chunk size line with its extensions, or of a trailer, in bytes.
const MAX_LINE: usize = 16 * 1024;
/// The maximum size of all trailers together, in bytes.
const MAX_TRAILERS: usize = 64 * 1024;

/// How the end of a body is determined, and the position in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// The body ends with the connection.
    Close,
    /// The number of bytes still to come.
    Length(u64),
    Chunked(Chunked),
}

/// The position within a chunked body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chunked {
    at: At,
    /// The size of the chunk as read so far, then the number of data bytes still to come.
    size: u64,
    /// Bytes of the line so far.
    line: usize,
    /// Bytes of all trailers so far.
    trailers: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Before the first digit of a size.
    Size,
    Digits,
    /// After the size: spaces or an extension, up to the CR.
    Extension,
    /// At the LF of the size line.
    SizeEnd,
    Data,
    /// At the CR, or the LF, after the data.
    DataCr,
    DataLf,
    Trailer,
    End,
    Malformed(&'static str),
}

/// The next part of the given bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The number of framing bytes, which are skipped; then
    pub(crate) framing: usize,
    /// the number of data bytes. Zero: more bytes are needed, or the body has ended.
    pub(crate) data: usize,
}

impl Framing {
    /// A body of chunks, at its start.
    pub(crate) fn chunked() -> Self {
        Self::Chunked(Chunked { at: At::Size, size: 0, line: 0, trailers: 0 })
    }

    /// Returns what the bytes start with. All reported bytes count as consumed: the next call continues after them.
    ///
    /// An error is final: every further call returns it again.
    #[inline]
    pub(crate) fn next(&mut self, bytes: &[u8]) -> Result<Piece, &'static str> {
        match self {
            Self::Close => Ok(Piece { framing: 0, data: bytes.len() }),
            Self::Length(left) => Ok(Piece { framing: 0, data: take(left, bytes.len()) }),
            Self::Chunked(chunked) => chunked.next(bytes),
        }
    }

    /// Returns `true` once the body is complete.
    #[inline]
    pub(crate) fn is_complete(&self) -> bool {
        match self {
            Self::Close => false,
            Self::Length(left) => *left == 0,
            Self::Chunked(chunked) => chunked.at == At::End,
        }
    }

    /// Returns `true` if the end of the connection here is the end of the body.
    ///
    /// After the last chunk's line `0` only trailers can follow, which are not part of the body: it is complete.
    pub(crate) fn may_end(&self) -> bool {
        match self {
            Self::Close => true,
            Self::Length(left) => *left == 0,
            Self::Chunked(chunked) => matches!(chunked.at, At::Trailer | At::End),
        }
    }
}

impl Chunked {
    #[inline]
    fn next(&mut self, bytes: &[u8]) -> Result<Piece, &'static str> {
        let mut framing = 0;
        loop {
            match self.at {
                At::Data => {
                    let data = take(&mut self.size, bytes.len() - framing);
                    if self.size == 0 {
                        self.at = At::DataCr;
                    }
                    return Ok(Piece { framing, data });
                }
                At::Malformed(why) => return Err(why),
                At::End => break,
                _ => {}
            }
            let Some(&byte) = bytes.get(framing) else { break };
            self.at = self.after(byte);
            framing += 1;
        }
        Ok(Piece { framing, data: 0 })
    }

    /// Returns the position after a byte of framing.
    #[inline]
    fn after(&mut self, byte: u8) -> At {
        match (self.at, byte) {
            (At::Size | At::Digits, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.after_digit(byte),
            (At::Digits | At::Extension, b'\r') => At::SizeEnd,
            (At::Digits, b';' | b' ' | b'\t') => At::Extension,
            (At::Extension, other) if other != b'\n' => self.within_line(At::Extension),
            (At::SizeEnd, b'\n') => {
                self.line = 0;
                if self.size == 0 { At::Trailer } else { At::Data }
            }
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => At::Size,
            (At::Trailer, other) => self.after_trailer_byte(other),
            (At::Size | At::Digits, _) => At::Malformed("a chunk size is not a number"),
            (At::DataCr | At::DataLf, _) => At::Malformed("a chunk is longer than its size"),
            (at, _) => match at {
                At::End | At::Data | At::Malformed(_) => at,
                _ => At::Malformed("a chunk size line does not end with CR LF"),
            },
        }
    }

    fn after_digit(&mut self, digit: u8) -> At {
        if self.size >> 60 != 0 {
            return At::Malformed("a chunk size is too large");
        }
        let value = char::from(digit).to_digit(16).unwrap_or_default();
        self.size = self.size << 4 | u64::from(value);
        self.within_line(At::Digits)
    }

    /// Trailers of any content are skipped up to the blank line.
    fn after_trailer_byte(&mut self, byte: u8) -> At {
        self.trailers += 1;
        match byte {
            _ if self.trailers > MAX_TRAILERS => At::Malformed("the trailers are longer than 64 KiB"),
            b'\n' if self.line == 0 => At::End,
            b'\n' => {
                self.line = 0;
                At::Trailer
            }
            b'\r' => At::Trailer,
            _ => self.within_line(At::Trailer),
        }
    }

    fn within_line(&mut self, at: At) -> At {
        self.line += 1;
        if self.line > MAX_LINE { At::Malformed("a chunk size or trailer line is longer than 16 KiB") } else { at }
    }
}

/// Consumes as much of the rest as is available.
#[inline]
fn take(left: &mut u64, available: usize) -> usize {
    let taken = usize::try_from(*left).map_or(available, |left| left.min(available));
    *left -= taken as u64;
    taken
}

// Named, because this file is also compiled by itself, from elsewhere.
#[cfg(test)]
#[path = "framing/tests.rs"]
mod tests;
