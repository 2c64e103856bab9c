//! What a connection leaves behind: no thread, no socket, no closure; and how much memory a hostile server can take.

use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use http_sse::crossbeam_channel::unbounded;
use http_sse::testing::{Framing, Peer, Server};
use http_sse::{Client, Error, Request, RetryPolicy, State};

use crate::{ALLOCATOR, alone, threads};
use support::black_hole::BlackHole;
use support::phase::{Phase, Scene};
use support::process::{peak, reset_peak, resident};
use support::{deadline, is_emulated, wait_until};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// What is allocated in this process, in bytes.
fn heap() -> usize {
    let stats = ALLOCATOR.stats();
    // They wrap, and are read one after the other: more may be freed by then than had been allocated.
    let heap = stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated);
    if heap > usize::MAX / 2 { 0 } else { heap }
}

mod rounds {
    use super::*;

    /// Runs the rounds, and checks that all is as it was before. The servers stand already, and nobody has called them.
    #[track_caller]
    fn leave_nothing(what: &str, round: impl FnMut(usize)) {
        let rounds = if is_emulated() { 100 } else { 1000 };
        let before = descriptors();
        (0..rounds).for_each(round);
        let right_after = (threads().len(), descriptors());
        // A look-up or an attempt of `next_timeout` may still be winding down, and so may the servers.
        wait_until(|| threads().is_empty() && descriptors() == before);
        println!(
            "{what}: {rounds} rounds, 0 threads, {before} descriptors before and after; right after the last stop {right_after:?}"
        );
    }

    #[test]
    fn stops_in_all_phases_leave_no_thread_and_no_descriptor() {
        let _alone = alone();
        let scenes: Vec<_> = Phase::PULLED.iter().chain(Phase::SENDING).map(|phase| Scene::new(*phase)).collect();
        leave_nothing("stops in all phases", |number| {
            let scene = &scenes[number % scenes.len()];
            let rx = scene.client.connect(&scene.id, scene.request()).unwrap();
            let handle = rx.handle();
            let witness = scene.enter(&handle);
            match number % 3 {
                0 => handle.stop(),
                1 => scene.client.stop_all(),
                _ => drop(rx),
            }
            assert!(handle.join_timeout(deadline()));
            witness.closed_at();
        });
    }

    #[test]
    fn stops_right_after_the_start_leave_no_thread_and_no_descriptor() {
        let _alone = alone();
        let hole = BlackHole::open();
        let server = Server::serve(|_, mut peer| {
            peer.stream();
            peer.send("data: 1\n\ndata: 2\n\n");
            peer.is_closed_within(deadline());
        })
        .unwrap();
        let port = server.addr().port();
        let urls =
            [server.url("/"), format!("http://localhost:{port}/"), hole.url("/"), format!("https://127.0.0.1:{port}/")];
        let client = client();
        leave_nothing("stops right after the start", |number| {
            let url = &urls[number % urls.len()];
            let rx = client.connect("it", Request::get(url)).unwrap();
            let handle = rx.handle();
            // None to a few hundred microseconds.
            (0..number % 10 * 1000).for_each(|_| std::hint::spin_loop());
            drop(rx);
            assert!(handle.join_timeout(deadline()));
        });
    }

    #[test]
    fn readers_with_a_deadline_leave_no_thread_and_no_descriptor() {
        let _alone = alone();
        let hole = BlackHole::open();
        let server = Server::serve(|_, mut peer| {
            peer.stream();
            peer.send("data: 1\n\n");
            peer.is_closed_within(deadline());
        })
        .unwrap();
        let urls = [server.url("/"), hole.url("/"), format!("http://localhost:{}/", server.addr().port())];
        let client = client();
        leave_nothing("readers with a deadline", |number| {
            let mut reader = client.read("it", Request::get(&urls[number % urls.len()])).unwrap();
            let _ = reader.next_timeout(Duration::from_micros(number as u64 % 10 * 100));
            if number % 2 == 0 {
                reader.handle().reconnect();
                let _ = reader.next_timeout(Duration::from_micros(100));
            }
        });
    }
}

mod memory {
    use super::*;

    /// Of the resident set, in KiB: more than the parser may hold, and than the allocator keeps for later.
    const BOUND: u64 = 8 * 1024;

