//! A position in the stream that is not the last event id.

use std::fmt;

use super::prepared::{MAX_LAST_EVENT_ID, insert_header, with_query};
use crate::event::Event;
use crate::http::{self, HeaderMap, HeaderValue, Uri};

pub(crate) type Extract = Box<dyn FnMut(&Event) -> Option<String> + Send>;

/// How to resume a stream whose server does not use `id:`: a value is extracted from each event, and sent in a query
/// pair or a header of the next attempt.
///
/// The closure runs for each event, before any other callback. Its value applies from then on, across any number of
/// reconnects; `None` and an empty text keep the previous cursor, for events that are not a position. A value that
/// cannot be sent is reported to [`on_error`](crate::Request::on_error) as [`Error::Cursor`](crate::Error::Cursor), and
/// the previous one stays: events may then be repeated, but none is lost. Such values contain control characters or
/// have more than 7,983 bytes. An event that was skipped as too large has no cursor.
///
/// Without a value, nothing is sent. A value replaces a pair with the same key, or a header with the same name. A
/// redirect to another origin drops the header unless [`trust_origin`](crate::Request::trust_origin) allows it.
/// `Last-Event-ID` is also sent if the server uses ids.
///
/// # Example: ntfy, whose messages have an id inside their JSON
///
#[cfg_attr(feature = "json", doc = "```")]
#[cfg_attr(not(feature = "json"), doc = "```ignore")]
/// use http_sse::{Client, Cursor, Request};
///
/// #[derive(serde::Deserialize)]
/// struct Head { id: String }
///
/// # let server = http_sse::testing::Server::serve(|number, mut peer| match number {
/// #     0 => {
/// #         assert_eq!(peer.request().path(), "/door/sse?since=all");
/// #         let open = "event: open\ndata: {\"id\":\"zH3\",\"event\":\"open\"}\n\n";
/// #         peer.respond(200, &[("Content-Type", "text/event-stream")], &format!("{open}data: {{\"id\":\"Qk9\"}}\n\n"));
/// #     }
/// #     _ => {
/// #         assert_eq!(peer.request().path(), "/door/sse?since=Qk9");
/// #         peer.respond(204, &[], "");
/// #     }
/// # })?;
/// # let client = Client::builder().no_proxy().build()?;
/// # let url = server.url("/door/sse");
/// let cursor = Cursor::query("since", |event| {
///     let is_message = event.event_type() == "message";
///     is_message.then(|| event.json::<Head>().ok().map(|head| head.id))?
/// });
/// let request = Request::get(url).query("since", "all").cursor(cursor);
/// # let request = request.retry(http_sse::RetryPolicy::constant(std::time::Duration::from_millis(1)));
/// for event in client.read("door", request)? {
///     println!("{}", event?.data()); // across reconnects, each message once
/// }
/// # server.finish();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a cursor does nothing until a request has it"]
pub struct Cursor {
    pub(super) parameter: CursorParameter,
    pub(super) start: String,
    pub(super) is_inclusive: bool,
    pub(super) extract: Extract,
}

/// Where a cursor is sent.
pub(crate) enum CursorParameter {
    Query(String),
    /// The braces in the template stand for the value.
    Header {
        name: String,
        template: String,
    },
}

impl Cursor {
    /// Sends the value as a pair of the URL's query, encoded as a form is.
    ///
    /// An empty key is [`Error::InvalidRequest`](crate::Error::InvalidRequest).
    ///
    /// # Example: an OpenAI response, whose events are numbered
    ///
    #[cfg_attr(feature = "json", doc = "```")]
    #[cfg_attr(not(feature = "json"), doc = "```ignore")]
    /// use http_sse::{Cursor, Request};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Numbered { sequence_number: u64 }
    ///
    /// let cursor = Cursor::query("starting_after", |event| {
    ///     event.json::<Numbered>().ok().map(|event| event.sequence_number.to_string())
    /// });
    /// let request = Request::get("https://example.com/v1/responses/resp_1?stream=true").cursor(cursor);
    /// ```
    pub fn query(key: impl Into<String>, extract: impl FnMut(&Event) -> Option<String> + Send + 'static) -> Self {
        Self::new(CursorParameter::Query(key.into()), Box::new(extract))
    }

    /// Sends the value in a header; it replaces `{}` in the template.
    ///
    /// A template without exactly one `{}`, and a header that the library sets, are
    /// [`Error::InvalidRequest`](crate::Error::InvalidRequest).
    ///
    /// # Example: the systemd journal
    ///
    /// The range starts with the entry of the cursor, so the cursor is [`inclusive`](Self::inclusive). A range that
    /// skips an entry (`entries={}:1:`) would lose one if the entry of the cursor is gone, and repeat one at the end of
    /// the journal.
    ///
    #[cfg_attr(feature = "json", doc = "```")]
    #[cfg_attr(not(feature = "json"), doc = "```ignore")]
    /// use http_sse::{Cursor, Request};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Entry {
    ///     #[serde(rename = "__CURSOR")]
    ///     cursor: String,
    /// }
    ///
    /// let cursor = Cursor::header("Range", "entries={}", |event| {
    ///     event.json::<Entry>().ok().map(|entry| entry.cursor)
    /// })
    /// .inclusive();
    /// let request = Request::get("http://localhost:19531/entries?follow").cursor(cursor);
    /// ```
    pub fn header(
        name: impl Into<String>,
        template: impl Into<String>,
        extract: impl FnMut(&Event) -> Option<String> + Send + 'static,
    ) -> Self {
        Self::new(CursorParameter::Header { name: name.into(), template: template.into() }, Box::new(extract))
    }

    fn new(parameter: CursorParameter, extract: Extract) -> Self {
        Self { parameter, start: String::new(), is_inclusive: false, extract }
    }

