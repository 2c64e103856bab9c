//! A network, a disk and clocks on one thread, for `tests/simulation`: only with `--cfg http_sse_simulation`.
//!
//! A [`World`] takes the place of everything outside: it decides what a connect finds, what each read brings and when,
//! and what happens meanwhile. Time passes where the client waits, and nowhere else.

pub mod disk;

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// Fifty times what the busiest of 20,000 seeds needs between two instants.
const MAX_CALLS_AT_ONE_INSTANT: u32 = 1_000_000;

/// What a read finds.
#[derive(Clone, Debug)]
pub enum Input {
    /// Bytes that have come; the world keeps what does not fit.
    Bytes(usize),
    /// FIN.
    End,
    /// An error of the connection.
    Broken(io::ErrorKind),
    /// Nothing yet: it comes at this instant, or never.
    Later(Option<Instant>),
}

/// Everything outside the client.
pub trait World {
    /// Returns a connection's number, or why there is none.
    fn connect(&mut self, host: &str, now: Instant) -> io::Result<u64>;
    /// Takes what the client sends.
    fn write(&mut self, connection: u64, bytes: &[u8], now: Instant) -> io::Result<()>;
    /// Fills the buffer with what has come by now.
    fn read(&mut self, connection: u64, buffer: &mut [u8], now: Instant) -> Input;
    /// The client has let go of a connection.
    fn close(&mut self, connection: u64, now: Instant);
    /// Returns when something happens by itself next, a stop for example.
    fn next_action(&self) -> Option<Instant>;
    /// Takes what is due by now out of the world, to be run.
    fn take_action(&mut self, now: Instant) -> Option<Box<dyn FnOnce()>>;
    /// Returns what the clock on the wall shows.
    fn wall_time(&self, now: Instant) -> SystemTime;
    /// Returns the disk, for a system call.
    fn disk(&self) -> Rc<RefCell<dyn disk::Disk>>;
    /// Returns a number in `0.0..1.0`.
    fn random(&mut self) -> f64;
}

thread_local! {
    static WORLD: RefCell<Option<Box<dyn World>>> = const { RefCell::new(None) };
    static NOW: Cell<Option<Instant>> = const { Cell::new(None) };
    /// Calls since time passed last.
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

/// Puts this thread into a world, at an instant.
pub fn enter(world: Box<dyn World>, now: Instant) {
    set_now(now);
    WORLD.with_borrow_mut(|entered| *entered = Some(world));
}

/// Takes this thread out of its world.
pub fn leave() {
    let world = WORLD.with_borrow_mut(Option::take);
    drop(world);
}

/// Returns the time of the world.
pub fn now() -> Instant {
    count_call();
    NOW.get().expect("a thread of the simulation")
}

/// Returns what the clock on the wall shows.
pub fn wall_time() -> SystemTime {
    with(|world| world.wall_time(now()))
}

/// Lets time pass, and runs what falls due.
pub fn advance(duration: Duration) {
    let until = now() + duration;
    pass_until(Some(until), || false);
}

/// Lets time pass in which the process stands still.
pub fn jump(duration: Duration) {
    set_now(now() + duration);
}

pub(crate) fn random() -> f64 {
    with(|world| world.random())
}

/// Waits like a thread that sleeps; `is_over` ends it early.
pub(crate) fn sleep_until(until: Option<Instant>, is_over: impl Fn() -> bool) {
    pass_until(until, is_over);
}

/// Lets time pass up to an instant, in the steps in which something happens.
pub(crate) fn pass_until(until: Option<Instant>, is_over: impl Fn() -> bool) {
    loop {
        let action = with(|world| world.take_action(now()));
        if let Some(action) = action {
            action();
            if is_over() {
                return;
            }
            continue;
        }
        let next = with(|world| world.next_action());
        let Some(first) = [next, until].into_iter().flatten().min() else {
            panic!("an endless wait in a world without further actions");
        };
        set_now(first.max(now()));
        let is_due = next.is_some_and(|next| next <= now());
        if is_over() || (!is_due && until.is_some_and(|until| until <= now())) {
            return;
        }
    }
}

fn set_now(now: Instant) {
    if NOW.replace(Some(now)) != Some(now) {
        CALLS.set(0);
    }
}

/// Panics in a loop in which no time passes: it would hang.
fn count_call() {
    let calls = CALLS.get() + 1;
    CALLS.set(calls);
    // What is dropped behind that panic still calls.
    if calls > MAX_CALLS_AT_ONE_INSTANT && !thread::panicking() {
        panic!("more than {MAX_CALLS_AT_ONE_INSTANT} calls at one instant: a loop in which no time passes");
    }
}

pub(crate) fn with<T>(act: impl FnOnce(&mut dyn World) -> T) -> T {
    count_call();
    WORLD.with_borrow_mut(|world| act(&mut **world.as_mut().expect("a thread of the simulation")))
}

pub(crate) fn with_if_entered(act: impl FnOnce(&mut dyn World)) {
    WORLD.with_borrow_mut(|world| {
        if let Some(world) = world {
            act(&mut **world);
        }
    });
}
