//! The text of an event in each format: no output here.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_sse::{Event, Gap};

/// The format of an event.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A block in its canonical wire form.
    Text,
    /// One JSON object per line, data always as a string.
    Json,
    /// Type, id and data in columns.
    Tsv,
    /// The data and a line end.
    Data,
    /// The block as received.
    Raw,
}

impl Format {
    pub(crate) const NAMES: &str = "text, json, tsv, data and raw";

    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            "tsv" => Some(Self::Tsv),
            "data" => Some(Self::Data),
            "raw" => Some(Self::Raw),
            _ => None,
        }
    }
}

/// The format of an event, and additions to it.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) format: Format,
    pub(crate) has_time: bool,
}

impl Layout {
    /// Returns the text of an event; `received` is added if requested.
    pub(crate) fn text(self, event: &Event, received: SystemTime) -> String {
        let time = self.has_time.then(|| utc(received));
        if let Some(gap) = event.gap() {
            return self.gap_text(event, gap, time);
        }
        match self.format {
            // A comment, so that the output remains an event stream.
            Format::Text => comment(time) + &event.to_string(),
            Format::Raw => comment(time) + &raw(event),
            Format::Json => json(event, time),
            Format::Tsv => tsv(event, time),
            Format::Data => time.map_or_else(String::new, |time| time + " ") + event.data() + "\n",
        }
    }

    /// In no format does it look like an event: a comment, a separate member, a line without a type, or nothing.
    fn gap_text(self, event: &Event, gap: &Gap, time: Option<String>) -> String {
        match self.format {
            Format::Text | Format::Raw => comment(time) + &event.to_string(),
            Format::Json => {
                let reconnected = gap.reconnected.as_ref();
                let members = serde_json::json!({
                    "away": reconnected.map(|reconnected| reconnected.away.as_millis() as f64 / 1000.0),
                    "resumed_from": reconnected.and_then(|reconnected| reconnected.resumed_from.as_deref()),
                    "oversized": gap.oversized,
                });
                object(time, [("gap", members)])
            }
            Format::Tsv => row(time, ["", "", &gap.to_string()]),
            Format::Data => String::new(),
        }
    }
}

fn comment(time: Option<String>) -> String {
    time.map_or_else(String::new, |time| format!(": {time}\n"))
}

fn raw(event: &Event) -> String {
    // Without its text if that was too large to be kept.
    event.raw().map_or_else(|| event.to_string(), |raw| format!("{raw}\n\n"))
}

fn json(event: &Event, time: Option<String>) -> String {
    let members = [("type", event.event_type().into()), ("id", event.id().into()), ("data", event.data().into())];
    object(time, members)
}

fn object<const N: usize>(time: Option<String>, members: [(&str, serde_json::Value); N]) -> String {
    let time = time.map(|time| ("time", serde_json::Value::from(time)));
    let members: Vec<_> = time.into_iter().chain(members).map(|(name, value)| format!("\"{name}\":{value}")).collect();
    escape_controls(&format!("{{{}}}\n", members.join(",")))
}

/// Escapes characters that JSON allows but a terminal interprets: U+007F to U+009F, which occur only in strings.
fn escape_controls(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '\u{7f}'..='\u{9f}' => escaped.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => escaped.push(character),
        }
    }
    escaped
}

fn tsv(event: &Event, time: Option<String>) -> String {
    row(time, [event.event_type(), event.id().unwrap_or_default(), event.data()])
}

fn row(time: Option<String>, columns: [&str; 3]) -> String {
    let columns: Vec<_> = time.into_iter().chain(columns.map(escape_separators)).collect();
    columns.join("\t") + "\n"
}

fn escape_separators(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}

/// The text of a server must not control the terminal. Line ends are kept.
pub(crate) fn harmless_lines(text: &str) -> String {
    let is_harmful = |character: char| character.is_control() && !matches!(character, '\n' | '\t');
    text.chars().map(|character| if is_harmful(character) { '\u{fffd}' } else { character }).collect()
}

/// RFC 3339, with milliseconds.
pub(crate) fn utc(time: SystemTime) -> String {
    // A clock before 1970 was never set.
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", since.subsec_millis())
}

/// The Gregorian date of a day after 1970-01-01. A year begins in March here, so that a leap day is its last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let is_next_year = month >= 10;
    let month = if is_next_year { month - 9 } else { month + 3 };
    (era * 400 + year_of_era + u64::from(is_next_year), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc_with_milliseconds() {
        // From date(1): date -u -d @SECONDS +%FT%TZ
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_868_799, "2000-02-29T23:59:59.000Z"),
            (951_868_800, "2000-03-01T00:00:00.000Z"),
            (1_798_761_599, "2026-12-31T23:59:59.000Z"),
            (1_798_761_600, "2027-01-01T00:00:00.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
        assert_eq!(utc(UNIX_EPOCH + Duration::from_millis(1_007)), "1970-01-01T00:00:01.007Z");
        assert_eq!(utc(UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn json_holds_no_control_character() {
        let event = Event::new("\u{7f}", "\u{0}\u{1b}\u{80}\u{9b}\u{9f}\u{a0}\t\\").with_id("\u{9d}");
        let text = Layout { format: Format::Json, has_time: false }.text(&event, UNIX_EPOCH);
        let escaped = r#"{"type":"\u007f","id":"\u009d","data":"\u0000\u001b\u0080\u009b\u009f"#;
        assert_eq!(text, format!("{escaped}\u{a0}\\t\\\\\"}}\n"));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["data"], event.data());
    }

    #[test]
    fn every_format_has_a_place_for_the_time() {
        let event = Event::new("price", "1\n2").with_id("7");
        let text = |format| Layout { format, has_time: true }.text(&event, UNIX_EPOCH);
        let time = "1970-01-01T00:00:00.000Z";
        assert_eq!(text(Format::Text), format!(": {time}\nevent: price\nid: 7\ndata: 1\ndata: 2\n\n"));
        assert_eq!(text(Format::Raw), text(Format::Text));
        assert_eq!(text(Format::Tsv), format!("{time}\tprice\t7\t1\\n2\n"));
        assert_eq!(text(Format::Data), format!("{time} 1\n2\n"));
        assert_eq!(
            text(Format::Json),
            format!("{{\"time\":\"{time}\",\"type\":\"price\",\"id\":\"7\",\"data\":\"1\\n2\"}}\n")
        );
    }
}
