//! The client's side, which is the same for all servers: a thousand events, and the count of what came.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use http_sse::{Client, ClientBuilder, End, Events, Handle, Request, RetryPolicy};

use crate::program::say;
use crate::source::{Break, EVENTS, Source};

const DEADLINE: Duration = Duration::from_secs(10);

/// A stream of a thousand events.
pub(crate) struct Delivery {
    events: Events,
    failures: Arc<AtomicUsize>,
    received: Vec<String>,
    breaks: usize,
}

impl Delivery {
    /// Connects. The channel has room for all events, so that the test can count them when all is over.
    pub(crate) fn start(client: ClientBuilder, url: &str) -> Self {
        Self::of(client, Request::get(url))
    }

    /// The same with gzip, of which each stream must make use.
    pub(crate) fn compressed(client: ClientBuilder, url: &str) -> Self {
        Self::of(
            client,
            Request::get(url)
                .accept_gzip()
                .on_open(|opened| assert_eq!(opened.header("content-encoding"), Some("gzip"), "it is not compressed")),
        )
    }

    fn of(client: ClientBuilder, request: Request) -> Self {
        let failures = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&failures);
        let delay = Duration::from_millis(10);
        let request = request
            .retry(RetryPolicy::constant(delay).max_retries(None).server_delay(delay..=DEADLINE))
            .capacity(2 * EVENTS)
            .until(|event| event.data() == "last")
            .on_error(move |error| {
                counted.fetch_add(1, Ordering::SeqCst);
                log::debug!("{error}");
            });
        let events = client.build().unwrap().connect("interop", request).unwrap();
        Self { events, failures, received: Vec::new(), breaks: 0 }
    }

    pub(crate) fn handle(&self) -> Handle {
        self.events.handle()
    }

    /// Waits until so many events have come.
    pub(crate) fn receive(&mut self, count: usize) {
        while self.received.len() < count {
            match self.events.recv_timeout(DEADLINE) {
                Ok(event) => self.received.push(event.unwrap().into_data()),
                Err(error) => panic!("{error} after {} events: {:?}", self.received.len(), self.handle()),
            }
        }
    }

    /// Counts one thing that broke the stream.
    pub(crate) fn broken(&mut self) {
        self.breaks += 1;
    }

    /// Receives what is left, and checks that each event came once and in order.
    pub(crate) fn finish(mut self, what: &str) {
        while self.received.len() < 2 * EVENTS {
            match self.events.recv_timeout(DEADLINE) {
                Ok(event) => self.received.push(event.unwrap().into_data()),
                Err(error) if error.is_disconnected() => break,
                Err(error) => panic!("{error} after {} events: {:?}", self.received.len(), self.handle()),
            }
        }
        let handle = self.events.handle();
        assert!(handle.join_timeout(DEADLINE), "the connection's thread is still there");
        let (attempts, failures) = (handle.stats().attempts, self.failures.load(Ordering::SeqCst));
        let expected: Vec<String> = (1..=EVENTS).map(|number| number.to_string()).collect();
        let lost = expected.iter().filter(|data| !self.received.contains(data)).count();
        let doubled = self.received.len() + lost - EVENTS;
        say(&format!(
            "{what}: {} events received, {lost} lost, {doubled} doubled; {} breaks, {attempts} requests, \
             {failures} reported failures",
            self.received.len(),
            self.breaks
        ));
        assert_eq!((lost, doubled), (0, 0));
        assert!(self.received == expected, "the events came out of order");
        assert!(matches!(handle.end(), Some(End::NoContent | End::Until)), "{:?}", handle.end());
        assert!(attempts as usize > self.breaks / 2, "the stream was hardly ever broken: {attempts} requests");
    }
}

/// Reads all events of the source through something, while both break.
///
/// The manners take turns; where one is `None`, the closure breaks what stands between.
pub(crate) fn through(
    what: &str,
    client: ClientBuilder,
    url: &str,
    source: &Source,
    manners: &[Option<Break>],
    break_between: impl FnMut(),
) {
    let delivery = Delivery::start(client, url);
    source.next_request();
    rest_through(what, delivery, source, manners, break_between);
}

/// The same through something that holds nothing back: each of the first events is sent when the one before it has come.
pub(crate) fn promptly_through(
    what: &str,
    mut delivery: Delivery,
    source: &Source,
    manners: &[Option<Break>],
    break_between: impl FnMut(),
) {
    source.next_request();
    for number in 1..BURST / 2 {
        source.release(number);
        delivery.receive(number);
    }
    rest_through(what, delivery, source, manners, break_between);
}

const BURST: usize = 50;

fn rest_through(
    what: &str,
    mut delivery: Delivery,
    source: &Source,
    manners: &[Option<Break>],
    mut break_between: impl FnMut(),
) {
    for (burst, manner) in (BURST..EVENTS).step_by(BURST).zip(manners.iter().cycle()) {
        source.release(burst);
        match manner {
            Some(Break::Reset) => restart(source, &delivery.handle()),
            Some(manner) => source.break_streams(*manner),
            None => break_between(),
        }
        delivery.broken();
        source.next_request();
    }
    source.release(EVENTS);
    delivery.finish(what);
}

/// What a restart of the server looks like from outside: its connections are reset, and its port is closed for a while.
fn restart(source: &Source, client: &Handle) {
    source.server().refuse().unwrap();
    source.break_streams(Break::Reset);
    let (until, before) = (Instant::now() + DEADLINE, client.stats().attempts);
    while client.stats().attempts < before + 2 {
        assert!(Instant::now() < until, "the client does not come back: {client:?}");
        thread::sleep(Duration::from_millis(1));
    }
    source.server().resume().unwrap();
}

/// Returns a client that goes straight to the server.
pub(crate) fn client() -> ClientBuilder {
    Client::builder().no_proxy()
}

pub(crate) fn url(address: SocketAddr) -> String {
    format!("http://{address}/events")
}
