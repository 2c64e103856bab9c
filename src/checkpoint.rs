//! The position in a stream, stored in a file across restarts and power cuts.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use log::warn;

pub use self::events::Checkpointed;
use self::store::{Content, Store};
use crate::clock;

mod events;
mod store;

/// Limits the wear of flash memory: docs/checkpoint.md has the figures.
const INTERVAL: Duration = Duration::from_secs(60);
/// The minimum interval between two timed writes.
const MIN_WAIT: Duration = Duration::from_secs(1);

/// The id of the last handled event, stored in a file.
///
/// If the request has a [`Cursor`](crate::Cursor), its value is stored instead of the id, and
/// [`Cursor::start_at`](crate::Cursor::start_at) resumes from it: "id" means either here.
///
/// The file is replaced as a whole: a power cut leaves the old id or the new one. Writes are throttled to reduce the
/// wear of flash memory ([`every`](Self::every)); events whose ids are not yet written at a power cut are repeated.
/// `docs/checkpoint.md` in the repository lists what each file system needs at boot, and the bytes written per day.
///
/// Symbolic links are followed, and owner and mode of an existing file are kept. During a write there is a second file
/// in the same directory, `<name>.<16 hex digits>.tmp`. Only the program and those it trusts should be able to write to
/// the directory. Two programs that use one file do not damage it, but overwrite each other's id: use one file per
/// program.
///
/// # Example: at least once, across restarts
///
/// ```no_run
/// use http_sse::{Checkpoint, Client, Request, RetryPolicy};
///
/// let checkpoint = Checkpoint::open("/var/lib/meter/last-event-id")?;
/// let request = Request::get("https://example.com/events")
///     .last_event_id(checkpoint.last_event_id())
///     .retry(RetryPolicy::forever());
/// for event in Client::new().connect("meter", request)?.checkpoint(checkpoint) {
///     println!("{}", event?.data()); // counts as handled when the next event is requested
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Example: exactly once, with a database
///
/// A program that stores events in a database needs no file: store the id in the transaction of the event, so that a
/// crash keeps both or neither. This is rusqlite; any database with transactions will do.
///
/// ```no_run
/// # mod rusqlite {
/// #     pub type Result<T> = std::result::Result<T, std::fmt::Error>;
/// #     pub struct Connection;
/// #     impl Connection {
/// #         pub fn open(_: &str) -> Result<Self> { Ok(Self) }
/// #         pub fn execute_batch(&self, _: &str) -> Result<()> { Ok(()) }
/// #         pub fn query_row(&self, _: &str, _: (), _: impl Fn(&Self) -> Result<String>) -> Result<String> { Ok(String::new()) }
/// #         pub fn get<T: Default>(&self, _: usize) -> Result<T> { Ok(T::default()) }
/// #         pub fn transaction(&mut self) -> Result<Self> { Ok(Self) }
/// #         pub fn execute(&self, _: &str, _: (&str,)) -> Result<usize> { Ok(1) }
/// #         pub fn commit(self) -> Result<()> { Ok(()) }
/// #     }
/// # }
/// use http_sse::{Client, Request, RetryPolicy};
///
/// let mut database = rusqlite::Connection::open("/var/lib/meter/readings.db")?;
/// database.execute_batch(
///     "PRAGMA synchronous = FULL;
///     CREATE TABLE IF NOT EXISTS reading (data TEXT);
///     CREATE TABLE IF NOT EXISTS position (id TEXT);
///     INSERT INTO position SELECT '' WHERE NOT EXISTS (SELECT * FROM position);",
/// )?;
/// let position: String = database.query_row("SELECT id FROM position", (), |row| row.get(0))?;
/// let request =
///     Request::get("https://example.com/events").last_event_id(position.as_str()).retry(RetryPolicy::forever());
/// for event in Client::new().read("meter", request)? {
///     let event = event?;
///     let transaction = database.transaction()?;
///     transaction.execute("INSERT INTO reading VALUES (?1)", (event.data(),))?;
///     transaction.execute("UPDATE position SET id = ?1", (event.id().unwrap_or_default(),))?;
///     transaction.commit()?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a checkpoint does nothing until events are committed to it"]
pub struct Checkpoint {
    store: Store,
    last_event_id: String,
    saved: String,
    interval: Duration,
    /// Unless the time comes first.
    events: Option<u32>,
    /// Since the last write.
    unsaved_events: u32,
    opened_at: Instant,
    /// When it was last written, or failed to be.
    tried_at: Option<Instant>,
    damaged: Option<PathBuf>,
}

