//! A client that shows a certificate of its own, and what a server that wants one makes of a client without.

use std::sync::Arc;

use http_sse::testing::Peer;
use http_sse::{Client, ClientBuilder, End, Error, Request, RetryPolicy, rustls};

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use support::exchange::{Seen, drain, retries};
use support::tls::{Authority, Identity, TlsServer, Validity};

fn hello(_: usize, mut peer: Peer) {
    peer.stream();
    peer.send("data: hello\n\n");
    peer.end();
}

fn trusting(authority: &Authority) -> ClientBuilder {
    Client::builder().no_proxy().only_root_certificates_pem(authority.pem())
}

#[track_caller]
fn run(client: &Client, request: Request) -> Seen {
    drain(&client.connect("mutual", request).unwrap())
}

fn get(server: &TlsServer) -> Request {
    Request::get(server.url("/")).retry(RetryPolicy::never())
}

#[test]
fn a_client_certificate_is_accepted() {
    let authority = Authority::new();
    let Identity { certificate_pem, key_pem } = authority.client_identity();
    let server = TlsServer::serve(authority.mutual_server_config(), hello);
    let client = trusting(&authority).client_certificate_pem(certificate_pem, key_pem).build().unwrap();
    for _ in 0..2 {
        let seen = run(&client, get(&server));
        assert_eq!(seen.data, ["hello"]);
        assert!(matches!(seen.end, End::Complete));
    }
}

#[test]
fn a_chain_may_hold_the_authority_too() {
    let authority = Authority::new();
    let Identity { certificate_pem, key_pem } = authority.client_identity();
    let server = TlsServer::serve(authority.mutual_server_config(), hello);
    let chain = format!("{certificate_pem}\n{}", authority.pem());
    let client = trusting(&authority).client_certificate_pem(chain, key_pem).build().unwrap();
    assert_eq!(run(&client, get(&server)).data, ["hello"]);
}

#[test]
fn a_server_that_requests_no_certificate_is_accepted() {
    let authority = Authority::new();
    let Identity { certificate_pem, key_pem } = authority.client_identity();
    let server = TlsServer::serve(authority.server_config(Validity::VALID), hello);
    let client = trusting(&authority).client_certificate_pem(certificate_pem, key_pem).build().unwrap();
    assert_eq!(run(&client, get(&server)).data, ["hello"]);
}

#[test]
fn it_is_shown_also_where_every_server_is_accepted() {
    let authority = Authority::new();
    let Identity { certificate_pem, key_pem } = authority.client_identity();
    let server = TlsServer::serve(authority.mutual_server_config(), hello);
    let builder = Client::builder().no_proxy().danger_accept_invalid_certs();
    let client = builder.client_certificate_pem(certificate_pem, key_pem).build().unwrap();
    assert_eq!(run(&client, get(&server)).data, ["hello"]);
}

/// The failure is one of TLS, and is retried.
#[track_caller]
fn assert_refused(client: &Client, request: Request) {
    let seen = run(client, request.retry(retries(1)));
    assert!(matches!(seen.failure(), Error::Tls(_)), "{:?}", seen.failure());
    assert!(seen.failure().is_transient());
    assert_eq!((seen.attempts, seen.data.len(), seen.last_status), (2, 0, None));
}

#[test]
fn without_one_the_failure_is_of_tls_also_where_it_comes_with_the_first_read() {
    let authority = Authority::new();
    let server = TlsServer::serve(authority.mutual_server_config(), hello);
    let client = trusting(&authority).build().unwrap();
    // TLS 1.3: the client's handshake is through before the server has looked.
    for _ in 0..20 {
        assert_refused(&client, get(&server));
    }
}

#[test]
fn without_one_the_failure_is_of_tls_also_where_a_body_is_being_sent() {
    let authority = Authority::new();
    let server = TlsServer::serve(authority.mutual_server_config(), hello);
    let client = trusting(&authority).build().unwrap();
    for _ in 0..10 {
        assert_refused(&client, Request::post(server.url("/")).text("x".repeat(1 << 20)));
    }
}

#[test]
fn without_one_the_failure_is_of_tls_also_during_the_handshake() {
    let authority = Authority::new();
    let server = TlsServer::serve(authority.mutual_server_config(), hello);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = Client::builder().no_proxy().tls_config(Arc::new(config)).build().unwrap();
    assert_refused(&client, get(&server));
}

