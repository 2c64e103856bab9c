//! The current cursor, for requests that have one.

use std::mem;
use std::sync::Arc;

use log::warn;

use super::Connection;
use super::callback::{Panicked, invoke};
use crate::error::Error;
use crate::event::Event;
use crate::http::{HeaderMap, Uri};
use crate::request::check_cursor;

#[derive(Default)]
pub(super) struct Position {
    /// Empty without one.
    pub(super) value: Arc<str>,
    /// A value that cannot be sent was reported, and no valid one has followed.
    is_reported: bool,
    /// The value was sent, and the first event that has one may be the event of the cursor itself.
    may_be_repeated: bool,
}

impl Connection {
    /// Sets the current cursor, and publishes it.
    pub(super) fn set_cursor(&mut self, value: &str) {
        self.position = Position { value: Arc::from(value), is_reported: false, may_be_repeated: false };
        self.shared.progress().cursor = Arc::clone(&self.position.value);
    }

    /// Adds the current cursor to the request of an attempt.
    pub(super) fn send_cursor(&mut self, url: &mut Uri, headers: &mut HeaderMap) -> Result<(), Error> {
        let Some(parameter) = &self.request.cursor else { return Ok(()) };
        if self.position.value.is_empty() {
            return Ok(());
        }
        self.position.may_be_repeated = self.request.is_cursor_inclusive;
        parameter.set(&self.position.value, url, headers).map_err(Error::InvalidRequest)
    }

    /// Extracts the cursor from an event, and stores the current cursor in the event; returns `None` for an event that
    /// was handled before.
    pub(super) fn take_cursor(&mut self, event: Event) -> Result<Option<Event>, Panicked> {
        if self.request.callbacks.cursor.is_none() {
            return Ok(Some(event));
        }
        let mut found = None;
        invoke(&mut self.request.callbacks.cursor, |extract| found = extract(&event))?;
        if let Some(value) = found.filter(|value| !value.is_empty()) {
            let is_new = *value != *self.position.value;
            if mem::take(&mut self.position.may_be_repeated) && !is_new {
                return Ok(None);
            }
            if is_new {
                self.accept_cursor(&value)?;
            }
        }
        Ok(Some(event.with_cursor(Arc::clone(&self.position.value))))
    }

    fn accept_cursor(&mut self, value: &str) -> Result<(), Panicked> {
        let Err(why) = check_cursor(value) else {
            self.set_cursor(value);
            return Ok(());
        };
        if self.position.is_reported {
            return Ok(());
        }
        self.position.is_reported = true;
        let error = Error::Cursor(why);
        warn!("sse {}: {error}", self.shared.id);
        self.report(&error)
    }
}
