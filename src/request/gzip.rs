//! Requesting a compressed response.

use super::Request;

impl Request {
    /// Requests gzip, and decodes it event by event. Default: `Accept-Encoding: identity`.
    ///
    /// It saves bytes on metered links: a response of a language model shrinks to a third or less. If the server
    /// flushes its compressor after each event, as many do, no event is delayed; otherwise events arrive in batches,
    /// and this setting is not suitable. The server may still send the stream uncompressed. A compressed stream takes
    /// about 50 KiB more memory.
    ///
    /// Limits, [`on_bytes`](Self::on_bytes) and [`Stats::bytes`](crate::Stats::bytes) apply to decoded data, of which
    /// only one piece is in memory at a time: [`max_event_size`](Self::max_event_size) stops a small body that decodes
    /// to a large one. A body that ends before its gzip trailer is [`Error::Disconnected`](crate::Error::Disconnected),
    /// one with a wrong checksum is [`Error::Protocol`](crate::Error::Protocol), both after the earlier events. A
    /// header of this request may refine the preference, as in `gzip;q=0.5`.
    ///
    /// # Example: a meter on a metered link
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
