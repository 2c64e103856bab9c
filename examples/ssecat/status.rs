//! The text of the status line: no terminal here.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use http_sse::State;

/// The contents of the status line.
pub(crate) struct Status<'a> {
    pub(crate) state: State,
    pub(crate) attempts: u64,
    pub(crate) events: u64,
    /// Events per second.
    pub(crate) rate: f64,
    pub(crate) last_id: Option<&'a str>,
    /// The last failure, while the stream is not open again.
    pub(crate) failure: Option<&'a str>,
    pub(crate) retry_in: Option<Duration>,
}

/// Events per second, over the last few seconds.
#[derive(Default)]
pub(crate) struct Rate {
    samples: VecDeque<(Instant, u64)>,
}

impl Rate {
    const WINDOW: Duration = Duration::from_secs(5);

    /// Takes the number of events so far, and returns the rate.
    pub(crate) fn sample(&mut self, now: Instant, events: u64) -> f64 {
        self.samples.push_back((now, events));
        while self.samples.len() > 2 && now.saturating_duration_since(self.samples[1].0) >= Self::WINDOW {
            self.samples.pop_front();
        }
        let (since, before) = self.samples[0];
        let seconds = now.saturating_duration_since(since).as_secs_f64();
        if seconds > 0.0 { events.saturating_sub(before) as f64 / seconds } else { 0.0 }
    }
}

impl fmt::Display for Status<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.state {
            State::Connecting if self.attempts > 1 => write!(f, "connecting, attempt {}", self.attempts)?,
            State::Connecting => f.write_str("connecting")?,
            State::Open => f.write_str("open")?,
            State::Waiting => f.write_str("waiting")?,
            _ => f.write_str("closed")?,
        }
        let plural = if self.events == 1 { "" } else { "s" };
        write!(f, " · {} event{plural} · {:.1}/s", self.events, self.rate)?;
        if let Some(id) = self.last_id {
            write!(f, " · last id {}", harmless(id))?;
        }
        if let Some(failure) = self.failure {
            write!(f, " · {}", harmless(failure))?;
        }
        match self.retry_in {
            Some(left) => write!(f, " · retrying in {} s", left.as_secs() + u64::from(left.subsec_nanos() > 0)),
            None => Ok(()),
        }
    }
}

/// The text of a server must not move the cursor.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Status<'_> = Status {
        state: State::Open,
        attempts: 1,
        events: 12,
        rate: 0.25,
        last_id: Some("7"),
        failure: None,
        retry_in: None,
    };

    #[test]
    fn an_open_stream_shows_its_events_rate_and_last_id() {
        assert_eq!(OPEN.to_string(), "open · 12 events · 0.2/s · last id 7");
        let first = Status { events: 1, last_id: None, rate: 1234.0, ..OPEN };
        assert_eq!(first.to_string(), "open · 1 event · 1234.0/s");
    }

    #[test]
    fn a_wait_shows_the_failure_and_the_seconds_left_rounded_up() {
        let waiting = |left| Status {
            state: State::Waiting,
            failure: Some("the server answered 503"),
            retry_in: Some(Duration::from_millis(left)),
            ..OPEN
        };
        let text = "waiting · 12 events · 0.2/s · last id 7 · the server answered 503 · retrying in 3 s";
        assert_eq!(waiting(2001).to_string(), text);
        assert_eq!(waiting(3000).to_string(), text);
    }

    #[test]
    fn only_repeated_attempts_are_numbered() {
        let connecting = |attempts| Status { state: State::Connecting, attempts, events: 0, last_id: None, ..OPEN };
        assert_eq!(connecting(1).to_string(), "connecting · 0 events · 0.2/s");
        assert_eq!(connecting(3).to_string(), "connecting, attempt 3 · 0 events · 0.2/s");
    }

    #[test]
    fn an_id_cannot_move_the_cursor() {
        let text = Status { last_id: Some("\u{1b}[2J\u{9b}"), ..OPEN }.to_string();
        assert_eq!(text, "open · 12 events · 0.2/s · last id \u{fffd}[2J\u{fffd}");
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let mut rate = Rate::default();
        let start = Instant::now();
        assert_eq!(rate.sample(start, 0), 0.0);
        assert_eq!(rate.sample(start + Duration::from_secs(1), 10), 10.0);
        for second in 2..10 {
            rate.sample(start + Duration::from_secs(second), 10);
        }
        assert_eq!(rate.sample(start + Duration::from_secs(10), 10), 0.0);
    }
}
