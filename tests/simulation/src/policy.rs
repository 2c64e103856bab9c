//! When a client must try again, and when it must give up: worked out from the documentation of `RetryPolicy`, beside the
//! client's own arithmetic.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use http_sse::{Error, Handle, RetryPolicy, Timeout};

use crate::chance::Chance;

const SERVER_DELAY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(300));
const RESET_AFTER: Duration = Duration::from_secs(60);
pub const IDLE: Duration = Duration::from_secs(20);

/// The numbers of a policy.
#[derive(Clone, Debug)]
pub struct Numbers {
    pub base: Duration,
    max: Duration,
    jitter: f64,
    max_retries: u32,
    max_elapsed: Duration,
    reset_after: Option<Duration>,
    pub max_retry_after: Duration,
    is_persistent: bool,
    waits_for_network: bool,
}

/// What has happened to a client in one run, as far as its policy is concerned.
pub struct Account {
    numbers: Numbers,
    pub handle: Option<Handle>,
    /// What the client drew last.
    pub random: f64,
    /// How many streams it has opened.
    pub opens: u64,
    pub faults: Vec<String>,
    /// Failures in a row that count, and the first of them.
    counted: u32,
    first: Option<Instant>,
    growth: u32,
    opened: Option<Instant>,
    has_delivered: bool,
    /// The last attempt came to a stream.
    was_stream: bool,
    not_before: Option<Instant>,
    /// Of the base delays that were in force.
    shortest: Duration,
    stage: Stage,
    /// What the last connection that was closed had left to read, and since when it was silent.
    closed: Closed,
}

