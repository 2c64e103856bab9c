//! What a client takes of its process, and leaves behind in it: threads, descriptors, memory, stack. One test at a time.

#[cfg(target_os = "linux")]
mod addresses;
mod allocations;
#[cfg(target_os = "linux")]
mod idle;
#[cfg(target_os = "linux")]
mod leaks;
mod stack_size;

use std::alloc::System;
use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use support::wait_until;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Threads, descriptors and memory are the whole process's: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    // Those of the test before, which it did not wait for.
    wait_until(|| threads().is_empty());
    turn
}

/// The names of the library's threads; those of the test runner come and go. None where there is no `/proc`.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with("sse-") && !name.starts_with("sse-test")).collect()
}
