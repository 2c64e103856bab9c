//! What follows a failure, the end of a response, or a call of `reconnect()`: the next attempt, a delay, or the end.

use std::time::{Duration, Instant};

use log::{debug, warn};

use super::callback::{CALLBACK_PANICKED, Panicked, invoke};
use super::{Break, Connection, Continue, Next, Stage, Step};
use crate::clock;
use crate::error::{Error, Timeout};
use crate::handle::{End, State};
use crate::http::Method;
use crate::retry::Cause;
use crate::rounded::Rounded;
use crate::sync::deadline;
use crate::transport::route;

impl Connection {
    /// A stop ends everything; a reconnect drops the current stream and starts again, as soon as the policy allows.
    pub(super) fn handle_cancel(&mut self) -> Step {
        if self.shared.token.is_cancelled() {
            return self.finish(End::Stopped);
        }
        let planned = match self.stage {
            Stage::Waiting(until) => Some(until),
            _ => None,
        };
        let now = clock::now();
        self.close_stream();
        self.begin_attempt()?;
        if self.attempt.is_urgent() {
            self.backoff.forget_retry_after();
        }
        let wait = self.backoff.reconnect(now);
        if wait.is_zero() {
            debug!("sse {}: reconnecting on request", self.shared.id);
            return Continue(());
        }
        debug!("sse {}: reconnecting in {} on request", self.shared.id, Rounded(wait));
        let until = deadline(now, wait);
        // Never later than without the request.
        self.wait_until(match planned.flatten() {
            Some(planned) => Some(until.map_or(planned, |until| until.min(planned))),
            None => until,
        })
    }

    /// The response ended cleanly.
    pub(super) fn handle_end(&mut self) -> Step {
        // Closing takes the lifetime of a thread, which is not part of the connection's.
        let now = clock::now();
        let is_over_early = self.request.callbacks.until.is_some();
        let error = match self.start.take() {
            Some(start) if is_over_early || self.backoff.has_come_to_nothing(now) => start.into_error(),
            _ => Error::Disconnected,
        };
        self.close_stream();
        let is_failure = is_over_early || matches!(error, Error::NoEvent(_));
        if self.is_get() && !self.backoff.policy().is_never() {
            if is_failure {
                return self.handle_error_at(now, error);
            }
        } else if is_over_early {
            return self.handle_error_at(now, error);
        } else {
            // The response is complete, unless `retry_when` returns `true`: a subscription by POST.
            match self.is_wanted_again(&error) {
                Ok(true) if is_failure => return self.retry(now, error, Cause::Ordinary),
                Ok(true) => {}
                Ok(false) => return self.finish(End::Complete),
                Err(Panicked) => return self.handle_panic(),
            }
        }
        let delay = self.backoff.ended(now, clock::random());
        if self.backoff.begins_to_grow() {
            warn!(
                "sse {}: streams end quickly; increasing the delay between attempts to {}",
                self.shared.id,
                Rounded(delay)
            );
        } else {
            debug!("sse {}: the stream ended; retrying in {}", self.shared.id, Rounded(delay));
        }
        self.wait_for(delay)
    }

    pub(super) fn handle_error(&mut self, error: Error) -> Step {
        let now = clock::now();
        self.close_stream();
        self.handle_error_at(now, error)
    }

    fn handle_error_at(&mut self, now: Instant, error: Error) -> Step {
        if error.status() == Some(401) && self.request.callbacks.before_connect.is_some() && !self.renewed {
            return self.renew(error);
        }
        match self.verdict(&error) {
            Ok(Some(cause)) => self.retry(now, error, cause),
            Ok(None) => {
                self.backoff.ends_with_failure(now);
                self.give_up(error)
            }
            // The failure itself is still reported, before its consequence.
            Err(Panicked) => {
                self.backoff.ends_with_failure(now);
                match self.report(&error) {
                    Ok(()) => self.handle_panic(),
                    Err(Panicked) => self.give_up_silently(CALLBACK_PANICKED),
                }
            }
        }
    }

