//! One seed from its start to its end, and what must hold on the way.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use http_sse::{Client, End, Event, EventReader, Request, RetryPolicy, simulation};

use crate::chance::Chance;
use crate::script::Stream;
use crate::world::{Net, Shared};

const BASE: Duration = Duration::from_secs(1);
const MAX: Duration = Duration::from_secs(30);
/// No journey takes longer, in simulated time.
const LIMIT: Duration = Duration::from_secs(24 * 3600);

/// What came of a seed.
pub struct Journey {
    pub fault: Option<String>,
    pub log: Vec<String>,
    pub events: u64,
    pub attempts: u64,
}

/// How far the consumer is.
struct Consumer {
    stream: Stream,
    /// The last event that was delivered in this run, or where it was begun.
    last: u64,
    /// What a crash leaves.
    committed: u64,
    events: u64,
    chance: Chance,
    is_stopped: bool,
}

impl Journey {
    pub fn run(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let stream = Stream { seed: chance.next(), events: 1 + chance.below(60) as u64 };
        let started = Instant::now();
        let net = Rc::new(RefCell::new(Net {
            chance: Chance::new(chance.next()),
            stream,
            started,
            connections: Vec::new(),
            log: Vec::new(),
            over: None,
            is_redirected: false,
            connects: Vec::new(),
            attempts: 0,
            has_said_204: false,
            shortest_retry: None,
            faults: Vec::new(),
            actions: Vec::new(),
            was_asked: false,
        }));
        simulation::enter(Box::new(Shared(Rc::clone(&net))), started);
        let mut consumer = Consumer { stream, last: 0, committed: 0, events: 0, chance, is_stopped: false };
        let told = catch_unwind(AssertUnwindSafe(|| consumer.live(&net)));
        let mut fault = match told {
            Ok(told) => told.err(),
            Err(payload) => Some(format!("a panic: {:?}", payload.downcast_ref::<String>())),
        };
        simulation::leave();
        let mut net = net.borrow_mut();
        if fault.is_none() {
            fault = net.faults.first().cloned();
        }
        if fault.is_none() && net.connections.iter().any(|line| !line.is_closed) {
            fault = Some("a connection is open after its end".into());
        }
        let attempts = net.attempts;
        Self { fault, log: std::mem::take(&mut net.log), events: consumer.events, attempts }
    }
}

impl Consumer {
    /// Runs, crashes and starts again until the stream is over or stopped.
    fn live(&mut self, net: &Rc<RefCell<Net>>) -> Result<(), String> {
        let client = Client::builder().no_proxy().build().map_err(|error| error.to_string())?;
        loop {
            let start = self.committed;
            let policy = RetryPolicy::forever().max_retry_after(Duration::from_secs(3600));
            let mut request =
                Request::get("http://10.0.0.1/events").retry(policy).idle_timeout(Duration::from_secs(20));
            if start > 0 {
                request = request.last_event_id(start.to_string());
            }
            self.last = start;
            {
                let mut net = net.borrow_mut();
                net.over = None;
                net.connects.clear();
                net.shortest_retry = None;
                net.was_asked = false;
            }
            let mut reader = client.read("it", request).map_err(|error| error.to_string())?;
            self.plan_actions(net, &reader);
            match self.consume(net, &mut reader)? {
                Next::Crash => {
                    drop(reader);
                    net.borrow_mut().actions.clear();
                    net.borrow_mut().say(simulation::now(), &format!("crash; committed is {}", self.committed));
                }
                Next::End => {
                    let end = reader.handle().end();
                    return self.judge_end(net, end);
                }
            }
        }
    }

