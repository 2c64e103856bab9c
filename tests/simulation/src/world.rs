//! What is around the client: a network that brings what a script says, two clocks, and a disk.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use http_sse::simulation::{self, Input, World};

use crate::chance::Chance;
use crate::disk::Disk;
use crate::policy::{Account, Closed};
use crate::script::{Answer, Asked, Piece, RetryAfter};
use crate::stream::Stream;
use crate::verdict::{Over, judge_attempt, judge_request};

/// When a seed begins, by the clock of the server.
const START: Duration = Duration::from_secs(1_800_000_000);

/// What is shared between the network and who judges it.
pub struct Net {
    pub chance: Chance,
    pub stream: Stream,
    pub started: Instant,
    pub connections: Vec<Line>,
    /// The journey is printed as it happens, so that it is there whatever the client does next.
    pub is_told: bool,
    pub account: Arc<Mutex<Account>>,
    /// The last connection, or attempt at one, of this run.
    pub over: Option<Over>,
    pub is_redirected: bool,
    /// When attempts began; a redirect is a part of one.
    pub connects: Vec<Instant>,
    pub attempts: u64,
    pub has_said_204: bool,
    /// How far the server has forgotten: it repeats nothing up to here.
    pub forgotten: u64,
    /// What the last request asked to go on after.
    pub asked_after: String,
    /// What the next request must ask to go on after: at the least, and at the most.
    pub expected_after: Option<(u64, u64)>,
    pub faults: Vec<String>,
    pub actions: Vec<(Instant, Box<dyn FnOnce()>)>,
    /// A call of `reconnect()` since the last connect.
    pub was_asked: bool,
    /// Until when the program did something else, or stood still.
    pub away_until: Instant,
    /// How far the client's clock on the wall is ahead of the server's, in seconds.
    pub ahead: i64,
}

#[derive(Default)]
pub struct Line {
    request: Vec<u8>,
    pub answer: Option<Answer>,
    /// The client has seen the head of the answer.
    is_seen: bool,
    pub is_closed: bool,
    /// When the last bytes were read.
    read_at: Option<Instant>,
}

impl Net {
    pub fn say(&self, what: fmt::Arguments<'_>) {
        if self.is_told {
            let time = simulation::now().saturating_duration_since(self.started);
            println!("{:>12.3} s  {what}", time.as_secs_f64());
        }
    }

    pub fn account(&self) -> MutexGuard<'_, Account> {
        lock(&self.account)
    }

    fn server_time(&self, now: Instant) -> SystemTime {
        SystemTime::UNIX_EPOCH + START + (now - self.started)
    }

    fn client_time(&self, now: Instant) -> SystemTime {
        let ahead = Duration::from_secs(self.ahead.unsigned_abs());
        if self.ahead < 0 { self.server_time(now) - ahead } else { self.server_time(now) + ahead }
    }

    /// A server keeps what it may repeat for a while; what comes before the first stream of a run is no gap.
    fn forget(&mut self, after: u64) -> u64 {
        let has_opened = self.account().opens > 0;
        if has_opened && after < self.stream.events() && self.chance.percent(10) {
            let last = self.stream.events() - 1;
            self.forgotten = self.forgotten.max(last.min(after + 1 + self.chance.below(4) as u64));
            let forgotten = self.forgotten;
            self.say(format_args!("all up to {forgotten} is forgotten"));
        }
        after.max(self.forgotten)
    }

    fn answer(&mut self, number: usize, now: Instant) {
        let text = String::from_utf8_lossy(&self.connections[number].request).into_owned();
        let header = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let id = header("last-event-id:");
        let after = id.map_or(0, |id| id.parse().unwrap_or(u64::MAX));
        let accepts_gzip = header("accept-encoding:").is_some_and(|coding| coding.contains("gzip"));
        self.asked_after = id.unwrap_or_default().to_owned();
        if after > self.stream.events() {
            self.faults.push(format!("a last event id that was never sent: {id:?}"));
        }
        judge_request(self, after);
        let id = after;
        let after = self.forget(after);
        let asked = Asked { stream: &self.stream, id, after, accepts_gzip, now, date: self.server_time(now) };
        let answer = Answer::new(&asked, &mut self.chance);
        self.say(format_args!("request {number} after {after}: {}", answer.told));
        self.has_said_204 |= answer.is_over;
        self.connections[number].answer = Some(answer);
    }

    fn closed(&mut self, number: usize, now: Instant) {
        self.connections[number].is_closed = true;
        let line = &self.connections[number];
        let is_seen = line.is_seen;
        let Some(answer) = &line.answer else { return };
        let has_more = answer.pieces.front().is_some_and(|(at, _)| *at <= now);
        let is_finished = !answer.pieces.iter().any(|(_, piece)| matches!(piece, Piece::Bytes(_)));
        let closed = Closed { has_more, silence: line.read_at.map_or(Duration::ZERO, |read| now - read) };
        let retry_after = answer.retry_after.filter(|_| is_seen).map(|asked| match asked {
            RetryAfter::Wait(wait) => wait,
            RetryAfter::Date(until) => until.duration_since(self.client_time(now)).unwrap_or_default(),
        });
        self.is_redirected = is_seen && answer.is_redirect;
        let (ending, reached) = (answer.ending, answer.reached);
        self.over = Some(Over { at: now, retry_after, ending, reached, is_finished });
        self.account().close(now, closed);
        self.say(format_args!("connection {number} closed"));
    }
}

