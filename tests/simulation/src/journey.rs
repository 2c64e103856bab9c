//! One seed from its start to its end: a program that runs, crashes and starts again.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_sse::{Checkpoint, Checkpointed, Client, Error, Event, EventReader, Handle, Request, simulation};

use crate::chance::Chance;
use crate::delivery::Delivery;
use crate::disk::{Disk, FOLDER};
use crate::policy::{Account, IDLE, Numbers};
use crate::stream::{LIMIT as EVENT_LIMIT, Stream};
use crate::verdict::judge_end;
use crate::world::{Net, Shared, lock};

/// No journey takes longer, in simulated time.
const LIMIT: Duration = Duration::from_secs(7 * 24 * 3600);

/// What came of a seed.
pub struct Journey {
    pub fault: Option<String>,
    pub events: u64,
    pub attempts: u64,
}

/// The program, over all its runs.
struct Program {
    net: Rc<RefCell<Net>>,
    disk: Rc<RefCell<Disk>>,
    stream: Stream,
    chance: Chance,
    marks_gaps: bool,
    accepts_gzip: bool,
    /// The last event whose work is done, the one that was committed last, and the one that is on the disk for certain.
    handled: u64,
    committed: u64,
    durable: u64,
    events: u64,
}

/// Where events come from.
enum Source {
    /// The checkpoint is committed by hand.
    Reader(EventReader, Checkpoint),
    Checkpointed(Checkpointed<EventReader>),
}

/// How a run is over.
enum Next {
    Crash,
    /// The program is ended, and has time to.
    Break,
    End,
}

impl Journey {
    pub fn run(seed: u64, is_told: bool) -> Self {
        let mut chance = Chance::new(seed);
        let stream = Stream::new(&mut chance);
        let started = Instant::now();
        let account = Account::new(Numbers::draw(&mut chance));
        let net = Rc::new(RefCell::new(Net {
            chance: Chance::new(chance.next()),
            stream: stream.clone(),
            started,
            connections: Vec::new(),
            is_told,
            account: Arc::new(Mutex::new(account)),
            over: None,
            is_redirected: false,
            connects: Vec::new(),
            attempts: 0,
            has_said_204: false,
            forgotten: 0,
            asked_after: String::new(),
            expected_after: None,
            faults: Vec::new(),
            actions: Vec::new(),
            was_asked: false,
            away_until: started,
            ahead: 0,
        }));
        let disk = Rc::new(RefCell::new(Disk::new(Chance::new(chance.next()))));
        simulation::enter(Box::new(Shared { net: Rc::clone(&net), disk: Rc::clone(&disk) }), started);
        let marks_gaps = chance.percent(75);
        let accepts_gzip = chance.percent(40);
        let mut program = Program {
            net: Rc::clone(&net),
            disk,
            stream,
            chance,
            marks_gaps,
            accepts_gzip,
            handled: 0,
            committed: 0,
            durable: 0,
            events: 0,
        };
        let told = catch_unwind(AssertUnwindSafe(|| program.live()));
        let mut fault = match told {
            Ok(told) => told.err(),
            Err(payload) => Some(format!("a panic: {:?}", payload.downcast_ref::<String>())),
        };
        simulation::leave();
        let net = net.borrow();
        fault = fault.or_else(|| net.faults.first().cloned());
        if fault.is_none() && net.connections.iter().any(|line| !line.is_closed) {
            fault = Some("a connection is open after its end".into());
        }
        Self { fault, events: program.events, attempts: net.attempts }
    }
}

impl Program {
    /// Runs, ends or crashes and starts again until the stream is over or stopped.
    fn live(&mut self) -> Result<(), String> {
        let client = Client::builder().no_proxy().build().map_err(|error| error.to_string())?;
        let started = simulation::now();
        loop {
            if simulation::now() - started > LIMIT {
                return Err("it takes more than a week".into());
            }
            self.disk.borrow_mut().begin();
            let opened = Checkpoint::open(format!("{FOLDER}/id"));
            if self.disk.borrow().is_crashed {
                self.start_again();
                continue;
            }
            let checkpoint = opened.map_err(|error| error.to_string())?;
            let start = self.judge_checkpoint(&checkpoint)?;
            if self.run(&client, checkpoint, start)? {
                return Ok(());
            }
            let pause = self.chance.millis(100_000);
            simulation::advance(pause);
        }
    }

