//! What the peers of the rows do.

use std::convert::Infallible;
use std::thread;
use std::time::Duration;

use http_sse::crossbeam_channel::{Sender, bounded};
use http_sse::testing::{Framing, Peer, Server};

use super::Settings;
use crate::black_hole::BlackHole;
use crate::tls::{Authority, TlsServer, Validity};
use crate::wait_until;

/// Longer than any row.
const LIMIT: Duration = Duration::from_secs(60);
/// In which the client takes what a reset would overtake.
const REST: Duration = Duration::from_millis(20);
const DRIP: Duration = Duration::from_millis(100);
/// The events of one answer.
const EVENTS: u64 = 3;
pub const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
/// What is for the origin alone, and is sent by the rows about it.
pub const SECRETS: &[(&str, &str)] =
    &[("Authorization", "Bearer secret"), ("Cookie", "session=secret"), ("X-Api-Key", "secret")];

#[derive(Clone, Copy, Debug)]
pub enum Play {
    /// With every connection the same.
    Script(fn(usize, Peer)),
    /// Gets as far as the place.
    Break(Place, Ending),
    /// The body, and after it the text for ever.
    Endless(&'static str, &'static str),
    /// The same without anything before it.
    EndlessHead(&'static str, &'static str),
    /// One event with this id; what the client must send back.
    Id(fn() -> Vec<u8>, Option<&'static str>),
    /// One event after this `retry:`.
    Retry(&'static str),
    /// A redirect.
    To(Origin),
    /// The port refuses for half of the window, and is back.
    Gone,
    /// The accept queue is full.
    Hole,
}

#[derive(Clone, Copy, Debug)]
pub enum Place {
    BeforeHead,
    InHead,
    AfterHead,
    BetweenEvents,
    InEvent,
}

#[derive(Clone, Copy, Debug)]
pub enum Ending {
    Stall,
    Fin,
    Reset,
}

/// How another origin differs.
#[derive(Clone, Copy, Debug)]
pub enum Origin {
    Port,
    Host,
    Scheme,
}

/// The peers of a row while it runs.
pub struct Stage {
    pub url: String,
    /// The certificate to trust.
    pub pem: Option<String>,
    servers: Vec<Server>,
    _tls: Option<TlsServer>,
    _hole: Option<BlackHole>,
    /// Dropped when the port refuses.
    gone: Option<Sender<Infallible>>,
}

impl Play {
    pub fn start(self) -> Stage {
        match self {
            Self::Script(script) => Stage::of(script),
            Self::Break(place, ending) => Stage::of(move |_, peer| break_off(peer, place, ending)),
            Self::Endless(start, text) => Stage::of(move |_, mut peer| {
                peer.stream();
                peer.send(start);
                fill(&mut peer, text, |peer, text| peer.try_send(text));
            }),
            Self::EndlessHead(start, text) => Stage::of(move |_, mut peer| {
                peer.request();
                peer.raw(start);
                fill(&mut peer, text, |peer, text| {
                    peer.raw(text);
                    Ok(())
                });
            }),
            Self::Id(sent, back) => Stage::of(move |number, mut peer| {
                let asked = peer.request().header("last-event-id").map(str::to_owned);
                // The first connection has none to send, and later those that are there to be stopped.
                if number == 1 || asked.is_some() {
                    assert_eq!(asked.as_deref(), back);
                }
                peer.stream();
                peer.send([b"id: ", &sent()[..], format!("\ndata: {}\n\n", number + 1).as_bytes()].concat());
                peer.end();
            }),
            Self::Retry(value) => Stage::of(move |_, mut peer| {
                let first = next_number(&mut peer);
                peer.stream();
                peer.send(format!("retry: {value}\nid: {first}\ndata: {first}\n\n"));
                peer.end();
            }),
            Self::To(origin) => redirect(origin),
            Self::Gone => {
                let (gone, is_gone) = bounded(0);
                Stage {
                    gone: Some(gone),
                    ..Stage::of(move |number, mut peer| {
                        deliver(&mut peer);
                        match number {
                            // Ends once the port refuses.
                            0 => _ = is_gone.recv(),
                            _ => _ = peer.wait_for_close(),
                        }
                    })
                }
            }
            Self::Hole => {
                let hole = BlackHole::open();
                Stage { url: hole.url("/"), _hole: Some(hole), ..Stage::empty() }
            }
        }
    }
}

impl Stage {
    fn empty() -> Self {
        Self { url: String::new(), pem: None, servers: Vec::new(), _tls: None, _hole: None, gone: None }
    }

    fn of(script: impl Fn(usize, Peer) + Send + Sync + 'static) -> Self {
        let server = Server::serve_concurrently(script).unwrap().wait_limit(LIMIT);
        Self { url: server.url("/"), servers: vec![server], ..Self::empty() }
    }

    /// Does what is not done by a connection.
    pub fn direct(&mut self, settings: Settings) {
        let Some(gone) = self.gone.take() else { return };
        let server = &self.servers[0];
        wait_until(|| server.connections() > 0);
        server.refuse().unwrap();
        drop(gone);
        // The time itself is the subject.
        thread::sleep(settings.window / 2);
        server.resume().unwrap();
    }

    /// Fails with what failed in a script.
    pub fn finish(self) {
        self.servers.into_iter().for_each(Server::finish);
    }
}

fn break_off(mut peer: Peer, place: Place, ending: Ending) {
    match place {
        Place::BeforeHead => _ = peer.request(),
        Place::InHead => {
            peer.request();
            peer.raw("HTTP/1.1 200 OK\r\nContent-Ty");
        }
        Place::AfterHead => peer.stream(),
        Place::BetweenEvents => deliver(&mut peer),
        Place::InEvent => {
            deliver(&mut peer);
            peer.send("id: 999\ndata: 99");
        }
    }
    match ending {
        Ending::Stall => _ = peer.wait_for_close(),
        Ending::Fin => peer.close_abruptly(),
        Ending::Reset => {
            peer.pause(REST);
            peer.reset();
        }
    }
}

/// Opens the stream, and sends what comes after the client's last event.
pub fn deliver(peer: &mut Peer) {
    let first = next_number(peer);
    peer.stream();
    for number in first..first + EVENTS {
        peer.send(format!("id: {number}\ndata: {number}\n\n"));
    }
}

fn next_number(peer: &mut Peer) -> u64 {
    peer.request().header("last-event-id").map_or(0, |id| id.parse::<u64>().unwrap()) + 1
}

/// Sends the text over and over, until the client leaves.
fn fill(peer: &mut Peer, text: &str, send: fn(&mut Peer, &str) -> std::io::Result<()>) {
    let block = text.repeat((64 << 10) / text.len());
    while send(peer, &block).is_ok() {}
}

/// The bytes of a head or of a stream, one at a time.
pub fn drip(peer: &mut Peer, text: &str) {
    for byte in text.as_bytes() {
        peer.pause(DRIP);
        peer.raw([*byte]);
    }
}

/// Sends events and the half of one in a body that only the end of the connection ends.
pub fn half_until_close(mut peer: Peer, end: fn(Peer)) {
    let first = next_number(&mut peer);
    peer.stream_until_close();
    peer.send(format!("id: {first}\ndata: {first}\n\nid: 999\ndata: 99"));
    peer.pause(REST);
    end(peer);
}

pub fn drip_events(_: usize, mut peer: Peer) {
    let first = next_number(&mut peer);
    peer.raw(format!("{STREAM}\r\n"));
    for number in first.. {
        drip(&mut peer, &format!("data: {number}\n\n"));
    }
}

pub fn drip_head(_: usize, mut peer: Peer) {
    peer.request();
    drip(&mut peer, STREAM);
    drip(&mut peer, &"X-Padding: x\r\n".repeat(1000));
}

/// Another kind of garbage for every connection.
pub fn chunk_garbage(number: usize, mut peer: Peer) {
    let kinds = ["zz\r\n", "-5\r\nx", "ffffffffffffffffff\r\nx", "4\r\ndata: 1\n\n", "\r\n\r\n", "4;\0\r\n", "4 4\r\n"];
    peer.request();
    peer.raw(format!("{STREAM}Transfer-Encoding: chunked\r\n\r\n{}", kinds[number % kinds.len()]));
    peer.wait_for_close();
}

/// "id: 1", "data: 1" and a blank line.
pub const GZIP: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\xcb\x4c\xb1\x52\x30\xe4\x4a\x49\x2c\x49\x04\xd1\x5c\0\
    \xdd\xdc\x4e\x1f\x0f\0\0\0";
/// The start of many zeros; zeros follow for as long as one likes.
pub const BOMB: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\xec\xc1\x01\x01\0\0\0\x80\x90\xfe\xaf\xee\x08\x0a";

pub fn gzip(peer: &mut Peer, start: &[u8]) {
    let headers = [("Content-Type", "text/event-stream"), ("Content-Encoding", "gzip")];
    peer.begin(200, &headers, Framing::Chunked);
    peer.send(start);
}

pub fn fill_zeros(mut peer: Peer, start: &[u8]) {
    gzip(&mut peer, start);
    fill(&mut peer, "\0", |peer, text| peer.try_send(text));
}

fn redirect(origin: Origin) -> Stage {
    let mut stage = match origin {
        Origin::Port => Stage::of(|_, peer| receive_stranger(peer)),
        // Resolves to this machine, and is another host all the same.
        Origin::Host => {
            return Stage::of(|_, mut peer| {
                if peer.request().path() == "/stranger" {
                    return receive_stranger(peer);
                }
                let port = peer.request().header("host").unwrap().rsplit(':').next().unwrap().to_owned();
                send_away(peer, &format!("http://localhost:{port}/stranger"));
            });
        }
        Origin::Scheme => {
            let authority = Authority::new();
            let server = TlsServer::serve(authority.server_config(Validity::VALID), |_, peer| receive_stranger(peer));
            Stage { url: server.url("/"), pem: Some(authority.pem()), _tls: Some(server), ..Stage::empty() }
        }
    };
    let target = stage.url.clone();
    let first = Stage::of(move |_, peer| send_away(peer, &target));
    stage.url = first.url;
    stage.servers.extend(first.servers);
    stage
}

fn send_away(mut peer: Peer, target: &str) {
    for (name, value) in SECRETS {
        assert_eq!(peer.request().header(name), Some(*value));
    }
    peer.respond(307, &[("Location", target)], "");
}

fn receive_stranger(mut peer: Peer) {
    for (name, _) in SECRETS {
        assert_eq!(peer.request().header(name), None);
    }
    deliver(&mut peer);
    peer.end();
}
