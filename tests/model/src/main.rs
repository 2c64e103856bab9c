//! `cancel.rs`, `broadcast.rs`, `ledger.rs`, `member.rs`, `channel.rs`, `parking.rs` and `place.rs` of `src` in every interleaving: `cargo run --release`, at most three
//! preemptions a schedule; `cargo run --release -- 5` or `-- unbounded` for more.
//!
//! Loom runs each property below again and again, with every order of the steps of its threads that can make a difference.
//! A thread that is never woken is a deadlock, which loom reports; so is a failed assertion, with the order that led to it.

mod bursts;
mod crossbeam;
mod marks;
mod receivers;
mod socket;
mod stopping;
mod sync;
mod thread;

#[allow(dead_code, reason = "the model drives a part")]
mod cancel {
    include!(concat!(env!("OUT_DIR"), "/cancel.rs"));
}

#[allow(dead_code, reason = "the model drives a part")]
mod broadcast {
    include!(concat!(env!("OUT_DIR"), "/broadcast.rs"));
}

#[allow(dead_code, reason = "the model drives a part")]
mod gap {
    include!(concat!(env!("OUT_DIR"), "/gap.rs"));
}

#[allow(dead_code, reason = "the model drives a part")]
mod ledger {
    include!(concat!(env!("OUT_DIR"), "/ledger.rs"));
}

#[allow(dead_code, reason = "the model drives a part")]
mod place {
    include!(concat!(env!("OUT_DIR"), "/place.rs"));
}

#[allow(dead_code, reason = "the model drives a part")]
mod member {
    include!(concat!(env!("OUT_DIR"), "/member.rs"));
}

#[allow(dead_code, reason = "the model drives a part")]
mod channel {
    include!(concat!(env!("OUT_DIR"), "/channel.rs"));
}

#[allow(dead_code, reason = "the model drives a part")]
mod parking {
    include!(concat!(env!("OUT_DIR"), "/parking.rs"));
}

/// What the files know of the rest of the crate.
mod error {
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub(crate) struct Error;
}

mod event {
    use crate::gap::Gap;
    use crate::place::Place;
    use crate::sync::Arc;

    #[derive(Clone, Debug)]
    pub(crate) struct Event {
        data: u32,
        mark: Option<Arc<Mark>>,
    }

    #[derive(Debug)]
    enum Mark {
        Gap(Gap),
        Place(Place),
    }

    #[allow(non_snake_case, reason = "as if it were a tuple")]
    pub(crate) fn Event(data: u32) -> Event {
        Event { data, mark: None }
    }

    impl Event {
        pub(crate) fn data(&self) -> u32 {
            self.data
        }

        pub(crate) fn of_gap(gap: Gap) -> Self {
            Self { data: 0, mark: Some(Arc::new(Mark::Gap(gap))) }
        }

        pub(crate) fn gap(&self) -> Option<&Gap> {
            match self.mark.as_deref()? {
                Mark::Gap(gap) => Some(gap),
                Mark::Place(place) => place.gap(),
            }
        }

        pub(crate) fn without_content(&self) -> Self {
            Event(0)
        }

        pub(crate) fn placed(&self, place: Place) -> Self {
            Self { data: self.data, mark: Some(Arc::new(Mark::Place(place))) }
        }

        pub(crate) fn number(&self) -> Option<u64> {
            match self.mark.as_deref()? {
                Mark::Place(place) => Some(place.number()),
                Mark::Gap(_) => None,
            }
        }
    }

    impl PartialEq for Event {
        fn eq(&self, other: &Self) -> bool {
            self.gap() == other.gap() && self.data == other.data
        }
    }
}

mod spin {
    #[derive(Debug, Default)]
    pub(crate) struct AdaptiveSpin;

    impl AdaptiveSpin {
        /// Gives up after two attempts: what more of them would show, the first two do.
        pub(crate) fn spin_until<T>(&mut self, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
            attempt().or_else(attempt)
        }
    }
}

mod delivery {
    use crate::event::Event;
    use crate::handle::End;

    #[derive(Clone, Debug, PartialEq)]
    pub(crate) enum Delivery {
        Event(Event),
        End(End),
    }
}

mod handle {
    use crate::cancel::CancelToken;
    use crate::error::Error;
    use crate::sync::Arc;

    #[derive(Clone, Debug, PartialEq, Eq)]
    pub(crate) enum End {
        Stopped,
        Failed(Error),
    }

    pub(crate) struct Shared {
        pub(crate) id: Arc<str>,
        pub(crate) token: CancelToken,
        pub(crate) progress: std::sync::Mutex<Progress>,
    }

    #[derive(Default)]
    pub(crate) struct Progress {
        pub(crate) dropped: u64,
    }

    impl Shared {
        pub(crate) fn new() -> Arc<Self> {
            Arc::new(Self { id: Arc::from("model"), token: CancelToken::new(), progress: Default::default() })
        }

        pub(crate) fn stop(&self) {
            self.token.cancel();
        }

        pub(crate) fn end(&self) -> Option<End> {
            None
        }

        pub(crate) fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
            self.progress.lock().unwrap()
        }
    }
}

use std::sync::atomic::{AtomicU64, Ordering};

/// Runs a property in every interleaving, and prints how many there were.
fn check(property: &str, run: fn()) -> u64 {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    RUNS.store(0, Ordering::Relaxed);
    let mut model = loom::model::Builder::new();
    model.preemption_bound = std::env::args().nth(1).map_or(Some(3), |bound| bound.parse().ok());
    model.max_branches = 100_000;
    model.check(move || {
        RUNS.fetch_add(1, Ordering::Relaxed);
        run();
    });
    let runs = RUNS.load(Ordering::Relaxed);
    println!("{runs:>9}  {property}");
    runs
}

fn main() {
    println!("schedules  property");
    let total: u64 = stopping::PROPERTIES
        .iter()
        .chain(&receivers::PROPERTIES)
        .chain(&bursts::PROPERTIES)
        .chain(&marks::PROPERTIES)
        .map(|(name, run)| check(name, *run))
        .sum();
    println!("{total:>9}  in all");
}
