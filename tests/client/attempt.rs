//! What changes from attempt to attempt: Last-Event-ID, and what `before_connect` does.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use http_sse::testing::{ReceivedRequest, Server};
use http_sse::{Attempt, End, Error, Event, Request, RetryPolicy};

use support::exchange::{Seen, asked, client, retries, run};

/// Answers the connections in turn, then with 204; returns what they asked for and how it ended.
fn attempts(answers: &'static [Answer], request: impl FnOnce(String) -> Request) -> (Vec<ReceivedRequest>, Seen) {
    let (sender, requests) = channel();
    let server = Server::serve(move |number, mut peer| {
        sender.send(peer.request().clone()).unwrap();
        match answers.get(number) {
            None => peer.respond(204, &[], ""),
            Some(Status(status)) => peer.respond(*status, &[], ""),
            Some(Stream(text)) => {
                peer.stream();
                peer.send(text);
                peer.end();
            }
        }
    });
    let server = server.unwrap();
    let seen = run(request(server.url("/")));
    server.finish();
    (requests.iter().collect(), seen)
}

/// "Last-Event-ID: ", the id and the end of the line are 8,000 bytes.
const LONGEST_ID: usize = 7983;

enum Answer {
    Status(u16),
    Stream(&'static str),
}

use Answer::{Status, Stream};

fn all<'a>(asked: &'a [ReceivedRequest], header: &str) -> Vec<Option<&'a str>> {
    asked.iter().map(|asked| asked.header(header)).collect()
}

#[test]
fn each_event_tells_which_attempt_brought_it_whatever_it_holds_and_however_it_is_read() {
    let stream = "data: a\n\n: c\ndata: b\n\nid: 7\ndata: c\ndata: d\n\ndata: e\n\n";
    let request = || {
        let server = Server::serve(move |number, mut peer| match number {
            0 | 2 => {
                peer.stream();
                peer.send(stream);
                peer.close_abruptly();
            }
            1 => peer.respond(503, &[], ""),
            _ => peer.respond(204, &[], ""),
        })
        .unwrap();
        let request = Request::get(server.url("/")).retry(retries(9));
        (server, request)
    };
    let expected = [1, 1, 1, 1, 3, 3, 3, 3];
    let (_server, quick) = request();
    let attempts: Vec<_> =
        client().read("quick", quick).unwrap().map(|event| event.unwrap().attempt().unwrap()).collect();
    assert_eq!(attempts, expected);
    let (_server, seen) = request();
    // Kept all at once, so that no memory is used again.
    let events: Vec<_> = client().connect("seen", seen.on_event(|_| {})).unwrap().map(Result::unwrap).collect();
    assert_eq!(events.iter().filter_map(Event::attempt).collect::<Vec<_>>(), expected);
    assert_eq!(Event::new("", "x").attempt(), None);
}

#[test]
fn a_last_event_id_goes_out_as_utf_8_bytes() {
    let asked = asked(|url| Request::get(url).last_event_id("Grüße ☃"));
    assert_eq!(asked.header_bytes("last-event-id"), ["Grüße ☃".as_bytes()]);
}

#[test]
fn an_empty_last_event_id_is_left_out() {
    assert_eq!(asked(|url| Request::get(url).last_event_id("")).header("last-event-id"), None);
}

#[test]
fn a_last_event_id_goes_out_as_long_as_its_line_stays_within_8000_bytes() {
    let id = "i".repeat(LONGEST_ID);
    let asked = asked(|url| Request::get(url).last_event_id(id.as_str()));
    assert_eq!(asked.header("last-event-id"), Some(&id[..]));
    let longer = Request::get("http://127.0.0.1:9/").last_event_id((id + "i").as_str());
    assert!(matches!(client().connect("longer", longer), Err(Error::InvalidRequest(_))));
}

