//! A terminal: the status line, and what must not reach it.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use http_sse::testing::{Peer, Server};

use crate::ssecat::ssecat;
use support::left_out::lacking;
use support::program::Running;

#[test]
fn a_terminal_shows_one_status_line_that_is_kept_up_to_date() {
    let Some(terminal) = Terminal::find() else { return };
    let server = Server::start().unwrap();
    let running = terminal.start(&format!("--retry forever --count 2 --format data {}", server.url("/")));
    let mut peer = server.accept();
    running.wait_for("\r\x1b[K\x1b[?7lconnecting · 0 events · 0.0/s\x1b[?7h");
    peer.respond(503, &[("Retry-After", "1")], "");
    let mut peer = server.accept();
    peer.stream();
    peer.send("id: 7\u{9b}\ndata: 1\n\n");
    running.wait_for("open · 1 event · ");
    peer.send("data: 2\n\n");
    peer.wait_for_close();
    let shown = running.finish();

    assert!(shown.contains("waiting · 0 events · 0.0/s · the server answered 503 · retrying in "), "{shown:?}");
    assert!(shown.contains(" · last id 7\u{fffd}\x1b[?7h"), "{shown:?}");
    let last = shown.rsplit("\r\x1b[K").next().unwrap();
    assert!(last.starts_with("\x1b[?7lclosed · 2 events · ") && last.trim_end().ends_with("\x1b[?7h"), "{last:?}");
    // Two events and the end: the failure was part of the status line, not one of its own.
    assert_eq!(shown.matches('\n').count(), 3, "{shown:?}");
}

