//! A stop ends every phase at once, however it is asked for, and leaves nothing behind.

mod callback;
mod channel;
mod own_thread;
mod pull;
mod way;

use http_sse::crossbeam_channel::RecvTimeoutError;
use http_sse::{Client, End, Event, Events, Handle};

use support::deadline;

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// Reads what is buffered up to the end of the channel; an `Err` in it fails the test.
#[track_caller]
fn drain(rx: &Events) -> Vec<String> {
    let mut data = Vec::new();
    loop {
        match rx.recv_timeout(deadline()) {
            Ok(event) => data.push(event.map(Event::into_data).unwrap()),
            Err(RecvTimeoutError::Disconnected) => return data,
            Err(RecvTimeoutError::Timeout) => panic!("the channel does not end"),
        }
    }
}

/// Checks what holds after every stop, once the channel has ended.
#[track_caller]
fn assert_gone(client: &Client, handle: &Handle) {
    assert!(handle.join_timeout(deadline()), "the thread does not end");
    assert!(matches!(handle.end(), Some(End::Stopped)), "{:?}", handle.end());
    assert!(handle.is_closed());
    assert_eq!(handle.stats().retry_in, None);
    assert_eq!(handle.stats().idle_for, None);
    assert!(client.handle(handle.id()).is_none_or(|other| other.end().is_none()));
}
