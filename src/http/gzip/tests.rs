use std::io::{Read, Write};

use flate2::{Compress, Compression, Crc, FlushCompress, GzBuilder, read::MultiGzDecoder};

use super::*;

/// How a body came to its end.
type End = Result<bool, &'static str>;

/// Feeds the bytes in pieces, each until nothing more comes of it; returns what was decoded, and how it ended.
fn decode_pieces(pieces: &[&[u8]], room: usize) -> (Vec<u8>, End) {
    let (mut decoder, mut data, mut room) = (Gunzip::new(), Vec::new(), vec![0; room]);
    for piece in pieces {
        if let Err(why) = feed(&mut decoder, piece, &mut room, &mut data) {
            assert_eq!(decoder.decode(b"\x1f", &mut room), Err(why), "an error is final");
            return (data, Err(why));
        }
    }
    (data, Ok(decoder.may_end()))
}

fn feed(decoder: &mut Gunzip, mut piece: &[u8], room: &mut [u8], data: &mut Vec<u8>) -> Result<(), &'static str> {
    loop {
        let Step { consumed, produced } = decoder.decode(piece, room)?;
        data.extend_from_slice(&room[..produced]);
        piece = &piece[consumed..];
        if (consumed, produced) == (0, 0) {
            assert!(piece.is_empty() || decoder.is_over(), "bytes are left, and so is room");
            return Ok(());
        }
    }
}

fn decode(bytes: &[u8]) -> (Vec<u8>, End) {
    let found = decode_pieces(&[bytes], 4096);
    for (size, room) in [(1, 1), (1, 4096), (2, 3), (100, 7), (bytes.len().max(1), 1)] {
        assert_eq!(
            decode_pieces(&bytes.chunks(size).collect::<Vec<_>>(), room),
            found,
            "in pieces of {size}, for {room} bytes each"
        );
    }
    found
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut writer = GzBuilder::new().write(Vec::new(), Compression::default());
    writer.write_all(data).unwrap();
    writer.finish().unwrap()
}

/// A header without optional fields, deflated data, and the trailer for what they mean.
fn member(deflated: &[u8], data: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(data);
    let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    [&header, deflated, &crc.sum().to_le_bytes(), &(data.len() as u32).to_le_bytes()].concat()
}

/// Text that compresses as an event stream does, longer than the window.
fn text(bytes: usize) -> Vec<u8> {
    let mut text = String::new();
    let mut number = 1_u32;
    while text.len() < bytes {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push_str(&format!("id: {number}\ndata: {{\"token\": \"{:x}\"}}\n\n", number >> 16));
    }
    text.truncate(bytes);
    text.into_bytes()
}

#[test]
fn a_stream_is_decoded_wherever_it_is_cut() {
    let data = b"data: hello hello hello\n\ndata: hello again\n\n";
    let header = GzBuilder::new().extra("extra").filename("name").comment("comment");
    let mut writer = header.write(Vec::new(), Compression::best());
    writer.write_all(data).unwrap();
    let bytes = writer.finish().unwrap();
    assert_eq!(decode(&bytes), (data.to_vec(), Ok(true)));
    for first in 0..bytes.len() {
        for second in first..bytes.len() {
            let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
            assert_eq!(decode_pieces(&pieces, 16), (data.to_vec(), Ok(true)), "{first}, {second}");
        }
    }
}

#[test]
fn what_is_longer_than_the_window_is_decoded_for_any_room() {
    let data = text(200_000);
    let bytes = gzip(&data);
    for (size, room) in [(4096, 4096), (1460, 65_536), (7, 100_000), (bytes.len(), 1), (bytes.len(), 4097)] {
        let found = decode_pieces(&bytes.chunks(size).collect::<Vec<_>>(), room);
        assert!(found == (data.clone(), Ok(true)), "in pieces of {size}, for {room} bytes each: {:?}", found.1);
    }
}

