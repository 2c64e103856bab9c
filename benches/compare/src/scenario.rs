//! What the server sends.

/// One kind of stream.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub title: &'static str,
    /// One event in a chunk of its own, or a body that ends with the connection.
    pub chunked: bool,
    pub tls: bool,
    /// How many events per second the server sends, each in a write of its own; 0 as fast as they are taken. At full speed a
    /// faster reader waits more often: what a real stream costs is seen at a fixed rate.
    pub rate: u32,
    /// How many events a run of the bench consumes.
    pub events: u64,
    event: fn() -> String,
}

/// One event a millisecond, with the time of sending in it.
pub const LATENCY: &str = "latency";
/// One event a connection, with the time in it at which the connection before was closed.
pub const RECONNECT: &str = "reconnect";
/// Events five seconds apart, to see what is done in between. Not measured by the bench.
pub const IDLE: &str = "idle";

const CLOSE: Scenario = Scenario { name: "", title: "", chunked: false, tls: false, rate: 0, events: 0, event: llm };

/// Those of which the speed is measured.
pub const ALL: [Scenario; 9] = [
    Scenario { name: "tiny", title: "32 B events, close-delimited", events: 4_000_000, event: tiny, ..CLOSE },
    Scenario {
        name: "tiny-chunked",
        title: "32 B events, one per chunk",
        chunked: true,
        events: 1_000_000,
        event: tiny,
        ..CLOSE
    },
    Scenario { name: "typed", title: "512 B events with id and type, close", events: 1_000_000, event: typed, ..CLOSE },
    Scenario { name: "large", title: "64 KiB events, close", events: 12_000, event: large, ..CLOSE },
    Scenario { name: "llm", title: "LLM tokens (180 B JSON), close", events: 2_000_000, ..CLOSE },
    Scenario { name: "llm-chunked", title: "LLM tokens, one per chunk", chunked: true, events: 1_000_000, ..CLOSE },
    Scenario { name: "tls", title: "LLM tokens over TLS, close", tls: true, events: 1_000_000, ..CLOSE },
    Scenario { name: "paced-1000", title: "LLM tokens, 1,000 per second", rate: 1_000, events: 3_000, ..CLOSE },
    Scenario { name: "paced-20000", title: "LLM tokens, 20,000 per second", rate: 20_000, events: 60_000, ..CLOSE },
];

impl Scenario {
    pub fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|scenario| scenario.name == name)
    }

    /// One event as it stands in the stream.
    pub fn text(&self) -> String {
        (self.event)()
    }

    /// One event with its framing.
    pub fn framed(&self) -> Vec<u8> {
        let text = self.text();
        if self.chunked { format!("{:x}\r\n{text}\r\n", text.len()).into_bytes() } else { text.into_bytes() }
    }
}

fn tiny() -> String {
    format!("data: {}\n\n", "x".repeat(24))
}

fn typed() -> String {
    let head = "event: quote\nid: 1234567890\ndata: ";
    format!("{head}{}\n\n", "x".repeat(512 - head.len() - 2))
}

fn large() -> String {
    format!("data: {}\n\n", "x".repeat((64 << 10) - 8))
}

fn llm() -> String {
    let head = r#"data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":[{"index":0,"delta":{"content":""#;
    let tail = "\"},\"finish_reason\":null}]}\n\n";
    format!("{head}{}{tail}", " token".repeat((180usize.saturating_sub(head.len() + tail.len())) / 6 + 1))
}
