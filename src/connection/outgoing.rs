//! What an attempt sends: the request, the user's changes for this attempt, and the position to resume from.

use std::io;
use std::mem;
use std::sync::Arc;

use log::warn;

use super::Connection;
use super::callback::{CALLBACK_PANICKED, Panicked, invoke};
use crate::error::Error;
use crate::http::{HeaderMap, HeaderValue, Outgoing};
use crate::request::{Attempt, MAX_LAST_EVENT_ID, check_cursor, check_last_event_id, insert_header};

impl Connection {
    /// Builds the attempt's request, and lets the user change it.
    pub(super) fn outgoing(&mut self) -> Result<Outgoing, Error> {
        let mut attempt = Attempt::new(self.attempts, self.last_error.as_ref());
        attempt.show(self.parser.last_event_id(), &self.position.value);
        invoke(&mut self.request.callbacks.before_connect, |prepare| prepare(&mut attempt))
            .map_err(|Panicked| CALLBACK_PANICKED)?;
        if let Some(error) = attempt.failure.take() {
            return Err(Error::io(io::Error::other(error)));
        }
        let Attempt { headers: own, query, last_event_id, cursor, .. } = attempt;
        if let Some(id) = last_event_id {
            check_last_event_id(&id).map_err(Error::InvalidRequest)?;
            self.parser = mem::take(&mut self.parser).with_last_event_id(id.as_str());
            self.shared.progress().last_event_id.set(&id);
            self.reported_id = false;
        }
        if let Some(cursor) = cursor {
            if self.request.cursor.is_none() {
                return Err(Error::InvalidRequest("set_cursor: the request has no cursor".into()));
            }
            check_cursor(&cursor)
                .map_err(|why| Error::InvalidRequest(format!("set_cursor: cannot send the cursor: {why}")))?;
            self.set_cursor(&cursor);
        }
        let mut url = self.request.url_with(&query).map_err(Error::InvalidRequest)?;
        let mut headers = self.request.headers.clone();
        for (name, value) in &own {
            insert_header(&mut headers, name, value).map_err(Error::InvalidRequest)?;
        }
        self.add_last_event_id(&mut headers)?;
        self.send_cursor(&mut url, &mut headers)?;
        self.note_sent_position(&headers);
        Ok(Outgoing {
            id: Arc::clone(&self.shared.id),
            method: self.request.method.clone(),
            url,
            headers,
            position_header: self.position_header(),
            body: self.request.body.clone(),
            transport: self.transport.clone(),
            limits: self.request.limits,
            addresses: Arc::clone(&self.addresses),
            attempt: Arc::clone(&self.attempt),
        })
    }

    /// HTML §9.2.4: sent as UTF-8, unless it is empty. An id that cannot be sent is omitted, and reported once.
    fn add_last_event_id(&mut self, headers: &mut HeaderMap) -> Result<(), Error> {
        let Some(id) = self.parser.last_event_id() else { return Ok(()) };
        let why = match HeaderValue::from_bytes(id.as_bytes()) {
            Ok(value) if id.len() <= MAX_LAST_EVENT_ID => {
                headers.insert("last-event-id", value);
                return Ok(());
            }
            Ok(_) => format!("it has {} bytes, the maximum is {MAX_LAST_EVENT_ID}", id.len()),
            Err(_) => "it contains a control character".into(),
        };
        if mem::replace(&mut self.reported_id, true) {
            return Ok(());
        }
        let error = Error::LastEventId(why);
        warn!("sse {}: {error}", self.shared.id);
        self.report(&error).map_err(|Panicked| CALLBACK_PANICKED)
    }
}
