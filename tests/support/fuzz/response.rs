//! The whole client against any response: it comes to an end, once, without a panic, and tells no other host a secret.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use http_sse::testing::{Peer, Server};
use http_sse::{Client, End, Error, Request, RetryPolicy};

const HOST: &str = "origin.test";
const SECRET: &str = "5w0rdfish";
const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid: 1\ndata: end\n\n";

type Queue = Arc<Mutex<Vec<Vec<u8>>>>;
type Leaks = Arc<Mutex<Vec<String>>>;

/// A server that every request reaches, whatever its host: it is the client's proxy, so that no input leads elsewhere.
struct World {
    client: Client,
    answers: Queue,
    /// The hosts that were told a secret which is not theirs.
    leaks: Leaks,
    _server: Server,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let (answers, leaks) = (Queue::default(), Leaks::default());
        let (queue, list) = (Arc::clone(&answers), Arc::clone(&leaks));
        let server = Server::serve(move |_, peer| answer(peer, &queue, &list)).unwrap();
        let client = Client::builder().proxy(server.url("")).build().unwrap();
        World { client, answers, leaks, _server: server }
    })
}

fn answer(mut peer: Peer, answers: &Queue, leaks: &Leaks) {
    let Ok(mut asked) = peer.try_request() else { return };
    if asked.method() == "CONNECT" {
        peer.raw("HTTP/1.1 200 OK\r\n\r\n");
        asked = peer.next_request();
    }
    if asked.header("host") != Some(HOST) && asked.header("x-api-key").is_some() {
        leaks.lock().unwrap().push(asked.header("host").unwrap_or_default().to_owned());
    }
    let bytes = answers.lock().unwrap().pop().unwrap_or_else(|| STREAM.to_vec());
    peer.raw(bytes);
    peer.close_abruptly();
}

/// The input is the first response, byte for byte; a redirect leads to a short stream.
pub fn run(input: &[u8]) {
    let world = world();
    *world.answers.lock().unwrap() = vec![input.to_vec()];
    let limit = Duration::from_secs(5);
    let request = Request::get(format!("http://{HOST}/"))
        .header("X-Api-Key", SECRET)
        .retry(RetryPolicy::never())
        .connect_timeout(limit)
        .response_timeout(limit)
        .idle_timeout(limit);
    let mut reader = world.client.read("response", request).unwrap();
    let items: Vec<_> = reader.by_ref().collect();
    let handle = reader.handle();
    let failures = items.iter().filter(|item| item.is_err()).count();
    assert!(failures <= 1 && items[..items.len().saturating_sub(1)].iter().all(Result::is_ok), "{items:?}");
    match handle.end() {
        Some(End::Failed(Error::Panicked(_))) | None => panic!("{:?}", handle.end()),
        Some(End::Failed(error)) => {
            assert_eq!(failures, 1);
            let text = format!("{error} {error:?}");
            let is_echo = input.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
            assert!(is_echo || !text.contains(SECRET), "{text}");
            let _ = (error.retry_after(), error.body(), error.is_transient());
            assert!(!error.is_timeout(), "the server closes, so nothing may wait: {error}");
        }
        Some(End::NoContent | End::Complete) => assert_eq!(failures, 0),
        Some(end) => panic!("{end:?}"),
    }
    assert!(world.leaks.lock().unwrap().is_empty(), "a secret went to {:?}", world.leaks);
    let id = handle.last_event_id().unwrap_or_default();
    assert!(!id.contains(['\0', '\r', '\n']), "{id:?}");
    assert!(items.is_empty() || failures == items.len() || handle.stats().last_status == Some(200));
}
