//! What tests of whole connections share: a client, policies without long waits, and a transcript that must be exhausted.

use std::fmt::Debug;
use std::time::Duration;

use http_sse::crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use http_sse::{Client, Error, Event, Events, RetryPolicy};

use super::deadline;

/// A client that no proxy of the environment reaches.
pub fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// Comes back after 10 ms, for ever.
pub fn quick() -> RetryPolicy {
    RetryPolicy::constant(Duration::from_millis(10)).max_retries(None)
}

/// Where callbacks write what they saw.
pub fn transcript<T>() -> (Sender<T>, Receiver<T>) {
    unbounded()
}

/// Waits for the next item of a channel, and fails at the caller's line after 10 s.
#[track_caller]
pub fn next<T>(channel: &Receiver<T>) -> T {
    match channel.recv_timeout(deadline()) {
        Ok(item) => item,
        Err(RecvTimeoutError::Timeout) => panic!("nothing came within {:?}", deadline()),
        Err(RecvTimeoutError::Disconnected) => panic!("the channel has ended"),
    }
}

#[track_caller]
pub fn next_event(events: &Receiver<Result<Event, Error>>) -> Event {
    match next(events) {
        Ok(event) => event,
        Err(error) => panic!("an error in place of an event: {error}"),
    }
}

#[track_caller]
pub fn next_data(events: &Receiver<Result<Event, Error>>) -> String {
    next_event(events).into_data()
}

/// Waits for the terminal error, after which the channel must have ended.
#[track_caller]
pub fn terminal_error(events: &Receiver<Result<Event, Error>>) -> Error {
    match next(events) {
        Ok(event) => panic!("an event in place of an error: {event:?}"),
        Err(error) => {
            assert_ended(events);
            error
        }
    }
}

/// Everything up to the channel's end, which has to come within 10 s.
#[track_caller]
pub fn rest<T>(channel: &Receiver<T>) -> Vec<T> {
    let mut items = Vec::new();
    loop {
        match channel.recv_timeout(deadline()) {
            Ok(item) => items.push(item),
            Err(RecvTimeoutError::Disconnected) => return items,
            Err(RecvTimeoutError::Timeout) => panic!("no end within {:?}, after {} items", deadline(), items.len()),
        }
    }
}

#[track_caller]
pub fn assert_ended<T: Debug>(channel: &Receiver<T>) {
    let surplus = rest(channel);
    assert!(surplus.is_empty(), "surplus: {surplus:?}");
}

/// Stops the connection: nothing that the test has not asked for may come out of it.
#[track_caller]
pub fn stop(events: &Events) {
    events.handle().stop();
    assert_ended(events);
    assert!(events.handle().join_timeout(deadline()), "the thread has not ended within {:?}", deadline());
}
