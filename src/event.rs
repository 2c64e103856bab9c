//! One event: the block between two blank lines of the stream, behind one pointer.

mod content;
mod mark;

use std::fmt;
use std::sync::Arc;

use content::release_spare;
pub(crate) use content::{Content, Extra};

/// The event type if the server sends none (HTML §9.2.6).
pub(crate) const DEFAULT_TYPE: &str = "message";

/// One event of a stream.
///
/// An event is one pointer: cheap to move and to clone. Its data, type and id are in one allocation. A kept event does
/// not keep a large receive buffer alive: it uses at most twice its own size plus 256 bytes.
///
/// Two events are equal if type, data, id and comment are equal; [`raw`](Self::raw) does not count.
///
/// # Example: what a block of the stream becomes
///
/// ```
/// use http_sse::parser::{Frame, Parser};
///
/// let mut input: &[u8] = b"event: price\nid: 7\ndata: 101.5\n\n";
/// let frame = Parser::new().next_frame(&mut input)?;
/// let Some(Frame::Event(event)) = frame else { panic!("no event") };
/// assert_eq!((event.event_type(), event.data(), event.id()), ("price", "101.5", Some("7")));
/// # Ok::<(), http_sse::parser::EventTooLarge>(())
/// ```
#[derive(Clone)]
pub struct Event {
    content: Arc<Content>,
}

impl Event {
    /// Creates an event, for a test or a server.
    ///
    /// An empty type means `message`. No text can inject a line into the wire form: CR and LF are removed from the
    /// type, and in the data CRLF and a lone CR become LF, as in a received stream.
    ///
    /// # Example: an event for the code under test
    ///
    /// ```
    /// use http_sse::Event;
    ///
    /// let event = Event::new("greeting", "two\r\nlines").with_id("42");
    /// assert_eq!(event.data(), "two\nlines");
    /// assert_eq!(event.to_string(), "event: greeting\nid: 42\ndata: two\ndata: lines\n\n");
    /// ```
    pub fn new(event_type: impl AsRef<str>, data: impl Into<String>) -> Self {
        let event_type = without(event_type.as_ref(), &['\r', '\n']);
        let mut data = data.into();
        if data.contains('\r') {
            data = data.replace("\r\n", "\n").replace('\r', "\n");
        }
        Self::of(Content::new(data, &event_type, "", None))
    }

    /// Replaces the id; an empty id means none.
    ///
    /// CR, LF and NUL, which cannot be part of an id, are removed.
    ///
    /// # Example: an id cannot inject a line
    ///
    /// ```
    /// use http_sse::Event;
    ///
    /// let event = Event::new("", "x").with_id("7\ndata: y");
    /// assert_eq!(event.id(), Some("7data: y"));
    /// assert_eq!(event.with_id("").id(), None);
    /// ```
    #[must_use]
    pub fn with_id(self, id: impl AsRef<str>) -> Self {
        let id = without(id.as_ref(), &['\r', '\n', '\0']);
        let mut content = Content::copied(self.data(), self.named_type(), &id, None);
        content.extra.clone_from(&self.content.extra);
        content.attempt = self.content.attempt;
        Self::of(content)
    }

    /// Copies the event if the parser also holds it for reuse.
    pub(crate) fn with_cursor(self, cursor: Arc<str>) -> Self {
        self.copied_with(|extra| extra.cursor = Some(cursor))
    }

    pub(crate) fn of(content: Content) -> Self {
        Self { content: Arc::new(content) }
    }

    /// Returns the content if there is no other reference to the event, so that its memory can be reused.
    #[inline]
    pub(crate) fn content_mut(&mut self) -> Option<&mut Content> {
        Arc::get_mut(&mut self.content)
    }

    pub(crate) fn memory_usage(&self) -> usize {
        self.content.memory_usage()
    }

    pub(crate) fn own_bytes(&self) -> usize {
        self.content.own_bytes()
    }

