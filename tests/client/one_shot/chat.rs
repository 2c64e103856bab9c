//! A server that behaves as an OpenAI-compatible `POST /v1/chat/completions` with `"stream": true` does.

use http_sse::testing::{Peer, ReceivedRequest, Server};
use serde_json::{Value, json};

/// How the server answers one request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// All words, each as a chunk, then `[DONE]`.
    Whole,
    /// As many words, then the connection is cut in the middle of a chunk.
    CutAfter(usize),
    /// As many words, then a clean end without `[DONE]`.
    EndAfter(usize),
    /// All words and `[DONE]`, and the stream stays open.
    StaysOpen,
    /// As many words, then nothing more.
    StallsAfter(usize),
    /// As many words, then an error as the data of a chunk.
    ErrorAfter(usize),
    /// A status with an error document and a header of its own.
    Refusal(u16, &'static str, &'static [(&'static str, &'static str)]),
}

pub(crate) const WORDS: [&str; 4] = ["A ", "crab ", "walks ", "\u{2194}."];

/// The key that the server wants.
pub(crate) const KEY: &str = "sk-test";

/// Answers the requests in turn, and those beyond with the last reply.
pub(crate) fn serve(replies: Vec<Reply>) -> Server {
    let server = Server::serve(move |number, mut peer| {
        let reply = replies.get(number).or(replies.last()).unwrap();
        match fault(peer.request()) {
            None => answer(peer, reply),
            Some((status, message)) => refuse(&mut peer, status, message, &[]),
        }
    });
    server.unwrap()
}

/// What such servers refuse before they ask the model.
fn fault(asked: &ReceivedRequest) -> Option<(u16, &'static str)> {
    let body: Value = serde_json::from_slice(asked.body()).unwrap_or_default();
    if (asked.method(), asked.path()) != ("POST", "/v1/chat/completions") {
        return Some((404, "unknown url"));
    }
    if asked.header("authorization") != Some(&format!("Bearer {KEY}")) {
        return Some((401, "incorrect api key provided"));
    }
    if asked.header("content-type") != Some("application/json") || !body["messages"].is_array() {
        return Some((400, "'messages' is a required property"));
    }
    (body["stream"] != true).then_some((400, "this server only streams"))
}

fn answer(mut peer: Peer, reply: &Reply) {
    let words = match *reply {
        Reply::Refusal(status, message, headers) => return refuse(&mut peer, status, message, headers),
        Reply::CutAfter(words) | Reply::EndAfter(words) | Reply::ErrorAfter(words) | Reply::StallsAfter(words) => words,
        Reply::Whole | Reply::StaysOpen => WORDS.len(),
    };
    peer.stream();
    peer.send(chunk(json!({"role": "assistant", "content": ""}), None));
    for word in &WORDS[..words] {
        peer.send(chunk(json!({"content": word}), None));
    }
    match reply {
        Reply::CutAfter(_) => {
            let next = chunk(json!({"content": "lost"}), None);
            peer.send(&next[..next.len() / 2]);
            return peer.close_abruptly();
        }
        Reply::EndAfter(_) => return peer.end(),
        Reply::StallsAfter(_) => {
            peer.wait_for_close();
            return;
        }
        Reply::ErrorAfter(_) => {
            peer.send(format!("data: {}\n\n", document("the model is overloaded", 503)));
            return peer.end();
        }
        _ => {}
    }
    peer.send(chunk(json!({}), Some("stop")));
    peer.send("data: [DONE]\n\n");
    if matches!(reply, Reply::StaysOpen) {
        peer.wait_for_close();
        return;
    }
    peer.end();
}

fn chunk(delta: Value, finish_reason: Option<&str>) -> String {
    let chunk = json!({
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "crab-1",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    });
    format!("data: {chunk}\n\n")
}

fn refuse(peer: &mut Peer, status: u16, message: &str, headers: &[(&str, &str)]) {
    let mut all = vec![("Content-Type", "application/json")];
    all.extend(headers);
    peer.respond(status, &all, document(message, status).to_string());
}

fn document(message: &str, code: u16) -> Value {
    json!({"error": {"message": message, "type": "server_error", "param": null, "code": code.to_string()}})
}
