//! Roots that come from a file: read at first use, and again once they do not vouch for the server.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use log::Level;

use super::*;
use support::logs::Logs;

/// A folder of a test's own, with a file for roots.
struct Roots(PathBuf);

impl Roots {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("http-sse-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.join("roots.pem")
    }

    /// Puts another file in its place, as it should be done.
    fn replace(&self, pem: &str) {
        let new = self.0.join("new");
        fs::write(&new, pem).unwrap();
        fs::rename(new, self.path()).unwrap();
    }
}

impl Drop for Roots {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn only(roots: &Roots) -> Client {
    builder().only_root_certificates_file(roots.path()).build().unwrap()
}

#[track_caller]
fn assert_tls_error(error: &Error) -> String {
    assert!(matches!(error, Error::Tls(_)) && error.is_transient(), "{error:?}");
    error.to_string()
}

#[test]
fn the_roots_of_a_file_add_up_with_those_of_a_text_and_of_another_file() {
    let roots = [Roots::new("file-first"), Roots::new("file-second")];
    let authorities = [Authority::new(), Authority::named("second"), Authority::named("third")];
    roots[0].replace(&authorities[0].pem());
    roots[1].replace(&authorities[1].pem());
    let client = builder()
        .root_certificates_file(roots[0].path())
        .only_root_certificates_file(roots[1].path())
        .root_certificates_pem(authorities[2].pem());
    let client = client.build().unwrap();
    for authority in &authorities {
        assert_greeted(&client, greeter(authority.server_config(Validity::VALID)).url("/"));
    }
}

#[test]
fn a_missing_file_is_named_by_each_attempt_until_it_is_there() {
    let (roots, authority) = (Roots::new("file-missing"), Authority::new());
    let server = greeter(authority.server_config(Validity::VALID));
    let client = only(&roots);
    for _ in 0..2 {
        let text = assert_tls_error(&failure(&client, server.url("/")));
        assert!(text.contains(&format!("{:?}", roots.path())) && text.contains("No such file"), "{text}");
    }
    roots.replace(&authority.pem());
    assert_greeted(&client, server.url("/"));
}

#[test]
fn what_is_no_file_of_certificates_is_named_without_its_content() {
    let roots = Roots::new("file-broken");
    let server = greeter(Authority::new().server_config(Validity::VALID));
    let client = only(&roots);
    let key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
    for (content, why) in [
        ("", "contains no PEM certificate"),
        ("s3cret", "contains no PEM certificate"),
        (key, "contains no PEM certificate"),
        ("-----BEGIN CERTIFICATE-----\nc2VjcmV0\n", "has no end"),
        ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "base64 is malformed"),
        ("-----BEGIN CERTIFICATE-----\nc2VjcmV0\n-----END CERTIFICATE-----\n", "cannot be used"),
    ] {
        roots.replace(content);
        let text = assert_tls_error(&failure(&client, server.url("/")));
        assert!(text.contains(why) && text.contains(&format!("{:?}", roots.path())), "{text}");
        assert!(!text.contains("s3cret") && !text.contains("c2VjcmV0"), "{text}");
    }
    let folder = builder().root_certificates_file(&roots.0).build().unwrap();
    let text = assert_tls_error(&failure(&folder, server.url("/")));
    assert!(text.contains("not a regular file"), "{text}");
}

#[test]
fn a_file_is_not_needed_before_tls_is() {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send("data: hello\n\n");
        peer.end();
    })
    .unwrap();
    assert_greeted(&only(&Roots::new("file-plain")), server.url("/"));
}

/// The same attempt of a client that has the old roots gets through once the file has the new ones.
#[track_caller]
fn assert_rotated(name: &str, old: &Authority, new: &Authority) {
    let roots = Roots::new(name);
    let [before, after] = [old, new].map(|authority| greeter(authority.server_config(Validity::VALID)));
    roots.replace(&old.pem());
    let client = only(&roots);
    assert_greeted(&client, before.url("/"));
    roots.replace(&new.pem());
    // Nothing is wrong with those that are known.
    assert_greeted(&client, before.url("/"));
    assert_greeted(&client, after.url("/"));
    assert_eq!(after.tcp().connections(), 2);
    assert_greeted(&client, after.url("/"));
    assert_eq!(after.tcp().connections(), 3);
    assert_tls_error(&failure(&client, before.url("/")));
}

#[test]
fn another_authority_in_the_file_is_found_without_a_restart() {
    assert_rotated("file-other", &Authority::named("old"), &Authority::named("new"));
}

#[test]
fn an_authority_of_the_same_name_with_another_key_is_found_without_a_restart() {
    assert_rotated("file-same", &Authority::named("same"), &Authority::named("same"));
}

