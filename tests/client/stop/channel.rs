//! Stop of a connection with a thread of its own.

use std::time::{Duration, Instant};

use http_sse::testing::Server;
use http_sse::{Client, End, Events, Request, RetryPolicy};

use crate::stop::{assert_gone, client, drain};
use support::phase::{Phase, Scene, is_asleep, unique_id};
use support::{deadline, wait_until};

/// Stops in this phase, and returns what was buffered.
#[track_caller]
fn stop_in(phase: Phase) -> Vec<String> {
    let scene = Scene::new(phase);
    let rx = scene.client.connect(&scene.id, scene.request()).unwrap();
    let handle = rx.handle();
    let witness = scene.enter(&handle);
    assert!(!handle.is_closed() && handle.end().is_none());
    handle.stop();
    assert!(handle.is_closed());
    assert_eq!(scene.client.ids(), Vec::<String>::new(), "the id is not free at once");
    let buffered = drain(&rx);
    assert_gone(&scene.client, &handle);
    witness.closed_at();
    assert!(scene.connections().is_none_or(|connections| connections == 1));
    buffered
}

macro_rules! ends_at_once {
    ($($(#[$when:meta])* $name:ident: $phase:ident, $buffered:expr;)*) => {$(
        $(#[$when])*
        #[test]
        fn $name() {
            let buffered: &[&str] = &$buffered;
            assert_eq!(stop_in(Phase::$phase), buffered);
        }
    )*};
}

ends_at_once! {
    a_stop_ends_an_unanswered_connect: Connect, [];
    a_stop_ends_the_wait_for_a_proxy: Proxy, [];
    a_stop_ends_an_unanswered_handshake: Handshake, [];
    a_stop_ends_a_blocked_request_body: RequestBody, [];
    a_stop_ends_the_wait_for_a_head: Head, [];
    a_stop_ends_half_a_head: MidHead, [];
    a_stop_ends_the_wait_for_a_head_over_tls: TlsHead, [];
    a_stop_ends_an_idle_body: IdleBody, [];
    a_stop_ends_an_idle_body_over_tls: IdleTlsBody, [];
    a_stop_drops_half_an_event: MidEvent, [];
    a_stop_ends_a_body_that_never_pauses: BusyBody, [];
    a_stop_ends_a_body_over_tls_that_never_pauses: BusyTlsBody, [];
    a_stop_ends_the_wait_for_the_body_of_an_error: ErrorBody, [];
    a_stop_ends_the_wait_before_a_retry: BackOff, [];
    a_stop_ends_a_blocked_send_and_leaves_what_is_buffered: BlockedSend, ["1"];
    a_stop_ends_a_blocked_rendezvous: Rendezvous, [];
}

#[test]
fn a_stop_leaves_all_buffered_events_in_order() {
    let server = Server::start().unwrap();
    let client = client();
    let rx = client.connect("it", Request::get(server.url("/events"))).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send("data: a\n\ndata: b\n\ndata: c\n\ndata: half");
    wait_until(|| rx.len() == 3);
    rx.handle().stop();
    assert_eq!(drain(&rx), ["a", "b", "c"]);
    assert_gone(&client, &rx.handle());
    peer.wait_for_close();
}

#[test]
fn a_stop_ends_events_that_a_consumer_reads_without_pause() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        loop {
            peer.send("data: tick\n\n".repeat(100));
        }
    })
    .unwrap();
    let client = client();
    let capacity = 64;
    let rx = client.connect("it", Request::get(server.url("/events")).capacity(capacity)).unwrap();
    let handle = rx.handle();
    for (number, event) in (&rx).into_iter().enumerate() {
        assert_eq!(event.unwrap().data(), "tick");
        match number {
            1000 => handle.stop(),
            // What was buffered, and one event that was on its way.
            1001.. => assert!(number <= 1000 + capacity + 1, "{number} events"),
            _ => {}
        }
    }
    assert_gone(&client, &handle);
}

/// A connection that has failed for good, and whose failure finds no room.
fn with_a_waiting_failure(server: &Server, client: &Client) -> Events {
    let request = Request::get(server.url("/events")).retry(RetryPolicy::never()).capacity(1);
    let rx = client.connect(unique_id(), request).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send("data: 1\n\n");
    wait_until(|| rx.len() == 1);
    peer.close_abruptly();
    wait_until(|| rx.handle().end().is_some() && is_asleep(&rx.handle()));
    rx
}

#[test]
fn a_stop_takes_precedence_over_a_failure_that_waits_for_room() {
    let (server, client) = (Server::start().unwrap(), client());
    let rx = with_a_waiting_failure(&server, &client);
    assert!(matches!(rx.handle().end(), Some(End::Failed(_))));
    rx.handle().stop();
    assert_eq!(drain(&rx), ["1"]);
    assert_gone(&client, &rx.handle());
}

#[test]
fn a_failure_that_waits_for_room_is_closed_already() {
    let (server, client) = (Server::start().unwrap(), client());
    let rx = with_a_waiting_failure(&server, &client);
    assert_eq!(client.ids(), Vec::<String>::new());
    assert!(rx.handle().is_closed(), "{:?}", rx.handle());
    assert!(!rx.handle().wait_open(deadline()));
    assert!(rx.recv_timeout(deadline()).unwrap().is_ok());
    assert!(rx.recv_timeout(deadline()).unwrap().is_err());
    assert_eq!(drain(&rx), Vec::<String>::new());
}

#[test]
fn a_stop_takes_precedence_over_an_earlier_reconnect() {
    let scene = Scene::new(Phase::BlockedSend);
    let rx = scene.client.connect(&scene.id, scene.request()).unwrap();
    let witness = scene.enter(&rx.handle());
    rx.handle().reconnect();
    rx.handle().stop();
    assert_eq!(drain(&rx), ["1"]);
    assert_gone(&scene.client, &rx.handle());
    witness.closed_at();
    assert_eq!(scene.connections(), Some(1));
}

#[test]
fn a_stop_does_not_wait_for_the_read() {
    let server = Server::start().unwrap();
    let rx = client().connect("waits for a read", Request::get(server.url("/events")).idle_timeout(None)).unwrap();
    let mut peer = server.accept();
    peer.stream();
    assert!(rx.handle().wait_open(deadline()));
    let start = Instant::now();
    rx.handle().stop();
    assert_eq!(drain(&rx), [] as [String; 0]);
    assert!(rx.handle().join_timeout(deadline()));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert!(peer.is_closed_within(deadline()));
}
