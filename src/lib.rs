//! A blocking Server-Sent Events client.

pub use crossbeam_channel;
#[cfg(feature = "tls")]
pub use rustls;

mod request;

mod client;

mod connection;
mod outlet;
mod worker;

mod http;
mod transport;

pub mod parser;

mod event;

mod checkpoint;
mod receiver;

mod error;
mod handle;
mod retry;
mod stop;

#[cfg(feature = "testing")]
pub mod testing;

pub use checkpoint::{Checkpoint, Checkpointed};
pub use client::{Client, ClientBuilder};
pub use error::{Error, JsonError, Status, Timeout};
pub use event::Event;
pub use handle::{End, Handle, State, Stats};
pub use outlet::Overflow;
#[cfg(feature = "json")]
pub use receiver::{Decoded, JsonEvents};
pub use receiver::{EventReader, Events, Merged};
#[cfg(feature = "multipart")]
pub use request::Multipart;
pub use request::{Attempt, Opened, Request};
pub use retry::RetryPolicy;