#[test]
fn a_reconnect_goes_on_with_the_next_authority_and_reports_nothing() {
    let (roots, old, new) = (Roots::new("file-stream"), Authority::named("old"), Authority::named("new"));
    roots.replace(&old.pem());
    let server = Server::start().unwrap();
    let errors = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&errors);
    let request = Request::get(server.url("/").replace("http:", "https:"))
        .retry(RetryPolicy::constant(Duration::from_millis(1)))
        .on_error(move |error| seen.lock().unwrap().push(error.to_string()));
    let rx = only(&roots).connect("it", request).unwrap();
    let mut peer = server.accept();
    support::tls::handshake(&mut peer, &old.server_config(Validity::VALID)).unwrap();
    peer.stream();
    peer.send("id: 7\ndata: a\n\n");
    assert_eq!(rx.recv_timeout(deadline()).unwrap().unwrap().data(), "a");
    roots.replace(&new.pem());
    peer.end();
    let config = new.server_config(Validity::VALID);
    assert!(support::tls::handshake(&mut server.accept(), &config).is_err());
    let mut peer = server.accept();
    support::tls::handshake(&mut peer, &config).unwrap();
    assert_eq!(peer.request().header("last-event-id"), Some("7"));
    peer.stream();
    peer.send("data: b\n\n");
    assert_eq!(rx.recv_timeout(deadline()).unwrap().unwrap().data(), "b");
    assert_eq!((rx.handle().stats().attempts, server.connections()), (2, 3));
    rx.handle().stop();
    rx.handle().join();
    assert_eq!(*errors.lock().unwrap(), [""; 0]);
}

#[test]
fn other_roots_that_do_not_help_either_are_tried_once_per_attempt() {
    let (roots, old) = (Roots::new("file-no-help"), Authority::named("old"));
    roots.replace(&old.pem());
    let server = greeter(Authority::named("unknown").server_config(Validity::VALID));
    let client = only(&roots);
    assert_greeted(&client, greeter(old.server_config(Validity::VALID)).url("/"));
    roots.replace(&Authority::named("other").pem());
    assert_tls_error(&failure(&client, server.url("/")));
    assert_eq!(server.tcp().connections(), 2);
}

#[test]
fn a_half_written_file_leaves_the_roots_as_they_are_and_is_read_again() {
    let (roots, old, new) = (Roots::new("file-half"), Authority::named("old"), Authority::named("new"));
    let [before, after] = [&old, &new].map(|authority| greeter(authority.server_config(Validity::VALID)));
    roots.replace(&old.pem());
    let client = only(&roots);
    assert_greeted(&client, before.url("/"));
    let logs = Logs::of(&format!("{:?}", roots.path()));
    let pem = new.pem();
    fs::write(roots.path(), &pem[..pem.len() / 2]).unwrap();
    assert_tls_error(&failure(&client, after.url("/")));
    assert_eq!(after.tcp().connections(), 1);
    let warnings = logs.at(Level::Warn);
    assert!(matches!(&warnings[..], [warning] if warning.contains("keeping the previous")), "{warnings:?}");
    assert_greeted(&client, before.url("/"));

    fs::write(roots.path(), &pem).unwrap();
    let request =
        Request::get(after.url("/")).retry(RetryPolicy::constant(Duration::from_millis(50)).max_retries(1000));
    let rx = client.connect("again", request).unwrap();
    assert_eq!(rx.recv_timeout(deadline()).unwrap().unwrap().data(), "hello");
    rx.handle().stop();
}

#[test]
fn a_file_that_has_not_changed_or_is_gone_costs_one_connection_per_attempt() {
    let roots = Roots::new("file-unchanged");
    roots.replace(&Authority::named("known").pem());
    let server = greeter(Authority::named("unknown").server_config(Validity::VALID));
    let client = only(&roots);
    assert_tls_error(&failure(&client, server.url("/")));
    assert_eq!(server.tcp().connections(), 1);
    fs::remove_file(roots.path()).unwrap();
    assert_tls_error(&failure(&client, server.url("/")));
    assert_eq!(server.tcp().connections(), 2);
}

#[test]
fn the_file_is_left_alone_for_a_second_after_a_second_look() {
    let (roots, new) = (Roots::new("file-pause"), Authority::named("new"));
    roots.replace(&Authority::named("old").pem());
    let server = greeter(new.server_config(Validity::VALID));
    let client = only(&roots);
    let start = Instant::now();
    assert_tls_error(&failure(&client, server.url("/")));
    roots.replace(&new.pem());
    let request =
        Request::get(server.url("/")).retry(RetryPolicy::constant(Duration::from_millis(20)).max_retries(1000));
    let rx = client.connect("pause", request).unwrap();
    assert_eq!(rx.recv_timeout(deadline()).unwrap().unwrap().data(), "hello");
    let waited = start.elapsed();
    rx.handle().stop();
    assert!(waited >= Duration::from_secs(1), "{waited:?}");
}

#[test]
fn a_file_cannot_be_combined_with_a_user_supplied_configuration() {
    let config = Authority::new().client_config(Clock::default());
    for builder in [
        builder().root_certificates_file("/any").tls_config(Arc::clone(&config)),
        builder().only_root_certificates_file("/any").tls_config(config),
    ] {
        let error = builder.build().unwrap_err();
        assert!(matches!(&error, Error::InvalidRequest(text) if text.contains("tls_config")), "{error}");
    }
    // What needs no file is checked at once.
    let error = builder().root_certificates_file("/any").client_certificate_pem("", "").build().unwrap_err();
    assert!(matches!(&error, Error::InvalidRequest(text) if text.contains("client_certificate_pem")), "{error}");
}
