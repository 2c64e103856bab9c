//! A device that boots before its network is up and its clock is set: the program starts, waits and connects.

use std::mem::discriminant;

use http_sse::crossbeam_channel::Receiver;
use http_sse::testing::{Peer, Server};
use http_sse::{Client, Error, Events, Request, RetryPolicy, State};

use support::transcript::{client, next, next_data, stop, transcript};
use support::wait_until;

/// As docs/raspberry-pi.md has it for devices.
fn start(client: &Client, url: String) -> (Events, Receiver<Error>) {
    let (sender, failures) = transcript();
    let request =
        Request::get(url).retry(RetryPolicy::forever()).on_error(move |error| sender.send(error.clone()).unwrap());
    (client.connect("boot", request).unwrap(), failures)
}

/// The failure is told, nothing of it is in the channel, and the connection waits for its next attempt.
#[track_caller]
fn assert_waits(events: &Events, failures: &Receiver<Error>) -> Error {
    let failure = next(failures);
    wait_until(|| events.handle().state() == State::Waiting);
    assert!(events.is_empty());
    failure
}

/// The server's first events all arrive, and no failure was of another kind than the first.
#[track_caller]
fn assert_arrives(events: &Events, failures: &Receiver<Error>, first: &Error, mut peer: Peer) {
    assert_eq!(peer.request().header("last-event-id"), None);
    peer.stream();
    peer.send("id: 1\ndata: a\n\nid: 2\ndata: b\n\n");
    assert_eq!([next_data(events), next_data(events)], ["a", "b"]);
    assert_eq!(events.handle().state(), State::Open);
    stop(events);
    assert!(failures.try_iter().all(|failure| discriminant(&failure) == discriminant(first)));
}

#[test]
fn a_port_that_is_closed_at_first_is_waited_for_and_nothing_is_lost() {
    let server = Server::start().unwrap();
    server.refuse().unwrap();
    let (events, failures) = start(&client(), server.url("/events"));
    let failure = assert_waits(&events, &failures);
    assert!(matches!(failure, Error::Io(_)), "{failure:?}");
    server.resume().unwrap();
    assert_arrives(&events, &failures, &failure, server.accept());
}

#[test]
fn a_clock_that_is_not_set_at_first_is_waited_for_and_nothing_is_lost() {
    use support::tls::{Authority, Clock, Validity, handshake};
    let (authority, clock) = (Authority::new(), Clock::default());
    let server = Server::start().unwrap();
    let client = Client::builder().no_proxy().tls_config(authority.client_config(clock.clone())).build().unwrap();
    let (events, failures) = start(&client, server.url("/events").replace("http:", "https:"));
    let config = authority.server_config(Validity::VALID);
    assert!(handshake(&mut server.accept(), &config).is_err());
    let failure = assert_waits(&events, &failures);
    assert!(matches!(failure, Error::ClockNotSet(_)), "{failure:?}");
    clock.set();
    let peer = loop {
        let mut peer = server.accept();
        // An attempt may have begun before the clock was set.
        if handshake(&mut peer, &config).is_ok() {
            break peer;
        }
    };
    assert_arrives(&events, &failures, &failure, peer);
}

/// In a process whose look-ups ask a file of the test's own: no server of names is asked.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod names {
    use std::process::{Command, Stdio};
    use std::{env, fs, io::Write};

    use super::*;

    use support::left_out::lacking;
    use support::program::{Folder, Running, part};

    const URL: &str = "HTTP_SSE_TEST_URL";
    /// Puts its first two arguments in the place of the system's files, and runs the others.
    const WITH_FILES: &str =
        r#"mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/nsswitch.conf && shift 2 && exec "$@""#;

    #[test]
    #[ignore = "a part: the test below runs it in a process with names of its own"]
    fn child_waits_for_a_name() {
        let url = env::var(URL).unwrap();
        let (events, failures) = start(&client(), url);
        let failure = assert_waits(&events, &failures);
        println!("waiting: {failure}");
        println!("event: {}", next_data(&events));
        println!("event: {}", next_data(&events));
        stop(&events);
    }

    #[test]
    fn a_name_that_nobody_knows_at_first_is_waited_for_and_nothing_is_lost() {
        let folder = Folder::new("boot");
        let [hosts, switch] = [("hosts", ""), ("nsswitch.conf", "hosts: files\n")].map(|(name, text)| {
            fs::write(folder.file(name), text).unwrap();
            folder.file(name)
        });
        let within = |kind: &[&str]| {
            let mut command = Command::new("unshare");
            command.args(kind).args(["--mount", "sh", "-c", WITH_FILES, "sh"]).args([&hosts, &switch]);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            command
        };
        let kinds: [&[&str]; 2] = [&[], &["--user", "--map-root-user"]];
        let Some(kind) = kinds.into_iter().find(|kind| {
            let tried = within(kind).arg("true").output();
            tried.is_ok_and(|output| output.status.success())
        }) else {
            return lacking("netns", "a test with names of its own, which needs a mount namespace");
        };
        let server = Server::start().unwrap();
        let test = part(module_path!(), "child_waits_for_a_name");
        let mut command = within(kind);
        command.arg(test.get_program()).args(test.get_args());
        let url = format!("http://sensor.test:{}/events", server.addr().port());
        let child = Running::start(command.env(URL, url));
        next_line(&child, "waiting: ");
        fs::OpenOptions::new().append(true).open(&hosts).unwrap().write_all(b"127.0.0.1 sensor.test\n").unwrap();
        let mut peer = server.accept();
        peer.stream();
        peer.send("id: 1\ndata: a\n\nid: 2\ndata: b\n\n");
        assert_eq!([next_line(&child, "event: "), next_line(&child, "event: ")], ["a\n", "b\n"]);
        peer.wait_for_close();
        assert_eq!(child.finish().code, Some(0));
    }

    /// What follows the mark in the next line that has it.
    #[track_caller]
    fn next_line(child: &Running, mark: &str) -> String {
        loop {
            let line = child.line();
            if let Some((_, text)) = line.split_once(mark) {
                return text.to_owned();
            }
        }
    }
}
