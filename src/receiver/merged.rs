//! Several connections in one channel.

use std::fmt;
use std::iter::FusedIterator;
use std::ops::Deref;
use std::sync::Arc;

use crossbeam_channel::Receiver;

use crate::channel::BurstReceiver;
use crate::delivery::Delivery;
use crate::handle::{Handle, Shared};

/// The events of several connections, each with the id of its connection.
///
/// An iterator of `(id, Delivery)`, which dereferences to a crossbeam [`Receiver`]. The [`End`](crate::End) is the last
/// item of its id; the others continue. It ends when all connections have ended. Dropping it stops all, without
/// waiting.
///
/// # Example: every sensor of a house
///
/// ```no_run
/// use http_sse::{Client, Delivery, End, Request, RetryPolicy};
///
/// let rooms = ["attic", "cellar"];
/// let requests = rooms.map(|room| {
///     let url = format!("https://example.com/rooms/{room}");
///     (room, Request::get(url).retry(RetryPolicy::forever()))
/// });
/// for (room, delivery) in Client::new().connect_all(requests)? {
///     match delivery {
///         Delivery::Event(event) => println!("{room}: {}", event.data()),
///         Delivery::End(End::Failed(error)) => eprintln!("{room} is lost: {error}"),
///         Delivery::End(end) => println!("{room} is over: {end:?}"),
///     }
/// }
/// # Ok::<(), http_sse::Error>(())
/// ```
#[must_use = "dropping it stops the connections"]
pub struct Merged {
    receiver: BurstReceiver<(Arc<str>, Delivery)>,
    connections: Vec<Arc<Shared>>,
}

impl Merged {
    pub(crate) fn new(receiver: BurstReceiver<(Arc<str>, Delivery)>, connections: Vec<Arc<Shared>>) -> Self {
        Self { receiver, connections }
    }

    /// Returns a handle to each connection, in the order of the requests.
    ///
    /// # Example: stop one of them
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve_concurrently(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.wait_for_close();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let merged = client.connect_all([("attic", Request::get(&url)), ("cellar", Request::get(&url))])?;
    /// for handle in merged.handles().filter(|handle| handle.id() == "attic") {
    ///     handle.stop();
    /// }
    /// assert_eq!(client.ids(), ["cellar"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handles(&self) -> impl Iterator<Item = Handle> + '_ {
        self.connections.iter().map(|shared| Handle { shared: Arc::clone(shared) })
    }

    fn wake_senders(&self) {
        self.connections.iter().for_each(|shared| shared.token.parking().unpark());
    }
}

impl Drop for Merged {
    fn drop(&mut self) {
        for shared in &self.connections {
            shared.stop();
        }
    }
}

impl Deref for Merged {
    type Target = Receiver<(Arc<str>, Delivery)>;

    fn deref(&self) -> &Self::Target {
        self.receiver.bare(|| self.wake_senders())
    }
}

impl Iterator for Merged {
    type Item = (Arc<str>, Delivery);

    fn next(&mut self) -> Option<Self::Item> {
        self.receiver.recv(|| self.wake_senders())
    }
}

impl FusedIterator for Merged {}

impl<'a> IntoIterator for &'a Merged {
    type Item = (Arc<str>, Delivery);
    type IntoIter = crossbeam_channel::Iter<'a, (Arc<str>, Delivery)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Merged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.connections.iter().map(|shared| &shared.id).collect();
        f.debug_struct("Merged").field("ids", &ids).field("waiting", &self.receiver.len()).finish()
    }
}
