//! What was received is delivered before anything that went wrong behind it, and a silence is told from a process that
//! did not look.

use std::thread;
use std::time::{Duration, Instant};

use http_sse::crossbeam_channel::bounded;
use http_sse::testing::{Peer, Server};
use http_sse::{End, Error, Request, RetryPolicy, Timeout};

use support::exchange::{DEADLINE, Seen, answered, client, drain, retries, run};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";

/// Runs one attempt, without retry, against these bytes in one segment, and a FIN.
#[track_caller]
fn answered_at_once(bytes: String) -> Seen {
    answered(move |_, mut peer| {
        peer.request();
        peer.raw(&bytes);
        peer.end();
    })
}

#[test]
fn events_before_a_malformed_chunk_in_the_same_segment_are_delivered() {
    let chunks: String = (0..5).map(|number| format!("9\r\ndata: {number}\n\n\r\n")).collect();
    let seen = answered_at_once(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n{chunks}nonsense\r\n"));
    assert_eq!(seen.data, ["0", "1", "2", "3", "4"]);
    assert!(matches!(seen.failure(), Error::Protocol(_)), "{seen:?}");
}

#[test]
fn a_malformed_chunk_does_not_bring_the_same_events_again() {
    let server = Server::serve(|number, mut peer| {
        let asked = peer.request().header("last-event-id").map(str::to_owned);
        assert_eq!(asked.as_deref(), (number > 0).then_some("7"));
        peer.raw(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n"));
        peer.raw(if number == 0 { "f\r\nid: 7\ndata: a\n\n\r\nx\r\n" } else { "0\r\n\r\n" });
        peer.end();
    });
    let seen = run(Request::get(server.unwrap().url("/")).retry(retries(1)));
    assert_eq!(seen.data, ["a"], "{seen:?}");
}

#[test]
fn an_extension_of_any_length_and_trailers_change_nothing() {
    let extension = "x".repeat(2000);
    let body =
        format!("9;{extension}=\"a;b\"\r\ndata: 1\n\n\r\n9 \r\ndata: 2\n\n\r\n0;x\r\nTrailer: {extension}\r\n\r\n");
    let seen = answered_at_once(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n{body}"));
    assert_eq!(seen.data, ["1", "2"]);
    assert!(matches!(seen.end, End::Complete), "{seen:?}");
}

#[test]
fn chunked_is_decoded_under_http_1_0_too_and_however_often_it_is_named() {
    for headers in [
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity, chunked",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked",
    ] {
        let body = "8\r\ndata: ti\r\n5\r\nck\n\n\n\r\n0\r\n\r\n";
        let seen = answered_at_once(format!("{headers}\r\nContent-Type: text/event-stream\r\n\r\n{body}"));
        assert_eq!(seen.data, ["tick"], "{headers}");
        assert!(matches!(seen.end, End::Complete), "{headers}: {seen:?}");
    }
}

#[test]
fn a_transfer_coding_that_was_not_asked_for_is_an_error_and_never_text() {
    for coding in ["gzip, chunked", "chunked, gzip", "deflate", "x"] {
        let seen = answered_at_once(format!("{HEAD}Transfer-Encoding: {coding}\r\n\r\n9\r\ndata: x\n\n\r\n0\r\n\r\n"));
        assert!(matches!(seen.failure(), Error::Protocol(_)) && seen.data.is_empty(), "{coding}: {seen:?}");
    }
}

/// Answers with one event and half of another, without framing, and ends as told.
fn half_an_answer(mut peer: Peer, end: fn(Peer)) {
    peer.stream_until_close();
    peer.send("data: whole\n\ndata: ha");
    end(peer);
}

#[test]
fn a_body_without_framing_is_complete_after_fin_and_broken_after_a_reset() {
    let seen = answered(|_, peer| half_an_answer(peer, Peer::end));
    assert!(matches!(seen.end, End::Complete), "{seen:?}");
    let seen = answered(|_, peer| half_an_answer(peer, Peer::reset));
    assert!(matches!(seen.failure(), Error::Disconnected), "{seen:?}");
}

#[test]
fn resets_without_framing_count_as_failures() {
    let server = Server::serve(|_, peer| half_an_answer(peer, Peer::reset)).unwrap();
    let policy = RetryPolicy::constant(Duration::from_millis(100)).max_retries(3);
    let seen = run(Request::get(server.url("/")).retry(policy));
    assert!(matches!(seen.failure(), Error::Disconnected), "{seen:?}");
    assert_eq!(seen.attempts, 4);
}

mod tls {
    use std::io::Write;
    use std::net::{Shutdown, TcpListener};
    use std::sync::Arc;

    use rustls::ServerConnection;

    use super::*;
    use support::tls::{Authority, TlsServer, Validity};

    /// What the server does behind its events.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Then {
        CloseNotify,
        Fin,
        Reset,
        /// A record that cannot be decrypted, in the same segment as the events.
        Garbage,
    }

    /// Runs one attempt against ten events over TLS in one segment.
    fn ten_events_and(then: Then) -> Seen {
        let authority = Authority::new();
        let config = authority.server_config(Validity::VALID);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            // A reset drops what waits to be sent.
            socket.set_nodelay(true).unwrap();
            let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            while tls.is_handshaking() {
                tls.complete_io(&mut socket).unwrap();
            }
            let mut request = [0; 4096];
            let mut read = 0;
            while !request[..read].ends_with(b"\r\n\r\n") {
                read +=
                    std::io::Read::read(&mut rustls::Stream::new(&mut tls, &mut socket), &mut request[read..]).unwrap();
            }
            write!(tls.writer(), "{HEAD}\r\n").unwrap();
            for number in 0..10 {
                write!(tls.writer(), "data: {number}\n\n").unwrap();
            }
            if then == Then::CloseNotify {
                tls.send_close_notify();
            }
            let mut segment = Vec::new();
            while tls.wants_write() {
                tls.write_tls(&mut segment).unwrap();
            }
            if then == Then::Garbage {
                segment.extend_from_slice(&[23, 3, 3, 0, 32]);
                segment.extend_from_slice(&[7; 32]);
            }
            socket.write_all(&segment).unwrap();
            if then == Then::Reset {
                socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
            } else {
                socket.shutdown(Shutdown::Write).unwrap();
                // Until the client closes: what it still says must not become a reset.
                while std::io::Read::read(&mut socket, &mut request).is_ok_and(|amount| amount > 0) {}
            }
        });
        let client =
            http_sse::Client::builder().no_proxy().only_root_certificates_pem(authority.pem()).build().unwrap();
        let events = client.connect("tls", Request::get(url).retry(RetryPolicy::never())).unwrap();
        let seen = drain(&events);
        server.join().unwrap();
        seen
    }

    #[test]
    fn a_refusal_is_the_answer_though_the_server_takes_no_more_of_the_body() {
        let authority = Authority::new();
        let server = TlsServer::serve(authority.server_config(Validity::VALID), |_, mut peer| {
            peer.request_head();
            peer.raw(REFUSAL);
            peer.pause(DEADLINE);
        });
        let client =
            http_sse::Client::builder().no_proxy().only_root_certificates_pem(authority.pem()).build().unwrap();
        let request = Request::post(server.url("/")).body(large_body(), "text/plain").response_timeout(DEADLINE / 2);
        let seen = drain(&client.connect("early", request).unwrap());
        assert_eq!(seen.failure().status(), Some(413), "{seen:?}");
    }

    #[test]
    fn events_before_a_fatal_error_in_the_same_segment_are_delivered() {
        let seen = ten_events_and(Then::Garbage);
        assert_eq!(seen.data.len(), 10, "{seen:?}");
        assert!(matches!(seen.failure(), Error::Tls(_)), "{seen:?}");
    }

    #[test]
    fn a_body_without_framing_is_complete_after_close_notify_alone() {
        let seen = ten_events_and(Then::CloseNotify);
        assert!(matches!(seen.end, End::Complete) && seen.data.len() == 10, "{seen:?}");
        for then in [Then::Fin, Then::Reset] {
            let seen = ten_events_and(then);
            assert!(matches!(seen.failure(), Error::Disconnected) && seen.data.len() == 10, "{then:?}: {seen:?}");
        }
    }
}

