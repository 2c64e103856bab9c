//! Replaying a recording, which turns a bug report into a test.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::recording::{self, Answer, End, Stream};
use super::{Framing, Peer, Server};

impl Server {
    /// Starts a server that replays a recording of `ssecat --record`: the same bytes in the same pieces.
    ///
    /// The first connection gets the first recorded response, the second one the second. After the last response, the
    /// server answers 204, which tells the client not to reconnect. Each piece is a separate chunk. `speed` divides the
    /// pauses before pieces and ends: 1.0 is the recorded speed, `f64::INFINITY` skips the pauses. The delay of the
    /// client between attempts is its own.
    ///
    /// Not recorded and not replayed: headers except the Content-Type, attempts without a response (comments in the
    /// file), and the body of a response that is not a stream.
    ///
    /// # Errors
    ///
    /// `InvalidData` names a malformed line, `InvalidInput` a speed that is not above 0. Otherwise the error of the
    /// system: the file cannot be read, or no socket or thread is available.
    ///
    /// # Example: the stream of a bug report
    ///
    /// ```
    /// use http_sse::testing::Server;
    /// use http_sse::{Client, Request};
    ///
    /// # let bug = std::env::temp_dir().join(format!("http-sse-replay-{}", std::process::id()));
    /// # let text = "http-sse recording 1\n0.1 open 200 text/event-stream\n0.2 body data: 1\\n\n9.5 body \\n\n9.6 end\n";
    /// # std::fs::write(&bug, text)?;
    /// // Recorded by: ssecat --record bug.sse --timeout 60 https://example.com/events
    /// let server = Server::replay(&bug, f64::INFINITY)?;
    /// let client = Client::builder().no_proxy().build()?;
    /// let mut events = client.read("bug", Request::get(server.url("/")))?;
    /// assert_eq!(events.next().ok_or("over")??.data(), "1");
    /// # std::fs::remove_file(bug)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn replay(file: impl AsRef<Path>, speed: f64) -> io::Result<Self> {
        if speed.is_nan() || speed <= 0.0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("invalid speed {speed}: must be greater than 0"),
            ));
        }
        let answers = recording::parse(&fs::read_to_string(file)?)?;
        Self::serve(move |number, mut peer| match answers.get(number) {
            None => peer.respond(204, &[], ""),
            Some(Answer::Status(status)) => peer.respond(*status, &[], ""),
            Some(Answer::Stream(stream)) => play(stream, speed, peer),
        })
    }
}

fn play(stream: &Stream, speed: f64, mut peer: Peer) {
    peer.begin(stream.status, &[("Content-Type", &stream.content_type)], Framing::Chunked);
    let began = Instant::now();
    // Relative to the start: small delays must not add up.
    let has_left_before = |peer: &mut Peer, time: Duration| {
        let due = time.saturating_sub(stream.opened).as_secs_f64() / speed;
        let pause = Duration::try_from_secs_f64(due).unwrap_or(Duration::MAX).saturating_sub(began.elapsed());
        !pause.is_zero() && peer.is_closed_within(pause)
    };
    for (time, bytes) in &stream.pieces {
        if has_left_before(&mut peer, *time) {
            return;
        }
        peer.send(bytes);
    }
    match stream.end {
        Some((time, _)) if has_left_before(&mut peer, time) => {}
        Some((_, End::Cut)) => peer.close_abruptly(),
        Some((_, End::Complete | End::Stopped)) | None => peer.end(),
    }
}
