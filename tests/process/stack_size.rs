//! The smallest stack that a client accepts is enough for what goes deepest, in a build without optimization.
//!
//! An overflow ends the process. `HTTP_SSE_STACK` in place of the smallest, to measure how much is needed.

use std::env;

use http_sse::testing::{Peer, Server};
use http_sse::{Client, ClientBuilder, Request, RetryPolicy};

use crate::alone;
use support::deadline;
use support::logs::Logs;
use support::transcript::{quick, rest};

/// Returns the smallest that is accepted.
fn smallest() -> usize {
    if let Ok(bytes) = env::var("HTTP_SSE_STACK") {
        return bytes.parse().unwrap();
    }
    let (mut refused, mut accepted) = (0, 16 << 20);
    while accepted - refused > 1 {
        let middle = refused + (accepted - refused) / 2;
        match Client::builder().stack_size(middle).build() {
            Ok(_) => accepted = middle,
            Err(_) => refused = middle,
        }
    }
    accepted
}

fn client(builder: ClientBuilder) -> Client {
    builder.stack_size(smallest()).build().unwrap()
}

/// Everything that a connection calls, and what formats texts.
fn request(url: &str) -> Request {
    Request::get(url)
        .retry(quick())
        .bearer_auth("secret")
        .query("a", "1")
        .before_connect(|attempt| attempt.header("x-attempt", attempt.number().to_string()))
        .on_open(|opened| assert_eq!(format!("{}", opened.status()), "200"))
        .on_event(|event| assert!(format!("{event:?}").contains("Event")))
        .on_error(|error| assert!(!format!("{error} {error:?}").is_empty()))
        .on_close(|end| assert!(!format!("{end:?}").is_empty()))
}

/// An error with a body, a redirect, a stream that is cut, and a stream after which it is over.
fn script(_: usize, mut peer: Peer) {
    let asked = peer.request();
    let header = |name| asked.header(name).unwrap_or_default().to_owned();
    match (&header("x-attempt")[..], &header("last-event-id")[..], asked.path().starts_with("/elsewhere")) {
        ("1", ..) => peer.respond(503, &[("Retry-After", "0")], "busy"),
        (_, "", false) => peer.respond(307, &[("Location", "/elsewhere?x=[1]")], ""),
        (_, "", true) => {
            peer.stream();
            peer.send(format!(": hello\n\nid: 1\ndata: {}\n\ndata: cut", "x".repeat(100_000)));
            peer.close_abruptly();
        }
        (_, "1", _) => peer.respond(200, &[("Content-Type", "text/event-stream")], "id: 2\r\ndata: b\r\n\r\n"),
        _ => peer.respond(204, &[], ""),
    }
}

#[track_caller]
fn assert_suffices(client: &Client, url: &str) {
    let _logs = Logs::of("deep");
    let events = client.connect("deep", request(url)).unwrap();
    let items = rest(&events);
    assert_eq!(items.into_iter().map(|item| item.unwrap().data().len()).collect::<Vec<_>>(), [100_000, 1]);
    assert!(events.handle().join_timeout(deadline()));
    // Opened on a helper, because the caller has a deadline.
    let mut reader = client.read("deep", request(url)).unwrap();
    assert_eq!(reader.next_timeout(deadline()).unwrap().unwrap().data().len(), 100_000);
}

#[test]
fn plain_text() {
    let _alone = alone();
    let server = Server::serve_concurrently(script).unwrap();
    assert_suffices(&client(Client::builder().no_proxy()), &server.url("/"));
    assert_suffices(&client(Client::builder().no_proxy()), &server.url("/").replace("127.0.0.1", "localhost"));
}

#[test]
fn an_address_that_refuses() {
    let _alone = alone();
    let server = Server::start().unwrap();
    server.refuse().unwrap();
    let request = request(&server.url("/")).retry(RetryPolicy::never());
    let events = client(Client::builder().no_proxy()).connect("refused", request).unwrap();
    assert!(rest(&events).pop().unwrap().is_err());
}

#[test]
fn tls() {
    let _alone = alone();
    use support::tls::{Authority, TlsServer, Validity};
    let authority = Authority::new();
    let identity = authority.client_identity();
    let (chain, key) = (&identity.certificate_pem, &identity.key_pem);
    let server = TlsServer::serve(authority.mutual_server_config(), script);
    let builder = Client::builder().no_proxy().only_root_certificates_pem(authority.pem());
    assert_suffices(&client(builder.client_certificate_pem(chain, key)), &server.url("/"));
    // Among all the public roots.
    let server = TlsServer::serve(authority.server_config(Validity::VALID), script);
    let builder = Client::builder().no_proxy().root_certificates_pem(authority.pem());
    assert_suffices(&client(builder), &server.localhost_url("/"));
    let untrusted = client(Client::builder().no_proxy());
    let request = request(&server.url("/")).retry(RetryPolicy::never());
    assert!(rest(&untrusted.connect("untrusted", request).unwrap()).pop().unwrap().is_err());
}

#[test]
fn tls_with_a_pin_that_is_wrong() {
    let _alone = alone();
    use support::tls::{Authority, TlsServer, Validity};
    let server = TlsServer::serve(Authority::new().server_config(Validity::VALID), script);
    let pinning = client(Client::builder().no_proxy().pin_sha256("0".repeat(64)));
    let error = rest(&pinning.connect("pinned", request(&server.url("/"))).unwrap()).pop().unwrap().unwrap_err();
    assert!(matches!(error, http_sse::Error::PinMismatch(_)), "{error:?}");
}

#[test]
fn tls_with_roots_that_are_read_and_read_again() {
    let _alone = alone();
    use support::tls::{Authority, TlsServer, Validity};
    let path = env::temp_dir().join(format!("http-sse-stack-{}.pem", std::process::id()));
    let server = TlsServer::serve(Authority::named("old").server_config(Validity::VALID), script);
    std::fs::write(&path, Authority::named("other").pem()).unwrap();
    let builder = Client::builder().no_proxy().root_certificates_file(&path);
    #[cfg(feature = "native-roots")]
    let builder = match std::fs::exists("/etc/ssl/certs/ca-certificates.crt") {
        Ok(true) => builder.native_roots(),
        _ => builder,
    };
    let client = client(builder);
    let once = |url: &str| request(url).retry(RetryPolicy::never());
    assert!(rest(&client.connect("first", once(&server.url("/"))).unwrap()).pop().unwrap().is_err());

    let authority = Authority::named("new");
    let server = TlsServer::serve(authority.server_config(Validity::VALID), script);
    // Cannot be read, and then can: both are a second look, which must be a second apart.
    std::fs::write(&path, "nothing").unwrap();
    let events = client.connect("second", request(&server.url("/")).retry(RetryPolicy::forever())).unwrap();
    support::waiting_for(&events.handle());
    std::fs::write(&path, authority.pem()).unwrap();
    let _ = events.recv_timeout(deadline()).unwrap().unwrap();
    events.handle().stop();
    std::fs::remove_file(&path).unwrap();
}
