//! The server behind a proxy: it has a thousand events, sends those that the test has released, and breaks on command.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use http_sse::crossbeam_channel::{Receiver, Sender, unbounded};
use http_sse::testing::{Peer, Server};

/// All events there are: their ids and their data are the numbers from 1.
pub(crate) const EVENTS: usize = 1000;
const DEADLINE: Duration = Duration::from_secs(10);

/// How a stream breaks, each time in the middle of an event.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Break {
    /// The response ends as if it were complete.
    End,
    /// FIN without the last chunk.
    Cut,
    /// RST: what is under way is lost.
    Reset,
    /// Nothing more comes, and the connection stays.
    Silence,
}

/// The server; dropping it closes everything.
pub(crate) struct Source {
    shared: Arc<Shared>,
    requests: Receiver<()>,
    server: Server,
}

struct Shared {
    progress: Mutex<Progress>,
    changed: Condvar,
    requests: Sender<()>,
}

struct Progress {
    /// Up to this number events may be sent, and have been.
    released: usize,
    sent: usize,
    /// How many breaks were commanded, and the manner of the last one.
    breaks: usize,
    manner: Break,
    over: bool,
}

enum Step {
    Send(usize),
    Break(Break),
    Over,
}

impl Source {
    pub(crate) fn start() -> Self {
        let (sender, requests) = unbounded();
        let progress = Progress { released: 0, sent: 0, breaks: 0, manner: Break::End, over: false };
        let shared = Arc::new(Shared { progress: Mutex::new(progress), changed: Condvar::new(), requests: sender });
        let answering = Arc::clone(&shared);
        let server = Server::serve_concurrently(move |_, peer| answering.answer(peer)).unwrap();
        Self { shared, requests, server }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Returns the server, to close its port and to open it again.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Waits until a client has asked since the last call.
    pub(crate) fn next_request(&self) {
        self.requests.recv_timeout(DEADLINE).expect("no further request reached the server in 10 s");
        self.requests.try_iter().for_each(drop);
    }

    /// Lets events up to this number go out, and waits until they have.
    pub(crate) fn release(&self, upto: usize) {
        let mut progress = self.shared.lock();
        progress.released = upto;
        self.shared.changed.notify_all();
        let waited =
            self.shared.changed.wait_timeout_while(progress, DEADLINE, |progress| progress.sent < upto).unwrap();
        assert!(!waited.1.timed_out(), "nobody fetched the events up to {upto} in 10 s");
    }

    /// Breaks the streams that are under way.
    pub(crate) fn break_streams(&self, manner: Break) {
        let mut progress = self.shared.lock();
        progress.breaks += 1;
        progress.manner = manner;
        self.shared.changed.notify_all();
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn answer(&self, mut peer: Peer) {
        // A proxy, or a test that waits for a port, may connect without asking.
        let Ok(asked) = peer.try_request() else { return };
        let mut sent = asked.header("last-event-id").map_or(0, |id| id.parse().unwrap());
        let is_old = asked.head().split(|byte| *byte == b'\r').next().unwrap().ends_with(b"HTTP/1.0");
        if sent == EVENTS {
            peer.respond(204, &[("Connection", "close")], "");
            return;
        }
        let breaks = self.lock().breaks;
        self.requests.send(()).unwrap();
        if is_old {
            peer.stream_until_close();
        } else {
            peer.stream();
        }
        while sent < EVENTS {
            match self.next_step(sent, breaks) {
                Step::Send(upto) => {
                    for number in sent + 1..=upto {
                        // About 100 bytes, so that a burst does not fit into a proxy's buffer.
                        peer.send(format!(": {:75}\nid: {number}\ndata: {number}\n\n", "padding"));
                    }
                    sent = upto;
                    self.lock().sent = sent;
                    self.changed.notify_all();
                }
                Step::Break(manner) => {
                    // Half an event, which nobody must ever see.
                    peer.send(format!("id: {}\ndata: half", sent + 1));
                    match manner {
                        Break::End => peer.end(),
                        Break::Cut => peer.close_abruptly(),
                        Break::Reset => peer.reset(),
                        Break::Silence => drop(peer.wait_for_close()),
                    }
                    return;
                }
                Step::Over => return,
            }
        }
        peer.end();
    }

    /// Waits until there is something to do. What is released goes before a break.
    fn next_step(&self, sent: usize, breaks: usize) -> Step {
        let idle = |progress: &mut Progress| progress.released <= sent && progress.breaks == breaks && !progress.over;
        let progress = self.changed.wait_while(self.lock(), idle).unwrap();
        if progress.over {
            Step::Over
        } else if progress.released > sent {
            Step::Send(progress.released)
        } else {
            Step::Break(progress.manner)
        }
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap()
    }
}