    fn retry(&mut self, now: Instant, error: Error, cause: Cause) -> Step {
        let Some(delay) = self.backoff.failed(now, cause, error.retry_after(), clock::random()) else {
            return self.give_up(error);
        };
        warn!("sse {}: {}; retrying in {}", self.shared.id, error.log_text(), Rounded(delay));
        if self.report(&error).is_err() {
            return self.give_up_silently(CALLBACK_PANICKED);
        }
        self.last_error = Some(error);
        self.wait_for(delay)
    }

    /// Retries immediately, once: `before_connect` may set a fresh token.
    fn renew(&mut self, error: Error) -> Step {
        let text = error.log_text();
        warn!("sse {}: {text}; retrying immediately with new credentials", self.shared.id);
        self.renewed = true;
        if self.report(&error).is_err() {
            return self.give_up_silently(CALLBACK_PANICKED);
        }
        self.last_error = Some(error);
        self.stage = Stage::Idle;
        self.begin_attempt()
    }

    /// Returns the kind of failure, if another attempt should be made.
    fn verdict(&mut self, error: &Error) -> Result<Option<Cause>, Panicked> {
        let policy = self.backoff.policy();
        if policy.is_never() || matches!(error, Error::InvalidRequest(_) | Error::Panicked(_)) {
            return Ok(None);
        }
        let cause = match error {
            Error::Timeout(Timeout::Response) => Cause::Silence,
            error if policy.waits_for_network() && is_offline(error) => Cause::Offline,
            _ => Cause::Ordinary,
        };
        if self.request.callbacks.retry_when.is_some() {
            return Ok(self.is_wanted_again(error)?.then_some(cause));
        }
        // The response to a request other than GET may cost money, or the request may have had its effect.
        if !self.is_get() && self.shared.has_events() {
            return Ok(None);
        }
        Ok(match error {
            error if error.is_transient() => Some(cause),
            Error::Status { .. } | Error::ContentType { .. } | Error::Redirect { .. } if policy.is_persistent() => {
                Some(Cause::Lasting)
            }
            _ => None,
        })
    }

    /// Calls `retry_when`; returns `false` without it.
    fn is_wanted_again(&mut self, error: &Error) -> Result<bool, Panicked> {
        let mut verdict = false;
        if !self.backoff.policy().is_never() {
            invoke(&mut self.request.callbacks.retry_when, |decide| verdict = decide(error))?;
        }
        Ok(verdict)
    }

    fn is_get(&self) -> bool {
        self.request.method == Method::GET
    }

    fn wait_for(&mut self, delay: Duration) -> Step {
        self.wait_until(deadline(clock::now(), delay))
    }

    fn wait_until(&mut self, until: Option<Instant>) -> Step {
        self.shared.update(|life| {
            life.state = State::Waiting;
            life.retry_at = until;
            life.failures = self.backoff.failures();
        });
        self.stage = Stage::Waiting(until);
        Continue(())
    }

    pub(super) fn wait(&mut self, until: Option<Instant>, deadline: Option<Instant>) -> Step {
        let deadline_first = match (until, deadline) {
            (Some(until), Some(deadline)) => deadline < until,
            (None, deadline) => deadline.is_some(),
            (Some(_), None) => false,
        };
        if self.attempt.sleep_until(if deadline_first { deadline } else { until }).is_err() {
            return Continue(());
        }
        if deadline_first {
            return Break(Next::DeadlineReached);
        }
        self.stage = Stage::Idle;
        self.begin_attempt()
    }

    pub(super) fn give_up(&mut self, error: Error) -> Step {
        warn!("sse {}: {}; giving up", self.shared.id, error.log_text());
        match self.report(&error) {
            Ok(()) => self.give_up_silently(error),
            Err(Panicked) => self.give_up_silently(CALLBACK_PANICKED),
        }
    }

    fn give_up_silently(&mut self, error: Error) -> Step {
        self.shared.note_error(&error);
        // A stop that came meanwhile wins.
        if self.shared.token.is_cancelled() {
            return self.finish(End::Stopped);
        }
        self.shared.life().failures = self.backoff.failures();
        self.finish(End::Failed(error))
    }
}

/// Returns `true` if this machine has no network.
fn is_offline(error: &Error) -> bool {
    match error {
        Error::Io(error) if route::is_missing(error) => true,
        Error::Io(error) => route::is_lookup(error) && !route::is_there(),
        Error::Timeout(Timeout::Resolve) => !route::is_there(),
        _ => false,
    }
}
