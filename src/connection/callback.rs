//! Calls to user-supplied code, whose panics end only the connection.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use log::warn;

use super::{Connection, Stage};
use crate::error::{Error, PanicOrigin};
use crate::handle::End;
use crate::request::Callbacks;

pub(super) const CALLBACK_PANICKED: Error = Error::Panicked(PanicOrigin::Callback);

/// A panic was caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Panicked;

impl Connection {
    /// Reports a failure, or a skipped event, to `on_error`.
    pub(super) fn report(&mut self, error: &Error) -> Result<(), Panicked> {
        self.shared.note_error(error);
        invoke(&mut self.request.callbacks.on_error, |on_error| on_error(error))
    }

    /// Sets the end after a panic outside of the callbacks, for example of a logger.
    pub(crate) fn handle_crash(&mut self) -> End {
        self.stage = Stage::Over;
        self.shared.release();
        // A stop in the meantime takes precedence.
        let is_stopped = self.shared.token.is_cancelled();
        let error = Error::Panicked(PanicOrigin::Library);
        self.shared.note_error(&error);
        let end = if is_stopped { End::Stopped } else { End::Failed(error) };
        self.shared.update(|life| life.ended(end.clone()));
        end
    }

    /// Drops all callbacks except `on_close`, before a clean end is reported: the drop of a captured value may panic.
    pub(super) fn checked(&mut self, end: End) -> End {
        if matches!(end, End::Failed(_) | End::Stopped) {
            return end;
        }
        match self.drop_callbacks() {
            Ok(()) => end,
            Err(Panicked) => {
                self.shared.note_error(&CALLBACK_PANICKED);
                End::Failed(CALLBACK_PANICKED)
            }
        }
    }

    /// Drops all callbacks, and runs `on_close`.
    pub(super) fn close_callbacks(&mut self, end: &End) {
        let dropped = self.drop_callbacks();
        let on_close = self.request.callbacks.on_close.take();
        let closed = catch_panic(|| on_close.into_iter().for_each(|on_close| on_close(end)));
        let id = &self.shared.id;
        // The logger may be what panics.
        let _ = catch_panic(|| match (dropped, closed) {
            (_, Err(Panicked)) => warn!("sse {id}: on_close panicked"),
            (Err(Panicked), Ok(())) => warn!("sse {id}: a value captured by a callback panicked while it was dropped"),
            (Ok(()), Ok(())) => {}
        });
        // It may contain a user-supplied error.
        let _ = catch_panic(|| self.last_error = None);
    }

    fn drop_callbacks(&mut self) -> Result<(), Panicked> {
        let on_close = self.request.callbacks.on_close.take();
        let callbacks = mem::replace(&mut self.request.callbacks, Callbacks { on_close, ..Callbacks::default() });
        // One by one: a second panic during a first one would abort.
        let Callbacks {
            retry_when,
            before_connect,
            cursor,
            until,
            on_open,
            on_bytes,
            on_event,
            on_comment,
            on_error,
            on_close: _,
        } = callbacks;
        let dropped = [
            catch_panic(|| drop(retry_when)),
            catch_panic(|| drop(before_connect)),
            catch_panic(|| drop(cursor)),
            catch_panic(|| drop(until)),
            catch_panic(|| drop(on_open)),
            catch_panic(|| drop(on_bytes)),
            catch_panic(|| drop(on_event)),
            catch_panic(|| drop(on_comment)),
            catch_panic(|| drop(on_error)),
        ];
        dropped.into_iter().collect()
    }
}

/// Calls a callback, if there is one, and catches its panic.
pub(super) fn invoke<F: ?Sized>(callback: &mut Option<Box<F>>, run: impl FnOnce(&mut F)) -> Result<(), Panicked> {
    let Some(callback) = callback else { return Ok(()) };
    catch_panic(|| run(callback))
}

/// Catches a panic, and the one that its payload may cause when it is dropped.
pub(crate) fn catch_panic<T>(run: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(run)).map_err(discard)
}

fn discard(payload: Box<dyn Any + Send>) -> Panicked {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // It may panic too, and so on.
        mem::forget(another);
    }
    Panicked
}
