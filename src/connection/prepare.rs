//! What an attempt sends: the plan, what the user changes for this attempt, and where the stream left off.

use std::io;
use std::mem;
use std::sync::Arc;

use log::warn;

use super::Connection;
use super::contain::{CALLBACK_PANICKED, Panicked, call};
use crate::error::Error;
use crate::http::{HeaderMap, HeaderValue, Outgoing};
use crate::request::{Attempt, check_last_event_id, insert_header};

/// The longest Last-Event-ID that is sent, in bytes: servers refuse large heads.
const MOST_LAST_EVENT_ID: usize = 1024;

impl Connection {
    /// Builds the attempt's request, and lets the user change it.
    pub(super) fn prepare(&mut self) -> Result<Outgoing, Error> {
        let mut attempt = Attempt::new(self.attempts, self.last_error.as_ref());
        call(&mut self.plan.callbacks.before_connect, |prepare| prepare(&mut attempt))
            .map_err(|Panicked| CALLBACK_PANICKED)?;
        if let Some(error) = attempt.failure.take() {
            return Err(Error::io(io::Error::other(error)));
        }
        let Attempt { headers: own, query, last_event_id, .. } = attempt;
        if let Some(id) = last_event_id {
            check_last_event_id(&id).map_err(Error::InvalidRequest)?;
            self.parser = mem::take(&mut self.parser).with_last_event_id(&id);
            self.shared.progress().last_event_id.set(&id);
        }
        let mut headers = self.plan.headers.clone();
        for (name, value) in &own {
            insert_header(&mut headers, name, value).map_err(Error::InvalidRequest)?;
        }
        self.add_last_event_id(&mut headers);
        Ok(Outgoing {
            id: Arc::clone(&self.shared.id),
            method: self.plan.method.clone(),
            url: self.plan.url_with(&query).map_err(Error::InvalidRequest)?,
            headers,
            body: self.plan.body.clone(),
            network: self.network.clone(),
            limits: self.plan.limits,
            pending: Arc::clone(&self.pending),
            lap: Arc::clone(&self.lap),
        })
    }

    /// HTML §9.2.4: sent as UTF-8, unless it is empty. One that a header cannot hold is left out.
    fn add_last_event_id(&mut self, headers: &mut HeaderMap) {
        let Some(id) = self.parser.last_event_id() else { return };
        match HeaderValue::from_bytes(id.as_bytes()) {
            Ok(value) if id.len() <= MOST_LAST_EVENT_ID => {
                headers.insert("last-event-id", value);
            }
            _ if self.warned => {}
            _ => {
                self.warned = true;
                warn!("sse {}: a last event id of {} bytes cannot be sent back", self.shared.id, id.len());
            }
        }
    }
}
