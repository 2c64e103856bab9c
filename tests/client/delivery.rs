//! What a consumer sees: events in order, over reconnects, until an end it can name.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use http_sse::crossbeam_channel::{RecvTimeoutError, TryRecvError, never, select};
use http_sse::testing::{Framing, Server};
use http_sse::{End, Error, Events, NextTimeoutError, Request, RetryPolicy, State};
use support::transcript::{assert_ended, client, next, next_data, next_event, quick, rest, stop, terminal_error};
use support::{deadline, wait_until};

/// Serves these bytes as one complete response to everybody.
fn serve(body: &'static str) -> Server {
    Server::serve(move |_, mut peer| {
        peer.stream();
        peer.send(body);
        peer.end();
    })
    .unwrap()
}

fn once(server: &Server) -> Request {
    Request::get(server.url("/events")).retry(RetryPolicy::never())
}

fn forever(server: &Server) -> Request {
    Request::get(server.url("/events")).retry(quick())
}

#[test]
fn events_arrive_in_order_over_a_reconnect_with_the_last_event_id() {
    let server = Server::start().unwrap();
    let rx = client().connect("order", forever(&server)).unwrap();

    let mut peer = server.accept();
    assert_eq!(peer.request().header("last-event-id"), None);
    peer.stream();
    peer.send("id: 1\ndata: a\n\nid: 2\ndata: b\n\n");
    assert_eq!([next_data(&rx), next_data(&rx)], ["a", "b"]);
    peer.reset();

    let mut peer = server.accept();
    assert_eq!(peer.request().header("last-event-id"), Some("2"));
    peer.stream();
    peer.send("id: 3\ndata: c\n\n");
    assert_eq!(next_data(&rx), "c");
    assert_eq!(rx.handle().state(), State::Open);
    stop(&rx);
    assert!(matches!(rx.handle().end(), Some(End::Stopped)));
}

#[test]
fn a_reader_pulls_the_same_stream_on_its_own_thread() {
    let server = serve("data: a\n\ndata: b\n\n");
    let mut reader = client().read("pull", once(&server)).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().data(), "a");
    assert_eq!(reader.next().unwrap().unwrap().data(), "b");
    assert!(reader.next().is_none());
    assert!(reader.next().is_none());
    assert!(matches!(reader.handle().end(), Some(End::Complete)));
}

#[test]
fn a_reader_with_a_deadline_misses_nothing_between_two_calls() {
    let server = Server::start().unwrap();
    let mut reader = client().read("tick", forever(&server)).unwrap();
    let tick = Duration::from_millis(1);
    assert!(matches!(reader.next_timeout(tick), Err(NextTimeoutError::Timeout)));
    let mut peer = server.accept();
    peer.stream();
    peer.send("data: ha");
    assert!(matches!(reader.next_timeout(tick), Err(NextTimeoutError::Timeout)));
    peer.send("lf\n\ndata: two\n\n");
    assert_eq!(reader.next_timeout(deadline()).unwrap().unwrap().data(), "half");
    assert_eq!(reader.next_timeout(deadline()).unwrap().unwrap().data(), "two");
    assert!(matches!(reader.next_timeout(tick), Err(NextTimeoutError::Timeout)));
    assert_eq!(server.connections(), 1);
    reader.handle().stop();
    assert!(matches!(reader.next_timeout(deadline()), Err(NextTimeoutError::Ended)));
}

#[test]
fn a_clean_end_under_never_is_complete_and_no_error() {
    let server = serve("data: a\n\n");
    let rx = client().connect("complete", once(&server)).unwrap();
    assert_eq!(next_data(&rx), "a");
    assert_ended(&rx);
    assert!(matches!(rx.handle().end(), Some(End::Complete)));
    assert!(rx.handle().join_timeout(deadline()));
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_chunked_response_that_is_cut_under_never_is_an_error() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("data: a\n\n");
        peer.close_abruptly();
    })
    .unwrap();
    let rx = client().connect("cut", once(&server)).unwrap();
    assert_eq!(next_data(&rx), "a");
    assert!(matches!(terminal_error(&rx), Error::Disconnected));
    assert!(matches!(rx.handle().end(), Some(End::Failed(Error::Disconnected))));
}

