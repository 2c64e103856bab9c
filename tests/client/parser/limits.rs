//! What the parser holds at most, and what becomes of an event that is larger, through the public parser.

use super::feed::{feed, only_event};
use http_sse::parser::{EventTooLarge, Frame, Parser};

const MIB: usize = 1 << 20;

fn small(limit: usize) -> Parser {
    Parser::new().max_event_size(limit)
}

/// What a parser with this limit says: data of events, `too large`, `runaway`, comments and retries.
fn said(limit: usize, stream: impl AsRef<[u8]>) -> Vec<String> {
    let one = |outcome| match outcome {
        Ok(Frame::Event(event)) => event.into_data(),
        Ok(other) => format!("{other:?}"),
        Err(error) if EventTooLarge::is_runaway(&error) => "runaway".to_owned(),
        Err(_) => "too large".to_owned(),
    };
    feed(&mut small(limit), stream).into_iter().map(one).collect()
}

mod sizes {
    use super::*;

    #[test]
    fn heartbeats_make_no_event_too_large_and_no_block_a_runaway() {
        let stream = format!("data:a\n{}data:b\n\n", ":beat\n".repeat(10_000));
        let said = said(20, stream);
        assert_eq!(said.len(), 10_001);
        assert_eq!(said.last().map(String::as_str), Some("a\nb"));
    }

    #[test]
    fn heartbeats_in_parts_make_no_block_a_runaway() {
        let mut parser = small(20);
        for byte in format!("data:a\n{}", ":beat\n".repeat(1000)).bytes() {
            assert!(feed(&mut parser, [byte]).iter().all(Result::is_ok));
        }
        assert_eq!(only_event(feed(&mut parser, "\n")).data(), "a");
    }

    #[test]
    fn many_blocks_are_no_runaway() {
        assert_eq!(said(10, format!("{}data:a\n\n", "foo:bar\n\n".repeat(1000))), ["a"]);
    }

    #[test]
    fn the_default_limit_is_one_mib() {
        let fits = format!("data:{}\n\n", "x".repeat(MIB - 5));
        assert_eq!(only_event(feed(&mut Parser::new(), fits)).data().len(), MIB - 5);
        let error = feed(&mut Parser::new(), format!("data:{}", "x".repeat(MIB - 4)));
        assert_eq!(error.iter().map(|it| it.as_ref().unwrap_err().limit()).collect::<Vec<_>>(), [MIB]);
    }

    #[test]
    fn held_event_and_line_count_together() {
        // Held: three lines of data with the newlines between them, then type and id, then the line.
        assert_eq!(said(11, "data:a\ndata:b\ndata:cc\n\n"), ["a\nb\ncc"]);
        assert_eq!(said(10, "data:a\ndata:b\ndata:cc\n\n"), ["a\nb\ncc"]);
        assert_eq!(said(9, "data:a\ndata:b\ndata:cc\n\n"), ["too large"]);
        assert_eq!(said(10, "event:abcd\ndata:a\n\n"), ["a"]);
        assert_eq!(said(9, "event:abc\ndata:ab\n\n"), ["too large"]);
        assert_eq!(said(9, "id:abcdef\ndata\n\n"), ["too large"]);
        assert_eq!(said(10, "id:abcdef\ndata\n\n"), [""]);
    }

    #[test]
    fn a_large_event_is_reported_once_and_skipped_to_its_blank_line() {
        let stream = "data:a\n\ndata:0123456789\ndata:b\nevent:0123456789\n\ndata:c\n\n";
        assert_eq!(said(10, stream), ["a", "too large", "c"]);
    }

    #[test]
    fn a_large_event_is_reported_as_soon_as_it_exceeds_the_limit() {
        let mut parser = small(10);
        assert_eq!(feed(&mut parser, "data:01234"), []);
        assert_eq!(feed(&mut parser, "5").len(), 1);
        assert_eq!(feed(&mut parser, "6789\ndata:0123456789\n\n"), []);
    }

    #[test]
    fn the_id_of_a_large_event_counts_before_and_after_the_limit_is_passed() {
        for stream in ["id:1\ndata:0123456789\n\n", "data:0123456789\nid:1\n\n", "data:01234\nid:1\ndata:2345\n\n"] {
            let mut parser = small(10);
            assert!(feed(&mut parser, stream)[0].is_err(), "{stream:?}");
            assert_eq!(parser.last_event_id(), Some("1"), "{stream:?}");
        }
    }