    /// Returns the data as a `String`.
    ///
    /// The data is copied if there are other references to the event: your clones, or the parser, which reuses the most
    /// recent events, up to 512 KiB, after they are dropped.
    ///
    /// # Example: keep only the data
    ///
    /// ```
    /// use http_sse::Event;
    ///
    /// let data: String = Event::new("note", "text").into_data();
    /// assert_eq!(data, "text");
    /// ```
    #[must_use = "it consumes the event"]
    pub fn into_data(self) -> String {
        if self.is_gap() {
            return String::new();
        }
        match Arc::try_unwrap(self.content) {
            Ok(mut content) => {
                content.text.truncate(content.data_end);
                release_spare(&mut content.text);
                content.text
            }
            Err(content) => content.text[..content.data_end].to_owned(),
        }
    }

    /// Returns the event type; `message` if the server sent none.
    ///
    /// # Example: distinguish events
    ///
    /// ```
    /// use http_sse::Event;
    ///
    /// assert_eq!(Event::new("tick", "1").event_type(), "tick");
    /// assert_eq!(Event::new("", "1").event_type(), "message");
    /// ```
    pub fn event_type(&self) -> &str {
        match self.named_type() {
            "" => DEFAULT_TYPE,
            named => named,
        }
    }

    /// Returns the data: the values of the `data` lines, joined by LF.
    ///
    /// # Example: data without a copy
    ///
    /// ```
    /// use http_sse::Event;
    ///
    /// assert_eq!(Event::new("", "one\ntwo").data().lines().count(), 2);
    /// ```
    pub fn data(&self) -> &str {
        if self.is_gap() { "" } else { &self.content.text[..self.content.data_end] }
    }

    /// Returns the last event id that applies to this event, or `None` if there is none or it is empty.
    ///
    /// An earlier event may have set it: an id applies until the server sends another (HTML §9.2.6). To resume after a
    /// restart, store the id of the last handled event.
    ///
    /// # Example: an inherited id
    ///
    /// ```
    /// use http_sse::parser::{Frame, Parser};
    ///
    /// let mut input: &[u8] = b"id: 7\n\ndata: x\n\n";
    /// let Some(Frame::Event(event)) = Parser::new().next_frame(&mut input)? else { panic!("no event") };
    /// assert_eq!(event.id(), Some("7"));
    /// # Ok::<(), http_sse::parser::EventTooLarge>(())
    /// ```
    pub fn id(&self) -> Option<&str> {
        match &self.content.text[self.content.type_end..] {
            _ if self.is_gap() => None,
            "" => self.content.inherited_id.as_deref(),
            own => Some(own),
        }
    }

