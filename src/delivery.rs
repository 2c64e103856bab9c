//! The items of a channel of several connections.

use crate::error::Error;
use crate::event::Event;
use crate::handle::End;

/// An item of a channel of several connections: an event, or how its connection ended.
///
/// # Example: a failure as an error, other ends as `None`
///
/// ```
/// use http_sse::{Delivery, End, Error, Event};
///
/// let failed = Delivery::End(End::Failed(Error::Disconnected));
/// assert!(matches!(failed.into_result(), Some(Err(Error::Disconnected))));
/// assert!(Delivery::End(End::NoContent).into_result().is_none());
/// assert!(matches!(Delivery::Event(Event::new("", "21.5")).into_result(), Some(Ok(event)) if event.data() == "21.5"));
/// ```
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_enums, reason = "like a `Result`: a third kind would have to break every loop")]
pub enum Delivery {
    /// An event.
    Event(Event),
    /// The last item of its connection.
    End(End),
}

impl Delivery {
    /// Returns what [`Events`](crate::Events) would yield: the event, the failure that ended the connection, or `None`
    /// for any other end.
    ///
    /// # Example: one `?` for all
    ///
    /// ```no_run
    /// use http_sse::{Client, Request};
    ///
    /// let requests = ["attic", "cellar"].map(|room| (room, Request::get(format!("https://example.com/{room}"))));
    /// for (room, delivery) in Client::new().connect_all(requests)? {
    ///     if let Some(event) = delivery.into_result().transpose()? {
    ///         println!("{room}: {}", event.data());
    ///     }
    /// }
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    #[must_use]
    pub fn into_result(self) -> Option<Result<Event, Error>> {
        match self {
            Self::Event(event) => Some(Ok(event)),
            Self::End(End::Failed(error)) => Some(Err(error)),
            Self::End(_) => None,
        }
    }
}