#[test]
fn one_of_another_authority_is_a_failure_of_tls() {
    let authority = Authority::new();
    let Identity { certificate_pem, key_pem } = Authority::new().client_identity();
    let server = TlsServer::serve(authority.mutual_server_config(), hello);
    let client = trusting(&authority).client_certificate_pem(certificate_pem, key_pem).build().unwrap();
    assert_refused(&client, get(&server));
}

/// The text with which `build` refuses these two; it names the option and shows nothing of either.
#[track_caller]
fn refusal(chain: &str, key: &str) -> String {
    let refused = Client::builder().no_proxy().client_certificate_pem(chain, key).build().unwrap_err();
    assert!(matches!(refused, Error::InvalidRequest(_)), "{refused}");
    let text = format!("{refused} {refused:?}");
    assert!(text.contains("client_certificate_pem"), "{text}");
    for part in [chain, key].into_iter().flat_map(secrets) {
        assert!(!text.contains(&part), "{part} is in {text}");
    }
    text
}

/// Parts of a PEM text that no message may hold, as text and as a list of bytes.
fn secrets(pem: &str) -> impl Iterator<Item = String> {
    let body = pem.lines().flat_map(|line| line.split(' ')).filter(|word| word.len() >= 6 && !word.contains('-'));
    body.flat_map(|word| {
        let word = &word[..6];
        let bytes = format!("{:?}", word.as_bytes());
        [word.to_owned(), bytes.trim_matches(['[', ']']).to_owned()]
    })
}

#[test]
fn a_key_that_does_not_belong_to_the_certificate_is_refused_and_named() {
    let authority = Authority::new();
    let (one, other) = (authority.client_identity(), authority.client_identity());
    let text = refusal(&one.certificate_pem, &other.key_pem);
    assert!(text.contains("key"), "{text}");
}

#[test]
fn a_chain_in_the_wrong_order_is_refused_and_named() {
    let authority = Authority::new();
    let Identity { certificate_pem, key_pem } = authority.client_identity();
    refusal(&format!("{}\n{certificate_pem}", authority.pem()), &key_pem);
}

#[test]
fn an_invalid_key_is_refused_and_named_without_showing_it() {
    let authority = Authority::new();
    let Identity { certificate_pem, key_pem } = authority.client_identity();
    let body = key_pem.lines().nth(1).unwrap();
    for key in [
        String::new(),
        "garbage".into(),
        body.into(),
        certificate_pem.clone(),
        format!("-----BEGIN PRIVATE KEY-----\n{body}\n"),
        format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"),
        format!("-----BEGIN PRIVATE KEY-----\n!{body}\n-----END PRIVATE KEY-----\n"),
        format!("-----BEGIN ENCRYPTED PRIVATE KEY-----\n{body}\n-----END ENCRYPTED PRIVATE KEY-----\n"),
        // What an environment variable makes of one.
        key_pem.replace('\n', " ").trim().to_owned(),
        key_pem.replace('\n', ""),
        key_pem.replace("-----\n", "----- ").trim().to_owned(),
        key_pem.replacen("-----\n", "", 1),
    ] {
        let text = refusal(&certificate_pem, &key);
        assert!(text.contains("key"), "{text}");
    }
}

#[test]
fn a_chain_without_a_certificate_is_refused_and_named() {
    let Identity { certificate_pem, key_pem } = Authority::new().client_identity();
    let body = certificate_pem.lines().nth(1).unwrap();
    for chain in [
        String::new(),
        "garbage".into(),
        key_pem.clone(),
        key_pem.replace('\n', " ").trim().to_owned(),
        format!("-----BEGIN CERTIFICATE-----\n{body}\n"),
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"),
    ] {
        let text = refusal(&chain, &key_pem);
        assert!(text.contains("certificate"), "{text}");
    }
}

#[test]
fn the_two_the_wrong_way_round_are_refused_without_showing_the_key() {
    let Identity { certificate_pem, key_pem } = Authority::new().client_identity();
    refusal(&key_pem, &certificate_pem);
}

#[test]
fn the_debug_text_of_the_builder_and_the_client_shows_neither() {
    let Identity { certificate_pem, key_pem } = Authority::new().client_identity();
    let builder = Client::builder().no_proxy().client_certificate_pem(&certificate_pem, &key_pem);
    let mut text = format!("{builder:?}");
    text.push_str(&format!("{:?}", builder.build().unwrap()));
    for part in [&certificate_pem, &key_pem].into_iter().flat_map(|pem| secrets(pem)) {
        assert!(!text.contains(&part), "{text}");
    }
}
