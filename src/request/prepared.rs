//! A validated request: the starting point of every attempt of a connection.

use std::sync::Arc;
use std::time::Duration;

use super::cursor::{Cursor, CursorParameter};
use super::{Callbacks, Request};
use crate::broadcast::Overflow;
use crate::error::Error;
use crate::http::{self, HeaderMap, HeaderName, HeaderValue, Limits, Method, OriginPolicy, Uri};
use crate::parser::Parser;
use crate::retry::RetryPolicy;

/// A larger capacity is a mistake: the channel allocates its slots at the start.
pub(crate) const MAX_CAPACITY: usize = 1 << 20;

pub(crate) struct PreparedRequest {
    pub(crate) method: Method,
    pub(crate) url: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Arc<[u8]>>,
    pub(crate) limits: Limits,
    pub(crate) origins: OriginPolicy,
    pub(crate) policy: RetryPolicy,
    pub(crate) parser: Parser,
    pub(crate) cursor: Option<CursorParameter>,
    pub(crate) start_cursor: String,
    pub(crate) is_cursor_inclusive: bool,
    pub(crate) ends_without_blank_line: bool,
    pub(crate) marks_gaps: bool,
    pub(crate) callbacks: Callbacks,
}

impl Request {
    /// Checks everything that can be checked without the network.
    pub(crate) fn prepare(self, client_headers: &HeaderMap) -> Result<PreparedRequest, Error> {
        self.check().map_err(Error::InvalidRequest)?;
        self.into_prepared(client_headers).map_err(Error::InvalidRequest)
    }

    fn check(&self) -> Result<(), String> {
        if let Some(unusable) = &self.unusable {
            return Err(unusable.clone());
        }
        check_last_event_id(&self.last_event_id)?;
        if let Some(cursor) = &self.cursor {
            cursor.check()?;
        }
        for (name, timeout) in [
            ("connect_timeout", self.connect_timeout),
            ("response_timeout", self.response_timeout.flatten()),
            ("idle_timeout", self.idle_timeout),
        ] {
            if timeout == Some(Duration::ZERO) {
                return Err(format!("{name} is zero"));
            }
        }
        if self.max_event_size == 0 {
            return Err("max_event_size is zero".into());
        }
        if self.capacity > MAX_CAPACITY {
            return Err(format!("capacity {} exceeds the maximum of {MAX_CAPACITY}", self.capacity));
        }
        if self.capacity == 0 && self.overflow != Overflow::Block {
            return Err(format!("overflow {:?} with a capacity of 0 would drop every event", self.overflow));
        }
        Ok(())
    }

