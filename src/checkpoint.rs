//! Where a stream was left off, kept in a file over restarts and power cuts.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::iter::FusedIterator;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use log::warn;

use crate::error::Error;
use crate::event::Event;

const FIRST_LINE: &str = "http-sse checkpoint 1";
const LAST_LINE: &str = "end";

/// The id of the last event that was handled, in a file.
///
/// The file is written to a temporary name, flushed to the disk and renamed: a power cut leaves the old id or the
/// new one. Writes are throttled so that flash is not worn out; what is not written yet when the power fails is
/// delivered again. One process at a time may use a file.
///
/// # Example: at least once, over restarts
///
/// ```no_run
/// use http_sse::{Checkpoint, Client, Request, RetryPolicy};
///
/// let checkpoint = Checkpoint::open("/var/lib/meter/last-event-id")?;
/// let request = Request::get("https://example.com/events")
///     .last_event_id(checkpoint.last_event_id())
///     .retry(RetryPolicy::forever());
/// for event in Client::new().connect("meter", request)?.checkpoint(checkpoint) {
///     println!("{}", event?.data()); // counts as handled when the loop comes round
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    last_event_id: String,
    saved: String,
    interval: Duration,
    events: u32,
    /// Since the last write.
    unsaved_events: u32,
    saved_at: Instant,
    damaged: Option<PathBuf>,
}

