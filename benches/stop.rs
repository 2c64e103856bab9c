//! How long a stop takes in each phase: to the end of the channel, to the end of the thread, to the peer's end.
//!
//! ```text
//! cargo bench --bench stop -- 200 Connect IdleBody
//! ```
//!
//! The number is that of the rounds for each phase, names choose phases. Of a blocked request body the peer sees the
//! end late, after all that is in the socket, and to free its memory takes a part of the time. The look-up is measured
//! where the environment variable `HANGING_HOST` names a host whose look-up hangs; a namespace on Linux has one:
//!
//! ```text
//! echo nameserver 127.0.0.1 > silent.conf
//! unshare -rnm sh -c 'ip link set lo up; mount --bind silent.conf /etc/resolv.conf
//!     HANGING_HOST=silent.test cargo bench --bench stop'
//! ```
#![allow(clippy::unwrap_used, reason = "a failed unwrap ends the measurement")]
#![allow(clippy::print_stdout, reason = "the figures")]

use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

use http_sse::{Client, Events, Request};

use support::phase::{self, Phase, Scene};
use support::wait_until;

const ROUNDS: usize = 200;
/// Between the entry into a phase and the stop.
const REST: Duration = Duration::from_millis(10);

/// The times of one kind, one for each round.
#[derive(Default)]
struct Times(Vec<Duration>);

#[derive(Default)]
struct Row {
    channel: Times,
    thread: Times,
    peer: Times,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let rounds = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(ROUNDS);
    let chosen: Vec<_> = arguments.iter().filter(|argument| argument.parse::<usize>().is_err()).collect();
    println!("microseconds from stop(), median / p99 / max of {rounds} rounds");
    println!("{:<14}{:>26}{:>26}{:>26}", "phase", "channel ended", "thread joined", "peer sees the end");
    if let Ok(host) = std::env::var("HANGING_HOST") {
        // In a namespace of its own the name server is this socket, which never answers.
        let _silent = UdpSocket::bind("127.0.0.1:53");
        let mut row = Row::default();
        (0..rounds).for_each(|_| row.stop_a_look_up(&host));
        row.print("LookUp");
    }
    for phase in Phase::PULLED.iter().chain(Phase::SENDING) {
        if !chosen.is_empty() && !chosen.iter().any(|name| **name == format!("{phase:?}")) {
            continue;
        }
        let scene = Scene::new(*phase);
        let mut row = Row::default();
        (0..rounds).for_each(|_| row.stop_in(&scene));
        row.print(&format!("{phase:?}"));
    }
}

impl Row {
    fn stop_in(&mut self, scene: &Scene) {
        let rx = scene.client.connect(&scene.id, scene.request()).unwrap();
        let witness = scene.enter(&rx.handle());
        let start = self.stop(&rx);
        // Where the socket was closed before the stop, there is nothing to see.
        self.peer.0.extend(witness.closed_at().and_then(|closed| closed.checked_duration_since(start)));
    }

    fn stop_a_look_up(&mut self, host: &str) {
        let client = Client::builder().no_proxy().build().unwrap();
        let request = Request::get(format!("http://{host}/")).connect_timeout(None);
        let rx = client.connect(phase::unique_id(), request).unwrap();
        wait_until(|| phase::is_thread_asleep("sse-dns") && phase::is_asleep(&rx.handle()));
        self.stop(&rx);
    }

    fn stop(&mut self, rx: &Events) -> Instant {
        let handle = rx.handle();
        // Waiting for the phase may have cost this thread its turn: that is none of the stop's time.
        thread::sleep(REST);
        let start = Instant::now();
        handle.stop();
        while rx.recv().is_ok() {}
        self.channel.0.push(start.elapsed());
        handle.join();
        self.thread.0.push(start.elapsed());
        start
    }

    fn print(self, name: &str) {
        println!("{name:<14}{:>26}{:>26}{:>26}", self.channel.text(), self.thread.text(), self.peer.text());
    }
}

impl Times {
    fn text(mut self) -> String {
        self.0.sort_unstable();
        let at = |share: usize| self.0.get((self.0.len() * share / 100).min(self.0.len().saturating_sub(1)));
        match (at(50), at(99), self.0.last()) {
            (Some(median), Some(p99), Some(max)) => {
                format!("{} / {} / {}", median.as_micros(), p99.as_micros(), max.as_micros())
            }
            _ => "-".to_owned(),
        }
    }
}