#[derive(Clone, Debug)]
enum Stage {
    /// On the way to a stream.
    Trying,
    Open,
    /// A stream is over: it was good, or not.
    Ended {
        at: Instant,
        is_good: bool,
    },
    Failed {
        error: Error,
        next: Next,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Next {
    At(Instant),
    GiveUp,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Closed {
    pub has_more: bool,
    pub silence: Duration,
}

impl Numbers {
    pub fn draw(chance: &mut Chance) -> Self {
        let mut numbers = Self {
            base: Duration::from_secs(1),
            max: Duration::from_secs(30),
            jitter: 1.0,
            max_retries: u32::MAX,
            max_elapsed: Duration::MAX,
            reset_after: None,
            max_retry_after: Duration::from_secs(3600),
            is_persistent: true,
            waits_for_network: false,
        };
        if chance.percent(50) {
            return numbers;
        }
        numbers.is_persistent = chance.percent(50);
        numbers.waits_for_network = chance.percent(50);
        numbers.jitter = [0.0, 0.5, 1.0][chance.below(3)];
        numbers.max_retries = [0, 1, 2, 5, u32::MAX][chance.below(5)];
        if chance.percent(50) {
            numbers.base = chance.millis(5000);
            numbers.max = numbers.base + chance.millis(60_000);
        }
        if chance.percent(30) {
            numbers.max_elapsed = chance.millis(200_000);
        }
        if chance.percent(30) {
            numbers.reset_after = Some(chance.millis(30_000));
        }
        if chance.percent(30) {
            numbers.max_retry_after = chance.millis(60_000);
        }
        numbers
    }

    pub fn policy(&self) -> RetryPolicy {
        let mut policy = if self.max_retries == 0 {
            RetryPolicy::never()
        } else {
            RetryPolicy::exponential(self.base, self.max).jitter(self.jitter)
        };
        policy = policy.max_retries(self.max_retries).max_elapsed(self.max_elapsed);
        policy = policy.max_retry_after(self.max_retry_after);
        if let Some(reset_after) = self.reset_after {
            policy = policy.reset_after(reset_after);
        }
        if self.is_persistent {
            policy = policy.persistent();
        }
        if self.waits_for_network { policy.wait_for_network() } else { policy }
    }

    pub fn is_never(&self) -> bool {
        self.max_retries == 0
    }
}

impl Account {
    pub fn new(numbers: Numbers) -> Self {
        Self {
            shortest: numbers.base,
            numbers,
            handle: None,
            random: 0.0,
            opens: 0,
            faults: Vec::new(),
            counted: 0,
            first: None,
            growth: 0,
            opened: None,
            has_delivered: false,
            was_stream: false,
            not_before: None,
            stage: Stage::Trying,
            closed: Closed::default(),
        }
    }

    pub fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    pub fn open(&mut self, now: Instant) {
        self.opens += 1;
        (self.opened, self.has_delivered, self.not_before) = (Some(now), false, None);
        self.stage = Stage::Open;
    }

    pub fn deliver(&mut self) {
        self.has_delivered = true;
    }

    pub fn close(&mut self, now: Instant, closed: Closed) {
        self.closed = closed;
        let Some(opened) = self.opened.take() else { return };
        self.was_stream = true;
        let lived = now - opened;
        let is_good = match self.numbers.reset_after {
            Some(enough) => lived >= enough,
            None => lived >= RESET_AFTER || (self.has_delivered && lived >= self.base()),
        };
        if is_good {
            (self.counted, self.first, self.growth) = (0, None, 0);
        }
        self.stage = Stage::Ended { at: now, is_good };
    }

    /// What `on_error` was called with.
    pub fn fail(&mut self, now: Instant, error: &Error) {
        // An event was skipped, the stream goes on.
        if matches!(self.stage, Stage::Open) {
            return;
        }
        if matches!(error, Error::Timeout(Timeout::Idle)) && (self.closed.has_more || self.closed.silence < IDLE) {
            self.faults.push(format!("an idle timeout after {:?}", self.closed));
        }
        let next = self.rule(now, error);
        self.stage = Stage::Failed { error: error.clone(), next };
    }

    fn rule(&mut self, now: Instant, error: &Error) -> Next {
        let numbers = self.numbers.clone();
        let is_lasting = matches!(error, Error::Status(_) | Error::ContentType(_) | Error::Redirect(_));
        let is_worth_it = error.is_transient() || (is_lasting && numbers.is_persistent);
        if numbers.is_never() || !is_worth_it {
            return Next::GiveUp;
        }
        let is_offline = matches!(error, Error::Io(error) if error.kind() == ErrorKind::NetworkUnreachable);
        if is_offline && numbers.waits_for_network {
            (self.counted, self.first) = (0, None);
        } else {
            self.counted += 1;
            if numbers.max_retries != u32::MAX && self.counted > numbers.max_retries {
                return Next::GiveUp;
            }
            self.first.get_or_insert(now);
        }
        let wait = if error.is_transient() { self.grown() } else { numbers.max.max(self.base()) };
        let mut wait = wait.mul_f64(1.0 + numbers.jitter * self.random);
        if let Some(asked) = error.retry_after() {
            let asked = asked.min(numbers.max_retry_after);
            self.not_before = Some(now + asked);
            wait = wait.max(asked + self.base().mul_f64(self.random));
        }
        let next = (now + wait).max(self.not_before.unwrap_or(now));
        if self.first.is_some_and(|first| next - first > numbers.max_elapsed) {
            return Next::GiveUp;
        }
        if !matches!(error, Error::Timeout(Timeout::Response)) {
            self.growth += 1;
        }
        Next::At(next)
    }

    /// `reconnect()` is called.
    pub fn ask(&mut self) {
        if let Stage::Ended { is_good, .. } = self.stage {
            self.grow_after_end(is_good);
        }
        if !matches!(self.stage, Stage::Open) {
            self.stage = Stage::Trying;
        }
    }

    /// An attempt begins, asked for by `reconnect()` or not; the caller was last away, or stood still, until an instant.
    pub fn attempt(&mut self, now: Instant, was_asked: bool, away_until: Instant) {
        self.was_stream = false;
        self.shortest = self.shortest.min(self.base());
        let next = match std::mem::replace(&mut self.stage, Stage::Trying) {
            _ if was_asked => return,
            Stage::Trying | Stage::Open => return,
            Stage::Ended { at, is_good } => {
                let wait = if is_good || self.servers().is_some() { self.base() } else { self.grown() };
                self.grow_after_end(is_good);
                Next::At(at + wait.mul_f64(1.0 + self.numbers.jitter * self.random))
            }
            Stage::Failed { next, .. } => next,
        };
        let tolerance = Duration::from_millis(1);
        match next {
            Next::GiveUp => self.faults.push("an attempt where it must give up".into()),
            Next::At(at) if now + tolerance < at || now > at.max(away_until) + tolerance => {
                let (early, late) = (at.saturating_duration_since(now), now.saturating_duration_since(at));
                self.faults.push(format!("an attempt {early:?} too early, or {late:?} too late"));
            }
            Next::At(_) => {}
        }
    }

    fn grow_after_end(&mut self, is_good: bool) {
        self.growth += u32::from(!is_good && self.servers().is_none());
    }

    pub fn was_stream(&self) -> bool {
        self.was_stream
    }

    /// Returns the failure since the last stream, if there was one.
    pub fn failure(&self) -> Option<&Error> {
        match &self.stage {
            Stage::Failed { error, .. } => Some(error),
            _ => None,
        }
    }

    pub fn must_give_up(&self) -> bool {
        matches!(self.stage, Stage::Failed { next: Next::GiveUp, .. })
    }

    /// Returns `true` if the last stream has ended, and that was no failure.
    pub fn has_ended(&self) -> bool {
        matches!(self.stage, Stage::Ended { .. })
    }

    pub fn servers(&self) -> Option<Duration> {
        self.handle.as_ref().and_then(|handle| handle.stats().reconnection_time)
    }

    pub fn base(&self) -> Duration {
        self.servers().map_or(self.numbers.base, |asked| asked.clamp(SERVER_DELAY.0, SERVER_DELAY.1))
    }

    pub fn shortest_base(&self) -> Duration {
        self.shortest.min(self.base())
    }

    fn grown(&self) -> Duration {
        let max = self.numbers.max.max(self.base());
        self.base().saturating_mul(1 << self.growth.min(31)).min(max)
    }
}
