//! When to retry: the policy set by the user, and the computation of delays.

use std::ops::RangeInclusive;
use std::time::Duration;

// Named, because this file is also compiled by itself, from elsewhere.
#[path = "retry/backoff.rs"]
mod backoff;

pub(crate) use backoff::{Backoff, Cause};

/// How a connection reconnects after a failure or the end of a response.
///
/// The delay before retry number n+1 is `min(base × 2ⁿ, max) × (1 + jitter × random)`: by default 1 s, doubling to 30
/// s, plus up to 100 % jitter, so that clients that were disconnected together reconnect at different times. The
/// server's `retry:` field replaces the base (HTML §9.2.6); `Retry-After` is a lower bound. The delay and the failure
/// count are reset once a connection has been open for 60 s, or has delivered an event and lasted for at least the base
/// delay; [`reset_after`](Self::reset_after) replaces this rule.
///
/// | what happens | the default and all other policies | [`forever()`](Self::forever), [`persistent()`](Self::persistent) |
/// |---|---|---|
/// | network, TLS, timeouts, statuses of [`is_transient`](crate::Error::is_transient) | retries after the next delay | the same |
/// | no network on this machine | a failure like others, unless [`wait_for_network`](Self::wait_for_network) is set | retries |
/// | no response head in time ([`Timeout::Response`](crate::Timeout::Response)) | retries, and the delay does not grow | the same |
/// | a response that ends without any event | a failure, [`Error::NoEvent`](crate::Error::NoEvent) | the same |
/// | a response that ends after events | reconnects; the delay grows while streams are short, unless the server sent `retry:` | the same |
/// | any other status, wrong content type, redirect that cannot be followed | ends with the error, like browsers | retries after the maximum delay |
/// | 204, `until`, a stop | ends | ends |
/// | 407 from the proxy, a pin mismatch, an invalid request, a panic | ends with the error | ends with the error |
/// | more retries in a row than [`max_retries`](Self::max_retries) | ends with the error | no limit, unless you set one |
///
/// [`Request::retry_when`](crate::Request::retry_when) overrides these rules. A request other than GET is not repeated
/// after an event unless `retry_when` returns `true`.
///
/// # Example: what an unattended device uses
///
/// ```
/// use http_sse::RetryPolicy;
/// use std::time::Duration;
///
/// let policy = RetryPolicy::exponential(Duration::from_secs(2), Duration::from_secs(300)).max_retries(None);
/// let simpler = RetryPolicy::forever();
/// assert_ne!(policy.persistent(), simpler); // their delays differ
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a policy does nothing until a request has it"]
pub struct RetryPolicy {
    base: Duration,
    max: Duration,
    max_retries: Option<u32>,
    is_persistent: bool,
    waits_for_network: bool,
    jitter: f64,
    /// `None` is the default rule.
    reset_after: Option<Duration>,
    max_elapsed: Option<Duration>,
    server_delay: RangeInclusive<Duration>,
    max_retry_after: Option<Duration>,
}

impl Default for RetryPolicy {
    /// Exponential from 1 s to 30 s, jitter 1.0, at most 5 retries in a row.
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            max: Duration::from_secs(30),
            max_retries: Some(5),
            is_persistent: false,
            waits_for_network: false,
            jitter: 1.0,
            reset_after: None,
            max_elapsed: None,
            server_delay: Duration::from_millis(500)..=Duration::from_secs(300),
            max_retry_after: Some(Duration::from_secs(24 * 60 * 60)),
        }
    }
}

impl RetryPolicy {
    /// Never retries: the first failure, or the end of the response, ends the connection.
    ///
    /// The same as [`max_retries(0)`](Self::max_retries). The default for methods other than GET.
    ///
    /// # Example: one answer, or none
    ///
    /// ```
    /// use http_sse::{Request, RetryPolicy};
    ///
    /// let request = Request::get("https://example.com/report").retry(RetryPolicy::never());
    /// ```
    pub fn never() -> Self {
        Self { max_retries: Some(0), ..Self::default() }
    }

    /// The default policy without a limit on retries, and [`persistent`](Self::persistent): for unattended devices.
    ///
    /// It ends on 204, on the event of [`Request::until`](crate::Request::until), on a stop, a panic, an invalid
    /// request, a 407 from the proxy and a pin mismatch, and if [`Request::retry_when`](crate::Request::retry_when)
    /// returns `false`. A 404 during a server update, or the page of a captive portal, is retried after 30 s to a
    /// minute.
    ///
    /// # Example: a device on a roof
    ///
    /// ```
    /// use http_sse::RetryPolicy;
    ///
    /// assert_eq!(RetryPolicy::forever(), RetryPolicy::default().max_retries(None).persistent());
    /// ```
    pub fn forever() -> Self {
        Self { max_retries: None, is_persistent: true, ..Self::default() }
    }

