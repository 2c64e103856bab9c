//! A server that nobody here wrote: nginx with the nchan module, whose event streams carry message ids.
//!
//! One nginx holds the messages. Another stands in front of it, as a load balancer would, and its workers are killed
//! again and again while messages are published; a forwarder between it and the client resets the connection after an
//! odd number of bytes. The client comes back with Last-Event-ID.
//!
//! The nginx with the messages is left alone: nchan keeps them in the memory of one worker, and its other workers do not
//! survive the death of their neighbours. What is lost there no client can bring back.
//!
//! Needs the Debian packages nginx and libnginx-mod-nchan. Without them the test is left out, and says so;
//! with `nchan` in `HTTP_SSE_REQUIRED` it fails then.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::forwarder::Forwarder;
use crate::nginx::{self, Nginx, Signal};
use http_sse::crossbeam_channel::unbounded;
use http_sse::{Client, Events, Request, RetryPolicy};
use support::left_out::lacking;

const MESSAGES: usize = 1000;
/// After so many messages something is killed or cut.
const BURST: usize = 20;
const DEADLINE: Duration = Duration::from_secs(10);
/// The last message: whatever else comes must have come before it.
const LAST: &str = "last";

#[test]
fn no_message_of_nchan_is_lost_or_doubled_while_workers_die_and_connections_break() {
    let Some(program) = nginx::find() else {
        return lacking("nchan", "the test with a real server needs the packages nginx and libnginx-mod-nchan");
    };
    let channel = Nginx::start(&program, 1, &nginx::channel_of(2 * MESSAGES));
    let mut front = Nginx::start(&program, 2, &nginx::in_front_of(channel.address()));
    let forwarder = Forwarder::start(front.address());

    let (opened, streams) = unbounded();
    let failures = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&failures);
    let request = Request::get(format!("http://{}/subscribe", forwarder.address()))
        .retry(RetryPolicy::constant(Duration::from_millis(10)).max_retries(None))
        .on_open(move |stream| opened.send(stream.header("x-worker").unwrap().parse().unwrap()).unwrap())
        .on_error(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
        });
    let client = Client::builder().no_proxy().build().unwrap();
    let rx = client.connect("nchan", request).unwrap();
    let handle = rx.handle();
    let consumer = thread::spawn(move || consume(&rx));

    let (mut killed, mut cut) = (0, 0);
    for burst in 0..MESSAGES / BURST {
        for number in burst * BURST..(burst + 1) * BURST {
            channel.publish(&number.to_string());
        }
        // The stream that came after the one broken last; the forwarder may have broken that one too.
        let newest: u32 = streams.recv_timeout(DEADLINE).expect("no stream for 10 s");
        let newest = streams.try_iter().last().unwrap_or(newest);
        let worker = front.slot(newest).unwrap_or(0);
        match burst % 3 {
            0 => front.kill(worker, Signal::Kill),
            1 => front.kill(worker, Signal::Terminate),
            _ => {
                forwarder.reset();
                cut += 1;
                continue;
            }
        }
        killed += 1;
    }
    channel.publish(LAST);

    let received = consumer.join().unwrap();
    let attempts = handle.stats().attempts;
    assert!(handle.join_timeout(DEADLINE), "the connection's thread is still there");
    let resets = forwarder.resets();
    let mut times: HashMap<&str, usize> = HashMap::new();
    for data in &received {
        *times.entry(data).or_default() += 1;
    }
    let expected: Vec<String> = (0..MESSAGES).map(|number| number.to_string()).collect();
    let lost = expected.iter().filter(|data| !times.contains_key(data.as_str())).count();
    let doubled = times.values().filter(|&&times| times > 1).count();
    eprintln_uncaptured(&format!(
        "nchan: {MESSAGES} messages published, {} received, {lost} lost, {doubled} doubled; {killed} workers killed, \
         {resets} connections reset ({cut} on command), {attempts} requests, {} reported failures",
        received.len(),
        failures.load(Ordering::SeqCst),
    ));
    assert_eq!((lost, doubled), (0, 0));
    assert!(received == expected, "the messages came out of order");
    assert!(attempts as usize > (killed + cut) / 2, "the stream was hardly ever broken: {attempts} requests");
    assert!(resets > cut / 2, "the forwarder hardly ever broke it: {resets} times");
}

