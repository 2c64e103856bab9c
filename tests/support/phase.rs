//! Every phase in which a connection can be caught, each against a peer that leaves it there for ever.

use std::convert::Infallible;
use std::fs;
use std::io::Read;
use std::mem::replace;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use http_sse::crossbeam_channel::{Sender, bounded};
use http_sse::testing::{Framing, Peer, Server};
use http_sse::{Client, Handle, Request, RetryPolicy, State};

use super::black_hole::BlackHole;
use super::tls::{Authority, TlsServer, Validity};
use super::wait_until;

/// Longer than any test.
const HOUR: Duration = Duration::from_secs(3600);
/// More than the socket buffers of both sides take.
const LARGE_BODY: usize = 6 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Connect,
    Proxy,
    Handshake,
    RequestBody,
    Head,
    MidHead,
    TlsHead,
    IdleBody,
    IdleTlsBody,
    MidEvent,
    BusyBody,
    BusyTlsBody,
    ErrorBody,
    BackOff,
    BlockedSend,
    Rendezvous,
}

impl Phase {
    /// All phases that do not need a channel.
    pub const PULLED: &[Self] = &[
        Self::Connect,
        Self::Proxy,
        Self::Handshake,
        Self::RequestBody,
        Self::Head,
        Self::MidHead,
        Self::TlsHead,
        Self::IdleBody,
        Self::IdleTlsBody,
        Self::MidEvent,
        Self::BusyBody,
        Self::BusyTlsBody,
        Self::ErrorBody,
        Self::BackOff,
    ];

    /// The others: a send that waits for the consumer.
    pub const SENDING: &[Self] = &[Self::BlockedSend, Self::Rendezvous];
}

/// A peer that holds connections in one phase, and a client for it.
pub struct Scene {
    pub client: Client,
    /// No two scenes of a test binary have the same.
    pub id: String,
    phase: Phase,
    peers: Peers,
}

enum Peers {
    /// And how many connects to it were unanswered from the start.
    Hole(BlackHole, Option<usize>),
    Plain(Server),
    Tls(TlsServer),
}

/// The peer of one connection, on a thread of its own: it notices when the client has gone.
pub struct Witness {
    thread: Option<JoinHandle<Instant>>,
    /// Dropped when the peer may read on, which would free a blocked request body.
    hold_back: Option<Sender<Infallible>>,
}

impl Scene {
    pub fn new(phase: Phase) -> Self {
        let builder = Client::builder().no_proxy();
        let (builder, peers) = match phase {
            Phase::Connect => {
                let hole = BlackHole::open();
                let before = unanswered(&hole);
                (builder, Peers::Hole(hole, before))
            }
            Phase::TlsHead | Phase::IdleTlsBody | Phase::BusyTlsBody => {
                let authority = Authority::new();
                let server = TlsServer::start(authority.server_config(Validity::VALID));
                (builder.only_root_certificates_pem(authority.pem()), Peers::Tls(server))
            }
            Phase::Proxy => {
                let server = Server::start().unwrap();
                (builder.proxy(server.url("")), Peers::Plain(server))
            }
            _ => (builder, Peers::Plain(Server::start().unwrap())),
        };
        Self { client: builder.build().unwrap(), id: unique_id(), phase, peers }
    }

    /// Returns a request that nothing but a stop ends.
    pub fn request(&self) -> Request {
        let request = match (self.phase, &self.peers) {
            (Phase::RequestBody, Peers::Plain(server)) => {
                Request::post(server.url("/events")).body(vec![b'x'; LARGE_BODY], "text/plain")
            }
            (Phase::Handshake, Peers::Plain(server)) => Request::get(server.url("/events").replace("http:", "https:")),
            (Phase::Proxy, _) => Request::get("http://127.0.0.1:9/events"),
            (_, Peers::Hole(hole, _)) => Request::get(hole.url("/events")),
            (_, Peers::Plain(server)) => Request::get(server.url("/events")),
            (_, Peers::Tls(server)) => Request::get(server.url("/events")),
        };
        let capacity = if self.phase == Phase::Rendezvous { 0 } else { 1 };
        request
            .retry(RetryPolicy::constant(HOUR))
            .connect_timeout(HOUR)
            .response_timeout(HOUR)
            .idle_timeout(None)
            .capacity(capacity)
    }

    /// Plays the peer until the connection is in the phase.
    #[track_caller]
    pub fn enter(&self, handle: &Handle) -> Witness {
        match &self.peers {
            Peers::Hole(hole, before) => {
                wait_until(|| handle.stats().attempts > 0 && (before.is_none() || unanswered(hole) > *before));
                Witness { thread: None, hold_back: None }
            }
            Peers::Plain(server) => self.play(server.accept(), handle),
            Peers::Tls(server) => self.play(server.accept(), handle),
        }
    }

    /// Returns how many connections the peer has seen; `None` where it accepts none.
    pub fn connections(&self) -> Option<usize> {
        match &self.peers {
            Peers::Hole(..) => None,
            Peers::Plain(server) => Some(server.connections()),
            Peers::Tls(server) => Some(server.tcp().connections()),
        }
    }

