//! `--exec`: a command for each event, and what its failure means for the next run.

use std::fs;
use std::process::Command;

use http_sse::Checkpoint;
use http_sse::testing::Server;

use crate::ssecat::{send, ssecat};
use support::program::{Folder, Left, Running, run};
use support::wait_until;

/// Returns the tool's command that runs in this folder, against a server that answers so and ends the stream.
fn in_folder(folder: &Folder, arguments: &[&str], server: &Server) -> Command {
    let mut command = ssecat(arguments);
    command.current_dir(folder.file("")).arg(server.url("/"));
    command
}

/// Serves the blocks of these ids that follow the one asked for.
fn serve_ids(last: u32) -> Server {
    Server::serve(move |_, mut peer| {
        let from = peer.request().header("last-event-id").map_or(0, |id| id.parse().unwrap());
        peer.stream();
        for id in from + 1..=last {
            peer.send(format!("id: {id}\ndata: event {id}\n\n"));
        }
        peer.end();
    })
    .unwrap()
}

#[track_caller]
fn executed(arguments: &[&str], blocks: &str) -> Left {
    let blocks = blocks.to_owned();
    let server = Server::serve(move |_, peer| send(peer, &blocks)).unwrap();
    run(ssecat(&["--retry", "never"]).args(arguments).arg(server.url("/")))
}

#[test]
fn the_command_has_the_event_in_its_environment_and_its_data_as_input() {
    let command = r#"printf '%s|%s|%s|' "$SSE_TYPE" "$SSE_ID" "$SSE_DATA"; cat"#;
    let left = executed(&["--exec", command], "event: price\nid: 7\ndata: a'\"$(x)\ndata: b\n\ndata: c\nid\n\n");
    assert_eq!((left.stderr.as_str(), left.code), ("", Some(0)));
    assert_eq!(left.stdout, "price|7|a'\"$(x)\nb|a'\"$(x)\nb\nmessage||c|c\n");
}

#[test]
fn the_input_has_the_format_that_is_asked_for() {
    let left = executed(&["--exec", "cat", "--json"], "data: 1\n\n");
    assert_eq!(left.stdout, "{\"type\":\"message\",\"id\":null,\"data\":\"1\"}\n");
}

#[test]
fn data_that_no_variable_can_hold_is_on_the_input_alone() {
    let command = r#"echo "${SSE_DATA-none} ${SSE_TYPE-none} $(wc -c)""#;
    for data in ["x".repeat(900_000), "x\0y".to_owned()] {
        let mut blocks = format!("data: {data}\n\n");
        blocks.insert_str(0, "event: a\0b\n");
        let left = executed(&["--exec", command], &blocks);
        assert_eq!(left.stdout.trim_end(), format!("none none {}", data.len() + 1), "{:?}", left.stderr);
        assert_eq!(left.code, Some(0));
    }
}

#[test]
fn a_command_need_not_read_its_input() {
    let left = executed(&["--exec", "echo done"], &format!("data: {}\n\ndata: 2\n\n", "x".repeat(900_000)));
    assert_eq!((left.stdout.as_str(), left.stderr.as_str(), left.code), ("done\ndone\n", "", Some(0)));
}

#[test]
fn the_checkpoint_is_on_the_disk_before_the_next_command_begins() {
    let folder = Folder::new("ssecat-exec-checkpoint");
    let server = serve_ids(3);
    let arguments =
        ["--retry", "never", "--checkpoint", "id", "--exec", "test ! -e id || sed -n 3p id >> seen; echo - >> seen"];
    let left = run(&mut in_folder(&folder, &arguments, &server));
    assert_eq!((left.stderr.as_str(), left.code), ("", Some(0)));
    assert_eq!(fs::read_to_string(folder.file("seen")).unwrap(), "-\n1\n-\n2\n-\n");
    assert_eq!(Checkpoint::open(folder.file("id")).unwrap().last_event_id(), Some("3"));
}