    #[test]
    fn an_id_line_that_passes_the_limit_for_the_data_held_counts() {
        let mut parser = small(10);
        assert_eq!(feed(&mut parser, "data:01234\nid:567").len(), 1);
        assert_eq!(feed(&mut parser, "89\ndata:x\n\n"), []);
        assert_eq!(parser.last_event_id(), Some("56789"));
    }

    #[test]
    fn an_id_over_the_limit_is_dropped() {
        for stream in ["id:01234567890123\n\n", "data:0123456789\nid:01234567890123\n\n"] {
            let mut parser = small(10).with_last_event_id("0");
            assert_eq!(feed(&mut parser, stream).len(), 1, "{stream:?}");
            assert_eq!(parser.last_event_id(), Some("0"), "{stream:?}");
        }
    }

    #[test]
    fn a_retry_in_a_skipped_block_takes_effect() {
        assert_eq!(said(10, "data:0123456789\nretry:7\n\n"), ["too large", "Retry(7ms)"]);
        assert_eq!(
            said(10, "data:12345\nretry:123\n\n"),
            ["too large", "Retry(123ms)"],
            "the line that passes the limit"
        );
    }

    #[test]
    fn a_comment_in_a_skipped_block_is_handed_out() {
        assert_eq!(said(10, "data:0123456789\n:c\n\n"), ["too large", "Comment(\"c\")"]);
    }

    #[test]
    fn a_skipped_block_leaves_nothing_to_the_next() {
        let mut parser = small(20).keep_raw();
        feed(&mut parser, "event:e\n:c\ndata:0123456789012345\ndata:x\n\n");
        let event = only_event(feed(&mut parser, "data:y\n\n"));
        assert_eq!(
            (event.event_type(), event.data(), event.comment(), event.raw()),
            ("message", "y", None, Some("data:y"))
        );
    }

    #[test]
    fn a_limit_set_in_the_middle_of_a_line_counts_from_there_on() {
        let mut parser = Parser::new();
        assert!(feed(&mut parser, "data:01234").is_empty());
        let mut parser = parser.max_event_size(20);
        for _ in 0..10 {
            assert!(feed(&mut parser, "x").is_empty());
        }
        assert!(feed(&mut parser, "x")[0].is_err());
        let mut parser = parser.max_event_size(100);
        assert!(feed(&mut parser, "x\n\n").is_empty(), "an event that was given up stays so");
    }

    #[test]
    fn a_line_of_data_can_be_what_makes_its_block_a_runaway() {
        let unknown = "foo\n".repeat(50);
        for chunk in [100, 1] {
            let mut parser = small(10);
            for part in format!("{unknown}xx\ndata:123").as_bytes().chunks(chunk) {
                assert!(feed(&mut parser, part).is_empty(), "in chunks of {chunk}");
            }
            assert!(matches!(&feed(&mut parser, "4")[..], [Err(error)] if error.is_runaway()), "in chunks of {chunk}");
        }
    }

    #[test]
    fn unknown_fields_and_comments_make_no_event_too_large() {
        assert_eq!(said(10, format!("foo:{0}\ndata:a\ndatax:{0}\n\n", "x".repeat(60))), ["a"]);
        assert_eq!(said(10, format!(":{}\ndata:a\n\n", "x".repeat(100))).last().map(String::as_str), Some("a"));
    }

    #[test]
    fn a_line_without_end_is_a_runaway_whatever_its_field() {
        for start in ["foo:", ":", "x", "data", "id ", "retryx"] {
            let mut line = start.to_owned();
            line.push_str(&"x".repeat(160 - start.len()));
            assert!(!said(10, &line).contains(&"runaway".to_owned()), "{start:?}");
            line.push('x');
            assert_eq!(said(10, &line).last().map(String::as_str), Some("runaway"), "{start:?}");
        }
        assert_eq!(said(10, format!("data:{}", "x".repeat(200))), ["too large", "runaway"]);
    }

    #[test]
    fn a_block_without_end_is_a_runaway() {
        assert_eq!(said(10, format!("{}\ndata:b\n\n", "foo:bar8\n".repeat(19))), ["b"], "152 bytes");
        assert_eq!(said(10, format!("{}data:aaaa\n\n", "foo:bar8\n".repeat(19))), ["runaway"], "161 bytes");
        assert_eq!(said(10, "data:0123\n".repeat(18)), ["too large", "runaway"]);
    }

