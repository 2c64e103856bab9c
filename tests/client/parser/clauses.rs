//! Every clause of HTML §9.2.5 and §9.2.6 through the public parser.

use std::time::Duration;

use super::feed::{feed, only_event};
use http_sse::Event;
use http_sse::parser::{Frame, Parser};

/// The frames of a stream that passes no limit.
fn frames(stream: impl AsRef<[u8]>) -> Vec<Frame> {
    feed(&mut Parser::new(), stream).into_iter().map(Result::unwrap).collect()
}

/// The events of a stream, as type, data and id.
fn events(stream: impl AsRef<[u8]>) -> Vec<(String, String, Option<String>)> {
    let event = |event: &Event| (event.event_type().to_owned(), event.data().to_owned(), event.id().map(str::to_owned));
    frames(stream)
        .iter()
        .filter_map(|frame| if let Frame::Event(it) = frame { Some(event(it)) } else { None })
        .collect()
}

/// The data of a stream's events.
fn data(stream: impl AsRef<[u8]>) -> Vec<String> {
    events(stream).into_iter().map(|(_, data, _)| data).collect()
}

fn last_event_id(stream: impl AsRef<[u8]>) -> Option<String> {
    let mut parser = Parser::new();
    feed(&mut parser, stream);
    parser.last_event_id().map(str::to_owned)
}

fn comment(text: &str) -> Frame {
    Frame::Comment(text.into())
}

mod lines {
    use super::*;

    #[test]
    fn lf_cr_and_crlf_end_a_line_in_any_mix() {
        for stream in ["data:a\ndata:b\n\n", "data:a\rdata:b\r\r", "data:a\r\ndata:b\r\n\r\n", "data:a\rdata:b\r\n\n"] {
            assert_eq!(data(stream), ["a\nb"], "{stream:?}");
        }
    }

    #[test]
    fn a_blank_line_is_a_blank_line_in_any_mix() {
        for end in ["\n\n", "\r\r", "\r\n\r\n", "\n\r", "\r\n\n", "\r\n\r", "\n\r\n", "\r\r\n"] {
            assert_eq!(data(format!("data:a{end}data:b{end}")), ["a", "b"], "{end:?}");
        }
    }

    #[test]
    fn a_bare_cr_dispatches_at_once() {
        assert_eq!(only_event(feed(&mut Parser::new(), "data:a\r\r")).data(), "a");
    }

    #[test]
    fn an_lf_in_the_next_chunk_belongs_to_the_cr_before_it() {
        let mut parser = Parser::new();
        assert_eq!(feed(&mut parser, "data:a\r"), []);
        assert_eq!(feed(&mut parser, "\n"), [], "no blank line");
        assert_eq!(only_event(feed(&mut parser, "\ndata:b")).data(), "a");
    }

    #[test]
    fn only_one_lf_belongs_to_a_cr() {
        assert_eq!(data("data:a\r\n\ndata:b\r\n\r\n"), ["a", "b"]);
    }

    #[test]
    fn a_unicode_line_separator_ends_no_line() {
        assert_eq!(data("data:a\u{2028}b\u{85}c\u{B}d\n\n"), ["a\u{2028}b\u{85}c\u{B}d"]);
    }
}

mod encoding {
    use super::*;

    #[test]
    fn one_leading_byte_order_mark_is_dropped() {
        assert_eq!(data("\u{FEFF}data:a\n\n"), ["a"]);
        assert_eq!(frames("\u{FEFF}: a\n"), [comment(" a")]);
    }

    #[test]
    fn a_second_byte_order_mark_is_part_of_the_first_line() {
        assert_eq!(data("\u{FEFF}\u{FEFF}data:a\n\ndata:b\n\n"), ["b"]);
    }

    #[test]
    fn a_byte_order_mark_elsewhere_is_text() {
        assert_eq!(data("\n\u{FEFF}data:a\ndata:\u{FEFF}b\n\n"), ["\u{FEFF}b"]);
    }

