//! Which ids are taken.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};

use crate::broadcast::Broadcast;
use crate::error::Error;
use crate::handle::Shared;
use crate::member::Turn;
use crate::sync::lock;

/// The ids in use, and the connections that are still shutting down.
#[derive(Default)]
pub(super) struct Registry(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    live: BTreeMap<Arc<str>, Live>,
    winding_down: Vec<Weak<Shared>>,
    /// The last sender for each id into a channel of several connections.
    turns: BTreeMap<Arc<str>, Weak<Turn>>,
}

#[derive(Clone)]
pub(super) struct Live {
    pub(super) shared: Arc<Shared>,
    /// The receivers, if there can be more than one.
    pub(super) broadcast: Option<Arc<Broadcast>>,
}

impl Registry {
    pub(super) fn insert(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        broadcast: Option<Arc<Broadcast>>,
    ) -> Result<(), Error> {
        let mut entries = lock(&self.0);
        if entries.live.contains_key(&shared.id) {
            return Err(Error::DuplicateId(shared.id.to_string()));
        }
        let (registry, own) = (Arc::downgrade(self), Arc::downgrade(shared));
        shared.on_release(move || {
            if let (Some(registry), Some(own)) = (registry.upgrade(), own.upgrade()) {
                registry.release(&own);
            }
        });
        entries.live.insert(Arc::clone(&shared.id), Live { shared: Arc::clone(shared), broadcast });
        Ok(())
    }

    pub(super) fn get(&self, id: &str) -> Option<Live> {
        lock(&self.0).live.get(id).cloned()
    }

    /// Returns the live connections, sorted by id.
    pub(super) fn live(&self) -> Vec<Live> {
        lock(&self.0).live.values().cloned().collect()
    }

    /// Frees the id, unless a successor already has it.
    fn release(&self, shared: &Arc<Shared>) {
        let mut entries = lock(&self.0);
        if !entries.live.get(&shared.id).is_some_and(|live| Arc::ptr_eq(&live.shared, shared)) {
            return;
        }
        entries.live.remove(&shared.id);
        entries.winding_down.retain(|old| old.upgrade().is_some_and(|old| old.is_running()));
        entries.winding_down.push(Arc::downgrade(shared));
    }

    /// Queues a connection after the previous one with its id, in a channel that may be the same.
    pub(super) fn line_up(&self, turn: &Arc<Turn>) {
        let mut entries = lock(&self.0);
        entries.turns.retain(|_, old| old.strong_count() > 0);
        let before = entries.turns.insert(Arc::clone(turn.id()), Arc::downgrade(turn));
        if let Some(before) = before.and_then(|before| before.upgrade()) {
            turn.follow(before);
        }
    }

    pub(super) fn winding_down(&self) -> Vec<Arc<Shared>> {
        lock(&self.0).winding_down.iter().filter_map(Weak::upgrade).collect()
    }
}
