//! The thread of a connection: pumps it into its channel.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Sender, TrySendError, select};
use log::warn;

use crate::connection::{Connection, Item};
use crate::error::Error;
use crate::event::Event;
use crate::handle::{End, Shared};

/// Where events go; `None` where callbacks are all there is.
pub(crate) type Outlet = Option<Sender<Result<Event, Error>>>;

/// Starts the thread `sse-<id>`.
pub(crate) fn start(
    mut connection: Connection,
    shared: &Arc<Shared>,
    outlet: Outlet,
    stack_size: usize,
) -> Result<(), Error> {
    shared.start_running();
    let own = Arc::clone(shared);
    let builder = thread::Builder::new().name(format!("sse-{}", shared.id)).stack_size(stack_size);
    let spawned = builder.spawn(move || {
        // Declared first, dropped last: whoever joins finds the channel ended and the socket closed.
        let _leaving = Leaving(Arc::clone(&own));
        own.enter();
        let end = pump(&mut connection, &own, &outlet);
        if let End::Failed(error) = end {
            deliver_last(&own, &outlet, error);
        }
        connection.close();
        drop(connection);
        drop(outlet);
    });
    match spawned {
        Ok(thread) => {
            shared.set_thread(thread);
            Ok(())
        }
        Err(error) => {
            shared.stop();
            shared.leave();
            Err(Error::Spawn(Arc::new(error)))
        }
    }
}

struct Leaving(Arc<Shared>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.leave();
    }
}

fn pump(connection: &mut Connection, shared: &Shared, outlet: &Outlet) -> End {
    let pumped = catch_unwind(AssertUnwindSafe(|| {
        loop {
            match connection.next(None) {
                Item::Event(event) => deliver(shared, outlet, event),
                Item::End(end) => return end,
                Item::Tick => {}
            }
        }
    }));
    // Callbacks are contained closer by: this is a defect of the library, and must not look like a clean end.
    pumped.unwrap_or_else(|_| {
        warn!("sse {}: the connection's thread panicked", shared.id);
        let end = End::Failed(Error::Panicked);
        shared.update(|life| life.ended(end.clone()));
        shared.release();
        end
    })
}

/// Hands an event over; waits for room until the connection is stopped.
fn deliver(shared: &Shared, outlet: &Outlet, event: Event) {
    let Some(sender) = outlet else { return };
    let item = match sender.try_send(Ok(event)) {
        Ok(()) => return,
        Err(TrySendError::Full(item)) => item,
        Err(TrySendError::Disconnected(_)) => return shared.stop(),
    };
    select! {
        send(sender, item) -> sent => if sent.is_err() { shared.stop() },
        recv(shared.stop.stopped()) -> _ => {}
    }
}

/// Hands the terminal failure over, unless a stop comes first: then the connection ended by that.
fn deliver_last(shared: &Shared, outlet: &Outlet, error: Error) {
    let stopped = || shared.update(|life| life.ended(End::Stopped));
    let Some(sender) = outlet else { return };
    if shared.stop.is_stopped() {
        return stopped();
    }
    if let Err(TrySendError::Full(item)) = sender.try_send(Err(error)) {
        select! {
            send(sender, item) -> _ => {}
            recv(shared.stop.stopped()) -> _ => stopped(),
        }
    }
}
