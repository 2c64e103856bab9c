//! The one-liners of docs/ssecat.md run as written.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use http_sse::testing::{Peer, Server};

use crate::ssecat::{gzip, send, ssecat};
use support::program::{Folder, Running};

const PAGE: &str = include_str!("../../../docs/ssecat.md");

const EVENTS: &str =
    "event: price\nid: 1\ndata: 99\n\nevent: price\nid: 2\ndata: 101.5\n\nevent: job\nid: 3\ndata: a\n\n";

/// What the shell finds when it has run one, and what it has printed.
struct Outcome {
    folder: Folder,
    stdout: String,
}

impl Outcome {
    #[track_caller]
    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.file(name)).unwrap()
    }
}

/// The only one-liner that contains this text.
#[track_caller]
fn one_liner(part: &str) -> &'static str {
    let blocks: Vec<_> = PAGE.split("```sh\n").skip(1).map(|block| block.split("\n```").next().unwrap()).collect();
    assert!(blocks.len() >= 5, "{blocks:?}");
    let found: Vec<_> = blocks.into_iter().filter(|block| block.contains(part)).collect();
    assert!(found.len() == 1 && !found[0].contains('\n'), "{found:?}");
    found[0]
}

/// Runs a one-liner in a folder of its own, with the tool in the path, where the server is that of the script.
#[track_caller]
fn outcome(part: &str, script: impl FnMut(usize, Peer) + Send + 'static) -> Outcome {
    let server = Server::serve(script).unwrap();
    let folder =
        Folder::new(&format!("ssecat-docs{}", part.replace(|character: char| !character.is_alphanumeric(), "-")));
    let tool = ssecat(&[]);
    let words = [tool.get_program()].into_iter().chain(tool.get_args()).map(|word| word.to_str().unwrap());
    let wrapper = folder.file("ssecat");
    fs::write(&wrapper, format!("#!/bin/sh\nexec {} \"$@\"\n", words.collect::<Vec<_>>().join(" "))).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();

    let mut command = Command::new("sh");
    command.args(["-e", "-u", "-c", one_liner(part)]).current_dir(folder.file("")).env("URL", server.url("/events"));
    command.env("PATH", format!("{}:{}", folder.file("").display(), std::env::var("PATH").unwrap()));
    for (variable, _) in tool.get_envs() {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let left = Running::start(&mut command).finish();
    assert_eq!((left.stderr.as_str(), left.code), ("", Some(0)), "{}", one_liner(part));
    Outcome { folder, stdout: left.stdout }
}

/// The events, and then a server that has nothing more.
fn events_once(number: usize, mut peer: Peer) {
    match number {
        0 => send(peer, &format!("retry: 500\n\n{EVENTS}")),
        _ => peer.respond(204, &[], ""),
    }
}

#[test]
fn a_stream_that_speaks() {
    assert_eq!(outcome("--timeout 10", events_once).stdout, "alive\n");
}

#[test]
fn a_log_with_times() {
    let outcome = outcome("feed.id", events_once);
    let log = outcome.file("feed.tsv");
    let lines: Vec<_> = log.lines().map(|line| line.split_once('\t').unwrap().1).collect();
    assert_eq!(lines, ["price\t1\t99", "price\t2\t101.5", "job\t3\ta"]);
    assert!(outcome.file("feed.id").contains("\n3\n"));
}

#[test]
fn columns_for_awk() {
    assert_eq!(outcome("awk", events_once).stdout, "2 101.5\n");
}

#[test]
fn a_command_for_each_event() {
    let outcome = outcome("--exec-retry", events_once);
    assert_eq!(outcome.file("jobs.txt"), "a\n");
    assert!(outcome.file("jobs.id").contains("\n3\n"));
}

#[test]
fn a_question_to_a_language_model() {
    let outcome = outcome("DONE", |_, mut peer| {
        let asked = peer.request();
        assert_eq!((asked.method(), asked.header("content-type")), ("POST", Some("application/json")));
        send(peer, "data: {\"choices\": []}\n\ndata: [DONE]\n\n");
    });
    assert_eq!(outcome.stdout, "{\"choices\": []}\n[DONE]\n");
}

#[test]
fn a_compressed_stream() {
    let outcome = outcome("--compressed", |number, mut peer| {
        assert_eq!(peer.request().header("accept-encoding"), Some("gzip"));
        let headers = [("Content-Type", "text/event-stream"), ("Content-Encoding", "gzip")];
        match number {
            0 => peer.respond(200, &headers, gzip(&format!("retry: 500\n\n{EVENTS}"))),
            _ => peer.respond(204, &[], ""),
        }
    });
    assert_eq!(outcome.file("feed.txt"), "99\n101.5\na\n");
}

#[test]
fn a_recording() {
    let recording = outcome("--record", events_once).file("bug.sse");
    assert!(recording.starts_with("http-sse recording 1\n") && recording.contains(" open 200 "), "{recording}");
}

#[test]
fn the_page_knows_every_format_and_exit_code() {
    let help = String::from_utf8(ssecat(&["--help"]).output().unwrap().stdout).unwrap();
    for code in 0..=7 {
        assert!(PAGE.contains(&format!("| {code} | ")) && help.contains(&format!("{code} ")), "{code}");
    }
    for format in ["text", "json", "tsv", "data", "raw"] {
        assert!(PAGE.contains(&format!("| `{format}` | ")), "{format}");
    }
    let recording = PAGE.split("```text\n").find(|block| block.starts_with("http-sse recording")).unwrap();
    let folder = Folder::new("ssecat-docs-format");
    fs::write(folder.file("r"), recording.split("```").next().unwrap()).unwrap();
    Server::replay(folder.file("r"), 1.0).unwrap().finish();
}

#[test]
fn a_state_that_is_fetched_again() {
    let outcome = outcome("--gaps", |number, peer| match number {
        0 => send(peer, "retry: 500\n\ndata: a\n\n"),
        1 => send(peer, "data: b\n\n"),
        _ => events_once(number, peer),
    });
    assert_eq!(outcome.stdout, "a\nfetch it all\nb\n");
}
