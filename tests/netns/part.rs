//! The processes inside of the namespaces: this test binary once more, which plays the server or the client.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use http_sse::crossbeam_channel::{Receiver, RecvTimeoutError, unbounded};
use http_sse::{Client, ClientBuilder, Error, Request, RetryPolicy, Timeout};
use socket2::SockRef;

/// All events there are: their ids and their data are the numbers from 1.
pub(crate) const EVENTS: usize = 1000;
/// The time without a byte after which the client gives a connection up.
const IDLE: Duration = Duration::from_secs(1);
const DEADLINE: Duration = Duration::from_secs(10);
/// The test that plays a part.
const TEST: &str = "a_process_in_a_namespace_plays_its_part";
const PART: &str = "HTTP_SSE_NETNS_PART";
/// Begins each line that is meant for the test.
const MARK: &str = "netns ";

/// Plays the part that the environment names.
///
/// `server ADDRESS PAUSE_MS CUT_AFTER`: waits so long after each event, and cuts a connection after so many.
/// `client ADDRESS [DEVICE]`: reads to the end, by this device.
pub(crate) fn play() {
    let part = env::var(PART).expect("a part in the environment");
    thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(1);
    });
    let words: Vec<&str> = part.split(' ').collect();
    match words[..] {
        ["server", address, pause, cut] => serve(address, pause.parse().unwrap(), cut.parse().unwrap()),
        ["client", address] => read(address, Client::builder()),
        ["client", address, device] => read(address, Client::builder().bind_device(device)),
        _ => panic!("{part}: no such part"),
    }
}

/// A process in a namespace; dropping it ends it.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    pub(crate) fn start(mut command: Command, part: &str) -> Self {
        command.args(["--exact", TEST, "--ignored", "--nocapture"]).env(PART, part).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = unbounded();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                // The harness writes the name of the test without an end of the line.
                if let Some((_, line)) = line.split_once(MARK) {
                    let _ = sender.send(line.to_owned());
                }
            }
        });
        Self { child, lines }
    }

    /// Waits for the next line.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        match self.lines.recv_timeout(DEADLINE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("nothing happens in the namespace for {DEADLINE:?}"),
            Err(RecvTimeoutError::Disconnected) => panic!("the process in the namespace has ended, see above"),
        }
    }

    /// Ends the process, and returns the lines that were not waited for.
    pub(crate) fn finish(mut self) -> Vec<String> {
        self.end();
        // The reading thread lets go of the channel when it has read all.
        self.lines.iter().collect()
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

fn tell(line: &str) {
    let mut output = std::io::stdout().lock();
    // Fails when the test has ended: it kills this process next.
    let _ = writeln!(output, "{MARK}{line}");
    let _ = output.flush();
}

fn serve(address: &str, pause: u64, cut: usize) {
    let listener = TcpListener::bind((address, 0)).unwrap();
    tell(&listener.local_addr().unwrap().to_string());
    for (number, connection) in listener.incoming().enumerate() {
        let connection = connection.unwrap();
        // It ends with the process, or when it notices that the client has gone.
        thread::spawn(move || {
            if number % 2 == 0 {
                // Closing now resets.
                SockRef::from(&connection).set_linger(Some(Duration::ZERO)).unwrap();
            }
            answer(&connection, Duration::from_millis(pause), cut)
        });
    }
}

fn answer(mut connection: &TcpStream, pause: Duration, cut: usize) -> std::io::Result<()> {
    let mut last = 0;
    for line in BufReader::new(connection).lines() {
        let line = line?.to_ascii_lowercase();
        if let Some(id) = line.strip_prefix("last-event-id: ") {
            last = id.parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    tell(&format!("request {} {last}", connection.peer_addr()?.ip()));
    if last == EVENTS {
        SockRef::from(connection).set_linger(None)?;
        return connection.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    }
    connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")?;
    for number in (last + 1..=EVENTS).take(cut) {
        connection.write_all(format!("id: {number}\ndata: {number}\n\n").as_bytes())?;
        thread::sleep(pause);
    }
    connection.write_all(b"data: half")
}

fn read(address: &str, client: ClientBuilder) {
    let delay = Duration::from_millis(100);
    let request = Request::get(format!("http://{address}/events"))
        .retry(RetryPolicy::constant(delay).max_retries(None))
        .idle_timeout(IDLE)
        .connect_timeout(3 * IDLE)
        .response_timeout(3 * IDLE)
        .on_error(|error| match error {
            Error::Timeout(Timeout::Idle) => tell("idle"),
            error => tell(&format!("failure {error}")),
        });
    let events = client.no_proxy().build().unwrap().connect("netns", request).unwrap();
    for event in &events {
        match event {
            Ok(event) => tell(&format!("event {}", event.data())),
            Err(error) => tell(&format!("terminal {error}")),
        }
    }
    let handle = events.handle();
    tell(&format!("end {:?} {}", handle.end().unwrap(), handle.stats().attempts));
}
