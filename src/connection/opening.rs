//! The thread on which an attempt is opened.

use std::thread::{self, Builder};
use std::time::Instant;

use crossbeam_channel::{at, bounded, never, select};

use super::{Break, Connection, Continue, Next, Panicked, Stage, Step, catch_panic};
use crate::error::{Error, PanicOrigin};
use crate::http::{Body, Outcome, Outgoing};

/// The thread that opens for a caller without a deadline.
#[derive(Clone, Copy)]
pub(super) enum Opener {
    Caller,
    /// Opening uses more stack than anything after it, and a thread keeps every page that its stack has ever touched.
    /// It also allocates much that is freed with the stream, and glibc keeps some freed memory for the thread that
    /// freed it: so a helper must free what a helper has allocated. When helpers end, both are released.
    Helper,
}

impl Connection {
    /// Keeps the stack of the calling thread shallow.
    pub(crate) fn open_on_helpers(&mut self) {
        self.opener = Opener::Helper;
    }

    pub(super) fn send(&mut self, mut outgoing: Outgoing, deadline: Option<Instant>) -> Step {
        let helper = self.helper("open");
        if deadline.is_none() || cfg!(http_sse_simulation) {
            let outcome = match self.opener {
                Opener::Caller => catch_panic(|| outgoing.open()),
                Opener::Helper => open_on(helper, &mut outgoing),
            };
            return self.handle_opening(outcome);
        }
        // The caller may return before this is finished; it continues meanwhile.
        let (sender, outcome) = bounded(1);
        // Caught here: the result of a thread must not panic when it is dropped.
        match helper.spawn(move || sender.send(catch_panic(|| outgoing.open()))) {
            Ok(_) => self.stage = Stage::Opening(outcome),
            Err(error) => return self.handle_error(Error::io(error)),
        }
        Continue(())
    }

    fn helper(&self, task: &str) -> Builder {
        Builder::new().name(format!("sse-{task}-{}", self.shared.id)).stack_size(self.stack_size)
    }

    /// Returns once the socket is closed. Only used if the connection continues: a thread that ends keeps nothing.
    pub(super) fn free(&self, body: Body) {
        match self.opener {
            Opener::Caller => drop(body),
            Opener::Helper => thread::scope(|scope| {
                // If the system refuses a thread, it is dropped here.
                let _ = self.helper("close").spawn_scoped(scope, move || drop(body));
            }),
        }
    }

    pub(super) fn await_opening(&mut self, deadline: Option<Instant>) -> Step {
        let Stage::Opening(outcome) = &self.stage else { return Continue(()) };
        let outcome = select! {
            recv(outcome) -> outcome => outcome,
            recv(self.attempt.cancelled()) -> _ => return Continue(()),
            recv(deadline.map_or_else(never, at)) -> _ => return Break(Next::DeadlineReached),
        };
        self.stage = Stage::Idle;
        self.handle_opening(outcome.unwrap_or(Err(Panicked)))
    }

    fn handle_opening(&mut self, outcome: Result<Outcome, Panicked>) -> Step {
        match outcome {
            Ok(outcome) => self.handle_response(outcome),
            Err(Panicked) => self.handle_error(Error::Panicked(PanicOrigin::Library)),
        }
    }
}

/// Waits for the helper to end: a stop ends it like an attempt on this thread, and its socket must be closed by then.
fn open_on(helper: Builder, outgoing: &mut Outgoing) -> Result<Outcome, Panicked> {
    let opened = thread::scope(|scope| {
        let helper = helper.spawn_scoped(scope, || catch_panic(|| outgoing.open()));
        Some(helper.ok()?.join().unwrap_or(Err(Panicked)))
    });
    // If the system refuses a thread, a deeper stack is the lesser problem.
    opened.unwrap_or_else(|| catch_panic(|| outgoing.open()))
}