#[test]
fn time_between_two_calls_of_a_reader_is_not_silence() {
    let server = Server::start().unwrap();
    let idle = Duration::from_millis(300);
    let request = Request::get(server.url("/")).idle_timeout(idle).retry(RetryPolicy::never());
    let mut reader = client().read("busy", request).unwrap();
    let (other_work_is_done, done) = bounded(1);
    let feeder = thread::spawn(move || {
        let mut peer = server.accept();
        peer.stream();
        for number in 0..30 {
            peer.send(format!("data: {number}\n\n"));
            peer.pause(Duration::from_millis(50));
            if number == 25 {
                other_work_is_done.send(()).unwrap();
            }
        }
        peer.wait_for_close();
    });
    let mut seen = Vec::new();
    let started = Instant::now();
    let mut read_up_to = |count: usize| {
        while seen.len() < count {
            assert!(started.elapsed() < DEADLINE, "{seen:?}");
            seen.extend(reader.next_timeout(Duration::from_millis(20)).map(|event| event.unwrap().into_data()));
        }
    };
    read_up_to(5);
    let away = Instant::now();
    done.recv_timeout(DEADLINE).unwrap();
    assert!(away.elapsed() > idle * 2, "the test shows nothing");
    read_up_to(30);
    assert_eq!(seen, (0..30).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(reader.handle().stats().attempts, 1);
    drop(reader);
    feeder.join().unwrap();
}

#[test]
fn silence_while_a_reader_waits_adds_up_over_its_calls() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.wait_for_close();
    });
    let server = server.unwrap();
    let request = Request::get(server.url("/")).idle_timeout(Duration::from_millis(300)).retry(RetryPolicy::never());
    let mut reader = client().read("idle", request).unwrap();
    let started = Instant::now();
    let error = loop {
        assert!(started.elapsed() < DEADLINE);
        if let Ok(Err(error)) = reader.next_timeout(Duration::from_millis(20)) {
            break error;
        }
    };
    assert!(matches!(error, Error::Timeout(Timeout::Idle)), "{error:?}");
}