#[test]
fn a_response_shorter_than_its_length_under_never_is_an_error() {
    let server = Server::serve(|_, mut peer| {
        peer.begin(200, &[("Content-Type", "text/event-stream")], Framing::Length(1000));
        peer.send("data: a\n\n");
        peer.close_abruptly();
    })
    .unwrap();
    let rx = client().connect("short", once(&server)).unwrap();
    assert_eq!(next_data(&rx), "a");
    assert!(matches!(terminal_error(&rx), Error::Disconnected));
}

#[test]
fn an_unfinished_block_at_the_end_of_a_response_is_no_event() {
    let server = serve("data: a\n\ndata: half");
    let rx = client().connect("unfinished", once(&server)).unwrap();
    assert_eq!(next_data(&rx), "a");
    assert_ended(&rx);
}

#[test]
fn a_204_ends_the_channel_without_an_error_and_is_named() {
    let server = Server::serve(|_, mut peer| peer.respond(204, &[], "")).unwrap();
    let rx = client().connect("204", forever(&server)).unwrap();
    assert_ended(&rx);
    assert!(matches!(rx.handle().end(), Some(End::NoContent)));
    assert_eq!(rx.handle().stats().last_status, Some(204));
}

#[test]
fn a_terminal_error_is_the_last_item() {
    let server = Server::serve(|number, mut peer| match number {
        0 => {
            peer.stream();
            peer.send("data: a\n\n");
            peer.end();
        }
        _ => peer.respond(404, &[], "no such stream"),
    })
    .unwrap();
    let rx = client().connect("terminal", forever(&server)).unwrap();
    assert_eq!(next_data(&rx), "a");
    let error = terminal_error(&rx);
    assert_eq!((error.status(), error.body()), (Some(404), Some("no such stream")));
    assert!(matches!(rx.handle().end(), Some(End::Failed(Error::Status(_)))));
}

#[test]
fn a_failure_that_is_retried_never_enters_the_channel() {
    let server = Server::serve(|number, mut peer| match number {
        0 => peer.respond(503, &[], ""),
        1 => peer.reset(),
        2 => {
            peer.stream();
            peer.send("data: a\n\n");
            peer.close_abruptly();
        }
        _ => {
            peer.stream();
            peer.send("data: b\n\n");
            peer.wait_for_close();
        }
    })
    .unwrap();
    let rx = client().connect("retried", forever(&server)).unwrap();
    assert_eq!([next_data(&rx), next_data(&rx)], ["a", "b"]);
    stop(&rx);
}

#[test]
fn the_end_is_known_before_the_consumer_can_see_it() {
    let server = serve("data: a\n\n");
    let client = client();
    for _ in 0..50 {
        let rx = client.connect("known", once(&server)).unwrap();
        assert_eq!(next_data(&rx), "a");
        assert!(matches!(next_end(&rx), RecvTimeoutError::Disconnected));
        assert!(matches!(rx.handle().end(), Some(End::Complete)));
    }
}

#[track_caller]
fn next_end(rx: &Events) -> RecvTimeoutError {
    rx.recv_timeout(deadline()).unwrap_err()
}

#[test]
fn a_closed_connection_says_so_while_its_error_still_waits_for_room() {
    let server = Server::serve(|_, mut peer| peer.respond(404, &[], "")).unwrap();
    let rx = client().connect("no room", forever(&server).capacity(0)).unwrap();
    assert!(!rx.handle().wait_open(deadline()));
    assert!(rx.handle().is_closed());
    assert_eq!(terminal_error(&rx).status(), Some(404));
}

