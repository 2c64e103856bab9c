//! Runs scripts on separate threads, and ends one silently if its client has disconnected.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

/// The panic payload that ends a script without a message: `resume_unwind` does not call the panic hook.
struct ClientGone;

thread_local! {
    static IN_SCRIPT: Cell<bool> = const { Cell::new(false) };
}

/// Runs one script; its panics propagate to the caller, a disconnected client does not.
pub(super) fn run(script: impl FnOnce()) {
    IN_SCRIPT.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(script));
    IN_SCRIPT.set(false);
    match outcome {
        Err(panic) if !panic.is::<ClientGone>() => resume_unwind(panic),
        _ => {}
    }
}

/// Ends the running script silently; returns if no script runs on this thread.
pub(super) fn end_quietly() {
    if IN_SCRIPT.get() && !thread::panicking() {
        resume_unwind(Box::new(ClientGone));
    }
}

/// Handles the result of a step as documented: an exceeded limit or a malformed request fails the test, a disconnected
/// client does not.
#[track_caller]
pub(super) fn check_step(step: &str, result: io::Result<()>) {
    match result {
        Ok(()) => {}
        Err(error) if is_verdict(&error) => panic!("scripted server: {step}: {error}"),
        Err(_) => end_quietly(),
    }
}

fn is_verdict(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock | io::ErrorKind::InvalidData)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Duration;

    use crate::testing::Server;

    fn client_of(server: &Server) -> TcpStream {
        let mut client = TcpStream::connect(server.addr()).unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
        client
    }

    #[test]
    fn a_script_that_sends_in_an_endless_loop_ends_with_its_client() {
        let (ended, end) = crossbeam_channel::bounded::<()>(0);
        let server = Server::serve(move |_, mut peer| {
            let _ended = ended.clone();
            peer.stream();
            loop {
                peer.send("data: tick\n\n");
            }
        })
        .unwrap();
        drop(client_of(&server));
        drop(client_of(&server));
        server.finish();
        assert!(end.recv_timeout(Duration::from_secs(10)).is_err_and(|e| e.is_disconnected()));
    }

    #[test]
    fn a_client_that_never_asks_is_no_failure() {
        let server = Server::serve(|_, mut peer| peer.stream()).unwrap();
        drop(TcpStream::connect(server.addr()).unwrap());
        server.finish();
    }

    #[test]
    fn a_pause_ends_with_the_server() {
        let server = Server::serve(|_, mut peer| {
            peer.stream();
            peer.pause(Duration::MAX);
        })
        .unwrap();
        let mut client = client_of(&server);
        client.read_exact(&mut [0; 10]).unwrap();
        server.finish();
    }

    #[test]
    fn a_failed_assertion_in_a_script_shows_when_the_server_is_dropped() {
        for serve_one in [
            || Server::serve(|number, mut peer| assert_eq!(peer.request().path(), "/no", "{number}")),
            || Server::serve_concurrently(|_, mut peer| assert_eq!(peer.request().path(), "/no")),
        ] {
            let server = serve_one().unwrap();
            let mut client = client_of(&server);
            assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
            assert!(catch_unwind(AssertUnwindSafe(|| drop(server))).is_err());
        }
    }

    #[test]
    fn a_limit_that_passes_is_a_failure() {
        let server = Server::start().unwrap().wait_limit(Duration::from_millis(20));
        assert!(catch_unwind(AssertUnwindSafe(|| server.accept())).is_err());
        let _client = TcpStream::connect(server.addr()).unwrap();
        let mut peer = server.accept();
        assert!(catch_unwind(AssertUnwindSafe(|| peer.request().path().to_owned())).is_err());
        assert!(catch_unwind(AssertUnwindSafe(|| peer.wait_for_close())).is_err());
    }
}
