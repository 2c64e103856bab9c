//! A blocking Server-Sent Events client: no async runtime, bounded memory, and a stop that stops at once.
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
//! # Tour
//!
//! A [`Client`] opens connections, each with an id of its own. A [`Request`] says what to ask for and how to treat the
//! answer; it is sent again for every reconnect. What comes out are [`Event`]s, as `Result<Event, Error>`.
//!
//! | how to consume | the connection runs | take it for |
//! |---|---|---|
//! | [`Client::connect`] gives [`Events`] | on a thread of its own | a loop, `select!`, timeouts, several consumers |
//! | [`Client::read`] gives an [`EventReader`] | inside your `next()` | one stream, the least memory and power |
//! | [`Client::listen`] gives a [`Handle`] | on a thread of its own | callbacks alone |
//! | [`Client::connect_all`] gives [`Merged`] | on a thread each | many streams in one loop |
//! | [`Client::connect_to`] fills your channel | on a thread of its own | streams that come and go |
//!
//! **Beside other channels.** [`Events`] derefs to a crossbeam `Receiver`, which `select!` takes. A connection that is
//! over becomes `None`, and `never()` stands in for it:
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
//! **Typed events.** `json` decodes each event's data, `typed` into an enum whose variants are event types. One bad document
//! is an `Err` that does not end the stream; with [`Request::until`] a stream ends where its protocol says, and a cut answer
//! is an error:
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
//! **From elsewhere.** A [`Handle`] stops the connection, makes it reconnect, waits for it and tells its [`State`],
//! [`Stats`] and [`End`], from any thread:
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
//! **Over restarts.** A [`Checkpoint`] keeps the id of the last event handled in a file, and
//! [`Request::last_event_id`] takes it up again.
//!
//! **In tests.** What consumes events can be written for any `IntoIterator<Item = Result<Event, Error>>`, and then takes
//! a plain array in a test, of [`Event::new`] and any [`Error`].
#![cfg_attr(feature = "testing", doc = "For what happens on the wire there is a scripted server: [`testing`].")]
#![cfg_attr(
    not(feature = "testing"),
    doc = "For what happens on the wire there is a scripted server: feature `testing`."
)]
//!
//! **Only the parser.** [`parser`] turns bytes into frames, and opens no socket.
//!
//! # Guarantees
//!
//! - **An `Err` is terminal and last.** A failure that is tried again never reaches the consumer: it goes to
//!   [`Request::on_error`], the log, [`Handle::state`] and [`Handle::stats`]. (`JsonEvents` adds errors for which
//!   [`Error::is_json`] is true; these do not end anything.)
//! - **A loop that ends without an `Err` ended on purpose**, and [`Handle::end`] says how.
//! - **Starting needs no network.** [`Client::connect`] checks the request, takes the id, starts the thread. A device
//!   that boots before its network is not an error.
//! - **A stop never blocks and is immediate**, also in the middle of a look-up, connect, TLS handshake or full channel.
//!   Dropping the last [`Events`] of a connection is a stop. An idle connection does not wake up to poll for it.
//! - **Memory is bounded**: the channel ([`Request::capacity`]), an event ([`Request::max_event_size`]), the response
//!   head (20 KiB) and what is kept of an error's body (4 KiB).
//! - **The last event id survives** any number of reconnects, until the server changes it.
//! - **A server is never hammered**: waits grow and are spread at random, `Retry-After` is a lower bound, a response
//!   that ends without any event counts as a failure, and [`Handle::reconnect`] may be called as often as you like. See
//!   [`RetryPolicy`].
//! - **Secrets stay where they belong**: a redirect to another origin takes along no header of yours unless
//!   [`Request::trust_origin`] names it (a body goes along: [`Request::keep_body_at_origin`]), and neither the log nor
//!   `Debug` shows header values, query strings, user names or event data. This holds for what this crate logs, not for
//!   [the crates below](#log-levels).
//! - **Timers never use the wall clock**: the first time synchronisation of a device fires and freezes nothing.
//!
//! # Log levels
//!
//! Through the [`log`] facade. The levels are part of the interface:
//!
//! | level | what |
//! |---|---|
//! | `error!` | never |
//! | `warn!` | a failure with the wait before the next attempt, or giving up; an event skipped as too large; a file of root certificates that cannot be read again |
//! | `debug!` | attempts, responses and their status, redirects, ends |
//! | `trace!` | sizes of what is read and delivered, never contents |
//!
//! All of them have the target `http_sse` or one below it. **Let no other target through where a log may be read by
//! others:** the crates below (`ureq`, `ureq_proto`) log queries at debug level, and at trace level whole heads with
//! `Authorization` and what the stream holds. With `env_logger` write `RUST_LOG=http_sse=trace`, never `RUST_LOG=trace`;
//! a logger of your own, as the example `ssecat` has one, looks at the target:
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
//! - `tls` (default): https, by [rustls](https://docs.rs/rustls) with the ring provider and the Mozilla roots. Without it
//!   only http URLs are accepted.
//! - `json` (default): `Request::json`, `Event::json` and typed iteration.
//! - `multipart`: `Request::multipart`, for forms with files.
//! - `gzip`: `Request::accept_gzip`, for answers that are compressed, decoded event by event.
//! - `testing`: a scripted server of event streams for the tests of programs that use this crate.
//!
//! # Threads and platforms
//!
//! Each connection of `connect` and `listen` has one thread, named `sse-<id>`, with a stack of 256 KiB by default
//! ([`ClientBuilder::stack_size`]). Short-lived helpers, `sse-open-<id>` and `sse-close-<id>`, open and close its
//! sockets, so that an idle one holds little memory: what a `tls_config` of yours calls runs there, callbacks never do.
//! A DNS lookup runs on a helper thread too, one per name and client; one that the system does not give up may outlive a
//! stop. Where the system refuses that thread, the lookup runs on the connection's own: only there a stop waits for the
//! system's resolver. Of several addresses of a host each that is tried takes a helper `sse-tcp` while it connects.
//!
//! Linux is the target; elsewhere it compiles, and no test has run. On Windows a blocked read notices a stop within 100 ms.
//!
//! # What this crate does not do
//!
//! - No async API, no HTTP/2, no compression but gzip, no cookies, no SOCKS proxies, no certificate store of the system.
//! - It does not remember a permanent redirect: every reconnect goes to the original URL.
//! - It does not make a stream complete that the server does not repeat: events without ids that are sent while the
//!   client is away are gone.
//! - It delivers at least once, not exactly once, over restarts of the program.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub use crossbeam_channel;
#[cfg(feature = "tls")]
pub use rustls;

mod request;

mod client;

mod broadcast;
mod channel;
mod clock;
mod connection;
mod parking;
mod spin;
mod worker;

mod http;
mod member;
mod transport;

pub mod parser;

mod event;

mod checkpoint;
mod receiver;

mod error;
mod handle;
mod retry;
mod rounded;
mod stop;

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
pub use error::{Error, ErrorResponse, JsonError, PanicOrigin, PinMismatch, Timeout};
pub use event::Event;
pub use handle::{End, Handle, State, Stats};
#[cfg(feature = "json")]
pub use receiver::{Decoded, JsonEvents};
pub use receiver::{Delivery, EventReader, Events, Merged};
#[cfg(feature = "multipart")]
pub use request::Multipart;
pub use request::{Attempt, Cursor, Opened, Request};
pub use retry::RetryPolicy;

/// The programs in the README compile.
#[cfg(all(doctest, feature = "tls", feature = "json"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// So do the requests for the services.
#[cfg(all(doctest, unix, feature = "tls", feature = "json"))]
#[doc = include_str!("../docs/services.md")]
struct Services;
