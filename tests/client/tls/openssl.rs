//! Certificates and servers of OpenSSL's own making, with the digests that its tools show.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use support::left_out::lacking;

/// What `openssl s_server -HTTP` sends as it is.
const RESPONSE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: hello\n\n";

/// A server with a certificate that it has signed itself; dropping it ends it and removes its folder.
struct OpenSsl {
    server: Option<Child>,
    port: u16,
    folder: PathBuf,
}

impl OpenSsl {
    /// Makes a key as `openssl req -newkey` takes it and a certificate for the name of a bridge, and starts a server.
    fn start(key: &str, settings: &[&str]) -> Self {
        let mut this = Self::with_folder();
        this.sign(key, "server");
        this.serve(settings);
        this
    }

    /// The same with a certificate of X.509 version 1.
    fn start_with_version_1() -> Self {
        let mut this = Self::with_folder();
        this.openssl("req -new -newkey rsa:2048 -nodes -keyout server.key -out request.pem -subj /CN=old");
        this.openssl("x509 -req -in request.pem -signkey server.key -out server.pem");
        this.serve(&[]);
        this
    }

    fn with_folder() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let folder = env::temp_dir().join(format!("http-sse-openssl-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("events"), RESPONSE).unwrap();
        Self { server: None, port: 0, folder }
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new("openssl");
        command.args(arguments.split(' ')).current_dir(&self.folder).stdin(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn openssl(&self, arguments: &str) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "openssl {arguments} failed");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Makes a key and a certificate that it signs itself, and returns them: `NAME.pem` and `NAME.key`.
    fn sign(&self, key: &str, name: &str) -> [String; 2] {
        let files = format!("-keyout {name}.key -out {name}.pem");
        self.openssl(&format!("req -x509 -newkey {key} -nodes {files} -subj /O=Maker/CN={name}-ecb5fafffe012345"));
        ["pem", "key"].map(|ending| fs::read_to_string(self.folder.join(format!("{name}.{ending}"))).unwrap())
    }

    fn serve(&mut self, settings: &[&str]) {
        let mut command = self.command("s_server -HTTP -accept 127.0.0.1:0 -cert server.pem -key server.key");
        let mut server = command.args(settings).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(server.stdout.take().unwrap());
        self.server = Some(server);
        let mut lines = output.lines().map(|line| line.unwrap());
        let line = lines.find(|line| line.starts_with("ACCEPT")).expect("it ends without listening");
        self.port = line.rsplit(':').next().and_then(|port| port.parse().ok()).expect("it does not say where");
        // It writes a line per request.
        thread::spawn(move || lines.count());
    }

    fn url(&self) -> String {
        format!("https://127.0.0.1:{}/events", self.port)
    }

    /// As `openssl x509` shows it, behind the equals sign.
    fn fingerprint(&self) -> String {
        let line = self.openssl("x509 -in server.pem -noout -fingerprint -sha256");
        line.trim().rsplit('=').next().unwrap().to_owned()
    }

    /// By the commands that curl's manual names for `--pinnedpubkey`.
    fn key_pin(&self) -> String {
        fs::write(self.folder.join("public.pem"), self.openssl("x509 -in server.pem -pubkey -noout")).unwrap();
        self.openssl("pkey -pubin -in public.pem -outform der -out public.der");
        self.openssl("dgst -sha256 -binary -out digest public.der");
        format!("sha256//{}", self.openssl("enc -base64 -in digest").trim())
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Returns `true` if there is an OpenSSL with the commands that are used here.
fn is_there() -> bool {
    let version = Command::new("openssl").arg("version").output();
    let is_there = version.is_ok_and(|version| version.stdout.starts_with(b"OpenSSL"));
    if !is_there {
        lacking("interop", "there is no openssl; scripts/interop-setup installs it");
    }
    is_there
}

fn pinning(pin: &str) -> Client {
    builder().pin_sha256(pin).build().unwrap()
}

#[test]
fn a_server_of_openssl_is_known_by_the_digests_that_openssl_shows() {
    if !is_there() {
        return;
    }
    for (key, settings) in [
        ("rsa:2048", &[][..]),
        ("rsa:2048 -sigopt rsa_padding_mode:pss", &[]),
        ("rsa:2048", &["-tls1_2"]),
        ("ec -pkeyopt ec_paramgen_curve:P-256", &["-tls1_2"]),
        ("ec -pkeyopt ec_paramgen_curve:P-384", &["-tls1_3"]),
        ("ed25519", &[]),
    ] {
        let server = OpenSsl::start(key, settings);
        let (fingerprint, key_pin) = (server.fingerprint(), server.key_pin());
        for pin in [&fingerprint, &key_pin] {
            let greeting = outcome(&pinning(pin), server.url());
            assert!(greeting.as_ref().is_ok_and(|greeting| greeting == "hello"), "{key}, {pin}: {greeting:?}");
        }
        match failure(&pinning(&"0".repeat(64)), server.url()) {
            Error::PinMismatch(shown) => {
                assert_eq!((shown.certificate(), shown.public_key()), (&fingerprint[..], &key_pin[..]), "{key}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_server_of_openssl_takes_the_clients_certificate_and_no_other() {
    if !is_there() {
        return;
    }
    for version in ["-tls1_2", "-tls1_3"] {
        let mut server = OpenSsl::with_folder();
        let [client, other] = ["client", "other"].map(|name| server.sign("ec -pkeyopt ec_paramgen_curve:P-256", name));
        server.sign("rsa:2048", "server");
        server.serve(&[version, "-Verify", "1", "-verify_return_error", "-CAfile", "client.pem"]);
        let pin = server.key_pin();
        let showing = |[chain, key]: [String; 2]| builder().pin_sha256(&pin).client_certificate_pem(chain, key);
        assert_greeted(&showing(client).build().unwrap(), server.url());
        for client in [pinning(&pin), showing(other).build().unwrap()] {
            let error = failure(&client, server.url());
            assert!(matches!(&error, Error::Tls(_)), "{version}: {error:?}");
        }
    }
}

#[test]
fn keys_that_ring_does_not_know_are_tls_errors_pinned_or_not() {
    if !is_there() {
        return;
    }
    for key in ["ec -pkeyopt ec_paramgen_curve:P-521", "rsa-pss -pkeyopt rsa_keygen_bits:2048"] {
        let server = OpenSsl::start(key, &[]);
        for client in [pinning(&server.fingerprint()), builder().danger_accept_invalid_certs().build().unwrap()] {
            let error = failure(&client, server.url());
            assert!(matches!(&error, Error::Tls(_)), "{key}: {error:?}");
            println!("{key}: {error}");
        }
    }
}

#[test]
fn a_certificate_of_version_1_is_a_tls_error() {
    if !is_there() {
        return;
    }
    let server = OpenSsl::start_with_version_1();
    let error = failure(&pinning(&server.fingerprint()), server.url());
    assert!(matches!(&error, Error::Tls(why) if why.to_string().contains("UnsupportedCertVersion")), "{error:?}");
}
