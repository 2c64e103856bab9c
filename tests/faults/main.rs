//! Every fault of the table within its bounds, in short runs and with bounds ten times as wide as the bench measures:
//! attempts, memory, CPU time, time to stop, events lost and doubled.
//!
//! `cargo bench --bench faults` runs the same rows for longer.

use std::process::Command;
use std::thread;

use support::faults::{self, Group, Settings, again, client, table};
use support::left_out::left_out;

const SLACK: u32 = 10;
/// Of the rows that wait.
const AT_ONCE: usize = 8;

#[test]
#[ignore = "a part: the other tests run it in a process of its own"]
fn a_client_in_a_process_of_its_own_measures_itself() {
    println!("{}", client::play().expect("a row in the environment").line());
}

fn as_client() -> Command {
    let mut command = again();
    command.args(["--exact", "a_client_in_a_process_of_its_own_measures_itself", "--ignored", "--nocapture"]);
    command
}

#[track_caller]
fn hold_their_bounds(group: Group, at_once: usize) {
    if !cfg!(target_os = "linux") {
        left_out("the faults: their figures come from /proc");
        return;
    }
    if support::is_emulated() {
        left_out("the faults: their figures would be the emulator's");
        return;
    }
    let rows: Vec<_> = table::ROWS.iter().filter(|row| row.group == group).collect();
    let mut broken = Vec::new();
    for rows in rows.chunks(at_once) {
        let run = |row: &'static faults::Row| {
            move || {
                let figures = row.measure(Settings::SHORT, as_client);
                println!("{}", figures.row(row.name));
                row.broken_bounds(&figures, Settings::SHORT, SLACK)
            }
        };
        let running: Vec<_> = rows.iter().map(|row| thread::spawn(run(row))).collect();
        broken.extend(running.into_iter().flat_map(|row| row.join().unwrap()));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn an_answer_without_end_takes_bounded_memory_and_can_be_stopped() {
    hold_their_bounds(Group::Endless, 1);
}

#[test]
fn a_slow_or_silent_peer_costs_neither_time_nor_attempts() {
    hold_their_bounds(Group::Silent, AT_ONCE);
}

#[test]
fn a_peer_that_breaks_off_is_asked_again_at_the_pace_of_the_policy_and_nothing_is_lost() {
    hold_their_bounds(Group::Broken, AT_ONCE);
}

#[test]
fn a_peer_that_cannot_be_reached_is_asked_again_at_the_pace_of_the_policy() {
    hold_their_bounds(Group::Unreachable, AT_ONCE);
}

#[test]
fn redirects_end_and_carry_no_secret_to_another_origin() {
    hold_their_bounds(Group::Redirect, AT_ONCE);
}

#[test]
fn an_id_that_cannot_be_sent_back_breaks_nothing() {
    hold_their_bounds(Group::Id, AT_ONCE);
}

#[test]
fn a_server_cannot_ask_for_more_than_two_attempts_a_second() {
    hold_their_bounds(Group::Retry, AT_ONCE);
}