    #[test]
    fn a_runaway_consumes_everything_until_a_reset() {
        let mut parser = small(10).with_last_event_id("7");
        assert_eq!(feed(&mut parser, "x".repeat(161)).len(), 1);
        for input in ["", "\n\n", "data:a\n\n"] {
            let error = feed(&mut parser, input)[0].clone().unwrap_err();
            assert_eq!((error.limit(), error.is_runaway()), (10, true), "{input:?}");
        }
        parser.reset();
        let event = only_event(feed(&mut parser, "data:a\n\n"));
        assert_eq!((event.data(), event.id()), ("a", Some("7")));
    }

    #[test]
    fn an_id_that_a_block_had_before_it_ran_away_counts() {
        let endless = "x".repeat(200);
        for (block, expected) in [
            (format!("id:1\ndata:{endless}"), "1"),
            (format!("id:1\n:{endless}"), "1"),
            (format!("id:1\nid:2\nfoo{endless}"), "2"),
            (format!("id:1\n{}", "data:x\n".repeat(30)), "1"),
            (format!("data:{endless}"), "0"),
            (format!("data:{}\nid:1\ndata:{endless}", "x".repeat(20)), "1"),
            (format!("id:{endless}"), "0"),
            (format!("id:a\0b\ndata:{endless}"), "0"),
            (format!("id:1\n\ndata:{endless}"), "1"),
        ] {
            for chunk in [usize::MAX, 1] {
                let mut parser = small(10).with_last_event_id("0");
                let outcomes: Vec<_> =
                    block.as_bytes().chunks(chunk).flat_map(|part| feed(&mut parser, part)).collect();
                assert!(matches!(outcomes.last(), Some(Err(error)) if error.is_runaway()), "{block:?}");
                assert_eq!(parser.last_event_id(), Some(expected), "{block:?}");
                parser.reset();
                assert_eq!(parser.last_event_id(), Some(expected), "{block:?}");
            }
        }
    }

    #[test]
    fn a_limit_of_any_size_is_a_limit() {
        assert_eq!(said(usize::MAX, "data:a\n\n"), ["a"]);
        assert_eq!(said(0, "\n\n\n"), [""; 0]);
        assert_eq!(said(0, "data:a\n\n"), ["runaway"]);
        assert_eq!(said(1, "data:a\n\ndata\n\nfoo\n\n"), ["too large", "too large"]);
    }

    #[test]
    fn both_errors_tell_what_happened() {
        let text = |limit, stream: &str| feed(&mut small(limit), stream)[0].clone().unwrap_err().to_string();
        assert_eq!(text(10, "data:0123456789"), "skipped an event that exceeds the limit of 10 bytes");
        assert_eq!(text(1, &":".repeat(17)), "a block or line exceeds 16 times the event limit of 1 bytes");
    }
}

mod raw {
    use super::*;

    #[test]
    fn the_raw_text_is_kept_only_when_asked_for() {
        let stream = ":c\r\nid: 1\rdata:  a\nfoo\n\r\n";
        assert_eq!(only_event(feed(&mut Parser::new(), stream)).raw(), None);
        let event = only_event(feed(&mut Parser::new().keep_raw(), stream));
        assert_eq!(event.raw(), Some(":c\nid: 1\ndata:  a\nfoo"));
    }

    #[test]
    fn the_raw_text_starts_anew_with_every_block() {
        let mut parser = small(20).keep_raw();
        feed(&mut parser, format!("foo\n\n:{}\n\n", "x".repeat(60)));
        assert_eq!(only_event(feed(&mut parser, "data:a\n\n")).raw(), Some("data:a"));
    }

    #[test]
    fn raw_text_of_more_than_twice_the_event_size_is_dropped() {
        let raw = |padding| {
            only_event(feed(&mut small(20).keep_raw(), format!("data:a\n:{}\n\n", "x".repeat(padding))))
                .raw()
                .map(str::len)
        };
        assert_eq!((raw(32), raw(33)), (Some(40), None));
        let event = only_event(feed(&mut small(20).keep_raw(), format!(":{}\ndata:a\n\n", "x".repeat(60))));
        assert_eq!((event.data(), event.raw()), ("a", None), "the rest alone would be misleading");
    }
}

mod memory {
    use super::*;

    #[test]
    fn a_kept_event_holds_at_most_twice_its_data_and_256_bytes() {
        for size in [0, 1, 100, 4095, 4096, 5000, 70_000, 300_000] {
            let mut parser = Parser::new();
            let stream = format!("data:{}\n\n", "x".repeat(size));
            let mut events = Vec::new();
            for chunk in stream.as_bytes().chunks(1000) {
                events.extend(feed(&mut parser, chunk));
            }
            drop(parser); // the event is ours alone, and its data not a copy
            let data = only_event(events).into_data();
            assert_eq!(data.len(), size);
            assert!(data.capacity() <= 2 * size + 256, "{} for {size}", data.capacity());
        }
    }

