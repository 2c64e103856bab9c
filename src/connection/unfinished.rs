//! An event without its blank line at the end of the response, which can only be the last one.

use super::callback::{Panicked, invoke};
use super::{Connection, Continue, Step};
use crate::handle::End;

impl Connection {
    /// Passes the last lines of the response to `until`, if the request allows it. The event takes effect only if it is
    /// the last one: otherwise it is discarded (HTML §9.2.6), and a later response sends it completely.
    pub(super) fn end_by_unfinished(&mut self) -> Step {
        if !self.request.ends_without_blank_line {
            return Continue(());
        }
        let Some(event) = self.parser.unfinished_event() else { return Continue(()) };
        let mut is_last = false;
        if invoke(&mut self.request.callbacks.until, |until| is_last = until(&event)).is_err() {
            return self.handle_panic();
        }
        if !is_last {
            return Continue(());
        }
        self.parser.commit_id();
        self.start = None;
        self.note_id();
        match self.take_cursor(event) {
            Ok(Some(event)) => self.count_event(&event),
            Ok(None) => {}
            Err(Panicked) => return self.handle_panic(),
        }
        self.close_stream();
        self.finish(End::Until)
    }
}