#[test]
fn ids_of_blocks_without_data_are_carried_to_the_next_connect() {
    let server = Server::start().unwrap();
    let rx = client().connect("priming", forever(&server)).unwrap();
    for (expected, body) in [(None, "id: 1\n\n"), (Some("1"), "id: 2\nevent: x\n\n"), (Some("2"), "id\n\n"), (None, "")]
    {
        let mut peer = server.accept();
        assert_eq!(peer.request().header("last-event-id"), expected);
        peer.stream();
        peer.send(body);
        peer.end();
    }
    stop(&rx);
}

#[test]
fn the_handle_knows_the_id_of_a_block_without_data() {
    let server = Server::start().unwrap();
    let rx = client().connect("known id", forever(&server)).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send("id: 7\n\n");
    wait_until(|| rx.handle().last_event_id().as_deref() == Some("7"));
    stop(&rx);
}

#[test]
fn the_id_of_an_unfinished_block_is_not_carried() {
    let server = Server::start().unwrap();
    let rx = client().connect("uncommitted", forever(&server)).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send("id: 1\ndata: a\n\nid: 2\ndata: b\n");
    peer.end();
    assert_eq!(server.accept().request().header("last-event-id"), Some("1"));
    assert_eq!(next_data(&rx), "a");
    stop(&rx);
}

#[test]
fn an_id_of_the_request_starts_in_the_middle() {
    let server = Server::start().unwrap();
    let rx = client().connect("middle", forever(&server).last_event_id("41")).unwrap();
    assert_eq!(rx.handle().last_event_id().as_deref(), Some("41"));
    let mut peer = server.accept();
    assert_eq!(peer.request().header("last-event-id"), Some("41"));
    peer.stream();
    peer.send("data: a\n\n");
    assert_eq!(next_event(&rx).id(), Some("41"));
    stop(&rx);
}

#[test]
fn capacity_zero_hands_over_one_event_at_a_time() {
    let server = Server::start().unwrap();
    let rx = client().connect("rendezvous", forever(&server).capacity(0)).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send("data: a\n\ndata: b\n\ndata: c\n\n");
    wait_until(|| rx.handle().stats().events == 1);
    assert_eq!(rx.len(), 0);
    assert_eq!(next_data(&rx), "a");
    wait_until(|| rx.handle().stats().events == 2);
    assert_eq!([next_data(&rx), next_data(&rx)], ["b", "c"]);
    assert!(matches!(rx.try_recv(), Err(TryRecvError::Empty)));
    stop(&rx);
}

#[test]
fn a_slow_consumer_holds_up_the_server_and_loses_nothing() {
    const EVENTS: usize = 20_000;
    const CAPACITY: usize = 3;
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let server = Server::serve(move |_, mut peer| {
        peer.stream();
        let padding = "x".repeat(1024);
        for number in 0..EVENTS {
            peer.send(format!("id: {number}\ndata: {padding}\n\n"));
            counter.fetch_add(1, Ordering::SeqCst);
        }
        peer.end();
    })
    .unwrap()
    .wait_limit(Duration::from_secs(60));
    let rx = client().connect("slow", once(&server).capacity(CAPACITY)).unwrap();
    wait_until(|| rx.handle().stats().events == CAPACITY as u64 + 1);
    assert!(rx.is_full());
    assert_eq!(next_event(&rx).id(), Some("0"));
    assert!(sent.load(Ordering::SeqCst) < EVENTS, "20 MB went somewhere");
    let ids: Vec<usize> = rest(&rx).into_iter().map(|event| event.unwrap().id().unwrap().parse().unwrap()).collect();
    assert_eq!(ids, (1..EVENTS).collect::<Vec<_>>());
    assert_eq!(rx.handle().stats().dropped, 0);
}

#[test]
fn events_end_for_good_also_by_iteration() {
    let server = serve("data: a\n\n");
    let mut rx = client().connect("fused", once(&server)).unwrap();
    assert_eq!(rx.next().unwrap().unwrap().data(), "a");
    assert!(rx.next().is_none());
    assert!(rx.next().is_none());
}

