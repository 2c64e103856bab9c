//! Ids: who has one, when it is free again, and that an old connection never takes it from a new one.

use std::sync::Arc;
use std::time::Duration;

use http_sse::testing::Server;
use http_sse::{Client, End, Error, Request, RetryPolicy};
use support::deadline;
use support::transcript::{assert_ended, client, next, next_data, quick, rest, stop, terminal_error, transcript};

/// Sends one event to everybody, and stays open.
fn open_server() -> Server {
    Server::serve_concurrently(|_, mut peer| {
        peer.stream();
        peer.send("data: a\n\n");
        peer.wait_for_close();
    })
    .unwrap()
}

fn request(server: &Server) -> Request {
    Request::get(server.url("/events")).retry(quick())
}

#[test]
fn a_second_connection_of_a_live_id_is_refused_and_the_first_goes_on() {
    let server = open_server();
    let client = client();
    let rx = client.connect("taken", request(&server)).unwrap();
    for error in [
        client.connect("taken", request(&server)).unwrap_err(),
        client.read("taken", request(&server)).unwrap_err(),
        client.listen("taken", request(&server)).unwrap_err(),
    ] {
        assert!(matches!(&error, Error::DuplicateId(id) if id == "taken"), "{error:?}");
    }
    assert_eq!(next_data(&rx), "a");
    assert_eq!(client.ids(), ["taken"]);
    stop(&rx);
}

#[test]
fn a_request_that_is_refused_takes_no_id() {
    let client = client();
    assert!(matches!(client.connect("bad", Request::get("ftp://x/")), Err(Error::InvalidRequest(_))));
    assert!(client.ids().is_empty());
    assert!(client.handle("bad").is_none());
}

#[test]
fn an_id_is_1_to_256_bytes_without_control_characters() {
    let client = client();
    for bad in ["", "a\nb", "\0", &"x".repeat(257)] {
        let refused = client.read(bad, Request::get("http://127.0.0.1:9/"));
        assert!(matches!(refused, Err(Error::InvalidRequest(_))), "{bad:?}");
    }
    for good in ["a", "ü and space", &"x".repeat(256)] {
        assert_eq!(client.read(good, Request::get("http://127.0.0.1:9/")).unwrap().handle().id(), good);
    }
}

#[test]
fn an_id_is_any_kind_of_string() {
    let client = client();
    let shared: Arc<str> = "shared".into();
    let _readers = [
        client.read("literal", Request::get("http://127.0.0.1:9/")).unwrap(),
        client.read(String::from("owned"), Request::get("http://127.0.0.1:9/")).unwrap(),
        client.read(shared, Request::get("http://127.0.0.1:9/")).unwrap(),
    ];
    assert_eq!(client.ids(), ["literal", "owned", "shared"]);
}

#[test]
fn an_id_is_free_before_its_consumer_sees_the_end() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("data: a\n\n");
        peer.end();
    })
    .unwrap();
    let client = client();
    for _ in 0..50 {
        let rx = client.connect("again", Request::get(server.url("/")).retry(RetryPolicy::never())).unwrap();
        assert_eq!(next_data(&rx), "a");
        assert_ended(&rx);
        assert!(client.ids().is_empty());
    }
}

#[test]
fn an_id_is_free_before_its_consumer_sees_the_terminal_error() {
    let server = Server::serve(|_, mut peer| peer.respond(404, &[], "")).unwrap();
    let client = client();
    for _ in 0..50 {
        let rx = client.connect("failed", request(&server)).unwrap();
        assert_eq!(next(&rx).unwrap_err().status(), Some(404));
        assert!(client.ids().is_empty());
        assert_ended(&rx);
    }
}

#[test]
fn an_id_is_free_at_the_end_of_a_reader() {
    let server = Server::serve(|_, mut peer| peer.respond(404, &[], "")).unwrap();
    let client = client();
    let mut reader = client.read("reader", request(&server)).unwrap();
    assert_eq!(client.ids(), ["reader"]);
    assert_eq!(reader.next().unwrap().unwrap_err().status(), Some(404));
    assert!(client.ids().is_empty());
}

#[test]
fn close_frees_the_id_at_once_and_only_once() {
    let server = open_server();
    let client = client();
    let rx = client.connect("closed", request(&server)).unwrap();
    assert!(client.stop("closed"));
    assert!(!client.stop("closed"));
    assert!(client.ids().is_empty());
    assert!(client.handle("closed").is_none());
    let successor = client.connect("closed", request(&server)).unwrap();
    let items: Vec<_> = rest(&rx).into_iter().map(|item| item.unwrap().into_data()).collect();
    assert!(items.is_empty() || items == ["a"]);
    assert_eq!(next_data(&successor), "a");
    stop(&successor);
}

