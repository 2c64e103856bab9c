//! A blocking Server-Sent Events client: no async runtime, bounded memory, and an immediate stop.
//!
//! Built for unattended programs that must keep reading a stream and report why it ended: scripts, daemons, devices like a
//! Raspberry Pi. Iterate over events, or `select!` on them like on any crossbeam channel; or read on your own thread, without
//! a channel. The client reconnects, resumes at the last event, and stops immediately in any state.
//!
//! ```no_run
//! use http_sse::{Client, Request, RetryPolicy};
//!
//! let request = Request::get("https://example.com/events").retry(RetryPolicy::forever());
//! for event in Client::new().connect("news", request)? {
//!     let event = event?;
//!     println!("{}: {}", event.event_type(), event.data());
//! }
//! # Ok::<(), http_sse::Error>(())
//! ```
//!
//! A [`Client`] opens connections, each with its own id. A [`Request`] describes what to ask for and how to handle the
//! response; it is sent again on every reconnect. A connection yields [`Event`]s, as `Result<Event, Error>`.
//!
//! # Which call do I want?
//!
//! | you want | call | the connection runs |
//! |---|---|---|
//! | a loop, `select!`, timeouts, several consumers | [`Client::connect`] → [`Events`] | on its own thread |
//! | one stream with the least memory and power | [`Client::read`] → [`EventReader`] | inside your `next()` |
//! | callbacks only | [`Client::listen`] → [`Handle`] | on its own thread |
//! | many streams in one loop | [`Client::connect_all`] → [`Merged`] | one thread per stream |
//! | streams added at run time | [`Client::connect_to`], sends to your channel | on its own thread |
//! | another receiver of a stream | [`Client::subscribe`] → [`Events`] | as before |
//! | to parse bytes from another source | [`parser`] | – |
//!
//! # Tour
//!
//! **With other channels.** [`Events`] dereferences to a crossbeam `Receiver`, which `select!` accepts. When the connection
//! has ended, replace it with `never()`:
//!
//! ```no_run
//! use http_sse::crossbeam_channel::{never, select, tick};
//! use http_sse::{Client, Request};
//! use std::time::Duration;
//!
//! let mut meter = Some(Client::new().connect("meter", Request::get("https://example.com/meter"))?);
//! let ticker = tick(Duration::from_secs(1));
//! while meter.is_some() {
//!     select! {
//!         recv(meter.as_deref().unwrap_or(&never())) -> item => match item {
//!             Ok(event) => println!("{}", event?.data()),
//!             Err(_) => meter = None,
//!         },
//!         recv(ticker) -> _ => println!("still here"),
//!     }
//! }
//! # Ok::<(), http_sse::Error>(())
//! ```
//!
//! **Typed events.** `json` decodes the data of each event; `typed` decodes into an enum whose variants are event types. A
//! document that does not parse is an `Err` that does not end the stream. With [`Request::until`] a stream ends at the last
//! event of its protocol, and a response that breaks off earlier is an error:
//!
#![cfg_attr(feature = "json", doc = "```no_run")]
#![cfg_attr(not(feature = "json"), doc = "```ignore")]
//! use http_sse::{Client, Request};
//!
//! #[derive(serde::Deserialize)]
//! struct Token { text: String }
//!
//! let request = Request::post("https://example.com/generate")
//!     .body(r#"{"prompt": "crab"}"#, "application/json")
//!     .until(|event| event.data() == "[DONE]");
//! for token in Client::new().read("answer", request)?.json::<Token>() {
//!     match token {
//!         Ok(token) => print!("{}", token.value.text),
//!         Err(error) if error.is_json() => eprintln!("skipped: {error}"),
//!         Err(error) => return Err(error),
//!     }
//! }
//! # Ok::<(), http_sse::Error>(())
//! ```
//!
//! **From another thread.** A [`Handle`] stops the connection, makes it reconnect, waits for it, and returns its [`State`],
//! [`Stats`] and [`End`]:
//!
//! ```no_run
//! use http_sse::{Client, Request};
//! use std::time::Duration;
//!
//! let client = Client::new();
//! let handle = client.listen("door", Request::get("https://example.com/door").on_event(|event| println!("{event}")))?;
//! if handle.wait_open(Duration::from_secs(10)) {
//!     println!("{} bytes so far", handle.stats().bytes);
//! }
//! handle.stop();
//! handle.join();
//! # Ok::<(), http_sse::Error>(())
//! ```
//!
//! **Across restarts.** A [`Checkpoint`] stores the id of the last handled event in a file;
//! [`Request::last_event_id`] resumes from it.
//!
//! **In tests.** Write event handling against any iterator of events: it then accepts [`Events`], an [`EventReader`], and in
//! a test an array of [`Event::new`] and any [`Error`].
#![cfg_attr(feature = "testing", doc = "To test against a real socket, use the scripted server in [`testing`].")]
#![cfg_attr(
    not(feature = "testing"),
    doc = "To test against a real socket, use the scripted server of the feature `testing`."
)]
//!
//! ```
//! use http_sse::{Error, Event};
//!
//! fn total(events: impl IntoIterator<Item = Result<Event, Error>>) -> Result<f64, Error> {
//!     let mut total = 0.0;
//!     for event in events {
//!         total += event?.data().parse().unwrap_or(0.0);
//!     }
//!     Ok(total)
//! }
//!
//! let events = [Ok(Event::new("reading", "1.5")), Ok(Event::new("reading", "2"))];
//! assert_eq!(total(events).ok(), Some(3.5));
//! assert!(total([Err(Error::Disconnected)]).is_err());
//! ```
//!
//! # Guarantees
//!
//! - **An `Err` is terminal and last.** A failure that is retried goes to [`Request::on_error`], the log and the [`Handle`],
//!   never to the loop. The one exception is [`Error::is_json`]: a document that does not parse.
//! - **A loop that ends without an `Err` ended on purpose**; [`Handle::end`] says why.
//! - **Starting needs no network.** A device that boots before its network is not an error.
//! - **A stop is immediate and never blocks**, even during a DNS lookup, a TLS handshake or with a full channel.
//!   Dropping the last [`Events`] is a stop.
//! - **Memory is bounded**: the channel ([`Request::capacity`]), an event ([`Request::max_event_size`]), the response head
//!   (20 KiB), the body of an error (4 KiB). An idle connection causes no wake-ups.
//! - **Nothing is lost that the server can repeat.** The last event id, or a [`Cursor`], survives reconnects; with a
//!   [`Checkpoint`] it survives restarts and power cuts.
//! - **A server is never overloaded by retries**: delays grow and are randomised, `Retry-After` is a lower bound, and a response
//!   without any event counts as a failure. See [`RetryPolicy`].
//! - **Secrets do not leak**: neither the log nor `Debug` shows header values, queries, user names or data. A redirect to another
//!   origin drops `Authorization`, cookies and custom headers unless [`Request::trust_origin`] lists it.
//! - **Timers never use the wall clock**, so setting the clock neither fires nor delays anything.
//!
//! # Log levels
//!
//! The crate logs through the [`log`] facade. The levels are part of the interface:
//!
//! | level | what |
//! |---|---|
//! | `error!` | never |
//! | `warn!` | a failure, with the delay before the next attempt or giving up; streams that end quickly; an event skipped as too large; an id or cursor that cannot be sent; a panic of `on_close`, or of a callback's captured value when it is dropped; a socket option that cannot be set; a checkpoint that is damaged or cannot be written; root certificates that cannot be reloaded |
//! | `info!` | a checkpoint that can be written again |
//! | `debug!` | attempts, responses and their status, redirects, ends |
//! | `trace!` | sizes of what is read and delivered, never contents |
//!
//! All targets are `http_sse` or below it. **Enable no other target if others may read the log:** the dependencies `ureq` and
//! `ureq_proto` log queries at debug level, and complete heads with `Authorization` and the contents of the stream at trace
//! level. With `env_logger`, set `RUST_LOG=http_sse=trace`, never `RUST_LOG=trace`; a custom logger, as in the example
//! `ssecat`, checks the target:
//!
//! ```
//! struct Lines;
//!
//! impl log::Log for Lines {
//!     fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
//!         metadata.target().split("::").next() == Some("http_sse")
//!     }
//!
//!     fn log(&self, record: &log::Record<'_>) {
//!         if self.enabled(record.metadata()) {
//!             eprintln!("{}: {}", record.level(), record.args());
//!         }
//!     }
//!
//!     fn flush(&self) {}
//! }
//!
//! log::set_logger(&Lines)?;
//! log::set_max_level(log::LevelFilter::Debug);
//! # Ok::<(), log::SetLoggerError>(())
//! ```
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `tls` | on | https by [rustls](https://docs.rs/rustls) with ring and the Mozilla roots; without it http only |
//! | `json` | on | `Request::json`, `Event::json`, `Event::typed`, typed iteration |
//! | `native-roots` | off | `ClientBuilder::native_roots`: the roots of the system, with or instead of the Mozilla roots |
//! | `multipart` | off | `Request::multipart`: forms with files |
//! | `gzip` | off | `Request::accept_gzip`: compressed streams, decoded event by event |
//! | `testing` | off | a scripted event stream server for the tests of your program |
//!
//! # Versions of other crates
//!
//! Types of these crates are part of the public API:
//!
//! | crate | where |
//! |---|---|
//! | `crossbeam-channel` 0.5 | [`Events`], [`Merged`], [`Client::connect_to`] |
//! | `rustls` 0.23 | `ClientBuilder::tls_config` |
//! | `serde` 1, `serde_json` 1 | `Request::json`, `json` and `typed`, [`JsonError::cause`] |
//!
//! The first two are exported: as `http_sse::crossbeam_channel` and `http_sse::rustls` your program always uses the right
//! version. Incompatible versions of these crates (0.6, 0.24) come with an incompatible version of this crate: a new minor
//! version before 1.0, a new major version after. All other dependencies may change in any release. Loggers need the [`log`]
//! facade in version 0.4.
//!
//! # Threads and platforms
//!
//! Each connection of `connect` and `listen` has one thread, named `sse-<id>`, with a stack of 256 KiB by default
//! ([`ClientBuilder::stack_size`]). Short-lived helper threads, `sse-open-<id>` and `sse-close-<id>`, open and close its
//! sockets, so that an idle connection uses little memory. Hooks of a custom `tls_config` run there; callbacks never do.
//! A DNS lookup runs on a helper thread `sse-dns`, one per name and client; a lookup that hangs in the system's resolver may
//! outlive a stop. If the system refuses that thread, the lookup runs on the connection's own thread, and only then a stop
//! waits for the resolver. If a host has several addresses, each connect runs on a helper thread `sse-tcp`.
//!
//! # What it does not do
//!
//! - No async API. In an async program, use an async client.
//! - HTTP/1.1 only. No cookies, no cache, no SOCKS proxies, no compression except gzip on request.
//! - Events without ids that are sent while the client is disconnected are lost; [`Request::mark_gaps`] marks where. Across
//!   restarts of the program it delivers at least once, not exactly once.
//! - It does not remember permanent redirects: every reconnect goes to the original URL.
//! - Linux is the target. The crate compiles for Windows, macOS and FreeBSD, but no test has run there. On Windows a stop takes
//!   up to 100 ms.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub use crossbeam_channel;
#[cfg(feature = "tls")]
pub use rustls;

mod request;

mod client;

mod broadcast;
mod channel;
mod clock;
mod coding;
mod connection;
mod delivery;
mod parking;
mod spin;
mod worker;

mod http;
mod member;
mod transport;

pub mod parser;

mod event;
mod gap;
mod ledger;
mod place;

mod checkpoint;
mod receiver;

mod cancel;
mod error;
mod handle;
mod retry;
mod rounded;
mod sync;

#[cfg(http_sse_simulation)]
#[allow(
    missing_docs,
    missing_debug_implementations,
    clippy::exhaustive_enums,
    clippy::expect_used,
    reason = "for tests alone"
)]
pub mod simulation;

#[cfg(feature = "testing")]
pub mod testing;

pub use broadcast::Overflow;
pub use checkpoint::{Checkpoint, Checkpointed};
pub use client::{Client, ClientBuilder};
pub use delivery::Delivery;
pub use error::{Error, ErrorResponse, JsonError, PanicOrigin, PinMismatch, Timeout};
pub use event::Event;
pub use gap::{Gap, Reconnected};
pub use handle::{End, Handle, State, Stats};
#[cfg(feature = "json")]
pub use receiver::{Decoded, JsonEvents};
pub use receiver::{EventReader, Events, Merged, NextTimeoutError};
#[cfg(feature = "multipart")]
pub use request::Multipart;
pub use request::{Attempt, Cursor, Request, Response};
pub use retry::RetryPolicy;

/// The programs in the README compile.
#[cfg(all(doctest, feature = "tls", feature = "json"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// The requests in docs/services.md compile.
#[cfg(all(doctest, unix, feature = "tls", feature = "json"))]
#[doc = include_str!("../docs/services.md")]
struct Services;