#[test]
fn a_command_that_fails_ends_it_with_6_and_the_event_comes_again() {
    let folder = Folder::new("ssecat-exec-fails");
    let server = serve_ids(3);
    let command = r#"echo "$SSE_ID" >> seen; test "$SSE_ID" != 2 || test -e mended || exit 3"#;
    let arguments = ["--retry", "never", "--checkpoint", "id", "--exec", command];
    let left = run(&mut in_folder(&folder, &arguments, &server));
    let line = "ssecat: the command failed for the event with the id \"2\": exit status: 3\n";
    assert_eq!((left.stderr.as_str(), left.code), (line, Some(6)));
    fs::write(folder.file("mended"), "").unwrap();
    let left = run(&mut in_folder(&folder, &arguments, &server));
    assert_eq!((left.stderr.as_str(), left.code), ("", Some(0)));
    assert_eq!(fs::read_to_string(folder.file("seen")).unwrap(), "1\n2\n2\n3\n");
}

#[test]
fn a_command_that_fails_is_run_again_where_that_is_asked_for() {
    let folder = Folder::new("ssecat-exec-retry");
    let server = serve_ids(2);
    let command = r#"echo "$SSE_ID" >> seen; test "$(wc -l < seen)" -ge 3"#;
    let arguments = ["--retry", "never", "--exec-retry", "0.01", "--exec", command];
    let left = run(&mut in_folder(&folder, &arguments, &server));
    let line =
        "ssecat: warning: the command failed for the event with the id \"1\": exit status: 1; retrying in 10ms\n";
    assert_eq!((left.stderr.as_str(), left.code), (&line.repeat(2)[..], Some(0)));
    assert_eq!(fs::read_to_string(folder.file("seen")).unwrap(), "1\n1\n1\n2\n");
}

#[test]
fn killed_in_the_middle_of_a_command_it_skips_nothing() {
    let folder = Folder::new("ssecat-exec-killed");
    let server = serve_ids(3);
    // The second event's command takes until it is told to go on.
    let command =
        r#"test "$SSE_ID" != 2 || { echo > busy; while ! test -e go; do sleep 0.01; done; }; echo "$SSE_ID" >> seen"#;
    let arguments = ["--retry", "never", "--checkpoint", "id", "--exec", command];
    let running = Running::start_unread(&mut in_folder(&folder, &arguments, &server));
    wait_until(|| folder.file("busy").exists());
    running.signal("KILL");
    // What it has started lives on, and holds the error output.
    fs::write(folder.file("go"), "").unwrap();
    assert_eq!(running.finish().code, None);
    wait_until(|| fs::read_to_string(folder.file("seen")).unwrap_or_default().lines().count() == 2);
    let left = run(&mut in_folder(&folder, &arguments, &server));
    assert_eq!((left.stderr.as_str(), left.code), ("", Some(0)));
    assert_eq!(fs::read_to_string(folder.file("seen")).unwrap(), "1\n2\n2\n3\n");
}

#[test]
fn a_signal_lets_the_command_finish() {
    let folder = Folder::new("ssecat-exec-signal");
    let server = serve_ids(3);
    let command = "echo > busy; while ! test -e go; do sleep 0.01; done";
    let arguments = ["--checkpoint", "id", "--exec", command];
    let running = Running::start_unread(&mut in_folder(&folder, &arguments, &server));
    wait_until(|| folder.file("busy").exists());
    running.signal("TERM");
    fs::write(folder.file("go"), "").unwrap();
    let left = running.finish();
    assert_eq!((left.stderr.as_str(), left.code), ("", Some(0)));
    // The command had been started for at least one event, and each that was finished counts.
    let handled: u32 = Checkpoint::open(folder.file("id")).unwrap().last_event_id().unwrap().parse().unwrap();
    assert!((1..=3).contains(&handled), "{handled}");
}

#[test]
fn a_signal_ends_the_wait_for_another_try() {
    let server = serve_ids(1);
    let folder = Folder::new("ssecat-exec-wait");
    let arguments = ["--checkpoint", "id", "--exec-retry", "3600", "--exec", "echo > failed; exit 1"];
    let running = Running::start_unread(&mut in_folder(&folder, &arguments, &server));
    wait_until(|| folder.file("failed").exists());
    running.signal("INT");
    assert_eq!(running.finish().code, Some(0));
    assert!(!folder.file("id").exists());
}

#[test]
fn count_counts_the_commands_that_succeeded() {
    let left = executed(&["--exec", "cat", "--count", "2"], "data: 1\n\ndata: 2\n\ndata: 3\n\n");
    assert_eq!((left.stdout.as_str(), left.stderr.as_str(), left.code), ("1\n2\n", "", Some(0)));
}