#[test]
fn each_flush_brings_what_was_written_before_it() {
    for flush in [FlushCompress::Sync, FlushCompress::Full, FlushCompress::Partial] {
        let mut compress = Compress::new(Compression::default(), false);
        let (mut decoder, mut room) = (Gunzip::new(), [0; 4096]);
        feed(&mut decoder, &gzip(b"")[..10], &mut room, &mut Vec::new()).unwrap();
        for number in 0..500 {
            let event = format!("id: {number}\ndata: {{\"text\": \"{}\"}}\n\n", "word ".repeat(number % 50));
            let mut bytes = Vec::with_capacity(4096);
            compress.compress_vec(event.as_bytes(), &mut bytes, flush).unwrap();
            let mut data = Vec::new();
            feed(&mut decoder, &bytes, &mut room, &mut data).unwrap();
            assert_eq!(String::from_utf8(data).unwrap(), event, "{flush:?}");
        }
    }
}

#[test]
fn a_decompression_bomb_fills_only_the_buffer() {
    let mut writer = GzBuilder::new().write(Vec::new(), Compression::best());
    for _ in 0..4 {
        writer.write_all(&[b'x'; 1 << 20]).unwrap();
    }
    let bytes = writer.finish().unwrap();
    assert!(bytes.len() < 5_000, "{}", bytes.len());
    let (mut decoder, mut room, mut rest, mut total) = (Gunzip::new(), [0; 4096], &bytes[..], 0);
    while !rest.is_empty() {
        let Step { consumed, produced } = decoder.decode(rest, &mut room).unwrap();
        assert!(room[..produced].iter().all(|byte| *byte == b'x'));
        rest = &rest[consumed..];
        total += produced;
    }
    assert_eq!((total, decoder.may_end()), (4 << 20, true));
}

#[test]
fn a_stream_that_is_cut_is_not_at_its_end() {
    let data = text(3000);
    let bytes = gzip(&data);
    for length in 1..bytes.len() {
        let (found, end) = decode_pieces(&[&bytes[..length]], 1000);
        assert!(data.starts_with(&found), "{length}");
        assert_eq!(end, Ok(false), "{length}");
        // Of the trailer every byte may be missing, of the data none is.
        assert!(length < bytes.len() - 8 || found == data, "{length}");
    }
    assert_eq!(decode(b""), (vec![], Ok(true)), "there is no body");
}

#[test]
fn a_wrong_trailer_is_reported_after_the_data() {
    let bytes = gzip(b"data: 1\n\n");
    for index in bytes.len() - 8..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[index] ^= 1;
        let (data, end) = decode(&bytes);
        let part = if index < bytes.len() - 4 { "checksum of its gzip data" } else { "length of its gzip data" };
        assert_eq!(data, b"data: 1\n\n");
        assert!(end.unwrap_err().contains(part), "{index}: {end:?}");
    }
}

#[test]
fn data_before_damage_is_not_lost() {
    // Stored blocks, then one of the type that there is not.
    let data = text(50_000);
    let mut deflated = Vec::new();
    for block in data.chunks(10_000) {
        let length = block.len() as u16;
        deflated.extend([&[0][..], &length.to_le_bytes(), &(!length).to_le_bytes(), block].concat());
    }
    deflated.push(0b111);
    assert_eq!(decode(&member(&deflated, &data)), (data, Err("its gzip data is damaged")));
}

#[test]
fn members_are_one_stream() {
    let pieces = [gzip(b"data: 1\n"), gzip(b""), gzip(b"\n"), gzip(&text(40_000))];
    let data = [b"data: 1\n\n", &text(40_000)[..]].concat();
    assert_eq!(decode(&pieces.concat()), (data, Ok(true)));
    let half = [&pieces[0][..], &pieces[3][..5]].concat();
    assert_eq!(decode(&half), (b"data: 1\n".to_vec(), Ok(false)));
}

#[test]
fn data_after_a_member_that_is_not_a_member_is_ignored() {
    let data = b"data: 1\n".to_vec();
    for garbage in [&b"\0"[..], b"data: 2\n\n", &[0; 512], &[&[0][..], &gzip(b"data: 2\n")].concat()] {
        assert_eq!(decode(&[&gzip(&data)[..], garbage].concat()), (data.clone(), Ok(true)), "{garbage:?}");
    }
    // A member has begun: it is damaged, or cut.
    for (garbage, end) in [
        (&b"\x1f\x8c"[..], Err("its gzip header is damaged, or of another method")),
        (b"\x1f\x8b\x07", Err("its gzip header is damaged, or of another method")),
        (b"\x1f", Ok(false)),
    ] {
        assert_eq!(decode(&[&gzip(&data)[..], garbage].concat()), (data.clone(), end), "{garbage:?}");
    }
}

