//! The SDK of MCP as a server: a POST that is answered by JSON, by a stream, or by 202, and a stream that is resumed.

use std::process::Command;
use std::sync::mpsc::channel;
use std::time::Duration;

use http_sse::{Client, End, Error, Event, Events, Request, RetryPolicy};
use serde_json::{Value, json};

use crate::delivery::client;
use crate::forwarder::Forwarder;
use crate::program::{find, find_cached, or_left_out, say, script};
use crate::service::Service;
use crate::source::EVENTS;

const DEADLINE: Duration = Duration::from_secs(10);

fn start() -> Option<Service> {
    let modules = find_cached("node/node_modules").filter(|modules| modules.join("@modelcontextprotocol/sdk").exists());
    let modules = or_left_out(modules, "SDK of MCP")?;
    let node = or_left_out(find("node"), "node")?;
    Some(Service::start(|address, _| {
        let mut command = Command::new(&node);
        command.env("NODE_PATH", &modules).arg(script("mcp_server.cjs")).arg(address.port().to_string());
        command
    }))
}

fn post(url: &str, message: &Value) -> Request {
    Request::post(url)
        .header("Accept", "application/json, text/event-stream")
        .header("Mcp-Session-Id", "session")
        .json(message)
        .any_content_type()
}

fn initialize() -> Value {
    let parameters = json!({
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
    });
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": parameters})
}

/// Sends a message and returns the events of the answer, its bytes, and its end.
fn send(client: &Client, url: &str, message: &Value) -> (Vec<Event>, String, End) {
    let (sender, bytes) = channel();
    let request = post(url, message).on_bytes(move |bytes| drop(sender.send(bytes.to_vec())));
    let mut reader = client.read("message", request).unwrap();
    let events = reader.by_ref().map(Result::unwrap).collect();
    let end = reader.handle().end().unwrap();
    (events, String::from_utf8(bytes.try_iter().flatten().collect()).unwrap(), end)
}

#[test]
fn the_sdk_of_mcp_answers_by_json_by_a_stream_or_by_202() {
    let Some(server) = start() else { return };
    let client = client().build().unwrap();
    let url = |path: &str| format!("http://{}{path}", server.address());

    let (events, bytes, end) = send(&client, &url("/json"), &initialize());
    assert_eq!((events.len(), matches!(end, End::Complete)), (0, true), "{end:?}");
    let answer: Value = serde_json::from_str(&bytes).unwrap();
    assert_eq!(answer["result"]["serverInfo"]["name"], "count");

    let (events, _, end) = send(&client, &url("/stream"), &initialize());
    // The first event has only an id, to resume from.
    assert_eq!((events.len(), events[0].data(), matches!(end, End::Complete)), (2, "", true), "{end:?}");
    assert_eq!(events[1].json::<Value>().unwrap(), answer);

    let notification = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    for path in ["/json", "/stream"] {
        let (events, bytes, end) = send(&client, &url(path), &notification);
        assert_eq!((events.len(), bytes.as_str(), matches!(end, End::NoStream(202))), (0, "", true), "{end:?}");
    }
}

#[test]
fn the_answer_of_a_tool_of_mcp_is_resumed_after_every_reset() {
    let Some(server) = start() else { return };
    let forwarder = Forwarder::passing(server.address(), 3_000);
    let client = client().build().unwrap();
    let url = format!("http://{}/stream", forwarder.address());
    send(&client, &url, &initialize());

    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "count"}});
    let protocol = ("Mcp-Protocol-Version", "2025-11-25");
    let events = client.connect("call", post(&url, &call).header(protocol.0, protocol.1)).unwrap();
    let mut received = Vec::new();
    let error = receive(&events, &mut received).expect("the answer was not cut");
    assert!(matches!(error, Error::Io(_) | Error::Disconnected), "{error}");
    // From here on by GET, which comes back by itself.
    let resume = Request::get(&url)
        .header("Mcp-Session-Id", "session")
        .header(protocol.0, protocol.1)
        .last_event_id(events.handle().last_event_id().as_deref())
        .retry(RetryPolicy::constant(Duration::from_millis(10)).max_retries(None))
        .until(|event| event.json::<Value>().is_ok_and(|message| message["id"] == 2));
    let events = client.connect("resumed", resume).unwrap();
    assert!(receive(&events, &mut received).is_none());
    assert!(matches!(events.handle().end(), Some(End::Until)));

    let expected: Vec<u64> = (1..=EVENTS as u64).collect();
    let lost = expected.iter().filter(|number| !received.contains(number)).count();
    let doubled = received.len() + lost - EVENTS;
    let (attempts, resets) = (events.handle().stats().attempts + 1, forwarder.resets());
    say(&format!(
        "SDK of MCP: {} messages, {lost} lost, {doubled} doubled; {resets} resets, {attempts} requests",
        received.len()
    ));
    assert_eq!((lost, doubled), (0, 0));
    assert!(received == expected, "the messages came out of order");
    assert!(resets > 5, "the forwarder hardly ever broke it: {resets} times");
}

/// Receives the numbers until the stream ends, and returns its error if it has one.
fn receive(events: &Events, received: &mut Vec<u64>) -> Option<Error> {
    loop {
        match events.recv_timeout(DEADLINE) {
            Ok(Ok(event)) if event.data().is_empty() => {}
            Ok(Ok(event)) => received.push(event.json::<Value>().unwrap()["params"]["data"].as_u64().unwrap()),
            Ok(Err(error)) => return Some(error),
            Err(error) if error.is_disconnected() => return None,
            Err(error) => panic!("{error} after {} messages: {:?}", received.len(), events.handle()),
        }
    }
}
