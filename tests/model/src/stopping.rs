//! The stop token against a connection's thread.

use loom::thread;

use crate::line::Line;
use crate::stop::{Lap, StopToken};
use crate::sync::Arc;

pub(crate) const PROPERTIES: [(&str, fn()); 8] = [
    ("a stop ends a thread that connects and reads", stop_ends_a_read),
    ("a stop ends a thread that waits between attempts", stop_ends_a_wait),
    ("a stop beside a reconnect ends the thread", stop_and_reconnect),
    ("a stop ends two connects that run side by side", stop_ends_two_connects),
    ("two stops and a thread: the socket is hung up exactly once", two_stops),
    ("a reconnect ends the read of its lap, and the next lap begins", reconnect_begins_the_next_lap),
    ("a reconnect_now beside a reconnect is never lost", urgency_beside_a_reconnect),
    ("what is delivered waits for the stop, not for a reconnect", delivery_outlives_a_reconnect),
];

/// What a connection does with the token: a socket in each lap, and the next lap after a cut, until the stop.
fn connection(token: &StopToken, mut lap: Arc<Lap>) {
    loop {
        let line = Line::new();
        match lap.enter(line.weak()) {
            Ok(()) => {
                line.read();
                assert!(lap.is_cut(), "hung up without a cut");
            }
            Err(_) => assert!(lap.is_cut()),
        }
        match token.next_lap() {
            Ok(next) => lap = next,
            Err(_) => break,
        }
    }
    assert!(token.is_stopped());
}

fn spawn_connection(token: &Arc<StopToken>) -> thread::JoinHandle<()> {
    let (token, lap) = (Arc::clone(token), token.current_lap());
    thread::spawn(move || connection(&token, lap))
}

fn stop_ends_a_read() {
    let token = Arc::new(StopToken::new());
    let connection = spawn_connection(&token);
    token.stop();
    connection.join().unwrap();
    assert!(token.next_lap().is_err());
    assert!(token.current_lap().enter(Line::new().weak()).is_err() || token.is_stopped());
}

/// As with two addresses of a host: the connection's thread publishes both sockets, and a helper waits for each.
fn stop_ends_two_connects() {
    let token = Arc::new(StopToken::new());
    let lap = token.current_lap();
    let connection = thread::spawn(move || {
        let helpers: Vec<_> = (0..2)
            .map_while(|_| {
                let line = Line::new();
                lap.enter(line.weak()).ok()?;
                Some(thread::spawn(move || line.read()))
            })
            .collect();
        assert!(helpers.len() == 2 || lap.is_cut());
        helpers.into_iter().for_each(|helper| helper.join().unwrap());
        assert!(lap.is_cut(), "hung up without a cut");
    });
    token.stop();
    connection.join().unwrap();
}

fn stop_ends_a_wait() {
    let token = Arc::new(StopToken::new());
    let other = Arc::clone(&token);
    let waiting = thread::spawn(move || {
        // As after a failed attempt: the wait belongs to the lap of the attempt, and the next one to the next lap.
        if other.current_lap().sleep_until(None).is_err() {
            assert!(other.next_lap().is_err());
        }
    });
    token.stop();
    waiting.join().unwrap();
}

fn stop_and_reconnect() {
    let token = Arc::new(StopToken::new());
    let connection = spawn_connection(&token);
    let other = Arc::clone(&token);
    let reconnecting = thread::spawn(move || other.reconnect());
    token.stop();
    reconnecting.join().unwrap();
    connection.join().unwrap();
}

fn two_stops() {
    let token = Arc::new(StopToken::new());
    let line = Line::new();
    let (other, used) = (Arc::clone(&token), Arc::clone(&line));
    let connection = thread::spawn(move || {
        let Ok(lap) = other.next_lap() else { return false };
        let entered = lap.enter(used.weak()).is_ok();
        if entered {
            used.read();
        }
        assert!(other.next_lap().is_err());
        entered
    });
    let other = Arc::clone(&token);
    let stopping = thread::spawn(move || other.stop());
    token.stop();
    stopping.join().unwrap();
    let entered = connection.join().unwrap();
    assert_eq!(line.times_hung_up(), usize::from(entered));
}

fn reconnect_begins_the_next_lap() {
    let token = Arc::new(StopToken::new());
    let first = token.current_lap();
    let other = Arc::clone(&token);
    let connection = thread::spawn(move || {
        let line = Line::new();
        if first.enter(line.weak()).is_ok() {
            line.read();
        }
        assert!(first.is_cut());
        let next = other.next_lap().expect("no stop came");
        assert!(!next.is_cut(), "the cut belonged to the lap before");
        next.enter(Line::new().weak()).expect("no cut came");
    });
    token.reconnect();
    connection.join().unwrap();
    assert!(!token.is_stopped());
}

/// As between two attempts: the wait goes on until somebody asks for the next attempt now.
fn urgency_beside_a_reconnect() {
    let token = Arc::new(StopToken::new());
    let (other, first) = (Arc::clone(&token), token.current_lap());
    let waiting = thread::spawn(move || {
        let mut lap = first;
        while !lap.is_urgent() {
            assert!(lap.sleep_until(None).is_err());
            lap = other.next_lap().expect("no stop came");
        }
    });
    token.reconnect();
    token.reconnect_now();
    waiting.join().unwrap();
}

fn delivery_outlives_a_reconnect() {
    let token = Arc::new(StopToken::new());
    let other = Arc::clone(&token);
    let delivering = thread::spawn(move || {
        assert!(other.stopped().recv().is_err());
        assert!(other.is_stopped(), "woken without a stop");
    });
    token.reconnect();
    token.stop();
    delivering.join().unwrap();
}
