//! When to try again: the policy that users set, and the arithmetic behind it.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// How a connection comes back after a failure or the end of a response.
///
/// The wait before retry number n+1 is `min(base × 2ⁿ, max) × (1 + jitter × random)`: 1 s doubling to 30 s
/// by default, and up to twice that by jitter, so that clients that were cut off together come back spread out.
/// The server's `retry:` field replaces the base (HTML §9.2.6), `Retry-After` is a lower bound.
/// The count starts again once a connection has stayed open for [`reset_after`](Self::reset_after),
/// or has delivered an event and lived at least the base delay.
///
/// # Example: what an unattended device uses
///
/// ```
/// use http_sse::RetryPolicy;
/// use std::time::Duration;
///
/// let policy = RetryPolicy::exponential(Duration::from_secs(2), Duration::from_secs(300)).max_retries(u32::MAX);
/// let simpler = RetryPolicy::forever();
/// # let _ = (policy, simpler);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    enabled: bool,
    base: Duration,
    max: Duration,
    max_retries: u32,
    jitter: f64,
    reset_after: Duration,
    max_elapsed: Duration,
    server_delay: RangeInclusive<Duration>,
    max_retry_after: Duration,
}

impl Default for RetryPolicy {
    /// Exponential from 1 s to 30 s, jitter 1.0, at most 5 retries in a row.
    fn default() -> Self {
        Self {
            enabled: true,
            base: Duration::from_secs(1),
            max: Duration::from_secs(30),
            max_retries: 5,
            jitter: 1.0,
            reset_after: Duration::from_secs(60),
            max_elapsed: Duration::MAX,
            server_delay: Duration::from_millis(500)..=Duration::from_secs(300),
            max_retry_after: Duration::from_secs(24 * 60 * 60),
        }
    }
}

impl RetryPolicy {
    /// Never tries again: the first failure, or the end of the response, ends the connection.
    ///
    /// The default for every method but GET.
    ///
    /// # Example: one answer, or none
    ///
    /// ```
    /// use http_sse::{Request, RetryPolicy};
    ///
    /// let request = Request::get("https://example.com/report").retry(RetryPolicy::never());
    /// ```
    pub fn never() -> Self {
        Self { enabled: false, ..Self::default() }
    }

    /// The default without a limit on the number of retries: for devices with nobody there.
    ///
    /// # Example: a device on a roof
    ///
    /// ```
    /// use http_sse::RetryPolicy;
    ///
    /// assert_eq!(RetryPolicy::forever(), RetryPolicy::default().max_retries(u32::MAX));
    /// ```
    pub fn forever() -> Self {
        Self { max_retries: u32::MAX, ..Self::default() }
    }

    /// The same wait every time, without jitter; otherwise the default.
    ///
    /// # Example: every 10 s for about an hour
    ///
    /// ```
    /// use http_sse::RetryPolicy;
    /// use std::time::Duration;
    ///
    /// let policy = RetryPolicy::constant(Duration::from_secs(10)).max_retries(360);
    /// ```
    pub fn constant(delay: Duration) -> Self {
        Self { base: delay, max: delay, jitter: 0.0, ..Self::default() }
    }

    /// Waits of `base`, doubling up to `max`; otherwise the default.
    ///
    /// # Example: the default, written out
    ///
    /// ```
    /// use http_sse::RetryPolicy;
    /// use std::time::Duration;
    ///
    /// let policy = RetryPolicy::exponential(Duration::from_secs(1), Duration::from_secs(30));
    /// assert_eq!(policy, RetryPolicy::default());
    /// ```
    pub fn exponential(base: Duration, max: Duration) -> Self {
        Self { base, max, ..Self::default() }
    }

