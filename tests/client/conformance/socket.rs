//! The cases against the whole client, over a socket and in step: a piece is sent when the client has taken the one before.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use http_sse::testing::{Framing, Peer, Server};
use http_sse::{Client, End, Events, Request, RetryPolicy};

use super::case::{Case, Seen};
use super::{cases, client, verdict};
use support::deadline;

/// Longer streams are cut at so many places only, spread over them.
const CUTS: usize = 128;
/// More than any case has.
const EVENTS: usize = 256;

type Log = Arc<Mutex<Vec<Seen>>>;

/// One connection: what it says comes in through the callbacks, and must be what the iterator yields.
struct Run {
    peer: Peer,
    events: Events,
    log: Log,
    sent: u64,
}

fn request(server: &Server, log: &Log) -> Request {
    let (events, comments) = (Arc::clone(log), Arc::clone(log));
    Request::get(server.url("/events"))
        .retry(RetryPolicy::never())
        .capacity(EVENTS)
        .on_event(move |event| events.lock().unwrap().push(Seen::of_event(event)))
        .on_comment(move |text| comments.lock().unwrap().push(Seen::Comment(text.to_owned())))
}

fn run(client: &Client, server: &Server, framing: Framing) -> Run {
    let log = Log::default();
    let events = client.connect("case", request(server, &log)).unwrap();
    let mut peer = server.accept();
    peer.begin(200, &[("Content-Type", "text/event-stream")], framing);
    Run { peer, events, log, sent: 0 }
}

impl Run {
    fn send(&mut self, piece: &[u8]) {
        self.peer.send(piece);
        self.sent += piece.len() as u64;
        let (start, handle) = (Instant::now(), self.events.handle());
        // Neither a channel nor a state tells of single bytes.
        while handle.stats().bytes < self.sent {
            assert!(start.elapsed() < deadline(), "{} of {} bytes are taken", handle.stats().bytes, self.sent);
            thread::yield_now();
        }
    }

    /// Ends the response, and returns everything that the client made of it.
    fn finish(self) -> (Vec<Seen>, String) {
        self.peer.end();
        let yielded = self.events.iter().map(|event| Seen::of_event(&event.unwrap())).collect();
        let handle = self.events.handle();
        assert!(matches!(handle.end(), Some(End::Complete)), "{:?}", handle.end());
        (told(&self.log, yielded), handle.last_event_id().unwrap_or_default())
    }
}

/// What the callbacks were told, once the iterator agrees.
fn told(log: &Log, yielded: Vec<Seen>) -> Vec<Seen> {
    let seen = log.lock().unwrap().clone();
    let events: Vec<Seen> = seen.iter().filter(|seen| matches!(seen, Seen::Event { .. })).cloned().collect();
    assert_eq!(yielded, events, "the iterator and the callback differ");
    seen
}

#[track_caller]
fn every_case(framing: Framing, cuts: impl Fn(&Case) -> Vec<Vec<&[u8]>>) {
    let (cases, client, server) = (cases(), client(), Server::start().unwrap());
    let mut wrong = Vec::new();
    for case in &cases {
        let expected = (case.visible(), case.last_id.clone());
        for chunks in cuts(case) {
            let lengths: Vec<usize> = chunks.iter().map(|chunk| chunk.len()).collect();
            let mut run = run(&client, &server, framing);
            chunks.into_iter().for_each(|chunk| run.send(chunk));
            let got = run.finish();
            if got != expected {
                wrong.push(format!("{} in chunks of {lengths:?}: {got:?} instead of {expected:?}", case.title()));
                break;
            }
        }
    }
    verdict(wrong, cases.len());
}

#[test]
fn a_response_in_one_piece_means_what_the_suites_say() {
    for framing in [Framing::Chunked, Framing::UntilClose] {
        every_case(framing, |case| vec![vec![&case.stream[..]]]);
    }
}

#[test]
fn a_response_byte_by_byte_means_the_same() {
    for framing in [Framing::Chunked, Framing::UntilClose] {
        every_case(framing, |case| vec![case.stream.chunks(1).collect()]);
    }
}

#[test]
fn a_response_cut_in_two_means_the_same() {
    every_case(Framing::Chunked, |case| {
        let step = case.stream.len().div_ceil(CUTS).max(1);
        let cut = |at| <[&[u8]; 2]>::from(case.stream.split_at(at)).to_vec();
        (1..case.stream.len()).step_by(step).map(cut).collect()
    });
}

#[test]
fn a_reader_on_the_own_thread_sees_the_same() {
    let (cases, client, server) = (cases(), client(), Server::start().unwrap());
    let mut wrong = Vec::new();
    for case in &cases {
        let log = Log::default();
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut peer = server.accept();
                peer.stream_until_close();
                case.stream.chunks(7).for_each(|piece| peer.send(piece));
                peer.end();
            });
            let mut reader = client.read("case", request(&server, &log)).unwrap();
            let yielded = (&mut reader).map(|event| Seen::of_event(&event.unwrap())).collect();
            let got = (told(&log, yielded), reader.handle().last_event_id().unwrap_or_default());
            if got != (case.visible(), case.last_id.clone()) {
                wrong.push(format!("{}: {got:?}", case.title()));
            }
        });
    }
    verdict(wrong, cases.len());
}
