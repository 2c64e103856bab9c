//! Prints the events of a stream, as a tool for the shell: `cargo install http-sse --features gzip --example ssecat`.
//!
//! ```text
//! ssecat https://stream.wikimedia.org/v2/stream/recentchange
//! ssecat --json --only price https://example.com/events | jq -r .data
//! ssecat --retry forever --checkpoint /var/lib/meter/id https://example.com/meter >> meter.log
//! ssecat -H "Authorization: Bearer $TOKEN" -d @question.json https://example.com/v1/chat/completions
//! ssecat --retry forever --checkpoint id --exec 'psql -c "select handle(:d)" -v d="$SSE_DATA"' https://example.com/jobs
//! ```
//!
//! `--help` lists the options, `docs/ssecat.md` explains them.
//!
//! Each event is written and flushed separately, or handled by a command; only then its id goes to the checkpoint. The
//! state goes to standard error: if both outputs are a terminal it is one status line, otherwise one line per failure.
//! Neither shows a header, a query, a password or data, and the logs of dependencies are omitted.

mod arguments;
mod exec;
mod failure;
mod format;
mod output;
mod position;
mod record;
mod screen;
mod status;
mod stop;

use std::env;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use arguments::{Arguments, Wish};
use exec::Exec;
use failure::{DONE, Failure};
use format::Layout;
use http_sse::{Client, Event, EventReader, NextTimeoutError, Request};
use position::Position;
use record::Recorder;
use screen::Screen;
use stop::{Cause, Stop, Work};

/// The connection's name in the library's log lines, which the screen omits.
const ID: &str = "ssecat";

fn main() -> ExitCode {
    let outcome = match Arguments::parse(env::args_os().skip(1)) {
        Ok(Wish::Read(arguments)) => read(*arguments),
        Ok(Wish::Help) => print(arguments::HELP),
        Ok(Wish::Version) => print(concat!("ssecat ", env!("CARGO_PKG_VERSION"), "\n")),
        Err(problem) => Err(Failure::Usage(problem)),
    };
    let Err(failure) = outcome else { return DONE.into() };
    if !failure.is_silent() {
        screen::say(&failure);
    }
    failure.exit_code().into()
}

fn print(text: &str) -> Result<(), Failure> {
    output::write(io::stdout().lock(), text.as_bytes()).map_err(Failure::Output)
}

/// Reads until the stream ends or enough events have come.
fn read(mut arguments: Arguments) -> Result<(), Failure> {
    let screen = Screen::start(ID, arguments.messages());
    let mut position = Position::new(arguments.open_checkpoint().map_err(Failure::Usage)?);
    let recorder = arguments.start_recording().map_err(Failure::Usage)?;
    let request = observed(arguments.request(position.last_event_id()), screen, recorder.clone());
    let reader = arguments.client().and_then(|client: Client| client.read(ID, request));
    let mut reader = reader.map_err(|error| Failure::Usage(arguments.culprit(error)))?;
    let handle = reader.handle();
    let destination = Destination::of(&arguments, screen);
    let stop = Stop::new(handle.clone(), destination.work());
    stop.on_signals().map_err(Failure::System)?;
    stop.after(arguments.timeout).map_err(Failure::System)?;
    stop.when_output_closes().map_err(Failure::System)?;
    screen.keep_up_to_date(handle.clone()).map_err(Failure::System)?;

    let outcome = handle_events(&mut reader, &arguments, &destination, &stop, &mut position);
    drop(reader);
    drop(position);
    if let Some(recorder) = &recorder {
        recorder.stopped();
    }
    screen.end(&handle);
    match (outcome?, arguments.count, stop.cause()) {
        (_, _, Some(Cause::Signal | Cause::ClosedOutput)) => Ok(()),
        (came, Some(wanted), _) if came < wanted => Err(Failure::TooFew { came, wanted }),
        _ => Ok(()),
    }
}

fn observed(request: Request, screen: &'static Screen, recorder: Option<Recorder>) -> Request {
    let Some(recorder) = recorder else {
        return request.on_open(|_| screen.recovered()).on_error(|error| screen.failure(error));
    };
    let (opens, receives) = (recorder.clone(), recorder.clone());
    request
        .on_open(move |response| {
            screen.recovered();
            opens.opened(response);
        })
        .on_bytes(move |bytes| receives.received(bytes))
        .on_error(move |error| {
            screen.failure(error);
            recorder.failed(error);
        })
}

/// Returns how many events were handled.
fn handle_events(
    reader: &mut EventReader,
    arguments: &Arguments,
    destination: &Destination,
    stop: &Arc<Stop>,
    position: &mut Position,
) -> Result<u64, Failure> {
    let mut handled = 0;
    while arguments.count.is_none_or(|wanted| handled < wanted) {
        let event = match reader.next_timeout(position.save_after()) {
            Ok(Ok(event)) => event,
            Ok(Err(error)) => {
                // A log line omits the text of the server.
                let is_logged = destination.screen.shows_failures() && error.body().is_none();
                return Err(Failure::Connection { error, is_logged });
            }
            Err(NextTimeoutError::Ended) => break,
            Err(NextTimeoutError::Timeout) => {
                position.save();
                continue;
            }
        };
        if arguments.wants(&event) {
            match destination.deliver(&event, stop)? {
                Delivery::Done => handled += u64::from(event.gap().is_none()),
                Delivery::Stopped => break,
            }
        }
        // A filtered event counts as handled.
        position.handled(&event);
    }
    Ok(handled)
}

/// The result of an event.
enum Delivery {
    Done,
    /// A stop came first: the event is not handled.
    Stopped,
}

/// The destination of events.
struct Destination {
    screen: &'static Screen,
    layout: Layout,
    exec: Option<Exec>,
}

impl Destination {
    fn of(arguments: &Arguments, screen: &'static Screen) -> Self {
        let (layout, retry) = (arguments.layout(), arguments.exec_retry);
        let exec = arguments.exec.clone().map(|command| Exec { command, retry, layout });
        Self { screen, layout, exec }
    }

    fn work(&self) -> Work {
        if self.exec.is_some() { Work::Command } else { Work::Writing }
    }

    fn deliver(&self, event: &Event, stop: &Stop) -> Result<Delivery, Failure> {
        match &self.exec {
            Some(exec) => exec.run(event, stop),
            None => {
                let text = self.layout.text(event, SystemTime::now());
                self.screen.print(&text).map_err(Failure::Output)?;
                Ok(Delivery::Done)
            }
        }
    }
}
