//! A response that is not an event stream.

use std::time::Duration;

/// The longest excerpt that a message shows, in characters.
const MAX_EXCERPT: usize = 200;

/// A response that is not an event stream: its status, its type and the start of its body.
///
/// # Example: an error for the code under test
///
/// ```
/// use http_sse::{Error, ErrorResponse};
///
/// let error = Error::from(ErrorResponse::new(503));
/// assert_eq!(error.status(), Some(503));
/// assert!(error.is_transient());
/// assert!(!Error::from(ErrorResponse::new(404)).is_transient());
/// ```
#[derive(Clone, Debug)]
pub struct ErrorResponse {
    status: u16,
    content_type: Option<Box<str>>,
    retry_after: Option<Duration>,
    body: Option<Box<str>>,
}

impl ErrorResponse {
    /// Creates a response with a status, but without type, body and `Retry-After`.
    ///
    /// # Example: an error for the code under test
    ///
    /// ```
    /// use http_sse::{Error, ErrorResponse};
    ///
    /// assert_eq!(Error::from(ErrorResponse::new(502)).to_string(), "the server answered 502");
    /// ```
    pub fn new(status: u16) -> Self {
        Self { status, content_type: None, retry_after: None, body: None }
    }

    /// Sets the Content-Type.
    ///
    /// # Example: a page instead of a stream
    ///
    /// ```
    /// use http_sse::{Error, ErrorResponse};
    /// use std::sync::Arc;
    ///
    /// let error = Error::ContentType(Arc::new(ErrorResponse::new(200).with_content_type("text/html")));
    /// assert_eq!(error.to_string(), "the response is \"text/html\", not text/event-stream");
    /// ```
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into().into_boxed_str());
        self
    }

    /// Sets the start of the body.
    ///
    /// # Example: the reason from the server
    ///
    /// ```
    /// use http_sse::{Error, ErrorResponse};
    ///
    /// let error = Error::from(ErrorResponse::new(400).with_body("no such model"));
    /// assert_eq!(error.to_string(), "the server answered 400: no such model");
    /// ```
    #[must_use]
    pub fn with_body(mut self, body: impl Into<String>) -> Self {
        self.body = Some(body.into().into_boxed_str());
        self
    }

    pub(crate) fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// Returns the status code.
    ///
    /// # Example: a whole class of statuses
    ///
    /// ```
    /// use http_sse::{Error, ErrorResponse};
    ///
    /// let error = Error::from(ErrorResponse::new(404));
    /// assert!(matches!(error, Error::Status(response) if response.status() / 100 == 4));
    /// ```
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the Content-Type as received, or `None` if there is none.
    ///
    /// # Example: an API that answers JSON to a stream request
    ///
    /// ```
    /// use http_sse::{Client, Error, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.respond(200, &[("Content-Type", "application/json")], r#"{"text": "hello"}"#);
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// match client.read("ask", Request::post(url))?.next() {
    ///     Some(Err(Error::ContentType(response))) if response.content_type() == Some("application/json") => {
    ///         assert_eq!(response.body(), Some(r#"{"text": "hello"}"#));
    ///     }
    ///     other => panic!("{other:?}"),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// Returns the delay that the server requested by `Retry-After` (RFC 9110 section 10.2.3), or `None`.
    ///
    /// # Example: none without the header
    ///
    /// ```
    /// use http_sse::ErrorResponse;
    ///
    /// assert_eq!(ErrorResponse::new(503).retry_after(), None);
    /// ```
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Returns the first 4 KiB of the body, with invalid UTF-8 replaced; `None` if it is empty or encoded (`gzip`,
    /// unless the request asked for it). Plain text that is only labelled so is returned.
    ///
    /// Data that does not arrive within one second is not included.
    ///
    /// # Example: show the reason to a person
    ///
    /// ```
    /// use http_sse::{Error, ErrorResponse};
    ///
    /// fn explain(error: &Error) -> String {
    ///     match error {
    ///         Error::Status(response) => {
    ///             format!("{}: {}", response.status(), response.body().unwrap_or("no reason given"))
    ///         }
    ///         other => other.to_string(),
    ///     }
    /// }
    /// assert_eq!(explain(&Error::from(ErrorResponse::new(403))), "403: no reason given");
    /// ```
    pub fn body(&self) -> Option<&str> {
        self.body.as_deref()
    }

    pub(super) fn is_transient(&self) -> bool {
        matches!(self.status, 408 | 425 | 429 | 500 | 502..=504 | 520..=527 | 529)
    }

    /// Returns the excerpt of the body for a message: its first line, or the start of a JSON document. Harmless on a
    /// terminal.
    pub(super) fn excerpt(&self) -> Option<String> {
        let body = self.body()?.trim_start();
        let shown = if body.starts_with(['{', '[']) { body } else { body.lines().next()? };
        let mut excerpt = String::new();
        for (count, character) in shown.chars().enumerate() {
            if count == MAX_EXCERPT {
                excerpt.push('…');
                break;
            }
            match character {
                character if !is_harmless(character) || character.is_whitespace() => {
                    if !excerpt.ends_with(' ') {
                        excerpt.push(' ');
                    }
                }
                character => excerpt.push(character),
            }
        }
        let excerpt = excerpt.trim();
        (!excerpt.is_empty()).then(|| excerpt.to_owned())
    }
}

/// Returns `false` for characters that control a terminal, or reverse or hide text on it.
fn is_harmless(character: char) -> bool {
    let is_format = matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    );
    !character.is_control() && !is_format
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_excerpt_is_one_line_without_control_characters() {
        for (body, excerpt) in [
            ("busy", Some("busy")),
            ("\r\n no such model \r\nsecond line", Some("no such model")),
            ("{\n  \"error\": {\n\t\"message\": \"no\"\n  }\n}\n", Some("{ \"error\": { \"message\": \"no\" } }")),
            ("\u{1b}]52;c;eA==\u{7}\u{1b}[2Jclear\u{9b}2J", Some("]52;c;eA== [2Jclear 2J")),
            ("abc\u{202e}cba\u{2066}", Some("abc cba")),
            ("\u{1b}\n", None),
            (" \r\n\t", None),
            ("", None),
        ] {
            assert_eq!(ErrorResponse::new(500).with_body(body).excerpt().as_deref(), excerpt, "{body:?}");
        }
        assert_eq!(ErrorResponse::new(500).excerpt(), None);
    }

    #[test]
    fn the_excerpt_is_bounded() {
        let excerpt = ErrorResponse::new(500).with_body("\u{fc}".repeat(4096)).excerpt().unwrap();
        assert_eq!(excerpt, format!("{}…", "\u{fc}".repeat(MAX_EXCERPT)));
    }
}
