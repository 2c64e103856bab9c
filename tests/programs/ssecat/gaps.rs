//! `--gaps`: the mark of a gap in each form, and what a gap is not.

use std::fs;

use http_sse::testing::{Peer, Server};

use crate::ssecat::{send, ssecat};
use support::program::{Folder, Left, run};

/// A stream that ends, another one with a large event, and no more.
fn broken(number: usize, peer: Peer) {
    match number {
        0 => send(peer, "retry: 500\n\nid: 7\ndata: a\n\n"),
        1 => send(peer, &format!("data: {}\n\ndata: b\n\n", "x".repeat(2 << 20))),
        _ => { peer }.respond(204, &[], ""),
    }
}

fn left(arguments: &[&str]) -> Left {
    let server = Server::serve(broken).unwrap();
    run(ssecat(&["--gaps", "-q"]).args(arguments).arg(server.url("/")))
}

/// The output with its only time replaced.
#[track_caller]
fn output(arguments: &[&str], before: &str, after: &str) -> String {
    let left = left(arguments);
    assert_eq!((left.stderr.as_str(), left.code), ("", Some(0)));
    let (start, rest) = left.stdout.split_once(before).unwrap_or_else(|| panic!("{}", left.stdout));
    let (time, rest) = rest.split_once(after).unwrap_or_else(|| panic!("{}", left.stdout));
    assert!(time.parse::<f64>().unwrap() >= 0.5, "{time}");
    format!("{start}{before}T{after}{rest}")
}

#[test]
fn every_form_has_a_gap_in_its_place() {
    let text = ": gap: reconnected after T s, resumed from \"7\"\n\n: gap: 1 too large\n\n";
    let output_of = |arguments: &[&str]| output(arguments, "after ", " s");
    assert_eq!(output_of(&[]), format!("id: 7\ndata: a\n\n{text}id: 7\ndata: b\n\n"));
    assert_eq!(output_of(&["--format", "raw"]), format!("id: 7\ndata: a\n\n{text}data: b\n\n"));
    assert_eq!(
        output_of(&["--format", "tsv"]),
        "message\t7\ta\n\t\tgap: reconnected after T s, resumed from \"7\"\n\t\tgap: 1 too large\nmessage\t7\tb\n"
    );
    assert_eq!(
        output(&["--json"], "{\"gap\":{\"away\":", ","),
        "{\"type\":\"message\",\"id\":\"7\",\"data\":\"a\"}\n\
         {\"gap\":{\"away\":T,\"oversized\":0,\"resumed_from\":\"7\"}}\n\
         {\"gap\":{\"away\":null,\"oversized\":1,\"resumed_from\":null}}\n\
         {\"type\":\"message\",\"id\":\"7\",\"data\":\"b\"}\n"
    );
}

#[test]
fn a_command_runs_for_a_gap_which_its_environment_describes() {
    let command = r#"echo "${SSE_GAP-none}|${SSE_TYPE-none}|${SSE_ID-none}|${SSE_DATA-none}|$(cat)""#;
    assert_eq!(
        output(&["--exec", command], "after ", " s"),
        "none|message|7|a|a\ngap: reconnected after T s, resumed from \"7\"|none|none|none|\n\
         gap: 1 too large|none|none|none|\nnone|message|7|b|b\n"
    );
    let left = left(&["--exec", r#"[ -z "$SSE_GAP" ]"#]);
    assert_eq!(left.code, Some(6));
    assert!(left.stderr.starts_with("ssecat: the command failed for the gap: reconnected after "), "{}", left.stderr);
}

#[test]
fn a_gap_is_no_event_to_count_choose_or_keep() {
    let folder = Folder::new("ssecat-gaps");
    let id = folder.file("id");
    let arguments = ["--count", "2", "--ignore", "message", "--only", "none", "--checkpoint", id.to_str().unwrap()];
    let lines: Vec<_> = left(&arguments).stdout.lines().map(|line| line.starts_with(": gap: ")).collect();
    assert_eq!(lines, [true, false, true, false]);
    assert!(fs::read_to_string(&id).unwrap().contains('7'));
}

#[test]
fn without_the_flag_nothing_is_marked() {
    let server = Server::serve(broken).unwrap();
    let left = run(ssecat(&["-q", "--format", "data"]).arg(server.url("/")));
    assert_eq!(left.stdout, "a\nb\n");
}
