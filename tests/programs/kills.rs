//! A consumer that is killed at random moments handles every event at least once.

use std::collections::HashMap;
use std::env;
use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use http_sse::testing::Server;
use http_sse::{Checkpoint, Client, Request, RetryPolicy};

const EVENTS: u64 = 40_000;
const KILLS: u32 = 100;
const PORTION: u64 = 400;

#[test]
#[ignore = "a part: the other tests kill it"]
fn consumer() {
    let (url, folder) = (env::var("CHECKPOINT_URL").unwrap(), env::var("CHECKPOINT_FOLDER").unwrap());
    let checkpoint = Checkpoint::open(format!("{folder}/id")).unwrap().every_events(100);
    assert_eq!(checkpoint.damaged(), None);
    let mut handled = OpenOptions::new().create(true).append(true).open(format!("{folder}/handled")).unwrap();
    let request = Request::get(url)
        .last_event_id(checkpoint.last_event_id())
        .retry(RetryPolicy::constant(Duration::from_millis(1)).max_retries(1000));
    let client = Client::builder().no_proxy().build().unwrap();
    for event in client.connect("consumer", request).unwrap().checkpoint(checkpoint) {
        let event = event.unwrap();
        // One write: a kill leaves all of it or nothing.
        handled.write_all(format!("{}\n", event.data()).as_bytes()).unwrap();
        if event.data() == EVENTS.to_string() {
            break;
        }
    }
}

#[test]
fn every_event_is_handled_at_least_once_over_a_hundred_kills() {
    let killing = Arc::new(AtomicBool::new(true));
    let is_killing = Arc::clone(&killing);
    let server = Server::serve_concurrently(move |_, mut peer| {
        let from = peer.request().header("last-event-id").map_or(0, |id| id.parse::<u64>().unwrap());
        peer.stream();
        // Few enough that there is something left for every kill.
        let until = if is_killing.load(Ordering::SeqCst) { EVENTS.min(from + PORTION) } else { EVENTS };
        for number in from + 1..=until {
            if peer.try_send(format!("id: {number}\ndata: {number}\n\n")).is_err() {
                return;
            }
        }
        peer.wait_for_close();
    })
    .unwrap()
    .wait_limit(Duration::from_secs(120));
    let folder = env::temp_dir().join(format!("http-sse-kill-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let consumer = || {
        support::program::part(module_path!(), "consumer")
            .env("CHECKPOINT_URL", server.url("/events"))
            .env("CHECKPOINT_FOLDER", &folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    // Under qemu-user a process hangs in fork now and then: fewer there.
    let kills = if support::is_emulated() { 20 } else { KILLS };
    for round in 0..kills {
        let connections = server.connections();
        let mut child = consumer();
        // Every second one has started to read, however long that takes on this machine.
        if round % 2 == 0 {
            support::wait_until(|| server.connections() > connections);
        }
        // The moment is the subject of the test.
        thread::sleep(Duration::from_micros(RandomState::new().build_hasher().finish() % 40_000));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    killing.store(false, Ordering::SeqCst);
    let killed_at = handled(&folder).len();
    assert!(consumer().wait().unwrap().success());

    let mut times = HashMap::<u64, u32>::new();
    for number in handled(&folder) {
        *times.entry(number).or_default() += 1;
    }
    let lost: Vec<_> = (1..=EVENTS).filter(|number| !times.contains_key(number)).collect();
    let repeated: u32 = times.values().map(|times| times - 1).sum();
    println!(
        "{kills} kills within the first {killed_at} events: {} handled, {} lost, {repeated} repeated",
        times.len(),
        lost.len()
    );
    assert!(lost.is_empty(), "{lost:?}");
    fs::remove_dir_all(&folder).unwrap();
}

/// Each run sees three events, far from any interval.
#[test]
fn a_program_that_is_killed_early_every_time_gets_ahead() {
    let server = Server::serve_concurrently(|_, mut peer| {
        let from = peer.request().header("last-event-id").map_or(0, |id| id.parse::<u64>().unwrap());
        peer.stream();
        for number in from + 1..=from + 3 {
            peer.send(format!("id: {number}\ndata: {number}\n\n"));
        }
        peer.wait_for_close();
    })
    .unwrap();
    let folder = support::program::Folder::new("kill-early");
    let saved = || fs::read_to_string(folder.file("id")).unwrap_or_default();
    for _ in 0..6 {
        let before = saved();
        let mut child = support::program::part(module_path!(), "consumer")
            .env("CHECKPOINT_URL", server.url("/events"))
            .env("CHECKPOINT_FOLDER", folder.file(""))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        support::wait_until(|| saved() != before);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let last = Checkpoint::open(folder.file("id")).unwrap().last_event_id().unwrap().parse::<u64>().unwrap();
    assert!((6..=18).contains(&last), "{last}");
}

fn handled(folder: &Path) -> Vec<u64> {
    let text = fs::read_to_string(folder.join("handled")).unwrap();
    text.lines().map(|line| line.parse().unwrap()).collect()
}
