//! Runs one connection to its end, and returns what its consumer and its server saw.

use std::time::Duration;

use http_sse::crossbeam_channel::RecvTimeoutError;
use http_sse::testing::{Peer, ReceivedRequest, Server};
use http_sse::{Client, End, Error, Event, Events, Request, RetryPolicy};

/// How long a test waits for anything before it fails.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// What a consumer saw of a connection.
#[derive(Debug)]
pub struct Seen {
    pub data: Vec<String>,
    pub error: Option<Error>,
    pub end: End,
    /// How many requests the connection made, redirects not counted.
    pub attempts: u64,
    pub last_status: Option<u16>,
}

impl Seen {
    /// The failure that ended the connection.
    #[track_caller]
    pub fn failure(&self) -> &Error {
        match (&self.error, &self.end) {
            (Some(error), End::Failed(same)) => {
                assert_eq!(error.to_string(), same.to_string());
                error
            }
            other => panic!("it has not failed: {other:?}"),
        }
    }
}

/// A client whom the machine's proxy does not concern.
pub fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// Waits as little as possible, and gives up after this many retries.
pub fn retries(count: u32) -> RetryPolicy {
    RetryPolicy::constant(Duration::from_millis(1)).max_retries(count)
}

/// Runs a request to its end.
#[track_caller]
pub fn run(request: Request) -> Seen {
    let events = client().connect("exchange", request).unwrap();
    drain(&events)
}

/// Takes everything up to the end, which must come within 10 s, and checks that an `Err` is the last item.
#[track_caller]
pub fn drain(events: &Events) -> Seen {
    let (mut data, mut error) = (Vec::new(), None);
    loop {
        match events.recv_timeout(DEADLINE) {
            Err(RecvTimeoutError::Timeout) => panic!("no end within {DEADLINE:?} after {data:?}"),
            Err(RecvTimeoutError::Disconnected) => break,
            Ok(item) if error.is_some() => panic!("{item:?} after {error:?}"),
            Ok(Ok(event)) => data.push(Event::into_data(event)),
            Ok(Err(last)) => error = Some(last),
        }
    }
    let handle = events.handle();
    assert!(handle.join_timeout(DEADLINE), "the thread is still there");
    let stats = handle.stats();
    Seen { data, error, end: handle.end().unwrap(), attempts: stats.attempts, last_status: stats.last_status }
}

/// Returns what a request looks like on the wire; `to` gets the server's URL, without a path.
#[track_caller]
pub fn asked(to: impl FnOnce(String) -> Request) -> ReceivedRequest {
    asked_by(&client(), to)
}

/// The same for a client with settings of its own.
#[track_caller]
pub fn asked_by(client: &Client, to: impl FnOnce(String) -> Request) -> ReceivedRequest {
    let server = Server::start().unwrap();
    let origin = server.url("/").trim_end_matches('/').to_owned();
    let events = client.connect("asked", to(origin)).unwrap();
    let mut peer = server.accept();
    let asked = peer.request().clone();
    peer.respond(204, &[], "");
    let seen = drain(&events);
    assert!(matches!(seen.end, End::NoContent), "{seen:?}");
    assert_eq!(server.connections(), 1);
    asked
}

/// Runs one attempt, without retry, against a server that answers it by `script`.
#[track_caller]
pub fn answered(script: impl FnMut(usize, Peer) + Send + 'static) -> Seen {
    let server = Server::serve(script).unwrap();
    run(Request::get(server.url("/")).retry(RetryPolicy::never()))
}