#[test]
fn bytes_that_drip_do_not_hold_a_reader_beyond_its_time() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        loop {
            peer.send("d");
            peer.pause(Duration::from_millis(1));
        }
    });
    let server = server.unwrap();
    let mut reader = client().read("drip", Request::get(server.url("/"))).unwrap();
    for _ in 0..5 {
        let started = Instant::now();
        assert!(reader.next_timeout(Duration::from_millis(50)).is_err());
        assert!(started.elapsed() < DEADLINE / 2);
    }
}

/// A process that is stopped and goes on later reads what has come meanwhile before it looks at the clock.
#[cfg(unix)]
#[test]
fn what_came_while_the_process_was_stopped_is_no_silence() {
    use support::program::{Running, example};

    let server = Server::start().unwrap();
    let mut command = example("ssecat");
    let running = Running::start(command.args(["--idle", "0.3", "--format", "data", "--retry", "0", &server.url("/")]));
    let mut peer = server.accept();
    peer.stream();
    peer.send("data: before\n\n");
    assert_eq!(running.line(), "before\n");
    running.signal("STOP");
    // Longer than the idle timeout: its passing is what is tested.
    for number in 0..20 {
        peer.send(format!("data: {number}\n\n"));
        peer.pause(Duration::from_millis(50));
    }
    running.signal("CONT");
    for number in 0..20 {
        assert_eq!(running.line(), format!("{number}\n"));
    }
    peer.send("data: after\n\n");
    assert_eq!(running.line(), "after\n");
    peer.end();
    assert_eq!(running.finish().code, Some(0));
}

/// Written with [`Peer::raw`]: other answers read the whole request first.
const REFUSAL: &str = "HTTP/1.1 413 \r\nContent-Length: 8\r\n\r\ntoo much";

/// A body that no socket buffer takes whole.
fn large_body() -> Vec<u8> {
    vec![b'x'; 32 << 20]
}

#[test]
fn a_refusal_before_the_body_is_sent_is_the_answer_though_the_server_reads_no_more() {
    let server = Server::serve(|_, mut peer| {
        peer.request_head();
        peer.raw(REFUSAL);
        peer.pause(DEADLINE);
    });
    let server = server.unwrap();
    let seen = run(Request::post(server.url("/")).body(large_body(), "text/plain").response_timeout(DEADLINE / 2));
    assert_eq!((seen.failure().status(), seen.failure().body()), (Some(413), Some("too much")), "{seen:?}");
}

#[test]
fn a_stream_that_begins_before_the_body_is_sent_gets_the_whole_body() {
    let server = Server::serve(|_, mut peer| {
        peer.request_head();
        peer.raw("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
        peer.raw(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\nd\r\ndata: early\n\n\r\n"));
        let length = peer.request().body().len();
        peer.raw(format!("10\r\ndata: {length}\n\n\r\n0\r\n\r\n"));
        peer.end();
    });
    let server = server.unwrap();
    let seen = run(Request::post(server.url("/")).body(large_body(), "text/plain"));
    assert_eq!(seen.data, ["early".to_owned(), (32 << 20).to_string()], "{seen:?}");
}
