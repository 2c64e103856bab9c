//! What the error output tells of the connection where it is no terminal: log lines.

use http_sse::testing::Server;

use crate::ssecat::{answered, ssecat};
use support::program::run;

#[test]
fn with_v_everything_about_the_connection_is_logged() {
    let left = answered(&["-v"], "data: 1\n\n");
    let lines: Vec<_> = left.stderr.lines().collect();
    assert_eq!(lines.first(), Some(&"ssecat: attempt 1"), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("ssecat: GET http://127.0.0.1:")), "{lines:?}");
    assert_eq!(lines.last(), Some(&"ssecat: closed, the response is complete"), "{lines:?}");
}

#[test]
fn no_secret_is_logged() {
    let server = Server::serve(|number, mut peer| match number {
        0 => peer.respond(302, &[("Location", "/next?key=s3cret")], ""),
        1 => peer.respond(503, &[("Set-Cookie", "s3cret")], "s3cret"),
        2 => peer.respond(302, &[("Location", "http://user:s3cret@127.0.0.1/")], "s3cret"),
        number => panic!("no attempt {number}"),
    })
    .unwrap();
    let url = server.url("/?key=s3cret").replace("http://", "http://user:s3cret@");
    let left = run(&mut ssecat(&["-v", "--retry", "1", "-H", "X-Key: s3cret", "-d", "s3cret", &url]));
    assert_eq!((left.stdout.as_str(), left.code, server.connections()), ("", Some(4), 3), "{left:?}");
    assert!(left.stderr.contains("503") && !left.stderr.contains("s3cret"), "{left:?}");
}