/// Answers with these ids in turn, with the last twice, then with 204; returns what came back, and what was reported.
fn sent_back(ids: Vec<String>) -> (Vec<Option<String>>, Vec<String>) {
    let (sender, requests) = channel();
    let server = Server::serve(move |number, mut peer| {
        sender.send(peer.request().header("last-event-id").map(str::to_owned)).unwrap();
        match ids.get(number).or(ids.last().filter(|_| number == ids.len())) {
            Some(id) => {
                peer.stream();
                peer.send(format!("id: {id}\ndata: a\n\n"));
                peer.end();
            }
            None => peer.respond(204, &[], ""),
        }
    });
    let server = server.unwrap();
    let (failures, failed) = channel();
    let request = Request::get(server.url("/")).retry(retries(9));
    let seen = run(request.on_error(move |error| failures.send(error.clone()).unwrap()));
    assert!(matches!(seen.end, End::NoContent), "{seen:?}");
    server.finish();
    let is_about_ids = |error: &Error| matches!(error, Error::LastEventId(_)) && !error.is_transient();
    let failed: Vec<_> = failed.iter().collect();
    assert!(failed.iter().all(is_about_ids), "{failed:?}");
    (requests.iter().collect(), failed.iter().map(Error::to_string).collect())
}

#[test]
fn a_last_event_id_of_the_server_that_is_too_long_is_left_out_and_reported_once_per_id() {
    let (longest, long) = ("i".repeat(LONGEST_ID), "l".repeat(LONGEST_ID + 1));
    let (ids, reported) = sent_back(vec![longest.clone(), long.clone(), "1".into(), long.clone() + "l", long]);
    assert_eq!(ids, [None, Some(longest), None, Some("1".into()), None, None, None]);
    let text =
        |length: usize| format!("cannot send the last event id: it has {length} bytes, the maximum is {LONGEST_ID}");
    assert_eq!(reported, [text(LONGEST_ID + 1), text(LONGEST_ID + 2), text(LONGEST_ID + 1)]);
}

#[test]
fn a_last_event_id_that_no_header_can_hold_is_left_out_and_reported_once_per_id() {
    let (ids, reported) = sent_back(vec!["1".into(), "b\u{7}ell".into()]);
    assert_eq!(ids, [None, Some("1".into()), None, None]);
    assert_eq!(reported, ["cannot send the last event id: it contains a control character"]);
}

#[test]
fn the_last_event_id_lives_through_any_number_of_reconnects_until_the_server_changes_it() {
    let answers =
        &[Stream("data: a\n\n"), Status(503), Stream(": nothing\n\n"), Stream("id: 2\ndata: b\n\n"), Stream("id\n\n")];
    let (asked, seen) = attempts(answers, |url| Request::get(url).last_event_id("1").retry(retries(9)));
    assert_eq!(seen.data, ["a", "b"]);
    assert_eq!(all(&asked, "last-event-id"), [Some("1"), Some("1"), Some("1"), Some("1"), Some("2"), None]);
}

#[test]
fn the_id_of_a_block_without_data_is_sent_back() {
    let (asked, _) = attempts(&[Stream("id: 7\n\n")], |url| Request::get(url).retry(retries(9)));
    assert_eq!(all(&asked, "last-event-id"), [None, Some("7")]);
}

#[test]
fn the_id_of_a_block_that_was_cut_off_is_not_sent_back() {
    let (asked, _) =
        attempts(&[Stream("id: 7\ndata: a\n\nid: 8\ndata: b\n")], |url| Request::get(url).retry(retries(9)));
    assert_eq!(all(&asked, "last-event-id"), [None, Some("7")]);
}

#[test]
fn before_connect_sets_headers_and_query_for_its_attempt_alone() {
    let (asked, _) = attempts(&[Status(503), Stream("data: a\n\n")], |url| {
        let request = Request::get(url).query("a", "1").header("X-Key", "request").bearer_auth("request");
        request.retry(retries(9)).before_connect(|attempt: &mut Attempt| match attempt.number() {
            1 => {
                attempt.header("x-KEY", "one");
                attempt.query("n", "ü 1");
            }
            2 => attempt.bearer_auth("two"),
            _ => {}
        })
    });
    let paths: Vec<_> = asked.iter().map(ReceivedRequest::path).collect();
    assert_eq!(paths, ["/?a=1&n=%C3%BC+1", "/?a=1", "/?a=1"]);
    assert_eq!(all(&asked, "x-key"), [Some("one"), Some("request"), Some("request")]);
    assert_eq!(all(&asked, "authorization"), [Some("Bearer request"), Some("Bearer two"), Some("Bearer request")]);
    assert!(asked.iter().all(|asked| asked.headers("x-key").len() == 1 && asked.headers("authorization").len() == 1));
}

