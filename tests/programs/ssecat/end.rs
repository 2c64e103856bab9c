//! How it ends: exit codes, signals, limits.

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

use http_sse::testing::{Framing, Server};

use crate::ssecat::{answered, ssecat};
use support::program::{Folder, Running, run};
use support::tls::{Authority, TlsServer, Validity, handshake};

/// Runs it against a server that answers so, without a retry; returns the exit code and the only line of stderr.
#[track_caller]
fn failed(command: &mut Command) -> (Option<i32>, String) {
    let left = run(command);
    assert_eq!((left.stdout.as_str(), left.stderr.lines().count()), ("", 1), "{left:?}");
    (left.code, left.stderr.trim_end().to_owned())
}

#[test]
fn a_complete_response_without_retry_is_0() {
    let left = answered(&[], "data: 1\n\n");
    assert_eq!((left.stderr.as_str(), left.code), ("", Some(0)));
}

#[test]
fn a_network_failure_is_3() {
    let server = Server::start().unwrap();
    server.refuse().unwrap();
    let (code, line) = failed(ssecat(&["--retry", "never"]).arg(server.url("/")));
    assert_eq!(code, Some(3));
    assert!(line.starts_with("ssecat: warning: network error: ") && line.ends_with("; giving up"), "{line}");
}

#[test]
fn silence_is_3() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.wait_for_close();
    })
    .unwrap();
    let (code, line) = failed(ssecat(&["--retry", "never", "--idle", "2"]).arg(server.url("/")));
    assert_eq!(
        (code, &line[..]),
        (Some(3), "ssecat: warning: nothing was received within the idle timeout; giving up")
    );
}

#[test]
fn a_status_is_4() {
    let server = Server::serve(|_, mut peer| peer.respond(404, &[], "no such\x1b[2J\u{9b} stream\nmore")).unwrap();
    let left = run(ssecat(&[]).arg(server.url("/")));
    let lines =
        "ssecat: warning: the server answered 404; giving up\nssecat: the server answered 404: no such [2J stream\n";
    assert_eq!((left.code, &left.stderr[..]), (Some(4), lines));
}

#[test]
fn a_status_without_a_body_is_one_line() {
    let server = Server::serve(|_, mut peer| peer.respond(404, &[], "")).unwrap();
    let (code, line) = failed(ssecat(&[]).arg(server.url("/")));
    assert_eq!((code, &line[..]), (Some(4), "ssecat: warning: the server answered 404; giving up"));
}

#[test]
fn an_answer_that_is_no_event_stream_is_4() {
    let server = Server::serve(|_, mut peer| {
        peer.begin(200, &[("Content-Type", "text/html")], Framing::Chunked);
        peer.wait_for_close();
    })
    .unwrap();
    let (code, line) = failed(ssecat(&[]).arg(server.url("/")));
    assert_eq!(code, Some(4));
    assert!(line.starts_with("ssecat: warning: the response is not text/event-stream"), "{line}");
}

#[test]
fn an_untrusted_certificate_is_5() {
    let server = TlsServer::serve(Authority::new().server_config(Validity::VALID), |_, _| {});
    let (code, line) = failed(ssecat(&["--retry", "never"]).arg(server.url("/")));
    assert_eq!(code, Some(5));
    assert!(line.starts_with("ssecat: warning: TLS error: "), "{line}");
}

#[test]
fn a_certificate_that_is_not_valid_yet_is_5() {
    let folder = Folder::new("ssecat-clock");
    let authority = Authority::new();
    fs::write(folder.file("ca.pem"), authority.pem()).unwrap();
    let server = TlsServer::serve(authority.server_config(Validity::NOT_YET), |_, _| {});
    let mut command = ssecat(&["--retry", "never"]);
    let (code, line) = failed(command.arg("--cacert").arg(folder.file("ca.pem")).arg(server.url("/")));
    assert_eq!(code, Some(5));
    assert!(line.starts_with("ssecat: warning: TLS error: "), "{line}");
}

#[test]
fn a_certificate_of_the_authority_that_is_named_is_trusted() {
    let folder = Folder::new("ssecat-cacert");
    let authority = Authority::new();
    fs::write(folder.file("ca.pem"), authority.pem()).unwrap();
    let server =
        TlsServer::serve(authority.server_config(Validity::VALID), |_, peer| crate::ssecat::send(peer, "data: 1\n\n"));
    let mut command = ssecat(&["--retry", "never"]);
    let left = run(command.arg("--cacert").arg(folder.file("ca.pem")).arg(server.localhost_url("/")));
    assert_eq!((left.stdout.as_str(), left.stderr.as_str(), left.code), ("data: 1\n\n", "", Some(0)));
}