    /// Sets after how many retries in a row to give up; `u32::MAX` is never. Default: 5.
    ///
    /// # Example: tell the user soon
    ///
    /// ```
    /// use http_sse::RetryPolicy;
    ///
    /// let policy = RetryPolicy::default().max_retries(1); // two attempts, then the error
    /// ```
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = retries;
        self
    }

    /// Sets the share of each wait that is added at random: 1.0 is up to twice the wait. Default: 1.0.
    ///
    /// Negative numbers, NaN and infinity count as 0.
    ///
    /// # Example: waits that can be foretold
    ///
    /// ```
    /// use http_sse::RetryPolicy;
    ///
    /// let policy = RetryPolicy::default().jitter(0.0); // 1 s, 2 s, 4 s, …
    /// assert_eq!(policy, RetryPolicy::default().jitter(-1.0));
    /// ```
    pub fn jitter(mut self, ratio: f64) -> Self {
        self.jitter = if ratio > 0.0 && ratio.is_finite() { ratio } else { 0.0 };
        self
    }

    /// Sets after how long an open connection counts as good again. Default: 60 s.
    ///
    /// # Example: a line that often holds for some minutes
    ///
    /// ```
    /// use http_sse::RetryPolicy;
    /// use std::time::Duration;
    ///
    /// let policy = RetryPolicy::default().reset_after(Duration::from_secs(600));
    /// ```
    pub fn reset_after(mut self, open_for: Duration) -> Self {
        self.reset_after = open_for;
        self
    }

    /// Sets how long after the first failure in a row to give up. Default: `Duration::MAX`, never.
    ///
    /// # Example: give up after a quarter of an hour
    ///
    /// ```
    /// use http_sse::RetryPolicy;
    /// use std::time::Duration;
    ///
    /// let policy = RetryPolicy::forever().max_elapsed(Duration::from_secs(15 * 60));
    /// ```
    pub fn max_elapsed(mut self, elapsed: Duration) -> Self {
        self.max_elapsed = elapsed;
        self
    }

    /// Sets the range into which the server's `retry:` (HTML §9.2.6) is clamped. Default: 500 ms ..= 5 min.
    ///
    /// # Example: a server that asks for too little
    ///
    /// ```
    /// use http_sse::RetryPolicy;
    /// use std::time::Duration;
    ///
    /// let policy = RetryPolicy::default().server_delay(Duration::from_secs(5)..=Duration::from_secs(60));
    /// ```
    pub fn server_delay(mut self, range: RangeInclusive<Duration>) -> Self {
        self.server_delay = range;
        self
    }

    /// Sets how much of a `Retry-After` (RFC 9110 section 10.2.3) is obeyed at most. Default: one day.
    ///
    /// Services with daily quotas ask for hours; [`Stats::retry_in`](crate::Stats::retry_in) shows such a wait. The
    /// attempt comes up to the base delay later than asked for.
    ///
    /// # Example: ask again within the hour, whatever the server says
    ///
    /// ```
    /// use http_sse::RetryPolicy;
    /// use std::time::Duration;
    ///
    /// let policy = RetryPolicy::forever().max_retry_after(Duration::from_secs(3600));
    /// ```
    pub fn max_retry_after(mut self, wait: Duration) -> Self {
        self.max_retry_after = wait;
        self
    }

    pub(crate) fn is_never(&self) -> bool {
        !self.enabled
    }
}

/// The state of one connection's retries. It is handed the time and a random number in `0.0..1.0`.
#[derive(Debug)]
pub(crate) struct Backoff {
    policy: RetryPolicy,
    base: Duration,
    failures: u32,
    first_failure: Option<Instant>,
    opened: Option<Instant>,
    delivered: bool,
}

impl Backoff {
    pub(crate) fn new(policy: RetryPolicy) -> Self {
        let base = policy.base;
        Self { policy, base, failures: 0, first_failure: None, opened: None, delivered: false }
    }

    pub(crate) fn is_never(&self) -> bool {
        self.policy.is_never()
    }

    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Obeys a `retry:` field, for the connection's life.
    pub(crate) fn server_asks(&mut self, delay: Duration) {
        let (least, most) = (*self.policy.server_delay.start(), *self.policy.server_delay.end());
        self.base = delay.min(most).max(least);
    }

    pub(crate) fn opened(&mut self, now: Instant) {
        self.opened = Some(now);
        self.delivered = false;
    }

    pub(crate) fn delivered(&mut self) {
        self.delivered = true;
    }

    /// Tells whether the connection that is open, if one is, has delivered an event.
    pub(crate) fn has_delivered(&self) -> bool {
        self.delivered
    }

    /// Starts again from nothing, as `reconnect()` asks.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
        self.first_failure = None;
        self.opened = None;
        self.delivered = false;
    }

    /// Returns how long to wait after a failure; `None` gives up.
    pub(crate) fn failed(&mut self, now: Instant, retry_after: Option<Duration>, random: f64) -> Option<Duration> {
        self.settle(now);
        let first = *self.first_failure.get_or_insert(now);
        if !self.policy.enabled || now.saturating_duration_since(first) >= self.policy.max_elapsed {
            return None;
        }
        if self.policy.max_retries != u32::MAX && self.failures >= self.policy.max_retries {
            return None;
        }
        let doubled = self.base.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        let delay = self.spread(doubled.min(self.policy.max.max(self.base)), random);
        self.failures = self.failures.saturating_add(1);
        let Some(retry_after) = retry_after else { return Some(delay) };
        let asked = retry_after.min(self.policy.max_retry_after).saturating_add(scale(self.base, random));
        Some(delay.max(asked))
    }

    /// Returns how long to wait after a response that ended cleanly; `None` gives up.
    ///
    /// Without any event it counts as a failure: a server that accepts and closes at once is not hammered.
    pub(crate) fn ended(&mut self, now: Instant, random: f64) -> Option<Duration> {
        if !self.delivered {
            return self.failed(now, None, random);
        }
        self.settle(now);
        self.policy.enabled.then(|| self.spread(self.base, random))
    }

    /// Closes the books on the connection that was open, if one was.
    fn settle(&mut self, now: Instant) {
        let Some(opened) = self.opened.take() else { return };
        let lived = now.saturating_duration_since(opened);
        if lived >= self.policy.reset_after || (self.delivered && lived >= self.base) {
            self.reset();
        }
        self.delivered = false;
    }

    fn spread(&self, delay: Duration, random: f64) -> Duration {
        delay.saturating_add(scale(delay, self.policy.jitter * random))
    }
}

/// Multiplies without ever panicking: out of range is for ever.
fn scale(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

// Named, because this file is also compiled by itself, from elsewhere.
#[cfg(test)]
#[path = "retry/tests.rs"]
mod tests;
