//! Whatever happens to a connection, its next wait is within the bounds of its policy, and nothing panics.

#[allow(dead_code, unreachable_pub, reason = "the crate's own source, of which a part is driven")]
#[path = "../../../src/retry.rs"]
mod retry;

use std::time::{Duration, Instant};

use retry::{Backoff, Cause, RetryPolicy};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Reads numbers from the input; zero when it is used up.
struct Numbers<'a>(&'a [u8]);

impl Numbers<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// From nothing to for ever, most of them short.
    fn duration(&mut self) -> Duration {
        let number = u64::from(self.byte());
        match self.byte() {
            255 => Duration::MAX,
            exponent => {
                Duration::from_nanos(number.saturating_mul(1_u64.checked_shl(exponent.into()).unwrap_or(u64::MAX)))
            }
        }
    }

    fn ratio(&mut self) -> f64 {
        f64::from(self.byte()) / 256.0
    }
}

/// A policy, then what happens to a connection under it.
pub fn run(input: &[u8]) {
    let mut numbers = Numbers(input);
    let (base, max, least, most) = (numbers.duration(), numbers.duration(), numbers.duration(), numbers.duration());
    let retries = match numbers.byte() {
        255 => u32::MAX,
        retries => retries.into(),
    };
    let jitter = match numbers.byte() {
        255 => f64::INFINITY,
        254 => f64::NAN,
        253 => -1.0,
        other => f64::from(other) / 64.0,
    };
    let retries = if numbers.byte() == 1 { 0 } else { retries };
    let is_never = retries == 0;
    let policy = RetryPolicy::exponential(base, max)
        .max_retries(retries)
        .jitter(jitter)
        .server_delay(least..=most)
        .reset_after(numbers.duration())
        .max_elapsed(numbers.duration());
    let jitter = if jitter > 0.0 { jitter } else { 0.0 };
    let mut bounds = Bounds { base, max, jitter };
    let mut backoff = Backoff::new(policy);
    let mut now = Instant::now();
    let mut alone_until: Option<Instant> = None;
    while !numbers.0.is_empty() {
        let step = numbers.byte();
        match step % 7 {
            0 => backoff.opened(now),
            1 => backoff.delivered(),
            2 => {
                let wait = backoff.reconnect(now);
                assert!(wait <= bounds.base.max(DAY), "{wait:?} until an attempt that was asked for");
                now = now.checked_add(wait).unwrap_or(now);
                backoff.begins(now);
                assert!(backoff.reconnect(now) >= bounds.base, "twice at once");
            }
            3 => {
                let asked = numbers.duration();
                backoff.server_asks(asked);
                bounds.base = asked.min(most).max(least);
            }
            4 => now = now.checked_add(numbers.duration()).unwrap_or(now),
            5 => {
                let retry_after = (step > 127).then(|| numbers.duration());
                let causes = [Cause::Ordinary, Cause::Silence, Cause::Lasting, Cause::Offline];
                let delay = backoff.failed(now, causes[usize::from(step / 7 % 4)], retry_after, numbers.ratio());
                assert!(!(is_never && delay.is_some()), "never() tries again");
                bounds.check(delay, retry_after, alone_until.map(|until| until.saturating_duration_since(now)));
                if let Some(asked) = retry_after {
                    alone_until = now.checked_add(asked.min(DAY));
                }
            }
            _ => bounds.check(Some(backoff.ended(now, numbers.ratio())), None, None),
        }
    }
}

struct Bounds {
    base: Duration,
    max: Duration,
    jitter: f64,
}

impl Bounds {
    fn check(&self, delay: Option<Duration>, retry_after: Option<Duration>, left_alone: Option<Duration>) {
        let Some(delay) = delay else { return };
        let asked = retry_after.map(|asked| asked.min(DAY));
        let least = self.base.max(asked.unwrap_or_default());
        let spread = self.max.max(self.base).as_secs_f64() * (1.0 + self.jitter);
        let lifted = asked.map_or(0.0, |asked| asked.as_secs_f64() + self.base.as_secs_f64());
        // As exact as the arithmetic in between.
        let most = spread.max(lifted).max(left_alone.unwrap_or_default().as_secs_f64()) * (1.0 + 1e-9) + 1e-9;
        assert!(delay >= least, "{delay:?} is less than {least:?}");
        // Infinite jitter is the user's way to say for ever, of no base too.
        assert!(self.jitter.is_infinite() || delay.as_secs_f64() <= most, "{delay:?} is more than {most} s");
    }
}
