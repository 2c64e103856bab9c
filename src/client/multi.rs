//! Several connections in one channel, and several receivers of one connection.

use std::sync::Arc;

use crossbeam_channel::Sender;

use super::Client;
use super::registry::Live;
use crate::broadcast::{Overflow, Sink};
use crate::channel::{BurstSender, channel};
use crate::connection::Connection;
use crate::delivery::Delivery;
use crate::error::Error;
use crate::handle::{Handle, Shared};
use crate::member::Member;
use crate::receiver::{Events, Merged};
use crate::request::{MAX_CAPACITY, Request};

impl Client {
    /// Opens a connection that sends into the caller's channel, together with others that come and go.
    ///
    /// It stops at the first send after all receivers are dropped: only a send can detect this. Its last item is its
    /// [`End`](crate::End), of any kind; only a connection that is stopped while the channel is full may end without
    /// one. When an id is reused for the same channel, nothing of the old connection follows the first item of the new
    /// one.
    ///
    /// # Errors
    ///
    /// As for [`connect`](Self::connect). A dropping [`Overflow`](crate::Overflow) is [`Error::InvalidRequest`].
    ///
    /// # Example: sensors that are added and removed
    ///
    /// ```no_run
    /// use http_sse::{Client, Delivery, Request, crossbeam_channel::bounded};
    ///
    /// let client = Client::new();
    /// let (sender, receiver) = bounded(64);
    /// client.connect_to("attic", Request::get("https://example.com/attic"), sender.clone())?;
    /// client.connect_to("cellar", Request::get("https://example.com/cellar"), sender)?;
    /// for (id, delivery) in receiver {
    ///     match delivery {
    ///         Delivery::Event(event) => println!("{id}: {}", event.data()),
    ///         Delivery::End(end) => println!("{id} is over: {end:?}"),
    ///     }
    ///     client.stop("attic");
    /// }
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn connect_to(
        &self,
        id: impl AsRef<str>,
        request: Request,
        sender: Sender<(Arc<str>, Delivery)>,
    ) -> Result<Handle, Error> {
        check_blocks(&request)?;
        let (connection, shared) = self.register(id.as_ref(), request, None)?;
        let member = Member::new(BurstSender::bare(sender), Arc::clone(&shared));
        self.inner.registry.line_up(member.turn());
        self.start(connection, &shared, Sink::Tagged(member))?;
        Ok(Handle { shared })
    }

    /// Opens several connections into one channel, whose capacity is the sum of theirs: either all or, if one fails,
    /// none.
    ///
    /// # Errors
    ///
    /// As for [`connect_to`](Self::connect_to). If one request is invalid, nothing is sent. If the system refuses a
    /// thread, the connections that already run are stopped.
    ///
    /// # Example: one bad request, and nothing is sent
    ///
    /// ```
    /// use http_sse::{Client, Error, Request};
    ///
    /// let client = Client::new();
    /// let requests = [("attic", Request::get("https://example.com/attic")), ("cellar", Request::get("no url"))];
    /// assert!(matches!(client.connect_all(requests), Err(Error::InvalidRequest(_))));
    /// assert!(client.ids().is_empty());
    /// ```
    pub fn connect_all<I, S>(&self, requests: I) -> Result<Merged, Error>
    where
        I: IntoIterator<Item = (S, Request)>,
        S: AsRef<str>,
    {
        let mut capacity = 0_usize;
        let mut opened: Vec<(Connection, Arc<Shared>)> = Vec::new();
        for (id, request) in requests {
            capacity = capacity.saturating_add(request.queueing().capacity).min(MAX_CAPACITY);
            let registered = check_blocks(&request).and_then(|()| self.register(id.as_ref(), request, None));
            match registered {
                Ok(connection) => opened.push(connection),
                Err(error) => {
                    opened.iter().for_each(|(_, shared)| shared.stop());
                    return Err(error);
                }
            }
        }
        let (sender, receiver) = channel(capacity);
        // Dropped on the way out, it stops those that have started.
        let merged = Merged::new(receiver, opened.iter().map(|(_, shared)| Arc::clone(shared)).collect());
        for (connection, shared) in opened {
            let member = Member::new(sender.clone(), Arc::clone(&shared));
            self.start(connection, &shared, Sink::Tagged(member))?;
        }
        Ok(merged)
    }

    /// Adds a receiver to a live connection of `connect` or `listen`; it receives every event from now on.
    ///
    /// The receiver has its own channel with the capacity and overflow of the request. With
    /// [`Overflow::Block`](crate::Overflow::Block) the slowest receiver delays all. A connection of `connect` stops
    /// when its last receiver is dropped, one of `listen` does not. Returns `None` if there is no such connection, if
    /// it is ending, and for connections of `read`, `connect_all` and `connect_to`.
    ///
    /// # Example: a display and a logger
    ///
    /// ```no_run
    /// use http_sse::{Client, Request};
    ///
    /// let client = Client::new();
    /// let display = client.connect("news", Request::get("https://example.com/events"))?;
    /// let logger = client.subscribe("news").ok_or("the connection has ended")?;
    /// std::thread::spawn(move || logger.into_iter().for_each(|event| println!("{event:?}")));
    /// # drop(display);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "dropping it ends the subscription"]
    pub fn subscribe(&self, id: &str) -> Option<Events> {
        let Live { shared, broadcast } = self.inner.registry.get(id)?;
        let (receiver, subscription) = broadcast?.add()?;
        Some(Events::new(receiver, subscription, shared))
    }
}

/// A channel of several connections cannot drop for one of them.
fn check_blocks(request: &Request) -> Result<(), Error> {
    match request.queueing().overflow {
        Overflow::Block => Ok(()),
        other => Err(Error::InvalidRequest(format!("overflow {other:?} is not supported with several connections"))),
    }
}
