//! What must hold when an attempt begins, and when a run is over.

use std::time::{Duration, Instant};

use http_sse::{End, Error};

use crate::script::Ending;
use crate::world::Net;

/// How a connection was over.
#[derive(Clone, Copy, Debug)]
pub struct Over {
    pub at: Instant,
    /// What the server asked for.
    pub retry_after: Option<Duration>,
    pub ending: Ending,
    /// Events that were complete in what was sent: at the least, and at the most.
    pub reached: (u64, u64),
    /// All of it was read.
    pub is_finished: bool,
}

impl Over {
    pub fn without_answer(at: Instant) -> Self {
        Self { at, retry_after: None, ending: Ending::Refusal, reached: (0, 0), is_finished: true }
    }
}

/// Judges the time between the last end and this connect, and what the client made of that end.
pub fn judge_attempt(net: &mut Net, now: Instant) {
    if std::mem::take(&mut net.is_redirected) {
        return;
    }
    let was_asked = std::mem::take(&mut net.was_asked);
    net.connects.push(now);
    if net.connections.iter().any(|line| !line.is_closed) {
        net.faults.push("two connections at once".into());
    }
    net.expected_after = None;
    if let Some(over) = net.over {
        if !was_asked {
            judge_ending(net, over);
        }
        judge_wait(net, over, now, was_asked);
    }
    let away_until = net.away_until;
    net.account().attempt(now, was_asked, away_until);
}

fn judge_wait(net: &mut Net, over: Over, now: Instant, was_asked: bool) {
    let waited = now.saturating_duration_since(over.at);
    let (base, shortest, most) = {
        let account = net.account();
        (account.base(), account.shortest_base(), account.numbers().max_retry_after)
    };
    if !was_asked && waited < base {
        net.faults.push(format!("the next connect after {waited:?}, below {base:?}"));
    }
    let retry_after = over.retry_after.map(|asked| asked.min(most));
    if retry_after.is_some_and(|asked| waited < asked) {
        net.faults.push(format!("the next connect after {waited:?}, in spite of Retry-After {retry_after:?}"));
    }
    if let [.., before, _, last] = net.connects[..] {
        if last - before < shortest {
            net.faults.push(format!("three connects within {:?}", last - before));
        }
    }
}

/// A stream that was whole has ended cleanly, one that was not has failed; and all of it was read first.
fn judge_ending(net: &mut Net, over: Over) {
    let failure = {
        let account = net.account();
        if !account.was_stream() {
            return;
        }
        account.failure().cloned()
    };
    let is_failure = failure.as_ref().is_some_and(|error| !matches!(error, Error::NoEvent(_)));
    match over.ending {
        Ending::Clean if is_failure => net.faults.push(format!("a clean end became {failure:?}")),
        Ending::Failure if !is_failure => net.faults.push(format!("a failure became a clean end, {failure:?}")),
        Ending::Clean if !over.is_finished => net.faults.push("a stream was left that goes on".into()),
        _ => {}
    }
    // What is malformed is told behind all that is sound.
    let is_read = over.is_finished || matches!(failure, Some(Error::Protocol(_)));
    net.expected_after = is_read.then_some(over.reached);
}

/// What was complete in a stream is not asked for again.
pub fn judge_request(net: &mut Net, after: u64) {
    if let Some((least, most)) = net.expected_after.filter(|(least, most)| !(*least..=*most).contains(&after)) {
        net.faults.push(format!("a request after {after}, where the stream before came to {least} to {most}"));
    }
}

/// Judges how a run has ended; `last` was delivered last.
pub fn judge_end(net: &mut Net, end: Option<&End>, is_stopped: bool, last: u64) -> Result<(), String> {
    let account = net.account();
    let must_give_up = account.must_give_up();
    if must_give_up && !matches!(end, Some(End::Failed(_) | End::Stopped)) {
        return Err(format!("it must give up, and the end is {end:?}"));
    }
    let told = account.failure().map(ToString::to_string);
    let is_complete = account.has_ended() && account.numbers().is_never();
    drop(account);
    if let (Some(over), Some(End::Failed(_) | End::Complete)) = (net.over, end) {
        judge_ending(net, over);
    }
    match end {
        Some(End::NoContent) if net.has_said_204 => {
            let rest =
                (last.max(net.forgotten) + 1..=net.stream.events()).find(|number| net.stream.is_delivered(*number));
            rest.map_or(Ok(()), |number| Err(format!("it is over, and {number} was never delivered")))
        }
        Some(End::Stopped) if is_stopped => Ok(()),
        Some(End::Failed(error)) if must_give_up && told == Some(error.to_string()) => Ok(()),
        Some(End::Complete) if is_complete => Ok(()),
        end => Err(format!("the end is {end:?}, after {told:?}")),
    }
}
