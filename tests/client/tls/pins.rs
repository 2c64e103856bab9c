//! Servers that are known by the digest of their certificate or of its key, whatever else the certificate says.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;

use http_sse::PinMismatch;
use http_sse::rustls::pki_types::PrivateKeyDer;
use http_sse::rustls::server::{ClientHello, ResolvesServerCert};
use http_sse::rustls::sign::CertifiedKey;
use http_sse::rustls::{ServerConnection, StreamOwned};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, PublicKeyData};

use super::*;
use support::tls::Identity;

/// What a device signs itself: for no host that it is ever reached by.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Plain,
    Authority,
    Nameless,
    OtherName,
    Expired,
    NotYet,
}

/// A device that has signed its own certificate.
struct Device {
    key: KeyPair,
    certificate: CertificateDer<'static>,
}

impl Device {
    fn new(kind: Kind) -> Self {
        Self::with_key(kind, KeyPair::generate().unwrap())
    }

    fn with_key(kind: Kind, key: KeyPair) -> Self {
        let names = match kind {
            Kind::Nameless => Vec::new(),
            Kind::OtherName => vec!["ecb5fafffe012345".to_owned()],
            _ => vec!["localhost".to_owned()],
        };
        let mut params = CertificateParams::new(names).unwrap();
        match kind {
            Kind::Authority => params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
            Kind::Nameless => assert!(params.distinguished_name.remove(DnType::CommonName)),
            _ => {}
        }
        let ((year, month, day), end) = match kind {
            Kind::Expired => (Validity::EXPIRED.not_before, Validity::EXPIRED.not_after),
            Kind::NotYet => (Validity::NOT_YET.not_before, Validity::NOT_YET.not_after),
            _ => (Validity::VALID.not_before, Validity::VALID.not_after),
        };
        params.not_before = rcgen::date_time_ymd(year, month, day);
        params.not_after = rcgen::date_time_ymd(end.0, end.1, end.2);
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { key, certificate }
    }

    fn config(&self) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::Pkcs8(self.key.serialize_der().into());
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        Arc::new(builder.with_single_cert(vec![self.certificate.clone()], key).unwrap())
    }

    /// As openssl shows it.
    fn fingerprint(&self) -> String {
        let pairs: Vec<_> = sha256(&self.certificate).iter().map(|byte| format!("{byte:02X}")).collect();
        pairs.join(":")
    }

    fn key_in_hex(&self) -> String {
        sha256(&self.key.subject_public_key_info()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// As curl takes it.
    fn key_pin(&self) -> String {
        key_pin(&self.key.subject_public_key_info())
    }
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    let suite = ring::cipher_suite::TLS13_AES_128_GCM_SHA256.tls13().unwrap();
    suite.common.hash_provider.hash(bytes).as_ref().to_vec()
}

fn key_pin(spki: &[u8]) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("sha256//");
    let mut bytes = sha256(spki);
    // 32 bytes are ten groups of three, and two.
    bytes.push(0);
    for group in bytes.chunks(3) {
        let number = group.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
        text.extend([18, 12, 6, 0].map(|shift| char::from(letters[(number >> shift & 63) as usize])));
    }
    text.pop();
    text + "="
}

fn pinning(pins: &[&str]) -> Client {
    pins.iter().fold(builder(), |builder, pin| builder.pin_sha256(*pin)).build().unwrap()
}

