//! An answer that arrives word by word: `cargo run --example chat [-- URL MODEL]`.
//!
//! A POST with a JSON body, which is not repeated, and events decoded into a custom type. The URL is that of an
//! OpenAI-compatible server (`https://…/v1/chat/completions`), its key comes from `API_KEY`; without a URL a server inside
//! this program answers. Such a stream ends with the data `[DONE]`: with `until`, a response that breaks off is an error.

#![allow(clippy::print_stdout, reason = "printing is what an example does")]

use http_sse::{Client, Request};
use std::error::Error;
use std::io::{self, Write};
use std::net::TcpStream;

mod shared;

#[derive(serde::Deserialize)]
struct Chunk {
    choices: Vec<Choice>,
}
#[derive(serde::Deserialize)]
struct Choice {
    delta: Delta,
}
#[derive(serde::Deserialize)]
struct Delta {
    content: Option<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let (client, url) = match std::env::args().nth(1) {
        Some(url) => (Client::new(), url),
        None => (Client::builder().no_proxy().build()?, shared::serve(answer)?),
    };
    let model = std::env::args().nth(2).unwrap_or_else(|| "any".into());
    let messages = [serde_json::json!({"role": "user", "content": "What is a crab?"})];
    let body = serde_json::json!({"model": model, "stream": true, "messages": messages});
    let mut request = Request::post(url).json(&body).until(|event| event.data() == "[DONE]");
    if let Ok(key) = std::env::var("API_KEY") {
        request = request.bearer_auth(key);
    }
    for chunk in client.read("chat", request)?.json::<Chunk>() {
        for choice in chunk?.value.choices {
            print!("{}", choice.delta.content.unwrap_or_default());
        }
        io::stdout().flush()?;
    }
    println!();
    Ok(())
}

fn answer(_: &str, connection: &mut TcpStream) -> io::Result<()> {
    shared::open(connection)?;
    for word in ["A ", "crab ", "walks ", "sideways."] {
        write!(connection, "data: {}\n\n", serde_json::json!({"choices": [{"delta": {"content": word}}]}))?;
    }
    connection.write_all(b"data: [DONE]\n\n")
}