#[test]
fn a_match_reaches_into_nothing_before_its_member() {
    // A block of fixed codes: three bytes from one byte before, and the end.
    let deflated = [0b0000_0011, 0b0000_0010, 0, 0];
    for bytes in [member(&deflated, b"aaa"), [gzip(b"a"), member(&deflated, b"aaa")].concat()] {
        let (data, end) = decode(&bytes);
        assert_eq!(end, Err("its gzip data is damaged"), "{data:?}");
        assert!(data.len() <= 1, "{data:?}");
    }
}

/// A member with these flags, and this behind the ten bytes that every header has.
fn with_header(flags: u8, optional: &[u8]) -> Vec<u8> {
    let mut bytes = gzip(b"x");
    bytes[3] = flags;
    bytes.splice(10..10, optional.iter().copied());
    bytes
}

#[test]
fn optional_fields_of_the_header_are_skipped() {
    let good = |flags, optional: &[u8]| assert_eq!(decode(&with_header(flags, optional)), (b"x".to_vec(), Ok(true)));
    good(FEXTRA, b"\x03\x00abc");
    good(FEXTRA, b"\x00\x00");
    good(FEXTRA, &[&[0xff, 0xff][..], &[7; 0xffff]].concat());
    good(FNAME, b"name\0");
    good(FCOMMENT, b"\0");
    good(FNAME | FCOMMENT | FEXTRA, b"\x01\x00aname\0comment\0");
    // FTEXT, which says that it may be text.
    good(1, b"");
}

#[test]
fn the_checksum_of_a_header_must_be_right() {
    for (flags, optional) in [(FHCRC, &b""[..]), (FHCRC | FEXTRA | FNAME | FCOMMENT, b"\x01\x00aname\0comment\0")] {
        let mut crc = Crc::new();
        crc.update(&with_header(flags, optional)[..10 + optional.len()]);
        let [low, high, ..] = crc.sum().to_le_bytes();
        let right = with_header(flags, &[optional, &[low, high]].concat());
        assert_eq!(decode(&right), (b"x".to_vec(), Ok(true)));
        let wrong = with_header(flags, &[optional, &[low, !high]].concat());
        assert_eq!(decode(&wrong), (vec![], Err("the checksum of its gzip header is wrong")));
    }
}

#[test]
fn data_that_is_not_gzip_is_an_error() {
    for bytes in [&b"data: 1\n\n"[..], b"\x78\x9c", b"\0"] {
        assert_eq!(decode(bytes), (vec![], Err("its body is not gzip, contrary to its content encoding")), "{bytes:?}");
    }
    for bytes in [&b"\x1f\x8c\x08"[..], b"\x1f\x8b\x07"] {
        assert_eq!(decode(bytes), (vec![], Err("its gzip header is damaged, or of another method")), "{bytes:?}");
    }
    for flag in [1 << 5, 1 << 6, 1 << 7] {
        assert_eq!(decode(&with_header(flag, b"")), (vec![], Err("its gzip header has an unknown flag")));
    }
    for flag in [FNAME, FCOMMENT] {
        let endless = with_header(flag, &[b'x'; 200_000]);
        assert_eq!(decode_pieces(&[&endless[..]], 10), (vec![], Err("its gzip header is longer than 128 KiB")));
    }
}

#[test]
fn any_single_wrong_byte_means_what_another_decoder_says() {
    let bytes = gzip(&text(700));
    for index in 10..bytes.len() - 8 {
        for wrong in [bytes[index] ^ 0x10, bytes[index].wrapping_add(1), 0] {
            let mut bytes = bytes.clone();
            bytes[index] = wrong;
            let (found, end) = decode_pieces(&[&bytes[..]], 4096);
            let mut expected = Vec::new();
            let mut other = MultiGzDecoder::new(&bytes[..]);
            let mut byte = [0];
            let outcome = loop {
                match other.read(&mut byte) {
                    Ok(0) => break Ok(()),
                    Ok(_) => expected.push(byte[0]),
                    Err(error) => break Err(error),
                }
            };
            assert_eq!(end == Ok(true), outcome.is_ok(), "{index}: {end:?}, {outcome:?}");
            assert!(found == expected, "{index}: {} and {} bytes, {end:?}, {outcome:?}", found.len(), expected.len());
        }
    }
}
