//! The steps that wait, and those that end a connection.

use std::time::{Duration, Instant};

use socket2::SockRef;

use super::peer::Received;
use super::{Framing, Peer, script, server};

impl Peer {
    /// Waits until the client has closed its side; returns `true` if it did within the timeout.
    ///
    /// # Example: a stop closes the socket
    ///
    /// ```
    /// # use http_sse::{Client, Request, testing::Server};
    /// # use std::time::Duration;
    /// # let server = Server::start()?;
    /// # let client = Client::builder().no_proxy().build()?;
    /// let rx = client.connect("news", Request::get(server.url("/")))?;
    /// let mut peer = server.accept();
    /// peer.stream();
    /// rx.handle().stop();
    /// assert!(peer.is_closed_within(Duration::from_secs(10)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_closed_within(&mut self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            match self.receive(deadline) {
                Received::Bytes => {}
                Received::End(_) => return true,
                Received::Nothing => return false,
            }
        }
    }

    /// Waits until the client has closed its side, then closes too; returns the time that took.
    ///
    /// # Panics
    ///
    /// If the client is still connected after 10 s.
    ///
    /// # Example: an idle stream until the client disconnects
    ///
    /// ```
    /// # use http_sse::{Client, Request, testing::Server};
    /// let server = Server::serve(|_, mut peer| {
    ///     peer.stream();
    ///     peer.send("data: 1\n\n");
    ///     peer.wait_for_close();
    /// })?;
    /// # let client = Client::builder().no_proxy().build()?;
    /// let first = client.read("news", Request::get(server.url("/")))?.next();
    /// server.finish();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn wait_for_close(mut self) -> Duration {
        let start = Instant::now();
        let limit = self.limit;
        if !self.is_closed_within(limit) {
            panic!("scripted server: the client of connection {} has not disconnected within {limit:?}", self.number);
        }
        start.elapsed()
    }

    /// Ends the response: the last chunk if the body is chunked, then FIN.
    ///
    /// # Example: a complete response
    ///
    /// ```
    /// # use http_sse::{Client, End, Request, RetryPolicy, testing::Server};
    /// let server = Server::serve(|_, mut peer| {
    ///     peer.stream();
    ///     peer.end();
    /// })?;
    /// # let client = Client::builder().no_proxy().build()?;
    /// let mut reader = client.read("answer", Request::get(server.url("/")).retry(RetryPolicy::never()))?;
    /// assert!(reader.next().is_none());
    /// assert!(matches!(reader.handle().end(), Some(End::Complete)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn end(mut self) {
        let result = match self.framing {
            Framing::Chunked => self.write(b"0\r\n\r\n"),
            _ => Ok(()),
        };
        self.upgraded = None;
        script::check_step("end", result);
    }

    /// Closes the connection (FIN) without the last chunk: a chunked response breaks off.
    ///
    /// # Example: a response that breaks off
    ///
    /// ```
    /// # use http_sse::{Client, Error, Request, RetryPolicy, testing::Server};
    /// let server = Server::serve(|_, mut peer| {
    ///     peer.stream();
    ///     peer.close_abruptly();
    /// })?;
    /// # let client = Client::builder().no_proxy().build()?;
    /// let mut reader = client.read("answer", Request::get(server.url("/")).retry(RetryPolicy::never()))?;
    /// assert!(matches!(reader.next(), Some(Err(Error::Disconnected))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close_abruptly(self) {
        drop(self);
    }

    /// Resets the connection (RST): data that the client has not received yet is lost.
    ///
    /// # Example: a router that has forgotten the connection
    ///
    /// ```
    /// # use http_sse::{Client, Request, RetryPolicy, testing::Server};
    /// let server = Server::serve(|_, mut peer| {
    ///     peer.stream();
    ///     peer.reset();
    /// })?;
    /// # let client = Client::builder().no_proxy().build()?;
    /// let mut reader = client.read("answer", Request::get(server.url("/")).retry(RetryPolicy::never()))?;
    /// assert!(reader.next().is_some_and(|item| item.is_err_and(|error| error.is_transient())));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reset(mut self) {
        // On failure the client has disconnected, and only closing is left.
        self.resets = SockRef::from(&*self.socket).set_linger(Some(Duration::ZERO)).is_ok();
    }

    /// Waits for this long: the only step that sleeps. Closing the server interrupts it.
    ///
    /// # Example: silence longer than the idle timeout
    ///
    /// ```
    /// # use http_sse::{Client, Error, Request, RetryPolicy, Timeout, testing::Server};
    /// # use std::time::Duration;
    /// let server = Server::serve(|_, mut peer| {
    ///     peer.stream();
    ///     peer.pause(Duration::from_secs(60));
    /// })?;
    /// # let client = Client::builder().no_proxy().build()?;
    /// let request = Request::get(server.url("/")).retry(RetryPolicy::never()).idle_timeout(Duration::from_millis(50));
    /// let outcome = client.read("news", request)?.next();
    /// assert!(matches!(outcome, Some(Err(Error::Timeout(Timeout::Idle)))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pause(&mut self, time: Duration) {
        if server::closes_within(&self.closing, time) {
            script::end_quietly();
        }
    }
}
