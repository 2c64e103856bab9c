//! Calls into the user's closures, whose panics end the connection and nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Connection;
use crate::error::Error;
use crate::handle::End;

impl Connection {
    /// Tells `on_error` of a failure, or of an event that was skipped.
    pub(super) fn report(&mut self, error: &Error) -> Result<(), Panicked> {
        call(&mut self.plan.callbacks.on_error, |on_error| on_error(error))
    }
}

/// A callback of the user's panicked.
pub(super) struct Panicked;

/// Calls a callback, if there is one, and contains its panic.
pub(super) fn call<F: ?Sized>(callback: &mut Option<Box<F>>, run: impl FnOnce(&mut F)) -> Result<(), Panicked> {
    let Some(callback) = callback else { return Ok(()) };
    catch_unwind(AssertUnwindSafe(|| run(callback))).map_err(|_| Panicked)
}

/// Calls `on_close`, and contains its panic.
pub(super) fn call_last(on_close: Box<dyn FnOnce(&End) + Send>, end: &End) -> Result<(), Panicked> {
    catch_unwind(AssertUnwindSafe(|| on_close(end))).map_err(|_| Panicked)
}
