//! The kind of a line (HTML §9.2.6), from the whole line or from its first bytes.

use std::time::Duration;

/// The known fields; all others are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Data,
    Event,
    Id,
    Retry,
}

/// A line that is not blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// A comment: everything after its colon.
    Comment(&'a [u8]),
    /// The value, without the one space that may follow the colon.
    Field(Field, &'a [u8]),
    /// A line with an unknown field.
    Unknown,
}

const NAMES: [&[u8]; 4] = [b"data", b"event", b"id", b"retry"];

impl<'a> Line<'a> {
    /// Classifies a line; the value extends as far as the bytes.
    #[inline]
    pub(super) fn of(line: &'a [u8]) -> Self {
        // The most frequent first.
        if let Some(value) = line.strip_prefix(b"data:") {
            return Self::Field(Field::Data, without_space(value));
        }
        let (field, rest) = match line {
            [b':', text @ ..] => return Self::Comment(text),
            [b'd', b'a', b't', b'a', rest @ ..] => (Field::Data, rest),
            [b'e', b'v', b'e', b'n', b't', rest @ ..] => (Field::Event, rest),
            [b'i', b'd', rest @ ..] => (Field::Id, rest),
            [b'r', b'e', b't', b'r', b'y', rest @ ..] => (Field::Retry, rest),
            _ => return Self::Unknown,
        };
        match rest {
            [] => Self::Field(field, rest),
            [b':', value @ ..] => Self::Field(field, without_space(value)),
            _ => Self::Unknown,
        }
    }

    /// Returns `true` while further bytes can still change the kind of the line.
    pub(super) fn is_open(start: &[u8]) -> bool {
        NAMES.iter().any(|name| name.starts_with(start))
    }
}

/// Removes the one space that may follow the colon.
pub(super) fn without_space(value: &[u8]) -> &[u8] {
    value.strip_prefix(b" ").unwrap_or(value)
}

/// Reads a reconnection time; HTML §9.2.6: one that is not all ASCII digits is ignored.
pub(super) fn retry(value: &[u8]) -> Option<Duration> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let milliseconds =
        value.iter().fold(0_u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    Some(Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_open_until_its_field_is_sure() {
        for start in ["d", "data", "event", "i", "id", "r", "retry"] {
            assert!(Line::is_open(start.as_bytes()), "{start}");
        }
        for start in [":", "x", "data:", "datax", "event ", "id:", "ix", "retry:", "D", "\u{FEFF}"] {
            assert!(!Line::is_open(start.as_bytes()), "{start}");
        }
    }

    #[test]
    fn what_a_line_is_shows_in_its_first_bytes() {
        assert_eq!(Line::of(b"data:  x"), Line::Field(Field::Data, b" x"));
        assert_eq!(Line::of(b"data"), Line::Field(Field::Data, b""));
        assert_eq!(Line::of(b": x"), Line::Comment(b" x"));
        assert_eq!(Line::of(b"data :x"), Line::Unknown);
    }
}
