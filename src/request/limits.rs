//! Limits for time, size and queue length.

use std::time::Duration;

use super::Request;
use crate::broadcast::Overflow;

impl Request {
    /// Limits the total time for DNS lookup, TCP, proxy and TLS. Default: 10 s.
    ///
    /// `None` is no limit; zero is [`Error::InvalidRequest`](crate::Error::InvalidRequest).
    ///
    /// # Example: start the next attempt soon
    ///
    /// ```
    /// use http_sse::Request;
    /// use std::time::Duration;
    ///
    /// let request = Request::get("https://example.com/events").connect_timeout(Duration::from_secs(3));
    /// assert!(format!("{request:?}").contains("connect_timeout: Some(3s)"));
    /// ```
    pub fn connect_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.connect_timeout = timeout.into();
        self
    }

    /// Limits the time for sending the request and receiving the complete response head. Default: the [idle
    /// timeout](Self::idle_timeout), so 5 min.
    ///
    /// Many servers send the head together with the first event, so the head may take as long as the stream may be
    /// silent; meanwhile TCP keepalive detects a dead peer. The error is
    /// [`Timeout::Response`](crate::Timeout::Response), after which the delay does not grow. Bytes that trickle in do
    /// not extend the time. `None` is no limit; zero is [`Error::InvalidRequest`](crate::Error::InvalidRequest).
    ///
    /// # Example: a server that always responds immediately
    ///
    /// ```
    /// use http_sse::Request;
    /// use std::time::Duration;
    ///
    /// let request = Request::get("https://example.com/ticks").response_timeout(Duration::from_secs(20));
    /// assert!(format!("{request:?}").contains("response_timeout: Some(20s)"));
    /// ```
    pub fn response_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.response_timeout = Some(timeout.into());
        self
    }

    /// Limits the time without any byte on an open stream; comments count. Default: 5 min.
    ///
    /// It also limits the time for the head, unless [`response_timeout`](Self::response_timeout) is set. `None` is no
    /// limit; zero is [`Error::InvalidRequest`](crate::Error::InvalidRequest).
    ///
    /// # Example: a server that sends a comment every 15 s, and one that never does
    ///
    /// ```
    /// use http_sse::Request;
    /// use std::time::Duration;
    ///
    /// let lively = Request::get("https://example.com/ticks").idle_timeout(Duration::from_secs(45));
    /// let silent = Request::get("https://example.com/alarms").idle_timeout(None);
    /// assert!(format!("{silent:?}").contains("idle_timeout: None"));
    /// ```
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.idle_timeout = timeout.into();
        self
    }

    /// Limits the size of an event, in bytes. Default: 1 MiB.
    ///
    /// A larger event is skipped in constant memory, and reported to [`on_error`](Self::on_error) and in
    /// [`Stats::oversized`](crate::Stats::oversized). If a block exceeds 16 times the limit, the attempt fails, and the
    /// next one resumes after the event's id, if that came first.
    ///
    /// # Example: the next event after a large one
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.send(format!("data: {}\n\ndata: small\n\n", "x".repeat(2000)));
    /// #     peer.wait_for_close();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let mut reader = client.read("news", Request::get(url).max_event_size(1024))?;
    /// assert_eq!(reader.next().ok_or("over")??.data(), "small");
    /// assert_eq!(reader.handle().stats().oversized, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn max_event_size(mut self, bytes: usize) -> Self {
        self.max_event_size = bytes;
        self
    }

    /// Sets the maximum number of events that wait for the consumer. Default: 256.
    ///
    /// Each slot takes 40 bytes, allocated at the start. At full speed, a channel of 64 costs about a fifth more CPU
    /// time per event.
    ///
    /// 0 delivers each event directly to a waiting consumer; more than 1,048,576 is
    /// [`Error::InvalidRequest`](crate::Error::InvalidRequest). A connection of [`Client::read`](crate::Client::read)
    /// has no channel, so this has no effect.
    ///
    /// # Example: room for a burst
    ///
    /// ```
    /// use http_sse::Request;
    ///
    /// let request = Request::get("https://example.com/events").capacity(1000);
    /// assert!(format!("{request:?}").contains("capacity: 1000"));
    /// ```
    pub fn capacity(mut self, events: usize) -> Self {
        self.capacity = events;
        self
    }

    /// Sets what happens to an event when the channel is full. Default: [`Overflow::Block`].
    ///
    /// Dropped events are counted in [`Stats::dropped`](crate::Stats::dropped). Dropping with a capacity of 0, with
    /// `connect_all` or with `connect_to` is [`Error::InvalidRequest`](crate::Error::InvalidRequest).
    ///
    /// # Example: only the newest reading
    ///
    /// ```
    /// use http_sse::{Overflow, Request};
    ///
    /// let request = Request::get("https://example.com/temperature").capacity(1).overflow(Overflow::DropOldest);
    /// ```
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Marks each place of the stream where events may be missing, by an item with a [`gap`](crate::Event::gap) instead
    /// of an event. Default: off.
    ///
    /// For programs that keep a state and must know when to fetch it again. A gap appears
    ///
    /// - where a stream broke: as soon as the next one opens, whether an event follows or not. There is none before the
    ///   first stream of the connection, even with [`last_event_id`](Self::last_event_id) or a
    ///   [`Checkpoint`](crate::Checkpoint): the program knows that events may be missing there;
    /// - in the exact place of events that were dropped by [`overflow`](Self::overflow), separately for each receiver.
    ///   An event that the program has received but not looked at may still be dropped. A gap does not take the place
    ///   of an event: the channel has more than twice as many slots for this;
    /// - instead of an event that was skipped as too large.
    ///
    /// Gaps are delivered like events: by iterators and channels, by `json` and `typed` as an error for which
    /// [`Error::is_json`](crate::Error::is_json) returns `true`, and by [`on_event`](Self::on_event), which sees events
    /// before a channel drops them and so has no gap for those. A gap does not count as an event: not in
    /// [`Stats::events`](crate::Stats::events), for retries, [`until`](Self::until) or [`cursor`](Self::cursor). A
    /// program that stores the last id itself must skip gaps; [`checkpoint`](crate::Events::checkpoint) does.
    ///
    /// # Example: an oversized event
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.send(format!("data: {}\n\ndata: small\n\n", "x".repeat(2000)));
    /// #     peer.wait_for_close();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let mut reader = client.read("news", Request::get(url).max_event_size(1024).mark_gaps())?;
    /// let first = reader.next().ok_or("over")??;
    /// assert_eq!(first.gap().map(|gap| gap.oversized), Some(1));
    /// assert_eq!(reader.next().ok_or("over")??.data(), "small");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn mark_gaps(mut self) -> Self {
        self.marks_gaps = true;
        self
    }

    /// Limits the redirects of one attempt (HTML §9.2.3, RFC 9110 section 15.4). Default: 10.
    ///
    /// One redirect more is [`Error::Redirect`](crate::Error::Redirect), which is not transient.
    /// [`trust_origin`](Self::trust_origin) and [`keep_body_at_origin`](Self::keep_body_at_origin) control what another
    /// origin receives.
    ///
    /// # Example: none at all
    ///
    /// ```
    /// use http_sse::{Client, Error, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.respond(302, &[("Location", "/login")], "");
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let mut reader = client.read("news", Request::get(url).max_redirects(0))?;
    /// assert!(matches!(reader.next(), Some(Err(Error::Redirect(_)))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn max_redirects(mut self, redirects: u32) -> Self {
        self.max_redirects = redirects;
        self
    }
}