    /// The same delay every time, without jitter; otherwise the default.
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

    /// A delay of `base`, doubling up to `max`; otherwise the default.
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

    /// Sets after how many retries in a row to give up; 0 is [`never`](Self::never), `None` is no limit. Default: 5.
    ///
    /// Only failures count, not a response that ends after events. An attempt requested by
    /// [`Handle::reconnect`](crate::Handle::reconnect) counts like any other.
    ///
    /// # Example: report a failure early
    ///
    /// ```
    /// use http_sse::RetryPolicy;
    ///
    /// let policy = RetryPolicy::default().max_retries(1); // two attempts, then the error
    /// ```
    pub fn max_retries(mut self, retries: impl Into<Option<u32>>) -> Self {
        self.max_retries = retries.into();
        self
    }

    /// Also retries failures that are not [transient](crate::Error::is_transient) but may be fixed later: any status, a
    /// wrong content type, and a redirect that cannot be followed, after the maximum delay. Default: off.
    ///
    /// [`Request::retry_when`](crate::Request::retry_when) overrides it. Part of [`forever`](Self::forever).
    ///
    /// # Example: every 10 s, whatever the server answers
    ///
    /// ```
    /// use http_sse::RetryPolicy;
    /// use std::time::Duration;
    ///
    /// let policy = RetryPolicy::constant(Duration::from_secs(10)).max_retries(None).persistent();
    /// ```
    pub fn persistent(mut self) -> Self {
        self.is_persistent = true;
        self
    }

    /// Does not count attempts that fail because this machine has no network. Default: off, such an attempt counts.
    ///
    /// That is: no route to the server, no local address, or a failed DNS lookup without a default route. The delay
    /// grows as for any failure, and [`on_error`](crate::Request::on_error) receives each; but
    /// [`max_retries`](Self::max_retries) and [`max_elapsed`](Self::max_elapsed) restart with the first attempt that
    /// fails for another reason. If you learn sooner that the network is up, call
    /// [`Handle::reconnect`](crate::Handle::reconnect).
    ///
    /// # Example: five attempts at the server, however slow the modem is
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

    /// Sets the ratio of each delay that is added at random: 1.0 is up to twice the delay. Default: 1.0.
    ///
    /// Negative numbers, NaN and infinity count as 0.
    ///
    /// # Example: predictable delays
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

    /// Sets after how long an open connection resets the failure count: exactly then, whatever it delivers. Default:
    /// after 60 s, or after the base delay if an event was delivered.
    ///
    /// The failure count and the delay are reset then, and nothing else resets them.
    ///
    /// # Example: a link that is often up for a few minutes
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

    /// Sets how long after the first failure in a row to give up; `None` is never. Default: `None`.
    ///
    /// It gives up, with the current failure, as soon as the next delay would end later than that.
    ///
    /// # Example: give up after a quarter of an hour
    ///
    /// ```
    /// use http_sse::RetryPolicy;
    /// use std::time::Duration;
    ///
    /// let policy = RetryPolicy::forever().max_elapsed(Duration::from_secs(15 * 60));
    /// ```
    pub fn max_elapsed(mut self, elapsed: impl Into<Option<Duration>>) -> Self {
        self.max_elapsed = elapsed.into();
        self
    }

    /// Sets the range into which the server's `retry:` (HTML §9.2.6) is clamped. Default: 500 ms ..= 5 min.
    ///
    /// # Example: a server with a short `retry:`
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

    /// Sets the maximum `Retry-After` (RFC 9110 section 10.2.3) to obey; `None` is no maximum. Default: one day.
    ///
    /// Services with daily quotas request hours; [`Stats::retry_in`](crate::Stats::retry_in) shows such a delay. The
    /// attempt comes up to the base delay later than requested.
    ///
    /// # Example: retry within the hour, whatever the server says
    ///
    /// ```
    /// use http_sse::RetryPolicy;
    /// use std::time::Duration;
    ///
    /// let policy = RetryPolicy::forever().max_retry_after(Duration::from_secs(3600));
    /// ```
    pub fn max_retry_after(mut self, wait: impl Into<Option<Duration>>) -> Self {
        self.max_retry_after = wait.into();
        self
    }

    pub(crate) fn is_never(&self) -> bool {
        self.max_retries == Some(0)
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
