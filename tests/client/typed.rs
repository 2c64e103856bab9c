//! Events as values of an enum whose variant their type chooses.

use http_sse::testing::Server;
use http_sse::{Client, Error, Request, RetryPolicy};

#[derive(Debug, serde::Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Home {
    StateChanged { entity: String, on: bool },
    Message(u32),
    Restarted,
}

const STREAM: &str = "event: state_changed\nid: 1\ndata: {\"entity\":\"lamp\",\"on\":true}\n\nevent: ping\ndata: \n\ndata: 7\n\n\
                      event: restarted\ndata\n\nevent: unheard_of\nid: 2\ndata: {}\n\ndata: seven\n\nevent: restarted\ndata: x\n\n";

fn serve() -> (Server, Request) {
    let server = Server::serve(|_, mut peer| {
        peer.stream();
        peer.send(STREAM);
        peer.end();
    })
    .unwrap();
    let request = Request::get(server.url("/")).retry(RetryPolicy::never());
    (server, request)
}

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

#[test]
fn the_type_chooses_the_variant_and_what_does_not_fit_is_an_error_of_its_event_alone() {
    let (_server, request) = serve();
    let events = client().connect("home", request).unwrap().typed::<Home>().ignore(["ping", "pong"]);
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for event in events {
        match event {
            Ok(decoded) => values.push(decoded.value),
            Err(error) => {
                assert!(error.is_json(), "{error}");
                errors.push(error.event().unwrap().data().to_owned());
            }
        }
    }
    let lamp = Home::StateChanged { entity: "lamp".into(), on: true };
    assert_eq!(values, [lamp, Home::Message(7), Home::Restarted, Home::Restarted]);
    assert_eq!(errors, ["{}", "seven"]);
}

#[test]
fn a_reader_does_the_same_and_ignored_types_add_up() {
    let (_server, request) = serve();
    let events = client().read("home", request).unwrap().typed::<Home>().ignore(["ping", "message"]);
    let values: Vec<_> = events.ignore(vec!["unheard_of".to_owned()]).map(|event| event.map(|it| it.value)).collect();
    assert!(
        matches!(&values[..], [Ok(Home::StateChanged { .. }), Ok(Home::Restarted), Ok(Home::Restarted)]),
        "{values:?}"
    );
}

#[test]
fn a_terminal_error_passes_through() {
    let server = Server::serve(|_, mut peer| peer.respond(404, &[], "")).unwrap();
    let request = Request::get(server.url("/"));
    let mut events = client().read("gone", request).unwrap().typed::<Home>().ignore(["ping"]);
    assert_eq!(
        events.next().unwrap().map(|decoded| decoded.value).map_err(|error| Error::status(&error)),
        Err(Some(404))
    );
    assert!(events.next().is_none());
}