    /// Measures the peaks while `send` fills one connection after another. Under an emulator a sixteenth of everything
    /// has to do, and the heap alone is measured.
    #[track_caller]
    fn stays_bounded(what: &str, request: impl FnOnce(Request) -> Request, send: fn(&mut Peer), bytes: u64) {
        let _alone = alone();
        let server = Server::serve(move |_, mut peer| send(&mut peer)).unwrap();
        let policy = RetryPolicy::constant(Duration::from_millis(1)).max_retries(None);
        let scale = if is_emulated() { 16 } else { 1 };
        let (bytes, largest_event) = (bytes / scale as u64, MIB / scale);
        let request = request(Request::get(server.url("/events")).retry(policy).max_event_size(largest_event));
        reset_peak();
        let before = (resident(), heap());
        let mut heap_peak = 0;
        let rx = client().connect("it", request).unwrap();
        let handle = rx.handle();
        wait_until(|| {
            heap_peak = heap_peak.max(heap());
            handle.stats().bytes >= bytes && (bytes > 0 || handle.stats().attempts > 20)
        });
        let growth = peak().saturating_sub(before.0);
        let heap_growth = heap_peak.saturating_sub(before.1);
        let stats = handle.stats();
        println!(
            "{what}: {} MiB in {} attempts, {} events, {} comments, {} oversized; peak RSS + {} KiB, heap + {} KiB",
            stats.bytes >> 20,
            stats.attempts,
            stats.events,
            stats.comments,
            stats.oversized,
            growth,
            heap_growth / KIB,
        );
        // An event while it grows is there twice; the rest is the server's, and what an attempt needs.
        assert!(heap_growth < 2 * largest_event + MIB / 2, "{} KiB of heap", heap_growth / KIB);
        assert!(growth < BOUND || is_emulated(), "{growth} KiB");
        drop(rx);
        assert!(handle.join_timeout(deadline()));
    }

    /// Sends the text over and over, until the client leaves.
    fn stream(peer: &mut Peer, text: &str) {
        peer.stream();
        stream_on(peer, text);
    }

    fn stream_on(peer: &mut Peer, text: &str) {
        let block = text.repeat(64 * KIB / text.len());
        while peer.try_send(&block).is_ok() {}
    }

    #[test]
    fn an_endless_line_takes_bounded_memory() {
        stays_bounded("endless line", |request| request, |peer| stream(peer, "x"), 40 << 20);
    }

    #[test]
    fn an_endless_data_line_takes_bounded_memory() {
        let send = |peer: &mut Peer| {
            peer.stream();
            peer.send("data: ");
            stream_on(peer, "x");
        };
        stays_bounded("endless data line", |request| request, send, 40 << 20);
    }

    #[test]
    fn an_endless_event_of_short_lines_takes_bounded_memory() {
        stays_bounded("endless event", |request| request, |peer| stream(peer, "data: x\n"), 20 << 20);
    }

    #[test]
    fn endless_fields_without_data_take_bounded_memory() {
        stays_bounded("endless fields", |request| request, |peer| stream(peer, "event: x\nid: y\nz\n"), 20 << 20);
    }

    #[test]
    fn endless_comments_take_bounded_memory() {
        stays_bounded("endless comments", |request| request, |peer| stream(peer, ": comment\n"), 20 << 20);
    }

    #[test]
    fn an_endless_comment_takes_bounded_memory() {
        let send = |peer: &mut Peer| {
            peer.stream();
            peer.send(":");
            stream_on(peer, "x");
        };
        stays_bounded(
            "endless comment",
            |request| request.on_comment(|text| assert!(text.len() <= 4 * KIB)),
            send,
            40 << 20,
        );
    }

    #[test]
    fn events_that_nobody_takes_are_left_with_the_server() {
        let _alone = alone();
        let scene = Scene::new(Phase::BlockedSend);
        let server =
            Server::serve(|_, mut peer| stream(&mut peer, "data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n\n")).unwrap();
        let rx = scene.client.connect(&scene.id, Request::get(server.url("/events")).capacity(64)).unwrap();
        wait_until(|| rx.is_full() && support::phase::is_asleep(&rx.handle()));
        let stats = rx.handle().stats();
        assert_eq!(stats.events, 64 + 1);
        assert!(stats.bytes <= 8 * KIB as u64, "{}", stats.bytes);
    }

    #[test]
    fn a_busy_stream_that_falls_silent_holds_as_little_as_before() {
        let _alone = alone();
        let server = Server::start().unwrap();
        let mut events = client().connect("busy", Request::get(server.url("/"))).unwrap();
        let mut peer = server.accept();
        peer.stream();
        peer.send("data: x\n\n");
        assert!(events.next().unwrap().is_ok());
        let before = heap();
        for (amount, bytes) in [(5_000, 50), (100, 40 * KIB)] {
            let burst = format!("data: {}\n\n", "x".repeat(bytes)).repeat(amount);
            let sending = thread::spawn(move || {
                peer.send(burst);
                peer
            });
            let mut busy = 0;
            for event in events.by_ref().take(amount) {
                assert_eq!(event.unwrap().data().len(), bytes);
                busy = busy.max(heap());
            }
            peer = sending.join().unwrap();
            // Beside a few hundred bytes of the servers' and the threads'.
            wait_until(|| heap() <= before + 2 * KIB);
            println!(
                "{amount} events of {bytes} bytes: {before} bytes before, up to {busy} meanwhile, {} later",
                heap()
            );
            assert!(busy > before + 16 * KIB, "the stream was not busy");
        }
    }