    #[test]
    fn bytes_that_only_start_like_a_byte_order_mark_are_part_of_the_first_line() {
        assert_eq!(data(b"\xEF\xBBdata:a\n\ndata:b\n\n"), ["b"]);
        assert_eq!(data(b"\xEF\n\ndata:b\n\n"), ["b"]);
    }

    #[test]
    fn every_new_stream_may_start_with_a_byte_order_mark() {
        let mut parser = Parser::new();
        feed(&mut parser, "\u{FEFF}data:a\n\n");
        parser.reset();
        assert_eq!(only_event(feed(&mut parser, "\u{FEFF}data:b\n\n")).data(), "b");
    }

    #[test]
    fn invalid_utf8_becomes_a_replacement_character() {
        assert_eq!(data(b"data:a\xFFb\n\n"), ["a\u{FFFD}b"]);
        assert_eq!(data(b"data:\xF0\x9F\x98\n\n"), ["\u{FFFD}"]);
        assert_eq!(data(b"data:\xC3\ndata:\xA9\n\n"), ["\u{FFFD}\n\u{FFFD}"], "no character crosses a line end");
        assert_eq!(frames(b":\xED\xA0\x80\n"), [comment("\u{FFFD}\u{FFFD}\u{FFFD}")]);
        let ids = events(b"event:\xC0\nid:\xFF\ndata\n\n");
        assert_eq!(ids, [("\u{FFFD}".to_owned(), String::new(), Some("\u{FFFD}".to_owned()))]);
    }

    #[test]
    fn invalid_utf8_in_large_data_becomes_a_replacement_character() {
        let stream = [b"data:\xFF", &[b'x'; 10_000][..], b"\n\n"].concat();
        assert_eq!(data(stream), ["\u{FFFD}".to_owned() + &"x".repeat(10_000)]);
    }
}

mod fields {
    use super::*;

    #[test]
    fn one_space_after_the_colon_is_removed() {
        assert_eq!(data("data:a\n\ndata: a\n\ndata:  a\n\ndata:\ta\n\ndata: \n\n"), ["a", "a", " a", "\ta", ""]);
    }

    #[test]
    fn only_the_first_colon_separates() {
        assert_eq!(data("data:a:b: c\n\ndata::\n\n"), ["a:b: c", ":"]);
    }

    #[test]
    fn a_name_without_a_colon_has_an_empty_value() {
        assert_eq!(data("data\n\ndata\ndata\n\n"), ["", "\n"]);
        assert_eq!(events("event:x\nevent\nid:1\nid\ndata\n\n"), [("message".to_owned(), String::new(), None)]);
    }

    #[test]
    fn data_with_an_empty_value_is_an_event_with_empty_data() {
        assert_eq!(data("data:\n\ndata: \n\n"), ["", ""]);
    }

    #[test]
    fn data_lines_are_joined_by_lf() {
        assert_eq!(data("data:a\nevent:x\ndata:\ndata: b\n\n"), ["a\n\nb"]);
    }

    #[test]
    fn names_are_case_sensitive_and_taken_literally() {
        for line in
            ["Data:x", "DATA:x", "data :x", " data:x", "datas:x", "dat:x", "events:x", "ids:x", "\u{FEFF}data:x"]
        {
            assert_eq!(data(format!("id:1\n\n{line}\n\ndata:y\n\n")), ["y"], "{line:?}");
        }
    }

    #[test]
    fn unknown_fields_change_nothing() {
        assert_eq!(data("foo\nbar:x\ndata:a\n: c\nbaz: y\ndata:b\n\nfoo:x\n\n"), ["a\nb"]);
    }

    #[test]
    fn the_last_event_type_of_a_block_counts() {
        assert_eq!(events("event:a\nevent:b\ndata:x\n\n")[0].0, "b");
    }

    #[test]
    fn the_event_type_is_message_when_none_or_an_empty_one_is_given() {
        assert_eq!(events("data:x\n\n")[0].0, "message");
        assert_eq!(events("event:\ndata:x\n\n")[0].0, "message");
    }

