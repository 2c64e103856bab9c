//! What goes over the wire: versions, closings, stops and timeouts.

use super::*;

fn versions(authority: &Authority, versions: &[&'static SupportedProtocolVersion]) -> ClientBuilder {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    builder().tls_config(Arc::new(config))
}

#[test]
fn both_versions_of_tls_work() {
    let authority = Authority::new();
    let server = greeter(authority.server_config(Validity::VALID));
    for version in [&version::TLS12, &version::TLS13] {
        assert_greeted(&versions(&authority, &[version]).build().unwrap(), server.url("/events"));
    }
}

#[test]
fn a_peer_that_does_not_speak_tls_is_a_tls_error() {
    let server = Server::serve(|_, mut peer| {
        peer.raw("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: plain\n\n");
        peer.is_closed_within(deadline());
    })
    .unwrap();
    let error = failure(&builder().build().unwrap(), server.url("/events").replace("http:", "https:"));
    assert!(matches!(error, Error::Tls(_)), "{error:?}");
    assert!(error.is_transient());
    assert_eq!(error.to_string(), "TLS error: the server does not speak TLS on this port, is it an http port?");
}

#[test]
fn a_close_during_the_handshake_is_not_the_end_of_the_stream() {
    let server = Server::serve(|number, peer| if number == 0 { peer.close_abruptly() } else { peer.reset() }).unwrap();
    for _ in 0..2 {
        let error = failure(&builder().build().unwrap(), server.url("/events").replace("http:", "https:"));
        assert!(matches!(error, Error::Disconnected | Error::Io(_) | Error::Tls(_)), "{error:?}");
        assert!(error.is_transient());
    }
}

#[test]
fn nothing_is_ever_sent_in_plain_text() {
    let server = Server::start().unwrap();
    let request = Request::get(server.url("/secret-path").replace("http:", "https:"))
        .bearer_auth("secret-token")
        .retry(RetryPolicy::constant(Duration::from_millis(1)).max_retries(2));
    let rx = builder().build().unwrap().connect("it", request).unwrap();
    for _ in 0..3 {
        let mut peer = server.accept();
        let mut first = [0; 1];
        let mut rest = Vec::new();
        peer.upgrade(|mut socket| {
            io::Read::read_exact(&mut socket, &mut first)?;
            // A fatal alert: the client must not try in another way.
            io::Write::write_all(&mut socket, &[21, 3, 3, 0, 2, 2, 40])?;
            io::Read::read_to_end(&mut socket, &mut rest)?;
            Ok(socket)
        })
        .unwrap();
        // A handshake record.
        assert_eq!(first, [22]);
        assert!(!rest.windows(6).any(|window| window == b"secret" || window == b"GET /s"));
    }
    assert!(matches!(rx.recv_timeout(deadline()).unwrap(), Err(Error::Tls(_))));
    assert_eq!(server.connections(), 3);
}

#[test]
fn https_to_a_plain_server_reads_nothing_from_it() {
    let server = Server::serve(|_, mut peer| {
        peer.raw("data: plain\n\n".repeat(100));
        peer.is_closed_within(deadline());
    })
    .unwrap();
    let error = failure(&builder().build().unwrap(), server.url("/events").replace("http:", "https:"));
    assert!(matches!(error, Error::Tls(_)), "{error:?}");
}

/// Begins a stream over TLS that this script ends, and returns what the client makes of it.
fn resumed_after(end: fn(Peer)) -> (TlsServer, Events, Arc<Mutex<Vec<Error>>>) {
    let authority = Authority::new();
    let server = TlsServer::start(authority.server_config(Validity::VALID));
    let errors = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&errors);
    let request = Request::get(server.url("/events"))
        .retry(RetryPolicy::constant(Duration::from_millis(1)).max_retries(None))
        .on_error(move |error| seen.lock().unwrap().push(error.clone()));
    let rx = trusting(&authority).connect("it", request).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send("id: 1\ndata: a\n\nid: 2\ndata: half");
    assert_eq!(rx.recv_timeout(deadline()).unwrap().unwrap().data(), "a");
    end(peer);
    let mut peer = server.accept();
    assert_eq!(peer.request().header("last-event-id"), Some("1"));
    peer.stream();
    peer.send("id: 2\ndata: b\n\n");
    assert_eq!(rx.recv_timeout(deadline()).unwrap().unwrap().data(), "b");
    rx.handle().stop();
    peer.wait_for_close();
    (server, rx, errors)
}