impl Checkpoint {
    /// Reads the file; one that is missing is an empty checkpoint.
    ///
    /// A file that is torn or not a checkpoint is kept beside it as `<name>.damaged`, reported by `log::warn!` and
    /// [`damaged`](Self::damaged), and started over.
    ///
    /// # Errors
    ///
    /// The file can neither be read nor set aside.
    ///
    /// # Example: the first start
    ///
    /// ```
    /// use http_sse::Checkpoint;
    ///
    /// # let path = std::env::temp_dir().join(format!("http-sse-open-{}", std::process::id()));
    /// let checkpoint = Checkpoint::open(&path)?; // the file need not exist
    /// assert_eq!(checkpoint.last_event_id(), "");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let (last_event_id, damaged) = match fs::read(&path) {
            Ok(bytes) => match parse(&bytes) {
                Some(id) => (id.to_owned(), None),
                None => (String::new(), Some(set_aside(&path, "it is torn, or not a checkpoint")?)),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => (String::new(), None),
            Err(error) => (String::new(), Some(set_aside(&path, &error.to_string())?)),
        };
        Ok(Self {
            path,
            saved: last_event_id.clone(),
            last_event_id,
            interval: Duration::from_secs(5),
            events: 100,
            unsaved_events: 0,
            saved_at: Instant::now(),
            damaged,
        })
    }

    /// Writes at most this often, unless [`every_events`](Self::every_events) comes first. Default: 5 s.
    ///
    /// Only [`commit`](Self::commit), [`save`](Self::save) and dropping write: there is no timer. The last id before a long
    /// silence waits for one of them.
    ///
    /// # Example: spare the SD card
    ///
    /// ```
    /// use http_sse::Checkpoint;
    /// use std::time::Duration;
    ///
    /// # let path = std::env::temp_dir().join(format!("http-sse-every-{}", std::process::id()));
    /// let checkpoint = Checkpoint::open(&path)?.every(Duration::from_secs(60)).every_events(u32::MAX);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn every(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Writes after so many events at the latest. Default: 100; `u32::MAX` leaves it to the time alone.
    ///
    /// # Example: write each id at once
    ///
    /// ```
    /// use http_sse::Checkpoint;
    ///
    /// # let path = std::env::temp_dir().join(format!("http-sse-events-{}", std::process::id()));
    /// let mut checkpoint = Checkpoint::open(&path)?.every_events(1);
    /// checkpoint.commit("7")?;
    /// assert_eq!(Checkpoint::open(&path)?.last_event_id(), "7");
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn every_events(mut self, events: u32) -> Self {
        self.events = events;
        self
    }

    /// Returns the id of the last event handled; empty when there is none.
    ///
    /// # Example: an empty id asks for nothing
    ///
    /// ```
    /// use http_sse::{Checkpoint, Request};
    ///
    /// # let path = std::env::temp_dir().join(format!("http-sse-id-{}", std::process::id()));
    /// let checkpoint = Checkpoint::open(&path)?;
    /// let request = Request::get("https://example.com/events").last_event_id(checkpoint.last_event_id());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// Returns where a damaged file was set aside by [`open`](Self::open), `None` when the file was whole or missing.
    ///
    /// # Example: a file that is none
    ///
    /// ```
    /// use http_sse::Checkpoint;
    ///
    /// # let path = std::env::temp_dir().join(format!("http-sse-damaged-{}", std::process::id()));
    /// std::fs::write(&path, "torn in two")?;
    /// let checkpoint = Checkpoint::open(&path)?;
    /// let aside = checkpoint.damaged().ok_or(std::io::ErrorKind::NotFound)?;
    /// assert_eq!(std::fs::read_to_string(aside)?, "torn in two");
    /// # std::fs::remove_file(aside)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn damaged(&self) -> Option<&Path> {
        self.damaged.as_deref()
    }

    /// Marks an event as handled; writes when it is time to.
    ///
    /// # Errors
    ///
    /// The file cannot be written. The id is kept, and it is tried again when the next write is due.
    ///
    /// # Example: by hand, once the work is stored
    ///
    /// ```
    /// use http_sse::Checkpoint;
    ///
    /// # let path = std::env::temp_dir().join(format!("http-sse-commit-{}", std::process::id()));
    /// let mut checkpoint = Checkpoint::open(&path)?;
    /// checkpoint.commit("7")?;
    /// assert_eq!(checkpoint.last_event_id(), "7");
    /// drop(checkpoint); // writes what is not written yet
    /// assert_eq!(Checkpoint::open(&path)?.last_event_id(), "7");
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn commit(&mut self, last_event_id: &str) -> io::Result<()> {
        if self.last_event_id != last_event_id {
            self.last_event_id.clear();
            self.last_event_id.push_str(last_event_id);
        }
        self.unsaved_events = self.unsaved_events.saturating_add(1);
        if self.unsaved_events < self.events && self.saved_at.elapsed() < self.interval {
            return Ok(());
        }
        self.save()
    }

    /// Writes now, if there is anything new.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    ///
    /// # Example: before something dangerous
    ///
    /// ```
    /// use http_sse::Checkpoint;
    ///
    /// # let path = std::env::temp_dir().join(format!("http-sse-save-{}", std::process::id()));
    /// let mut checkpoint = Checkpoint::open(&path)?;
    /// checkpoint.commit("7")?;
    /// checkpoint.save()?; // the machine may be switched off now
    /// assert_eq!(Checkpoint::open(&path)?.last_event_id(), "7");
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn save(&mut self) -> io::Result<()> {
        // Also after a failure: a full disk is not asked again at every event.
        self.unsaved_events = 0;
        self.saved_at = Instant::now();
        if self.saved == self.last_event_id {
            return Ok(());
        }
        let temporary = beside(&self.path, ".tmp");
        let mut file = File::create(&temporary)?;
        file.write_all(text(&self.last_event_id).as_bytes())?;
        file.sync_all()?;
        drop(file);
        fs::rename(&temporary, &self.path)?;
        sync_folder(&self.path)?;
        self.saved.clone_from(&self.last_event_id);
        Ok(())
    }
}

impl Drop for Checkpoint {
    fn drop(&mut self) {
        if let Err(error) = self.save() {
            warn!("the checkpoint {} cannot be written: {error}", self.path.display());
        }
    }
}

