//! Wrong arguments: one line that names the option and the value, and exit code 2.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::ssecat::ssecat;
use support::program::{Folder, run};

const URL: &str = "http://127.0.0.1:1/";

#[track_caller]
fn refused(arguments: &[&str], line: &str) {
    let left = run(&mut ssecat(arguments));
    assert_eq!((left.stderr.as_str(), left.stdout.as_str()), (&format!("ssecat: {line}\n")[..], ""), "{arguments:?}");
    assert_eq!(left.code, Some(2), "{arguments:?}");
}

/// The rest of the line is the library's.
#[track_caller]
fn refused_with(arguments: &[&str], parts: &[&str]) {
    let left = run(&mut ssecat(arguments));
    assert!(left.stderr.starts_with(parts[0]) && parts.iter().all(|part| left.stderr.contains(part)), "{left:?}");
    assert_eq!((left.stderr.lines().count(), left.stdout.as_str(), left.code), (1, "", Some(2)), "{arguments:?}");
}

#[test]
fn what_is_not_an_option_is_refused() {
    refused(&["--jsom", URL], "invalid option '--jsom'");
    refused(&["-z", URL], "invalid option '-z'");
    refused(&["--json=1", URL], "unexpected argument for option '--json': \"1\"");
    refused(&[], "missing URL; see --help");
    refused(&[URL, "two"], "more than one URL: an argument with a space in it needs quotes");
    refused(&["-d", "a", "-d", "b", URL], "-d is given twice");
}

#[test]
fn gaps_that_nothing_would_tell_from_data_are_refused() {
    refused(
        &["--gaps", "--format", "data", URL],
        "--gaps cannot be combined with --format data, which cannot mark a gap",
    );
}

#[test]
fn an_option_without_its_value_is_refused() {
    for option in ["-X", "-H", "-d"] {
        refused(&[URL, option], &format!("missing argument for option '{option}'"));
    }
    let request = ["--last-id", "--cursor", "--checkpoint", "--idle", "--retry", "--cacert", "--pinnedpubkey"];
    let link = ["--resolve", "--interface", "--unix-socket"];
    let events = ["--format", "--only", "--ignore", "--record", "--exec", "--exec-retry", "--count", "--timeout"];
    for option in request.iter().chain(&link).chain(&events) {
        refused(&[URL, option], &format!("missing argument for option '{option}'"));
    }
}

#[test]
fn an_invalid_number_is_refused() {
    for value in ["", "x", "0", "-1", "1.5", "99999999999999999999"] {
        refused(&["--count", value, URL], &format!("--count {value:?}: expected a whole number above 0"));
    }
    for option in ["--idle", "--timeout", "--exec-retry"] {
        for value in ["", "x", "0", "-1", "inf", "nan", "1e30"] {
            refused(&[option, value, URL], &format!("{option} {value:?}: expected a number of seconds above 0"));
        }
    }
    for value in ["", "sometimes", "-1", "1.5"] {
        let line = format!("--retry {value:?}: expected never, forever or a whole number");
        refused(&["--retry", value, URL], &line);
    }
}

#[test]
fn a_format_that_does_not_exist_is_refused() {
    for value in ["", "xml", "JSON"] {
        refused(
            &["--format", value, URL],
            &format!("--format {value:?}: expected one of text, json, tsv, data and raw"),
        );
    }
}

#[test]
fn a_cursor_without_one_field_or_a_place_for_it_is_refused() {
    for value in ["", "since", "{id}", "since={}", "since={a..b}", "since={id}&", "a=b={id}", "R: {a}{b}"] {
        let line = format!("--cursor {value:?}: expected 'KEY={{FIELD}}' or 'NAME: …{{FIELD}}…'");
        refused(&["--cursor", value, URL], &line);
    }
    refused_with(&["--cursor", "={id}", URL], &["ssecat: --cursor: ", "key"]);
    refused_with(&["--cursor", "Expect: {id}", URL], &["ssecat: --cursor: ", "expect"]);
    refused_with(&["--cursor", "since={id}", "--last-id", "a\nb", URL], &["ssecat: --last-id: ", "control"]);
    refused(&["--cursor-inclusive", URL], "--cursor-inclusive requires --cursor");
}

#[test]
fn a_retry_of_no_command_is_refused() {
    refused(&["--exec-retry", "1", URL], "--exec-retry requires --exec");
}

#[test]
fn what_cannot_be_sent_is_refused() {
    refused_with(&["-X", "G ET", URL], &["ssecat: -X: ", "\"G ET\""]);
    refused_with(&["-X", "CONNECT", URL], &["ssecat: -X: ", "CONNECT"]);
    refused_with(&["-H", "X y: z", URL], &["ssecat: -H: ", "\"X"]);
    refused_with(&["-H", "X: a\nb", URL], &["ssecat: -H: ", "header x "]);
    refused_with(&["-H", "Content-Length: 7", URL], &["ssecat: -H: ", "content-length"]);
    refused_with(&["-H", "Host:", URL], &["ssecat: -H: ", "host"]);
    refused_with(&["--last-id", "a\nb", URL], &["ssecat: --last-id: "]);
    refused_with(&["ftp://h/"], &["ssecat: the URL \"ftp://h/\" "]);
    refused_with(&["http://h:99999/"], &["ssecat: the URL \"http://h:99999/\" "]);
    refused(&["-H", "Last-Event-ID: 7", URL], "-H: the header last-event-id is set by --last-id");
    for option in ["--only", "--ignore"] {
        let line = format!("{option} \"\": events without a type have the type \"message\"");
        refused(&[option, "", URL], &line);
    }
}

