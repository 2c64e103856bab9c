//! A host with several addresses, of which some are of no use (RFC 8305).
//!
//! All are addresses of the loopback device, which Linux answers for without any of them being set up.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::alone;
use http_sse::{Client, End, Error, Request, RetryPolicy, Timeout};
use support::black_hole::BlackHole;
use support::{deadline, wait_until};

const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid: 1\ndata: here\n\n";
const BAD_GATEWAY: &str = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
const DONE: &str = "HTTP/1.1 204 No Content\r\n\r\n";

fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, last)
}

/// A client for which `several.example` has the addresses from 127.0.0.2 to this one.
fn client(last: u8) -> Client {
    let builder = Client::builder().no_proxy();
    (2..=last).fold(builder, |builder, last| builder.resolve("several.example", ip(last).into())).build().unwrap()
}

fn request(port: u16) -> Request {
    Request::get(format!("http://several.example:{port}/")).retry(RetryPolicy::constant(Duration::from_millis(1)))
}

/// A port that is free at each of these addresses.
fn listeners(addresses: &[u8]) -> (u16, Vec<TcpListener>) {
    let first = TcpListener::bind((ip(addresses[0]), 0)).unwrap();
    let port = first.local_addr().unwrap().port();
    let others = addresses[1..].iter().map(|&last| TcpListener::bind((ip(last), port)).unwrap());
    (port, std::iter::once(first).chain(others).collect())
}

/// What a server does with its next connection.
enum Turn {
    Answer(&'static str),
    Close,
    Stall,
}

/// Plays the turns of each listener, and tells the last byte of the address that was called.
fn play(listeners: Vec<TcpListener>, turns: Vec<Vec<Turn>>) -> Receiver<u8> {
    let (sender, calls) = channel();
    for (listener, turns) in listeners.into_iter().zip(turns) {
        let sender = sender.clone();
        let SocketAddr::V4(own) = listener.local_addr().unwrap() else { panic!("not IPv4") };
        thread::spawn(move || {
            let mut stalled = Vec::new();
            for turn in turns {
                let (mut connection, _) = listener.accept().unwrap();
                sender.send(own.ip().octets()[3]).unwrap();
                if let Turn::Close = turn {
                    continue;
                }
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    connection.read_exact(&mut byte).unwrap();
                    head.push(byte[0]);
                }
                match turn {
                    Turn::Answer(answer) => connection.write_all(answer.as_bytes()).unwrap(),
                    _ => stalled.push(connection),
                }
            }
        });
    }
    calls
}

/// Returns how many connects to an address are under way.
fn connects_to(address: SocketAddr) -> usize {
    let SocketAddr::V4(address) = address else { panic!("not IPv4") };
    let remote = format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port());
    let table = fs::read_to_string("/proc/self/net/tcp").unwrap();
    let waiting = |line: &&str| line.split_whitespace().skip(2).take(2).eq([remote.as_str(), "02"]);
    table.lines().filter(waiting).count()
}

/// The library's threads that connect.
fn helpers() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.trim_end() == "sse-tcp").count()
}

#[test]
fn the_next_address_is_tried_beside_one_that_swallows_packets() {
    let _alone = alone();
    let (port, mut servers) = listeners(&[5]);
    let holes: Vec<_> = (2..5).map(|last| BlackHole::open_at((ip(last), port).into())).collect();
    let calls = play(vec![servers.remove(0)], vec![vec![Turn::Answer(STREAM)]]);
    let start = Instant::now();
    let mut events = client(5).read("race", request(port)).unwrap();
    assert_eq!(events.next().unwrap().unwrap().data(), "here");
    // Three head starts of 250 ms; one address after the other had a quarter of 15 s each.
    let took = start.elapsed();
    assert!((Duration::from_millis(750)..Duration::from_secs(7)).contains(&took), "{took:?}");
    assert_eq!(calls.recv_timeout(deadline()).unwrap(), 5);
    drop(holes);
}

#[test]
fn an_address_that_refuses_gets_no_head_start() {
    let _alone = alone();
    let (port, mut servers) = listeners(&[3]);
    let _calls = play(vec![servers.remove(0)], vec![vec![Turn::Answer(STREAM)]]);
    // 127.0.0.2 has nobody at this port.
    let mut events = client(3).read("refused", request(port)).unwrap();
    assert_eq!(events.next().unwrap().unwrap().data(), "here");
}

