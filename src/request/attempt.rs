//! The arguments of the callbacks around an attempt.

use std::error::Error as StdError;
use std::fmt;

use crate::error::Error;
use crate::http::HeaderMap;

/// An attempt that is about to start, as passed to [`before_connect`](crate::Request::before_connect).
///
/// # Example: a token that expires, and how often it was tried
///
/// ```
/// use http_sse::Request;
/// # fn fresh_token() -> std::io::Result<String> { Ok("t".into()) }
///
/// let request = Request::get("https://example.com/events").before_connect(|attempt| {
///     attempt.header("x-attempt", attempt.number().to_string());
///     match fresh_token() {
///         Ok(token) => attempt.bearer_auth(token),
///         Err(error) => attempt.fail(error),
///     }
/// });
/// ```
pub struct Attempt<'a> {
    number: u32,
    last_error: Option<&'a Error>,
    shown_last_event_id: Option<&'a str>,
    shown_cursor: &'a str,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) last_event_id: Option<String>,
    pub(crate) cursor: Option<String>,
    pub(crate) failure: Option<Box<dyn StdError + Send + Sync>>,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(number: u32, last_error: Option<&'a Error>) -> Self {
        Self {
            number,
            last_error,
            shown_last_event_id: None,
            shown_cursor: "",
            headers: Vec::new(),
            query: Vec::new(),
            last_event_id: None,
            cursor: None,
            failure: None,
        }
    }

    /// Sets the position to resume from.
    pub(crate) fn show(&mut self, last_event_id: Option<&'a str>, cursor: &'a str) {
        self.shown_last_event_id = last_event_id;
        self.shown_cursor = cursor;
    }

    /// Returns the number of the attempt within its connection, starting at 1.
    ///
    /// # Example: tell the server about reconnects
    ///
    /// ```
    /// use http_sse::Request;
    ///
    /// let request = Request::get("https://example.com/events").before_connect(|attempt| {
    ///     attempt.header("x-attempt", attempt.number().to_string());
    /// });
    /// ```
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Returns the error of the previous attempt, or `None` for the first and after a stream that ended cleanly.
    ///
    /// # Example: a fresh token only after a 401
    ///
    /// ```
    /// use http_sse::{Error, Request};
    /// # fn fresh_token() -> String { "t".into() }
    ///
    /// let mut token = fresh_token();
    /// let request = Request::get("https://example.com/events").before_connect(move |attempt| {
    ///     if attempt.last_error().and_then(Error::status) == Some(401) {
    ///         token = fresh_token();
    ///     }
    ///     attempt.bearer_auth(&token);
    /// });
    /// ```
    pub fn last_error(&self) -> Option<&Error> {
        self.last_error
    }

    /// Returns the last event id that this attempt sends, or `None`.
    ///
    /// # Example: a signature over the position
    ///
    /// ```
    /// use http_sse::Request;
    /// # fn sign(text: &str) -> String { text.into() }
    ///
    /// let request = Request::get("https://example.com/events").before_connect(|attempt| {
    ///     let signature = sign(attempt.last_event_id().unwrap_or_default());
    ///     attempt.header("x-signature", signature);
    /// });
    /// ```
    pub fn last_event_id(&self) -> Option<&str> {
        match &self.last_event_id {
            Some(set) => Some(set.as_str()).filter(|id| !id.is_empty()),
            None => self.shown_last_event_id,
        }
    }

    /// Returns the cursor that this attempt sends, or `None`; see [`Cursor`](crate::Cursor).
    ///
    /// # Example: what to say of a resumed stream
    ///
    /// ```
    /// use http_sse::{Cursor, Request};
    ///
    /// let cursor = Cursor::query("since", |event| Some(event.data().to_owned()));
    /// let request = Request::get("https://example.com/events").cursor(cursor).before_connect(|attempt| {
    ///     println!("attempt {} from {}", attempt.number(), attempt.cursor().unwrap_or("the beginning"));
    /// });
    /// ```
    pub fn cursor(&self) -> Option<&str> {
        Some(self.cursor.as_deref().unwrap_or(self.shown_cursor)).filter(|cursor| !cursor.is_empty())
    }

    /// Sets a header for this attempt, replacing an equal name.
    ///
    /// # Example: a signature over the time
    ///
    /// ```
    /// use http_sse::Request;
    /// # fn sign() -> String { "t=1, v=0".into() }
    ///
    /// let request = Request::get("https://example.com/events")
    ///     .before_connect(|attempt| attempt.header("x-signature", sign()));
    /// ```
    pub fn header(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.headers.push((name.into(), value.into()));
    }

    /// Sets `Authorization: Bearer` for this attempt.
    ///
    /// # Example: the current token from a file
    ///
    /// ```
    /// use http_sse::Request;
    ///
    /// let request = Request::get("https://example.com/events").before_connect(|attempt| {
    ///     match std::fs::read_to_string("/run/secrets/token") {
    ///         Ok(token) => attempt.bearer_auth(token.trim()),
    ///         Err(error) => attempt.fail(error),
    ///     }
    /// });
    /// ```
    pub fn bearer_auth(&mut self, token: impl AsRef<str>) {
        self.header("authorization", format!("Bearer {}", token.as_ref()));
    }

    /// Adds a pair to the URL's query for this attempt, percent-encoded.
    ///
    /// # Example: a ticket for one use
    ///
    /// ```
    /// use http_sse::Request;
    /// # fn ticket() -> String { "1".into() }
    ///
    /// let request = Request::get("https://example.com/events")
    ///     .before_connect(|attempt| attempt.query("ticket", ticket()));
    /// ```
    pub fn query(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.query.push((key.into(), value.into()));
    }

    /// Sets the last event id, for this attempt and until the server sets another id; `None` sends none.
    ///
    /// An id that [`Request::last_event_id`](crate::Request::last_event_id) refuses ends the connection with
    /// [`Error::InvalidRequest`].
    ///
    /// # Example: resume from a database
    ///
    /// ```
    /// use http_sse::Request;
    /// # fn newest_stored() -> Option<String> { Some("41".into()) }
    ///
    /// let request = Request::get("https://example.com/events").before_connect(|attempt| {
    ///     attempt.set_last_event_id(newest_stored().as_deref());
    /// });
    /// ```
    #[allow(single_use_lifetimes, reason = "`impl Trait` cannot elide it")]
    pub fn set_last_event_id<'b>(&mut self, id: impl Into<Option<&'b str>>) {
        self.last_event_id = Some(id.into().unwrap_or_default().to_owned());
    }

    /// Sets the cursor, for this attempt and until an event sets another; `None` sends none.
    ///
    /// A cursor that cannot be sent, or any cursor if the request has no [`Cursor`](crate::Cursor), ends the connection
    /// with [`Error::InvalidRequest`].
    ///
    /// # Example: start over if the server has lost the position
    ///
    /// ```
    /// use http_sse::{Cursor, Error, Request, RetryPolicy};
    ///
    /// let request = Request::get("https://example.com/events")
    ///     .cursor(Cursor::query("since", |event| Some(event.data().to_owned())))
    ///     .retry(RetryPolicy::forever())
    ///     .before_connect(|attempt| {
    ///         if attempt.last_error().and_then(Error::status) == Some(410) {
    ///             attempt.set_cursor(None);
    ///         }
    ///     });
    /// ```
    #[allow(single_use_lifetimes, reason = "`impl Trait` cannot elide it")]
    pub fn set_cursor<'b>(&mut self, cursor: impl Into<Option<&'b str>>) {
        self.cursor = Some(cursor.into().unwrap_or_default().to_owned());
    }

    /// Makes this attempt fail with a transient [`Error::Io`], without sending anything.
    ///
    /// # Example: no attempt without a network
    ///
    /// ```
    /// use http_sse::{Client, Error, Request, RetryPolicy};
    ///
    /// let request = Request::get("https://example.com/events")
    ///     .retry(RetryPolicy::never())
    ///     .before_connect(|attempt| attempt.fail("the modem is off"));
    /// let outcome = Client::new().read("news", request)?.next();
    /// assert!(matches!(outcome, Some(Err(Error::Io(error))) if error.to_string() == "the modem is off"));
    /// # Ok::<(), http_sse::Error>(())
    /// ```
    pub fn fail(&mut self, error: impl Into<Box<dyn StdError + Send + Sync>>) {
        self.failure = Some(error.into());
    }
}