    /// What the file holds is neither garbage, nor from before what was told to be in it, nor ahead of what was done.
    fn judge_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<u64, String> {
        if let Some(path) = checkpoint.damaged() {
            return Err(format!("the checkpoint was damaged, see {}", path.display()));
        }
        let start = match checkpoint.last_event_id() {
            None => 0,
            Some(id) => id.parse().map_err(|_| format!("a checkpoint of {id:?}"))?,
        };
        if start < self.durable || start > self.committed {
            return Err(format!("a checkpoint of {start}, between {} and {}", self.durable, self.committed));
        }
        (self.handled, self.committed) = (start, start);
        Ok(start)
    }

    /// Returns `true` if the journey is over.
    fn run(&mut self, client: &Client, checkpoint: Checkpoint, start: u64) -> Result<bool, String> {
        let numbers = Numbers::draw(&mut self.chance);
        let account = Arc::new(Mutex::new(Account::new(numbers.clone())));
        let (opening, failing) = (Arc::clone(&account), Arc::clone(&account));
        let mut request = Request::get("http://10.0.0.1/events")
            .retry(numbers.policy())
            .idle_timeout(IDLE)
            .max_event_size(EVENT_LIMIT + 100)
            .on_open(move |_| lock(&opening).open(simulation::now()))
            .on_error(move |error| lock(&failing).fail(simulation::now(), error));
        if self.marks_gaps {
            request = request.mark_gaps();
        }
        if self.accepts_gzip {
            request = request.accept_gzip();
        }
        if start > 0 {
            request = request.last_event_id(start.to_string().as_str());
        }
        {
            let mut net = self.net.borrow_mut();
            (net.over, net.expected_after) = (None, None);
            (net.was_asked, net.is_redirected) = (false, false);
            net.connects.clear();
            net.account = Arc::clone(&account);
            net.say(format_args!("run after {start}, {numbers:?}"));
        }
        let reader = client.read("it", request).map_err(|error| error.to_string())?;
        let handle = reader.handle();
        lock(&account).handle = Some(handle.clone());
        let is_stopped = self.plan_actions(&handle);
        let checkpoint = checkpoint
            .every(Duration::from_secs([0, 1, 60][self.chance.below(3)]))
            .every_events([1, 3, u32::MAX][self.chance.below(3)]);
        let mut source = if self.chance.percent(50) {
            Source::Checkpointed(reader.checkpoint(checkpoint))
        } else {
            Source::Reader(reader, checkpoint)
        };
        let forgotten = self.net.borrow().forgotten;
        let mut delivery = Delivery::new(self.stream.clone(), start, self.marks_gaps, forgotten);
        let next = self.consume(&mut source, &mut delivery)?;
        if let Next::Crash = next {
            // From here on nothing reaches the disk.
            self.disk.borrow_mut().is_crashed = true;
        }
        drop(source);
        self.net.borrow_mut().actions.clear();
        if let Some(fault) = lock(&account).faults.first() {
            return Err(fault.clone());
        }
        match next {
            _ if self.disk.borrow().is_crashed => {
                self.start_again();
                return Ok(false);
            }
            Next::Break | Next::Crash => {}
            Next::End => {
                let mut net = self.net.borrow_mut();
                let end = handle.end();
                net.say(format_args!("the end is {end:?}"));
                judge_end(&mut net, end.as_ref(), is_stopped.get(), delivery.last)?;
                let opened = net.account().opens;
                if self.marks_gaps && opened.saturating_sub(1) != delivery.reconnects && !is_stopped.get() {
                    return Err(format!("{} gaps for {opened} streams", delivery.reconnects));
                }
                if !matches!(end, Some(http_sse::End::Failed(_) | http_sse::End::Complete)) {
                    return Ok(true);
                }
            }
        }
        if !self.disk.borrow().was_full {
            self.durable = self.committed;
        }
        Ok(false)
    }

    /// The process is gone, or the power.
    fn start_again(&mut self) {
        let is_power_cut = self.chance.percent(50);
        if is_power_cut {
            self.disk.borrow_mut().cut_power();
        }
        let what = if is_power_cut { "a power cut" } else { "a crash" };
        let (durable, committed) = (self.durable, self.committed);
        self.net.borrow().say(format_args!("{what}; committed is {committed}, durable {durable}"));
    }