#[test]
fn an_address_that_fails_before_its_stream_opens_makes_room_for_the_next() {
    let _alone = alone();
    for (name, bad) in [("502", Turn::Answer(BAD_GATEWAY)), ("closes", Turn::Close), ("stalls", Turn::Stall)] {
        let (port, servers) = listeners(&[2, 3]);
        let good = vec![Turn::Answer(STREAM), Turn::Answer(DONE)];
        let calls = play(servers, vec![vec![bad], good]);
        // The good address comes first the next time too.
        let request = request(port).response_timeout(Duration::from_millis(500));
        let mut events = client(3).read("moves", request).unwrap();
        assert_eq!(events.next().unwrap().unwrap().data(), "here", "{name}");
        assert!(events.next().is_none(), "{name}");
        assert!(matches!(events.handle().end(), Some(End::NoContent)), "{name}");
        assert_eq!(calls.try_iter().collect::<Vec<_>>(), [2, 3, 3], "{name}");
    }
}

#[test]
fn failures_lead_through_all_addresses_and_to_the_first_again() {
    let _alone = alone();
    let (port, servers) = listeners(&[2, 3, 4]);
    let bad = || Turn::Answer(BAD_GATEWAY);
    let calls = play(servers, vec![vec![bad(), Turn::Answer(DONE)], vec![bad()], vec![bad()]]);
    let mut events = client(4).read("round", request(port)).unwrap();
    assert!(events.next().is_none());
    assert_eq!(calls.try_iter().collect::<Vec<_>>(), [2, 3, 4, 2]);
}

#[test]
fn all_addresses_together_take_the_connect_timeout_at_most() {
    let _alone = alone();
    let hole = BlackHole::open_at((ip(2), 0).into());
    let _other = BlackHole::open_at((ip(3), hole.addr().port()).into());
    let request = request(hole.addr().port()).connect_timeout(Duration::from_millis(600)).retry(RetryPolicy::never());
    let start = Instant::now();
    let error = client(3).read("late", request).unwrap().next().unwrap().unwrap_err();
    assert!(matches!(error, Error::Timeout(Timeout::Connect)), "{error}");
    assert!(start.elapsed() >= Duration::from_millis(600));
}

#[test]
fn a_stop_ends_all_connects_at_once() {
    let _alone = alone();
    let hole = BlackHole::open_at((ip(2), 0).into());
    let _other = BlackHole::open_at((ip(3), hole.addr().port()).into());
    let handle = client(3).listen("stop", request(hole.addr().port())).unwrap();
    wait_until(|| helpers() == 2);
    let start = Instant::now();
    handle.stop();
    handle.join();
    // No thread is left behind. The kernel ends a join before it removes the thread from /proc.
    wait_until(|| helpers() == 0);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn a_single_address_takes_no_helper() {
    let _alone = alone();
    let hole = BlackHole::open_at((ip(2), 0).into());
    let before = connects_to(hole.addr());
    let handle = client(2).listen("alone", request(hole.addr().port())).unwrap();
    wait_until(|| connects_to(hole.addr()) > before);
    assert_eq!(helpers(), 0);
    handle.stop();
    handle.join();
}

#[test]
fn a_connection_comes_from_the_address_that_was_asked_for() {
    let _alone = alone();
    let listener = TcpListener::bind((ip(1), 0)).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut connection, peer) = listener.accept().unwrap();
        connection.write_all(DONE.as_bytes()).unwrap();
        peer.ip()
    });
    let client = Client::builder().no_proxy().bind_address(ip(7).into()).build().unwrap();
    assert!(client.read("source", Request::get(url)).unwrap().next().is_none());
    assert_eq!(server.join().unwrap(), ip(7));
}

#[test]
fn an_address_that_is_not_this_machines_and_a_device_that_is_missing_are_failures_of_the_attempt() {
    let builder = || Client::builder().no_proxy().resolve("several.example", ip(1).into());
    for (builder, expected) in [
        (builder().bind_address([192, 0, 2, 7].into()), "192.0.2.7"),
        (builder().bind_address("::1".parse().unwrap()), "no address reachable from ::1"),
        (builder().bind_device("none0"), "none0"),
    ] {
        let events = builder.build().unwrap().read("link", request(9).retry(RetryPolicy::never()));
        let error = events.unwrap().next().unwrap().unwrap_err();
        assert!(error.is_transient() && error.to_string().contains(expected), "{error}");
    }
}
