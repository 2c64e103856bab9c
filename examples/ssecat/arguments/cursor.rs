//! `--cursor`: the position of a stream whose server does not use `id:`.

use http_sse::{Cursor, Event};
use serde_json::Value;

/// A member of the data, and where to send its value.
#[derive(Clone)]
pub(crate) struct Place {
    /// Names of members, from the outermost to the innermost.
    field: Vec<String>,
    target: Target,
}

#[derive(Clone)]
enum Target {
    Query(String),
    Header { name: String, template: String },
}

impl Place {
    /// Reads `KEY={FIELD}` or `NAME: ...{FIELD}...`.
    pub(crate) fn named(text: &str) -> Option<Self> {
        let (before, rest) = text.split_once('{')?;
        let (field, after) = rest.split_once('}')?;
        let field: Vec<_> = field.split('.').map(str::to_owned).collect();
        if field.iter().any(String::is_empty) || after.contains(['{', '}']) {
            return None;
        }
        let target = match (before.find([':', '=']), before.strip_suffix('=')) {
            (Some(at), _) if before[at..].starts_with(':') => {
                let template = format!("{}{{}}{after}", before[at + 1..].trim_start());
                Target::Header { name: before[..at].trim().to_owned(), template }
            }
            (Some(_), Some(key)) if after.is_empty() && !key.contains('=') => Target::Query(key.to_owned()),
            _ => return None,
        };
        Some(Self { field, target })
    }

    pub(crate) fn cursor(&self, is_inclusive: bool) -> Cursor {
        let field = self.field.clone();
        let extract = move |event: &Event| value(event.data(), &field);
        let cursor = match self.target.clone() {
            Target::Query(key) => Cursor::query(key, extract),
            Target::Header { name, template } => Cursor::header(name, template, extract),
        };
        if is_inclusive { cursor.inclusive() } else { cursor }
    }
}

/// Text or a number; anything else is not a position.
fn value(data: &str, field: &[String]) -> Option<String> {
    let mut document: Value = serde_json::from_str(data).ok()?;
    for name in field {
        document = document.get_mut(name)?.take();
    }
    match document {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