#[track_caller]
fn mismatch(error: &Error) -> &PinMismatch {
    match error {
        Error::PinMismatch(mismatch) => mismatch,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_device_is_known_by_its_certificate_or_its_key_in_every_form() {
    let device = Device::new(Kind::Plain);
    let server = greeter(device.config());
    let fingerprint = device.fingerprint();
    for pin in [&fingerprint, &fingerprint.replace(':', "").to_lowercase(), &device.key_in_hex(), &device.key_pin()] {
        for url in [server.url("/"), server.localhost_url("/")] {
            assert_greeted(&pinning(&[pin]), url);
        }
    }
}

#[test]
fn what_the_certificate_says_of_itself_does_not_count() {
    for kind in [Kind::Authority, Kind::Nameless, Kind::OtherName, Kind::Expired, Kind::NotYet] {
        let device = Device::new(kind);
        let server = greeter(device.config());
        for pin in [device.fingerprint(), device.key_pin()] {
            let greeting = outcome(&pinning(&[&pin]), server.url("/"));
            assert!(greeting.is_ok(), "{kind:?}: {greeting:?}");
        }
    }
}

#[test]
fn a_pin_of_the_key_outlasts_the_certificate() {
    let key = KeyPair::generate().unwrap();
    let old = Device::with_key(Kind::Expired, KeyPair::from_pem(&key.serialize_pem()).unwrap());
    let new = Device::with_key(Kind::Plain, key);
    let server = greeter(new.config());
    assert_greeted(&pinning(&[&old.key_pin()]), server.url("/"));
    assert_greeted(&pinning(&[&old.key_in_hex()]), server.url("/"));
    mismatch(&failure(&pinning(&[&old.fingerprint()]), server.url("/")));
}

#[test]
fn one_of_several_pins_is_enough() {
    let [first, second] = [Device::new(Kind::Plain), Device::new(Kind::Authority)];
    let client = pinning(&[&first.key_pin(), &second.fingerprint()]);
    for device in [&first, &second] {
        assert_greeted(&client, greeter(device.config()).url("/"));
    }
    mismatch(&failure(&client, greeter(Device::new(Kind::Plain).config()).url("/")));
}

#[test]
fn another_server_is_a_permanent_failure_that_is_reported_once_with_its_digests() {
    let [device, impostor] = [Device::new(Kind::Plain), Device::new(Kind::Plain)];
    for policy in [RetryPolicy::default(), RetryPolicy::forever()] {
        let server = TlsServer::start(impostor.config());
        let errors = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&errors);
        let request = Request::get(server.url("/"))
            .retry(policy)
            .on_error(move |error| seen.lock().unwrap().push(error.to_string()));
        let pins = [device.key_pin(), device.fingerprint()];
        let rx = pinning(&[&pins[0], &pins[1]]).connect("it", request).unwrap();
        assert!(server.try_accept().is_err());
        let error = rx.recv_timeout(deadline()).unwrap().unwrap_err();
        rx.handle().join();
        let shown = mismatch(&error);
        assert_eq!(shown.certificate(), impostor.fingerprint());
        assert_eq!(shown.public_key(), impostor.key_pin());
        assert_eq!(shown.expected(), pins);
        assert!(!error.is_transient());
        let text = error.to_string();
        for digest in [&impostor.fingerprint(), &impostor.key_pin(), &pins[0], &pins[1]] {
            assert!(text.contains(digest), "{text}");
        }
        assert_eq!(*errors.lock().unwrap(), [text]);
        assert_eq!((rx.handle().stats().attempts, server.tcp().connections()), (1, 1));
    }
}

#[test]
fn retry_when_may_try_again_all_the_same() {
    let [device, impostor] = [Device::new(Kind::Plain), Device::new(Kind::Plain)];
    let server = TlsServer::start(impostor.config());
    let request = Request::get(server.url("/"))
        .retry(RetryPolicy::constant(Duration::from_millis(1)).max_retries(2))
        .retry_when(|error| matches!(error, Error::PinMismatch(_)));
    let rx = pinning(&[&device.key_pin()]).connect("it", request).unwrap();
    for _ in 0..3 {
        assert!(server.try_accept().is_err());
    }
    mismatch(&rx.recv_timeout(deadline()).unwrap().unwrap_err());
    assert_eq!(rx.handle().stats().attempts, 3);
}

#[test]
fn a_trusted_authority_does_not_make_up_for_a_pin() {
    let authority = Authority::new();
    let server = greeter(authority.server_config(Validity::VALID));
    let pin = Device::new(Kind::Plain).key_pin();
    let client = builder().only_root_certificates_pem(authority.pem()).pin_sha256(pin).build().unwrap();
    mismatch(&failure(&client, server.url("/")));
}

/// Shows a certificate whose key it does not have.
#[derive(Debug)]
struct Thief(Arc<CertifiedKey>);

impl ResolvesServerCert for Thief {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

#[test]
fn a_pinned_certificate_without_its_key_is_of_no_use() {
    let [device, thief] = [Device::new(Kind::Plain), Device::new(Kind::Plain)];
    let provider = Arc::new(ring::default_provider());
    let key = provider.key_provider.load_private_key(PrivateKeyDer::Pkcs8(thief.key.serialize_der().into())).unwrap();
    let shown = Arc::new(CertifiedKey::new(vec![device.certificate.clone()], key));
    for version in [&version::TLS12, &version::TLS13] {
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(&[version]);
        let config = config.unwrap().with_no_client_auth().with_cert_resolver(Arc::new(Thief(Arc::clone(&shown))));
        let error = failure(&pinning(&[&device.fingerprint()]), greeter(Arc::new(config)).url("/"));
        assert!(matches!(&error, Error::Tls(text) if text.to_string().contains("BadSignature")), "{error:?}");
    }
}

#[test]
fn a_client_shows_its_own_certificate_to_a_pinned_server() {
    let authority = Authority::new();
    let Identity { certificate_pem, key_pem } = authority.client_identity();
    let server = greeter(authority.mutual_server_config());
    // Nothing is known of the server but what a first attempt shows.
    let unknown = pinning(&[&Device::new(Kind::Plain).key_pin()]);
    let pin = mismatch(&failure(&unknown, server.url("/"))).certificate().to_owned();
    let client = builder().pin_sha256(&pin).client_certificate_pem(certificate_pem, key_pem).build().unwrap();
    assert_greeted(&client, server.url("/"));
    assert!(matches!(failure(&pinning(&[&pin]), server.url("/")), Error::Tls(_)));
}

#[test]
fn the_target_of_a_redirect_must_be_pinned_too() {
    let [device, other] = [Device::new(Kind::Plain), Device::new(Kind::Plain)];
    let target = greeter(other.config());
    let location = target.url("/");
    let server =
        TlsServer::serve(device.config(), move |_, mut peer| peer.respond(307, &[("Location", &location)], ""));
    let error = failure(&pinning(&[&device.key_pin()]), server.url("/"));
    assert_eq!(mismatch(&error).public_key(), other.key_pin());
    assert_greeted(&pinning(&[&device.key_pin(), &other.key_pin()]), server.url("/"));
}

type Encrypted<T> = StreamOwned<ServerConnection, T>;

fn encrypted<T: Read + Write>(config: Arc<ServerConfig>, mut below: T) -> io::Result<Encrypted<T>> {
    let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut below)?;
    }
    Ok(StreamOwned::new(connection, below))
}

