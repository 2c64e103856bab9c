use super::*;

/// Feeds the bytes in pieces of a size; returns the data, and how it ended.
fn decode(mut framing: Framing, bytes: &[u8], size: usize) -> (Vec<u8>, Result<bool, &'static str>) {
    let mut data = Vec::new();
    for mut piece in bytes.chunks(size) {
        loop {
            let found = match framing.next(piece) {
                Ok(found) => found,
                Err(why) => {
                    assert_eq!(framing.next(b"1\r\na\r\n"), Err(why), "an error is final");
                    return (data, Err(why));
                }
            };
            data.extend_from_slice(&piece[found.framing..found.framing + found.data]);
            piece = &piece[found.framing + found.data..];
            if found.data == 0 {
                break;
            }
        }
    }
    (data, Ok(framing.may_end()))
}

#[track_caller]
fn assert_decodes(bytes: &[u8], data: &str, ended: Result<bool, &str>) {
    for size in [1, 2, 3, 5, bytes.len().max(1)] {
        let (found, end) = decode(Framing::chunked(), bytes, size);
        let text = String::from_utf8_lossy(bytes);
        assert_eq!(String::from_utf8_lossy(&found), data, "{text:?} in pieces of {size}");
        match (&end, ended) {
            (Ok(is_end), Ok(expected)) => assert_eq!(*is_end, expected, "{text:?} in pieces of {size}"),
            (Err(why), Err(part)) => assert!(why.contains(part), "{text:?}: {why}"),
            _ => panic!("{text:?} in pieces of {size}: {end:?}"),
        }
    }
}

#[test]
fn the_data_of_chunks_comes_out_wherever_the_bytes_are_cut() {
    assert_decodes(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde", Ok(true));
    assert_decodes(b"A\r\n0123456789\r\n00a\r\n0123456789\r\n000\r\n\r\n", "01234567890123456789", Ok(true));
    assert_decodes(b"3;a=b;c=\"x;y\"\r\nabc\r\n3 \r\nabc\r\n3\t;\xFF\r\nabc\r\n0;x\r\n\r\n", "abcabcabc", Ok(true));
    assert_decodes(b"1\r\na\r\n0\r\nTrailer: x\r\nnonsense\n: \xFF\r\n\r\n", "a", Ok(true));
    assert_decodes(b"1\r\na\r\n0\r\n\r\nbehind it", "a", Ok(true));
}

#[test]
fn a_connection_that_ends_behind_the_line_of_the_last_chunk_ended_the_body() {
    assert_decodes(b"1\r\na\r\n0\r\n", "a", Ok(true));
    assert_decodes(b"1\r\na\r\n0\r\nTrailer: x", "a", Ok(true));
    for cut in ["", "1", "1\r", "1\r\n", "1\r\na", "1\r\na\r", "1\r\na\r\n", "1\r\na\r\n0", "1\r\na\r\n0\r"] {
        let data = if cut.len() < 4 { "" } else { "a" };
        assert_decodes(cut.as_bytes(), data, Ok(false));
    }
}

#[test]
fn a_malformed_chunk_is_an_error_behind_the_data_before_it() {
    for (bytes, why) in [
        (&b"\r\n"[..], "size"),
        (b"x\r\n", "size"),
        (b"-1\r\n", "size"),
        (b" 1\r\n", "size"),
        (b";a\r\n", "size"),
        (b"0x1\r\n", "size"),
        (b"1\na\r\n", "size"),
        (b"1;x\na\r\n", "CR LF"),
        (b"1\rxa\r\n", "CR LF"),
        (b"1\r\nab", "longer"),
        (b"1\r\na\n", "longer"),
        (b"1\r\na\rb", "longer"),
        (b"10000000000000000\r\n", "too large"),
    ] {
        let all = [b"2\r\nok\r\n", bytes].concat();
        let data = if why == "longer" { "oka" } else { "ok" };
        assert_decodes(&all, data, Err(why));
    }
}

#[test]
fn sizes_have_64_bits_everywhere() {
    let mut framing = Framing::chunked();
    assert_eq!(framing.next(b"ffffffffffffffff\r\nabc"), Ok(Piece { framing: 18, data: 3 }));
    let Framing::Chunked(chunked) = framing else { panic!("not chunked") };
    assert_eq!(chunked.size, u64::MAX - 3);
    assert_eq!(Framing::Length(1 << 40).next(b"abc"), Ok(Piece { framing: 0, data: 3 }));
}

#[test]
fn extensions_and_trailers_have_limits() {
    let line = |bytes: usize| "x".repeat(bytes);
    let decode = |text: String| decode(Framing::chunked(), text.as_bytes(), 4096).1;
    assert_eq!(decode(format!("1;{}\r\na\r\n0\r\n\r\n", line(MAX_LINE - 1))), Ok(true));
    assert!(decode(format!("1;{}\r\n", line(MAX_LINE))).is_err());
    assert!(decode("0".repeat(MAX_LINE + 1)).is_err());
    assert_eq!(decode(format!("0\r\n{}\r\n\r\n", line(MAX_LINE))), Ok(true));
    assert!(decode(format!("0\r\n{}", line(MAX_LINE + 1))).is_err());
    assert!(decode(format!("0\r\n{}", "x: y\r\n".repeat(MAX_TRAILERS / 6 + 1))).is_err());
}

#[test]
fn a_length_ends_a_body_and_what_is_behind_it_is_not_data() {
    let mut framing = Framing::Length(5);
    assert_eq!(framing.next(b"abc"), Ok(Piece { framing: 0, data: 3 }));
    assert!(!framing.may_end() && !framing.is_complete());
    assert_eq!(framing.next(b"defg"), Ok(Piece { framing: 0, data: 2 }));
    assert!(framing.may_end() && framing.is_complete());
    assert_eq!(framing.next(b"fg"), Ok(Piece { framing: 0, data: 0 }));
}