/// The server keeps five messages, and more or fewer are published while the client is away.
#[test]
fn every_loss_of_a_server_that_keeps_few_messages_is_marked_and_nothing_lost_is_unmarked() {
    const KEPT: usize = 5;
    const MISSED: [u32; 8] = [0, 3, 30, 1, 6, 2, 12, 100];
    let Some(program) = nginx::find() else {
        return lacking("nchan", "the test with a real server needs the packages nginx and libnginx-mod-nchan");
    };
    let channel = Nginx::start(&program, 1, &nginx::channel_of(KEPT));
    let forwarder = Forwarder::passing(channel.address(), 1 << 20);
    let (stops, stopped) = unbounded();
    let (go, allowed) = unbounded();
    let request = Request::get(format!("http://{}/subscribe", forwarder.address()))
        .retry(RetryPolicy::constant(Duration::from_millis(10)).max_retries(None))
        .before_connect(move |_| {
            stops.send(()).unwrap();
            allowed.recv_timeout(DEADLINE).unwrap();
        })
        .mark_gaps();
    let rx = Client::builder().no_proxy().build().unwrap().connect("nchan gaps", request).unwrap();
    let (mut published, mut next, mut lost, mut last_id) = (0, 0, Vec::new(), None);
    for (break_number, missed) in MISSED.repeat(3).into_iter().enumerate() {
        if break_number > 0 {
            forwarder.reset();
        }
        stopped.recv_timeout(DEADLINE).expect("the client has not lost its stream");
        let missed = if break_number == 0 { 0 } else { missed };
        (0..missed).for_each(|number| channel.publish(&(published + number).to_string()));
        published += missed;
        go.send(()).unwrap();
        // The gap comes before anything that follows, and waits for nothing.
        if break_number > 0 {
            let gap = rx.recv_timeout(DEADLINE).expect("no gap for 10 s").unwrap();
            let reconnected = gap.gap().and_then(|gap| gap.reconnected.clone()).expect("an event before the gap");
            assert_eq!(reconnected.resumed_from.as_deref(), last_id.as_deref());
        }
        channel.publish(&published.to_string());
        published += 1;
        let mut skipped = 0;
        while next < published {
            let event = rx.recv_timeout(DEADLINE).expect("no event for 10 s").unwrap();
            assert!(event.gap().is_none(), "a gap without a break: {event:?}");
            let number: u32 = event.data().parse().unwrap();
            assert!(number == next || next == published - 1 - missed, "{number} in place of {next}, and no gap before");
            skipped += number - next;
            (next, last_id) = (number + 1, event.id().map(str::to_owned));
        }
        lost.push((missed, skipped));
    }
    let all: u32 = lost.iter().map(|(_, skipped)| skipped).sum();
    let breaks = lost.len() - 1;
    eprintln_uncaptured(&format!("nchan: {published} messages published, {all} lost in {breaks} breaks, all marked"));
    // What the server keeps is repeated, the rest is lost.
    for (missed, skipped) in lost {
        assert!(if missed as usize <= KEPT { skipped == 0 } else { skipped > 0 }, "{skipped} of {missed}");
    }
    rx.handle().stop();
    assert!(rx.handle().join_timeout(DEADLINE));
}

/// Returns what comes before the last message.
fn consume(rx: &Events) -> Vec<String> {
    let mut received = Vec::new();
    loop {
        match rx.recv_timeout(DEADLINE) {
            Ok(Ok(event)) if event.data() == LAST => return received,
            Ok(Ok(event)) => received.push(event.into_data()),
            Ok(Err(error)) => panic!("after {} messages: {error}", received.len()),
            Err(_) => panic!("nothing for 10 s after {} messages: {:?}", received.len(), rx.handle()),
        }
    }
}

/// Writes to the error output although the test passes.
fn eprintln_uncaptured(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}
