//! How a loop over a channel waits.

use std::hint;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError};

/// How long a loop that finds the channel empty leaves it alone before it looks again.
///
/// A receiver that looks all the time takes the memory that the sender is writing to away from it, and both become slower
/// by several times. So it lets some events gather. Where none do, as on all but the busiest streams, it looks once, after
/// a microsecond, before the thread goes to sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// The last wait was long.
    Little,
    /// Events came while the thread was awake.
    Much,
}

impl Patience {
    /// Receives; `None` once the channel has ended.
    #[inline]
    pub(super) fn recv<T>(&mut self, receiver: &Receiver<T>) -> Option<T> {
        match receiver.try_recv() {
            Ok(item) => Some(item),
            Err(TryRecvError::Disconnected) => None,
            Err(TryRecvError::Empty) => self.wait(receiver),
        }
    }

    fn wait<T>(&mut self, receiver: &Receiver<T>) -> Option<T> {
        match self.look(receiver) {
            Err(TryRecvError::Empty) => receiver.recv().ok(),
            found => found.ok(),
        }
    }

    /// Looks a few times, and learns from it.
    fn look<T>(&mut self, receiver: &Receiver<T>) -> Result<T, TryRecvError> {
        let (looks, pause) = match self {
            Self::Little => (1, Duration::from_micros(1)),
            Self::Much => (3, Duration::from_micros(4)),
        };
        for _ in 0..looks {
            let start = Instant::now();
            while start.elapsed() < pause {
                hint::spin_loop();
            }
            match receiver.try_recv() {
                Err(TryRecvError::Empty) => {}
                found => {
                    *self = Self::Much;
                    return found;
                }
            }
        }
        *self = Self::Little;
        Err(TryRecvError::Empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::thread;

    use crossbeam_channel::bounded;

    #[test]
    fn everything_is_received_in_order_and_then_the_end() {
        let (sender, receiver) = bounded(3);
        let producer = thread::spawn(move || (0..10_000).for_each(|number| sender.send(number).unwrap()));
        let mut patience = Patience::Little;
        let received: Vec<i32> = std::iter::from_fn(|| patience.recv(&receiver)).collect();
        producer.join().unwrap();
        assert_eq!(received, (0..10_000).collect::<Vec<_>>());
    }

    #[test]
    fn an_empty_channel_uses_the_patience_up_and_an_item_renews_it() {
        let (sender, receiver) = bounded(1);
        let mut patience = Patience::Much;
        assert_eq!((patience.look(&receiver), patience), (Err(TryRecvError::Empty), Patience::Little));
        sender.send(7).unwrap();
        assert_eq!((patience.look(&receiver), patience), (Ok(7), Patience::Much));
        drop(sender);
        assert_eq!(patience.look(&receiver), Err(TryRecvError::Disconnected));
    }
}
