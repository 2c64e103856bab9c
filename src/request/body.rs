//! The body of a request.

use std::sync::Arc;

use super::Request;

impl Request {
    /// Sends the value as `application/json`. Default: no body.
    ///
    /// A value that cannot be serialised is [`Error::InvalidRequest`](crate::Error::InvalidRequest) when the connection
    /// is opened.
    ///
    /// # Example: a chat request
    ///
    /// ```
    /// use http_sse::Request;
    ///
    /// let request = Request::post("https://example.com/v1/chat/completions")
    ///     .json(&serde_json::json!({ "stream": true, "messages": [{ "role": "user", "content": "Hello" }] }));
    /// ```
    #[cfg(feature = "json")]
    pub fn json(mut self, value: &impl serde::Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(bytes) => self.body(bytes, "application/json"),
            Err(error) => {
                self.unusable = Some(format!("cannot encode the JSON body: {error}"));
                self
            }
        }
    }

    /// Sends the text as `text/plain; charset=utf-8`. Default: no body.
    ///
    /// # Example: a question
    ///
    /// ```
    /// use http_sse::Request;
    ///
    /// let request = Request::post("https://example.com/ask").text("Wie spät ist es?");
    /// assert!(format!("{request:?}").contains("body_bytes: Some(17)"));
    /// ```
    pub fn text(self, text: impl Into<String>) -> Self {
        self.body(text.into(), "text/plain; charset=utf-8")
    }

    /// Sends the pairs as `application/x-www-form-urlencoded`. Default: no body.
    ///
    /// # Example: a form
    ///
    /// ```
    /// use http_sse::Request;
    ///
    /// let request = Request::post("https://example.com/search").form([("q", "crab"), ("lang", "en")]);
    /// ```
    pub fn form<K: AsRef<str>, V: AsRef<str>>(self, pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.body(text, "application/x-www-form-urlencoded")
    }

    /// Sends these bytes, again for every reconnect. Default: no body and no Content-Type.
    ///
    /// # Example: a custom format
    ///
    /// ```
    /// use http_sse::Request;
    ///
    /// let request = Request::post("https://example.com/ask").body([0x93, 1, 2, 3], "application/msgpack");
    /// assert!(format!("{request:?}").contains("body_bytes: Some(4)"));
    /// ```
    pub fn body(mut self, bytes: impl Into<Vec<u8>>, content_type: impl Into<String>) -> Self {
        self.body = Some(Arc::from(bytes.into()));
        self.content_type = Some(content_type.into());
        self
    }
}