impl Checkpoint {
    /// Opens the file; a missing file is an empty checkpoint.
    ///
    /// A regular file that is readable but damaged or not a checkpoint is renamed to `<name>.damaged-1` (or the next
    /// free number), and reported by `log::warn!` and [`damaged`](Self::damaged). The checkpoint then starts with the
    /// id of an interrupted write if there is one, otherwise empty. Anything else is an error and changes nothing: the
    /// position may still be there when the cause is gone.
    ///
    /// # Errors
    ///
    /// The directory is missing or not writable; the path names a directory, a FIFO or a device; the file cannot be
    /// read (no permission, too many open files, a broken disk), or is damaged and cannot be renamed. The text names
    /// the path, the kind is that of the cause. A full disk is only a warning here: each [`save`](Self::save) returns
    /// an error until there is space.
    ///
    /// # Example: the first start
    ///
    /// ```
    /// use http_sse::Checkpoint;
    ///
    /// # let path = std::env::temp_dir().join(format!("http-sse-open-{}", std::process::id()));
    /// let checkpoint = Checkpoint::open(&path)?; // the directory must exist, the file need not
    /// assert_eq!(checkpoint.last_event_id(), None);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let store = Store::open(&path.into())?;
        let mut is_flushed = true;
        let (last_event_id, damaged) = match store.read()? {
            Content::Missing => (String::new(), None),
            Content::Id(id) => {
                is_flushed = store.flush().is_ok();
                (id, None)
            }
            Content::Damaged => {
                let rescued = store.rescue();
                let aside = store.set_aside()?;
                if let Some(id) = &rescued {
                    store.replace(id)?;
                }
                (rescued.unwrap_or_default(), Some(aside))
            }
        };
        store.remove_leftovers(&last_event_id);
        Ok(Self {
            store,
            // If it cannot be flushed, it is written again when the next write is due.
            saved: if is_flushed { last_event_id.clone() } else { String::new() },
            last_event_id,
            interval: INTERVAL,
            events: None,
            unsaved_events: 0,
            opened_at: clock::now(),
            tried_at: None,
            damaged,
        })
    }

    /// Sets the interval between writes, unless [`every_events`](Self::every_events) comes first. Default: 60 s.
    ///
    /// The first new id is written immediately. Then the interval grows from 1 s up to this value: it never exceeds the
    /// time for which the checkpoint has been open, so that a program that crashes early and often still makes
    /// progress.
    ///
    /// Only [`commit`](Self::commit), [`save`](Self::save) and dropping write: there is no timer. Before a long
    /// silence, the last id waits for one of them; [`due_in`](Self::due_in) returns for how long it should.
    ///
    /// # Example: fewer repeated events, at the cost of wear
    ///
    /// ```
    /// use http_sse::Checkpoint;
    /// use std::time::Duration;
    ///
    /// # let path = std::env::temp_dir().join(format!("http-sse-every-{}", std::process::id()));
    /// let checkpoint = Checkpoint::open(&path)?.every(Duration::from_secs(5));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn every(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Also writes after this many events; `None` is no such limit. Default: `None`.
    ///
    /// Each write is flushed to the disk: on a busy stream, a small number slows the program down and wears out flash
    /// memory.
    ///
    /// # Example: write each id at once
    ///
    /// ```
    /// use http_sse::Checkpoint;
    ///
    /// # let path = std::env::temp_dir().join(format!("http-sse-events-{}", std::process::id()));
    /// let mut checkpoint = Checkpoint::open(&path)?.every_events(1);
    /// for id in ["7", "8"] {
    ///     checkpoint.commit(id)?;
    ///     assert_eq!(Checkpoint::open(&path)?.last_event_id(), Some(id));
    /// }
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn every_events(mut self, events: impl Into<Option<u32>>) -> Self {
        self.events = events.into();
        self
    }

    /// Returns the id of the last handled event, or `None` if there is none.
    ///
    /// # Example: where the next run begins
    ///
    /// ```
    /// use http_sse::{Checkpoint, Request};
    ///
    /// # let path = std::env::temp_dir().join(format!("http-sse-id-{}", std::process::id()));
    /// let checkpoint = Checkpoint::open(&path)?;
    /// let request = Request::get("https://example.com/events").last_event_id(checkpoint.last_event_id());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn last_event_id(&self) -> Option<&str> {
        Some(self.last_event_id.as_str()).filter(|id| !id.is_empty())
    }

    /// Returns the new path of a damaged file that [`open`](Self::open) renamed, or `None` if the file was valid or
    /// missing.
    ///
    /// # Example: a file that is not a checkpoint
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

    /// Marks an event as handled, and writes if a write is due.
    ///
    /// The text is any position for the next request: the last event id, or a cursor. `None` is no position.
    ///
    /// # Errors
    ///
    /// The file cannot be written: the id is kept, and written when the next write is due. `InvalidInput`: the id
    /// contains CR, LF or NUL, which no event's id does, or more than 1 MiB; the previous id is kept.
    ///
    /// # Example: commit manually, after the work is stored
    ///
    /// ```
    /// use http_sse::Checkpoint;
    ///
    /// # let path = std::env::temp_dir().join(format!("http-sse-commit-{}", std::process::id()));
    /// let mut checkpoint = Checkpoint::open(&path)?;
    /// checkpoint.commit("7")?; // the first id is written immediately
    /// checkpoint.commit("8")?;
    /// assert_eq!(checkpoint.last_event_id(), Some("8"));
    /// drop(checkpoint); // writes the last id
    /// assert_eq!(Checkpoint::open(&path)?.last_event_id(), Some("8"));
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[allow(single_use_lifetimes, reason = "`impl Trait` cannot elide it")]
    pub fn commit<'a>(&mut self, position: impl Into<Option<&'a str>>) -> io::Result<()> {
        self.commit_at(position.into().unwrap_or_default(), clock::now())
    }

    fn commit_at(&mut self, last_event_id: &str, now: Instant) -> io::Result<()> {
        if self.last_event_id != last_event_id {
            self.store.check(last_event_id)?;
            self.last_event_id.clear();
            self.last_event_id.push_str(last_event_id);
        }
        self.unsaved_events = self.unsaved_events.saturating_add(1);
        match self.due_in_at(now) {
            Some(Duration::ZERO) => self.save_at(now),
            Some(_) => Ok(()),
            None => {
                self.unsaved_events = 0;
                Ok(())
            }
        }
    }

    /// Returns the time until the last id should be written, or `None` if the file contains it.
    ///
    /// # Example: write the last id before a long silence
    ///
    /// ```no_run
    /// use http_sse::crossbeam_channel::RecvTimeoutError;
    /// use http_sse::{Checkpoint, Client, Request};
    /// use std::time::Duration;
    ///
    /// let mut checkpoint = Checkpoint::open("/var/lib/meter/last-event-id")?;
    /// let request = Request::get("https://example.com/events").last_event_id(checkpoint.last_event_id());
    /// let events = Client::new().connect("meter", request)?;
    /// loop {
    ///     match events.recv_timeout(checkpoint.due_in().unwrap_or(Duration::MAX)) {
    ///         Ok(event) => {
    ///             let event = event?;
    ///             println!("{}", event.data());
    ///             checkpoint.commit(event.position())?;
    ///         }
    ///         Err(RecvTimeoutError::Timeout) => checkpoint.save()?,
    ///         Err(RecvTimeoutError::Disconnected) => break,
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn due_in(&self) -> Option<Duration> {
        self.due_in_at(clock::now())
    }

    fn due_in_at(&self, now: Instant) -> Option<Duration> {
        if self.saved == self.last_event_id {
            return None;
        }
        let Some(tried_at) = self.tried_at else { return Some(Duration::ZERO) };
        if self.events.is_some_and(|events| self.unsaved_events >= events) {
            return Some(Duration::ZERO);
        }
        let age = tried_at.saturating_duration_since(self.opened_at);
        let wait = self.interval.min(age.max(MIN_WAIT));
        Some(wait.saturating_sub(now.saturating_duration_since(tried_at)))
    }

    /// Writes now, if there is a new id.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    ///
    /// # Example: before a risky operation
    ///
    /// ```
    /// use http_sse::Checkpoint;
    ///
    /// # let path = std::env::temp_dir().join(format!("http-sse-save-{}", std::process::id()));
    /// let mut checkpoint = Checkpoint::open(&path)?;
    /// checkpoint.commit("7")?;
    /// checkpoint.commit("8")?;
    /// checkpoint.save()?; // the machine may be switched off now
    /// assert_eq!(Checkpoint::open(&path)?.last_event_id(), Some("8"));
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn save(&mut self) -> io::Result<()> {
        self.save_at(clock::now())
    }

    fn save_at(&mut self, now: Instant) -> io::Result<()> {
        if self.saved == self.last_event_id {
            return Ok(());
        }
        // Also after a failure: a full disk is not tried again at every event.
        self.unsaved_events = 0;
        self.tried_at = Some(now);
        self.store.replace(&self.last_event_id)?;
        self.saved.clone_from(&self.last_event_id);
        Ok(())
    }
}

impl Drop for Checkpoint {
    fn drop(&mut self) {
        if let Err(error) = self.save() {
            warn!("{error}");
        }
    }
}

#[cfg(test)]
mod tests;
