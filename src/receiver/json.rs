//! Typed iteration over events whose data is JSON.

use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use super::{EventReader, Events};
use crate::error::Error;
use crate::event::Event;
use crate::handle::Handle;

/// Events whose data is decoded as JSON.
///
/// One bad document is an `Err` for which [`Error::is_json`] is true, and which holds the event; iteration goes
/// on after it. Every other `Err` is the connection's own: terminal and last.
pub struct JsonEvents<T, I> {
    events: I,
    decoded: PhantomData<fn() -> T>,
}

/// A decoded document and the event that held it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decoded<T> {
    /// The document.
    pub value: T,
    /// The event, with its id and type.
    pub event: Event,
}

impl<T, I> JsonEvents<T, I> {
    pub(super) fn new(events: I) -> Self {
        Self { events, decoded: PhantomData }
    }

    /// Returns the events undecoded.
    pub fn into_inner(self) -> I {
        self.events
    }
}

impl<T> JsonEvents<T, Events> {
    /// Returns a handle to the connection.
    pub fn handle(&self) -> Handle {
        self.events.handle()
    }
}

impl<T> JsonEvents<T, EventReader> {
    /// Returns a handle to the connection.
    pub fn handle(&self) -> Handle {
        self.events.handle()
    }
}

impl<T: DeserializeOwned, I: Iterator<Item = Result<Event, Error>>> Iterator for JsonEvents<T, I> {
    type Item = Result<Decoded<T>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let event = match self.events.next()? {
            Ok(event) => event,
            Err(error) => return Some(Err(error)),
        };
        Some(event.json().map(|value| Decoded { value, event }))
    }
}

impl<T: DeserializeOwned, I: FusedIterator<Item = Result<Event, Error>>> FusedIterator for JsonEvents<T, I> {}

impl<T, I: fmt::Debug> fmt::Debug for JsonEvents<T, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JsonEvents").field(&self.events).finish()
    }
}
