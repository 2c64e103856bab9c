//! A reader that is asked now and then, and must not wait.

use http_sse::testing::Server;
use http_sse::{Client, NextTimeoutError, Request, RetryPolicy};
use std::time::Duration;

use support::wait_until;

#[test]
fn polls_without_any_time_still_receive_what_has_arrived() {
    let server = Server::start().unwrap();
    let client = Client::builder().no_proxy().build().unwrap();
    let mut reader = client.read("poll", Request::get(server.url("/")).retry(RetryPolicy::never())).unwrap();
    assert!(matches!(reader.next_timeout(Duration::ZERO), Err(NextTimeoutError::Timeout)));
    let mut peer = server.accept();
    peer.stream();
    peer.send("data: a\n\ndata: b\n\n");
    for data in ["a", "b"] {
        wait_until(|| reader.next_timeout(Duration::ZERO).is_ok_and(|event| event.unwrap().data() == data));
    }
    assert!(matches!(reader.next_timeout(Duration::ZERO), Err(NextTimeoutError::Timeout)));
    peer.end();
    wait_until(|| matches!(reader.next_timeout(Duration::ZERO), Err(NextTimeoutError::Ended)));
}