    /// Starts at this value, which the first attempt sends. Default: none; an empty value also means none.
    ///
    /// A value that cannot be sent is [`Error::InvalidRequest`](crate::Error::InvalidRequest).
    ///
    /// # Example: across restarts
    ///
    /// ```no_run
    /// use http_sse::{Checkpoint, Client, Cursor, Request, RetryPolicy};
    ///
    /// // It stores the cursor of the last handled event, since the request has one.
    /// let checkpoint = Checkpoint::open("/var/lib/news/cursor")?;
    /// let cursor = Cursor::query("since", |event| event.data().split(' ').next().map(str::to_owned))
    ///     .start_at(checkpoint.last_event_id());
    /// let request = Request::get("https://example.com/news").cursor(cursor).retry(RetryPolicy::forever());
    /// for event in Client::new().connect("news", request)?.checkpoint(checkpoint) {
    ///     println!("{}", event?.data());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[allow(single_use_lifetimes, reason = "`impl Trait` cannot elide it")]
    pub fn start_at<'a>(mut self, value: impl Into<Option<&'a str>>) -> Self {
        self.start = value.into().unwrap_or_default().to_owned();
        self
    }

    /// Skips the event of the cursor itself, for servers that send it again. Default: off.
    ///
    /// It skips the first event with a value in each response, and only if that value is the one that was sent: a
    /// server that does not repeat the event loses nothing. The event is neither delivered nor counted, and no callback
    /// sees it.
    ///
    /// # Example: the systemd journal, as in [`header`](Self::header)
    ///
    /// ```
    /// use http_sse::{Client, Cursor, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     assert_eq!(peer.request().header("range"), Some("entries=7"));
    /// #     peer.stream();
    /// #     peer.send("data: 7\n\ndata: 8\n\n");
    /// #     peer.wait_for_close();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let cursor = Cursor::header("Range", "entries={}", |event| Some(event.data().to_owned())).inclusive();
    /// let mut reader = client.read("log", Request::get(url).cursor(cursor.start_at("7")))?;
    /// assert_eq!(reader.next().ok_or("over")??.data(), "8");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn inclusive(mut self) -> Self {
        self.is_inclusive = true;
        self
    }

    pub(super) fn check(&self) -> Result<(), String> {
        match &self.parameter {
            CursorParameter::Query(key) if key.is_empty() => return Err("cursor: the key is empty".into()),
            CursorParameter::Query(_) => {}
            CursorParameter::Header { name, template } => {
                if template.matches("{}").count() != 1 {
                    return Err(format!("cursor: the template of the header {name:?} must contain {{}} exactly once"));
                }
                http::parse_header(name, template).map_err(|why| format!("cursor: {why}"))?;
            }
        }
        check_value(&self.start).map_err(|why| format!("start_at: cannot send the cursor: {why}"))
    }
}

/// Returns why a value cannot be sent. The same for query and header, so that a checkpoint can store it.
pub(crate) fn check_value(value: &str) -> Result<(), String> {
    if value.len() > MAX_LAST_EVENT_ID {
        return Err(format!("it has {} bytes, the maximum is {MAX_LAST_EVENT_ID}", value.len()));
    }
    match HeaderValue::from_bytes(value.as_bytes()) {
        Ok(_) => Ok(()),
        Err(_) => Err("it contains a control character".into()),
    }
}

impl CursorParameter {
    pub(crate) fn header(&self) -> Option<&str> {
        match self {
            Self::Query(_) => None,
            Self::Header { name, .. } => Some(name),
        }
    }

    /// Returns `false` if the value belongs in the query but is missing in that of the URL.
    pub(crate) fn is_in(&self, url: &str, value: &str) -> bool {
        let Self::Query(key) = self else { return true };
        let query = url.split_once('?').map_or("", |(_, query)| query);
        form_urlencoded::parse(query.as_bytes()).any(|(name, sent)| name == **key && sent == value)
    }

    /// Puts a value into the request of an attempt.
    pub(crate) fn set(&self, value: &str, url: &mut Uri, headers: &mut HeaderMap) -> Result<(), String> {
        match self {
            Self::Query(key) => {
                let text = with_query(&without_pairs(&url.to_string(), key), &[(key.clone(), value.to_owned())]);
                *url = http::parse_url(&text)?.0;
                Ok(())
            }
            Self::Header { name, template } => insert_header(headers, name, &template.replacen("{}", value, 1)),
        }
    }
}

/// Returns the URL without the pairs of a key; all others stay as they are.
fn without_pairs(url: &str, key: &str) -> String {
    let Some((before, query)) = url.split_once('?') else { return url.to_owned() };
    let is_other = |pair: &&str| form_urlencoded::parse(pair.as_bytes()).all(|(name, _)| name != key);
    let kept: Vec<_> = query.split('&').filter(is_other).collect();
    if kept.is_empty() { before.to_owned() } else { format!("{before}?{}", kept.join("&")) }
}

/// Shows where it is sent, never what.
impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cursor = f.debug_struct("Cursor");
        match &self.parameter {
            CursorParameter::Query(key) => cursor.field("query", key),
            CursorParameter::Header { name, .. } => cursor.field("header", name),
        };
        cursor.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pairs_of_the_key_are_taken_out() {
        for (url, expected) in [
            ("http://h/", "http://h/"),
            ("http://h/?since=1", "http://h/"),
            ("http://h/?a=%41&since=1&b", "http://h/?a=%41&b"),
            ("http://h/?s%69nce=1&sincere=2&&since", "http://h/?sincere=2&"),
            ("http://h/?", "http://h/?"),
        ] {
            assert_eq!(without_pairs(url, "since"), expected, "{url}");
        }
    }
}
