//! When to try again: the policy that users set, and the arithmetic behind it.

use std::ops::RangeInclusive;
use std::time::Duration;

// Named, because this file is also compiled by itself, from elsewhere.
#[path = "retry/backoff.rs"]
mod backoff;

pub(crate) use backoff::{Backoff, Cause};

/// How a connection comes back after a failure or the end of a response.
///
/// The wait before retry number n+1 is `min(base × 2ⁿ, max) × (1 + jitter × random)`: 1 s doubling to 30 s
/// by default, and up to twice that by jitter, so that clients that were cut off together come back spread out.
/// The server's `retry:` field replaces the base (HTML §9.2.6), `Retry-After` is a lower bound.
/// Both start again once a connection has stayed open for 60 s, or has delivered an event and lived for at least the base;
/// [`reset_after`](Self::reset_after) puts a rule of your own in place of that.
///
/// | what happens | the default, and every policy but the next | [`forever()`](Self::forever), [`persistent()`](Self::persistent) |
/// |---|---|---|
/// | network, TLS, timeouts, statuses of [`is_transient`](crate::Error::is_transient) | the next wait of the row | the same |
/// | no network on this machine | a failure like others; [`wait_for_network`](Self::wait_for_network) makes it wait | tries again |
/// | no answer in time ([`Timeout::Response`](crate::Timeout::Response)) | tries again, and no wait grows | the same |
/// | a response that ends without any event | a failure, [`Error::NoEvent`](crate::Error::NoEvent) | the same |
/// | one that ends after events | comes back; waits grow while lives are short, unless the server sent `retry:` | the same |
/// | any other status, wrong content type, redirect that cannot be followed | ends with the error, as browsers do | tries again at the longest wait |
/// | 204, `until`, a stop | ends | ends |
/// | 407 of the proxy, a wrong pin, an invalid request, a panic | ends with the error | ends with the error |
/// | more retries in a row than [`max_retries`](Self::max_retries) | ends with the error | no limit, unless you set one |
///
/// [`Request::retry_when`](crate::Request::retry_when) decides in place of these rules, and a request that is not a GET is
/// not repeated after an event unless it says so.
///
/// # Example: what an unattended device uses
///
/// ```
/// use http_sse::RetryPolicy;
/// use std::time::Duration;
///
/// let policy = RetryPolicy::exponential(Duration::from_secs(2), Duration::from_secs(300)).max_retries(u32::MAX);
/// let simpler = RetryPolicy::forever();
/// assert_ne!(policy.persistent(), simpler); // they differ in their waits
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    base: Duration,
    max: Duration,
    /// None is never, `u32::MAX` is no limit.
    max_retries: u32,
    is_persistent: bool,
    waits_for_network: bool,
    jitter: f64,
    /// `None` is the rule of the default.
    reset_after: Option<Duration>,
    max_elapsed: Duration,
    server_delay: RangeInclusive<Duration>,
    max_retry_after: Duration,
}

impl Default for RetryPolicy {
    /// Exponential from 1 s to 30 s, jitter 1.0, at most 5 retries in a row.
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            max: Duration::from_secs(30),
            max_retries: 5,
            is_persistent: false,
            waits_for_network: false,
            jitter: 1.0,
            reset_after: None,
            max_elapsed: Duration::MAX,
            server_delay: Duration::from_millis(500)..=Duration::from_secs(300),
            max_retry_after: Duration::from_secs(24 * 60 * 60),
        }
    }
}

impl RetryPolicy {
    /// Never tries again: the first failure, or the end of the response, ends the connection.
    ///
    /// The same as [`max_retries(0)`](Self::max_retries). The default for every method but GET.
    ///
    /// # Example: one answer, or none
    ///
    /// ```
    /// use http_sse::{Request, RetryPolicy};
    ///
    /// let request = Request::get("https://example.com/report").retry(RetryPolicy::never());
    /// ```
    pub fn never() -> Self {
        Self { max_retries: 0, ..Self::default() }
    }

    /// The default without a limit on the number of retries, and [`persistent`](Self::persistent): for devices with
    /// nobody there.
    ///
    /// It ends on 204, on the event of [`Request::until`](crate::Request::until), on a stop, a panic, an invalid request,
    /// a proxy's 407 and a wrong pin, and on what [`Request::retry_when`](crate::Request::retry_when) refuses. A 404 while a server is being
    /// updated, or a captive portal's page, is tried again after 30 s to a minute.
    ///
    /// # Example: a device on a roof
    ///
    /// ```
    /// use http_sse::RetryPolicy;
    ///
    /// assert_eq!(RetryPolicy::forever(), RetryPolicy::default().max_retries(u32::MAX).persistent());
    /// ```
    pub fn forever() -> Self {
        Self { max_retries: u32::MAX, is_persistent: true, ..Self::default() }
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

    /// Sets after how many retries in a row to give up; 0 is [`never`](Self::never), `u32::MAX` is no limit. Default: 5.
    ///
    /// Only failures count: a response that ends after events does not. An attempt that
    /// [`Handle::reconnect`](crate::Handle::reconnect) asked for counts like any other.
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

    /// Tries again whatever a later attempt may cure, not only what is [transient](crate::Error::is_transient): any status,
    /// a wrong content type, and a redirect that cannot be followed, at the longest wait. Default: off.
    ///
    /// [`Request::retry_when`](crate::Request::retry_when) decides in place of it. Part of [`forever`](Self::forever).
    ///
    /// # Example: every 10 s, whatever the server answers
    ///
    /// ```
    /// use http_sse::RetryPolicy;
    /// use std::time::Duration;
    ///
    /// let policy = RetryPolicy::constant(Duration::from_secs(10)).max_retries(u32::MAX).persistent();
    /// ```
    pub fn persistent(mut self) -> Self {
        self.is_persistent = true;
        self
    }

    /// Counts no attempt that failed because this machine has no network. Default: off, such an attempt counts.
    ///
    /// That is: no route to the server, no address of this machine's own, or a failed DNS lookup while there is no default
    /// route. Waits grow as for any failure, and [`on_error`](crate::Request::on_error) sees each; but
    /// [`max_retries`](Self::max_retries) and [`max_elapsed`](Self::max_elapsed) start again with the first attempt that
    /// fails otherwise. If you learn sooner that the network is up, call [`Handle::reconnect`](crate::Handle::reconnect).
    ///
    /// # Example: five attempts at the server, however long the modem takes
    ///
    /// ```
    /// use http_sse::RetryPolicy;
    ///
    /// let policy = RetryPolicy::default().wait_for_network();
    /// ```
    pub fn wait_for_network(mut self) -> Self {
        self.waits_for_network = true;
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

    /// Sets after how long an open connection counts as good again: exactly that, whatever it delivers.
    ///
    /// The count of failures and the waits start again then, and nothing else makes them. Default: after 60 s, or after the
    /// base delay if an event was delivered.
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
        self.reset_after = Some(open_for);
        self
    }

    /// Sets how long after the first failure in a row to give up. Default: `Duration::MAX`, never.
    ///
    /// It gives up as soon as the next wait would end later than that, with the failure at hand.
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
        self.max_retries == 0
    }

    pub(crate) fn is_persistent(&self) -> bool {
        self.is_persistent
    }

    pub(crate) fn waits_for_network(&self) -> bool {
        self.waits_for_network
    }
}

#[cfg(test)]
#[path = "retry/tests.rs"]
mod tests;
