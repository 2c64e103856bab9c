//! An event whose data is not the expected JSON.

use std::error::Error as StdError;
use std::fmt;

use crate::event::Event;

/// A JSON document that did not parse, with the event that held it.
///
/// # Example: look at what was sent instead
///
/// ```
/// use http_sse::{Error, Event};
///
/// let error = Event::new("", "not JSON").json::<u32>().unwrap_err();
/// assert!(matches!(&error, Error::Json(_)));
/// assert_eq!(error.event().map(Event::data), Some("not JSON"));
/// ```
pub struct JsonError {
    pub(super) event: Event,
    pub(super) source: Box<dyn StdError + Send + Sync>,
}

impl fmt::Debug for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonError").field("source", &self.source).finish_non_exhaustive()
    }
}
