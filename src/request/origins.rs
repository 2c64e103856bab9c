//! What a redirect to another origin may carry.

use super::Request;

impl Request {
    /// Adds an origin that may receive what the request's own origin receives. Default: none.
    ///
    /// The origin has a scheme, a host and a port; any other text is
    /// [`Error::InvalidRequest`](crate::Error::InvalidRequest). May be called repeatedly. Some services redirect to a
    /// shard that needs the same credentials. A redirect to a trusted origin carries all headers and the body, unless a
    /// previous redirect led through an origin that is not trusted. Any other origin receives only `Accept`,
    /// `Accept-Encoding`, `Cache-Control`, `User-Agent`, `Last-Event-ID`, and the headers that describe a body
    /// (`Content-Type`, `-Language`, `-Encoding`, `-Location`).
    ///
    /// # Example: a database with sharded hosts
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
    /// Default: off.
    ///
    /// By default, a 307 or 308 carries the body to any origin (Fetch, "HTTP-redirect fetch"), like curl, and so does a
    /// 301 or 302 unless the method is POST. An origin of [`trust_origin`](Self::trust_origin) may receive it.
    ///
    /// # Example: a body for one server only
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
