//! Durations in messages, as people read them.

use std::fmt;
use std::time::Duration;

/// Shows a duration with at most two digits, unless it is a whole number of a unit: `340 ms`, `2.4 s`, `45 s`, `12
/// min`, `5 h`, `3 d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rounded(pub(crate) Duration);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        let rounded = |unit: u128| (ms + unit / 2) / unit;
        match ms {
            0 => f.write_str("0 s"),
            1..1_000 => write!(f, "{ms} ms"),
            1_000..9_950 if rounded(100) % 10 > 0 => write!(f, "{}.{} s", rounded(100) / 10, rounded(100) % 10),
            1_000..120_000 => write!(f, "{} s", rounded(1_000)),
            120_000..7_200_000 => write!(f, "{} min", rounded(60_000)),
            7_200_000..172_800_000 => write!(f, "{} h", rounded(3_600_000)),
            _ => write!(f, "{} d", rounded(86_400_000)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_rounded_for_people() {
        for (ms, text) in [
            (0, "0 s"),
            (10, "10 ms"),
            (999, "999 ms"),
            (1_000, "1 s"),
            (1_049, "1 s"),
            (1_050, "1.1 s"),
            (2_449, "2.4 s"),
            (9_949, "9.9 s"),
            (9_950, "10 s"),
            (45_500, "46 s"),
            (119_999, "120 s"),
            (120_000, "2 min"),
            (5_400_000, "90 min"),
            (7_200_000, "2 h"),
            (86_400_000, "24 h"),
            (172_800_000, "2 d"),
        ] {
            assert_eq!(Rounded(Duration::from_millis(ms)).to_string(), text, "{ms}");
        }
        assert_eq!(Rounded(Duration::from_nanos(2_345_678_901)).to_string(), "2.3 s");
        assert!(Rounded(Duration::MAX).to_string().ends_with(" d"));
    }
}
