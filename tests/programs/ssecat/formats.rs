//! `--format`, `--json` and `--time`: the forms of an event.

use http_sse::testing::Server;

use crate::ssecat::{answered, ssecat};
use support::program::run;

const BLOCKS: &str = "event: price\nid: 1\ndata: a\ndata: b\n\n:note\ndata: \"c\t\\\"\r\n\r\nevent: bye\nid\ndata\n\n";

#[track_caller]
fn lines(arguments: &[&str]) -> Vec<String> {
    let left = answered(arguments, BLOCKS);
    assert_eq!((left.stderr.as_str(), left.code), ("", Some(0)));
    left.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn json_is_one_object_a_line_with_the_data_as_it_came() {
    let objects = [
        r#"{"type":"price","id":"1","data":"a\nb"}"#,
        r#"{"type":"message","id":"1","data":"\"c\t\\\""}"#,
        r#"{"type":"bye","id":null,"data":""}"#,
    ];
    assert_eq!(lines(&["--json"]), objects);
    assert_eq!(lines(&["--format", "json"]), objects);
}

#[test]
fn json_escapes_what_a_terminal_obeys() {
    let left = answered(&["--json"], "data: \u{1b}\u{7f}\u{80}\u{9f}\u{a0}\n\n");
    let object = "{\"type\":\"message\",\"id\":null,\"data\":\"\\u001b\\u007f\\u0080\\u009f\u{a0}\"}\n";
    assert_eq!(left.stdout, object);
}

#[test]
fn tsv_is_one_line_of_type_id_and_data() {
    assert_eq!(lines(&["--format", "tsv"]), ["price\t1\ta\\nb", "message\t1\t\"c\\t\\\\\"", "bye\t\t"]);
}

#[test]
fn data_is_the_data_alone() {
    assert_eq!(lines(&["--format", "data"]), ["a", "b", "\"c\t\\\"", ""]);
}

#[test]
fn raw_is_the_block_as_it_was_received() {
    let left = answered(&["--format", "raw"], "ttl: 5\ndata:1\nevent:x\n\ndata\n\n");
    assert_eq!((left.stdout.as_str(), left.code), ("ttl: 5\ndata:1\nevent:x\n\ndata\n\n", Some(0)));
}

#[test]
fn the_text_form_remains_what_it_was_where_no_terminal_shows_it() {
    let left = answered(&["--format", "text"], "data: \u{1b}[2J\u{9b}\n\n");
    assert_eq!(left.stdout, "data: \u{1b}[2J\u{9b}\n\n");
}

#[test]
fn the_time_is_that_of_now_in_every_format() {
    let before = now();
    let text = lines(&["--time"]);
    let texts = [time(&text[0], ": ", ""), time(&text[6], ": ", "")];
    let json = lines(&["--time", "--json"]);
    let object = r#","type":"price","id":"1","data":"a\nb"}"#;
    let others = [
        time(&json[0], "{\"time\":\"", &format!("\"{object}")),
        time(&lines(&["--time", "--format", "tsv"])[0], "", "\tprice\t1\ta\\nb"),
        time(&lines(&["--time", "--format", "data"])[0], "", " a"),
        time(&lines(&["--time", "--format", "raw"])[0], ": ", ""),
    ];
    let after = now();
    for time in texts.iter().chain(&others) {
        // To the second: RFC 3339 in UTC sorts as text does.
        assert!(time.len() == 24 && time[19..].starts_with('.') && time.ends_with('Z'), "{time}");
        assert!(before[..19] <= time[..19] && time[..19] <= after[..19], "{before} {time} {after}");
    }
}

#[test]
fn the_text_form_with_times_is_an_event_stream_of_the_same_events() {
    let first = answered(&["--time"], BLOCKS);
    let server = Server::serve(move |_, peer| crate::ssecat::send(peer, &first.stdout)).unwrap();
    let second = run(ssecat(&["--json", "--retry", "never"]).arg(server.url("/")));
    let events = answered(&["--json"], BLOCKS).stdout;
    // What the id was reset to is not in the blocks.
    assert_eq!(second.stdout.lines().take(2).collect::<Vec<_>>(), events.lines().take(2).collect::<Vec<_>>());
}

fn time<'a>(line: &'a str, before: &str, after: &str) -> String {
    let time: Option<&'a str> = line.strip_prefix(before).and_then(|line| line.strip_suffix(after));
    time.unwrap_or_else(|| panic!("{before:?} and {after:?} are not around {line:?}")).to_owned()
}

fn now() -> String {
    let output = std::process::Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%S.000Z"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}