    /// Returns the position from which to resume after this event: the cursor, if the request has a
    /// [`Cursor`](crate::Cursor), otherwise the [`id`](Self::id).
    ///
    /// A [`Checkpoint`](crate::Checkpoint) stores it. `None` if no event has set one yet.
    ///
    /// # Example: an event without a cursor keeps the previous one
    ///
    /// ```
    /// use http_sse::{Client, Cursor, Request};
    ///
    /// # let server = http_sse::testing::Server::serve(|_, mut peer| {
    /// #     peer.stream();
    /// #     peer.send("data: 7\n\ndata: no number\n\n");
    /// #     peer.wait_for_close();
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let number = |text: &str| text.parse::<u64>().ok().map(|number| number.to_string());
    /// let request = Request::get(url).cursor(Cursor::query("after", move |event| number(event.data())));
    /// let mut reader = client.read("numbers", request)?;
    /// assert_eq!(reader.next().ok_or("over")??.position(), Some("7"));
    /// assert_eq!(reader.next().ok_or("over")??.position(), Some("7"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn position(&self) -> Option<&str> {
        match self.extra().and_then(|extra| extra.cursor.as_deref()) {
            Some(cursor) => Some(cursor).filter(|cursor| !cursor.is_empty()),
            None => self.id(),
        }
    }

    /// Returns the number of the attempt that received the event, starting at 1; `None` if no connection received it.
    ///
    /// If the number differs from that of the previous event, the stream broke in between: events that the server does
    /// not repeat would be missing there. It does not count for equality.
    ///
    /// # Example: fetch the state again after each break
    ///
    /// ```
    /// use http_sse::{Client, Request, RetryPolicy};
    /// use std::time::Duration;
    ///
    /// # let server = http_sse::testing::Server::serve(|number, mut peer| {
    /// #     peer.stream();
    /// #     peer.send(if number == 0 { "data: a\n\ndata: b\n\n" } else { "data: c\n\n" });
    /// #     if number == 0 { peer.close_abruptly() } else { drop(peer.wait_for_close()) }
    /// # })?;
    /// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
    /// let request = Request::get(url).retry(RetryPolicy::constant(Duration::from_millis(10)));
    /// let (mut attempt, mut fetched) = (None, Vec::new());
    /// for event in client.read("state", request)?.take(3) {
    ///     let event = event?;
    ///     if event.attempt() != attempt {
    ///         attempt = event.attempt();
    ///         fetched.push(event.into_data()); // before this event
    ///     }
    /// }
    /// assert_eq!((attempt, fetched), (Some(2), vec!["a".to_owned(), "c".to_owned()]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn attempt(&self) -> Option<u32> {
        Some(self.content.attempt).filter(|attempt| *attempt > 0)
    }

    /// Returns the comment lines in the event's block, joined by LF.
    ///
    /// Each comment is the text after its colon, unchanged. At most 4 KiB of whole lines per block are kept.
    ///
    /// # Example: a comment beside the data
    ///
    /// ```
    /// use http_sse::parser::{Frame, Parser};
    ///
    /// let mut parser = Parser::new();
    /// let mut input: &[u8] = b": from cache\ndata: x\n\n";
    /// parser.next_frame(&mut input)?; // the comment itself
    /// let Some(Frame::Event(event)) = parser.next_frame(&mut input)? else { panic!("no event") };
    /// assert_eq!(event.comment(), Some(" from cache"));
    /// # Ok::<(), http_sse::parser::EventTooLarge>(())
    /// ```
    pub fn comment(&self) -> Option<&str> {
        self.extra()?.comment.as_deref()
    }

    /// Returns the received text of the event's block, if the parser or request was configured to keep it.
    ///
    /// Lines are joined by LF, whatever their line ends; the blank line is not included. Also `None` for a block of
    /// more than twice the maximum event size.
    ///
    /// # Example: what exactly was sent
    ///
    /// ```
    /// use http_sse::parser::{Frame, Parser};
    ///
    /// let mut input: &[u8] = b"data:x\r\nfoo: bar\r\n\r\n";
    /// let Some(Frame::Event(event)) = Parser::new().keep_raw().next_frame(&mut input)? else { panic!("no event") };
    /// assert_eq!(event.raw(), Some("data:x\nfoo: bar"));
    /// # Ok::<(), http_sse::parser::EventTooLarge>(())
    /// ```
    pub fn raw(&self) -> Option<&str> {
        self.extra()?.raw.as_deref()
    }

    fn named_type(&self) -> &str {
        if self.is_gap() { "" } else { &self.content.text[self.content.data_end..self.content.type_end] }
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.data() == other.data()
            && self.event_type() == other.event_type()
            && self.id() == other.id()
            && self.comment() == other.comment()
            && self.gap() == other.gap()
    }
}

impl Eq for Event {}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut event = f.debug_struct("Event");
        if let Some(gap) = self.gap() {
            return event.field("gap", gap).finish();
        }
        event.field("event_type", &self.event_type()).field("data", &self.data()).field("id", &self.id());
        if let Some(comment) = self.comment() {
            event.field("comment", &comment);
        }
        event.finish()
    }
}

/// Writes the canonical wire form, including the blank line: comments, event type, id, data.
///
/// A new parser yields an equal event from it. A gap is a comment.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(gap) = self.gap() {
            return writeln!(f, ": {gap}\n");
        }
        if let Some(comment) = self.comment() {
            for line in comment.split('\n') {
                writeln!(f, ":{line}")?;
            }
        }
        if self.event_type() != DEFAULT_TYPE {
            writeln!(f, "event: {}", self.event_type())?;
        }
        if let Some(id) = self.id() {
            writeln!(f, "id: {id}")?;
        }
        for line in self.data().split('\n') {
            writeln!(f, "data: {line}")?;
        }
        writeln!(f)
    }
}

fn without(text: &str, unwanted: &[char]) -> String {
    text.chars().filter(|character| !unwanted.contains(character)).collect()
}

#[cfg(test)]
mod tests;
