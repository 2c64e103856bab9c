//! A resolver that a stop reaches: the system's look-up runs in a helper thread that can be left behind.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, at, bounded, never, select};
use socket2::{Domain, Socket, Type};

use super::Fault;
use crate::stop::{Lap, lock};

/// `getaddrinfo` with the usual plug-ins fits well; only touched pages count.
const STACK: usize = 256 * 1024;
/// How many look-ups of one connection may hang in the system at once: redirects choose the names.
const MOST_PENDING: usize = 8;
/// The look-ups of one connection that an attempt has left behind; a retry waits for its own again.
#[derive(Debug, Default)]
pub(crate) struct Pending(Mutex<Vec<LookUp>>);

#[derive(Debug)]
struct LookUp {
    name: String,
    answer: Receiver<Answer>,
}

type Answer = io::Result<Vec<SocketAddr>>;

/// Returns the addresses of a host: a name, or an address without brackets, which needs no lookup unless it has a zone.
pub(crate) fn resolve(
    host: &str,
    port: u16,
    pending: &Pending,
    lap: &Lap,
    deadline: Option<Instant>,
) -> Result<Vec<SocketAddr>, Fault> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let addresses = look_up(format!("{host}:{port}"), pending, lap, deadline, ask_system)?;
    if addresses.is_empty() {
        return Err(Fault::Io(io::Error::new(io::ErrorKind::NotFound, "the host has no address")));
    }
    Ok(addresses)
}

/// Asks on a helper thread, unless one that still asks for this name was left behind.
fn look_up(
    name: String,
    pending: &Pending,
    lap: &Lap,
    deadline: Option<Instant>,
    ask: impl FnOnce(&str) -> Answer + Send + 'static,
) -> Result<Vec<SocketAddr>, Fault> {
    let look_up = match pending.take(&name) {
        Some(look_up) => look_up,
        None if pending.is_full() => {
            return Err(io::Error::other(format!("{MOST_PENDING} look-ups of this connection still hang")).into());
        }
        None => start(name, ask)?,
    };
    select! {
        recv(look_up.answer) -> answer => {
            let ended = || io::Error::other("the look-up thread ended without an answer");
            Ok(answer.unwrap_or_else(|_| Err(ended()))?)
        }
        recv(lap.cut_signal()) -> _ => {
            pending.put(look_up);
            Err(Fault::Cancelled)
        }
        recv(deadline.map_or_else(never, at)) -> _ => {
            pending.put(look_up);
            Err(Fault::DeadlineReached)
        }
    }
}

impl Pending {
    /// Takes a look-up of this name that still runs, or has just found something.
    fn take(&self, name: &str) -> Option<LookUp> {
        let mut pending = lock(&self.0);
        let found = pending.iter().position(|look_up| look_up.name == name)?;
        let look_up = pending.swap_remove(found);
        match look_up.answer.try_recv() {
            // A failure of minutes ago says nothing about now.
            Ok(Err(_)) => None,
            Ok(Ok(addresses)) => {
                let (sender, answer) = bounded(1);
                // Room for one: cannot fail.
                let _ = sender.send(Ok(addresses));
                Some(LookUp { answer, ..look_up })
            }
            Err(_) => Some(look_up),
        }
    }

    fn put(&self, look_up: LookUp) {
        lock(&self.0).push(look_up);
    }

    /// Forgets those that are answered, and tells whether as many as may be still run.
    fn is_full(&self) -> bool {
        let mut pending = lock(&self.0);
        pending.retain(|old| old.answer.is_empty());
        pending.len() >= MOST_PENDING
    }
}

fn ask_system(name: &str) -> Answer {
    match name.to_socket_addrs() {
        Ok(addresses) => Ok(addresses.collect()),
        Err(error) => Err(out_of_descriptors().unwrap_or(error)),
    }
}

/// Returns the error of a process that may open no more files: the system's resolver calls that a temporary failure.
fn out_of_descriptors() -> Option<io::Error> {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    let error = Socket::new(Domain::IPV4, Type::DGRAM, None).err()?;
    (cfg!(unix) && matches!(error.raw_os_error(), Some(ENFILE | EMFILE))).then_some(error)
}

