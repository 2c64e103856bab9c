//! What is printed, and when.

use http_sse::testing::Server;

use crate::ssecat::{answered, ssecat};
use support::program::{Running, run};

const BLOCKS: &str = "event: price\nid: 1\ndata: a\ndata: b\n\n:note\ndata: \"c\"\r\n\r\nevent: bye\nid\ndata\n\n";

#[test]
fn an_event_is_printed_as_a_block_in_its_canonical_wire_form() {
    let left = answered(&[], BLOCKS);
    let blocks = "event: price\nid: 1\ndata: a\ndata: b\n\n:note\nid: 1\ndata: \"c\"\n\nevent: bye\ndata: \n\n";
    assert_eq!((left.stdout.as_str(), left.stderr.as_str(), left.code), (blocks, "", Some(0)));
}

#[test]
fn only_events_of_the_types_asked_for_are_printed() {
    let left = answered(&["--json", "--only", "bye", "--only", "message", "--only", "other"], BLOCKS);
    let lines = [r#"{"type":"message","id":"1","data":"\"c\""}"#, r#"{"type":"bye","id":null,"data":""}"#];
    assert_eq!(left.stdout.lines().collect::<Vec<_>>(), lines);
}

#[test]
fn events_of_the_types_to_ignore_are_left_out() {
    let left = answered(&["--json", "--ignore", "price", "--ignore", "bye"], BLOCKS);
    assert_eq!(left.stdout, "{\"type\":\"message\",\"id\":\"1\",\"data\":\"\\\"c\\\"\"}\n");
}

#[test]
fn count_ends_after_the_events_that_were_printed() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("data: 1\n\nevent: x\ndata: 2\n\nevent: x\ndata: 3\n\nevent: x\ndata: 4\n\n");
        peer.wait_for_close();
    })
    .unwrap();
    let left = run(ssecat(&["--only", "x", "--count", "2"]).arg(server.url("/events")));
    assert_eq!(left.stdout, "event: x\ndata: 2\n\nevent: x\ndata: 3\n\n");
    assert_eq!((left.stderr.as_str(), left.code), ("", Some(0)));
}

#[test]
fn an_event_is_printed_at_once() {
    let server = Server::start().unwrap();
    let running = Running::start(ssecat(&["--count", "2"]).arg(server.url("/events")));
    let mut peer = server.accept();
    peer.stream();
    for number in 1..=2 {
        peer.send(format!("data: {number}\n\n"));
        // The next one is sent only when this one is here.
        assert_eq!(running.line(), format!("data: {number}\n"));
        assert_eq!(running.line(), "\n");
    }
    let left = running.finish();
    assert_eq!((left.stdout.as_str(), left.code), ("", Some(0)));
}

#[test]
fn events_go_on_over_a_reconnect() {
    let server = Server::serve(|number, mut peer| {
        let last_id = peer.request().header("last-event-id").map(str::to_owned);
        peer.stream();
        match number {
            0 => peer.send("retry: 500\nid: 1\ndata: 1\n\nid: 2\ndata: half"),
            _ => peer.send(format!("id: 2\ndata: after {last_id:?}\n\n")),
        }
        peer.reset();
    })
    .unwrap();
    let left = run(ssecat(&["--count", "2", "--json"]).arg(server.url("/events")));
    let lines =
        [r#"{"type":"message","id":"1","data":"1"}"#, r#"{"type":"message","id":"2","data":"after Some(\"1\")"}"#];
    assert_eq!(left.stdout.lines().collect::<Vec<_>>(), lines);
    assert_eq!(left.code, Some(0));
}

#[test]
fn a_closed_output_ends_quietly() {
    let server = Server::start().unwrap();
    let mut running = Running::start_unread(ssecat(&[]).arg(server.url("/events")));
    let mut peer = server.accept();
    peer.stream();
    drop(running.take_output());
    peer.send("data: 1\n\n");
    peer.wait_for_close();
    let left = running.finish();
    assert_eq!((left.stderr.as_str(), left.code), ("", Some(0)));
}

#[test]
fn a_closed_output_ends_a_stream_without_events_too() {
    let server = Server::start().unwrap();
    let mut running = Running::start_unread(ssecat(&["--count", "9"]).arg(server.url("/events")));
    let mut peer = server.accept();
    peer.stream();
    drop(running.take_output());
    peer.wait_for_close();
    let left = running.finish();
    assert_eq!((left.stderr.as_str(), left.code), ("", Some(0)));
}

#[cfg(target_os = "linux")]
mod non_blocking {
    use std::io::Read;
    use std::mem::MaybeUninit;
    use std::os::{fd::OwnedFd, unix::net::UnixStream};

    use http_sse::testing::{Peer, Server};
    use socket2::SockRef;

    use crate::ssecat::ssecat;
    use support::program::Running;
    use support::{deadline, wait_until};

    /// Starts it with an output that accepts only a part of an event and is not read yet.
    fn start_full(server: &Server) -> (Running, Peer, UnixStream) {
        let (output, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let mut command = ssecat(&["--retry", "never"]);
        command.stdout(OwnedFd::from(theirs)).arg(server.url("/events"));
        let running = Running::start_unread(&mut command);
        // Holds the other end.
        drop(command);
        let mut peer = server.accept();
        peer.stream();
        peer.send(event());
        // The first bytes are there, more did not fit, and nothing but a wait for more room lets it sleep.
        output.set_nonblocking(true).unwrap();
        wait_until(|| SockRef::from(&output).peek(&mut [MaybeUninit::uninit()]).is_ok() && running.is_asleep());
        output.set_nonblocking(false).unwrap();
        (running, peer, output)
    }

    fn event() -> String {
        format!("data: {}\n\n", "x".repeat(900_000))
    }

    fn read_to_end(mut output: UnixStream) -> String {
        let mut text = String::new();
        output.set_read_timeout(Some(deadline())).unwrap();
        output.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn an_output_that_takes_nothing_for_now_is_waited_for() {
        let server = Server::start().unwrap();
        let (running, mut peer, output) = start_full(&server);
        peer.send("data: 2\n\n");
        peer.end();
        let text = read_to_end(output);
        let left = running.finish();
        assert_eq!((left.stderr.as_str(), left.code), ("", Some(0)));
        assert!(text == event() + "data: 2\n\n", "{} bytes", text.len());
    }

    #[test]
    fn a_signal_does_not_end_the_wait_for_such_an_output() {
        for signal in ["INT", "TERM"] {
            let server = Server::start().unwrap();
            let (running, peer, output) = start_full(&server);
            running.signal(signal);
            // It has been heard.
            peer.wait_for_close();
            let text = read_to_end(output);
            let left = running.finish();
            assert_eq!((left.stderr.as_str(), left.code), ("", Some(0)), "{signal}");
            assert!(text == event(), "{signal}: {} bytes", text.len());
        }
    }
}

#[test]
fn an_output_that_cannot_be_written_is_an_error() {
    let server = Server::serve(|_, peer| crate::ssecat::send(peer, "data: 1\n\n")).unwrap();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = ssecat(&[]);
    let running = Running::start_unread(command.arg(server.url("/events")).stdout(full));
    let left = running.finish();
    assert!(left.stderr.starts_with("ssecat: cannot write the output: "), "{left:?}");
    assert_eq!((left.stderr.lines().count(), left.code), (1, Some(1)));
}
