//! A scripted server of event streams, for tests (feature `testing`).
//!
//! A test of a program that reads an event stream wants a server that misbehaves on command: one that stays silent in the
//! middle of an event, cuts a chunked body, resets the connection, disappears and comes back. [`Server`] listens on a free
//! port of 127.0.0.1 and hands out each accepted connection as a [`Peer`], whose methods are the steps of a script.
//! Nothing is simulated: the bytes go over TCP.
//!
//! There are two ways to write a script. With [`Server::start`] the test itself takes the connections, one step after
//! the other and in step with what it asserts about the client. With [`Server::serve`] a closure runs in the background
//! while the test drives the client.
//!
//! A recording that `ssecat --record` has made of a real server needs no script: [`Server::replay`] plays it.
//!
//! Every wait has a limit of 10 s ([`Server::wait_limit`]) and panics when it passes: a test fails, it does not hang.
//! Dropping the server closes everything and joins its threads.
//!
//! # When the client goes away
//!
//! A step that finds the client gone is no failure of the test: many tests make the client leave. In a script of `serve`
//! it ends the script of that connection quietly, so that a script may send for ever; anywhere else it does nothing, except
//! that [`Peer::request`] panics, having nothing to return. [`Peer::try_send`] and [`Peer::try_request`] report it.
//! As always with TCP, the first write after the client has closed still succeeds.
//!
//! # Example: two connections, the second after a cut
//!
//! ```no_run
//! use http_sse::{Client, Event, Request, testing::Server};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::serve(|number, mut peer| {
//!     peer.stream();
//!     peer.event(&Event::new("message", format!("from connection {number}")));
//!     match number {
//!         0 => peer.reset(),
//!         _ => peer.end(),
//!     }
//! })?;
//!
//! let client = Client::builder().no_proxy().build()?;
//! let mut events = client.connect("two", Request::get(server.url("/events")))?;
//! assert!(events.next().is_some());
//! # Ok(())
//! # }
//! ```

mod answer;
mod asked;
mod closing;
mod door;
mod peer;
mod recording;
mod replay;
mod script;
mod server;

pub use answer::Framing;
pub use asked::Asked;
pub use peer::Peer;
pub use server::Server;