    #[test]
    fn every_blank_line_forgets_the_event_type() {
        let types: Vec<String> =
            events("event:a\n\ndata:x\n\nevent:b\ndata:y\n\ndata:z\n\n").into_iter().map(|it| it.0).collect();
        assert_eq!(types, ["message", "b", "message"]);
    }

    #[test]
    fn a_block_without_data_is_not_dispatched() {
        assert_eq!(frames("event:x\nid:1\n\n\n\nfoo\n\n"), []);
    }
}

mod ids {
    use super::*;

    #[test]
    fn an_id_holds_until_the_next_one() {
        let ids: Vec<_> =
            events("data\n\nid:1\ndata\n\ndata\n\ndata\n\nid:2\ndata\n\ndata\n\n").into_iter().map(|it| it.2).collect();
        assert_eq!(
            ids.iter().map(Option::as_deref).collect::<Vec<_>>(),
            [None, Some("1"), Some("1"), Some("1"), Some("2"), Some("2")]
        );
    }

    #[test]
    fn an_id_repeated_by_every_event_is_the_id_of_every_event() {
        let ids: Vec<_> =
            events("id:1\ndata\n\nid:1\ndata\n\ndata\n\nid:1\ndata\n\n").into_iter().map(|it| it.2).collect();
        assert_eq!(ids, vec![Some("1".to_owned()); 4]);
    }

    #[test]
    fn the_id_of_a_block_without_data_counts() {
        assert_eq!(events("id:1\n\ndata:x\n\n")[0].2.as_deref(), Some("1"));
        assert_eq!(last_event_id("id:1\n\n").as_deref(), Some("1"));
    }

    #[test]
    fn an_id_is_in_force_from_the_blank_line_on() {
        let mut parser = Parser::new().with_last_event_id("0");
        feed(&mut parser, "id:1\ndata:x\n");
        assert_eq!(parser.last_event_id(), Some("0"));
        feed(&mut parser, "\n");
        assert_eq!(parser.last_event_id(), Some("1"));
    }

    #[test]
    fn the_last_id_of_a_block_counts_wherever_it_stands() {
        assert_eq!(events("id:1\ndata:x\nid: 2\n\n")[0].2.as_deref(), Some("2"));
    }

    #[test]
    fn an_id_with_nul_is_ignored() {
        assert_eq!(last_event_id("id:1\n\nid:2\0\n\nid:\0\n\n").as_deref(), Some("1"));
        assert_eq!(last_event_id("id:1\nid:2\0\n\n").as_deref(), Some("1"));
    }

    #[test]
    fn an_empty_id_means_none_from_then_on() {
        for reset in ["id", "id:", "id: "] {
            let events = events(format!("id:1\ndata\n\n{reset}\ndata\n\ndata\n\n"));
            assert_eq!(events.iter().map(|it| it.2.as_deref()).collect::<Vec<_>>(), [Some("1"), None, None]);
        }
    }

    #[test]
    fn a_reset_keeps_the_id_in_force_and_drops_the_one_to_come() {
        let mut parser = Parser::new();
        feed(&mut parser, "id:1\ndata:x\n\nid:2\nevent:e\ndata:cut o");
        parser.reset();
        assert_eq!(parser.last_event_id(), Some("1"));
        let event = only_event(feed(&mut parser, "data:y\n\n"));
        assert_eq!((event.event_type(), event.data(), event.id()), ("message", "y", Some("1")));
    }

    #[test]
    fn a_start_id_cannot_break_a_header() {
        assert_eq!(Parser::new().with_last_event_id("a\r\nb\0").last_event_id(), Some("ab"));
        assert_eq!(Parser::new().with_last_event_id("").last_event_id(), None);
    }
}

mod retries {
    use super::*;

    #[test]
    fn a_retry_takes_effect_at_the_end_of_its_own_line() {
        for stream in ["retry: 1500\n", "data:x\nretry:1500\n"] {
            assert_eq!(frames(stream), [Frame::Retry(Duration::from_millis(1500))], "{stream:?}");
        }
    }

