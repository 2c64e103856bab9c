//! An idle connection sleeps: its thread is not woken until there is something to do, and holds little memory.

use http_sse::testing::Server;
use http_sse::{Client, Request, RetryPolicy};
use std::time::Duration;
use std::{fs, thread};

use crate::alone;
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
    let _alone = alone();
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

#[test]
fn after_a_busy_time_a_stream_falls_asleep_and_goes_on() {
    let _alone = alone();
    let server = Server::start().unwrap();
    let client = Client::builder().no_proxy().build().unwrap();
    let mut events = client.connect("busy", Request::get(server.url("/")).retry(RetryPolicy::never())).unwrap();
    let mut peer = server.accept();
    peer.stream();
    for round in 0..3 {
        let burst: String = (0..5_000).map(|number| format!("data: {round} {number}\n\n")).collect();
        let sending = thread::spawn(move || {
            peer.send(&burst);
            peer
        });
        for number in 0..5_000 {
            assert_eq!(events.next().unwrap().unwrap().data(), format!("{round} {number}"));
        }
        peer = sending.join().unwrap();
        // It wakes up once, to give back what only a busy stream needs.
        wait_until(|| {
            let before = settled("sse-busy");
            // Several times what that takes: one that wakes up for ever never passes.
            thread::sleep(Duration::from_millis(700));
            sleeps("sse-busy") == Some(before)
        });
    }
    peer.end();
    assert!(events.next().is_none());
}

/// Elsewhere pages may be larger, and an emulator shows its own memory.
#[cfg(target_arch = "x86_64")]
mod stack {
    use http_sse::crossbeam_channel::bounded;

    use super::*;
    use support::deadline;

    #[test]
    fn an_open_stream_keeps_none_of_the_stack_that_opening_it_took() {
        let _alone = alone();
        let server = Server::start().unwrap();
        let client = Client::builder().no_proxy().build().unwrap();
        let (sender, on_stack) = bounded(1);
        let request = Request::get(server.url("/")).on_open(move |_| {
            let here = 0;
            sender.send(&raw const here as usize).unwrap();
        });
        let events = client.connect("shallow", request).unwrap();
        let mut peer = server.accept();
        peer.stream();
        peer.send("data: one\n\n");
        assert_eq!(events.recv().unwrap().unwrap().data(), "one");
        settled("sse-shallow");
        let resident = resident_around(on_stack.recv_timeout(deadline()).unwrap());
        // Without optimisation 16, and 92 when the connection's own thread opens.
        assert!(resident <= 48, "{resident} KiB of stack");
        drop(events);
        assert!(peer.is_closed_within(deadline()));
    }

    /// How much of the mapping that an address lies in is resident, in KiB.
    fn resident_around(address: usize) -> u64 {
        let maps = fs::read_to_string("/proc/self/smaps").unwrap();
        let number = |digits: &str| usize::from_str_radix(digits, 16).ok();
        let mut lines = maps.lines().skip_while(|line| {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            let range = range.and_then(|(start, end)| Some(number(start)?..number(end)?));
            !range.is_some_and(|range| range.contains(&address))
        });
        let rss = lines.find_map(|line| line.strip_prefix("Rss:")).unwrap();
        rss.trim().trim_end_matches(" kB").parse().unwrap()
    }
}
