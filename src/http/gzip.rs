//! Decodes a gzip stream (RFC 1952) as soon as its bytes arrive.
//!
//! Sans-I/O: it receives bytes and a buffer for the result. It decodes everything that can be decoded, so that a server
//! which flushes after each event delivers each event; and it writes no more than fits into the buffer, however much a
//! byte expands to.

use crc32fast::Hasher;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF as TINFL_FLAG_FIRST_LAP,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress_with_limit};

/// The maximum distance of a match, in bytes (RFC 1951 section 2).
const WINDOW: usize = 32 * 1024;
/// The maximum size of all header fields together, in bytes: `FEXTRA` alone may have 64 KiB.
const MAX_HEADER: usize = 128 * 1024;
/// The first byte is not that of a member.
const NOT_GZIP: &str = "its body is not gzip, contrary to its content encoding";
/// The first bytes of a member, and the method: deflate is the only one.
const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

// The flags of a header (RFC 1952 section 2.3.1).
const FHCRC: u8 = 1 << 1;
const FEXTRA: u8 = 1 << 2;
const FNAME: u8 = 1 << 3;
const FCOMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

/// A decoder of one body: any number of consecutive members (RFC 1952 section 2.2).
///
/// Data after a member that is not another member ends the body: padding, or bytes that a server has appended. Browsers
/// ignore it too. What begins with the first byte of a member counts as one.
pub(crate) struct Gunzip {
    at: At,
    /// The flags of the member's header.
    flags: u8,
    header_bytes: usize,
    /// The checksum of the header, then of the decoded data.
    crc: Hasher,
    /// The decoded size of the member in bytes, as in its trailer: modulo 2^32.
    size: u32,
    /// The last eight bytes of a number or trailer.
    field: u64,
    inflate: Box<DecompressorOxide>,
    /// The most recent decoded data; a match may refer to it.
    window: Box<[u8]>,
    /// The next write position in the window.
    position: usize,
    /// Until the window has been filled once, no match may reach past its start.
    is_first_lap: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Before the first member: the body may end here.
    Start,
    /// After a member: the body may end here.
    Between,
    /// After data that is not another member.
    Over,
    /// At this byte of the ten that every header has.
    Fixed(usize),
    /// At this byte of the length of `FEXTRA`; then so many bytes of it are left.
    ExtraLength(usize),
    Extra(usize),
    Name,
    Comment,
    HeaderCrc(usize),
    Data,
    /// At this byte of the eight behind the data.
    Trailer(usize),
    Malformed(&'static str),
}

/// The result of [`Gunzip::decode`], in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) consumed: usize,
    /// Fewer than there was room for: nothing more can be decoded of the bytes that were shown.
    pub(crate) produced: usize,
}

impl Gunzip {
    pub(crate) fn new() -> Self {
        Self {
            at: At::Start,
            flags: 0,
            header_bytes: 0,
            crc: Hasher::new(),
            size: 0,
            field: 0,
            inflate: Box::default(),
            window: vec![0; WINDOW].into_boxed_slice(),
            position: 0,
            is_first_lap: true,
        }
    }