    #[track_caller]
    fn play(&self, mut peer: Peer, handle: &Handle) -> Witness {
        match self.phase {
            Phase::Connect => {}
            Phase::Handshake => peer
                .upgrade(|mut socket| {
                    // The start of the client's hello.
                    socket.read_exact(&mut [0; 16])?;
                    Ok(socket)
                })
                .unwrap(),
            Phase::TlsHead => _ = peer.request(),
            Phase::RequestBody => {
                peer.request_head();
                let (Peers::Plain(server), client) = (&self.peers, peer.addr().unwrap()) else { unreachable!() };
                let mut before = None;
                wait_until(|| {
                    let last = replace(&mut before, unsent(client, server.addr()));
                    before.is_none() || before == last && last != Some(0)
                });
                let (hold_back, go_on) = bounded(0);
                let witness = Witness::of(move || {
                    let _ = go_on.recv();
                    peer.wait_for_close();
                });
                return Witness { hold_back: Some(hold_back), ..witness };
            }
            Phase::Proxy | Phase::Head => _ = peer.request_head(),
            Phase::MidHead => {
                peer.request();
                peer.raw("HTTP/1.1 200 OK\r\nContent-Ty");
            }
            Phase::IdleTlsBody => await_comment(&mut peer, handle),
            Phase::IdleBody => await_comment(&mut peer, handle),
            Phase::MidEvent => {
                await_comment(&mut peer, handle);
                let before = handle.stats().bytes;
                peer.send("id: 1\ndata: half");
                wait_until(|| handle.stats().bytes > before);
            }
            Phase::BusyTlsBody => return busy(peer, handle),
            Phase::BusyBody => return busy(peer, handle),
            Phase::ErrorBody => peer.begin(503, &[], Framing::Length(100)),
            Phase::BackOff => {
                peer.respond(503, &[], "");
                wait_until(|| handle.state() == State::Waiting);
            }
            Phase::BlockedSend => {
                peer.stream();
                peer.send("id: 1\ndata: 1\n\nid: 2\ndata: 2\n\nid: 3\ndata: 3\n\n");
                await_events(handle, 2);
            }
            Phase::Rendezvous => {
                peer.stream();
                peer.send("id: 1\ndata: 1\n\nid: 2\ndata: 2\n\n");
                await_events(handle, 1);
            }
        }
        Witness::of(move || _ = peer.wait_for_close())
    }
}

impl Witness {
    fn of(watch: impl FnOnce() + Send + 'static) -> Self {
        let watch = || {
            watch();
            Instant::now()
        };
        Self { thread: Some(thread::spawn(watch)), hold_back: None }
    }

    /// Waits until the client's socket is closed, and returns when it was; `None` where no peer can see it.
    #[track_caller]
    pub fn closed_at(self) -> Option<Instant> {
        drop(self.hold_back);
        self.thread.map(|thread| thread.join().unwrap())
    }
}

/// Returns an id that fits the name of a thread, which is how tests find it.
pub fn unique_id() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("s{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn await_comment(peer: &mut Peer, handle: &Handle) {
    peer.stream();
    peer.send(":\n\n");
    wait_until(|| handle.stats().comments == 1);
}

/// Sends as fast as the client reads.
fn busy(mut peer: Peer, handle: &Handle) -> Witness {
    await_comment(&mut peer, handle);
    let comments = ": a comment of some length\n\n".repeat(1000);
    let witness = Witness::of(move || while peer.try_send(&comments).is_ok() {});
    wait_until(|| handle.stats().comments > 10_000);
    witness
}

/// Waits until the connection has received this many events, and its thread waits in the system.
#[track_caller]
pub fn await_events(handle: &Handle, events: u64) {
    wait_until(|| handle.stats().events == events && is_asleep(handle));
}

/// Tells whether the connection's thread waits in the system.
pub fn is_asleep(handle: &Handle) -> bool {
    is_thread_asleep(&format!("sse-{}", handle.id()))
}

/// The same for any thread: there is one of this name, and all of this name wait. Without a `/proc` they always do.
pub fn is_thread_asleep(name: &str) -> bool {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return true };
    let stats = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
    let mut found = stats.filter(|stat| stat.contains(&format!("({name})"))).peekable();
    found.peek().is_some() && found.all(|stat| stat.contains(") S "))
}

/// Counts the connects to the black hole that are under way, which neither end can see; `None` where there is no `/proc`.
fn unanswered(hole: &BlackHole) -> Option<usize> {
    let syn_sent = format!(":{:04X} 02 ", hole.addr().port());
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    Some(table.lines().filter(|line| line.contains(&syn_sent)).count())
}

/// Returns how many bytes this client has sent and the server not taken; `None` where there is no `/proc`.
fn unsent(client: SocketAddr, server: SocketAddr) -> Option<u64> {
    let ends = [client, server].map(|address| format!(":{:04X}", address.port()));
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut own = lines.filter(|fields| fields.len() > 4 && (1..3).all(|end| fields[end].ends_with(&ends[end - 1])));
    u64::from_str_radix(own.next()?[4].split(':').next()?, 16).ok()
}
