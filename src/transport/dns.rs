//! A resolver that can be cancelled: the system's lookup runs in a helper thread that can be left behind.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, at, bounded, never, select};
use socket2::{Domain, Socket, Type};

use super::Fault;
use crate::cancel::AttemptToken;
use crate::sync::lock;

/// `getaddrinfo` with the usual plug-ins fits well; only touched pages count.
const STACK: usize = 256 * 1024;
/// The maximum number of pending lookups of one client: redirects choose the names.
const MAX_PENDING: usize = 32;

/// The pending lookups of a client, by name: all connections that need the same name wait for the same lookup.
///
/// A lookup without waiting connections stays here, and its result serves the next one that needs the name.
#[derive(Debug, Default)]
pub(crate) struct PendingLookups(Mutex<Vec<Arc<Lookup>>>);

#[derive(Debug)]
struct Lookup {
    name: String,
    result: Mutex<Option<LookupResult>>,
    /// Disconnects once the result is there.
    done: Receiver<Infallible>,
}

type LookupResult = io::Result<Vec<SocketAddr>>;

/// Returns the addresses of a host: a name, or an address without brackets, which needs no lookup unless it has a zone.
///
/// If the system refuses a thread, the lookup runs on the caller's: then a stop waits until it ends.
pub(crate) fn resolve(
    host: &str,
    port: u16,
    pending: &PendingLookups,
    attempt: &AttemptToken,
    deadline: Option<Instant>,
) -> Result<Vec<SocketAddr>, Fault> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let addresses = pending.resolve(format!("{host}:{port}"), attempt, deadline, STACK, system_lookup)?;
    if addresses.is_empty() {
        return Err(Fault::Io(io::Error::new(io::ErrorKind::NotFound, "the host has no address")));
    }
    Ok(addresses)
}

impl PendingLookups {
    fn resolve(
        &self,
        name: String,
        attempt: &AttemptToken,
        deadline: Option<Instant>,
        stack: usize,
        look_up: impl FnOnce(&str) -> LookupResult + Clone + Send + 'static,
    ) -> Result<Vec<SocketAddr>, Fault> {
        let Some(lookup) = self.join_or_start(&name, stack, look_up.clone())? else {
            let result = look_up(&name);
            return if attempt.is_cancelled() { Err(Fault::Cancelled) } else { Ok(result?) };
        };
        select! {
            recv(lookup.done) -> _ => {}
            recv(attempt.cancelled()) -> _ => return Err(Fault::Cancelled),
            recv(deadline.map_or_else(never, at)) -> _ => return Err(Fault::DeadlineReached),
        }
        self.remove(&lookup);
        Ok(lookup.result()?)
    }

    /// Returns the lookup of this name: a pending one, one with an unused result, or a new one. `None` if the system
    /// refuses a thread.
    fn join_or_start(
        &self,
        name: &str,
        stack: usize,
        look_up: impl FnOnce(&str) -> LookupResult + Send + 'static,
    ) -> Result<Option<Arc<Lookup>>, Fault> {
        let mut lookups = lock(&self.0);
        if let Some(place) = lookups.iter().position(|lookup| lookup.name == name) {
            // An old failure says nothing about the present.
            if !lookups[place].has_failed() {
                return Ok(Some(Arc::clone(&lookups[place])));
            }
            lookups.swap_remove(place);
        }
        if lookups.len() >= MAX_PENDING {
            lookups.retain(|lookup| !lookup.is_done());
        }
        if lookups.len() >= MAX_PENDING {
            return Err(io::Error::other(format!("{MAX_PENDING} DNS lookups of this client are still pending")).into());
        }
        let (sender, done) = bounded(0);
        let lookup = Arc::new(Lookup { name: name.to_owned(), result: Mutex::new(None), done });
        let shared = Arc::clone(&lookup);
        let helper = thread::Builder::new().name("sse-dns".into()).stack_size(stack).spawn(move || {
            // Dropped last, also during a panic.
            let _done = sender;
            let result = look_up(&shared.name);
            *lock(&shared.result) = Some(result);
        });
        if helper.is_err() {
            return Ok(None);
        }
        lookups.push(Arc::clone(&lookup));
        Ok(Some(lookup))
    }

    fn remove(&self, taken: &Arc<Lookup>) {
        lock(&self.0).retain(|lookup| !Arc::ptr_eq(lookup, taken));
    }
}

impl Lookup {
    fn is_done(&self) -> bool {
        lock(&self.result).is_some()
    }

    fn has_failed(&self) -> bool {
        matches!(*lock(&self.result), Some(Err(_)))
    }

    /// Several connections may read it.
    fn result(&self) -> LookupResult {
        match &*lock(&self.result) {
            Some(Ok(addresses)) => Ok(addresses.clone()),
            Some(Err(error)) => Err(match error.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(error.kind(), error.to_string()),
            }),
            None => Err(io::Error::other("the DNS lookup thread ended without a result")),
        }
    }
}

fn system_lookup(name: &str) -> LookupResult {
    match name.to_socket_addrs() {
        Ok(addresses) => Ok(addresses.collect()),
        Err(error) => Err(out_of_descriptors().unwrap_or(error)),
    }
}

