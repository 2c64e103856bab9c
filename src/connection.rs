//! The pull core: open → read → parse → yield → back off. The only loop of a connection.
//!
//! It runs until there is an item: on a separate thread (`worker`), or on the caller's (`receiver`). All state here
//! belongs to that one thread; `Shared` contains what other threads see.

mod callback;
mod cursor;
mod gap;
mod opening;
mod outgoing;
mod recovery;
mod start;
mod unfinished;

use std::mem;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::Receiver;
use log::{LevelFilter, STATIC_MAX_LEVEL, debug, log_enabled, trace, warn};

use crate::cancel::AttemptToken;
use crate::clock;
use crate::error::Error;
use crate::event::Event;
use crate::handle::{End, Shared, State};
use crate::http::{Answer, Body, Failure, Outcome, Received, TransportConfig};
use crate::parser::{Frame, Parser};
use crate::request::{PreparedRequest, Response};
use crate::retry::Backoff;
use crate::transport::addresses::AddressMemory;
use callback::{CALLBACK_PANICKED, invoke};
pub(crate) use callback::{Panicked, catch_panic};
use cursor::Position;
use opening::Opener;
use start::Start;

use ControlFlow::{Break, Continue};

pub(crate) struct Connection {
    shared: Arc<Shared>,
    request: PreparedRequest,
    transport: TransportConfig,
    /// The stack size of a helper thread that opens, in bytes.
    stack_size: usize,
    opener: Opener,
    parser: Parser,
    backoff: Backoff,
    addresses: Arc<AddressMemory>,
    attempt: Arc<AttemptToken>,
    stage: Stage,
    /// A callback wants every event.
    sees_events: bool,
    attempts: u32,
    last_error: Option<Error>,
    /// A 401 was retried with a fresh token, and no other response has followed.
    renewed: bool,
    /// The failure to send the current last event id was reported.
    reported_id: bool,
    position: Position,
    /// The position that the attempt has sent, if gaps are marked.
    sent_position: Option<Arc<str>>,
    /// The start of the open stream, until it has delivered an event.
    start: Option<Start>,
}

#[allow(clippy::large_enum_variant, reason = "a connection has one, and is boxed itself")]
enum Stage {
    /// No attempt is in progress.
    Idle,
    /// A helper thread opens the attempt, because the caller has a deadline.
    Opening(Receiver<Result<Outcome, Panicked>>),
    Open(Body),
    /// `None` waits without limit.
    Waiting(Option<Instant>),
    Over,
}

/// The result of [`Connection::next`].
pub(crate) enum Next {
    Event(Event),
    End(End),
    DeadlineReached,
}

/// The loop continues, or breaks with an item for the caller.
type Step = ControlFlow<Next>;

impl Connection {
    pub(crate) fn new(
        shared: Arc<Shared>,
        mut request: PreparedRequest,
        transport: TransportConfig,
        stack_size: usize,
    ) -> Self {
        let backoff = Backoff::new(request.policy.clone());
        let parser = mem::take(&mut request.parser);
        let attempt = shared.token.current_attempt();
        let callbacks = &request.callbacks;
        let sees_events = callbacks.until.is_some()
            || callbacks.on_event.is_some()
            || callbacks.on_bytes.is_some()
            || callbacks.cursor.is_some();
        let start_cursor = mem::take(&mut request.start_cursor);
        let mut connection = Self {
            shared,
            request,
            transport,
            stack_size,
            opener: Opener::Caller,
            parser,
            backoff,
            addresses: Arc::default(),
            attempt,
            stage: Stage::Idle,
            sees_events,
            attempts: 0,
            last_error: None,
            renewed: false,
            reported_id: false,
            position: Position::default(),
            sent_position: None,
            start: None,
        };
        connection.set_cursor(&start_cursor);
        connection
    }

    /// Returns the next event, or the end; waits until the deadline at most.
    ///
    /// Calls `before_wait` before anything that may block, and before user-supplied code.
    #[inline]
    pub(crate) fn next(&mut self, deadline: Option<Instant>, before_wait: impl FnOnce()) -> Next {
        match self.received_event() {
            Some(event) => Next::Event(event),
            None => {
                before_wait();
                self.advance(deadline)
            }
        }
    }

    /// Returns the next event if it has been received and no callback needs to see it: nothing here takes time.
    #[inline]
    fn received_event(&mut self) -> Option<Event> {
        let Stage::Open(body) = &mut self.stage else { return None };
        // A logger may panic.
        let is_traced = STATIC_MAX_LEVEL == LevelFilter::Trace && log::max_level() == LevelFilter::Trace;
        if self.sees_events || self.start.is_some() || is_traced || self.attempt.is_cancelled() {
            return None;
        }
        if body.data().is_empty() {
            self.shared.count_bytes(body.find_data().ok()?);
        }
        let mut rest = body.data();
        let event = self.parser.complete_event(&mut rest);
        let left = rest.len();
        body.consume_to(left);
        let event = event?;
        self.note_id();
        self.count_event(&event);
        Some(event)
    }

