//! LaunchDarkly's sse-contract-tests: what its streams mean. Where that suite cuts a stream by hand, the cuts are among ours.

use super::case::{Case, case, case_of, comment, event, message, message_with_id};

const BOM: &str = "\u{FEFF}";

pub(crate) fn cases() -> Vec<Case> {
    let line_ends = ["\n", "\r\n", "\r"].into_iter().flat_map(line_ends);
    basic().into_iter().chain(fields()).chain(byte_order_marks()).chain(comments()).chain(line_ends).collect()
}

fn basic() -> Vec<Case> {
    let source = "launchdarkly tests_basic_parsing.go";
    let many: Vec<String> = (0..100).map(|number| format!("message {number}")).collect();
    let many_on_the_wire: String = many.iter().map(|data| format!("data: {data}\n\n")).collect();
    vec![
        case(source, "a message of one line", "data: Hello\n\n", [message("Hello")]),
        case(
            source,
            "two messages in three chunks that share one",
            "data: testtest\n\ndata:test\n\n",
            [message("testtest"), message("test")],
        ),
        case(source, "two messages", "data: Hello\n\ndata: World\n\n", [message("Hello"), message("World")]),
        case(source, "a message of two lines", "data: Hello\ndata:World\n\n", [message("Hello\nWorld")]),
        case(source, "empty data", "data:\n\n", [message("")]),
        case(source, "several bytes a character", "data: €豆腐\n\n", [message("€豆腐")]),
        case_of(
            source,
            "a hundred messages in order",
            many_on_the_wire,
            many.iter().map(|data| message(data)).collect(),
        ),
        case(source, "a line without a colon", "data\n\ndata\ndata\n\n", [message(""), message("\n")]),
    ]
}

fn fields() -> Vec<Case> {
    let source = "launchdarkly tests_basic_parsing.go";
    vec![
        case(source, "a type", "event: greeting\ndata: Hello\n\n", [event("greeting", "Hello", "")]),
        case(source, "an id", "id: abc\ndata: Hello\n\n", [message_with_id("Hello", "abc")]),
        case(
            source,
            "a type and an id",
            "event: greeting\nid: abc\ndata: Hello\n\n",
            [event("greeting", "Hello", "abc")],
        ),
        case(
            source,
            "the same in reverse",
            "data: Hello\nid: abc\nevent: greeting\n\n",
            [event("greeting", "Hello", "abc")],
        ),
        case(source, "an id with NUL", "id: a\0bc\ndata: Hello\n\n", [message("Hello")]),
        case(
            source,
            "an id stays in force",
            "id: abc\ndata: first\n\ndata: second\n\n",
            [message_with_id("first", "abc"), message_with_id("second", "abc")],
        ),
        case(
            source,
            "an empty id resets",
            "id: abc\ndata: first\n\nid: \ndata: second\n\n",
            [message_with_id("first", "abc"), message("second")],
        ),
        case(
            source,
            "an unknown field",
            "event: greeting\ncolor: blue\ndata: Hello\n\n",
            [event("greeting", "Hello", "")],
        ),
        case(source, "no space after the colon", "event:greeting\ndata:Hello\n\n", [event("greeting", "Hello", "")]),
        case(source, "two spaces after it", "event:  greeting\ndata:  Hello\n\n", [event(" greeting", " Hello", "")]),
    ]
}

fn byte_order_marks() -> Vec<Case> {
    let source = "launchdarkly tests_bom.go";
    vec![
        case(source, "a mark at the start", format!("{BOM}data: Hello\n\n"), [message("Hello")]),
        case(
            source,
            "a mark before other fields",
            format!("{BOM}event: greeting\nid: abc\ndata: Hello\n\n"),
            [event("greeting", "Hello", "abc")],
        ),
        case(
            source,
            "a mark before two messages",
            format!("{BOM}data: First\n\ndata: Second\n\n"),
            [message("First"), message("Second")],
        ),
        case(
            source,
            "a mark in later data stays",
            format!("data: First\n\ndata: {BOM}Second\n\n"),
            [message("First"), message(&format!("{BOM}Second"))],
        ),
        case(
            source,
            "a mark in the first data stays",
            format!("{BOM}data: {BOM}Hello\n\n"),
            [message(&format!("{BOM}Hello"))],
        ),
        case(source, "a mark before data of two lines", format!("{BOM}data: 1\ndata: 2\n\n"), [message("1\n2")]),
        case(
            source,
            "a mark before a comment",
            format!("{BOM}:comment\ndata: Hello\n\n"),
            [comment("comment"), message("Hello")],
        ),
        case(source, "a mark before empty data", format!("{BOM}data:\n\n"), [message("")]),
    ]
}

fn comments() -> Vec<Case> {
    let source = "launchdarkly tests_comments.go";
    vec![
        case(source, "one", ":Hello\n", [comment("Hello")]),
        case(source, "two in a row", ":Hello\n:World\n", [comment("Hello"), comment("World")]),
        case(source, "before an event", ":Hello\ndata: Hello\n\n", [comment("Hello"), message("Hello")]),
        case(source, "after an event", "data: Hello\n\n:Hello\n", [message("Hello"), comment("Hello")]),
    ]
}

fn line_ends(end: &str) -> Vec<Case> {
    let source = "launchdarkly tests_linefeeds.go";
    let case = |name, lines: &str, sees: &[&str]| {
        case_of(source, name, lines.replace('|', end), sees.iter().map(|data| message(data)).collect())
    };
    let mut cases = vec![
        case("an event of one line", "data: event 1||", &["event 1"]),
        case("and one of two", "data: event 1||data: 2 line 1|data: 2 line 2||", &["event 1", "2 line 1\n2 line 2"]),
        case("an empty line first", "data:|data: line2|data: line3||", &["\nline2\nline3"]),
        case("an empty line in the middle", "data: line1|data:|data: line3||", &["line1\n\nline3"]),
        case("a blank line more", "data: event 1|||data: event 2||", &["event 1", "event 2"]),
        case("two blank lines more", "data: event 1||||data: event 2||", &["event 1", "event 2"]),
    ];
    if end == "\r\n" {
        cases.push(case(
            "CRLF with every CR at the end of a chunk",
            "data: Hello|data: World||data: OK||",
            &["Hello\nWorld", "OK"],
        ));
    }
    cases
}
