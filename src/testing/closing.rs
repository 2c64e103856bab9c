//! The steps that wait, and those that end a connection in every way.

use std::time::{Duration, Instant};

use socket2::SockRef;

use super::peer::Received;
use super::{Framing, Peer, script, server};

impl Peer {
    /// Waits until the time is over or the client has closed its side, whichever comes first; returns whether it has.
    pub fn is_closed_within(&mut self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            match self.receive(deadline) {
                Received::Bytes => {}
                Received::End(_) => return true,
                Received::Nothing => return false,
            }
        }
    }

    /// Waits until the client has closed its side, then closes too; returns how long that took.
    ///
    /// # Panics
    ///
    /// When the client is still there after 10 s.
    #[track_caller]
    pub fn hold(mut self) -> Duration {
        let start = Instant::now();
        let limit = self.limit;
        if !self.is_closed_within(limit) {
            panic!("scripted server: the client of connection {} has not left within {limit:?}", self.number);
        }
        start.elapsed()
    }

    /// Ends the answer: the last chunk where the body is chunked, then FIN.
    #[track_caller]
    pub fn end(mut self) {
        let result = match self.framing {
            Framing::Chunked => self.write(b"0\r\n\r\n"),
            _ => Ok(()),
        };
        self.upgraded = None;
        script::check_step("end", result);
    }

    /// Closes the connection (FIN) without the last chunk: a chunked answer is cut short.
    pub fn cut(self) {
        drop(self);
    }

    /// Resets the connection (RST): what the client has not received yet is lost.
    pub fn reset(mut self) {
        // On failure the client has gone already, and closing is all that is left.
        self.resets = SockRef::from(&*self.socket).set_linger(Some(Duration::ZERO)).is_ok();
    }

    /// Waits until the time is over: the only step that sleeps. The server's closing cuts it short.
    pub fn pause(&mut self, time: Duration) {
        if server::closes_within(&self.closing, time) {
            script::end_quietly();
        }
    }
}
