//! The computation of delays. Time and random numbers in `0.0..1.0` are arguments.

use std::mem;
use std::time::{Duration, Instant};

use super::RetryPolicy;

/// The default time after which an open connection resets the failure count.
const RESET_AFTER: Duration = Duration::from_secs(60);

const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The kind of a failure, as far as it affects the delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The delay grows.
    Ordinary,
    /// The server may simply have had nothing to send: the delay does not grow.
    Silence,
    /// It lasts until someone fixes it: the maximum delay.
    Lasting,
    /// This machine has no network.
    Offline,
}

/// The state of one connection's retries.
#[derive(Debug)]
pub(crate) struct Backoff {
    policy: RetryPolicy,
    base: Duration,
    /// The base was set by the server.
    is_servers: bool,
    /// Failures in a row, whatever their cause.
    failures: u32,
    /// Failures that the policy limits.
    counted: u32,
    /// The time of the first of those.
    first_counted: Option<Instant>,
    /// The number of doublings of the base.
    growth: u32,
    short_lives: u32,
    opened: Option<Instant>,
    delivered: bool,
    /// The end of the server's `Retry-After`.
    not_before: Option<Instant>,
    /// The next attempt was requested by `reconnect()`.
    is_asked: bool,
    /// When the last requested attempt began.
    last_asked: Option<Instant>,
}

impl Backoff {
    pub(crate) fn new(policy: RetryPolicy) -> Self {
        let base = policy.base;
        Self {
            policy,
            base,
            is_servers: false,
            failures: 0,
            counted: 0,
            first_counted: None,
            growth: 0,
            short_lives: 0,
            opened: None,
            delivered: false,
            not_before: None,
            is_asked: false,
            last_asked: None,
        }
    }

    pub(crate) fn policy(&self) -> &RetryPolicy {
        &self.policy
    }

    /// Returns the number of failures in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Applies a `retry:` field, for the lifetime of the connection.
    pub(crate) fn server_asks(&mut self, delay: Duration) {
        let (least, most) = (*self.policy.server_delay.start(), *self.policy.server_delay.end());
        self.base = delay.min(most).max(least);
        self.is_servers = true;
    }

    /// An attempt begins.
    pub(crate) fn begins(&mut self, now: Instant) {
        if mem::take(&mut self.is_asked) {
            self.last_asked = Some(now);
        }
    }

    pub(crate) fn opened(&mut self, now: Instant) {
        self.opened = Some(now);
        self.delivered = false;
        self.not_before = None;
    }

    pub(crate) fn delivered(&mut self) {
        self.delivered = true;
    }

    /// Returns `true` if a clean end now is a failure: without any event, unless the stream was open for long.
    pub(crate) fn has_come_to_nothing(&self, now: Instant) -> bool {
        let enough = self.policy.reset_after.unwrap_or(RESET_AFTER);
        !self.delivered && self.opened.is_none_or(|opened| now.saturating_duration_since(opened) < enough)
    }

    /// Returns the minimum delay of an attempt requested by `reconnect()`.
    ///
    /// Such an attempt is immediate, but only once per base delay, and not before the server's `Retry-After`.
    pub(crate) fn reconnect(&mut self, now: Instant) -> Duration {
        self.settle(now);
        self.is_asked = true;
        let since = self.last_asked.map(|last| now.saturating_duration_since(last));
        let rest = since.map_or(Duration::ZERO, |since| self.base.saturating_sub(since));
        rest.max(self.left_alone_for(now))
    }

    /// Resets the server's `Retry-After`.
    pub(crate) fn forget_retry_after(&mut self) {
        self.not_before = None;
    }

    /// Counts a failure without a retry.
    pub(crate) fn ends_with_failure(&mut self, now: Instant) {
        self.settle(now);
        self.failures = self.failures.saturating_add(1);
    }

    /// Returns the delay after a failure; `None` gives up.
    pub(crate) fn failed(
        &mut self,
        now: Instant,
        cause: Cause,
        retry_after: Option<Duration>,
        random: f64,
    ) -> Option<Duration> {
        self.ends_with_failure(now);
        if self.policy.is_never() {
            return None;
        }
        if cause == Cause::Offline && self.policy.waits_for_network {
            self.counted = 0;
            self.first_counted = None;
        } else {
            self.counted = self.counted.saturating_add(1);
            if self.policy.max_retries.is_some_and(|most| self.counted > most) {
                return None;
            }
            self.first_counted.get_or_insert(now);
        }
        let mut delay = match cause {
            Cause::Lasting => self.spread(self.longest(), random),
            _ => self.spread(self.grown(), random),
        };
        if let Some(retry_after) = retry_after {
            let asked = self.policy.max_retry_after.map_or(retry_after, |most| retry_after.min(most));
            // Beyond the clock's range it is as good as never.
            self.not_before = now.checked_add(asked).or_else(|| now.checked_add(CENTURY));
            delay = delay.max(asked.saturating_add(scale(self.base, random)));
        }
        delay = delay.max(self.left_alone_for(now));
        // Without a failure that counts, no time limit is running.
        let elapsed = self.first_counted.map(|first| now.saturating_duration_since(first));
        let limits = elapsed.zip(self.policy.max_elapsed);
        if limits.is_some_and(|(elapsed, most)| elapsed.saturating_add(delay) > most) {
            return None;
        }
        if cause != Cause::Silence {
            self.growth = self.growth.saturating_add(1);
        }
        Some(delay)
    }

    /// Returns the delay after a response that ended cleanly and is not a failure.
    ///
    /// While streams are short the delay grows, but not above an interval set by the server.
    pub(crate) fn ended(&mut self, now: Instant, random: f64) -> Duration {
        if self.settle(now) || self.is_servers {
            self.short_lives = 0;
            return self.spread(self.base, random);
        }
        let delay = self.spread(self.grown(), random);
        self.growth = self.growth.saturating_add(1);
        self.short_lives = self.short_lives.saturating_add(1);
        delay
    }

    /// Returns `true` once in a row of short streams: when the delay has grown.
    pub(crate) fn begins_to_grow(&self) -> bool {
        self.short_lives == 2 && self.longest() > self.base
    }

    /// Accounts for the connection that just ended, if one was open; returns `true` if it resets the count.
    fn settle(&mut self, now: Instant) -> bool {
        let Some(opened) = self.opened.take() else { return false };
        let lived = now.saturating_duration_since(opened);
        let delivered = mem::take(&mut self.delivered);
        let is_good = match self.policy.reset_after {
            Some(enough) => lived >= enough,
            None => lived >= RESET_AFTER || (delivered && lived >= self.base),
        };
        if is_good {
            self.failures = 0;
            self.counted = 0;
            self.first_counted = None;
            self.growth = 0;
            self.short_lives = 0;
        }
        is_good
    }

    fn left_alone_for(&self, now: Instant) -> Duration {
        self.not_before.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// A base above the policy's maximum delay is not lowered by it.
    fn longest(&self) -> Duration {
        self.policy.max.max(self.base)
    }

    fn grown(&self) -> Duration {
        let doubled = self.base.saturating_mul(1_u32.checked_shl(self.growth).unwrap_or(u32::MAX));
        doubled.min(self.longest())
    }

    fn spread(&self, delay: Duration, random: f64) -> Duration {
        delay.saturating_add(scale(delay, self.policy.jitter * random))
    }
}

/// Multiplies without panicking: out of range is no limit.
fn scale(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}
