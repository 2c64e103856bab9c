//! What `wait_open` waits for.

use std::thread;
use std::time::Duration;

use http_sse::RetryPolicy;
use http_sse::testing::Server;

use crate::reconnect::{client, patient, streaming};
use support::phase::{Phase, Scene, is_thread_asleep};
use support::{deadline, wait_until};

#[test]
fn it_waits_until_the_stream_is_open() {
    let server = Server::start().unwrap();
    let rx = client().connect("it", patient(&server)).unwrap();
    let handle = rx.handle();
    assert!(!handle.wait_open(Duration::ZERO));
    let waiter = thread::spawn(move || handle.wait_open(deadline()));
    let _peer = streaming(&server);
    assert!(waiter.join().unwrap());
    assert!(rx.handle().wait_open(Duration::ZERO));
}

#[test]
fn it_is_over_when_the_time_is() {
    let scene = Scene::new(Phase::Head);
    let rx = scene.client.connect(&scene.id, scene.request()).unwrap();
    scene.enter(&rx.handle());
    assert!(!rx.handle().wait_open(Duration::from_millis(20)));
    assert!(!rx.handle().is_closed());
}

#[test]
fn it_lasts_over_failed_attempts() {
    let server = Server::start().unwrap();
    let request = patient(&server).retry(RetryPolicy::constant(Duration::from_millis(1)));
    let rx = client().connect("it", request).unwrap();
    let handle = rx.handle();
    let waiter = thread::spawn(move || handle.wait_open(Duration::MAX));
    server.accept().respond(503, &[], "");
    server.accept().reset();
    let _peer = streaming(&server);
    assert!(waiter.join().unwrap());
}

#[test]
fn it_returns_false_immediately_when_the_connection_is_stopped_or_fails() {
    for end in ["stop", "404", "204"] {
        let server = Server::start().unwrap();
        // Nobody takes the failure.
        let rx = client().connect("it", patient(&server).capacity(0)).unwrap();
        let handle = rx.handle();
        let waiter = thread::spawn(move || handle.wait_open(Duration::MAX));
        let mut peer = server.accept();
        peer.request();
        match end {
            "stop" => rx.handle().stop(),
            status => peer.respond(status.parse().unwrap(), &[], ""),
        }
        assert!(!waiter.join().unwrap(), "{end}");
        assert!(!rx.handle().wait_open(Duration::MAX), "{end}");
    }
}

#[test]
fn a_stream_that_opens_and_ends_at_once_is_not_missed() {
    let server = Server::start().unwrap();
    let rx = client().connect("it", patient(&server)).unwrap();
    let handle = rx.handle();
    let waiter = thread::Builder::new().name("waiter".to_owned()).spawn(move || handle.wait_open(deadline())).unwrap();
    wait_until(|| is_thread_asleep("waiter"));
    let mut peer = server.accept();
    peer.stream();
    peer.end();
    assert!(waiter.join().unwrap());
}

#[test]
fn it_makes_no_progress_by_itself() {
    let server = Server::start().unwrap();
    let reader = client().read("it", patient(&server)).unwrap();
    assert!(!reader.handle().wait_open(Duration::from_millis(50)));
    assert_eq!(server.connections(), 0);
    assert_eq!(reader.handle().stats().attempts, 0);
}
