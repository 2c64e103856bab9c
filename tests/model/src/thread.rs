//! The part of std's threads that the files use. Not loom's own: there, unparking a thread that waits for a lock breaks
//! the lock.

use std::sync::Arc;

use loom::sync::{Condvar, Mutex};

#[derive(Clone)]
pub struct Thread(Arc<Token>);

struct Token {
    is_there: Mutex<bool>,
    came: Condvar,
}

loom::thread_local! {
    static OWN: Thread = Thread(Arc::new(Token { is_there: Mutex::new(false), came: Condvar::new() }));
}

pub fn current() -> Thread {
    OWN.with(Clone::clone)
}

pub fn park() {
    let Thread(token) = current();
    let mut is_there = token.is_there.lock().unwrap();
    while !*is_there {
        is_there = token.came.wait(is_there).unwrap();
    }
    *is_there = false;
}

impl Thread {
    pub fn unpark(&self) {
        *self.0.is_there.lock().unwrap() = true;
        self.0.came.notify_one();
    }
}

impl std::fmt::Debug for Thread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Thread")
    }
}