/// Returns the error of a process with too many open files: the system's resolver reports it as a temporary failure.
fn out_of_descriptors() -> Option<io::Error> {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    let error = Socket::new(Domain::IPV4, Type::DGRAM, None).err()?;
    (cfg!(unix) && matches!(error.raw_os_error(), Some(ENFILE | EMFILE))).then_some(error)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use crossbeam_channel::Sender;

    use super::*;
    use crate::cancel::CancelToken;
    use crate::sync::deadline;

    const SECONDS: Duration = Duration::from_secs(10);
    const MOMENT: Duration = Duration::from_millis(20);

    /// A resolver that answers on command.
    struct Stage {
        token: Arc<CancelToken>,
        pending: Arc<PendingLookups>,
        asked: Arc<AtomicUsize>,
        answers: Sender<LookupResult>,
        orders: Receiver<LookupResult>,
    }

    impl Stage {
        fn new() -> Self {
            let (answers, orders) = bounded(0);
            Self {
                token: Arc::new(CancelToken::new()),
                pending: Arc::default(),
                asked: Arc::default(),
                answers,
                orders,
            }
        }

        fn look_up(&self, name: &str, timeout: Duration) -> Result<Vec<SocketAddr>, Why> {
            self.look_up_with(name, timeout, STACK)
        }

        fn look_up_with(&self, name: &str, timeout: Duration, stack: usize) -> Result<Vec<SocketAddr>, Why> {
            let attempt = self.token.current_attempt();
            let (asked, orders) = (Arc::clone(&self.asked), self.orders.clone());
            let look_up = move |_: &str| {
                asked.fetch_add(1, Ordering::SeqCst);
                orders.recv().unwrap_or_else(|_| Err(io::ErrorKind::NotConnected.into()))
            };
            let deadline = deadline(Instant::now(), timeout);
            self.pending.resolve(name.to_owned(), &attempt, deadline, stack, look_up).map_err(|fault| match fault {
                Fault::DeadlineReached => Why::Late,
                Fault::Cancelled => Why::Cancelled,
                _ => Why::Failed,
            })
        }

        #[track_caller]
        fn answer(&self, answer: LookupResult) {
            self.answers.send_timeout(answer, SECONDS).unwrap();
            // The helper thread hands it on.
            let until = Instant::now() + SECONDS;
            while lock(&self.pending.0).iter().any(|lookup| !lookup.is_done()) {
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
        Cancelled,
        Failed,
    }

    const LATE: Result<Vec<SocketAddr>, Why> = Err(Why::Late);
    const CANCELLED: Result<Vec<SocketAddr>, Why> = Err(Why::Cancelled);

    #[test]
    fn a_stop_ends_a_dns_lookup_that_hangs() {
        let stage = Stage::new();
        let token = Arc::clone(&stage.token);
        let asked = Arc::clone(&stage.asked);
        let stopper = thread::spawn(move || {
            while asked.load(Ordering::SeqCst) == 0 {
                thread::yield_now();
            }
            token.cancel();
        });
        assert_eq!(stage.look_up("slow:80", Duration::MAX), CANCELLED);
        stopper.join().unwrap();
    }

    #[test]
    fn a_reconnect_waits_for_the_dns_lookup_that_it_interrupted() {
        let stage = Stage::new();
        stage.token.reconnect();
        assert_eq!(stage.look_up("slow:80", Duration::MAX), CANCELLED);
        assert!(stage.token.next_attempt().is_ok());
        assert_eq!(stage.look_up("slow:80", MOMENT), LATE);
        stage.answer(Ok(home()));
        assert_eq!(stage.look_up("slow:80", SECONDS), Ok(home()));
        stage.assert_asked(1);
    }

    #[test]
    fn a_dns_lookup_that_hangs_ends_with_the_connect_timeout() {
        let stage = Stage::new();
        assert_eq!(stage.look_up("slow:80", MOMENT), LATE);
    }

    #[test]
    fn a_retry_waits_for_the_dns_lookup_that_is_still_pending() {
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
    fn no_more_lookups_hang_at_once_than_may() {
        let stage = Stage::new();
        for number in 0..MAX_PENDING {
            assert_eq!(stage.look_up(&format!("{number}:80"), MOMENT), LATE);
        }
        assert_eq!(stage.look_up("another:80", SECONDS), Err(Why::Failed));
        assert_eq!(stage.look_up("0:80", MOMENT), LATE);
        stage.assert_asked(MAX_PENDING);
    }

    #[test]
    fn all_connections_of_a_client_wait_for_one_lookup_of_a_name() {
        let stage = Stage::new();
        for _ in 0..3 * MAX_PENDING {
            assert_eq!(stage.look_up("slow:80", Duration::from_millis(1)), LATE);
        }
        thread::scope(|scope| {
            let waiting = [(), ()].map(|()| scope.spawn(|| stage.look_up("slow:80", SECONDS)));
            // Both have a clone of it, beside the list's and that of its thread.
            let until = Instant::now() + SECONDS;
            while lock(&stage.pending.0).iter().any(|lookup| Arc::strong_count(lookup) < 4) {
                assert!(Instant::now() < until);
                thread::yield_now();
            }
            stage.answers.send_timeout(Ok(home()), SECONDS).unwrap();
            assert_eq!(waiting.map(|waiting| waiting.join().unwrap()), [Ok(home()), Ok(home())]);
        });
        stage.assert_asked(1);
        assert!(lock(&stage.pending.0).is_empty());
    }

    #[cfg(target_pointer_width = "64")]
    #[test]
    fn where_a_thread_is_refused_the_caller_asks() {
        let stage = Stage::new();
        let answers = stage.answers.clone();
        let answerer = thread::spawn(move || answers.send_timeout(Ok(home()), SECONDS).unwrap());
        // No system has that much.
        assert_eq!(stage.look_up_with("slow:80", MOMENT, 1 << 60), Ok(home()));
        answerer.join().unwrap();
        assert!(lock(&stage.pending.0).is_empty());
    }

    #[test]
    fn an_address_needs_no_dns_lookup() {
        let attempt = CancelToken::new().current_attempt();
        for (host, address) in [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80")] {
            let resolved = resolve(host, 80, &PendingLookups::default(), &attempt, None).unwrap();
            assert_eq!(resolved, [address.parse().unwrap()], "{host}");
        }
    }
}
