//! A socket that never has anything to read: only a shutdown ends the wait.

use std::sync::Arc;
use std::sync::Weak;

use loom::sync::{Condvar, Mutex};

use crate::cancel::HangUp;

pub(crate) struct Line {
    hung_up: Mutex<usize>,
    changed: Condvar,
}

impl Line {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { hung_up: Mutex::new(0), changed: Condvar::new() })
    }

    pub(crate) fn weak(self: &Arc<Self>) -> Weak<dyn HangUp> {
        let weak: Weak<Self> = Arc::downgrade(self);
        weak
    }

    pub(crate) fn read(&self) {
        let mut hung_up = self.hung_up.lock().unwrap();
        while *hung_up == 0 {
            hung_up = self.changed.wait(hung_up).unwrap();
        }
    }

    pub(crate) fn times_hung_up(&self) -> usize {
        *self.hung_up.lock().unwrap()
    }
}

impl HangUp for Line {
    fn hang_up(&self) {
        *self.hung_up.lock().unwrap() += 1;
        self.changed.notify_all();
    }
}
