//! `--checkpoint`: where the next run begins.

use std::io;
use std::time::Duration;

use http_sse::{Checkpoint, Event};
use log::warn;

pub(crate) struct Position {
    checkpoint: Option<Checkpoint>,
}

impl Position {
    pub(crate) fn new(checkpoint: Option<Checkpoint>) -> Self {
        Self { checkpoint }
    }

    pub(crate) fn last_event_id(&self) -> Option<&str> {
        self.checkpoint.as_ref().and_then(Checkpoint::last_event_id)
    }

    /// How long the next event may take before [`save`](Self::save) is due.
    pub(crate) fn save_after(&self) -> Duration {
        self.checkpoint.as_ref().and_then(Checkpoint::due_in).unwrap_or(Duration::MAX)
    }

    /// A gap has no position, and keeps that of the last event.
    pub(crate) fn handled(&mut self, event: &Event) {
        if event.gap().is_some() {
            return;
        }
        report(self.checkpoint.as_mut().map(|checkpoint| checkpoint.commit(event.position())));
    }

    pub(crate) fn save(&mut self) {
        report(self.checkpoint.as_mut().map(Checkpoint::save));
    }
}

/// The events continue without the checkpoint: after a restart, more of them are repeated.
fn report(saved: Option<io::Result<()>>) {
    if let Some(Err(error)) = saved {
        warn!("{error}");
    }
}
