//! Asking for a compressed answer.

use super::Request;

impl Request {
    /// Asks for gzip, and decodes it event by event. Default: `Accept-Encoding: identity`.
    ///
    /// It saves bytes where they cost: an answer of a language model shrinks to a third or less. No event is late if the
    /// server flushes its compressor after each event, as many do; from one that does not, events come in batches, and
    /// this setting is to be left out. The server may still send the stream as it is. A compressed stream holds some
    /// 50 KiB more.
    ///
    /// Limits, [`on_bytes`](Self::on_bytes) and [`Stats::bytes`](crate::Stats::bytes) are about what has been decoded, of
    /// which a piece at a time is kept: a small body that stands for a large one is cut by
    /// [`max_event_size`](Self::max_event_size). A body that ends before its gzip trailer is
    /// [`Error::Disconnected`](crate::Error::Disconnected), one whose checksum is wrong is
    /// [`Error::Protocol`](crate::Error::Protocol), both behind the events before. A header of this request may ask for it
    /// in other words, as in `gzip;q=0.5`.
    ///
    /// # Example: a meter behind a connection that is paid by the byte
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     assert_eq!(peer.request().headers("accept-encoding"), ["gzip"]);
    /// #     let headers = [("Content-Type", "text/event-stream"), ("Content-Encoding", "gzip")];
    /// #     let body = b"\x1f\x8b\x08\0\0\0\0\0\x02\x03KI,I\xb4R0\xd43U\xc8\x0e\xcf\xe0\xe2\x02\0x\xaa\xe6\x8e\x0f\0\0\0";
    /// #     peer.respond(200, &headers, body);
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let mut reader = client.read("meter", Request::get(url).accept_gzip())?;
    /// assert_eq!(reader.next().ok_or("over")??.data(), "1.5 kWh");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn accept_gzip(mut self) -> Self {
        self.accepts_gzip = true;
        self
    }
}
