//! What a block of the stream held besides its event: its text, and its comments.

use http_sse::parser::{Frame, Parser};
use http_sse::testing::Server;
use http_sse::{End, Event, Request, RetryPolicy};

use support::transcript::{client, rest, transcript};

/// The events of a response that comes in these parts.
fn events(parts: &'static [&'static str], shape: impl FnOnce(Request) -> Request) -> Vec<Event> {
    let server = Server::serve(move |_, mut peer| {
        peer.stream();
        parts.iter().for_each(|part| peer.send(part));
        peer.end();
    });
    let server = server.unwrap();
    let request = shape(Request::get(server.url("/")).retry(RetryPolicy::never()));
    let rx = client().connect("it", request).unwrap();
    let events = rest(&rx).into_iter().map(Result::unwrap).collect();
    assert!(matches!(rx.handle().end(), Some(End::Complete)), "{:?}", rx.handle().end());
    events
}

fn raws(parts: &'static [&'static str]) -> Vec<String> {
    events(parts, Request::keep_raw).iter().map(|event| event.raw().unwrap().to_owned()).collect()
}

fn comments(parts: &'static [&'static str]) -> Vec<Option<String>> {
    events(parts, |request| request).iter().map(|event| event.comment().map(str::to_owned)).collect()
}

#[test]
fn the_text_of_a_block_is_kept_as_received() {
    let raws = raws(&["id: 1\nevent:x\ndata:  a \n: note\nfoo: bar\nretry: 1000\nnothing\n\ndata: b\n\n"]);
    assert_eq!(raws, ["id: 1\nevent:x\ndata:  a \n: note\nfoo: bar\nretry: 1000\nnothing", "data: b"]);
}

#[test]
fn the_lines_of_the_text_are_joined_by_lf_whatever_ended_them() {
    assert_eq!(raws(&["id: 1\r\ndata: a\rdata: b\n\r\n"]), ["id: 1\ndata: a\ndata: b"]);
}

#[test]
fn the_text_is_whole_however_it_came() {
    assert_eq!(raws(&["d", "ata: \u{fc}", "\r", "\n", "da", "ta: b\n", "\n"]), ["data: \u{fc}\ndata: b"]);
}

#[test]
fn the_text_of_a_block_without_data_belongs_to_no_event() {
    assert_eq!(raws(&["id: 1\n\n: alone\n\ndata: a\n\n"]), ["data: a"]);
}

#[test]
fn the_text_does_not_begin_with_the_byte_order_mark() {
    assert_eq!(raws(&["\u{feff}data: a\n\n"]), ["data: a"]);
}

#[test]
fn a_block_of_an_earlier_connection_leaves_no_text_behind() {
    let server = Server::serve(|number, mut peer| match number {
        0 => {
            peer.stream();
            peer.send("data: lost\n: half");
            peer.close_abruptly();
        }
        _ => {
            peer.stream();
            peer.send("data: a\n\ndata: end\n\n");
            peer.end();
        }
    });
    let server = server.unwrap();
    let request = Request::get(server.url("/")).keep_raw().retry(support::transcript::quick());
    let rx = client().connect("it", request.until(|event| event.data() == "end")).unwrap();
    let events: Vec<_> = rest(&rx).into_iter().map(Result::unwrap).collect();
    assert_eq!(
        events.iter().map(|event| (event.raw(), event.comment())).collect::<Vec<_>>(),
        [(Some("data: a"), None)]
    );
}

#[test]
fn without_keep_raw_there_is_no_text() {
    assert!(events(&["data: a\n\n"], |request| request).iter().all(|event| event.raw().is_none()));
}

#[test]
fn the_text_is_there_for_callbacks_subscribers_and_readers() {
    let server = Server::serve_concurrently(|_, mut peer| {
        peer.stream();
        peer.send("data:a\n\ndata: end\n\n");
        peer.end();
    });
    let server = server.unwrap();
    let (sender, seen) = transcript();
    let request = || Request::get(server.url("/")).keep_raw().until(|event| event.raw() == Some("data: end"));
    let heard = request().on_event(move |event| sender.send(event.raw().map(str::to_owned)).unwrap());
    let client = client();
    let rx = client.connect("it", heard).unwrap();
    assert_eq!(rest(&rx)[0].as_ref().unwrap().raw(), Some("data:a"));
    assert_eq!(rest(&seen), [Some("data:a".to_owned())]);
    let mut reader = client.read("it", request()).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().raw(), Some("data:a"));
    assert!(reader.next().is_none());
}

