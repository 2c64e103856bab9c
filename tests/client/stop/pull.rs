//! Stop of a connection that runs inside `next()`, by another thread.

use std::thread;
use std::time::Duration;

use http_sse::crossbeam_channel::{bounded, unbounded};
use http_sse::testing::Server;
use http_sse::{End, EventReader, NextTimeoutError, Request, State};

use crate::stop::{assert_gone, client};
use support::phase::{Phase, Scene};
use support::{deadline, wait_until};

/// Stops a reader in this phase, which `pull` drives until its end.
#[track_caller]
fn stop_in(phase: Phase, pull: impl FnOnce(EventReader) + Send + 'static, meanwhile: impl FnOnce()) {
    let scene = Scene::new(phase);
    let reader = scene.client.read(&scene.id, scene.request()).unwrap();
    let handle = reader.handle();
    let (done, ended) = bounded(1);
    let puller = thread::spawn(move || {
        pull(reader);
        done.send(()).unwrap();
    });
    let witness = scene.enter(&handle);
    meanwhile();
    handle.stop();
    assert!(handle.is_closed(), "{phase:?}");
    assert_eq!(scene.client.ids(), Vec::<String>::new(), "{phase:?}");
    assert!(ended.recv_timeout(deadline()).is_ok(), "{phase:?}: the call does not return");
    assert_gone(&scene.client, &handle);
    witness.closed_at();
    assert!(scene.connections().is_none_or(|connections| connections == 1), "{phase:?}");
    puller.join().unwrap();
}

#[test]
fn a_stop_ends_next_in_every_phase() {
    for phase in Phase::PULLED {
        stop_in(*phase, |mut reader| assert!(reader.next().is_none()), || {});
    }
}

#[test]
fn a_stop_ends_next_timeout_in_every_phase() {
    for phase in Phase::PULLED {
        let pull = |mut reader: EventReader| {
            assert_eq!(reader.next_timeout(Duration::MAX).unwrap_err(), NextTimeoutError::Ended);
        };
        stop_in(*phase, pull, || {});
    }
}

#[test]
fn an_attempt_goes_on_over_many_calls_of_next_timeout_until_a_stop_ends_it() {
    for phase in Phase::PULLED {
        let (tick, ticks) = unbounded();
        let pull = move |mut reader: EventReader| {
            loop {
                match reader.next_timeout(Duration::from_millis(5)) {
                    Err(NextTimeoutError::Timeout) => tick.send(()).unwrap(),
                    Err(NextTimeoutError::Ended) => return,
                    Ok(event) => panic!("{event:?}"),
                }
            }
        };
        stop_in(*phase, pull, || {
            let missed = ticks.len();
            for _ in 0..missed + 3 {
                ticks.recv_timeout(deadline()).unwrap();
            }
        });
    }
}

#[test]
fn a_reader_that_is_over_stays_over() {
    let scene = Scene::new(Phase::IdleBody);
    let mut reader = scene.client.read(&scene.id, scene.request()).unwrap();
    reader.handle().stop();
    assert!(reader.next().is_none());
    assert!(reader.next().is_none());
    assert_eq!(reader.next_timeout(Duration::MAX).unwrap_err(), NextTimeoutError::Ended);
    assert_eq!(scene.connections(), Some(0));
    assert_gone(&scene.client, &reader.handle());
}

#[test]
fn dropping_a_reader_closes_its_socket_and_frees_its_id() {
    let server = Server::start().unwrap();
    let client = client();
    let (closed, was_closed) = bounded(1);
    let request = Request::get(server.url("/events")).on_close(move |end| closed.send(end.clone()).unwrap());
    let mut reader = client.read("it", request).unwrap();
    let handle = reader.handle();
    let script = thread::spawn(move || {
        let mut peer = server.accept();
        peer.stream();
        peer.send("data: 1\n\n");
        peer.wait_for_close();
    });
    assert_eq!(reader.next().unwrap().unwrap().data(), "1");
    assert_eq!(handle.state(), State::Open);
    drop(reader);
    script.join().unwrap();
    assert!(matches!(was_closed.try_recv(), Ok(End::Stopped)));
    assert_eq!(client.ids(), Vec::<String>::new());
    assert_gone(&client, &handle);
}

#[test]
fn dropping_a_reader_ends_an_attempt_that_is_under_way() {
    for phase in [Phase::Connect, Phase::Proxy, Phase::Head, Phase::RequestBody] {
        let scene = Scene::new(phase);
        let mut reader = scene.client.read(&scene.id, scene.request()).unwrap();
        let handle = reader.handle();
        assert_eq!(reader.next_timeout(Duration::from_millis(5)).unwrap_err(), NextTimeoutError::Timeout, "{phase:?}");
        let witness = scene.enter(&handle);
        drop(reader);
        assert_gone(&scene.client, &handle);
        witness.closed_at();
    }
}

#[test]
fn a_stop_between_two_calls_drops_what_was_received_and_closes_at_the_next() {
    let server = Server::start().unwrap();
    let client = client();
    let mut reader = client.read("it", Request::get(server.url("/events"))).unwrap();
    let handle = reader.handle();
    let script = thread::spawn(move || {
        let mut peer = server.accept();
        peer.stream();
        peer.send("data: 1\n\ndata: 2\n\n");
        peer.wait_for_close();
    });
    assert_eq!(reader.next().unwrap().unwrap().data(), "1");
    handle.stop();
    // The socket is closed without another call.
    script.join().unwrap();
    assert!(handle.join_timeout(Duration::ZERO));
    assert!(reader.next().is_none());
    assert_gone(&client, &handle);
}

#[test]
fn join_counts_a_reader_only_while_its_owner_is_inside_next() {
    let scene = Scene::new(Phase::Head);
    let mut reader = scene.client.read(&scene.id, scene.request()).unwrap();
    let handle = reader.handle();
    assert!(handle.join_timeout(Duration::ZERO));
    let puller = thread::spawn(move || assert!(reader.next().is_none()));
    let witness = scene.enter(&handle);
    assert!(!handle.join_timeout(Duration::ZERO));
    assert!(scene.client.shutdown(deadline()));
    assert!(handle.join_timeout(Duration::ZERO));
    puller.join().unwrap();
    witness.closed_at();
    wait_until(|| handle.end().is_some());
}