/// A proxy reached over TLS, with the server at the other end of its tunnel. Says what each handshake came to.
fn tunnel(proxy: Arc<ServerConfig>, device: Arc<ServerConfig>, told: mpsc::Sender<&'static str>) -> Server {
    let accept = move |socket: TcpStream| -> io::Result<Encrypted<Encrypted<TcpStream>>> {
        let mut outer = encrypted(Arc::clone(&proxy), socket)?;
        let _ = told.send("proxy");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            outer.read_exact(&mut byte)?;
            head.extend(byte);
        }
        outer.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        let inner = encrypted(Arc::clone(&device), outer)?;
        let _ = told.send("server");
        Ok(inner)
    };
    let server = Server::serve(move |_, mut peer| {
        if peer.upgrade(&accept).is_ok() {
            peer.stream();
            peer.send("data: hello\n\n");
            peer.end();
        }
    });
    server.unwrap()
}

#[test]
fn a_proxy_is_checked_by_the_roots_and_the_server_behind_it_by_its_pin() {
    let (authority, device) = (Authority::new(), Device::new(Kind::OtherName));
    let (told, handshakes) = mpsc::channel();
    let proxy = tunnel(authority.server_config(Validity::VALID), device.config(), told);
    let through = || Client::builder().proxy(proxy.url("").replace("http:", "https:"));
    let client = through().only_root_certificates_pem(authority.pem()).pin_sha256(device.key_pin()).build().unwrap();
    assert_greeted(&client, "https://bridge.test/".into());
    assert_eq!(handshakes.try_iter().collect::<Vec<_>>(), ["proxy", "server"]);

    // Without the root the proxy is nobody, pinned or not.
    let client = through().pin_sha256(device.key_pin()).build().unwrap();
    let error = failure(&client, "https://bridge.test/".into());
    assert!(matches!(error, Error::Tls(_)), "{error:?}");
    assert_eq!(handshakes.try_iter().count(), 0);

    let client = through().only_root_certificates_pem(authority.pem()).pin_sha256("0".repeat(64)).build().unwrap();
    mismatch(&failure(&client, "https://bridge.test/".into()));
    assert_eq!(handshakes.try_iter().collect::<Vec<_>>(), ["proxy"]);
}

#[test]
fn what_contradicts_a_pin_is_refused() {
    let pin = "0".repeat(64);
    let config = Authority::new().client_config(Clock::default());
    for (builder, setter) in [
        (builder().pin_sha256(&pin).danger_accept_invalid_certs(), "danger_accept_invalid_certs"),
        (builder().pin_sha256(&pin).tls_config(config), "tls_config"),
        (builder().pin_sha256(&pin).pin_sha256("sha256//"), "pin_sha256: pin 2 of 2: 0 bytes after sha256//"),
        (builder().pin_sha256("s3cret").pin_sha256(&pin).pin_sha256("s3cret"), "pin_sha256: pin 1 of 3: expected 64"),
        (builder().pin_sha256("s3cret"), "pin_sha256: expected 64"),
    ] {
        let error = builder.build().unwrap_err();
        let text = error.to_string();
        assert!(matches!(&error, Error::InvalidRequest(_)) && text.contains(setter), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}

/// Without TLS there is no certificate: what was meant as a check would check nothing.
#[test]
fn a_url_that_has_no_certificate_is_refused_by_a_client_with_pins() {
    let client = pinning(&[&"0".repeat(64)]);
    for opened in [
        client.connect("a", Request::get("http://127.0.0.1:9/")).map(drop),
        client.read("a", Request::get("HTTP://127.0.0.1:9/")).map(drop),
        client.listen("a", Request::get("http://127.0.0.1:9/")).map(drop),
        client.connect_all([("a", Request::get("http://127.0.0.1:9/"))]).map(drop),
    ] {
        let error = opened.unwrap_err();
        assert!(matches!(&error, Error::InvalidRequest(why) if why.contains("https")), "{error:?}");
    }
    assert!(client.read("a", Request::get("https://127.0.0.1:9/")).is_ok());
}