#[test]
fn an_authority_is_replaced_without_a_restart() {
    let folder = Folder::new("ssecat-rotation");
    let [old, new] = ["old", "new"].map(Authority::named);
    fs::write(folder.file("ca.pem"), old.pem()).unwrap();
    let server = Server::start().unwrap();
    let mut command = ssecat(&["--retry", "forever", "--count", "2", "--format", "data", "--cacert"]);
    let running = Running::start(command.arg(folder.file("ca.pem")).arg(server.url("/").replace("http:", "https:")));
    let mut peer = server.accept();
    handshake(&mut peer, &old.server_config(Validity::VALID)).unwrap();
    peer.stream();
    peer.send("retry: 1\ndata: 1\n\n");
    assert_eq!(running.line(), "1\n");
    fs::write(folder.file("new"), new.pem()).unwrap();
    fs::rename(folder.file("new"), folder.file("ca.pem")).unwrap();
    peer.end();
    let config = new.server_config(Validity::VALID);
    assert!(handshake(&mut server.accept(), &config).is_err());
    let mut peer = server.accept();
    handshake(&mut peer, &config).unwrap();
    crate::ssecat::send(peer, "data: 2\n\n");
    assert_eq!(running.line(), "2\n");
    let left = running.finish();
    assert_eq!((left.stderr.as_str(), left.code), ("", Some(0)));
}

#[cfg(unix)]
#[test]
fn an_authority_may_come_out_of_a_pipe() {
    let folder = Folder::new("ssecat-pipe");
    let authority = Authority::new();
    fs::write(folder.file("ca.pem"), authority.pem()).unwrap();
    let server =
        TlsServer::serve(authority.server_config(Validity::VALID), |_, peer| crate::ssecat::send(peer, "data: 1\n\n"));
    let mut command = ssecat(&["--retry", "never", "--cacert", "/dev/stdin"]);
    let mut cat = Command::new("cat").arg(folder.file("ca.pem")).stdout(Stdio::piped()).spawn().unwrap();
    let left = run(command.stdin(cat.stdout.take().unwrap()).arg(server.url("/")));
    cat.wait().unwrap();
    assert_eq!((left.stdout.as_str(), left.stderr.as_str(), left.code), ("data: 1\n\n", "", Some(0)));
}

#[test]
fn another_key_than_the_pinned_one_is_5_and_what_it_shows_is_the_right_pin() {
    let authority = Authority::new();
    let server = TlsServer::serve(authority.server_config(Validity::EXPIRED), |_, peer| {
        crate::ssecat::send(peer, "data: 1\n\n")
    });
    let wrong = "0".repeat(64);
    let (code, line) = failed(ssecat(&["--retry", "forever", "--pinnedpubkey", &wrong]).arg(server.url("/")));
    assert!(code == Some(5) && line.starts_with("ssecat: warning: the server does not match the pin: "), "{line}");
    let key = line.split([' ', ',']).find(|word| word.starts_with("sha256//")).unwrap();
    for pins in [key, &format!("{wrong};{key}")] {
        let left = run(ssecat(&["--retry", "never", "--pinnedpubkey", pins]).arg(server.url("/")));
        assert_eq!((left.stdout.as_str(), left.stderr.as_str(), left.code), ("data: 1\n\n", "", Some(0)));
    }
}

#[cfg(feature = "native-roots")]
#[test]
fn the_systems_roots_are_those_of_ssl_cert_file() {
    let folder = Folder::new("ssecat-native");
    let authority = Authority::new();
    fs::write(folder.file("ca.pem"), authority.pem()).unwrap();
    let server =
        TlsServer::serve(authority.server_config(Validity::VALID), |_, peer| crate::ssecat::send(peer, "data: 1\n\n"));
    let mut command = ssecat(&["--retry", "never", "--ca-native"]);
    let left = run(command.env("SSL_CERT_FILE", folder.file("ca.pem")).arg(server.url("/")));
    assert_eq!((left.stdout.as_str(), left.stderr.as_str(), left.code), ("data: 1\n\n", "", Some(0)));
}

#[test]
fn a_retry_that_succeeds_is_0() {
    let server = Server::serve(|number, mut peer| match number {
        0 => peer.respond(503, &[], ""),
        _ => crate::ssecat::send(peer, "data: 1\n\n"),
    })
    .unwrap();
    let left = run(ssecat(&["--retry", "1", "--count", "1"]).arg(server.url("/")));
    assert_eq!((left.stdout.as_str(), left.code), ("data: 1\n\n", Some(0)));
    assert!(left.stderr.starts_with("ssecat: warning: the server answered 503; retrying in "), "{left:?}");
}

