//! An iterator of events that commits to a checkpoint.

use std::iter::FusedIterator;

use log::{info, warn};

use super::Checkpoint;
use crate::error::Error;
use crate::event::Event;

/// Events whose ids are committed to a [`Checkpoint`] as they are handled.
///
/// An event counts as handled when the *next* one is requested: an event interrupted by a crash or a `break` is
/// repeated. If the checkpoint cannot be written, `log::warn!` reports it once until it can be written again; the
/// events continue.
///
/// # Example: what is interrupted comes again
///
/// ```
/// use http_sse::{Checkpoint, Client, Request};
///
/// # let server = http_sse::testing::Server::serve(|_, mut peer| {
/// #     peer.stream();
/// #     peer.send("id: 7\ndata: 1\n\nid: 8\ndata: 2\n\n");
/// #     peer.wait_for_close();
/// # })?;
/// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
/// # let path = std::env::temp_dir().join(format!("http-sse-checkpointed-{}", std::process::id()));
/// for event in client.connect("meter", Request::get(url))?.checkpoint(Checkpoint::open(&path)?) {
///     if event?.id() == Some("8") {
///         break; // event 8 is not handled
///     }
/// }
/// assert_eq!(Checkpoint::open(&path)?.last_event_id(), Some("7"));
/// # std::fs::remove_file(path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping it stops the connection"]
pub struct Checkpointed<I> {
    // Dropped before the checkpoint: the connection stops, then the last id is written.
    events: I,
    checkpoint: Checkpoint,
    /// The id of the event that is being handled.
    handling: Option<String>,
    /// The last commit failed.
    is_failing: bool,
}

impl<I> Checkpointed<I> {
    pub(crate) fn new(events: I, checkpoint: Checkpoint) -> Self {
        Self { events, checkpoint, handling: None, is_failing: false }
    }

    /// Returns the checkpoint.
    ///
    /// # Example: was the previous file valid?
    ///
    /// ```no_run
    /// use http_sse::{Checkpoint, Client, Request};
    ///
    /// let checkpoint = Checkpoint::open("/var/lib/meter/last-event-id")?;
    /// let events = Client::new().connect("meter", Request::get("https://example.com/events"))?.checkpoint(checkpoint);
    /// if let Some(aside) = events.checkpoint().damaged() {
    ///     eprintln!("started over, the old file is {}", aside.display());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Returns the inner iterator, for its handle or channel.
    ///
    /// # Example: a handle for stopping
    ///
    /// ```no_run
    /// use http_sse::{Checkpoint, Client, Request};
    ///
    /// let checkpoint = Checkpoint::open("/var/lib/meter/last-event-id")?;
    /// let events = Client::new().connect("meter", Request::get("https://example.com/events"))?.checkpoint(checkpoint);
    /// let handle = events.get_ref().handle();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get_ref(&self) -> &I {
        &self.events
    }

    fn commit(&mut self) {
        let Some(id) = self.handling.take() else { return };
        match self.checkpoint.commit(id.as_str()) {
            Ok(()) if self.is_failing && self.checkpoint.due_in().is_none() => {
                self.is_failing = false;
                info!("writing the checkpoint works again");
            }
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                warn!("{error}");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

impl<I: Iterator<Item = Result<Event, Error>>> Iterator for Checkpointed<I> {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.commit();
        let item = self.events.next();
        if let Some(Ok(event)) = item.as_ref().filter(|item| !is_gap(item)) {
            self.handling = Some(event.position().unwrap_or_default().to_owned());
        }
        item
    }
}

/// A gap has no id, and does not change the current one.
fn is_gap(item: &Result<Event, Error>) -> bool {
    item.as_ref().is_ok_and(|event| event.gap().is_some())
}

impl<I: FusedIterator<Item = Result<Event, Error>>> FusedIterator for Checkpointed<I> {}
