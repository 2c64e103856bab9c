//! The ways to stop a connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use http_sse::testing::Server;
use http_sse::{Client, End, Events, Handle, Request, RetryPolicy};

use crate::stop::{assert_gone, client, drain};
use support::deadline;
use support::phase::{Phase, Scene};

/// Stops an idle stream in this way.
#[track_caller]
fn stop_by(way: impl FnOnce(&Client, &Handle)) {
    let scene = Scene::new(Phase::IdleBody);
    let rx = scene.client.connect(&scene.id, scene.request()).unwrap();
    let handle = rx.handle();
    let witness = scene.enter(&handle);
    way(&scene.client, &handle);
    assert!(handle.is_closed());
    assert_eq!(scene.client.ids(), Vec::<String>::new());
    assert_eq!(drain(&rx), Vec::<String>::new());
    assert_gone(&scene.client, &handle);
    witness.closed_at();
}

#[test]
fn stopping_twice_is_stopping_once() {
    stop_by(|_, handle| {
        handle.stop();
        handle.clone().stop();
    });
}

#[test]
fn close_stops_and_tells_whether_there_was_anything_to_stop() {
    stop_by(|client, handle| {
        assert!(client.stop(handle.id()));
        assert!(!client.stop(handle.id()));
        assert!(!client.stop("another"));
    });
}

#[test]
fn stop_all_ends_every_connection() {
    stop_by(|client, _| client.stop_all());
}

#[test]
fn a_clone_of_the_client_stops() {
    stop_by(|client, _| client.clone().stop_all());
}

#[test]
fn shutdown_stops_and_waits_for_the_thread() {
    stop_by(|client, handle| {
        assert!(client.shutdown(deadline()));
        assert!(handle.join_timeout(Duration::ZERO));
    });
}

#[test]
fn many_threads_may_stop_at_once() {
    stop_by(|_, handle| {
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| handle.stop());
            }
        });
    });
}

#[test]
fn dropping_the_events_stops_without_waiting() {
    let scene = Scene::new(Phase::IdleBody);
    let rx = scene.client.connect(&scene.id, scene.request()).unwrap();
    let handle = rx.handle();
    let witness = scene.enter(&handle);
    drop(rx);
    assert!(handle.is_closed());
    assert_eq!(scene.client.ids(), Vec::<String>::new());
    assert_gone(&scene.client, &handle);
    witness.closed_at();
}

#[test]
fn dropping_the_events_stops_a_blocked_send() {
    for phase in Phase::SENDING {
        let scene = Scene::new(*phase);
        let rx = scene.client.connect(&scene.id, scene.request()).unwrap();
        let handle = rx.handle();
        let witness = scene.enter(&handle);
        drop(rx);
        assert_gone(&scene.client, &handle);
        witness.closed_at();
    }
}

#[test]
fn a_break_out_of_the_loop_stops() {
    let server = Server::start().unwrap();
    let client = client();
    let rx = client.connect("it", Request::get(server.url("/events"))).unwrap();
    let handle = rx.handle();
    let mut peer = server.accept();
    peer.stream();
    peer.send("data: 1\n\ndata: 2\n\n");
    for event in rx {
        if event.unwrap().data() == "2" {
            break;
        }
    }
    assert_gone(&client, &handle);
    peer.wait_for_close();
}

#[test]
fn a_bare_receiver_keeps_nothing_alive() {
    let scene = Scene::new(Phase::IdleBody);
    let rx = scene.client.connect(&scene.id, scene.request()).unwrap();
    let (bare, handle) = (rx.clone(), rx.handle());
    let witness = scene.enter(&handle);
    drop(rx);
    assert!(bare.recv_timeout(deadline()).is_err_and(|error| error.is_disconnected()));
    assert_gone(&scene.client, &handle);
    witness.closed_at();
}

#[test]
fn a_stop_after_the_end_changes_nothing() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("data: 1\n\n");
        peer.end();
    })
    .unwrap();
    let request = Request::get(server.url("/events")).retry(RetryPolicy::never());
    let rx = client().connect("it", request).unwrap();
    let handle = rx.handle();
    assert_eq!(drain(&rx), ["1"]);
    handle.join();
    handle.stop();
    assert!(matches!(handle.end(), Some(End::Complete)), "{:?}", handle.end());
    drop(rx);
    assert!(matches!(handle.end(), Some(End::Complete)), "{:?}", handle.end());
}

#[test]
fn on_close_runs_exactly_once_and_before_the_channel_ends() {
    let scene = Scene::new(Phase::IdleBody);
    let closed = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&closed);
    let request = scene.request().on_close(move |end| {
        assert!(matches!(end, End::Stopped));
        counter.fetch_add(1, Ordering::SeqCst);
    });
    let rx = scene.client.connect(&scene.id, request).unwrap();
    let handle = rx.handle();
    scene.enter(&handle);
    handle.stop();
    handle.stop();
    assert_eq!(drain(&rx), Vec::<String>::new());
    assert_eq!(closed.load(Ordering::SeqCst), 1);
    drop(rx);
    assert_gone(&scene.client, &handle);
    assert_eq!(closed.load(Ordering::SeqCst), 1);
}

#[test]
fn a_successor_takes_the_id_at_once_and_keeps_it() {
    let scene = Scene::new(Phase::IdleBody);
    let first = scene.client.connect(&scene.id, scene.request()).unwrap();
    scene.enter(&first.handle());
    first.handle().stop();
    let second = scene.client.connect(&scene.id, scene.request()).unwrap();
    assert_eq!(drain(&first), Vec::<String>::new());
    assert_gone(&scene.client, &first.handle());
    drop(first);
    assert_eq!(scene.client.ids(), [scene.id.as_str()]);
    let witness = scene.enter(&second.handle());
    assert!(!second.handle().is_closed());
    assert!(scene.client.stop(&scene.id));
    assert_eq!(drain(&second), Vec::<String>::new());
    assert_gone(&scene.client, &second.handle());
    witness.closed_at();
}

#[test]
fn a_listener_stops_like_any_other() {
    for phase in [Phase::IdleBody, Phase::BusyBody, Phase::BackOff] {
        let scene = Scene::new(phase);
        let handle = scene.client.listen(&scene.id, scene.request()).unwrap();
        let witness = scene.enter(&handle);
        handle.stop();
        assert_gone(&scene.client, &handle);
        witness.closed_at();
    }
}

#[test]
fn stop_all_reaches_every_connection_in_every_phase() {
    let client = client();
    let scenes: Vec<_> = [Phase::Head, Phase::IdleBody, Phase::BackOff, Phase::BlockedSend].map(Scene::new).into();
    let events: Vec<Events> = scenes
        .iter()
        .enumerate()
        .map(|(number, scene)| client.connect(number.to_string(), scene.request()).unwrap())
        .collect();
    let witnesses: Vec<_> = scenes.iter().zip(&events).map(|(scene, rx)| scene.enter(&rx.handle())).collect();
    assert_eq!(client.ids().len(), scenes.len());
    assert!(client.shutdown(deadline()));
    for (rx, witness) in events.iter().zip(witnesses) {
        assert!(drain(rx).len() <= 1);
        assert_gone(&client, &rx.handle());
        witness.closed_at();
    }
}
