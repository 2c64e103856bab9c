//! The examples of HTML §9.2, in other words.

use super::case::{Case, Seen, case, comment, event, message, message_with_id};

pub(crate) fn cases() -> Vec<Case> {
    let introduction = "html §9.2.1";
    let examples = "html §9.2.6";
    vec![
        case(
            introduction,
            "three messages, the second of two lines",
            "data: one\n\ndata: two,\ndata: continued\n\ndata: three\n\n",
            [message("one"), message("two,\ncontinued"), message("three")],
        ),
        case(
            introduction,
            "events with types of their own",
            "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n",
            [event("add", "73857293", ""), event("remove", "2153", ""), event("add", "113411", "")],
        ),
        case(
            examples,
            "data of three lines is one message",
            "data: YHOO\ndata: +2\ndata: 10\n\n",
            [message("YHOO\n+2\n10")],
        ),
        case(
            examples,
            "a comment alone, an id, an id without a value, two spaces after the colon",
            ": a stream\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third\n\n",
            [comment(" a stream"), message_with_id("first", "1"), message("second"), message(" third")],
        ),
        case(
            examples,
            "without the last blank line the last message is discarded",
            ": a stream\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third\n",
            [comment(" a stream"), message_with_id("first", "1"), message("second")],
        ),
        case(
            examples,
            "an empty message, one of a line feed, and one that is cut",
            "data\n\ndata\ndata\n\ndata:",
            [message(""), message("\n")],
        ),
        case(
            examples,
            "the space after the colon changes nothing",
            "data:test\n\ndata: test\n\n",
            [message("test"), message("test")],
        ),
        case(
            "html §9.2.6, dispatch the event",
            "without data there is no event, its id takes effect, its type is forgotten",
            "id: 7\nevent: add\n\ndata: x\n\nid: 8\n\n",
            [message_with_id("x", "7")],
        )
        .last_id("8"),
        case(
            "html §9.2.6, process the field",
            "all digits or no reconnection time",
            "retry: 10\nretry:\nretry: +5\nretry: 1.5\nretry:  5\nretry: 5 \nretry:0\n",
            [Seen::Retry(10), Seen::Retry(0)],
        ),
        case(
            "html §9.2.7",
            "a comment line keeps a connection alive and is no event",
            ":\n\n:\n\n: still here\n\ndata: x\n\n",
            [comment(""), comment(""), comment(" still here"), message("x")],
        ),
    ]
}
