//! One seed from its start to its end, and what must hold on the way.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http_sse::{Client, End, Event, EventReader, Gap, Request, RetryPolicy, simulation};

use crate::chance::Chance;
use crate::script::{LIMIT as EVENT_LIMIT, Stream};
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
    marks_gaps: bool,
    /// What the server had forgotten when this run began is missing before any gap.
    forgotten_before: u64,
    /// Gaps of this run, and those since the last event.
    reconnects: u64,
    gap: Gap,
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
            opened: Arc::default(),
            forgotten: 0,
            asked_after: String::new(),
            shortest_retry: None,
            faults: Vec::new(),
            actions: Vec::new(),
            was_asked: false,
        }));
        simulation::enter(Box::new(Shared(Rc::clone(&net))), started);
        let marks_gaps = chance.percent(75);
        let mut consumer = Consumer {
            stream,
            last: 0,
            committed: 0,
            events: 0,
            chance,
            is_stopped: false,
            marks_gaps,
            forgotten_before: 0,
            reconnects: 0,
            gap: Gap::default(),
        };
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
            let opened = Arc::new(AtomicU64::new(0));
            let counted = Arc::clone(&opened);
            let mut request = Request::get("http://10.0.0.1/events")
                .accept_gzip()
                .retry(policy)
                .idle_timeout(Duration::from_secs(20))
                .max_event_size(EVENT_LIMIT + 100)
                .on_open(move |_| _ = counted.fetch_add(1, Ordering::Relaxed));
            if self.marks_gaps {
                request = request.mark_gaps();
            }
            (self.reconnects, self.gap) = (0, Gap::default());
            if start > 0 {
                request = request.last_event_id(start.to_string());
            }
            self.last = start;
            {
                let mut net = net.borrow_mut();
                net.over = None;
                net.opened = opened;
                self.forgotten_before = net.forgotten;
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
        if let Some(gap) = event.gap() {
            return self.take_gap(net, gap);
        }
        net.borrow_mut().say(simulation::now(), &format!("event {:?}", event.id()));
        let number = event.id().and_then(|id| id.parse().ok()).unwrap_or(0);
        self.judge_missing(net, number)?;
        if event.data() != self.stream.data(number) {
            return Err(format!("event {number} is not what was sent"));
        }
        self.last = number;
        self.gap = Gap::default();
        self.events += 1;
        if self.chance.percent(30) {
            self.committed = number;
        }
        Ok(())
    }

    /// Every loss is marked: by a gap that stands between the two events, and tells why.
    fn judge_missing(&self, net: &Rc<RefCell<Net>>, number: u64) -> Result<(), String> {
        if number <= self.last || self.is_not_delivered(number) {
            return Err(format!("event {number} after {}", self.last));
        }
        let forgotten = net.borrow().forgotten;
        let missing = (self.last + 1..number).filter(|number| !self.stream.is_silent(*number));
        let (oversized, lost): (Vec<u64>, Vec<u64>) = missing.partition(|number| self.stream.is_oversized(*number));
        if let Some(lost) = lost.iter().find(|lost| **lost > forgotten) {
            return Err(format!("event {number} where {lost} comes next"));
        }
        if !self.marks_gaps {
            return Ok(());
        }
        let is_unknown = lost.iter().any(|lost| *lost > self.forgotten_before);
        if is_unknown && self.gap.reconnected.is_none() {
            return Err(format!("{lost:?} are lost before {number}, and no gap says so"));
        }
        let skipped = oversized.iter().filter(|number| **number > forgotten).count() as u64;
        if self.gap.oversized < skipped {
            return Err(format!("{oversized:?} are too large before {number}, and {} are marked", self.gap.oversized));
        }
        Ok(())
    }

    fn is_not_delivered(&self, number: u64) -> bool {
        self.stream.is_silent(number) || self.stream.is_oversized(number)
    }

    /// As soon as a stream has opened, unless it is the first of the run.
    fn take_gap(&mut self, net: &Rc<RefCell<Net>>, gap: &Gap) -> Result<(), String> {
        let mut net = net.borrow_mut();
        net.say(simulation::now(), &gap.to_string());
        let opened = net.opened.load(Ordering::Relaxed);
        if !self.marks_gaps || gap.dropped > 0 {
            return Err(format!("a gap that there is not: {gap}"));
        }
        self.gap.oversized += gap.oversized;
        if let Some(reconnected) = &gap.reconnected {
            self.reconnects += 1;
            self.gap.reconnected = Some(reconnected.clone());
            if reconnected.resumed_from.as_deref() != Some(&net.asked_after).filter(|id| !id.is_empty()).map(|id| &**id)
            {
                return Err(format!("asked for what follows {:?}, and told {gap}", net.asked_after));
            }
        }
        if self.reconnects + 1 != opened {
            return Err(format!("{} gaps for {opened} streams", self.reconnects));
        }
        Ok(())
    }

    fn judge_end(&self, net: &Rc<RefCell<Net>>, end: Option<End>) -> Result<(), String> {
        let net = net.borrow();
        let opened = net.opened.load(Ordering::Relaxed);
        if self.marks_gaps && opened.saturating_sub(1) != self.reconnects && !self.is_stopped {
            return Err(format!("{} gaps for {opened} streams", self.reconnects));
        }
        match end {
            Some(End::NoContent) if net.has_said_204 => {
                let rest = (self.last.max(net.forgotten) + 1..=self.stream.events)
                    .find(|number| !self.is_not_delivered(*number));
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
