//! Decoding the data of an event as JSON.

use serde::Deserialize;
use serde::de::Error as _;

use super::typed;
use crate::error::Error;
use crate::event::Event;

impl Event {
    /// Decodes the data as a JSON document, which may borrow from the event.
    ///
    /// # Errors
    ///
    /// [`Error::Json`] if the data is not JSON or does not fit `T`, and for a [gap](Self::gap); the error contains the
    /// event.
    ///
    /// # Example: borrow a string from the data
    ///
    /// ```
    /// use http_sse::Event;
    ///
    /// let event = Event::new("", r#"["a","b"]"#);
    /// let names: Vec<&str> = event.json()?;
    /// assert_eq!(names, ["a", "b"]);
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        self.decoded(serde_json::from_str(self.data()))
    }

    /// Decodes the event into an enum: the event type selects the variant, and the data is its content, as JSON.
    ///
    /// The enum must be externally tagged, the default of serde. A variant without content accepts any data, or none;
    /// the variant with `#[serde(other)]` accepts every other type. An event without a type has the type `message`.
    ///
    /// # Errors
    ///
    /// If the data does not fit the variant, if no variant has the type, and for a [gap](Self::gap): an error for which
    /// [`Error::is_json`] returns `true`.
    ///
    /// # Example: a chat
    ///
    /// ```
    /// use http_sse::Event;
    ///
    /// #[derive(serde::Deserialize, Debug, PartialEq)]
    /// #[serde(rename_all = "snake_case")]
    /// enum Chat<'a> {
    ///     Message { text: &'a str },
    ///     UserLeft(u64),
    ///     Ping,
    ///     #[serde(other)]
    ///     Other,
    /// }
    ///
    /// let said = Event::new("message", r#"{"text": "hello"}"#);
    /// assert_eq!(said.typed::<Chat>()?, Chat::Message { text: "hello" });
    /// assert_eq!(Event::new("user_left", "7").typed::<Chat>()?, Chat::UserLeft(7));
    /// assert_eq!(Event::new("ping", "").typed::<Chat>()?, Chat::Ping);
    /// assert_eq!(Event::new("banner", "<b>").typed::<Chat>()?, Chat::Other);
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn typed<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        self.decoded(typed::decode(self.event_type(), self.data()))
    }

    /// A gap fits no type, even if an event without data and type would.
    fn decoded<T>(&self, decoded: Result<T, serde_json::Error>) -> Result<T, Error> {
        match decoded {
            Ok(value) if self.gap().is_none() => Ok(value),
            Ok(_) => Err(Error::json(self.clone(), serde_json::Error::custom("a gap"))),
            Err(source) => Err(Error::json(self.clone(), source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_is_not_json_is_an_error() {
        let Err(error) = Event::new("", "{").json::<u32>() else { panic!("it is JSON") };
        let Error::Json(json) = &error else { panic!("{error:?}") };
        assert_eq!(json.event(), &Event::new("", "{"));
        assert_eq!(json.to_string(), error.to_string());
        assert!(json.to_string().ends_with(&json.cause().to_string()), "{json}");
        assert!(json.cause().is::<serde_json::Error>());
    }
}
