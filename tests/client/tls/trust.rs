//! Who is trusted, and what is said when somebody is not.

use super::*;

#[test]
fn a_certificate_of_a_user_supplied_root_is_trusted_by_name_and_by_address() {
    let authority = Authority::new();
    let server = greeter(authority.server_config(Validity::VALID));
    let client = trusting(&authority);
    assert_greeted(&client, server.localhost_url("/events"));
    assert_greeted(&client, server.url("/events"));
}

#[test]
fn roots_add_up() {
    let [first, second] = [Authority::new(), Authority::new()];
    let client = builder().root_certificates_pem(first.pem()).root_certificates_pem(second.pem()).build().unwrap();
    for authority in [&first, &second] {
        assert_greeted(&client, greeter(authority.server_config(Validity::VALID)).url("/events"));
    }
}

#[test]
fn one_text_may_hold_several_roots() {
    let [first, second] = [Authority::new(), Authority::new()];
    let client = builder().only_root_certificates_pem(first.pem() + &second.pem()).build().unwrap();
    for authority in [&first, &second] {
        assert_greeted(&client, greeter(authority.server_config(Validity::VALID)).url("/events"));
    }
}

#[test]
fn an_unknown_root_is_a_tls_error() {
    let server = greeter(Authority::new().server_config(Validity::VALID));
    for client in [builder().build().unwrap(), trusting(&Authority::new())] {
        let error = failure(&client, server.url("/events"));
        assert!(matches!(error, Error::Tls(_)), "{error:?}");
        assert!(error.is_transient());
        assert!(error.to_string().contains("invalid peer certificate"), "{error}");
    }
}

#[test]
fn an_untrusted_certificate_is_reported_at_every_attempt() {
    let server = TlsServer::start(Authority::new().server_config(Validity::VALID));
    let errors = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&errors);
    let request = Request::get(server.url("/events"))
        .retry(RetryPolicy::constant(Duration::from_millis(1)).max_retries(3))
        .on_error(move |error| seen.lock().unwrap().push(matches!(error, Error::Tls(_))));
    let rx = trusting(&Authority::new()).connect("it", request).unwrap();
    for _ in 0..4 {
        assert!(server.try_accept().is_err());
    }
    assert!(matches!(rx.recv_timeout(deadline()).unwrap(), Err(Error::Tls(_))));
    rx.handle().join();
    assert_eq!(*errors.lock().unwrap(), [true; 4]);
    assert_eq!(rx.handle().stats().attempts, 4);
    assert_eq!(server.tcp().connections(), 4);
}

#[test]
fn another_name_is_a_tls_error() {
    let authority = Authority::new();
    let server = greeter(authority.server_config_for("wrong.test"));
    for url in [server.url("/events"), server.localhost_url("/events")] {
        let error = failure(&trusting(&authority), url);
        assert!(matches!(error, Error::Tls(_)), "{error:?}");
    }
}

#[test]
fn a_certificate_for_the_name_alone_does_not_hold_for_the_address() {
    let authority = Authority::new();
    let server = greeter(authority.server_config_for("localhost"));
    assert_greeted(&trusting(&authority), server.localhost_url("/events"));
    let error = failure(&trusting(&authority), server.url("/events"));
    assert!(matches!(error, Error::Tls(_)), "{error:?}");
}

#[test]
fn a_certificate_out_of_its_time_by_a_clock_that_may_be_right_is_a_tls_error() {
    let authority = Authority::new();
    for validity in [Validity::NOT_YET, Validity::EXPIRED] {
        let server = greeter(authority.server_config(validity));
        let error = failure(&trusting(&authority), server.url("/events"));
        assert!(matches!(error, Error::Tls(_)), "{error:?}");
        assert!(error.is_transient());
        assert!(!error.to_string().contains("clock"), "{error}");
    }
}

#[test]
fn a_certificate_that_is_not_valid_by_a_clock_before_the_release_is_a_clock_that_is_not_set() {
    let authority = Authority::new();
    let client = at(&authority, Clock::default());
    let server = greeter(authority.server_config(Validity::VALID));
    let error = failure(&client, server.url("/events"));
    assert!(matches!(error, Error::ClockNotSet(_)), "{error:?}");
    assert!(error.is_transient());
    assert!(error.to_string().contains("is it set?"), "{error}");
}

#[test]
fn a_clock_before_the_release_does_not_hide_another_fault() {
    // In 2001: before the release, and within the certificate's time.
    let client = at(&Authority::new(), Clock::at(1_000_000_000));
    let server = greeter(Authority::new().server_config(Validity::VALID));
    let error = failure(&client, server.url("/events"));
    assert!(matches!(error, Error::Tls(_)), "{error:?}");
}

#[test]
fn a_clock_that_is_not_set_is_retried() {
    let authority = Authority::new();
    let server = TlsServer::start(authority.server_config(Validity::VALID));
    let request =
        Request::get(server.url("/events")).retry(RetryPolicy::constant(Duration::from_millis(1)).max_retries(2));
    let rx = at(&authority, Clock::default()).connect("it", request).unwrap();
    for _ in 0..3 {
        assert!(server.try_accept().is_err());
    }
    assert!(matches!(rx.recv_timeout(deadline()).unwrap(), Err(Error::ClockNotSet(_))));
}

#[test]
fn who_accepts_invalid_certificates_accepts_all_of_them() {
    let authority = Authority::new();
    let client = builder().danger_accept_invalid_certs().build().unwrap();
    for config in [
        authority.server_config(Validity::VALID),
        authority.server_config(Validity::EXPIRED),
        authority.server_config(Validity::NOT_YET),
        authority.server_config_for("wrong.test"),
    ] {
        assert_greeted(&client, greeter(config).url("/events"));
    }
}

#[test]
fn a_user_supplied_configuration_is_used_unchanged() {
    let authority = Authority::new();
    let server = greeter(authority.server_config(Validity::VALID));
    let config = |roots| {
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    };
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let client = builder().tls_config(Arc::new(config(roots))).build().unwrap();
    assert_greeted(&client, server.url("/events"));
    let client = builder().tls_config(Arc::new(config(RootCertStore::empty()))).build().unwrap();
    assert!(matches!(failure(&client, server.url("/events")), Error::Tls(_)));
}

#[test]
fn a_user_supplied_configuration_cannot_be_combined_with_certificates() {
    let authority = Authority::new();
    let config = || {
        Arc::new(
            ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth(),
        )
    };
    for builder in [
        builder().tls_config(config()).root_certificates_pem(authority.pem()),
        builder().only_root_certificates_pem(authority.pem()).tls_config(config()),
        builder().tls_config(config()).danger_accept_invalid_certs(),
    ] {
        let error = builder.build().unwrap_err();
        assert!(matches!(&error, Error::InvalidRequest(text) if text.contains("tls_config")), "{error}");
    }
}

#[test]
fn a_text_without_a_certificate_is_invalid() {
    let broken = "-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n";
    let not_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for pem in ["", "secret", broken, not_der] {
        for builder in [builder().root_certificates_pem(pem), builder().only_root_certificates_pem(pem)] {
            let error = builder.build().unwrap_err();
            assert!(matches!(error, Error::InvalidRequest(_)), "{error:?}");
            assert!(error.to_string().contains("root certificate"), "{error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