    fn plan_actions(&mut self, net: &Rc<RefCell<Net>>, reader: &EventReader) {
        let now = simulation::now();
        if self.chance.percent(20) {
            let handle = reader.handle();
            let noted = Rc::downgrade(net);
            let at = now + self.chance.millis(120_000);
            net.borrow_mut().actions.push((
                at,
                Box::new(move || {
                    if let Some(net) = noted.upgrade() {
                        net.borrow_mut().say(at, "reconnect() is called");
                        net.borrow_mut().was_asked = true;
                    }
                    handle.reconnect();
                }),
            ));
        }
        if self.chance.percent(10) {
            let handle = reader.handle();
            let noted = Rc::downgrade(net);
            let at = now + self.chance.millis(600_000);
            net.borrow_mut().actions.push((
                at,
                Box::new(move || {
                    if let Some(net) = noted.upgrade() {
                        net.borrow_mut().say(at, "stop() is called");
                    }
                    handle.stop();
                }),
            ));
            self.is_stopped = true;
        }
    }

    fn consume(&mut self, net: &Rc<RefCell<Net>>, reader: &mut EventReader) -> Result<Next, String> {
        let started = simulation::now();
        loop {
            if simulation::now() - started > LIMIT {
                return Err("it takes more than a day".into());
            }
            let item = if self.chance.percent(30) {
                match reader.next_timeout(self.chance.millis(3000)) {
                    Ok(item) => Some(item),
                    Err(error) if error.is_timeout() => {
                        // The program has other work.
                        simulation::advance(self.chance.millis(60_000));
                        continue;
                    }
                    Err(_) => None,
                }
            } else {
                reader.next()
            };
            match item {
                None | Some(Err(_)) => return Ok(Next::End),
                Some(Ok(event)) => self.take(net, &event)?,
            }
            if self.chance.percent(2) {
                return Ok(Next::Crash);
            }
        }
    }

    fn take(&mut self, net: &Rc<RefCell<Net>>, event: &Event) -> Result<(), String> {
        let mut expected = self.last + 1;
        while self.stream.is_silent(expected) {
            expected += 1;
        }
        net.borrow_mut().say(simulation::now(), &format!("event {:?}", event.id()));
        if event.id() != Some(&expected.to_string()) {
            return Err(format!("event {:?} where {expected} comes next", event.id()));
        }
        if event.data() != self.stream.data(expected) {
            return Err(format!("event {expected} is not what was sent"));
        }
        self.last = expected;
        self.events += 1;
        if self.chance.percent(30) {
            self.committed = expected;
        }
        Ok(())
    }

    fn judge_end(&self, net: &Rc<RefCell<Net>>, end: Option<End>) -> Result<(), String> {
        let net = net.borrow();
        match end {
            Some(End::NoContent) if net.has_said_204 => {
                let rest = (self.last + 1..=self.stream.events).find(|number| !self.stream.is_silent(*number));
                rest.map_or(Ok(()), |number| Err(format!("it is over, and {number} was never delivered")))
            }
            Some(End::Stopped) if self.is_stopped => Ok(()),
            end => Err(format!("the end is {end:?}")),
        }
    }
}

enum Next {
    Crash,
    End,
}

/// Judges the time between the last end and this connect.
pub fn judge_wait(net: &mut Net, now: Instant) {
    let is_redirected = std::mem::take(&mut net.is_redirected);
    let was_asked = std::mem::take(&mut net.was_asked);
    if is_redirected {
        return;
    }
    net.connects.push(now);
    let Some((over, retry_after)) = net.over else { return };
    let waited = now.saturating_duration_since(over);
    let base = net.shortest_retry.map_or(BASE, |retry| retry.min(BASE));
    if !was_asked && waited < base {
        net.faults.push(format!("the next connect after {waited:?}, below {base:?}"));
    }
    if retry_after.is_some_and(|asked| waited < asked) {
        net.faults.push(format!("the next connect after {waited:?}, in spite of Retry-After {retry_after:?}"));
    }
    let longest = 2 * MAX.max(Duration::from_secs(300)) + retry_after.unwrap_or_default();
    if waited > longest + Duration::from_secs(60) {
        net.faults.push(format!("the next connect after {waited:?}"));
    }
    if let [.., before, _, last] = net.connects[..] {
        if last - before < base {
            net.faults.push(format!("three connects within {:?}", last - before));
        }
    }
}