#[test]
fn no_status_line_gets_into_what_the_next_program_of_a_pipe_writes() {
    let Some(terminal) = Terminal::find() else { return };
    let server = Server::serve(|number, mut peer| match number {
        0 => peer.respond(503, &[], ""),
        _ => crate::ssecat::send(peer, "data: 1\n\ndata: 2\n\n"),
    })
    .unwrap();
    let shown = terminal.start(&format!("--json --count 2 {} | cat", server.url("/"))).finish();
    let lines: Vec<_> = shown.lines().collect();
    assert!(lines[0].starts_with("ssecat: warning: the server answered 503; retrying in "), "{shown:?}");
    let events = [1, 2].map(|number| format!(r#"{{"type":"message","id":null,"data":"{number}"}}"#));
    assert_eq!(lines[1..], events, "{shown:?}");
}

#[test]
fn a_quiet_terminal_shows_events_and_what_ends_the_stream() {
    let Some(terminal) = Terminal::find() else { return };
    for option in ["-q", "--quiet"] {
        let server = Server::serve(|number, mut peer| match number {
            0 => peer.respond(503, &[], ""),
            1 => crate::ssecat::send(peer, "data: 1\n\n"),
            _ => peer.respond(404, &[], ""),
        })
        .unwrap();
        let shown = terminal.start(&format!("{option} {}", server.url("/"))).finish();
        assert_eq!(shown, "data: 1\r\n\r\nssecat: the server answered 404\r\n");
    }
}

/// Starts ssecat for one event, on a stream that has brought none.
#[track_caller]
fn reading_one(terminal: &Terminal, server: &Server) -> (Shown, Peer) {
    let running = terminal.start(&format!("--count 1 {}", server.url("/")));
    let mut peer = server.accept();
    peer.stream();
    running.wait_for("open · 0 events");
    (running, peer)
}

#[test]
fn a_skipped_event_is_a_line_above_the_status_line() {
    let Some(terminal) = Terminal::find() else { return };
    let server = Server::start().unwrap();
    let (running, mut peer) = reading_one(&terminal, &server);
    for _ in 0..1100 {
        peer.send(format!("data: {}\n", "x".repeat(1000)));
    }
    peer.send("\n");
    running.wait_for("\r\x1b[Kssecat: warning: skipped an event: an event is larger than ");
    peer.send("data: 1\n\n");
    peer.wait_for_close();
    let shown = running.finish();
    assert_eq!(shown.matches("skipped").count(), 1, "{shown:?}");
    assert!(shown.contains("data: 1\r\n") && shown.contains("closed · 1 event · "), "{shown:?}");
}

#[test]
fn nothing_that_a_server_sends_can_control_the_terminal() {
    // The title, the clipboard, the screen, the same with C1, a bell, backspaces; a tab does no harm.
    const HOSTILE: &str = "a\u{1b}]0;title\u{7}\u{1b}]52;c;AAAA\u{1b}\\\u{1b}[2J\u{9b}2J\u{9d}0;x\u{9c}\u{7f}\u{8}\tb";
    const BLOCK: &str = "event: EVIL\nid: EVIL\n:EVIL\nEVIL\ndata: EVIL\ndata: EVIL\n\n";
    let Some(terminal) = Terminal::find() else { return };
    for options in ["", "--json", "--format tsv", "--format data", "--format raw", "--json --time"] {
        let server = Server::serve(|_, peer| crate::ssecat::send(peer, &BLOCK.replace("EVIL", HOSTILE))).unwrap();
        let shown = terminal.start(&format!("{options} --quiet --retry never {}", server.url("/"))).finish();
        let controls: String = shown.chars().filter(|character| character.is_control()).collect();
        let harmless = |character| matches!(character, '\r' | '\n' | '\t');
        assert!(shown.contains('b') && controls.chars().all(harmless), "{options}: {shown:?}");
    }
}

#[test]
fn the_status_line_makes_room_for_events_on_the_same_terminal() {
    let Some(terminal) = Terminal::find() else { return };
    let server = Server::start().unwrap();
    let (running, mut peer) = reading_one(&terminal, &server);
    peer.send("data: 1\n\n");
    peer.wait_for_close();
    let shown = running.finish();
    assert!(shown.contains("\r\x1b[Kdata: 1\r\n\r\n\r\x1b[K\x1b[?7l"), "{shown:?}");
}

#[test]
fn on_a_terminal_the_last_failure_gets_a_line_of_its_own() {
    let Some(terminal) = Terminal::find() else { return };
    let server = Server::serve(|_, mut peer| peer.respond(404, &[], "")).unwrap();
    let shown = terminal.start(&server.url("/")).finish();
    assert!(shown.ends_with("\r\nssecat: the server answered 404\r\n") && shown.contains("closed · "), "{shown:?}");
}

#[test]
fn a_terminal_that_cannot_move_its_cursor_gets_log_lines() {
    let Some(mut terminal) = Terminal::find() else { return };
    terminal.kind = "dumb";
    let server = Server::serve(|_, mut peer| peer.respond(404, &[], "")).unwrap();
    let shown = terminal.start(&server.url("/")).finish();
    assert_eq!(shown, "ssecat: warning: the server answered 404; giving up\r\n");
}

/// A terminal of the test's own, by `script` of util-linux.
struct Terminal {
    kind: &'static str,
}

impl Terminal {
    fn find() -> Option<Self> {
        let version = Command::new("script").arg("--version").output();
        if version.is_ok_and(|version| String::from_utf8_lossy(&version.stdout).contains("util-linux")) {
            return Some(Self { kind: "xterm" });
        }
        lacking("terminal", "a test with a terminal needs script of util-linux");
        None
    }

    #[track_caller]
    fn start(&self, arguments: &str) -> Shown {
        let tool = ssecat(&[]);
        let words = [tool.get_program()].into_iter().chain(tool.get_args()).map(|word| word.to_str().unwrap());
        let line = words.collect::<Vec<_>>().join(" ");
        let mut command = Command::new("script");
        command.args(["--quiet", "--flush", "--return", "--command", &format!("exec {line} {arguments}"), "/dev/null"]);
        command.env("TERM", self.kind).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (variable, value) in tool.get_envs() {
            assert_eq!(value, None, "{variable:?}");
            command.env_remove(variable);
        }
        Shown::of(Running::start_unread(&mut command))
    }
}

/// What a terminal has been told.
struct Shown {
    running: Running,
    text: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Shown {
    fn of(mut running: Running) -> Self {
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let (mut output, all) = (running.take_output(), Arc::clone(&text));
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                all.lock().unwrap().extend_from_slice(&buffer[..length]);
            }
        });
        Self { running, text, reader }
    }

    #[track_caller]
    fn wait_for(&self, part: &str) {
        support::wait_until(|| String::from_utf8_lossy(&self.text.lock().unwrap()).contains(part));
    }

    #[track_caller]
    fn finish(self) -> String {
        self.running.finish();
        self.reader.join().unwrap();
        String::from_utf8(self.text.lock().unwrap().clone()).unwrap()
    }
}
