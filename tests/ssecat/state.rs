//! What the error output tells of the connection: log lines, or a status line on a terminal.

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use http_sse::testing::Server;

use crate::program::{Folder, Running, run};
use crate::support::left_out::lacking;
use crate::{answered, ssecat};

#[test]
fn with_v_everything_about_the_connection_is_logged() {
    let left = answered(&["-v"], "data: 1\n\n");
    let lines: Vec<_> = left.stderr.lines().collect();
    assert_eq!(lines.first(), Some(&"ssecat: attempt 1"), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("ssecat: GET http://127.0.0.1:")), "{lines:?}");
    assert_eq!(lines.last(), Some(&"ssecat: closed, the response is complete"), "{lines:?}");
}

#[test]
fn no_secret_is_logged() {
    let server = Server::serve(|number, mut peer| match number {
        0 => peer.respond(302, &[("Location", "/next?key=s3cret")], ""),
        1 => peer.respond(503, &[("Set-Cookie", "s3cret")], "s3cret"),
        2 => peer.respond(302, &[("Location", "http://user:s3cret@127.0.0.1/")], "s3cret"),
        number => panic!("no attempt {number}"),
    })
    .unwrap();
    let url = server.url("/?key=s3cret").replace("http://", "http://user:s3cret@");
    let left = run(&mut ssecat(&["-v", "--retry", "1", "-H", "X-Key: s3cret", "-d", "s3cret", &url]));
    assert_eq!((left.stdout.as_str(), left.code, server.connections()), ("", Some(4), 3), "{left:?}");
    assert!(left.stderr.contains("503") && !left.stderr.contains("s3cret"), "{left:?}");
}

#[test]
fn a_terminal_shows_one_status_line_that_is_kept_up_to_date() {
    let Some(terminal) = Terminal::find() else { return };
    let server = Server::start().unwrap();
    let folder = Folder::new("ssecat-terminal");
    let arguments = format!("--retry forever --count 2 {} > {}", server.url("/"), folder.file("out").display());
    let running = terminal.start(&arguments);
    let mut peer = server.accept();
    running.wait_for("\r\x1b[K\x1b[?7lconnecting · 0 events · 0.0/s\x1b[?7h");
    peer.respond(503, &[("Retry-After", "1")], "");
    let mut peer = server.accept();
    peer.stream();
    peer.send("id: 7\u{9b}\ndata: 1\n\n");
    running.wait_for("open · 1 event · ");
    peer.send("data: 2\n\n");
    peer.hold();
    let shown = running.finish();

    assert!(shown.contains("waiting · 0 events · 0.0/s · the server answered 503 · next attempt in "), "{shown:?}");
    assert!(shown.contains(" · last id 7\u{fffd}\x1b[?7h"), "{shown:?}");
    let last = shown.rsplit("\r\x1b[K").next().unwrap();
    assert!(last.starts_with("\x1b[?7lclosed · 2 events · ") && last.trim_end().ends_with("\x1b[?7h"), "{last:?}");
    // The failure was part of the status line, not one of its own.
    assert_eq!(shown.matches('\n').count(), 1, "{shown:?}");
    assert_eq!(fs::read_to_string(folder.file("out")).unwrap(), "id: 7\u{9b}\ndata: 1\n\nid: 7\u{9b}\ndata: 2\n\n");
}

#[test]
fn the_status_line_makes_room_for_events_on_the_same_terminal() {
    let Some(terminal) = Terminal::find() else { return };
    let server = Server::start().unwrap();
    let running = terminal.start(&format!("--count 1 {}", server.url("/")));
    let mut peer = server.accept();
    peer.stream();
    running.wait_for("open · 0 events");
    peer.send("data: 1\n\n");
    peer.hold();
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
        crate::support::wait_until(|| String::from_utf8_lossy(&self.text.lock().unwrap()).contains(part));
    }

    #[track_caller]
    fn finish(self) -> String {
        self.running.finish();
        self.reader.join().unwrap();
        String::from_utf8(self.text.lock().unwrap().clone()).unwrap()
    }
}