    fn advance(&mut self, deadline: Option<Instant>) -> Next {
        // A caller's thread is inside only while it may wait, or run user-supplied code.
        let inside = matches!(self.opener, Opener::Caller).then(|| self.shared.enter_until_dropped());
        let item = catch_panic(|| self.run(deadline)).unwrap_or_else(|Panicked| Next::End(self.handle_crash()));
        if inside.is_some() && matches!(item, Next::End(_)) {
            self.close();
        }
        item
    }

    fn run(&mut self, deadline: Option<Instant>) -> Next {
        let mut is_last_look = false;
        loop {
            let step = match &self.stage {
                Stage::Over => return Next::End(self.shared.end().unwrap_or(End::Stopped)),
                _ if self.attempt.is_cancelled() => self.handle_cancel(),
                Stage::Idle => self.open(deadline),
                Stage::Opening(_) => self.await_opening(deadline),
                Stage::Open(_) => self.read(deadline, &mut is_last_look),
                Stage::Waiting(until) => self.wait(*until, deadline),
            };
            if let Break(item) = step {
                return item;
            }
        }
    }

    fn begin_attempt(&mut self) -> Step {
        match self.shared.token.next_attempt() {
            Ok(attempt) => {
                self.attempt = attempt;
                Continue(())
            }
            Err(_) => self.finish(End::Stopped),
        }
    }

    fn open(&mut self, deadline: Option<Instant>) -> Step {
        self.parser.reset();
        self.backoff.begins(clock::now());
        self.attempts = self.attempts.saturating_add(1);
        self.parser.set_attempt(self.attempts);
        self.shared.update(|life| {
            life.state = State::Connecting;
            life.attempts += 1;
            life.retry_at = None;
            life.failures = self.backoff.failures();
        });
        debug!("sse {}: attempt {}", self.shared.id, self.attempts);
        match self.outgoing() {
            Ok(outgoing) => self.send(outgoing, deadline),
            Err(error) => self.handle_error(error),
        }
    }

    fn handle_response(&mut self, outcome: Outcome) -> Step {
        if let Some(status) = outcome.status {
            self.shared.update(|life| life.last_status = Some(status));
        }
        if outcome.status != Some(401) {
            self.renewed = false;
        }
        let stream = match outcome.result {
            Ok(Answer::Stream(stream)) => stream,
            Ok(Answer::NoContent) => return self.finish(End::NoContent),
            Ok(Answer::NoStream(status)) => return self.finish(End::NoStream(status)),
            Err(Failure::Cancelled) => return Continue(()),
            Err(Failure::Error(error)) => return self.handle_error(error),
        };
        if stream.lacks_position || self.lacks_cursor(&stream.url) {
            self.sent_position = None;
        }
        let now = clock::now();
        self.backoff.opened(now);
        self.last_error = None;
        let last_byte = self.shared.progress().last_byte.replace(now);
        self.shared.update(|life| life.open());
        let response =
            Response { status: stream.status, url: &stream.url, headers: &stream.headers, attempt: self.attempts };
        let done = invoke(&mut self.request.callbacks.on_open, |on_open| on_open(&response));
        let buffered = stream.body.buffered();
        self.stage = Stage::Open(stream.body);
        self.start = Some(Start::default());
        if buffered > 0 {
            self.note_bytes(buffered);
        }
        self.unless_panicked(done)?;
        self.mark_reconnect(last_byte, now)
    }

    fn read(&mut self, deadline: Option<Instant>, is_last_look: &mut bool) -> Step {
        while let Stage::Open(body) = &mut self.stage {
            if body.data().is_empty() {
                match body.find_data() {
                    Ok(0) => break,
                    Ok(amount) => {
                        self.shared.count_bytes(amount);
                        if let Some(start) = &mut self.start {
                            start.keep(body.data());
                        }
                    }
                    Err(failure) => return self.handle_failure(failure),
                }
                if invoke(&mut self.request.callbacks.on_bytes, |on_bytes| on_bytes(body.data())).is_err() {
                    return self.handle_panic();
                }
            }
            let mut rest = body.data();
            let frame = self.parser.next_frame(&mut rest);
            let left = rest.len();
            body.consume_to(left);
            match frame {
                Ok(Some(Frame::Event(event))) => return self.handle_event(event),
                Ok(Some(Frame::Comment(text))) => self.handle_comment(&text)?,
                Ok(Some(Frame::Retry(delay))) => {
                    self.shared.progress().reconnection_time = Some(delay);
                    self.backoff.server_asks(delay);
                }
                Ok(None) => {}
                Err(error) if error.is_runaway() => return self.handle_error(error.into()),
                Err(error) => self.handle_oversized(error.into())?,
            }
            if self.attempt.is_cancelled() {
                return Continue(());
            }
        }
        self.note_id();
        if *is_last_look {
            return Break(Next::DeadlineReached);
        }
        *is_last_look = deadline.is_some_and(|deadline| deadline <= clock::now());
        self.receive(deadline)
    }

