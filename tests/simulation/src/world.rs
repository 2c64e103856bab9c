//! The network around the client: connections that fail or bring what a script says.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http_sse::simulation::{Input, World};

use crate::chance::Chance;
use crate::script::{Answer, Piece, Stream};

/// What is shared between the network and who judges it.
pub struct Net {
    pub chance: Chance,
    pub stream: Stream,
    pub started: Instant,
    pub connections: Vec<Line>,
    pub log: Vec<String>,
    /// When the last connection, or the attempt at one, was over; and what it leaves to be obeyed.
    pub over: Option<(Instant, Option<Duration>)>,
    pub is_redirected: bool,
    /// When attempts began; a redirect is a part of one.
    pub connects: Vec<Instant>,
    pub attempts: u64,
    pub has_said_204: bool,
    /// How many streams the client has opened in this run.
    pub opened: Arc<AtomicU64>,
    /// How far the server has forgotten: it repeats nothing up to here.
    pub forgotten: u64,
    /// What the last request asked to go on after.
    pub asked_after: String,
    /// The reconnection times that the client may have been told, in milliseconds.
    pub shortest_retry: Option<Duration>,
    pub faults: Vec<String>,
    pub actions: Vec<(Instant, Box<dyn FnOnce()>)>,
    /// A call of `reconnect()` since the last connect.
    pub was_asked: bool,
}

#[derive(Default)]
pub struct Line {
    request: Vec<u8>,
    answer: Option<Answer>,
    /// The client has seen the head of the answer.
    is_seen: bool,
    pub is_closed: bool,
}

impl Net {
    pub fn say(&mut self, now: Instant, what: &str) {
        let time = now.saturating_duration_since(self.started);
        self.log.push(format!("{:>12.3} s  {what}", time.as_secs_f64()));
    }

    /// A server keeps what it may repeat for a while; what comes before the first stream of a run is no gap.
    fn forget(&mut self, after: u64, now: Instant) -> u64 {
        if self.opened.load(Ordering::Relaxed) > 0 && after < self.stream.events && self.chance.percent(10) {
            let last = self.stream.events - 1;
            self.forgotten = self.forgotten.max(last.min(after + 1 + self.chance.below(4) as u64));
            self.say(now, &format!("all up to {} is forgotten", self.forgotten));
        }
        after.max(self.forgotten)
    }

    fn answer(&mut self, number: usize, now: Instant) {
        let text = String::from_utf8_lossy(&self.connections[number].request).into_owned();
        let id = text.lines().find_map(|line| line.strip_prefix("last-event-id: "));
        let after = id.map_or(0, |id| id.trim().parse().unwrap_or(u64::MAX));
        self.asked_after = id.unwrap_or_default().trim().to_owned();
        if after == u64::MAX {
            self.faults.push(format!("a last event id that was never sent: {id:?}"));
        }
        let after = self.forget(after, now);
        let answer = Answer::new(self.stream, after, &mut self.chance, now);
        self.say(now, &format!("request {number} after {after}: {}", answer.told));
        self.has_said_204 |= answer.is_over;
        if let Some(retry) = answer.retry {
            let retry = retry.clamp(Duration::from_millis(500), Duration::from_secs(300));
            self.shortest_retry = Some(self.shortest_retry.map_or(retry, |shortest| shortest.min(retry)));
        }
        self.connections[number].answer = Some(answer);
    }
}

/// The client's side of it.
pub struct Shared(pub Rc<RefCell<Net>>);

impl World for Shared {
    fn connect(&mut self, _: &str, now: Instant) -> io::Result<u64> {
        let mut net = self.0.borrow_mut();
        net.attempts += u64::from(!net.is_redirected);
        crate::journey::judge_wait(&mut net, now);
        if net.chance.percent(5) {
            net.say(now, "connect: refused");
            net.over = Some((now, None));
            return Err(ErrorKind::ConnectionRefused.into());
        }
        net.connections.push(Line::default());
        Ok(net.connections.len() as u64 - 1)
    }

    fn write(&mut self, connection: u64, bytes: &[u8], now: Instant) -> io::Result<()> {
        let mut net = self.0.borrow_mut();
        let line = &mut net.connections[connection as usize];
        line.request.extend_from_slice(bytes);
        if line.answer.is_none() && line.request.ends_with(b"\r\n\r\n") {
            net.answer(connection as usize, now);
        }
        Ok(())
    }

    fn read(&mut self, connection: u64, buffer: &mut [u8], now: Instant) -> Input {
        let mut net = self.0.borrow_mut();
        let Some(answer) = &mut net.connections[connection as usize].answer else { return Input::Later(None) };
        let Some((at, piece)) = answer.pieces.front_mut() else { return Input::Later(None) };
        if *at > now {
            return Input::Later(Some(*at));
        }
        match piece {
            Piece::Fin => Input::End,
            Piece::Broken(kind) => Input::Broken(*kind),
            Piece::Bytes(bytes) => {
                let amount = bytes.len().min(buffer.len());
                buffer[..amount].copy_from_slice(&bytes[..amount]);
                bytes.drain(..amount);
                if bytes.is_empty() {
                    answer.pieces.pop_front();
                    net.connections[connection as usize].is_seen = true;
                }
                Input::Bytes(amount)
            }
        }
    }

    fn close(&mut self, connection: u64, now: Instant) {
        let mut net = self.0.borrow_mut();
        let line = &mut net.connections[connection as usize];
        line.is_closed = true;
        let answer = line.answer.as_ref().filter(|_| line.is_seen);
        let retry_after = answer.and_then(|answer| answer.retry_after);
        net.is_redirected = answer.is_some_and(|answer| answer.is_redirect);
        net.over = Some((now, retry_after));
        net.say(now, &format!("connection {connection} closed"));
    }

    fn next_action(&self) -> Option<Instant> {
        self.0.borrow().actions.iter().map(|(at, _)| *at).min()
    }

    fn take_action(&mut self, now: Instant) -> Option<Box<dyn FnOnce()>> {
        let mut net = self.0.borrow_mut();
        let due = net.actions.iter().position(|(at, _)| *at <= now)?;
        Some(net.actions.swap_remove(due).1)
    }

    fn random(&mut self) -> f64 {
        self.0.borrow_mut().chance.unit()
    }
}
