//! The cancel token against a connection's thread.

use loom::thread;

use crate::cancel::{AttemptToken, CancelToken};
use crate::socket::Socket;
use crate::sync::Arc;

pub(crate) const PROPERTIES: [(&str, fn()); 8] = [
    ("a stop ends a thread that connects and reads", stop_ends_a_read),
    ("a stop ends a thread that waits between attempts", stop_ends_a_wait),
    ("a stop beside a reconnect ends the thread", stop_and_reconnect),
    ("a stop ends two connects that run side by side", stop_ends_two_connects),
    ("two stops and a thread: the socket is shut down exactly once", two_stops),
    ("a reconnect ends the read of its attempt, and the next attempt begins", reconnect_begins_the_next_attempt),
    ("a reconnect_now beside a reconnect is never lost", urgency_beside_a_reconnect),
    ("what is delivered waits for the stop, not for a reconnect", delivery_outlives_a_reconnect),
];

/// What a connection does with the token: a socket in each attempt, and the next attempt after a cancel, until the stop.
fn connection(token: &CancelToken, mut attempt: Arc<AttemptToken>) {
    loop {
        let socket = Socket::new();
        match attempt.register_shutdown(socket.weak()) {
            Ok(()) => {
                socket.read();
                assert!(attempt.is_cancelled(), "shut down without a cancel");
            }
            Err(_) => assert!(attempt.is_cancelled()),
        }
        match token.next_attempt() {
            Ok(next) => attempt = next,
            Err(_) => break,
        }
    }
    assert!(token.is_cancelled());
}

fn spawn_connection(token: &Arc<CancelToken>) -> thread::JoinHandle<()> {
    let (token, attempt) = (Arc::clone(token), token.current_attempt());
    thread::spawn(move || connection(&token, attempt))
}

fn stop_ends_a_read() {
    let token = Arc::new(CancelToken::new());
    let connection = spawn_connection(&token);
    token.cancel();
    connection.join().unwrap();
    assert!(token.next_attempt().is_err());
    assert!(token.current_attempt().register_shutdown(Socket::new().weak()).is_err() || token.is_cancelled());
}

/// As with two addresses of a host: the connection's thread registers both sockets, and a helper waits for each.
fn stop_ends_two_connects() {
    let token = Arc::new(CancelToken::new());
    let attempt = token.current_attempt();
    let connection = thread::spawn(move || {
        let helpers: Vec<_> = (0..2)
            .map_while(|_| {
                let socket = Socket::new();
                attempt.register_shutdown(socket.weak()).ok()?;
                Some(thread::spawn(move || socket.read()))
            })
            .collect();
        assert!(helpers.len() == 2 || attempt.is_cancelled());
        helpers.into_iter().for_each(|helper| helper.join().unwrap());
        assert!(attempt.is_cancelled(), "shut down without a cancel");
    });
    token.cancel();
    connection.join().unwrap();
}

fn stop_ends_a_wait() {
    let token = Arc::new(CancelToken::new());
    let other = Arc::clone(&token);
    let waiting = thread::spawn(move || {
        // As after a failed attempt: the wait belongs to that attempt, and the one after it to the next.
        if other.current_attempt().sleep_until(None).is_err() {
            assert!(other.next_attempt().is_err());
        }
    });
    token.cancel();
    waiting.join().unwrap();
}

fn stop_and_reconnect() {
    let token = Arc::new(CancelToken::new());
    let connection = spawn_connection(&token);
    let other = Arc::clone(&token);
    let reconnecting = thread::spawn(move || other.reconnect());
    token.cancel();
    reconnecting.join().unwrap();
    connection.join().unwrap();
}

fn two_stops() {
    let token = Arc::new(CancelToken::new());
    let socket = Socket::new();
    let (other, used) = (Arc::clone(&token), Arc::clone(&socket));
    let connection = thread::spawn(move || {
        let Ok(attempt) = other.next_attempt() else { return false };
        let is_registered = attempt.register_shutdown(used.weak()).is_ok();
        if is_registered {
            used.read();
        }
        assert!(other.next_attempt().is_err());
        is_registered
    });
    let other = Arc::clone(&token);
    let stopping = thread::spawn(move || other.cancel());
    token.cancel();
    stopping.join().unwrap();
    let is_registered = connection.join().unwrap();
    assert_eq!(socket.times_shut_down(), usize::from(is_registered));
}

fn reconnect_begins_the_next_attempt() {
    let token = Arc::new(CancelToken::new());
    let first = token.current_attempt();
    let other = Arc::clone(&token);
    let connection = thread::spawn(move || {
        let socket = Socket::new();
        if first.register_shutdown(socket.weak()).is_ok() {
            socket.read();
        }
        assert!(first.is_cancelled());
        let next = other.next_attempt().expect("no stop came");
        assert!(!next.is_cancelled(), "the cancel belonged to the attempt before");
        next.register_shutdown(Socket::new().weak()).expect("no cancel came");
    });
    token.reconnect();
    connection.join().unwrap();
    assert!(!token.is_cancelled());
}

/// As between two attempts: the wait goes on until somebody asks for the next attempt now.
fn urgency_beside_a_reconnect() {
    let token = Arc::new(CancelToken::new());
    let (other, first) = (Arc::clone(&token), token.current_attempt());
    let waiting = thread::spawn(move || {
        let mut attempt = first;
        while !attempt.is_urgent() {
            assert!(attempt.sleep_until(None).is_err());
            attempt = other.next_attempt().expect("no stop came");
        }
    });
    token.reconnect();
    token.reconnect_now();
    waiting.join().unwrap();
}

fn delivery_outlives_a_reconnect() {
    let token = Arc::new(CancelToken::new());
    let other = Arc::clone(&token);
    let delivering = thread::spawn(move || {
        assert!(other.cancelled().recv().is_err());
        assert!(other.is_cancelled(), "woken without a stop");
    });
    token.reconnect();
    token.cancel();
    delivering.join().unwrap();
}