    fn receive(&mut self, deadline: Option<Instant>) -> Step {
        let Stage::Open(body) = &mut self.stage else { return Continue(()) };
        match body.read(deadline, self.parser.holds_spare_memory()) {
            Ok(Received::Bytes(amount)) => {
                self.note_bytes(amount);
                Continue(())
            }
            Ok(Received::DeadlineReached) => Break(Next::DeadlineReached),
            Ok(Received::Quiet) => {
                body.release_memory();
                self.parser.release_memory();
                Continue(())
            }
            Ok(Received::End) => {
                let done = invoke(&mut self.request.callbacks.on_bytes, |on_bytes| on_bytes(&[]));
                self.unless_panicked(done)?;
                self.end_by_unfinished()?;
                self.handle_end()
            }
            Err(failure) => self.handle_failure(failure),
        }
    }

    fn handle_failure(&mut self, failure: Failure) -> Step {
        match failure {
            Failure::Cancelled => Continue(()),
            Failure::Error(error) => self.handle_error(error),
        }
    }

    fn note_bytes(&mut self, amount: usize) {
        trace!("sse {}: {amount} bytes", self.shared.id);
        self.shared.progress().last_byte = Some(clock::now());
    }

    fn count_event(&mut self, event: &Event) {
        if log_enabled!(log::Level::Trace) {
            trace!("sse {}: event of {} bytes", self.shared.id, event.data().len());
        }
        self.backoff.delivered();
        self.shared.count_event();
    }

    fn handle_event(&mut self, event: Event) -> Step {
        self.start = None;
        self.note_id();
        let event = match self.take_cursor(event) {
            Ok(Some(event)) => event,
            Ok(None) => return Continue(()),
            Err(Panicked) => return self.handle_panic(),
        };
        self.count_event(&event);
        let mut is_last = false;
        if invoke(&mut self.request.callbacks.until, |until| is_last = until(&event)).is_err() {
            return self.handle_panic();
        }
        if is_last {
            self.close_stream();
            return self.finish(End::Until);
        }
        match invoke(&mut self.request.callbacks.on_event, |on_event| on_event(&event)) {
            Ok(()) => Break(Next::Event(event)),
            Err(Panicked) => self.handle_panic(),
        }
    }

    fn handle_comment(&mut self, text: &str) -> Step {
        let mut progress = self.shared.progress();
        progress.comments = progress.comments.saturating_add(1);
        drop(progress);
        let done = invoke(&mut self.request.callbacks.on_comment, |on_comment| on_comment(text));
        self.unless_panicked(done)
    }

    /// An event was too large: it is skipped, and the stream continues.
    fn handle_oversized(&mut self, error: Error) -> Step {
        warn!("sse {}: skipped an event: {error}", self.shared.id);
        let mut progress = self.shared.progress();
        progress.oversized = progress.oversized.saturating_add(1);
        drop(progress);
        let done = self.report(&error);
        self.unless_panicked(done)?;
        self.mark_oversized()
    }

    fn unless_panicked(&mut self, done: Result<(), Panicked>) -> Step {
        match done {
            Ok(()) => Continue(()),
            Err(Panicked) => self.handle_panic(),
        }
    }

    fn handle_panic(&mut self) -> Step {
        self.close_stream();
        self.give_up(CALLBACK_PANICKED)
    }

    /// Closes the socket.
    fn close_stream(&mut self) {
        self.start = None;
        if let Stage::Open(body) = mem::replace(&mut self.stage, Stage::Idle) {
            self.free(body);
        }
        self.parser.release_memory();
        self.note_id();
    }

    /// Publishes the last event id, if it has changed. Before an event is counted: a thread that sees the count sees
    /// the id of that event, or a later one.
    #[inline]
    fn note_id(&mut self) {
        if let Some(id) = self.parser.take_changed_id() {
            self.reported_id = false;
            self.shared.show_last_event_id(id);
        }
    }

    /// Frees the id and sets the end, before the consumer can see either.
    fn finish(&mut self, end: End) -> Step {
        self.stage = Stage::Over;
        let end = self.checked(end);
        debug!("sse {}: closed, {}", self.shared.id, end.reason());
        // Code that sees the end may reuse the id.
        self.shared.release();
        self.shared.update(|life| life.ended(end.clone()));
        Break(Next::End(end))
    }

    /// Runs `on_close` after the last item has been sent, and drops all user-supplied closures.
    pub(crate) fn close(&mut self) {
        self.stage = Stage::Over;
        self.shared.release();
        let end = self.shared.end().unwrap_or(End::Stopped);
        self.shared.update(|life| life.ended(end.clone()));
        self.close_callbacks(&end);
    }
}