    #[test]
    fn a_busy_stream_that_breaks_holds_little_until_the_next_attempt() {
        let _alone = alone();
        let server = Server::serve(|_, mut peer| {
            peer.stream();
            peer.send(format!("data: {}\n\n", "x".repeat(40 * KIB)).repeat(100));
            peer.end();
        })
        .unwrap();
        let before = heap();
        let hour = Duration::from_secs(3600);
        let request = Request::get(server.url("/")).retry(RetryPolicy::constant(hour));
        let mut events = client().connect("busy", request).unwrap();
        assert!(events.by_ref().take(100).all(|event| event.is_ok()));
        let handle = events.handle();
        // Less than one of the events; the connection and its channel have 24 KiB, the last ones of a helper thread come and go.
        wait_until(|| handle.state() == State::Waiting && heap() <= before + 32 * KIB);
    }

    #[test]
    fn an_endless_head_takes_bounded_memory() {
        let send = |peer: &mut Peer| {
            peer.request();
            peer.raw("HTTP/1.1 200 OK\r\n");
            loop {
                peer.raw("x: y\r\n".repeat(1000));
            }
        };
        stays_bounded("endless head", |request| request, send, 0);
    }

    #[test]
    fn an_endless_error_takes_bounded_memory() {
        let send = |peer: &mut Peer| {
            peer.begin(503, &[], Framing::Chunked);
            stream_on(peer, "x");
        };
        stays_bounded("endless error", |request| request, send, 0);
    }
}

mod drops {
    use super::*;

    fn streaming(server: &Server) -> Peer {
        let mut peer = server.accept();
        peer.stream();
        peer
    }

    #[test]
    fn dropping_the_client_stops_nothing() {
        let _alone = alone();
        let server = Server::start().unwrap();
        let client = client();
        let clone = client.clone();
        let rx = client.connect("it", Request::get(server.url("/events"))).unwrap();
        drop(client);
        drop(clone);
        let mut peer = streaming(&server);
        peer.send("data: 1\n\n");
        assert_eq!(rx.recv_timeout(deadline()).unwrap().unwrap().data(), "1");
        assert_eq!(rx.handle().state(), State::Open);
        let handle = rx.handle();
        drop(rx);
        assert!(handle.join_timeout(deadline()));
        peer.wait_for_close();
    }

    #[test]
    fn dropping_handles_stops_nothing() {
        let _alone = alone();
        let server = Server::start().unwrap();
        let client = client();
        drop(client.listen("it", Request::get(server.url("/events"))).unwrap());
        drop(client.handle("it"));
        let peer = streaming(&server);
        assert!(client.handle("it").unwrap().wait_open(deadline()));
        drop(client.clone());
        assert_eq!(client.ids(), ["it"]);
        assert!(client.shutdown(deadline()));
        peer.wait_for_close();
    }

    #[test]
    fn a_listener_outlives_its_client() {
        let _alone = alone();
        let server = Server::start().unwrap();
        let (sender, events) = unbounded();
        let request =
            Request::get(server.url("/events")).on_event(move |event| _ = sender.send(event.data().to_owned()));
        let handle = client().listen("it", request).unwrap();
        let mut peer = streaming(&server);
        peer.send("data: 1\n\n");
        assert_eq!(events.recv_timeout(deadline()).unwrap(), "1");
        handle.stop();
        assert!(handle.join_timeout(deadline()));
        peer.wait_for_close();
    }

    #[test]
    fn a_handle_refers_to_its_original_connection() {
        let _alone = alone();
        let server = Server::start().unwrap();
        let client = client();
        let first = client.connect("it", Request::get(server.url("/events"))).unwrap().handle();
        let second = client.connect("it", Request::get(server.url("/events"))).unwrap();
        first.stop();
        first.reconnect();
        assert!(first.join_timeout(deadline()));
        assert!(first.is_closed() && !second.handle().is_closed());
        assert_eq!(client.ids(), ["it"]);
        assert!(matches!(
            client.connect("it", Request::get(server.url("/events"))),
            Err(Error::DuplicateId(id)) if id == "it"
        ));
    }

    #[test]
    fn the_closures_of_a_request_are_gone_when_its_channel_ends() {
        let _alone = alone();
        let server = Server::serve(|_, mut peer| peer.respond(204, &[], "")).unwrap();
        let held = Arc::new(());
        let [event, close, error, open] = [(); 4].map(|()| Arc::clone(&held));
        let request = Request::get(server.url("/events"))
            .on_event(move |_| drop(Arc::clone(&event)))
            .on_close(move |_| drop(close))
            .on_error(move |_| drop(Arc::clone(&error)))
            .on_open(move |_| drop(Arc::clone(&open)));
        let rx = client().connect("it", request).unwrap();
        assert!(rx.recv_timeout(deadline()).is_err_and(|error| error.is_disconnected()));
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
