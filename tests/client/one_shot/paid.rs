//! A request that costs money with each answer, under a policy that retries.

use http_sse::testing::{Peer, Server};
use http_sse::{End, Error, Request};

use support::transcript::{assert_ended, client, next_data, quick, rest, terminal_error, transcript};

/// Each answer has one event and ends in mid-answer: as its framing says, or cut.
fn serve(end: fn(Peer)) -> Server {
    let server = Server::serve(move |number, mut peer| {
        peer.stream();
        peer.send(format!("data: {number}\n\n"));
        end(peer);
    });
    server.unwrap()
}

fn paid(server: &Server) -> Request {
    Request::post(server.url("/")).text("prompt").retry(quick())
}

#[test]
fn after_an_event_it_is_not_repeated_and_its_early_end_is_reported() {
    for end in [Peer::end, Peer::close_abruptly] {
        let server = serve(end);
        let (failures, failed) = transcript();
        let request = paid(&server).until(|event| event.data() == "[DONE]");
        let request = request.on_error(move |error| failures.send(error.to_string()).unwrap());
        let rx = client().connect("it", request).unwrap();
        assert_eq!(next_data(&rx), "0");
        assert!(matches!(terminal_error(&rx), Error::Disconnected));
        assert_eq!(rest(&failed), ["the stream ended early"]);
        assert_eq!((server.connections(), rx.handle().stats().consecutive_failures), (1, 1));
    }
}

#[test]
fn with_until_retry_when_is_asked_for_an_early_end_and_decides() {
    for end in [Peer::end, Peer::close_abruptly] {
        let server = serve(end);
        let (questions, asked) = transcript();
        let mut answers = [true, true, false].into_iter();
        let request = paid(&server).until(|event| event.data() == "[DONE]").retry_when(move |error| {
            questions.send(matches!(error, Error::Disconnected)).unwrap();
            answers.next().unwrap()
        });
        let rx = client().connect("it", request).unwrap();
        assert_eq!([next_data(&rx), next_data(&rx), next_data(&rx)], ["0", "1", "2"]);
        assert!(matches!(terminal_error(&rx), Error::Disconnected));
        assert_eq!(rest(&asked), [true; 3]);
        assert_eq!(server.connections(), 3);
    }
}

#[test]
fn without_until_its_clean_end_is_its_end() {
    for events in ["data: a\n\n", ""] {
        let server = Server::serve(move |_, mut peer| {
            peer.stream();
            peer.send(events);
            peer.end();
        });
        let server = server.unwrap();
        let (failures, failed) = transcript::<Error>();
        let request = paid(&server).on_error(move |error| failures.send(error.clone()).unwrap());
        let rx = client().connect("it", request).unwrap();
        assert_eq!(rest(&rx).len(), usize::from(!events.is_empty()));
        assert!(matches!(rx.handle().end(), Some(End::Complete)));
        assert_ended(&failed);
        assert_eq!(server.connections(), 1);
    }
}

#[test]
fn a_subscription_by_post_comes_back_after_a_clean_end_where_retry_when_says_so() {
    let server = Server::serve(|number, mut peer| {
        if number == 3 {
            return peer.respond(204, &[], "");
        }
        peer.stream();
        if number != 1 {
            peer.send(format!("data: {number}\n\n"));
        }
        peer.end();
    });
    let server = server.unwrap();
    let (questions, asked) = transcript();
    let (failures, failed) = transcript();
    let request = paid(&server).on_error(move |error| failures.send(error.to_string()).unwrap());
    let rx =
        client().connect("it", request.retry_when(move |error| questions.send(error.to_string()).is_ok())).unwrap();
    assert_eq!([next_data(&rx), next_data(&rx)], ["0", "2"]);
    assert_ended(&rx);
    assert!(matches!(rx.handle().end(), Some(End::NoContent)));
    let (early, empty) = ("the stream ended early", "the stream ended without an event");
    assert_eq!(rest(&asked), [early, empty, early]);
    assert_eq!(rest(&failed), [empty]);
}

#[test]
fn where_retry_when_says_no_its_clean_end_is_its_end() {
    let server = serve(Peer::end);
    let request = paid(&server).retry_when(|error| error.status().is_some());
    let rx = client().connect("it", request).unwrap();
    assert_eq!(next_data(&rx), "0");
    assert_ended(&rx);
    assert!(matches!(rx.handle().end(), Some(End::Complete)));
    assert_eq!(server.connections(), 1);
}

#[test]
fn before_an_event_the_policy_decides_alone() {
    let server = Server::serve(|number, mut peer| match number {
        0 => peer.respond(503, &[], ""),
        1 => peer.reset(),
        _ => {
            peer.stream();
            peer.send("data: a\n\ndata: [DONE]\n\n");
            peer.end();
        }
    });
    let server = server.unwrap();
    let rx = client().connect("it", paid(&server).until(|event| event.data() == "[DONE]")).unwrap();
    assert_eq!(next_data(&rx), "a");
    assert_ended(&rx);
    assert_eq!(server.connections(), 3);
}

#[test]
fn an_answer_without_any_event_shows_what_it_was_instead() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("{\"error\": \"no such model\"}");
        peer.end();
    });
    let server = server.unwrap();
    let request = Request::post(server.url("/")).until(|event| event.data() == "[DONE]");
    let rx = client().connect("it", request).unwrap();
    let error = terminal_error(&rx);
    assert!(matches!(error, Error::NoEvent(_)), "{error:?}");
    assert_eq!(error.body(), Some("{\"error\": \"no such model\"}"));
}
