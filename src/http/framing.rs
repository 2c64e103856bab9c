//! Where a response's body begins and ends in the bytes that are received (RFC 9112 sections 6 and 7.1).
//!
//! Sans-I/O: it is shown what has been received, and says how much of it is framing and how much is data. What it does
//! not understand is an error, never a guess; no byte is looked at twice.

/// The longest line of a chunk's size with its extensions, or of a trailer, in bytes.
const MAX_LINE: usize = 16 * 1024;
/// All trailers together, in bytes.
const MAX_TRAILERS: usize = 64 * 1024;

/// How the end of a body is found, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// The body ends with the connection.
    Close,
    /// So many bytes are still to come.
    Length(u64),
    Chunked(Chunked),
}

/// The position within a chunked body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chunked {
    at: At,
    /// Of the chunk: its size as far as it is read, then the data still to come.
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
    /// Behind the size: blanks or an extension, up to the CR.
    Extension,
    /// At the LF of the line with the size.
    SizeEnd,
    Data,
    /// At the CR, and at the LF, behind the data.
    DataCr,
    DataLf,
    Trailer,
    End,
    Malformed(&'static str),
}

/// What comes next in the bytes that were shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// So many bytes of framing, which are skipped; then
    pub(crate) framing: usize,
    /// so many bytes of data. None: more bytes are needed, or it is the end.
    pub(crate) data: usize,
}

impl Framing {
    /// A body of chunks, at its start.
    pub(crate) fn chunked() -> Self {
        Self::Chunked(Chunked { at: At::Size, size: 0, line: 0, trailers: 0 })
    }

    /// Says what the bytes begin with. All that it names counts as taken: the next call is for what follows.
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

    /// Returns true once nothing of the body is to come any more.
    #[inline]
    pub(crate) fn is_complete(&self) -> bool {
        match self {
            Self::Close => false,
            Self::Length(left) => *left == 0,
            Self::Chunked(chunked) => chunked.at == At::End,
        }
    }

    /// Returns true if the end of the connection at this point is the end of the body.
    ///
    /// Behind the last chunk's line `0` nothing but trailers can come, which are not the body's: it is complete.
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

    /// Returns the position behind a byte of framing.
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

/// Takes as much as there is of what is left.
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
