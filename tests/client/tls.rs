//! Whom the client trusts over TLS, what it says when it does not, and that it never falls back to plain text.

mod files;
#[cfg(feature = "native-roots")]
mod native;
#[cfg(unix)]
mod openssl;
mod pins;
mod trust;
mod wire;

use std::io;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use http_sse::rustls::crypto::ring;
use http_sse::rustls::pki_types::CertificateDer;
use http_sse::rustls::pki_types::pem::PemObject;
use http_sse::rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion, version};
use http_sse::testing::{Framing, Peer, Server};
use http_sse::{Client, ClientBuilder, End, Error, Events, Request, RetryPolicy, Timeout};

use support::deadline;
use support::tls::{Authority, Clock, TlsServer, Validity};

fn builder() -> ClientBuilder {
    Client::builder().no_proxy()
}

fn trusting(authority: &Authority) -> Client {
    builder().only_root_certificates_pem(authority.pem()).build().unwrap()
}

/// A client on a machine with this clock.
fn at(authority: &Authority, clock: Clock) -> Client {
    builder().tls_config(authority.client_config(clock)).build().unwrap()
}

fn once(url: String) -> Request {
    Request::get(url).retry(RetryPolicy::never())
}

/// A server that greets over TLS, and ends.
fn greeter(config: Arc<ServerConfig>) -> TlsServer {
    TlsServer::serve(config, |_, mut peer| {
        peer.stream();
        peer.send("data: hello\n\n");
        peer.end();
    })
}

/// What comes of one attempt: the data of the one event, or the failure.
#[track_caller]
fn outcome(client: &Client, url: String) -> Result<String, Error> {
    let rx = client.connect("it", once(url)).unwrap();
    let event = rx.recv_timeout(deadline()).unwrap();
    assert!(rx.recv_timeout(deadline()).is_err_and(|error| error.is_disconnected()));
    rx.handle().join();
    event.map(|event| event.into_data())
}

#[track_caller]
fn assert_greeted(client: &Client, url: String) {
    assert_eq!(outcome(client, url).unwrap(), "hello");
}

#[track_caller]
fn failure(client: &Client, url: String) -> Error {
    outcome(client, url).unwrap_err()
}
