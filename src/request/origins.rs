//! What may go along over a redirect to another origin.

use super::Request;

impl Request {
    /// Names another origin that may have what this request's own gets: scheme, host and port; may be called again.
    ///
    /// Some services redirect to a shard that wants the same credentials. A redirect to a trusted origin takes along every
    /// header and the body, unless it came by one that is not trusted. What is no origin is
    /// [`Error::InvalidRequest`](crate::Error::InvalidRequest). Default: none. To any other origin only `Accept`,
    /// `Accept-Encoding`, `Cache-Control`, `User-Agent` and `Last-Event-ID` go along, and what describes a body
    /// (`Content-Type`, `-Language`, `-Encoding`, `-Location`).
    ///
    /// # Example: a database whose shards have hosts of their own
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// let request = Request::get("https://db.example.com/rooms.json")
    ///     .bearer_auth("token")
    ///     .trust_origin("https://shard-7.example.com");
    /// let reader = Client::new().read("rooms", request)?;
    /// let request = Request::get("https://db.example.com/").trust_origin("https://example.com/path");
    /// assert!(Client::new().read("path", request).is_err());
    /// # drop(reader);
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn trust_origin(mut self, origin: impl Into<String>) -> Self {
        self.trusted_origins.push(origin.into());
        self
    }

    /// Refuses a redirect that would send the body to another origin, with [`Error::Redirect`](crate::Error::Redirect).
    ///
    /// Default: a 307 or 308 takes the body along wherever it leads (Fetch, "HTTP-redirect fetch"), as curl does, too; and
    /// so does a 301 or 302, unless the method is POST. An origin named by [`trust_origin`](Self::trust_origin) may have it.
    ///
    /// # Example: a question that is for one server alone
    ///
    /// ```
    /// use http_sse::{Client, Error, Request};
    ///
    /// # let elsewhere = http_sse::testing::Server::start()?;
    /// # let other = elsewhere.url("/");
    /// # let server = http_sse::testing::Server::serve(move |_, mut peer| {
    /// #     peer.respond(307, &[("Location", &other)], "");
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/ask"));
    /// let request = Request::post(url).text("Where does it hurt?").keep_body_at_origin();
    /// assert!(matches!(client.read("doctor", request)?.next(), Some(Err(Error::Redirect(_)))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn keep_body_at_origin(mut self) -> Self {
        self.keeps_body_at_origin = true;
        self
    }
}