#[test]
fn a_borrowed_loop_leaves_the_connection_to_its_owner() {
    let server = serve("data: a\n\ndata: b\n\n");
    let rx = client().connect("borrowed", once(&server)).unwrap();
    let mut seen = Vec::new();
    for event in (&rx).into_iter().take(1) {
        seen.push(event.unwrap().into_data());
    }
    for event in &rx {
        seen.push(event.unwrap().into_data());
    }
    assert_eq!(seen, ["a", "b"]);
    assert!(matches!(rx.handle().end(), Some(End::Complete)));
}

#[test]
fn breaking_out_of_an_owned_loop_stops_the_connection() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("data: a\n\n");
        peer.wait_for_close();
    })
    .unwrap();
    let rx = client().connect("break", forever(&server)).unwrap();
    let handle = rx.handle();
    for event in rx {
        if event.unwrap().data() == "a" {
            break;
        }
    }
    assert!(handle.join_timeout(deadline()));
    assert!(matches!(handle.end(), Some(End::Stopped)));
}

#[test]
fn events_are_consumed_on_another_thread() {
    let server = serve("data: a\n\ndata: b\n\n");
    let rx = client().connect("moved", once(&server)).unwrap();
    let data: Vec<_> = thread::spawn(move || rx.map(|event| event.unwrap().into_data()).collect()).join().unwrap();
    assert_eq!(data, ["a", "b"]);
}

#[test]
fn two_connections_are_selected_until_both_have_ended() {
    let (one, two) = (serve("data: a\n\ndata: b\n\n"), serve("data: c\n\n"));
    let client = client();
    let mut one = Some(client.connect("one", once(&one)).unwrap());
    let mut two = Some(client.connect("two", once(&two)).unwrap());
    let (silent, mut seen) = (never(), Vec::new());
    while one.is_some() || two.is_some() {
        select! {
            recv(one.as_deref().unwrap_or(&silent)) -> item => match item {
                Ok(event) => seen.push(event.unwrap().into_data()),
                Err(_) => one = None,
            },
            recv(two.as_deref().unwrap_or(&silent)) -> item => match item {
                Ok(event) => seen.push(event.unwrap().into_data()),
                Err(_) => two = None,
            },
            default(deadline()) => panic!("neither came or ended, after {seen:?}"),
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, ["a", "b", "c"]);
}

#[test]
fn one_bad_document_is_an_error_that_holds_its_event_and_iteration_goes_on() {
    let server = serve("data: 1\n\nid: 2\ndata: {\n\ndata: 3\n\n");
    let rx = client().connect("json", once(&server)).unwrap();
    let mut documents = rx.json::<u32>();
    assert_eq!(documents.next().unwrap().unwrap().value, 1);
    let error = documents.next().unwrap().unwrap_err();
    assert!(error.is_json());
    assert_eq!(error.event().unwrap().id(), Some("2"));
    let decoded = documents.next().unwrap().unwrap();
    assert_eq!((decoded.value, decoded.event.data()), (3, "3"));
    assert!(documents.next().is_none());
    assert!(matches!(documents.handle().end(), Some(End::Complete)));
}

#[test]
fn a_terminal_error_passes_through_typed_iteration_and_is_not_of_json() {
    let server = Server::serve(|_, mut peer| peer.respond(404, &[], "")).unwrap();
    let mut documents = client().read("json 404", once(&server)).unwrap().json::<u32>();
    let error = documents.next().unwrap().unwrap_err();
    assert_eq!((error.is_json(), error.status()), (false, Some(404)));
    assert!(documents.next().is_none());
}

#[test]
fn events_go_on_undecoded_after_typed_iteration() {
    let server = serve("data: 1\n\ndata: not a number\n\n");
    let mut documents = client().connect("inner", once(&server)).unwrap().json::<u32>();
    assert_eq!(documents.next().unwrap().unwrap().value, 1);
    let rx = documents.into_inner();
    assert_eq!(next(&rx).unwrap().data(), "not a number");
    assert_ended(&rx);
}
