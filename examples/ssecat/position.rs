//! `--checkpoint`: where the next run begins.

use std::io;
use std::time::Duration;

use http_sse::{Checkpoint, Event};
use log::warn;

/// After so long without an event the checkpoint is written; while they come, it sees to that itself.
const QUIET: Duration = Duration::from_secs(5);

pub(crate) struct Position {
    checkpoint: Option<Checkpoint>,
    /// There may be an id that is not on the disk yet.
    is_behind: bool,
}

impl Position {
    pub(crate) fn new(checkpoint: Option<Checkpoint>) -> Self {
        Self { checkpoint, is_behind: false }
    }

    pub(crate) fn last_event_id(&self) -> &str {
        self.checkpoint.as_ref().map(Checkpoint::last_event_id).unwrap_or_default()
    }

    /// How long the next event may take before [`save`](Self::save) is due.
    pub(crate) fn save_after(&self) -> Duration {
        if self.is_behind { QUIET } else { Duration::MAX }
    }

    pub(crate) fn handled(&mut self, event: &Event) {
        let Some(checkpoint) = &mut self.checkpoint else { return };
        report(checkpoint.commit(event.id().unwrap_or_default()));
        self.is_behind = true;
    }

    pub(crate) fn save(&mut self) {
        let Some(checkpoint) = &mut self.checkpoint else { return };
        report(checkpoint.save());
        self.is_behind = false;
    }
}

/// The events go on without the checkpoint: after a restart, more of them come again.
fn report(saved: io::Result<()>) {
    if let Err(error) = saved {
        warn!("the checkpoint cannot be written: {error}");
    }
}
