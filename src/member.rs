//! The place of one connection in a channel of several.

use std::mem;

use crossbeam_channel::{Select, TrySendError};

use crate::channel::{BurstSender, Sent};
use crate::delivery::Delivery;
use crate::event::Event;
use crate::handle::{End, Shared};
use crate::sync::{Arc, Mutex, lock};

pub(crate) type Tagged = (Arc<str>, Delivery);

/// The connection's side of its place.
pub(crate) struct Member {
    turn: Arc<Turn>,
}

/// Links a connection and the next one with the same id: the end of the first comes before anything of the second, and
/// nothing of the first comes after it.
pub(crate) struct Turn {
    sender: BurstSender<Tagged>,
    shared: Arc<Shared>,
    /// Locked while an event is sent, which a stop interrupts.
    state: Mutex<TurnState>,
}

#[derive(Default)]
struct TurnState {
    /// The end has been sent, or is about to be by the successor.
    is_over: bool,
    /// The connection whose end must come first.
    before: Option<Arc<Turn>>,
}

impl Member {
    pub(crate) fn new(sender: BurstSender<Tagged>, shared: Arc<Shared>) -> Self {
        Self { turn: Arc::new(Turn { sender, shared, state: Mutex::default() }) }
    }

    pub(crate) fn turn(&self) -> &Arc<Turn> {
        &self.turn
    }

    /// Sends an event; blocks until there is room or the connection is stopped.
    pub(crate) fn event(&self, event: Event) {
        let Turn { shared, state: own, .. } = &*self.turn;
        let mut state = lock(own);
        if state.before.is_some() {
            drop(state);
            self.end_those_before();
            state = lock(own);
        }
        if !state.is_over && !shared.token.is_cancelled() {
            self.turn.send(Delivery::Event(event));
        }
        drop(state);
    }

    /// Sends the end; blocks until there is room or the connection is stopped, after which it is sent only if there is
    /// room. Returns `false` if a stop came first.
    pub(crate) fn end(&self, end: &End) -> bool {
        self.end_those_before();
        let Turn { sender, shared, state } = &*self.turn;
        loop {
            let mut state = lock(state);
            if state.is_over {
                return true;
            }
            let is_stopped = shared.token.is_cancelled();
            let end = if is_stopped && matches!(end, End::Failed(_)) { &End::Stopped } else { end };
            match sender.as_crossbeam().try_send((Arc::clone(&shared.id), Delivery::End(end.clone()))) {
                Ok(()) => state.is_over = true,
                Err(TrySendError::Full(_)) => {}
                Err(TrySendError::Disconnected(_)) => shared.stop(),
            }
            sender.flush();
            if state.is_over || is_stopped {
                return !is_stopped;
            }
            drop(state);
            let mut room = Select::new();
            room.recv(shared.token.cancelled());
            room.send(sender.as_crossbeam());
            room.ready();
        }
    }

    pub(crate) fn flush(&self) {
        self.turn.sender.flush();
    }

    /// Sends the ends of the previous connections with this id, unless already sent; they send nothing more.
    fn end_those_before(&self) {
        let mut silent = Vec::new();
        let mut next = lock(&self.turn.state).before.take();
        while let Some(turn) = next {
            let mut state = lock(&turn.state);
            next = state.before.take();
            let is_over = mem::replace(&mut state.is_over, true);
            drop(state);
            if !is_over {
                silent.push(turn);
            }
        }
        for turn in silent.iter().rev() {
            self.turn.send(Delivery::End(turn.shared.end().unwrap_or(End::Stopped)));
        }
    }
}

impl Turn {
    pub(crate) fn id(&self) -> &Arc<str> {
        &self.shared.id
    }

    /// Follows another connection, if both send into one channel.
    pub(crate) fn follow(&self, before: Arc<Self>) {
        if self.sender.as_crossbeam().same_channel(before.sender.as_crossbeam()) {
            lock(&self.state).before = Some(before);
        }
    }

    /// Stops the connection at the first send after all receivers are dropped.
    fn send(&self, delivery: Delivery) {
        let Self { sender, shared, .. } = self;
        let sent = match sender.try_send((Arc::clone(&shared.id), delivery)) {
            Ok(()) => Sent::Delivered,
            // Nobody leaves such a channel one by one.
            Err(TrySendError::Full(item)) => sender.send(item, &shared.token, shared.token.cancelled()),
            Err(TrySendError::Disconnected(_)) => Sent::Disconnected,
        };
        if sent == Sent::Disconnected {
            shared.stop();
        }
    }
}
