//! A scripted server behind TLS, with certificates that are made for the test.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_sse::testing::{Peer, Server};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use socket2::SockRef;

/// The first and the last day (year, month, day) of a certificate.
#[derive(Clone, Copy, Debug)]
pub struct Validity {
    pub not_before: (i32, u8, u8),
    pub not_after: (i32, u8, u8),
}

impl Validity {
    pub const VALID: Self = Self { not_before: (2000, 1, 1), not_after: (2999, 1, 1) };
    pub const NOT_YET: Self = Self { not_before: (2998, 1, 1), not_after: (2999, 1, 1) };
    pub const EXPIRED: Self = Self { not_before: (2000, 1, 1), not_after: (2001, 1, 1) };
}

/// A certificate and its key, both in PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    pub certificate_pem: String,
    pub key_pem: String,
}

/// A certificate authority that is always valid itself.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        Self::named("authority")
    }

    /// Returns one with this name and a key of its own.
    pub fn named(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    /// Returns what the client is to trust.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Issues a certificate that a client shows to the server.
    pub fn client_identity(&self) -> Identity {
        let (certificate, key) = self.issue(&["client"], Validity::VALID, ExtendedKeyUsagePurpose::ClientAuth);
        Identity { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() }
    }

    /// Issues a certificate for localhost and 127.0.0.1 to a server that reads it from files.
    pub fn server_identity(&self) -> Identity {
        let names = ["localhost", "127.0.0.1"];
        let (certificate, key) = self.issue(&names, Validity::VALID, ExtendedKeyUsagePurpose::ServerAuth);
        Identity { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() }
    }

    /// Issues a certificate for localhost and 127.0.0.1, and sets up a server with it.
    pub fn server_config(&self, validity: Validity) -> Arc<ServerConfig> {
        self.config_for(&["localhost", "127.0.0.1"], validity, ClientCertificate::NotWanted)
    }

    /// The same for a server with another name: "wrong.test" for example.
    pub fn server_config_for(&self, name: &str) -> Arc<ServerConfig> {
        self.config_for(&[name], Validity::VALID, ClientCertificate::NotWanted)
    }

    /// The same for a server that requires a certificate of this authority from its clients.
    pub fn mutual_server_config(&self) -> Arc<ServerConfig> {
        self.config_for(&["localhost", "127.0.0.1"], Validity::VALID, ClientCertificate::Required)
    }

    /// Trusts this authority alone, on a machine with this clock.
    pub fn client_config(&self, clock: Clock) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.issuer.der().to_vec())).unwrap();
        let builder = ClientConfig::builder_with_details(Arc::new(ring::default_provider()), Arc::new(clock));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
    }

    fn config_for(&self, names: &[&str], validity: Validity, client: ClientCertificate) -> Arc<ServerConfig> {
        let (certificate, key) = self.issue(names, validity, ExtendedKeyUsagePurpose::ServerAuth);
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = match client {
            ClientCertificate::NotWanted => builder.unwrap().with_no_client_auth(),
            ClientCertificate::Required => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from(self.issuer.der().to_vec())).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.unwrap().with_client_cert_verifier(verifier.unwrap())
            }
        };
        Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key).unwrap())
    }

    fn issue(
        &self,
        names: &[&str],
        validity: Validity,
        purpose: ExtendedKeyUsagePurpose,
    ) -> (rcgen::Certificate, KeyPair) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        let ((from_year, from_month, from_day), (to_year, to_month, to_day)) =
            (validity.not_before, validity.not_after);
        params.not_before = rcgen::date_time_ymd(from_year, from_month, from_day);
        params.not_after = rcgen::date_time_ymd(to_year, to_month, to_day);
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }
}

/// A machine's clock, in seconds since 1970: it starts there.
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    pub fn at(seconds: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seconds)))
    }

    /// Sets it to the time that it is.
    pub fn set(&self) {
        self.0.store(UnixTime::now().as_secs(), Ordering::SeqCst);
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0.load(Ordering::SeqCst))))
    }
}

enum ClientCertificate {
    NotWanted,
    Required,
}

/// A scripted server behind TLS.
pub struct TlsServer {
    server: Server,
    config: Arc<ServerConfig>,
}

impl TlsServer {
    /// Queues the connections for [`accept`](Self::accept).
    pub fn start(config: Arc<ServerConfig>) -> Self {
        Self { server: Server::start().unwrap(), config }
    }

    /// Runs the script for each connection in turn, after the handshake; a handshake that fails is passed over.
    pub fn serve(config: Arc<ServerConfig>, mut script: impl FnMut(usize, Peer) + Send + 'static) -> Self {
        let shared = Arc::clone(&config);
        let server = Server::serve(move |number, mut peer| {
            if handshake(&mut peer, &shared).is_ok() {
                script(number, peer);
            }
        });
        Self { server: server.unwrap(), config }
    }

    /// Waits for the next connection and for its handshake.
    #[track_caller]
    pub fn accept(&self) -> Peer {
        let mut peer = self.server.accept();
        match handshake(&mut peer, &self.config) {
            Ok(()) => peer,
            Err(error) => panic!("the TLS handshake of connection {} failed: {error}", peer.number()),
        }
    }

    /// Returns what the handshake of the next connection comes to, for clients that are meant to refuse it.
    #[track_caller]
    pub fn try_accept(&self) -> io::Result<Peer> {
        let mut peer = self.server.accept();
        handshake(&mut peer, &self.config)?;
        Ok(peer)
    }

    /// Returns the server below, whose peers have not shaken hands.
    pub fn tcp(&self) -> &Server {
        &self.server
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.server.addr())
    }

    pub fn localhost_url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.server.addr().port())
    }
}

/// Shakes hands on a connection, for example after an answer to `CONNECT`; all later steps go through TLS.
pub fn handshake(peer: &mut Peer, config: &Arc<ServerConfig>) -> io::Result<()> {
    peer.upgrade(|mut socket| {
        // The system lets it grow to many megabytes, which an emulated client encrypts for longer than a test may take.
        SockRef::from(&socket).set_recv_buffer_size(64 * 1024)?;
        let mut connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        Ok(TlsStream(StreamOwned::new(connection, socket)))
    })
}

/// Says goodbye (close_notify) when it is dropped, unless the connection is being reset.
struct TlsStream(StreamOwned<ServerConnection, TcpStream>);

impl Read for TlsStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for TlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Drop for TlsStream {
    fn drop(&mut self) {
        let is_reset = SockRef::from(&self.0.sock).linger().is_ok_and(|linger| linger == Some(Duration::ZERO));
        if !is_reset {
            self.0.conn.send_close_notify();
            // Fails after the FIN, as it should: a cut has no goodbye.
            let _ = self.0.flush();
        }
    }
}