#[test]
fn as_many_retries_as_asked_for_are_made() {
    let server = Server::serve(|_, mut peer| peer.respond(429, &[], "")).unwrap();
    let left = run(ssecat(&["--retry", "1"]).arg(server.url("/")));
    assert_eq!((left.code, server.connections()), (Some(4), 2), "{left:?}");
}

#[test]
fn without_retries_the_end_of_a_stream_with_events_is_the_end() {
    for retry in ["0", "never"] {
        let server = Server::serve(|_, peer| crate::ssecat::send(peer, "retry: 500\ndata: 1\n\n")).unwrap();
        let left = run(ssecat(&["--retry", retry]).arg(server.url("/")));
        assert_eq!((left.stdout.as_str(), left.code, server.connections()), ("data: 1\n\n", Some(0), 1), "{left:?}");
    }
}

#[test]
fn fewer_events_than_count_are_7() {
    let server = Server::serve(|_, peer| crate::ssecat::send(peer, "data: 1\n\n")).unwrap();
    let left = run(ssecat(&["--retry", "never", "--count", "2"]).arg(server.url("/")));
    let line = "ssecat: received 1 of 2 events\n";
    assert_eq!((left.stdout.as_str(), left.stderr.as_str(), left.code), ("data: 1\n\n", line, Some(7)));
}

#[test]
fn a_timeout_before_the_events_of_count_is_7() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.wait_for_close();
    })
    .unwrap();
    let left = run(ssecat(&["--timeout", "0.3", "--count", "1"]).arg(server.url("/")));
    assert_eq!((left.stdout.as_str(), left.stderr.as_str()), ("", "ssecat: received 0 of 1 events\n"));
    assert_eq!(left.code, Some(7));
}

#[test]
fn a_signal_ends_an_open_stream_with_0() {
    for signal in ["INT", "TERM"] {
        let server = Server::start().unwrap();
        let running = Running::start(ssecat(&["--count", "9"]).arg(server.url("/")));
        let mut peer = server.accept();
        peer.stream();
        peer.send("data: 1\n\ndata: hal");
        assert_eq!([running.line(), running.line()], ["data: 1\n", "\n"]);
        running.signal(signal);
        peer.wait_for_close();
        let left = running.finish();
        assert_eq!((left.stdout.as_str(), left.stderr.as_str(), left.code), ("", "", Some(0)), "{signal}");
    }
}

#[test]
fn a_signal_ends_a_wait_with_0() {
    let server = Server::start().unwrap();
    let folder = Folder::new("ssecat-wait");
    let mut command = ssecat(&["--retry", "forever"]);
    let errors = fs::File::create(folder.file("stderr")).unwrap();
    let mut child = command.arg(server.url("/")).stderr(errors).spawn().unwrap();
    server.accept().respond(503, &[("Retry-After", "3600")], "");
    support::wait_until(|| fs::read_to_string(folder.file("stderr")).unwrap().contains("retrying in "));
    let kill = format!("kill -TERM {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    support::wait_until(|| child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_while_the_output_takes_nothing() {
    let server = Server::start().unwrap();
    let mut running = Running::start_unread(ssecat(&[]).arg(server.url("/")));
    let mut peer = server.accept();
    peer.stream();
    // More than a pipe holds.
    peer.send(format!("data: {}\n\n", "x".repeat(500_000)));
    let mut output = running.take_output();
    output.read_exact(&mut [0]).unwrap();
    running.signal("TERM");
    // The first one has been heard.
    peer.wait_for_close();
    running.signal("TERM");
    let left = running.finish();
    assert_eq!((left.stderr.as_str(), left.code), ("", Some(1)));
}

#[test]
fn the_timeout_ends_it_with_0_whatever_has_come() {
    let server = Server::serve_concurrently(|_, mut peer| {
        if peer.request().path() == "/open" {
            peer.stream();
            peer.send("data: 1\n\n");
        }
        peer.wait_for_close();
    })
    .unwrap();
    for (path, output) in [("/open", "data: 1\n\n"), ("/silent", "")] {
        let left = run(ssecat(&["--timeout", "0.5"]).arg(server.url(path)));
        assert_eq!((left.stdout.as_str(), left.stderr.as_str(), left.code), (output, "", Some(0)));
    }
}