/// The client's side of it.
pub struct Shared {
    pub net: Rc<RefCell<Net>>,
    pub disk: Rc<RefCell<Disk>>,
}

impl World for Shared {
    fn connect(&mut self, _: &str, now: Instant) -> io::Result<u64> {
        let mut net = self.net.borrow_mut();
        net.attempts += u64::from(!net.is_redirected);
        judge_attempt(&mut net, now);
        if net.chance.percent(6) {
            let kind = [ErrorKind::ConnectionRefused, ErrorKind::NetworkUnreachable][net.chance.below(2)];
            net.say(format_args!("connect: {kind}"));
            net.over = Some(Over::without_answer(now));
            return Err(kind.into());
        }
        net.connections.push(Line::default());
        Ok(net.connections.len() as u64 - 1)
    }

    fn write(&mut self, connection: u64, bytes: &[u8], now: Instant) -> io::Result<()> {
        let mut net = self.net.borrow_mut();
        let line = &mut net.connections[connection as usize];
        line.request.extend_from_slice(bytes);
        if line.answer.is_none() && line.request.ends_with(b"\r\n\r\n") {
            net.answer(connection as usize, now);
        }
        Ok(())
    }

    fn read(&mut self, connection: u64, buffer: &mut [u8], now: Instant) -> Input {
        let mut net = self.net.borrow_mut();
        // Nobody looks at what a call of `reconnect()` has cut.
        let is_looked_at = !net.was_asked;
        let line = &mut net.connections[connection as usize];
        let Some(answer) = &mut line.answer else { return Input::Later(None) };
        let Some((at, piece)) = answer.pieces.front_mut() else { return Input::Later(None) };
        if *at > now {
            return Input::Later(Some(*at));
        }
        match piece {
            Piece::Fin => Input::End,
            Piece::Broken(kind) => Input::Broken(*kind),
            Piece::Bytes(left) => {
                let amount = buffer.len().min(*left);
                buffer[..amount].copy_from_slice(&answer.bytes[answer.sent..answer.sent + amount]);
                answer.sent += amount;
                *left -= amount;
                if *left == 0 {
                    answer.pieces.pop_front();
                    line.is_seen = is_looked_at;
                }
                line.read_at = Some(now);
                Input::Bytes(amount)
            }
        }
    }

    fn close(&mut self, connection: u64, now: Instant) {
        self.net.borrow_mut().closed(connection as usize, now);
    }

    fn next_action(&self) -> Option<Instant> {
        self.net.borrow().actions.iter().map(|(at, _)| *at).min()
    }

    fn take_action(&mut self, now: Instant) -> Option<Box<dyn FnOnce()>> {
        let mut net = self.net.borrow_mut();
        let due = net.actions.iter().position(|(at, _)| *at <= now)?;
        Some(net.actions.swap_remove(due).1)
    }

    fn wall_time(&self, now: Instant) -> SystemTime {
        self.net.borrow().client_time(now)
    }

    fn disk(&self) -> Rc<RefCell<dyn simulation::disk::Disk>> {
        Rc::clone(&self.disk) as Rc<RefCell<dyn simulation::disk::Disk>>
    }

    fn random(&mut self) -> f64 {
        let mut net = self.net.borrow_mut();
        let random = net.chance.unit();
        net.account().random = random;
        random
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A date as HTTP has them.
pub fn date(time: SystemTime) -> String {
    httpdate::fmt_http_date(time)
}