    /// Returns whether a stop has happened.
    fn plan_actions(&mut self, handle: &Handle) -> Rc<Cell<bool>> {
        let is_stopped = Rc::new(Cell::new(false));
        if self.chance.percent(20) {
            let handle = handle.clone();
            self.plan(120_000, move |net| {
                net.say(format_args!("reconnect() is called"));
                net.was_asked = true;
                net.account().ask();
                move || handle.reconnect()
            });
        }
        if self.chance.percent(5) {
            let (handle, is_stopped) = (handle.clone(), Rc::clone(&is_stopped));
            self.plan(600_000, move |net| {
                net.say(format_args!("stop() is called"));
                is_stopped.set(true);
                move || handle.stop()
            });
        }
        for _ in 0..self.chance.below(3) {
            let longest = [1000, 60_000, 7_200_000][self.chance.below(3)];
            let duration = self.chance.millis(longest);
            self.plan(300_000, move |net| {
                net.say(format_args!("the process stands still for {duration:?}"));
                net.away_until = simulation::now() + duration;
                move || simulation::jump(duration)
            });
        }
        if self.chance.percent(30) {
            let ahead = self.chance.below(200_000) as i64 - 100_000;
            self.plan(300_000, move |net| {
                net.say(format_args!("the clock on the wall is set to {ahead} s"));
                net.ahead = ahead;
                || ()
            });
        }
        is_stopped
    }

    /// Something happens within so many milliseconds: first to the network, then outside it.
    fn plan<A: FnOnce() + 'static>(&mut self, within: u64, act: impl FnOnce(&mut Net) -> A + 'static) {
        let at = simulation::now() + self.chance.millis(within);
        let net = Rc::downgrade(&self.net);
        let action = move || {
            let Some(net) = net.upgrade() else { return };
            let then = act(&mut net.borrow_mut());
            then();
        };
        self.net.borrow_mut().actions.push((at, Box::new(action)));
    }

    fn consume(&mut self, source: &mut Source, delivery: &mut Delivery) -> Result<Next, String> {
        let started = simulation::now();
        loop {
            if simulation::now() - started > LIMIT {
                return Err("it takes more than a week".into());
            }
            self.net.borrow_mut().away_until = simulation::now();
            let Ok(item) = self.next(source) else {
                // The program has other work.
                let pause = self.chance.millis(60_000);
                simulation::advance(pause);
                continue;
            };
            if self.disk.borrow().is_crashed {
                return Ok(Next::Crash);
            }
            let Some(Ok(event)) = item else { return Ok(Next::End) };
            let number = delivery.take(&mut self.net.borrow_mut(), &event)?;
            match self.chance.below(200) {
                0..2 => return Ok(Next::Crash),
                2 => return Ok(Next::Break),
                _ => {}
            }
            if let Some(number) = number {
                self.events += 1;
                self.handled = number;
                self.commit(source, &event, number);
            }
            if self.disk.borrow().is_crashed || self.chance.percent(1) {
                return Ok(Next::Crash);
            }
        }
    }

    /// Returns the next item; an error is a time-out.
    fn next(&mut self, source: &mut Source) -> Result<Option<Result<Event, Error>>, ()> {
        match source {
            Source::Reader(reader, _) if self.chance.percent(30) => {
                match reader.next_timeout(self.chance.millis(3000)) {
                    Ok(item) => Ok(Some(item)),
                    Err(error) if error.is_timeout() => Err(()),
                    Err(_) => Ok(None),
                }
            }
            Source::Reader(reader, _) => Ok(reader.next()),
            Source::Checkpointed(events) => {
                // What was handled counts now.
                self.committed = self.committed.max(self.handled);
                let item = events.next();
                if events.checkpoint().due_in().is_none() && !self.disk.borrow().is_crashed {
                    self.durable = self.committed;
                }
                Ok(item)
            }
        }
    }

    fn commit(&mut self, source: &mut Source, event: &Event, number: u64) {
        let Source::Reader(_, checkpoint) = source else { return };
        if self.chance.percent(60) {
            self.committed = number;
            let written = checkpoint.commit(event.position());
            if written.is_ok() && checkpoint.due_in().is_none() && !self.disk.borrow().is_crashed {
                self.durable = number;
            }
        }
    }
}