impl fmt::Debug for Attempt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("number", &self.number)
            .field("last_error", &self.last_error)
            .finish_non_exhaustive()
    }
}

/// The response whose stream has just opened, as passed to [`on_open`](crate::Request::on_open).
///
/// # Example: what the log should say
///
/// ```
/// use http_sse::Request;
///
/// let request = Request::get("https://example.com/events").on_open(|response| {
///     println!("attempt {}: {} from {}", response.attempt(), response.status(), response.url());
/// });
/// ```
pub struct Response<'a> {
    pub(crate) status: u16,
    pub(crate) url: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) attempt: u32,
}

impl Response<'_> {
    /// Returns the status of the response: 200, or another 2xx for a request other than GET.
    ///
    /// # Example: for a log in common form
    ///
    /// ```
    /// use http_sse::Request;
    ///
    /// let request = Request::get("https://example.com/events").on_open(|response| println!("{}", response.status()));
    /// ```
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the URL of the response, after redirects; its query may contain secrets.
    ///
    /// # Example: notice a redirect
    ///
    /// ```
    /// use http_sse::{Client, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| match peer.request().path() {
    /// #     "/old" => peer.respond(308, &[("Location", "/new")], ""),
    /// #     _ => peer.respond(200, &[("Content-Type", "text/event-stream")], "data: 1\n\n"),
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/old"));
    /// # let (note, noted) = http_sse::crossbeam_channel::bounded(1);
    /// let request = Request::get(url).on_open(move |response| {
    ///     println!("the answer is from {}", response.url()); // …/new
    ///     # let _ = note.send(response.url().ends_with("/new"));
    /// });
    /// let first = client.read("news", request)?.next();
    /// # assert!(noted.recv()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn url(&self) -> &str {
        self.url
    }

    /// Returns the first value of a response header, if it is visible ASCII.
    ///
    /// # Example: which instance answered
    ///
    /// ```
    /// use http_sse::Request;
    ///
    /// let request = Request::get("https://example.com/events")
    ///     .on_open(|response| println!("served by {}", response.header("x-served-by").unwrap_or("somebody")));
    /// ```
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the number of the attempt within its connection, starting at 1.
    ///
    /// # Example: only reconnects are news
    ///
    /// ```
    /// use http_sse::Request;
    ///
    /// let request = Request::get("https://example.com/events").on_open(|response| {
    ///     if response.attempt() > 1 {
    ///         println!("back again");
    ///     }
    /// });
    /// ```
    pub fn attempt(&self) -> u32 {
        self.attempt
    }
}

impl fmt::Debug for Response<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).field("attempt", &self.attempt).finish_non_exhaustive()
    }
}