fn start(name: String, ask: impl FnOnce(&str) -> Answer + Send + 'static) -> io::Result<LookUp> {
    let (sender, answer) = bounded(1);
    let asked = name.clone();
    thread::Builder::new().name("sse-dns".into()).stack_size(STACK).spawn(move || {
        // Nobody listens any more when the connection is gone: nothing to do about it.
        let _ = sender.send(ask(&asked));
    })?;
    Ok(LookUp { name, answer })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use crossbeam_channel::Sender;

    use super::*;
    use crate::stop::{StopToken, deadline};

    const SECONDS: Duration = Duration::from_secs(10);
    const MOMENT: Duration = Duration::from_millis(20);

    /// A resolver that answers when it is told to.
    struct Stage {
        token: Arc<StopToken>,
        pending: Arc<Pending>,
        asked: Arc<AtomicUsize>,
        answers: Sender<Answer>,
        orders: Receiver<Answer>,
    }

    impl Stage {
        fn new() -> Self {
            let (answers, orders) = bounded(0);
            Self { token: Arc::new(StopToken::new()), pending: Arc::default(), asked: Arc::default(), answers, orders }
        }

        fn look_up(&self, name: &str, timeout: Duration) -> Result<Vec<SocketAddr>, Why> {
            let lap = self.token.current_lap();
            let (asked, orders) = (Arc::clone(&self.asked), self.orders.clone());
            let ask = move |_: &str| {
                asked.fetch_add(1, Ordering::SeqCst);
                orders.recv().unwrap_or_else(|_| Err(io::ErrorKind::NotConnected.into()))
            };
            let deadline = deadline(Instant::now(), timeout);
            look_up(name.to_owned(), &self.pending, &lap, deadline, ask).map_err(|fault| match fault {
                Fault::DeadlineReached => Why::Late,
                Fault::Cancelled => Why::Cut,
                _ => Why::Failed,
            })
        }

        #[track_caller]
        fn answer(&self, answer: Answer) {
            self.answers.send_timeout(answer, SECONDS).unwrap();
            // The helper thread hands it on.
            let until = Instant::now() + SECONDS;
            while lock(&self.pending.0).iter().any(|look_up| look_up.answer.is_empty()) {
                assert!(Instant::now() < until);
                thread::yield_now();
            }
        }

        #[track_caller]
        fn assert_asked(&self, times: usize) {
            let until = Instant::now() + SECONDS;
            while self.asked.load(Ordering::SeqCst) < times {
                assert!(Instant::now() < until);
                thread::yield_now();
            }
            assert_eq!(self.asked.load(Ordering::SeqCst), times);
        }
    }

    fn home() -> Vec<SocketAddr> {
        vec![SocketAddr::from(([127, 0, 0, 1], 80))]
    }

    #[derive(Debug, PartialEq, Eq)]
    enum Why {
        Late,
        Cut,
        Failed,
    }

    const LATE: Result<Vec<SocketAddr>, Why> = Err(Why::Late);
    const CUT: Result<Vec<SocketAddr>, Why> = Err(Why::Cut);

    #[test]
    fn a_stop_ends_a_look_up_that_hangs() {
        let stage = Stage::new();
        let token = Arc::clone(&stage.token);
        let asked = Arc::clone(&stage.asked);
        let stopper = thread::spawn(move || {
            while asked.load(Ordering::SeqCst) == 0 {
                thread::yield_now();
            }
            token.stop();
        });
        assert_eq!(stage.look_up("slow:80", Duration::MAX), CUT);
        stopper.join().unwrap();
    }

    #[test]
    fn a_reconnect_waits_for_the_look_up_that_it_interrupted() {
        let stage = Stage::new();
        stage.token.reconnect();
        assert_eq!(stage.look_up("slow:80", Duration::MAX), CUT);
        assert!(stage.token.next_lap().is_ok());
        assert_eq!(stage.look_up("slow:80", MOMENT), LATE);
        stage.answer(Ok(home()));
        assert_eq!(stage.look_up("slow:80", SECONDS), Ok(home()));
        stage.assert_asked(1);
    }

    #[test]
    fn a_look_up_that_hangs_ends_with_the_connect_timeout() {
        let stage = Stage::new();
        assert_eq!(stage.look_up("slow:80", MOMENT), LATE);
    }

    #[test]
    fn a_retry_waits_for_the_look_up_that_was_left_behind() {
        let stage = Stage::new();
        assert_eq!(stage.look_up("slow:80", MOMENT), LATE);
        assert_eq!(stage.look_up("slow:80", MOMENT), LATE);
        let answers = stage.answers.clone();
        let answerer = thread::spawn(move || answers.send_timeout(Ok(home()), SECONDS).unwrap());
        assert_eq!(stage.look_up("slow:80", SECONDS), Ok(home()));
        answerer.join().unwrap();
        stage.assert_asked(1);
    }

    #[test]
    fn a_failure_that_came_too_late_is_asked_again() {
        let stage = Stage::new();
        assert_eq!(stage.look_up("slow:80", MOMENT), LATE);
        stage.answer(Err(io::ErrorKind::NotFound.into()));
        assert_eq!(stage.look_up("slow:80", MOMENT), LATE);
        stage.assert_asked(2);
    }

    #[test]
    fn another_name_does_not_wait_for_the_first() {
        let stage = Stage::new();
        assert_eq!(stage.look_up("slow:80", MOMENT), LATE);
        assert_eq!(stage.look_up("slow:81", MOMENT), LATE);
        stage.assert_asked(2);
    }

    #[test]
    fn no_more_look_ups_hang_at_once_than_may() {
        let stage = Stage::new();
        for number in 0..MOST_PENDING {
            assert_eq!(stage.look_up(&format!("{number}:80"), MOMENT), LATE);
        }
        assert_eq!(stage.look_up("another:80", SECONDS), Err(Why::Failed));
        assert_eq!(stage.look_up("0:80", MOMENT), LATE);
        stage.assert_asked(MOST_PENDING);
    }

    #[test]
    fn an_address_needs_no_look_up() {
        let lap = StopToken::new().current_lap();
        for (host, address) in [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80")] {
            let resolved = resolve(host, 80, &Pending::default(), &lap, None).unwrap();
            assert_eq!(resolved, [address.parse().unwrap()], "{host}");
        }
    }
}
