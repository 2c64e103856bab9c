//! A connection of the simulated world, in place of a socket.

use std::sync::Arc;
use std::time::Duration;

use super::{Fault, Wait};
use crate::cancel::AttemptToken;
use crate::simulation::{Input, now, pass_until, with, with_if_entered};

/// A connection of the world.
#[derive(Debug)]
pub(crate) struct Simulated {
    number: u64,
    attempt: Arc<AttemptToken>,
}

impl Simulated {
    pub(crate) fn open(host: &str, attempt: &Arc<AttemptToken>) -> Result<Self, Fault> {
        let number = with(|world| world.connect(host, now()))?;
        Ok(Self { number, attempt: Arc::clone(attempt) })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        with(|world| world.write(self.number, bytes, now()))?;
        Ok(bytes.len())
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8], wait: &mut Wait) -> Result<usize, Fault> {
        let left = wait.first();
        let deadline = left.map(|left| now() + left);
        if left == Some(Duration::ZERO) {
            wait.look()?;
        }
        loop {
            let input = with(|world| world.read(self.number, buffer, now()));
            if self.attempt.is_cancelled() {
                return Err(Fault::Cancelled);
            }
            match input {
                Input::Bytes(amount) => return Ok(amount),
                Input::End => return Ok(0),
                Input::Broken(kind) => return Err(Fault::Io(kind.into())),
                Input::Later(_) if deadline.is_some_and(|deadline| deadline <= now()) => {
                    return Err(Fault::DeadlineReached);
                }
                Input::Later(at) => {
                    pass_until([at, deadline].into_iter().flatten().min(), || self.attempt.is_cancelled())
                }
            }
        }
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        // Behind the end of the world nobody cares.
        with_if_entered(|world| world.close(self.number, now()));
    }
}
