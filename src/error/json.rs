//! An event whose data is not the expected JSON.

use std::error::Error as StdError;
use std::fmt;

use crate::event::Event;

/// A JSON document that does not parse, or a [gap](Event::gap) instead of one, with its event.
///
/// # Example: inspect the received data
///
/// ```
/// use http_sse::{Error, Event};
///
/// match Event::new("", "not JSON").json::<u32>() {
///     Err(Error::Json(json)) => assert_eq!(json.event().data(), "not JSON"),
///     other => panic!("{other:?}"),
/// }
/// ```
pub struct JsonError {
    pub(super) event: Event,
    pub(super) cause: Box<dyn StdError + Send + Sync>,
}

impl JsonError {
    /// Returns the event.
    ///
    /// # Example: its type says what was expected
    ///
    /// ```
    /// use http_sse::{Error, Event};
    ///
    /// let Err(Error::Json(json)) = Event::new("price", "1,5").json::<f64>() else { panic!("it is a number") };
    /// assert_eq!(json.event().event_type(), "price");
    /// ```
    #[must_use]
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// Returns the error of the JSON parser: a `serde_json::Error`.
    ///
    /// # Example: at which column
    ///
    /// ```
    /// use http_sse::{Error, Event};
    ///
    /// let Err(Error::Json(json)) = Event::new("", "[1, 2").json::<Vec<u32>>() else { panic!("it is a list") };
    /// let column = json.cause().downcast_ref::<serde_json::Error>().map(serde_json::Error::column);
    /// assert_eq!(column, Some(5));
    /// ```
    #[must_use]
    pub fn cause(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.cause
    }
}

/// Shows no event. The parser's text may quote a value from it, as that of `Display` does.
impl fmt::Debug for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonError").field("cause", &self.cause).finish_non_exhaustive()
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.event.gap() {
            Some(gap) => write!(f, "{gap}"),
            None => write!(f, "the event's data is not the expected JSON: {}", self.cause),
        }
    }
}

/// The error of the parser is part of the text, so the chain of sources starts after it.
impl StdError for JsonError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.source()
    }
}
