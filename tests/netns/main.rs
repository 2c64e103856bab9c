//! Real loss: client and server in network namespaces of their own, and a link between them that goes bad.
//!
//! Needs Linux, root and `ip` of iproute2. Elsewhere the tests are left out, and say so; with `netns` in
//! `HTTP_SSE_REQUIRED` they fail then. Packets are lost and delayed by the kernel's netem, and by a small program where the kernel has none.
#![cfg(target_os = "linux")]

mod link;
mod part;

use std::env;
use std::time::{Duration, Instant};

use link::{CLIENT, DEVICE, FAR_SERVER, Link, MODEM, MODEM_CLIENT, MOVED_CLIENT, SERVER};
use part::{EVENTS, Process};
use support::left_out::{lacking, left_out};

/// The event at which the link goes bad.
const TURN: usize = 300;
/// Each takes about 15 s.
const LIMIT: Duration = Duration::from_secs(60);

/// What client and server told.
struct Story {
    received: Vec<usize>,
    idle: usize,
    failures: Vec<String>,
    /// `NoContent` and the number of attempts.
    end: String,
    /// The address of the client and the last event id of each request.
    requests: Vec<(String, usize)>,
}

#[test]
#[ignore = "a part: the other tests run it in a namespace"]
fn a_process_in_a_namespace_plays_its_part() {
    part::play();
}

#[test]
fn nothing_is_lost_or_doubled_when_the_link_is_down_for_longer_than_the_idle_timeout() {
    let Some(link) = or_left_out(Link::new()) else { return };
    let (mut before, mut is_up_again) = (None, false);
    let story = run(&link, "server 192.0.2.1 5 1000", |story| match before {
        None if story.received.len() == TURN => {
            link.set_client_link("down");
            before = Some((story.idle, story.failures.len()));
        }
        // It has noticed, and has tried in vain.
        Some((idle, failures)) if !is_up_again && story.idle > idle && story.failures.len() >= failures + 3 => {
            link.set_client_link("up");
            is_up_again = true;
        }
        _ => {}
    });
    story.check("link down and up");
    assert!(is_up_again, "the client read on while the link was down: {:?}", story.failures);
}

#[test]
fn nothing_is_lost_or_doubled_when_the_client_gets_another_address() {
    let Some(link) = or_left_out(Link::new()) else { return };
    let mut has_moved = false;
    let story = run(&link, "server 192.0.2.1 5 1000", |story| {
        if story.received.len() == TURN && !has_moved {
            link.move_client();
            has_moved = true;
        }
    });
    story.check("another address");
    assert!(story.idle > 0, "nothing was noticed");
    let callers: Vec<&str> = story.requests.iter().map(|(caller, _)| caller.as_str()).collect();
    assert_eq!((callers.first(), callers.last()), (Some(&CLIENT), Some(&MOVED_CLIENT)));
}

#[test]
fn nothing_is_lost_or_doubled_on_a_link_that_loses_and_delays_packets() {
    let Some(mut link) = or_left_out(Link::lossy()) else { return };
    let story = run(&link, "server 192.0.2.1 2 150", |_| {});
    let (lost, culprit) = link.lost();
    story.check(&format!("5 % loss and 100 ms delay each way, {lost} packets lost by {culprit}"));
    assert!(lost > 0, "no packet was lost");
}

#[test]
fn a_link_local_address_is_reached_through_its_zone() {
    let Some(link) = or_left_out(Link::link_local()) else { return };
    let program = env::current_exe().unwrap();
    let server = Process::start(link.server(&program), "server fe80::1%wire 0 1000");
    let address = server.line();
    let port = address.rsplit(':').next().unwrap();
    // The number of the device is another one here, its name is the same.
    let client = Process::start(link.client(&program), &format!("client [fe80::1%25wire]:{port}"));
    let mut events = 0;
    let end = loop {
        match client.line().split_once(' ') {
            Some(("event", _)) => events += 1,
            Some(("end", end)) => break end.to_owned(),
            _ => {}
        }
    };
    assert!(events == EVENTS && end.starts_with("NoContent "), "{events} events, {end}");
}

