//! The part of crossbeam that the files use, under one lock: every operation is one step, as crossbeam promises.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use loom::sync::{Condvar, Mutex};

loom::lazy_static! {
    /// Taken for every look at a channel; told of every change of any.
    pub static ref WORLD: World = World { lock: Mutex::new(()), changed: Condvar::new() };
}

pub struct World {
    pub lock: Mutex<()>,
    pub changed: Condvar,
}

/// Used with the world's lock only, which std's own merely repeats.
struct Shared<T>(std::sync::Mutex<State<T>>);

struct State<T> {
    queue: VecDeque<T>,
    capacity: usize,
    senders: usize,
    receivers: usize,
}

pub struct Sender<T>(Arc<Shared<T>>);
pub struct Receiver<T>(Arc<Shared<T>>);

#[derive(Debug, PartialEq)]
pub enum TrySendError<T> {
    Full(T),
    Disconnected(T),
}

#[derive(Debug, PartialEq)]
pub enum TryRecvError {
    Empty,
    Disconnected,
}

#[allow(dead_code, reason = "no time passes")]
#[derive(Debug, PartialEq)]
pub enum RecvTimeoutError {
    Timeout,
    Disconnected,
}

#[derive(Debug, PartialEq)]
pub struct RecvError;

#[derive(Debug, PartialEq)]
pub struct SendError<T>(pub T);

pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let state = State { queue: VecDeque::new(), capacity, senders: 1, receivers: 1 };
    let shared = Arc::new(Shared(std::sync::Mutex::new(state)));
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

impl<T> Shared<T> {
    fn step<R>(&self, step: impl FnOnce(&mut State<T>) -> R) -> R {
        let _world = WORLD.lock.lock().unwrap();
        let result = step(&mut self.0.lock().unwrap());
        WORLD.changed.notify_all();
        result
    }

    pub fn peek<R>(&self, look: impl FnOnce(&mut State<T>) -> R) -> R {
        look(&mut self.0.lock().unwrap())
    }
}

impl<T> Sender<T> {
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        self.0.step(|state| match () {
            () if state.receivers == 0 => Err(TrySendError::Disconnected(item)),
            () if state.queue.len() >= state.capacity => Err(TrySendError::Full(item)),
            () => {
                state.queue.push_back(item);
                Ok(())
            }
        })
    }

    /// It never changes: no step.
    pub fn capacity(&self) -> Option<usize> {
        Some(self.0.peek(|state| state.capacity))
    }

    pub fn len(&self) -> usize {
        self.0.step(|state| state.queue.len())
    }

    /// For [`select_biased`], under the world's lock.
    pub fn send_if_ready(&self, item: &mut Option<T>) -> Option<Result<(), SendError<T>>> {
        self.0.peek(|state| {
            if state.receivers == 0 {
                return item.take().map(|item| Err(SendError(item)));
            }
            if state.queue.len() >= state.capacity {
                return None;
            }
            state.queue.extend(item.take());
            Some(Ok(()))
        })
    }
}

impl<T> Receiver<T> {
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.0.step(|state| match (state.queue.pop_front(), state.senders) {
            (Some(item), _) => Ok(item),
            (None, 0) => Err(TryRecvError::Disconnected),
            (None, _) => Err(TryRecvError::Empty),
        })
    }

    pub fn len(&self) -> usize {
        self.0.step(|state| state.queue.len())
    }

    pub fn recv(&self) -> Result<T, RecvError> {
        let mut world = WORLD.lock.lock().unwrap();
        loop {
            if let Some(result) = self.recv_if_ready() {
                WORLD.changed.notify_all();
                return result;
            }
            world = WORLD.changed.wait(world).unwrap();
        }
    }

    /// Time does not pass in the model: the deadline comes after everything else.
    pub fn recv_deadline(&self, _: Instant) -> Result<T, RecvTimeoutError> {
        self.recv().map_err(|RecvError| RecvTimeoutError::Disconnected)
    }

    /// For [`select_biased`], under the world's lock.
    pub fn recv_if_ready(&self) -> Option<Result<T, RecvError>> {
        self.0.peek(|state| match (state.queue.pop_front(), state.senders) {
            (Some(item), _) => Some(Ok(item)),
            (None, 0) => Some(Err(RecvError)),
            (None, _) => None,
        })
    }
}

/// Waits until one of several operations would not block.
pub struct Select<'a>(Vec<Box<dyn Fn() -> bool + 'a>>);

impl<'a> Select<'a> {
    pub fn new() -> Self {
        Self(Vec::new())
    }

    pub fn recv<T>(&mut self, receiver: &'a Receiver<T>) {
        self.0.push(Box::new(|| receiver.0.peek(|state| !state.queue.is_empty() || state.senders == 0)));
    }

    pub fn send<T>(&mut self, sender: &'a Sender<T>) {
        self.0.push(Box::new(|| sender.0.peek(|state| state.queue.len() < state.capacity || state.receivers == 0)));
    }

    pub fn ready(&mut self) {
        let mut world = WORLD.lock.lock().unwrap();
        while !self.0.iter().any(|is_ready| is_ready()) {
            world = WORLD.changed.wait(world).unwrap();
        }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.step(|state| state.senders += 1);
        Self(Arc::clone(&self.0))
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.0.step(|state| state.receivers += 1);
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.step(|state| state.senders -= 1);
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // Dropped outside the lock: items may hold channels.
        let _rest = self.0.step(|state| {
            state.receivers -= 1;
            if state.receivers == 0 { std::mem::take(&mut state.queue) } else { VecDeque::new() }
        });
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receiver")
    }
}

/// Any number of `recv`, then one `send`: the first that is ready, else the next that becomes so.
macro_rules! select_biased {
    (@arms [$($arms:tt)*] recv($receiver:expr) -> $got:pat => $then:block $($rest:tt)*) => {
        select_biased!(@arms [$($arms)* ($receiver, $got, $then)] $($rest)*)
    };
    (@arms [$($arms:tt)*] recv($receiver:expr) -> $got:pat => $then:expr, $($rest:tt)*) => {
        select_biased!(@arms [$($arms)* ($receiver, $got, $then)] $($rest)*)
    };
    (@arms [$(($receiver:expr, $got:pat, $received:expr))*] send($sender:expr, $item:expr) -> $sent:pat => $then:expr $(,)?) => {{
        let mut item = Some($item);
        let mut world = Some($crate::crossbeam::WORLD.lock.lock().unwrap());
        loop {
            $(if let Some(result) = $receiver.recv_if_ready() {
                $crate::crossbeam::WORLD.changed.notify_all();
                drop(world.take());
                let $got = result;
                break $received;
            })*
            if let Some(result) = $sender.send_if_ready(&mut item) {
                $crate::crossbeam::WORLD.changed.notify_all();
                drop(world.take());
                let $sent = result;
                break $then;
            }
            world = world.take().map(|world| $crate::crossbeam::WORLD.changed.wait(world).unwrap());
        }
    }};
    ($($arms:tt)+) => {
        select_biased!(@arms [] $($arms)+)
    };
}
pub(crate) use select_biased;
