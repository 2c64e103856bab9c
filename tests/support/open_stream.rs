//! A connection whose stream is open, with its server.

use std::fmt::Display;

use http_sse::testing::{Peer, Server};
use http_sse::{Client, Events, Handle, Request};

use super::phase::{await_events, unique_id};
use super::transcript::{client, quick};

pub struct OpenStream {
    pub server: Server,
    pub client: Client,
    pub id: String,
    pub rx: Events,
    pub peer: Peer,
}

impl OpenStream {
    /// Connects with what `shape` makes of a request under [`quick`].
    pub fn new(shape: impl FnOnce(Request) -> Request) -> Self {
        let (server, client, id) = (Server::start().unwrap(), client(), unique_id());
        let rx = client.connect(&id, shape(Request::get(server.url("/")).retry(quick()))).unwrap();
        let mut peer = server.accept();
        peer.stream();
        Self { server, client, id, rx, peer }
    }

    /// Returns another receiver of the connection.
    pub fn subscribe(&self) -> Events {
        self.client.subscribe(&self.id).unwrap()
    }

    pub fn handle(&self) -> Handle {
        self.rx.handle()
    }

    pub fn send(&mut self, data: &[&str]) {
        let text: String = data.iter().map(|data| format!("data: {data}\n\n")).collect();
        self.peer.send(text);
    }

    /// Waits until this many events were received, and the thread waits for room for the last.
    pub fn await_blocked(&self, events: u64) {
        await_events(&self.handle(), events);
    }
}

/// Sends an event for each number, which is its id and its data.
pub fn send_numbers(peer: &mut Peer, numbers: impl Iterator<Item: Display>) {
    peer.send(numbers.map(|number| format!("id: {number}\ndata: {number}\n\n")).collect::<String>());
}
