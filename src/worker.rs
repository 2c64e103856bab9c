//! The thread of a connection: pumps it into its receivers.

use std::sync::Arc;
use std::thread;

use crate::broadcast::{EventSender, Sink};
use crate::connection::{Connection, Next, Panicked, catch_panic};
use crate::error::Error;
use crate::handle::{End, Shared};

/// How much larger a connection's stack is than a helper's, in bytes: glibc reuses the stacks of ended threads for new
/// threads that need no more, and a stack that a helper has used is resident.
const EXTRA_STACK: usize = 4 * 1024;

/// Starts the thread `sse-<id>`.
pub(crate) fn start(
    mut connection: Connection,
    shared: &Arc<Shared>,
    sink: Sink,
    stack_size: usize,
) -> Result<(), Error> {
    connection.open_on_helpers();
    // It would be moved through half a dozen frames of the new thread's stack.
    let mut connection = Box::new(connection);
    shared.start_running();
    let own = Arc::clone(shared);
    let builder =
        thread::Builder::new().name(format!("sse-{}", shared.id)).stack_size(stack_size.saturating_add(EXTRA_STACK));
    let spawned = builder.spawn(move || {
        // Declared first, dropped last: after a join, the channel has ended and the socket is closed.
        let _leaving = Leaving(Arc::clone(&own));
        own.enter();
        let mut sender = EventSender::new(sink, Arc::clone(&own));
        let handed_over = match pump(&mut connection, &mut sender) {
            End::Failed(error) => sender.last(error),
            end => {
                sender.over(&end);
                true
            }
        };
        if !handed_over {
            // The stop came while the failure waited for room: the stop ended the connection.
            own.update(|life| life.ended(End::Stopped));
        }
        // User-supplied closures first: they may own part of the channel's other end.
        connection.close();
        // Either may contain a user-supplied error, whose drop may panic.
        let _ = catch_panic(|| drop(sender));
        // Last: to free a large request body takes milliseconds.
        let _ = catch_panic(|| drop(connection));
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

fn pump(connection: &mut Connection, sender: &mut EventSender) -> End {
    let pumped = catch_panic(|| {
        loop {
            let item = connection.next(None, || {
                sender.flush();
                sender.release();
            });
            match item {
                Next::Event(event) => sender.event(event),
                Next::End(end) => return end,
                Next::DeadlineReached => {}
            }
        }
    });
    // Panics of user-supplied code are caught elsewhere: this is a defect of the library, and must not look like a
    // clean end.
    pumped.unwrap_or_else(|Panicked| connection.handle_crash())
}