    #[test]
    fn a_parser_releases_the_memory_of_a_large_block() {
        let x = "x".repeat(100_000);
        let mut parser = Parser::new().keep_raw();
        for stream in
            [format!("event:{x}\nid:{x}\ndata:{x}\nfoo:{x}\n:{x}\n\n"), format!("data:{x}{x}{x}"), format!("id:{x}{x}")]
        {
            for chunk in stream.as_bytes().chunks(1000) {
                feed(&mut parser, chunk);
            }
            feed(&mut parser, "\n\nid:1\n\nid:2\n\ndata:x\n\n");
            assert!(parser.memory_usage() <= 48 << 10, "{}", parser.memory_usage());
        }
    }

    #[test]
    fn a_large_id_is_held_once_for_all_events_that_inherit_it() {
        let id = "7".repeat(500_000);
        for chunk in [usize::MAX, 1000] {
            let mut parser = Parser::new();
            for part in format!("\nid:{id}\n\n").as_bytes().chunks(chunk) {
                feed(&mut parser, part);
            }
            let kept: Vec<_> = (0..100).map(|_| only_event(feed(&mut parser, "data:x\n\n"))).collect();
            assert!(kept.iter().all(|event| event.id() == Some(&id)));
            assert!(kept.iter().all(|event| event.id().map(str::as_ptr) == kept[0].id().map(str::as_ptr)));
            let mut input: &[u8] = b"data:x\n\n";
            let copy = parser.next_event_ref(&mut input).map(|event| event.to_event());
            assert_eq!(copy.as_ref().and_then(|event| event.id()).map(str::as_ptr), kept[0].id().map(str::as_ptr));
            drop((kept, copy));
            assert!(parser.memory_usage() <= 500_000 + (32 << 10), "{} in chunks of {chunk}", parser.memory_usage());
        }
    }

    #[test]
    fn the_memory_of_a_large_id_goes_with_the_next_id() {
        for chunk in [usize::MAX, 1000] {
            let mut parser = Parser::new();
            for part in format!("\nid:{}\n\ndata:x\n\n", "7".repeat(500_000)).as_bytes().chunks(chunk) {
                feed(&mut parser, part);
            }
            assert_eq!(only_event(feed(&mut parser, "id:8\ndata:x\n\n")).id(), Some("8"));
            assert!(parser.memory_usage() <= 32 << 10, "{} in chunks of {chunk}", parser.memory_usage());
        }
    }

    #[test]
    fn a_skipped_block_is_held_in_constant_memory() {
        for (mut parser, chunk, max) in [(small(1000).keep_raw(), 1000, 16), (small(1000), 1, 300)] {
            feed(&mut parser, format!("event:{0}\n:{0}\ndata:{0}{0}\n", "x".repeat(500)));
            for _ in 0..30 {
                for part in format!("data:{0}\nevent:{0}\n:{0}\n", "y".repeat(200)).as_bytes().chunks(chunk) {
                    feed(&mut parser, part);
                }
                assert!(parser.memory_usage() <= max, "{} in chunks of {chunk}", parser.memory_usage());
            }
        }
    }

    #[test]
    fn bytes_that_follow_what_passed_the_limit_are_not_held() {
        let mut parser = small(1000);
        assert!(feed(&mut parser, "data:x").is_empty());
        assert!(feed(&mut parser, "x".repeat(2000))[0].is_err());
        for _ in 0..900 {
            assert!(feed(&mut parser, "y").is_empty());
        }
        assert!(parser.memory_usage() <= 16, "{}", parser.memory_usage());
    }

    #[test]
    fn nothing_is_held_of_a_runaway() {
        let mut parser = small(1000).keep_raw();
        feed(&mut parser, format!("event:{0}\ndata:{0}\n:{0}\n", "x".repeat(400)));
        assert!(feed(&mut parser, "x".repeat(16_000))[0].is_err());
        assert_eq!(parser.memory_usage(), 0);
    }

    #[test]
    fn comments_without_end_are_held_in_constant_memory() {
        let mut parser = Parser::new();
        feed(&mut parser, "data:x\n");
        for _ in 0..10_000 {
            feed(&mut parser, ": still here\n");
        }
        assert!(parser.memory_usage() <= 16 << 10, "{}", parser.memory_usage());
    }
}
