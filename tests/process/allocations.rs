//! What an event costs in allocations once a stream is under way: none, or one if it is kept.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use http_sse::{Client, Error, Event, Request, RetryPolicy};

use crate::{ALLOCATOR, alone};

const WARM_UP: usize = 1_000;
const COUNTED: usize = 20_000;
const EVENTS: usize = 2 * WARM_UP + COUNTED;

/// A server that allocates nothing while it sends: its allocations would be counted too.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        while !lines.next().unwrap().unwrap().is_empty() {}
        let event = "event: reading\nid: 1234567890\ndata: {\"celsius\": 21.5, \"room\": \"attic\"}\n\n";
        let body = event.repeat(EVENTS);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
        stream.write_all([head, &body].concat().as_bytes()).unwrap();
    });
    address
}

fn allocations_per_event(mut events: impl Iterator<Item = Result<Event, Error>>) -> f64 {
    for _ in 0..WARM_UP {
        events.next().unwrap().unwrap();
    }
    let before = ALLOCATOR.stats();
    for _ in 0..COUNTED {
        events.next().unwrap().unwrap();
    }
    let after = ALLOCATOR.stats();
    let fresh = after.allocations - before.allocations;
    (fresh + after.reallocations - before.reallocations) as f64 / COUNTED as f64
}

#[test]
fn an_event_with_id_and_type_costs_no_allocation() {
    let _alone = alone();
    let client = Client::builder().no_proxy().build().unwrap();
    let request = || Request::get(format!("http://{}/", server())).retry(RetryPolicy::never());
    let read = allocations_per_event(client.read("read", request()).unwrap());
    let connect = allocations_per_event(client.connect("connect", request()).unwrap());
    println!("allocations an event: read {read:.4}, connect {connect:.4}");
    // Buffers that follow the data, and sleeping, cost a little.
    assert!(read <= 0.02, "{read}");
    assert!(connect <= 0.02, "{connect}");
}
