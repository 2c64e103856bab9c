//! A socket that never has anything to read: only a shutdown ends the wait.

use std::sync::Arc;
use std::sync::Weak;

use loom::sync::{Condvar, Mutex};

use crate::cancel::ShutdownHandle;

pub(crate) struct Socket {
    shut_down: Mutex<usize>,
    changed: Condvar,
}

impl Socket {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { shut_down: Mutex::new(0), changed: Condvar::new() })
    }

    pub(crate) fn weak(self: &Arc<Self>) -> Weak<dyn ShutdownHandle> {
        let weak: Weak<Self> = Arc::downgrade(self);
        weak
    }

    pub(crate) fn read(&self) {
        let mut shut_down = self.shut_down.lock().unwrap();
        while *shut_down == 0 {
            shut_down = self.changed.wait(shut_down).unwrap();
        }
    }

    pub(crate) fn times_shut_down(&self) -> usize {
        *self.shut_down.lock().unwrap()
    }
}

impl ShutdownHandle for Socket {
    fn shutdown(&self) {
        *self.shut_down.lock().unwrap() += 1;
        self.changed.notify_all();
    }
}
