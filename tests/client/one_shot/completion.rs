//! Answers of a language model, word by word.

use std::time::Duration;

use http_sse::{Client, Decoded, End, Error, Request, RetryPolicy};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::one_shot::chat::{KEY, Reply, WORDS, serve};
use support::deadline;
use support::transcript::{client, quick};

#[derive(Debug, Deserialize)]
struct Chunk {
    choices: Vec<Choice>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    delta: Delta,
    finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Delta {
    content: Option<String>,
}

/// What a program has of an answer.
#[derive(Debug)]
struct Answer {
    text: String,
    finish_reason: Option<String>,
    failure: Option<Error>,
    end: End,
    attempts: u64,
    requests: usize,
}

fn request(url: String) -> Request {
    let messages = [json!({"role": "user", "content": "How does a crab walk?"})];
    Request::post(url)
        .bearer_auth(KEY)
        .json(&json!({"model": "crab-1", "stream": true, "messages": messages}))
        .until(|event| event.data() == "[DONE]")
}

/// Asks a server that gives these replies, and collects the answer.
fn ask(replies: Vec<Reply>, shape: impl FnOnce(Request) -> Request) -> Answer {
    let server = serve(replies);
    let client: Client = client();
    let chunks = client.connect("chat", shape(request(server.url("/v1/chat/completions")))).unwrap().json::<Chunk>();
    let handle = chunks.handle();
    let mut answer =
        Answer { text: String::new(), finish_reason: None, failure: None, end: End::Stopped, attempts: 0, requests: 0 };
    for chunk in chunks {
        assert!(answer.failure.is_none(), "{chunk:?} after {:?}", answer.failure);
        match chunk {
            Err(error) => answer.failure = Some(error),
            Ok(Decoded { value, .. }) => {
                for choice in value.choices {
                    answer.text.push_str(&choice.delta.content.unwrap_or_default());
                    answer.finish_reason = choice.finish_reason;
                }
            }
        }
    }
    assert!(handle.join_timeout(deadline()));
    (answer.end, answer.attempts) = (handle.end().unwrap(), handle.stats().attempts);
    answer.requests = server.connections();
    answer
}

#[test]
fn an_answer_comes_in_typed_chunks_up_to_done() {
    for reply in [Reply::Whole, Reply::StaysOpen] {
        let answer = ask(vec![reply], |request| request);
        assert_eq!((answer.text, answer.finish_reason.as_deref()), (WORDS.concat(), Some("stop")));
        assert!(answer.failure.is_none() && matches!(answer.end, End::Until), "{:?}", answer.end);
        assert_eq!(answer.requests, 1);
    }
}

#[test]
fn a_reader_pulls_an_answer_word_by_word() {
    let server = serve(vec![Reply::Whole]);
    let reader = client().read("chat", request(server.url("/v1/chat/completions"))).unwrap();
    let handle = reader.handle();
    let contents = reader.json::<Value>().map(|chunk| {
        let delta = &chunk.unwrap().value["choices"][0]["delta"];
        delta["content"].as_str().unwrap_or_default().to_owned()
    });
    assert_eq!(contents.collect::<String>(), WORDS.concat());
    assert!(matches!(handle.end(), Some(End::Until)));
}

#[test]
fn an_answer_that_is_cut_in_the_middle_is_an_error_after_its_whole_chunks_and_not_asked_again() {
    let answer = ask(vec![Reply::CutAfter(2), Reply::Whole], |request| request);
    assert_eq!(answer.text, WORDS[..2].concat());
    assert!(matches!(answer.failure, Some(Error::Disconnected)), "{:?}", answer.failure);
    assert!(answer.failure.unwrap().is_transient());
    assert!(matches!(answer.end, End::Failed(Error::Disconnected)));
    assert_eq!((answer.attempts, answer.requests), (1, 1));
}

#[test]
fn an_answer_that_ends_without_done_is_an_error() {
    let answer = ask(vec![Reply::EndAfter(3), Reply::Whole], |request| request);
    assert_eq!(answer.text, WORDS[..3].concat());
    assert!(matches!(answer.failure, Some(Error::Disconnected)), "{:?}", answer.failure);
    assert_eq!((answer.attempts, answer.requests), (1, 1));
}

#[test]
fn an_empty_answer_is_an_error() {
    let answer = ask(vec![Reply::EndAfter(0)], |request| request);
    assert!(matches!(answer.failure, Some(Error::Disconnected)), "{:?}", answer.failure);
}

#[test]
fn a_rate_limit_tells_its_document_and_when_to_come_back_and_is_not_asked_again() {
    let limited = Reply::Refusal(429, "Rate limit reached", &[("Retry-After", "7")]);
    let answer = ask(vec![limited, Reply::Whole], |request| request);
    let error = answer.failure.unwrap();
    assert_eq!((error.status(), error.retry_after()), (Some(429), Some(Duration::from_secs(7))));
    let document: Value = serde_json::from_str(error.body().unwrap()).unwrap();
    assert_eq!(document["error"]["message"], "Rate limit reached");
    assert_eq!(document["error"]["code"], "429");
    assert!(error.is_transient());
    assert_eq!((answer.text.as_str(), answer.attempts, answer.requests), ("", 1, 1));
}

#[test]
fn an_overloaded_server_is_asked_again_where_the_program_says_so() {
    let busy = Reply::Refusal(503, "overloaded", &[]);
    let answer = ask(vec![busy.clone(), busy, Reply::Whole], |request| request.retry(quick()));
    assert_eq!((answer.text, answer.requests), (WORDS.concat(), 3));
    assert!(matches!(answer.end, End::Until));
}

#[test]
fn a_wrong_key_is_refused_for_good() {
    let answer = ask(vec![Reply::Whole], |request| request.bearer_auth("sk-wrong").retry(quick()));
    let error = answer.failure.unwrap();
    assert_eq!(error.status(), Some(401));
    assert!(error.body().unwrap().contains("incorrect api key"), "{error:?}");
    assert_eq!(answer.requests, 1);
}

#[test]
fn a_key_is_renewed_before_the_answer() {
    let answer = ask(vec![Reply::Whole], |request| {
        request.bearer_auth("sk-old").before_connect(|attempt| {
            if attempt.last_error().and_then(Error::status) == Some(401) {
                attempt.bearer_auth(KEY);
            }
        })
    });
    assert_eq!((answer.text, answer.requests), (WORDS.concat(), 2));
    assert!(matches!(answer.end, End::Until));
}

#[test]
fn an_error_document_among_the_chunks_is_a_json_error_that_holds_it() {
    let server = serve(vec![Reply::ErrorAfter(1)]);
    let request = request(server.url("/v1/chat/completions"));
    let mut chunks = client().connect("chat", request).unwrap().json::<Chunk>();
    let (first, second) = (chunks.next().unwrap().unwrap(), chunks.next().unwrap().unwrap());
    assert_eq!(first.value.choices[0].delta.content.as_deref(), Some(""));
    assert_eq!(second.value.choices[0].delta.content.as_deref(), Some(WORDS[0]));
    let error = chunks.next().unwrap().unwrap_err();
    assert!(error.is_json(), "{error:?}");
    let document: Value = error.event().unwrap().json().unwrap();
    assert_eq!(document["error"]["message"], "the model is overloaded");
    assert!(matches!(chunks.next(), Some(Err(Error::Disconnected))));
    assert!(chunks.next().is_none());
}

#[test]
fn a_chunk_of_another_shape_is_skipped_by_who_wants_to() {
    let server = serve(vec![Reply::Whole]);
    let request = request(server.url("/v1/chat/completions")).retry(RetryPolicy::never());
    let events = client().connect("chat", request).unwrap();
    let numbers: Vec<_> = events.json::<u32>().collect();
    assert_eq!(numbers.len(), WORDS.len() + 2);
    assert!(numbers.iter().all(|number| number.as_ref().is_err_and(Error::is_json)));
}

#[test]
fn an_answer_is_left_in_the_middle() {
    let server = serve(vec![Reply::StallsAfter(2)]);
    let mut chunks = client().connect("chat", request(server.url("/v1/chat/completions"))).unwrap().json::<Chunk>();
    let handle = chunks.handle();
    assert!(chunks.next().unwrap().is_ok());
    drop(chunks);
    assert!(handle.join_timeout(deadline()));
    assert!(matches!(handle.end(), Some(End::Stopped)));
}