    /// Decodes until the buffer is full or the bytes are used up.
    ///
    /// An error is final, and returned after all data decoded before it.
    pub(crate) fn decode(&mut self, bytes: &[u8], room: &mut [u8]) -> Result<Step, &'static str> {
        let mut step = Step { consumed: 0, produced: 0 };
        while step.produced < room.len() {
            match self.at {
                At::Malformed(why) if step.produced == 0 => return Err(why),
                At::Malformed(_) | At::Over => break,
                At::Data => {
                    let found = self.inflate(&bytes[step.consumed..], &mut room[step.produced..]);
                    step.consumed += found.consumed;
                    step.produced += found.produced;
                    if self.at == At::Data && found == (Step { consumed: 0, produced: 0 }) {
                        break;
                    }
                }
                _ => {
                    let Some(&byte) = bytes.get(step.consumed) else { break };
                    self.at = self.after(byte);
                    step.consumed += 1;
                }
            }
        }
        Ok(step)
    }

    /// Returns `true` if the body may end here: after a member, or without any.
    pub(crate) fn may_end(&self) -> bool {
        matches!(self.at, At::Start | At::Between | At::Over)
    }

    /// Returns `true` if the body has ended, whatever bytes remain.
    pub(crate) fn is_over(&self) -> bool {
        self.at == At::Over
    }

    /// Returns `true` if the first byte is not that of a member. It has not been consumed.
    pub(crate) fn has_refused(&self) -> bool {
        self.at == At::Malformed(NOT_GZIP)
    }

    fn inflate(&mut self, bytes: &[u8], room: &mut [u8]) -> Step {
        let lap = if self.is_first_lap { TINFL_FLAG_FIRST_LAP } else { 0 };
        let (status, consumed, produced) = decompress_with_limit(
            &mut self.inflate,
            bytes,
            &mut self.window,
            self.position,
            room.len(),
            TINFL_FLAG_HAS_MORE_INPUT | lap,
        );
        let decoded = &self.window[self.position..self.position + produced];
        room[..produced].copy_from_slice(decoded);
        self.crc.update(decoded);
        self.size = self.size.wrapping_add(produced as u32);
        self.position += produced;
        if self.position == WINDOW {
            (self.position, self.is_first_lap) = (0, false);
        }
        match status {
            TINFLStatus::NeedsMoreInput | TINFLStatus::HasMoreOutput => {}
            TINFLStatus::Done => self.at = At::Trailer(0),
            _ => self.at = At::Malformed("its gzip data is damaged"),
        }
        Step { consumed, produced }
    }

    /// Returns the position after a byte of a header or trailer.
    fn after(&mut self, byte: u8) -> At {
        self.field = self.field << 8 | u64::from(byte);
        match self.at {
            At::Between if byte != MAGIC[0] => At::Over,
            At::Start | At::Between => {
                (self.crc, self.header_bytes) = (Hasher::new(), 0);
                self.after_header_byte(0, byte)
            }
            At::Fixed(index) => self.after_header_byte(index, byte),
            At::HeaderCrc(0) => At::HeaderCrc(1),
            At::HeaderCrc(_) if swapped(self.field, 2) != u64::from(self.crc.clone().finalize() & 0xffff) => {
                At::Malformed("the checksum of its gzip header is wrong")
            }
            At::HeaderCrc(_) => self.begin_data(),
            At::Trailer(index @ ..7) => At::Trailer(index + 1),
            At::Trailer(_) => self.after_trailer(),
            at => self.after_optional_byte(at, byte),
        }
    }

    fn after_header_byte(&mut self, index: usize, byte: u8) -> At {
        self.crc.update(&[byte]);
        match index {
            0 if byte != MAGIC[0] => At::Malformed(NOT_GZIP),
            1 | 2 if byte != MAGIC[index] => At::Malformed("its gzip header is damaged, or of another method"),
            3 if byte & RESERVED != 0 => At::Malformed("its gzip header has an unknown flag"),
            9 => self.field_from(FEXTRA),
            3 => {
                self.flags = byte;
                At::Fixed(4)
            }
            _ => At::Fixed(index + 1),
        }
    }

    /// The optional fields after the first ten bytes of a header, all ignored.
    fn after_optional_byte(&mut self, at: At, byte: u8) -> At {
        self.crc.update(&[byte]);
        self.header_bytes += 1;
        if self.header_bytes > MAX_HEADER {
            return At::Malformed("its gzip header is longer than 128 KiB");
        }
        match (at, byte) {
            (At::ExtraLength(0), _) => At::ExtraLength(1),
            (At::ExtraLength(_), _) => match swapped(self.field, 2) as usize {
                0 => self.field_from(FNAME),
                length => At::Extra(length),
            },
            (At::Extra(1), _) => self.field_from(FNAME),
            (At::Extra(left), _) => At::Extra(left - 1),
            (At::Name, 0) => self.field_from(FCOMMENT),
            (At::Comment, 0) => self.field_from(FHCRC),
            (at, _) => at,
        }
    }

    /// Returns the start of the next field that is present, from this one on in their order.
    fn field_from(&mut self, first: u8) -> At {
        let order =
            [(FEXTRA, At::ExtraLength(0)), (FNAME, At::Name), (FCOMMENT, At::Comment), (FHCRC, At::HeaderCrc(0))];
        let found = order.into_iter().skip_while(|(flag, _)| *flag != first).find(|(flag, _)| self.flags & flag != 0);
        match found {
            Some((_, at)) => at,
            None => self.begin_data(),
        }
    }

    fn begin_data(&mut self) -> At {
        self.crc = Hasher::new();
        self.size = 0;
        self.inflate.init();
        // A match cannot refer to a previous member.
        (self.position, self.is_first_lap) = (0, true);
        At::Data
    }

    fn after_trailer(&self) -> At {
        let trailer = self.field.swap_bytes();
        if trailer as u32 != self.crc.clone().finalize() {
            At::Malformed("the checksum of its gzip data is wrong")
        } else if (trailer >> 32) as u32 != self.size {
            At::Malformed("the length of its gzip data is wrong")
        } else {
            At::Between
        }
    }
}

/// Returns the last bytes of a field as a little-endian number.
fn swapped(field: u64, bytes: u32) -> u64 {
    field.swap_bytes() >> (64 - 8 * bytes)
}

// Named, because this file is also compiled by itself, from elsewhere.
#[cfg(test)]
#[path = "gzip/tests.rs"]
mod tests;