#[test]
fn the_comments_of_a_block_come_with_its_event() {
    let comments = comments(&[": one\n:two\ndata: a\n:\n\ndata: b\n\n:: three\ndata: c\n\n"]);
    assert_eq!(comments, [Some(" one\ntwo\n".to_owned()), None, Some(": three".to_owned())]);
}

#[test]
fn a_comment_between_events_belongs_to_none() {
    assert_eq!(comments(&[": alone\n\ndata: a\n\n: alone again\n\n"]), [None]);
}

#[test]
fn a_comment_is_reported_at_the_end_of_its_line_and_kept_for_its_event() {
    let (sender, told) = transcript();
    let events = events(&[": one\ndata: a\n", ": two\n\n: alone\n"], |request| {
        let on_event = sender.clone();
        request
            .on_comment(move |text| sender.send(format!(":{text}")).unwrap())
            .on_event(move |event| on_event.send(event.data().to_owned()).unwrap())
    });
    assert_eq!(events[0].comment(), Some(" one\n two"));
    assert_eq!(rest(&told), [": one", ": two", "a", ": alone"]);
}

#[test]
fn of_the_comments_of_one_block_4_kib_are_kept_and_the_event_comes_all_the_same() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        for _ in 0..100 {
            peer.send(format!(":{}\n", "c".repeat(999)));
        }
        peer.send("data: a\n\ndata: b\n\n");
        peer.end();
    });
    let server = server.unwrap();
    let request = Request::get(server.url("/")).retry(RetryPolicy::never()).max_event_size(10_000);
    let rx = client().connect("it", request).unwrap();
    let events: Vec<_> = rest(&rx).into_iter().map(Result::unwrap).collect();
    let kept = events[0].comment().unwrap();
    assert!(kept.len() <= 4096 && kept.len() >= 3 * 1000, "{}", kept.len());
    assert_eq!((events[0].data(), events[1].data(), events[1].comment()), ("a", "b", None));
    let stats = rx.handle().stats();
    assert_eq!((stats.comments, stats.events, stats.oversized), (100, 2, 0));
}

#[test]
fn the_wire_form_of_an_event_is_canonical_whatever_its_text_was() {
    let events = events(&[": note\nid:7\nfoo: bar\nevent: x\ndata:a\ndata:b\n\n"], Request::keep_raw);
    assert_eq!(events[0].to_string(), ": note\nevent: x\nid: 7\ndata: a\ndata: b\n\n");
}

#[test]
fn a_parser_configured_in_the_middle_of_a_stream_keeps_the_text_from_there_on() {
    let raw_of_next = |parser: &mut Parser, mut input: &[u8]| match parser.next_frame(&mut input) {
        Ok(Some(Frame::Event(event))) => event.raw().map(str::to_owned),
        other => panic!("{other:?}"),
    };
    let mut parser = Parser::new();
    assert_eq!(raw_of_next(&mut parser, b"data: 1\n\n"), None);
    let mut parser = parser.keep_raw();
    assert_eq!(raw_of_next(&mut parser, b"data: 2\n\n").as_deref(), Some("data: 2"));
    assert_eq!(raw_of_next(&mut parser, b"data: 3\n\n").as_deref(), Some("data: 3"));
}

#[test]
fn a_parser_configured_in_the_middle_of_a_line_keeps_the_following_text() {
    let mut parser = Parser::new();
    assert_eq!(parser.next_frame(&mut &b"data: abc"[..]), Ok(None));
    let mut parser = parser.keep_raw();
    for byte in b"de\n" {
        assert_eq!(parser.next_frame(&mut &[*byte][..]), Ok(None));
    }
    let Ok(Some(Frame::Event(event))) = parser.next_frame(&mut &b"\n"[..]) else { panic!("no event") };
    assert_eq!((event.data(), event.raw()), ("abcde", Some("de")));
}