    #[test]
    fn a_retry_that_is_not_all_ascii_digits_is_ignored() {
        for value in ["", " ", "-1", "+1", "1.5", "1s", "0x1", "  1", "1 ", "\u{661}", "1\0"] {
            assert_eq!(frames(format!("retry:{value}\nretry: {value}x\n")), [], "{value:?}");
        }
        assert_eq!(frames("retry\n"), []);
    }

    #[test]
    fn a_retry_saturates() {
        assert_eq!(frames(format!("retry:{}\n", "9".repeat(30))), [Frame::Retry(Duration::from_millis(u64::MAX))]);
        assert_eq!(frames(format!("retry:{}7\n", "0".repeat(30))), [Frame::Retry(Duration::from_millis(7))]);
    }
}

mod comments {
    use super::*;

    #[test]
    fn a_comment_is_everything_after_its_colon_unaltered() {
        assert_eq!(
            frames(":\n: a \n::b\n:data: x\n"),
            [comment(""), comment(" a "), comment(":b"), comment("data: x")]
        );
    }

    #[test]
    fn a_comment_is_handed_out_at_the_end_of_its_line() {
        let mut parser = Parser::new();
        assert_eq!(feed(&mut parser, "data:x\n:be"), []);
        assert_eq!(feed(&mut parser, "at\n"), [Ok(comment("beat"))]);
    }

    #[test]
    fn an_event_has_the_comments_of_its_block() {
        let event = only_event(feed(&mut Parser::new(), ":gone\n\n: a\ndata:x\n:\n:b\n\n"));
        assert_eq!(event.comment(), Some(" a\n\nb"));
        assert_eq!(only_event(feed(&mut Parser::new(), ":a\n\ndata:x\n\n")).comment(), None);
        assert_eq!(only_event(feed(&mut Parser::new(), ":\ndata:x\n\n")).comment(), Some(""));
    }

    #[test]
    fn a_long_comment_is_cut_to_4_kib_of_whole_characters() {
        assert_eq!(frames(format!(":{}\n", "x".repeat(5000))), [comment(&"x".repeat(4096))]);
        assert_eq!(
            frames(format!(":x{}\n", "\u{20AC}".repeat(5000))),
            [comment(&format!("x{}", "\u{20AC}".repeat(1365)))]
        );
        assert_eq!(frames(format!(":{}\n", "\u{20AC}".repeat(5000))), [comment(&"\u{20AC}".repeat(1365))]);
    }

    #[test]
    fn a_comment_is_not_cut_inside_a_character() {
        let fits = "x".repeat(4093);
        assert_eq!(frames(format!(":{fits}\u{1F600}{fits}\n")), [comment(&fits)]);
    }

    #[test]
    fn comments_of_a_block_are_kept_in_whole_lines() {
        let comment = |streams: [&str; 3]| {
            let event = only_event(feed(&mut Parser::new(), format!(":{}\ndata\n\n", streams.join("\n:"))));
            event.comment().map(str::len)
        };
        let long = "x".repeat(4094);
        assert_eq!(comment([&long, "", ""]), Some(4096), "just 4 KiB");
        assert_eq!(comment([&long, "", "y"]), Some(4095), "the last has no room");
        assert_eq!(comment([&long, "yy", ""]), Some(4094), "none after the first without room");
    }

    #[test]
    fn a_block_after_one_with_too_many_comments_has_its_own() {
        let mut parser = Parser::new();
        feed(&mut parser, format!(":{0}\n:{0}\n\n", "x".repeat(4000)));
        assert_eq!(only_event(feed(&mut parser, ":y\ndata\n\n")).comment(), Some("y"));
    }

    #[test]
    fn comments_past_4_kib_of_a_block_are_not_kept() {
        let line = "x".repeat(1023);
        let event = only_event(feed(&mut Parser::new(), format!("{}:y\ndata\n\n", format!(":{line}\n").repeat(5))));
        assert_eq!(event.comment(), Some([line.as_str(); 4].join("\n").as_str()));
    }
}
