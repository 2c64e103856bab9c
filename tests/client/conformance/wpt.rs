//! web-platform-tests: what the streams of `eventsource/` mean.

use super::case::{Case, Seen, case, comment, event, message, message_with_id};

/// What the suite's own server puts behind a message unless told otherwise.
const END: &str = "\n\n\n";

pub(crate) fn cases() -> Vec<Case> {
    [data(), ids(), text()].into_iter().flatten().collect()
}

fn data() -> Vec<Case> {
    vec![
        case(
            "wpt event-data.any.js",
            "unknown fields and comments between events",
            "data:msg\ndata: msg\n\n:\nfalsefield:msg\n\nfalsefield:msg\nData:data\n\ndata\n\ndata:end\n\n",
            [message("msg\nmsg"), comment(""), message(""), message("end")],
        ),
        case(
            "wpt format-data-before-final-empty-line.any.js",
            "an event without its blank line is not fired, and its id is not kept",
            "retry:1000\ndata:test1\n\nid:test\ndata:test2\n",
            [Seen::Retry(1000), message("test1")],
        ),
        case(
            "wpt format-field-data.any.js",
            "empty data, two empty lines of it, and some",
            format!("data:\n\ndata\ndata\n\ndata:test{END}"),
            [message(""), message("\n"), message("test")],
        ),
        case(
            "wpt format-field-event.any.js",
            "a type holds for one event",
            format!("event:test\ndata:x\n\ndata:x{END}"),
            [event("test", "x", ""), message("x")],
        ),
        case(
            "wpt format-field-event-empty.any.js",
            "an empty type is the default one",
            format!("event: \ndata:data{END}"),
            [message("data")],
        ),
        case(
            "wpt format-field-parsing.any.js",
            "names that only look like data",
            "data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n",
            [message("\0\n 2\n1\n3\n\n4")],
        ),
        case(
            "wpt format-field-unknown.any.js",
            "unknown fields are ignored",
            format!("data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\ndata:test{END}"),
            [comment("thisisacommentyay"), message("test\n\ntest")],
        ),
        case(
            "wpt format-field-retry.any.js",
            "a reconnection time with a leading zero is decimal",
            format!("retry:02000\ndata:x{END}"),
            [Seen::Retry(2000), message("x")],
        ),
        case(
            "wpt format-field-retry-bogus.any.js",
            "a reconnection time that is no number is ignored",
            format!("retry:2000\nretry:1000x\ndata:x{END}"),
            [Seen::Retry(2000), message("x")],
        ),
        case(
            "wpt format-field-retry-empty.any.js",
            "an empty reconnection time is ignored",
            format!("retry\ndata:test{END}"),
            [message("test")],
        ),
        case(
            "wpt resources/reconnect-fail.py",
            "a reconnection time of two milliseconds",
            "retry: 2\ndata: opened\n\n",
            [Seen::Retry(2), message("opened")],
        ),
    ]
}

fn ids() -> Vec<Case> {
    let mut cases = vec![
        case(
            "wpt format-field-id.any.js",
            "an id that is not ASCII",
            "id: …\nretry: 200\ndata: hello\n\n",
            [Seen::Retry(200), message_with_id("hello", "…")],
        ),
        case(
            "wpt format-field-id-3.window.js",
            "an id persists",
            "id: 1\ndata: 1\n\ndata:2\n\n",
            [message_with_id("1", "1"), message_with_id("2", "1")],
        ),
        case(
            "wpt format-field-id-3.window.js",
            "an id changes and persists",
            "id: 1\ndata: 1\n\nid: 2\ndata:2\n\ndata:3\n\n",
            [message_with_id("1", "1"), message_with_id("2", "2"), message_with_id("3", "2")],
        ),
        case(
            "wpt format-field-id-3.window.js",
            "an empty id resets, with a colon",
            "id: 1\ndata: 1\n\nid:\ndata:2\n\ndata:3\n\n",
            [message_with_id("1", "1"), message("2"), message("3")],
        ),
        case(
            "wpt format-field-id-3.window.js",
            "an empty id resets, without a colon",
            "id: 1\ndata: 1\n\nid\ndata:2\n\ndata:3\n\n",
            [message_with_id("1", "1"), message("2"), message("3")],
        ),
        case(
            "wpt resources/cors-unsafe-last-event-id.py",
            "an id with a byte that browsers ask about first",
            "id: e5p3n<3k0k0s\nretry: 200\ndata: unsafe\n\n",
            [Seen::Retry(200), message_with_id("unsafe", "e5p3n<3k0k0s")],
        ),
        case(
            "wpt resources/cors-unsafe-last-event-id.py",
            "an id of 255 bytes",
            format!("id: {}\nretry: 200\ndata: long\n\n", "a".repeat(255)),
            [Seen::Retry(200), message_with_id("long", &"a".repeat(255))],
        ),
    ];
    for id in ["\0\0", "x\0", "\0x", "x\0x", " \0"] {
        cases.push(case(
            "wpt format-field-id-null.window.js",
            "an id with NUL is ignored",
            format!("id: {id}\nretry: 200\ndata: hello\n\n"),
            [Seen::Retry(200), message("hello")],
        ));
    }
    cases
}

fn text() -> Vec<Case> {
    let long = "x".repeat(2048);
    vec![
        case(
            "wpt format-bom.any.js",
            "one byte order mark may lead the stream, and none a later event",
            format!("\u{FEFF}data:1\n\n\u{FEFF}data:2\n\ndata:3{END}"),
            [message("1"), message("3")],
        ),
        case(
            "wpt format-bom-2.any.js",
            "the second of two byte order marks belongs to the first line",
            format!("\u{FEFF}\u{FEFF}data:1\n\ndata:2\n\ndata:3{END}"),
            [message("2"), message("3")],
        ),
        case(
            "wpt format-comments.any.js",
            "comments with every line end, one of them long",
            format!("data:1\r:\0\n:\r\ndata:2\n:{long}\rdata:3\n:data:fail\r:{long}\ndata:4\n\n"),
            [comment("\0"), comment(""), comment(&long), comment("data:fail"), comment(&long), message("1\n2\n3\n4")],
        ),
        case(
            "wpt format-leading-space.any.js",
            "a tab after the colon stays, one space goes",
            format!("data:\ttest\rdata: \ndata:test{END}"),
            [message("\ttest\n\ntest")],
        ),
        case(
            "wpt format-newlines.any.js",
            "all line ends in one event",
            "data:test\r\ndata\ndata:test\r\n\r\n",
            [message("test\n\ntest")],
        ),
        case("wpt format-null-character.any.js", "data may be NUL", format!("data:\0\n\n{END}"), [message("\0")]),
        case("wpt format-utf-8.any.js", "a stream is UTF-8", format!("data:ok…{END}"), [message("ok…")]),
    ]
}
