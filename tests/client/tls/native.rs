//! The system's roots, or those that the environment names in their place: each in a process of its own.

use std::env;
use std::fs;

use super::*;
use support::program::Folder;

const URL: &str = "HTTP_SSE_TEST_URL";
/// What the child is to see.
const EXPECTED: &str = "HTTP_SSE_TEST_EXPECTED";

/// Runs the test below in a process with these variables alone.
#[track_caller]
fn child(url: &str, expected: &str, variables: &[(&str, &std::path::Path)]) {
    let mut command = support::program::part(module_path!(), "child_trusts_what_the_environment_says");
    command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR").env(URL, url).env(EXPECTED, expected);
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && shown.contains("1 passed"), "{variables:?}: {shown}");
}

#[test]
#[ignore = "a part: the tests below run it in a process with an environment of its own"]
fn child_trusts_what_the_environment_says() {
    let (url, expected) = (env::var(URL).unwrap(), env::var(EXPECTED).unwrap());
    for builder in [builder().native_roots(), builder().only_native_roots()] {
        let client = builder.build().unwrap();
        for _ in 0..2 {
            let seen = match outcome(&client, url.clone()) {
                Ok(data) => data,
                Err(error) if matches!(error, Error::Tls(_)) && error.is_transient() => error.to_string(),
                Err(error) => panic!("{error:?}"),
            };
            assert!(expected.split('|').all(|part| seen.contains(part)), "{seen}");
        }
    }
}

#[test]
fn the_authorities_of_ssl_cert_file_are_trusted() {
    let (folder, authority) = (Folder::new("native-file"), Authority::new());
    let server = greeter(authority.server_config(Validity::VALID));
    let file = folder.file("roots.pem");
    let broken = "-----BEGIN CERTIFICATE-----\nc2VjcmV0\n-----END CERTIFICATE-----\n";
    fs::write(&file, broken.to_owned() + &authority.pem()).unwrap();
    child(&server.url("/"), "hello", &[("SSL_CERT_FILE", &file)]);
}

#[test]
fn the_authorities_of_ssl_cert_dir_are_trusted() {
    let (folder, authority) = (Folder::new("native-folder"), Authority::named("one"));
    let server = greeter(authority.server_config(Validity::VALID));
    fs::write(folder.file("one.pem"), authority.pem()).unwrap();
    fs::write(folder.file("other.pem"), Authority::named("other").pem()).unwrap();
    child(&server.url("/"), "hello", &[("SSL_CERT_DIR", folder.file("one.pem").parent().unwrap())]);
}

#[test]
fn an_authority_that_the_environment_does_not_name_is_not_trusted() {
    let folder = Folder::new("native-other");
    let server = greeter(Authority::named("one").server_config(Validity::VALID));
    fs::write(folder.file("other.pem"), Authority::named("other").pem()).unwrap();
    child(&server.url("/"), "UnknownIssuer", &[("SSL_CERT_FILE", &folder.file("other.pem"))]);
}

#[test]
fn an_environment_that_names_no_authority_is_an_error_that_says_so() {
    let folder = Folder::new("native-none");
    let server = greeter(Authority::new().server_config(Validity::VALID));
    let missing = folder.file("missing.pem");
    let none = "no usable root certificate|SSL_CERT_FILE is";
    child(&server.url("/"), &format!("{none} {missing:?}|No such file"), &[("SSL_CERT_FILE", &missing)]);
    let empty = folder.file("empty.pem");
    fs::write(&empty, "nothing").unwrap();
    child(&server.url("/"), &format!("{none} {empty:?}"), &[("SSL_CERT_FILE", &empty)]);
}

#[test]
fn pem_and_system_roots_add_up_and_cannot_be_combined_with_a_configuration() {
    let authority = Authority::new();
    let server = greeter(authority.server_config(Validity::VALID));
    let client = builder().native_roots().root_certificates_pem(authority.pem()).build().unwrap();
    match outcome(&client, server.url("/")) {
        Ok(data) => assert_eq!(data, "hello"),
        // A machine without any.
        Err(error) => assert!(error.to_string().contains("no usable root certificate"), "{error}"),
    }
    let config = authority.client_config(Clock::default());
    for builder in [builder().native_roots(), builder().only_native_roots()] {
        let error = builder.tls_config(Arc::clone(&config)).build().unwrap_err();
        assert!(matches!(&error, Error::InvalidRequest(text) if text.contains("tls_config")), "{error}");
    }
}
