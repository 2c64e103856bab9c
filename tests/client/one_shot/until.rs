//! The event that ends a stream.

use http_sse::testing::Server;
use http_sse::{End, Error, Event, Request, RetryPolicy};

use support::deadline;
use support::transcript::{assert_ended, client, next, next_data, quick, rest, terminal_error, transcript};

const STREAM: &str = "id: 1\ndata: a\n\nid: 2\nevent: over\ndata: end\n\nid: 3\ndata: b\n\n";

/// Sends this and keeps the stream open.
fn serve(stream: &'static str) -> Server {
    let server = Server::serve(move |_, mut peer| {
        peer.stream();
        peer.send(stream);
        peer.wait_for_close();
    });
    server.unwrap()
}

fn until_end(server: &Server) -> Request {
    Request::get(server.url("/")).retry(quick()).until(|event| event.data() == "end")
}

#[test]
fn the_stream_ends_cleanly_and_its_last_event_is_not_delivered() {
    let server = serve(STREAM);
    let client = client();
    let rx = client.connect("it", until_end(&server)).unwrap();
    let handle = rx.handle();
    assert_eq!(next_data(&rx), "a");
    assert_ended(&rx);
    assert!(matches!(handle.end(), Some(End::Until)));
    assert!(handle.join_timeout(deadline()));
    assert_eq!((client.ids().len(), server.connections()), (0, 1));
}

#[test]
fn the_last_event_is_counted_and_its_id_too() {
    let server = serve(STREAM);
    let rx = client().connect("it", until_end(&server)).unwrap();
    assert_eq!(rest(&rx).len(), 1);
    assert_eq!(rx.handle().last_event_id().as_deref(), Some("2"));
    assert_eq!(rx.handle().stats().events, 2);
}

#[test]
fn the_last_event_is_not_given_to_on_event_and_the_end_is_no_error() {
    let server = serve(STREAM);
    let (events, seen) = transcript();
    let (failures, failed) = transcript();
    let (ends, closed) = transcript();
    let request = until_end(&server)
        .on_event(move |event| events.send(event.data().to_owned()).unwrap())
        .on_error(move |error| failures.send(error.clone()).unwrap())
        .on_close(move |end| ends.send(matches!(end, End::Until)).unwrap());
    let rx = client().connect("it", request).unwrap();
    assert_eq!(rest(&rx).len(), 1);
    assert_eq!(rest(&seen), ["a"]);
    assert_ended(&failed);
    assert_eq!(rest(&closed), [true]);
}

#[test]
fn it_is_asked_for_each_event_with_its_type_and_id() {
    let server = serve(STREAM);
    let (sender, asked) = transcript();
    let request = Request::get(server.url("/")).until(move |event| {
        sender.send((event.event_type().to_owned(), event.id().map(str::to_owned))).unwrap();
        event.event_type() == "over"
    });
    let rx = client().connect("it", request).unwrap();
    assert_eq!(rest(&rx).len(), 1);
    let pair = |event_type: &str, id: &str| (event_type.to_owned(), Some(id.to_owned()));
    assert_eq!(rest(&asked), [pair("message", "1"), pair("over", "2")]);
}

#[test]
fn the_first_event_may_be_the_last() {
    let server = serve("data: end\n\n");
    let rx = client().connect("it", until_end(&server)).unwrap();
    assert_ended(&rx);
    assert!(matches!(rx.handle().end(), Some(End::Until)));
}

#[test]
fn a_reader_ends_too() {
    let server = serve(STREAM);
    let mut reader = client().read("it", until_end(&server)).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().data(), "a");
    assert!(reader.next().is_none() && reader.next().is_none());
    assert!(matches!(reader.handle().end(), Some(End::Until)));
}

#[test]
fn all_that_was_sent_before_is_delivered_though_nobody_reads_yet() {
    let server = serve(STREAM);
    let rx = client().connect("it", until_end(&server).capacity(1)).unwrap();
    assert!(rx.handle().join_timeout(deadline()));
    assert_eq!(next(&rx).unwrap(), Event::new("", "a").with_id("1"));
    assert_ended(&rx);
}

/// The first response ends or is cut before the event, the second has it.
fn interrupted(cut: bool) -> Server {
    let server = Server::serve(move |number, mut peer| {
        match number {
            0 => assert_eq!(peer.request().header("last-event-id"), None),
            _ => assert_eq!(peer.request().header("last-event-id"), Some("1")),
        }
        peer.stream();
        match number {
            0 => peer.send("id: 1\ndata: a\n\n"),
            _ => peer.send("id: 2\ndata: b\n\ndata: end\n\n"),
        }
        if cut { peer.close_abruptly() } else { peer.end() }
    });
    server.unwrap()
}

#[test]
fn under_never_a_response_that_ends_before_it_is_an_error() {
    for cut in [false, true] {
        let server = interrupted(cut);
        let rx = client().connect("it", until_end(&server).retry(RetryPolicy::never())).unwrap();
        assert_eq!(next_data(&rx), "a");
        assert!(matches!(terminal_error(&rx), Error::Disconnected));
        assert!(matches!(rx.handle().end(), Some(End::Failed(Error::Disconnected))));
        assert_eq!(server.connections(), 1);
    }
}

#[test]
fn under_never_a_response_that_ends_at_it_is_complete() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("data: a\n\ndata: end\n\n");
        peer.end();
    });
    let server = server.unwrap();
    let rx = client().connect("it", until_end(&server).retry(RetryPolicy::never())).unwrap();
    assert_eq!(next_data(&rx), "a");
    assert_ended(&rx);
    assert!(matches!(rx.handle().end(), Some(End::Until)));
}

#[test]
fn under_never_an_unfinished_last_event_is_an_error() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("data: a\n\ndata: end\n");
        peer.end();
    });
    let server = server.unwrap();
    let rx = client().connect("it", until_end(&server).retry(RetryPolicy::never())).unwrap();
    assert_eq!(next_data(&rx), "a");
    assert!(matches!(terminal_error(&rx), Error::Disconnected));
}

#[test]
fn under_a_policy_that_retries_the_stream_goes_on_until_it_comes() {
    for cut in [false, true] {
        let server = interrupted(cut);
        let rx = client().connect("it", until_end(&server)).unwrap();
        assert_eq!((next_data(&rx), next_data(&rx)), ("a".into(), "b".into()));
        assert_ended(&rx);
        assert!(matches!(rx.handle().end(), Some(End::Until)));
        server.finish();
    }
}

#[test]
fn a_204_before_the_last_event_is_not_an_error() {
    let server = Server::serve(|_, mut peer| peer.respond(204, &[], "")).unwrap();
    let rx = client().connect("it", until_end(&server).retry(RetryPolicy::never())).unwrap();
    assert_ended(&rx);
    assert!(matches!(rx.handle().end(), Some(End::NoContent)));
}

#[test]
fn without_it_a_response_that_ends_under_never_is_complete() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send(STREAM);
        peer.end();
    });
    let server = server.unwrap();
    let rx = client().connect("it", Request::get(server.url("/")).retry(RetryPolicy::never())).unwrap();
    assert_eq!(rest(&rx).len(), 3);
    assert!(matches!(rx.handle().end(), Some(End::Complete)));
}