#[test]
fn a_link_that_cannot_be_is_refused() {
    for value in ["", "a", "a:1", "a:1:b", "a:127.0.0.1"] {
        refused(&["--resolve", value, URL], &format!("--resolve {value:?}: expected HOST:PORT:ADDRESS"));
    }
    for (option, value) in [("--resolve", "a:0:127.0.0.1"), ("--interface", "no/device"), ("--unix-socket", "")] {
        refused_with(&[option, value, URL], &["ssecat: --"]);
    }
}

#[test]
fn an_invalid_pin_is_refused() {
    let pin = "0".repeat(64);
    for value in ["", "pin.pem", "sha256//", "sha256//AAAA", &format!("{pin};"), &format!("{pin};{}", &pin[1..])] {
        refused_with(&["--pinnedpubkey", value, URL], &["ssecat: --pinnedpubkey: ", "sha256//"]);
    }
    refused_with(&["--pinnedpubkey", &pin, "ftp://h/"], &["ssecat: the URL \"ftp://h/\" "]);
}

#[cfg(not(feature = "native-roots"))]
#[test]
fn the_systems_roots_need_a_feature() {
    refused(&["--ca-native", URL], "--ca-native: this program was built without the feature native-roots");
}

#[test]
fn a_file_that_cannot_be_used_is_refused() {
    let folder = Folder::new("ssecat-files");
    let missing = folder.file("missing").display().to_string();
    let no_such_file = "No such file or directory (os error 2)";
    refused(&["-d", &format!("@{missing}"), URL], &format!("-d @{missing}: {no_such_file}"));
    refused(&["--cacert", &missing, URL], &format!("--cacert {missing:?}: {no_such_file}"));
    let below = format!("{missing}/id");
    refused(&["--checkpoint", &below, URL], &format!("--checkpoint {below:?}: no such directory: {missing:?}"));
    let empty = folder.file("empty");
    std::fs::write(&empty, "nothing").unwrap();
    refused_with(
        &["--cacert", empty.to_str().unwrap(), URL],
        &[&format!("ssecat: --cacert {empty:?}: "), "certificate"],
    );
}

#[test]
fn a_value_that_is_not_unicode_is_refused() {
    let raw = OsStr::from_bytes(b"\xff");
    let options = ["-X", "-H", "--only", "--last-id", "--idle", "--count", "--timeout", "--retry", "--format"];
    for option in options {
        let left = run(ssecat(&[URL, option]).arg(raw));
        assert_eq!((left.stderr, left.code), (format!("ssecat: {option}: the value is not Unicode\n"), Some(2)));
    }
    let left = run(ssecat(&[]).arg(raw));
    assert_eq!((left.stderr.as_str(), left.code), ("ssecat: the URL: the value is not Unicode\n", Some(2)));
}

#[test]
fn no_secret_is_shown() {
    for arguments in [
        &["-H", "Bearer s3cret", URL][..],
        &["-H", "Authorization:", "Bearer", "s3cret", URL],
        &["-H", "Authorization: s3cret\n", "-H", "Authorization: s3cret\u{1}", URL],
        &["http://user:s3cret@host:x/?key=s3cret"],
        &["ftp://user:s3cret@host/?key=s3cret"],
        &["-X", "G ET", "-d", "s3cret", URL],
    ] {
        let left = run(&mut ssecat(arguments));
        assert_eq!((left.code, left.stdout.as_str(), left.stderr.lines().count()), (Some(2), "", 1), "{left:?}");
        assert!(!left.stderr.contains("s3cret"), "{left:?}");
    }
}

#[test]
fn help_and_version_go_to_the_output() {
    for option in ["-h", "--help"] {
        let left = run(&mut ssecat(&["--count", "1", option]));
        assert_eq!((left.stderr.as_str(), left.code), ("", Some(0)));
        let request = [
            "-X METHOD",
            "-H 'NAME: VALUE'",
            "-d BODY, -d @FILE",
            "--last-id ID",
            "--cursor 'KEY",
            "--checkpoint FILE",
        ];
        let connection =
            ["--idle SECS", "--retry never|forever|N", "--cacert PEM", "--ca-native", "--pinnedpubkey PINS"];
        let link = ["--resolve HOST:PORT:ADDR", "--interface NAME", "--unix-socket PATH"];
        let output = [
            "--format FORMAT",
            "--json",
            "--time",
            "--only TYPE",
            "--ignore TYPE",
            "--record FILE",
            "--exec CMD",
            "--exec-retry SECS",
        ];
        let rest = ["--count N", "--timeout SECS", "-v ", "-q, --quiet", "-h, --help", "-V, --version", "Exit codes: "];
        for option in request.iter().chain(&connection).chain(&link).chain(&output).chain(&rest) {
            assert!(left.stdout.contains(option), "{option}: {}", left.stdout);
        }
        assert!(left.stdout.lines().all(|line| line.chars().count() <= 80));
    }
    for option in ["-V", "--version"] {
        let left = run(&mut ssecat(&[option]));
        assert_eq!(left.stdout, concat!("ssecat ", env!("CARGO_PKG_VERSION"), "\n"));
        assert_eq!((left.stderr.as_str(), left.code), ("", Some(0)));
    }
}
