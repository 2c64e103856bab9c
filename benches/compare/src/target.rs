//! What a contestant is to read, and what it saw of it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::scenario::{LATENCY, RECONNECT, Scenario};
use crate::words::{Failure, nanoseconds};

/// What to read.
#[derive(Clone, Debug)]
pub struct Target {
    pub url: String,
    /// The server's certificate where the scenario has TLS.
    pub root: Option<String>,
    pub events: u64,
    /// The connection ends after each event, and the client is to come back after `PAUSE`.
    pub reconnects: bool,
    pub timed: bool,
}

/// Before a reconnect.
pub const PAUSE: Duration = Duration::from_millis(1);

/// What a contestant saw.
#[derive(Debug, Default)]
pub struct Seen {
    pub events: u64,
    pub bytes: u64,
    /// Nanoseconds from what the event tells of to the event in the consumer's hands.
    pub latencies: Vec<u64>,
    pub timed: bool,
}

impl Seen {
    pub fn event(&mut self, data: &str) {
        self.events += 1;
        self.bytes += data.len() as u64;
        if !self.timed {
            return;
        }
        if let Ok(time) = data.trim().parse::<u128>() {
            self.latencies.push(nanoseconds().saturating_sub(time) as u64);
        }
    }
}

impl Target {
    /// Asks the server for what a scenario needs.
    pub fn new(scenario: &str, port: &str, events: u64) -> Result<Self, Failure> {
        let (mut url, mut root) = (format!("http://127.0.0.1:{port}/{scenario}/{events}"), None);
        if Scenario::named(scenario).is_some_and(|scenario| scenario.tls) {
            let introduction = introduction(port)?;
            let (port, certificate) = introduction.split_once('\n').ok_or("no certificate")?;
            url = format!("https://127.0.0.1:{port}/{scenario}/{events}");
            root = Some(certificate.to_owned());
        }
        let reconnects = scenario == RECONNECT;
        Ok(Self { url, root, events, reconnects, timed: reconnects || scenario == LATENCY })
    }

    pub fn address(&self) -> Result<(&str, &str), Failure> {
        let rest = self.url.split_once("://").ok_or("not a URL")?.1;
        Ok(rest.split_once('/').ok_or("not a URL")?)
    }
}

fn introduction(port: &str) -> Result<String, Failure> {
    let mut socket = TcpStream::connect(format!("127.0.0.1:{port}"))?;
    socket.write_all(b"GET /introduction HTTP/1.1\r\n\r\n")?;
    let mut text = String::new();
    socket.read_to_string(&mut text)?;
    Ok(text.split_once("\r\n\r\n").ok_or("no answer")?.1.to_owned())
}

/// Trusts the server's certificate alone.
pub fn tls(target: &Target) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    if let Some(root) = &target.root {
        roots.add(CertificateDer::from_pem_slice(root.as_bytes())?)?;
    }
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
