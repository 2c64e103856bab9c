//! An idle connection sleeps: its thread is not woken until there is something to do.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in tests a failed unwrap is the verdict")]

mod support;

use http_sse::testing::Server;
use http_sse::{Client, Request, RetryPolicy};
use std::time::Duration;
use std::{fs, thread};

use support::wait_until;

/// How often the kernel has put the thread to sleep so far; `None` while it is not asleep.
fn sleeps(thread: &str) -> Option<u64> {
    let task = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path()).find(|task| {
        // A thread may end while the list is read.
        fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim_end() == thread)
    })?;
    let status = fs::read_to_string(task.join("status")).ok()?;
    let value = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    value("State:")?.starts_with('S').then(|| value("voluntary_ctxt_switches:")?.parse().ok())?
}

/// Waits until the thread is asleep and stays so for a moment.
fn settled(thread: &str) -> u64 {
    let mut settled = 0;
    wait_until(|| {
        let Some(count) = sleeps(thread) else { return false };
        settled = count;
        thread::sleep(Duration::from_millis(50));
        sleeps(thread) == Some(count)
    });
    settled
}

#[test]
fn an_idle_stream_is_not_woken() {
    let server = Server::start().unwrap();
    let client = Client::builder().no_proxy().build().unwrap();
    let events = client.connect("idle", Request::get(server.url("/")).retry(RetryPolicy::never())).unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send("data: one\n\n");
    assert_eq!(events.recv().unwrap().unwrap().data(), "one");
    let before = settled("sse-idle");
    // The time is the subject of the test.
    thread::sleep(Duration::from_secs(2));
    assert_eq!(sleeps("sse-idle"), Some(before));
    peer.send("data: two\n\n");
    assert_eq!(events.recv().unwrap().unwrap().data(), "two");
    wait_until(|| sleeps("sse-idle").is_some_and(|sleeps| sleeps > before));
    peer.end();
    assert!(events.recv().is_err());
}