#[test]
fn a_header_of_before_connect_replaces_all_appended_ones() {
    let asked = asked(|url| {
        let request = Request::get(url).append_header("x-key", "1").append_header("x-key", "2");
        request.before_connect(|attempt| attempt.header("X-Key", "3"))
    });
    assert_eq!(asked.headers("x-key"), ["3"]);
}

#[test]
fn before_connect_sets_the_last_event_id_until_the_server_changes_it() {
    let (asked, _) = attempts(&[Status(503), Stream("data: a\n\n"), Stream("id: 9\n\n")], |url| {
        Request::get(url).last_event_id("1").retry(retries(9)).before_connect(|attempt| {
            if attempt.number() == 2 {
                attempt.set_last_event_id("5");
            }
        })
    });
    assert_eq!(all(&asked, "last-event-id"), [Some("1"), Some("5"), Some("5"), Some("9")]);
}

#[test]
fn before_connect_takes_the_last_event_id_back_with_an_empty_one() {
    let asked =
        asked(|url| Request::get(url).last_event_id("1").before_connect(|attempt| attempt.set_last_event_id("")));
    assert_eq!(asked.header("last-event-id"), None);
}

#[test]
fn before_connect_sees_the_number_of_the_attempt_and_the_failure_before_it() {
    let (sender, seen) = channel();
    attempts(&[Status(503), Status(500), Stream("data: a\n\n")], |url| {
        Request::get(url).retry(retries(9)).before_connect(move |attempt| {
            let status = attempt.last_error().and_then(Error::status);
            sender.send((attempt.number(), status)).unwrap();
        })
    });
    assert_eq!(seen.iter().collect::<Vec<_>>(), [(1, None), (2, Some(503)), (3, Some(500)), (4, None)]);
}

#[test]
fn an_attempt_that_before_connect_fails_sends_nothing_and_is_retried() {
    let (asked, seen) = attempts(&[], |url| {
        Request::get(url).retry(retries(9)).before_connect(|attempt| {
            if attempt.number() < 3 {
                attempt.fail("no token yet");
            }
        })
    });
    assert_eq!((asked.len(), seen.attempts), (1, 3));
    assert!(matches!(seen.end, End::NoContent), "{seen:?}");
}

#[test]
fn giving_up_on_an_attempt_that_before_connect_fails_tells_its_reason() {
    let (asked, seen) =
        attempts(&[], |url| Request::get(url).retry(retries(1)).before_connect(|attempt| attempt.fail("no token yet")));
    assert_eq!((asked.len(), seen.attempts), (0, 2));
    let error = seen.failure();
    assert!(matches!(error, Error::Io(_)) && error.to_string().contains("no token yet"), "{error:?}");
}