#[test]
fn a_cut_without_close_notify_is_a_disconnect_that_resumes() {
    let (_server, rx, errors) = resumed_after(|peer| peer.close_abruptly());
    let errors = errors.lock().unwrap();
    assert!(matches!(errors[..], [Error::Disconnected]), "{errors:?}");
    assert!(rx.recv_timeout(deadline()).is_err());
}

#[test]
fn a_cut_in_the_middle_of_a_chunk_is_a_disconnect_that_resumes() {
    let (_server, rx, errors) = resumed_after(|mut peer| {
        peer.raw("40\r\ndata: the chunk is longer");
        peer.close_abruptly();
    });
    let errors = errors.lock().unwrap();
    assert!(matches!(errors[..], [Error::Disconnected]), "{errors:?}");
    assert!(rx.recv_timeout(deadline()).is_err());
}

#[test]
fn a_reset_resumes() {
    let (_server, rx, errors) = resumed_after(|peer| peer.reset());
    assert_eq!(errors.lock().unwrap().len(), 1);
    assert!(rx.recv_timeout(deadline()).is_err());
}

#[test]
fn close_notify_before_the_body_is_complete_is_a_disconnect() {
    let authority = Authority::new();
    let server = TlsServer::serve(authority.server_config(Validity::VALID), |_, mut peer| {
        peer.begin(200, &[("Content-Type", "text/event-stream")], Framing::Length(1000));
        peer.send("data: 1\n\n");
        peer.end();
    });
    let rx = trusting(&authority).connect("it", once(server.url("/events"))).unwrap();
    assert!(rx.recv_timeout(deadline()).unwrap().is_ok());
    let error = rx.recv_timeout(deadline()).unwrap().unwrap_err();
    assert!(matches!(error, Error::Disconnected), "{error:?}");
}

#[test]
fn an_idle_stream_over_tls_times_out() {
    let authority = Authority::new();
    let server = TlsServer::serve(authority.server_config(Validity::VALID), |_, mut peer| {
        peer.stream();
        peer.send("data: 1\n\n");
        peer.is_closed_within(deadline());
    });
    let request = once(server.url("/events")).idle_timeout(Duration::from_millis(100));
    let rx = trusting(&authority).connect("it", request).unwrap();
    assert!(rx.recv_timeout(deadline()).unwrap().is_ok());
    let error = rx.recv_timeout(deadline()).unwrap().unwrap_err();
    assert!(matches!(error, Error::Timeout(Timeout::Idle)), "{error:?}");
}

#[test]
fn a_handshake_that_is_never_answered_ends_with_the_connect_timeout() {
    let server = Server::start().unwrap();
    let url = server.url("/events").replace("http:", "https:");
    let request = once(url).connect_timeout(Duration::from_millis(100));
    let rx = builder().build().unwrap().connect("it", request).unwrap();
    let error = rx.recv_timeout(deadline()).unwrap().unwrap_err();
    assert!(matches!(error, Error::Timeout(Timeout::Connect)), "{error:?}");
}

#[test]
fn large_events_pass_in_many_records() {
    let authority = Authority::new();
    let large = "x".repeat(700_000);
    let sent = large.clone();
    let server = TlsServer::serve(authority.server_config(Validity::VALID), move |_, mut peer| {
        peer.stream();
        peer.send(format!("data: {sent}\n\n"));
        peer.send("data: after\n\n");
        peer.end();
    });
    let rx = trusting(&authority).connect("it", once(server.url("/events"))).unwrap();
    assert!(rx.recv_timeout(deadline()).unwrap().unwrap().data() == large);
    assert_eq!(rx.recv_timeout(deadline()).unwrap().unwrap().data(), "after");
    assert!(rx.recv_timeout(deadline()).is_err());
    assert!(matches!(rx.handle().end(), Some(End::Complete)));
}

#[test]
fn connections_of_one_client_shake_hands_at_the_same_time() {
    let authority = Authority::new();
    let server = greeter(authority.server_config(Validity::VALID));
    let client = trusting(&authority);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..4)
            .map(|number| {
                let (client, url) = (&client, server.url("/events"));
                scope.spawn(move || {
                    let mut reader = client.read(number.to_string(), once(url)).unwrap();
                    reader.next().unwrap().unwrap().into_data()
                })
            })
            .collect();
        for reader in readers {
            assert_eq!(reader.join().unwrap(), "hello");
        }
    });
}
