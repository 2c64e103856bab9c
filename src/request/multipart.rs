//! `multipart/form-data` bodies (RFC 7578), written by ureq's encoder.

use std::fmt;

use super::Request;
use crate::http::{Part, encode_form};

/// A form with files, kept in memory so that it can be sent again.
///
/// # Example: a question about a picture
///
/// ```no_run
/// use http_sse::{Multipart, Request};
///
/// let form = Multipart::new()
///     .text("question", "What is this?")
///     .bytes("picture", "crab.png", "image/png", std::fs::read("crab.png")?);
/// let request = Request::post("https://example.com/ask").multipart(form);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Default)]
#[must_use = "a form does nothing until a request has it"]
pub struct Multipart {
    parts: Vec<Part>,
}

impl Multipart {
    /// Creates an empty form.
    ///
    /// # Example: an empty form
    ///
    /// ```
    /// use http_sse::Multipart;
    ///
    /// assert_eq!(format!("{:?}", Multipart::new()), "{}");
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text field.
    ///
    /// # Example: names and sizes are shown, contents are not
    ///
    /// ```
    /// use http_sse::Multipart;
    ///
    /// let form = Multipart::new().text("question", "What is this?");
    /// assert_eq!(format!("{form:?}"), r#"{"question": 13}"#);
    /// ```
    pub fn text(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parts.push(Part { name: name.into(), file: None, data: value.into().into_bytes() });
        self
    }

    /// Adds a file.
    ///
    /// An invalid content type is [`Error::InvalidRequest`](crate::Error::InvalidRequest) when the connection is
    /// opened.
    ///
    /// # Example: a file from memory
    ///
    /// ```
    /// use http_sse::Multipart;
    ///
    /// let form = Multipart::new().bytes("table", "readings.csv", "text/csv", "celsius\n21.5\n");
    /// assert_eq!(format!("{form:?}"), r#"{"table": 13}"#);
    /// ```
    pub fn bytes(
        mut self,
        name: impl Into<String>,
        filename: impl Into<String>,
        content_type: impl Into<String>,
        data: impl Into<Vec<u8>>,
    ) -> Self {
        let file = Some((filename.into(), content_type.into()));
        self.parts.push(Part { name: name.into(), file, data: data.into() });
        self
    }
}

impl Request {
    /// Sends the form as `multipart/form-data` (RFC 7578), again for every reconnect. Default: no body.
    ///
    /// # Example: fields and a file
    ///
    /// ```
    /// use http_sse::{Multipart, Request};
    ///
    /// let form = Multipart::new().text("lang", "en").bytes("table", "readings.csv", "text/csv", "celsius\n21.5\n");
    /// let request = Request::post("https://example.com/explain").multipart(form);
    /// ```
    pub fn multipart(mut self, form: Multipart) -> Self {
        match encode_form(&form.parts) {
            Ok((body, content_type)) => self.body(body, content_type),
            Err(unusable) => {
                self.unusable = Some(unusable);
                self
            }
        }
    }
}

impl fmt::Debug for Multipart {
    /// Shows names and sizes, never contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.parts.iter().map(|part| (&part.name, part.data.len()))).finish()
    }
}
