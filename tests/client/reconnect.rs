//! `Handle::reconnect` in every state, and what `wait_open`, `state` and `stats` tell about a connection.

mod again;
mod open;
mod pace;
mod stats;

use std::time::Duration;

use http_sse::testing::{Peer, Server};
use http_sse::{Client, Events, Request, RetryPolicy};

use support::deadline;

/// Longer than any test.
const HOUR: Duration = Duration::from_secs(3600);

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// A request that by itself does not come back within the test.
fn patient(server: &Server) -> Request {
    Request::get(server.url("/events")).retry(RetryPolicy::constant(HOUR))
}

/// A request whose connection may be told again and again to connect.
fn prompt(server: &Server) -> Request {
    Request::get(server.url("/events")).retry(RetryPolicy::constant(Duration::from_millis(1)).max_retries(None))
}

fn streaming(server: &Server) -> Peer {
    let mut peer = server.accept();
    peer.stream();
    peer
}

#[track_caller]
fn next_data(rx: &Events) -> String {
    rx.recv_timeout(deadline()).unwrap().unwrap().into_data()
}