#[test]
fn dropping_the_events_frees_the_id_at_once() {
    let server = open_server();
    let client = client();
    for _ in 0..20 {
        let rx = client.connect("dropped", request(&server)).unwrap();
        assert_eq!(next_data(&rx), "a");
        drop(rx);
        assert!(client.ids().is_empty());
    }
}

/// The old connection is inside a callback while its id is given to another, and ends after that.
#[test]
fn a_connection_that_winds_down_does_not_remove_its_successor() {
    let server = open_server();
    let client = client();
    let (entered, is_inside) = transcript();
    let (leave, may_leave) = transcript::<()>();
    let slow = request(&server).on_event(move |_| {
        entered.send(()).unwrap();
        next(&may_leave);
    });
    let old = client.listen("heir", slow).unwrap();
    next(&is_inside);
    assert!(client.stop("heir"));
    let successor = client.connect("heir", request(&server)).unwrap();
    assert_eq!(next_data(&successor), "a");
    leave.send(()).unwrap();
    assert!(old.join_timeout(deadline()));

    assert_eq!(client.ids(), ["heir"]);
    assert!(matches!(client.connect("heir", request(&server)), Err(Error::DuplicateId(_))));
    assert!(!successor.handle().is_closed());
    old.stop();
    old.reconnect();
    assert_eq!(client.ids(), ["heir"]);
    assert!(matches!(old.end(), Some(End::Stopped)));
    stop(&successor);
}

#[test]
fn an_old_handle_refers_to_its_original_connection() {
    let server = open_server();
    let client = client();
    let old = client.listen("same", request(&server)).unwrap();
    old.stop();
    let successor = client.connect("same", request(&server)).unwrap();
    assert_eq!(next_data(&successor), "a");
    assert!(old.is_closed());
    assert!(!client.handle("same").unwrap().is_closed());
    stop(&successor);
}

#[test]
fn two_clients_may_use_one_id() {
    let server = open_server();
    let (one, two) = (client(), client());
    let first = one.connect("both", request(&server)).unwrap();
    let second = two.connect("both", request(&server)).unwrap();
    assert_eq!([next_data(&first), next_data(&second)], ["a", "a"]);
    assert!(one.stop("both"));
    assert_ended(&first);
    assert_eq!(two.ids(), ["both"]);
    stop(&second);
}

#[test]
fn clones_of_a_client_share_the_connections() {
    let server = open_server();
    let client = client();
    let clone = client.clone();
    let rx = clone.connect("shared", request(&server)).unwrap();
    assert!(matches!(client.connect("shared", request(&server)), Err(Error::DuplicateId(_))));
    assert_eq!(next_data(&rx), "a");
    assert!(client.stop("shared"));
    assert_ended(&rx);
    assert!(clone.ids().is_empty());
}

#[test]
fn dropping_the_client_stops_nothing() {
    let server = Server::start().unwrap();
    let client = client();
    let rx = client.connect("orphan", request(&server)).unwrap();
    drop(client);
    for data in ["a", "b"] {
        let mut peer = server.accept();
        peer.stream();
        peer.send(format!("data: {data}\n\n"));
        assert_eq!(next_data(&rx), data);
        peer.close_abruptly();
    }
    stop(&rx);
}

#[test]
fn shutdown_ends_all_and_the_client_can_be_used_again() {
    let server = open_server();
    let client = client();
    let one = client.connect("one", request(&server)).unwrap();
    let two = client.listen("two", request(&server)).unwrap();
    assert_eq!(client.ids(), ["one", "two"]);
    assert!(client.shutdown(deadline()));
    assert!(client.ids().is_empty());
    assert!(one.handle().join_timeout(Duration::ZERO));
    assert!(two.join_timeout(Duration::ZERO));
    let again = client.connect("one", request(&server)).unwrap();
    assert_eq!(next_data(&again), "a");
    stop(&again);
}

#[test]
fn a_client_debugs_as_its_ids() {
    let client: Client = client();
    let _reader = client.read("seen", Request::get("http://127.0.0.1:9/?q=secret")).unwrap();
    let shown = format!("{client:?}");
    assert!(shown.contains("seen") && !shown.contains("secret"), "{shown}");
}

#[test]
fn a_terminal_error_of_one_connection_leaves_the_others_alone() {
    let (good, bad) = (open_server(), Server::serve(|_, mut peer| peer.respond(404, &[], "")).unwrap());
    let client = client();
    let goes_on = client.connect("good", request(&good)).unwrap();
    let fails = client.connect("bad", request(&bad)).unwrap();
    assert_eq!(terminal_error(&fails).status(), Some(404));
    assert_eq!(next_data(&goes_on), "a");
    assert_eq!(client.ids(), ["good"]);
    stop(&goes_on);
}