#[test]
fn an_invalid_value_of_before_connect_is_terminal_and_keeps_the_value_secret() {
    type Prepare = fn(&mut Attempt<'_>);
    let cases: [(Prepare, &str); 5] = [
        (|attempt| attempt.header("x-key", "se\ncret"), "x-key"),
        (|attempt| attempt.header("x key", "secret"), "\"x \""),
        (|attempt| attempt.header("content-length", "5"), "content-length"),
        (|attempt| attempt.bearer_auth("se\ncret"), "authorization"),
        (|attempt| attempt.set_last_event_id("4\n1"), "last event id"),
    ];
    for (prepare, named) in cases {
        let (asked, seen) = attempts(&[], |url| Request::get(url).retry(retries(9)).before_connect(prepare));
        let text = seen.failure().to_string();
        assert!(matches!(seen.failure(), Error::InvalidRequest(_)), "{text}");
        assert!(text.contains(named) && !text.contains("cret"), "{text}");
        assert_eq!((asked.len(), seen.attempts), (0, 1), "{named}");
    }
}

/// Asks with a fresh token for each attempt; returns the tokens that went out.
fn with_tokens(answers: &'static [Answer], policy: RetryPolicy) -> (Vec<String>, Seen, Receiver<u16>) {
    let (failures, failed) = channel();
    let (asked, seen) = attempts(answers, |url| {
        let request =
            Request::get(url).retry(policy).before_connect(|attempt| attempt.bearer_auth(attempt.number().to_string()));
        request.on_error(move |error| failures.send(error.status().unwrap()).unwrap())
    });
    let tokens = asked.iter().map(|asked| asked.header("authorization").unwrap_or_default().to_owned()).collect();
    (tokens, seen, failed)
}

#[test]
fn a_401_is_retried_once_at_once_where_before_connect_can_renew_the_token_also_under_never() {
    // A wait would outlast the deadline.
    let long = RetryPolicy::constant(Duration::from_secs(3600));
    for policy in [long, RetryPolicy::never(), RetryPolicy::forever().max_retries(0)] {
        let (tokens, seen, failed) = with_tokens(&[Status(401)], policy);
        assert_eq!(tokens, ["Bearer 1", "Bearer 2"]);
        assert!(matches!(seen.end, End::NoContent), "{seen:?}");
        assert_eq!(failed.iter().collect::<Vec<_>>(), [401]);
    }
}

#[test]
fn a_second_401_in_a_row_is_terminal() {
    for policy in [RetryPolicy::never(), retries(9)] {
        let (tokens, seen, failed) = with_tokens(&[Status(401), Status(401)], policy);
        assert_eq!(tokens, ["Bearer 1", "Bearer 2"]);
        assert_eq!(seen.failure().status(), Some(401));
        assert_eq!(failed.iter().collect::<Vec<_>>(), [401, 401]);
    }
}

#[test]
fn a_401_after_something_else_is_renewed_again() {
    let answers = &[Status(401), Stream("data: a\n\n"), Status(401), Status(503), Status(401)];
    let (tokens, seen, failed) = with_tokens(answers, retries(9));
    assert_eq!(tokens.len(), 6);
    assert!(matches!(seen.end, End::NoContent), "{seen:?}");
    assert_eq!(failed.iter().collect::<Vec<_>>(), [401, 401, 503, 401]);
}

#[test]
fn a_401_without_before_connect_is_terminal() {
    let (asked, seen) = attempts(&[Status(401)], |url| Request::get(url).retry(retries(9)));
    assert_eq!((asked.len(), seen.failure().status()), (1, Some(401)));
}

#[test]
fn a_post_is_renewed_with_its_body() {
    let (asked, seen) = attempts(&[Status(401)], |url| {
        Request::post(url).json(&1).before_connect(|attempt| attempt.bearer_auth(attempt.number().to_string()))
    });
    assert!(matches!(seen.end, End::NoContent), "{seen:?}");
    let bodies: Vec<_> = asked.iter().map(|asked| (asked.method(), asked.body())).collect();
    assert_eq!(bodies, [("POST", &b"1"[..]), ("POST", b"1")]);
}

#[test]
fn before_connect_runs_inside_next_of_a_reader() {
    let server = Server::serve(|_, mut peer| {
        assert_eq!(peer.request().header("x-thread"), Some("reader"));
        peer.respond(204, &[], "");
    });
    let server = server.unwrap();
    let request = Request::get(server.url("/")).before_connect(|attempt| {
        attempt.header("x-thread", std::thread::current().name().unwrap_or_default());
    });
    let mut reader = client().read("reader", request).unwrap();
    let reading = std::thread::Builder::new().name("reader".into()).spawn(move || reader.next().is_none());
    assert!(reading.unwrap().join().unwrap());
    server.finish();
}
