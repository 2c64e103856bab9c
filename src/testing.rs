//! A scripted event stream server for tests (feature `testing`).
//!
//! A test of a program that reads an event stream needs a server that misbehaves on command: one that stays silent in
//! the middle of an event, cuts a chunked body, resets the connection, disappears and returns. [`Server`] listens on a
//! free port of 127.0.0.1 and yields each accepted connection as a [`Peer`], whose methods are the steps of a script.
//! Nothing is simulated: the bytes go over TCP.
//!
//! There are two ways to write a script. With [`Server::start`] the test itself accepts the connections, step by step
//! together with its assertions about the client. With [`Server::serve`] a closure runs in the background while the
//! test drives the client.
//!
//! A recording by `ssecat --record` of a real server needs no script: [`Server::replay`] replays it.
//!
//! Every wait has a limit of 10 s ([`Server::wait_limit`]) and panics when it is exceeded: a test fails, it does not
//! hang. Dropping the server closes everything and joins its threads.
//!
//! # When the client goes away
//!
//! A step after the client has disconnected is not a failure of the test, since many tests make the client disconnect.
//! In a script of `serve` it ends the script of that connection silently, so a script may send in an endless loop;
//! elsewhere it has no effect, except that [`Peer::request`] panics, since it has nothing to return. [`Peer::try_send`]
//! and [`Peer::try_request`] return it as an error. As always with TCP, the first write after the client has closed
//! still succeeds.
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
mod closing;
mod peer;
mod port;
mod received_request;
mod recording;
mod replay;
mod script;
mod server;

pub use answer::Framing;
pub use peer::Peer;
pub use received_request::ReceivedRequest;
pub use server::Server;