/// Events whose ids are committed to a [`Checkpoint`] as they are handled.
///
/// An event counts as handled when the *next* one is asked for: what a crash, or a `break`, interrupts comes again.
/// A checkpoint that cannot be written is reported by `log::warn!`; the events go on.
///
/// # Example: what is interrupted comes again
///
/// ```
/// use http_sse::{Checkpoint, Client, Request};
///
/// # let server = http_sse::testing::Server::serve(|_, mut peer| {
/// #     peer.stream();
/// #     peer.send("id: 7\ndata: 1\n\nid: 8\ndata: 2\n\n");
/// #     peer.hold();
/// # })?;
/// # let (client, url) = (Client::builder().no_proxy().build()?, server.url("/"));
/// # let path = std::env::temp_dir().join(format!("http-sse-checkpointed-{}", std::process::id()));
/// for event in client.connect("meter", Request::get(url))?.checkpoint(Checkpoint::open(&path)?) {
///     if event?.id() == Some("8") {
///         break; // the work on event 8 is not done
///     }
/// }
/// assert_eq!(Checkpoint::open(&path)?.last_event_id(), "7");
/// # std::fs::remove_file(path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping it stops the connection"]
pub struct Checkpointed<I> {
    // Before the checkpoint: the connection stops, then the last id is written.
    events: I,
    checkpoint: Checkpoint,
    /// The id of the event that is being handled.
    handling: Option<String>,
}

impl<I> Checkpointed<I> {
    pub(crate) fn new(events: I, checkpoint: Checkpoint) -> Self {
        Self { events, checkpoint, handling: None }
    }

    /// Returns the checkpoint.
    ///
    /// # Example: was the file of the last run whole?
    ///
    /// ```no_run
    /// use http_sse::{Checkpoint, Client, Request};
    ///
    /// let checkpoint = Checkpoint::open("/var/lib/meter/last-event-id")?;
    /// let events = Client::new().connect("meter", Request::get("https://example.com/events"))?.checkpoint(checkpoint);
    /// if let Some(aside) = events.checkpoint().damaged() {
    ///     eprintln!("started over, the old file is {}", aside.display());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Returns the events themselves, for their handle or channel.
    ///
    /// # Example: a handle to stop it by
    ///
    /// ```no_run
    /// use http_sse::{Checkpoint, Client, Request};
    ///
    /// let checkpoint = Checkpoint::open("/var/lib/meter/last-event-id")?;
    /// let events = Client::new().connect("meter", Request::get("https://example.com/events"))?.checkpoint(checkpoint);
    /// let handle = events.get_ref().handle();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get_ref(&self) -> &I {
        &self.events
    }

    fn commit(&mut self) {
        let Some(id) = self.handling.take() else { return };
        if let Err(error) = self.checkpoint.commit(&id) {
            warn!("the checkpoint {} cannot be written: {error}", self.checkpoint.path.display());
        }
    }
}

impl<I: Iterator<Item = Result<Event, Error>>> Iterator for Checkpointed<I> {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.commit();
        let item = self.events.next();
        if let Some(Ok(event)) = &item {
            self.handling = Some(event.id().unwrap_or_default().to_owned());
        }
        item
    }
}

impl<I: FusedIterator<Item = Result<Event, Error>>> FusedIterator for Checkpointed<I> {}

fn text(id: &str) -> String {
    format!("{FIRST_LINE}\n{}\n{id}\n{LAST_LINE}\n", id.len())
}

/// Returns the id of a whole checkpoint.
fn parse(bytes: &[u8]) -> Option<&str> {
    let rest = std::str::from_utf8(bytes).ok()?.strip_prefix(FIRST_LINE)?.strip_prefix('\n')?;
    let (length, rest) = rest.split_once('\n')?;
    let id = rest.get(..length.parse().ok()?)?;
    // No id holds them: a disk that lost its power may have left zeros.
    (rest[id.len()..] == *format!("\n{LAST_LINE}\n") && !id.contains(['\r', '\n', '\0'])).then_some(id)
}

fn set_aside(path: &Path, why: &str) -> io::Result<PathBuf> {
    let aside = beside(path, ".damaged");
    fs::rename(path, &aside)?;
    warn!("the checkpoint {} is set aside as {}: {why}", path.display(), aside.display());
    Ok(aside)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

/// Makes the rename itself last; elsewhere than on Unix folders cannot be flushed.
fn sync_folder(path: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests;