#[test]
fn of_two_links_one_goes_away_and_the_other_carries_on() {
    let Some(link) = or_left_out(Link::doubled()) else { return };
    let program = env::current_exe().unwrap();
    let server = Process::start(link.server(&program), &format!("server {FAR_SERVER} 5 1000"));
    let address = server.line();
    let clients =
        [DEVICE, MODEM].map(|device| Process::start(link.client(&program), &format!("client {address} {device}")));
    let [lost, kept] = &clients;

    (1..=TURN).for_each(|number| assert_eq!(lost.line(), format!("event {number}")));
    link.set_client_link("down");
    // Whatever came before that, and then the failures: it does not go by the other link, which has a route.
    let before = std::iter::repeat_with(|| lost.line()).take_while(|line| line.starts_with("event ")).count();
    assert!(before < EVENTS - TURN, "it read on");
    let failure = std::iter::repeat_with(|| lost.line()).find(|line| line.starts_with("failure ")).unwrap();
    (1..=EVENTS).for_each(|number| assert_eq!(kept.line(), format!("event {number}")));
    link.set_client_link("up");
    link.add_route();
    let mut number = TURN + before;
    while number < EVENTS {
        let line = lost.line();
        if let Some(event) = line.strip_prefix("event ") {
            number += 1;
            assert_eq!(event, number.to_string());
        } else {
            assert!(line == "idle" || line.starts_with("failure "), "{line}");
        }
    }
    let requests: Vec<_> = server.finish();
    let from = |client: &str| requests.iter().filter(|line| line.starts_with(&format!("request {client} "))).count();
    say(&format!("two links: {failure}; {} requests by one, {} by the other", from(CLIENT), from(MODEM_CLIENT)));
    assert!(from(CLIENT) >= 2 && from(MODEM_CLIENT) >= 1);
    assert_eq!(from(CLIENT) + from(MODEM_CLIENT), requests.len());
}

/// Runs server and client to the client's end, and calls the closure after each thing that the client tells.
fn run(link: &Link, part: &str, mut turn: impl FnMut(&Story)) -> Story {
    let program = env::current_exe().unwrap();
    let server = Process::start(link.server(&program), part);
    let address = server.line();
    assert!(address.starts_with(SERVER), "{address}");
    let client = Process::start(link.client(&program), &format!("client {address}"));
    let (received, failures, requests) = (Vec::new(), Vec::new(), Vec::new());
    let mut story = Story { received, idle: 0, failures, end: String::new(), requests };
    let start = Instant::now();
    while story.end.is_empty() {
        assert!(start.elapsed() < LIMIT, "it goes on and on: {} events, {:?}", story.received.len(), story.failures);
        let line = client.line();
        match line.split_once(' ') {
            Some(("event", number)) => story.received.push(number.parse().unwrap()),
            Some(("failure", text)) => story.failures.push(text.to_owned()),
            Some(("end", text)) => text.clone_into(&mut story.end),
            None if line == "idle" => story.idle += 1,
            _ => panic!("{line}"),
        }
        turn(&story);
    }
    for line in server.finish() {
        let (caller, id) = line.strip_prefix("request ").unwrap().split_once(' ').unwrap();
        story.requests.push((caller.to_owned(), id.parse().unwrap()));
    }
    story
}

impl Story {
    fn check(&self, what: &str) {
        let lost = (1..=EVENTS).filter(|number| !self.received.contains(number)).count();
        let doubled = self.received.len() + lost - EVENTS;
        say(&format!(
            "{what}: {} events received, {lost} lost, {doubled} doubled; {} requests, {} idle timeouts, {} other failures",
            self.received.len(),
            self.requests.len(),
            self.idle,
            self.failures.len()
        ));
        assert_eq!((lost, doubled), (0, 0));
        assert!(self.received.is_sorted(), "the events came out of order");
        assert!(self.end.starts_with("NoContent "), "{}", self.end);
        assert!(self.requests.len() > 2, "the stream was never broken: {:?}", self.requests);
        let resumed = self.requests.iter().map(|(_, id)| id);
        assert!(resumed.is_sorted(), "a request went back: {:?}", self.requests);
    }
}

/// Says why there is no link, where there is none.
fn or_left_out(link: Result<Link, String>) -> Option<Link> {
    // The processes in the namespaces would need the emulator in there; what they show is the same on every processor.
    if support::is_emulated() {
        left_out("a test with network namespaces, under an emulator");
        return None;
    }
    match link {
        Ok(link) => Some(link),
        Err(reason) => {
            lacking("netns", &format!("a test with network namespaces, which need root and iproute2: {reason}"));
            None
        }
    }
}

/// Writes to the error output although the test passes.
fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}