    fn into_prepared(self, client_headers: &HeaderMap) -> Result<PreparedRequest, String> {
        let method =
            Method::from_bytes(self.method.as_bytes()).map_err(|_| format!("invalid method {:?}", self.method))?;
        if method == Method::CONNECT {
            return Err("the method CONNECT is not supported".into());
        }
        let (url, authorization) = http::parse_url(&with_query(&self.url, &self.query))?;
        let mut headers = defaults();
        for name in client_headers.keys() {
            replace(&mut headers, name, client_headers);
        }
        if let Some(authorization) = authorization {
            headers.insert("authorization", authorization);
        }
        if self.accepts_gzip {
            headers.insert("accept-encoding", HeaderValue::from_static("gzip"));
        }
        if let Some(content_type) = &self.content_type {
            let (name, value) = http::content_type(content_type)?;
            headers.insert(name, value);
        }
        let mut own = HeaderMap::new();
        for header in &self.headers {
            let (name, value) = http::parse_header(&header.name, &header.value)?;
            if header.replaces {
                own.insert(name, value);
            } else {
                own.append(name, value);
            }
        }
        for name in own.keys() {
            replace(&mut headers, name, &own);
        }
        if headers.get_all("host").iter().count() > 1 {
            return Err("the header host is set twice".into());
        }
        let policy = self
            .policy
            .unwrap_or_else(|| if method == Method::GET { RetryPolicy::default() } else { RetryPolicy::never() });
        let limits = Limits {
            connect: self.connect_timeout.unwrap_or(Duration::MAX),
            response: self.response_timeout.unwrap_or(self.idle_timeout).unwrap_or(Duration::MAX),
            idle: self.idle_timeout,
            redirects: self.max_redirects,
            any_content_type: self.any_content_type,
            accepts_gzip: self.accepts_gzip,
        };
        let trusted: Result<_, _> = self.trusted_origins.iter().map(|origin| http::parse_origin(origin)).collect();
        let origins = OriginPolicy { trusted: trusted?, keeps_body: self.keeps_body_at_origin };
        let mut parser =
            Parser::new().with_last_event_id(self.last_event_id.as_str()).max_event_size(self.max_event_size);
        if self.keeps_raw {
            parser = parser.keep_raw();
        }
        let (mut callbacks, mut cursor, mut start_cursor) = (self.callbacks, None, String::new());
        let mut is_cursor_inclusive = false;
        if let Some(Cursor { parameter, start, is_inclusive, extract }) = self.cursor {
            (cursor, start_cursor, is_cursor_inclusive) = (Some(parameter), start, is_inclusive);
            callbacks.cursor = Some(extract);
        }
        Ok(PreparedRequest {
            method,
            url,
            headers,
            body: self.body,
            limits,
            origins,
            policy,
            parser,
            cursor,
            start_cursor,
            is_cursor_inclusive,
            ends_without_blank_line: self.ends_without_blank_line,
            marks_gaps: self.marks_gaps,
            callbacks,
        })
    }
}

impl PreparedRequest {
    /// Returns the URL with more pairs in its query.
    pub(crate) fn url_with(&self, query: &[(String, String)]) -> Result<Uri, String> {
        if query.is_empty() {
            return Ok(self.url.clone());
        }
        http::parse_url(&with_query(&self.url.to_string(), query)).map(|(url, _)| url)
    }
}

/// The longest last event id that is sent, in bytes: a header line has 8,000, which servers accept by default.
pub(crate) const MAX_LAST_EVENT_ID: usize = 8_000 - "last-event-id: \r\n".len();

/// Checks that an id can be sent: some bytes would end the header line (HTML §9.2.6), and servers limit its length.
pub(crate) fn check_last_event_id(id: &str) -> Result<(), String> {
    if id.len() > MAX_LAST_EVENT_ID {
        return Err(format!("the last event id has {} bytes, the maximum is {MAX_LAST_EVENT_ID}", id.len()));
    }
    if id.contains(['\r', '\n', '\0']) {
        return Err("the last event id contains CR, LF or NUL".into());
    }
    Ok(())
}

/// Sets a header of an attempt, replacing an equal name.
pub(crate) fn insert_header(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), String> {
    let (name, value) = http::parse_header(name, value)?;
    headers.insert(name, value);
    Ok(())
}

/// The headers of every request (HTML §9.2.2). Some compressors delay events, so compression is off unless requested.
fn defaults() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in
        [("accept", "text/event-stream"), ("cache-control", "no-cache"), ("accept-encoding", "identity")]
    {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers
}

fn replace(headers: &mut HeaderMap, name: &HeaderName, by: &HeaderMap) {
    headers.remove(name);
    for value in by.get_all(name) {
        headers.append(name.clone(), value.clone());
    }
}

pub(super) fn with_query(url: &str, pairs: &[(String, String)]) -> String {
    if pairs.is_empty() {
        return url.to_owned();
    }
    let url = url.split('#').next().unwrap_or_default().trim_matches(|character| character <= ' ');
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs);
    let separator = match url.find('?') {
        None => "?",
        Some(at) if at + 1 == url.len() || url.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{url}{separator}{}", query.finish())
}
