//! A blocking Server-Sent Events client: no async runtime, bounded memory, and an immediate stop.
//!
//! Built for unattended programs that must keep reading a stream and report why it ended: scripts, daemons, devices like a
//! Raspberry Pi. Iterate over events, or `select!` on them like on any crossbeam channel; or read on your own thread, without
//! one. It reconnects, resumes where it was, and stops at once, whatever it is doing.
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
//! A [`Client`] opens connections, each with its own id. A [`Request`] says what to ask for and how to treat the
//! response; it is sent again for every reconnect. What comes out are [`Event`]s, as `Result<Event, Error>`.
//!
//! # Which call do I want?
//!
//! | you want | call | the connection runs |
//! |---|---|---|
//! | a loop, `select!`, timeouts, several consumers | [`Client::connect`], gives [`Events`] | on its own thread |
//! | one stream with the least memory and power | [`Client::read`], gives an [`EventReader`] | inside your `next()` |
//! | callbacks alone | [`Client::listen`], gives a [`Handle`] | on its own thread |
//! | many streams in one loop | [`Client::connect_all`], gives [`Merged`] | on a thread each |
//! | streams that come and go | [`Client::connect_to`], fills your channel | on its own thread |
//! | one more receiver of a stream | [`Client::subscribe`], gives [`Events`] | as before |
//! | to parse bytes from elsewhere | [`parser`] | – |
//!
//! # Tour
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
//! **In tests.** Write event handling against any iterator of events: it takes [`Events`], a reader, and in a test a plain array,
//! of [`Event::new`] and any [`Error`].
#![cfg_attr(feature = "testing", doc = "For what happens on the wire there is a scripted server: [`testing`].")]
#![cfg_attr(
    not(feature = "testing"),
    doc = "For what happens on the wire there is a scripted server: feature `testing`."
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
//! - **An `Err` is terminal and last.** A failure that is tried again goes to [`Request::on_error`], the log and the [`Handle`],
//!   never to the loop. The one exception has a name: [`Error::is_json`], a document that does not parse.
//! - **A loop that ends without an `Err` ended on purpose**, and [`Handle::end`] says how.
//! - **Starting needs no network.** A device that boots before its network is not an error.
//! - **A stop is immediate and never blocks**, also in the middle of a DNS lookup, a connect, a TLS handshake or a full channel.
//!   Dropping the last [`Events`] is a stop.
//! - **Memory is bounded**: the channel ([`Request::capacity`]), an event ([`Request::max_event_size`]), the response head (20 KiB),
//!   an error's body (4 KiB). An idle connection causes no wake-ups.
//! - **Nothing is lost that the server can repeat.** The last event id, or a [`Cursor`], survives reconnects, and with a
//!   [`Checkpoint`] restarts and power cuts.
//! - **A server is never hammered**: waits grow and are spread at random, `Retry-After` is a lower bound, and a response without
//!   any event counts as a failure. See [`RetryPolicy`].
//! - **Secrets stay where they belong**: neither the log nor `Debug` shows header values, queries, user names or data, and a
//!   redirect to another origin takes along no header of yours unless [`Request::trust_origin`] names it.
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
//! | feature | default | what it adds |
//! |---|---|---|
//! | `tls` | on | https, by [rustls](https://docs.rs/rustls) with ring and the Mozilla roots; without it http alone |
//! | `json` | on | `Request::json`, `Event::json`, `Event::typed`, typed iteration |
//! | `native-roots` | off | `ClientBuilder::native_roots`: what the system trusts, beside the Mozilla roots or instead of them |
//! | `multipart` | off | `Request::multipart`, for forms with files |
//! | `gzip` | off | `Request::accept_gzip`: compressed streams, decoded event by event |
//! | `testing` | off | a scripted server of event streams, for the tests of your program |
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
//! # What it does not do
//!
//! - No async API: in an async program use an async client.
//! - HTTP/1.1 only. No cookies, no cache, no SOCKS proxies. Of compression gzip alone, where a
//!   request asks for it.
//! - Events without ids that are sent while the client is away are gone; [`Request::mark_gaps`] says where. Over restarts of the
//!   program it delivers at least once, not exactly once.
//! - A permanent redirect is not remembered: every reconnect goes to the original URL.
//! - Linux is the target. For Windows, macOS and FreeBSD it compiles; no test has run there. On Windows a stop is noticed within
//!   100 ms, not at once.

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
mod gap;
mod ledger;

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
pub use gap::{Gap, Reconnected};
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
