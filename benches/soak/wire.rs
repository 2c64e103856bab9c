//! What the streams are made of, and how a client asks for them.

use std::net::SocketAddr;
use std::time::Duration;

use http_sse::{Checkpoint, Cursor, Event, Request, RetryPolicy};

/// The server falls silent for longer.
pub(crate) const IDLE: Duration = Duration::from_secs(3);

/// How a stream is asked for, and resumed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    resume: Resume,
    is_compressed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resume {
    /// The events have ids.
    Id,
    /// They have none, and the number goes into the query, or a header.
    Query,
    Header,
}

impl Manner {
    /// Each stream has its own: three of four are not the plainest.
    pub(crate) fn of(stream: usize) -> Self {
        let resume = [Resume::Id, Resume::Query, Resume::Id, Resume::Header][stream / 2 % 4];
        Self { resume, is_compressed: stream / 4 % 2 == 1 || stream % 4 == 2 }
    }

    /// Returns the request, which goes on after a position if there is one.
    pub(crate) fn request(self, addr: SocketAddr, stream: usize, checkpoint: Option<&Checkpoint>) -> Request {
        let policy = RetryPolicy::exponential(Duration::from_millis(100), Duration::from_secs(1)).max_retries(None);
        let folder = if self.resume == Resume::Id { "ids" } else { "numbers" };
        let mut request = Request::get(format!("http://{addr}/{folder}/{stream}"));
        request = request.retry(policy).idle_timeout(IDLE).mark_gaps();
        if self.is_compressed {
            request = request.accept_gzip();
        }
        let start = checkpoint.map(Checkpoint::last_event_id).unwrap_or_default();
        let extract = |event: &Event| Some(number(event).to_string());
        match self.resume {
            Resume::Id => request.last_event_id(start),
            Resume::Query => request.cursor(Cursor::query("after", extract).start_at(start)),
            Resume::Header => request.cursor(Cursor::header("X-After", "event {}", extract).start_at(start)),
        }
    }
}

pub(crate) fn event(stream: usize, number: u64) -> Event {
    Event::new("reading", format!("{stream} {number} {:?}", "some more text ".repeat(6)))
}

/// Returns the number of an event; 0 if it has none.
pub(crate) fn number(event: &Event) -> u64 {
    event.data().split(' ').nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}
