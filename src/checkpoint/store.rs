//! The file of a checkpoint: read once, replaced atomically.

use std::ffi::OsString;
#[cfg(not(http_sse_simulation))]
use std::fs::{self, File, Metadata, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::{debug, warn};

use crate::clock;
#[cfg(http_sse_simulation)]
use crate::simulation::disk::{self as fs, File, Metadata, OpenOptions, imitate};

/// The value on Linux, on every architecture that this crate is tested on.
const EOPNOTSUPP: i32 = 95;

const FIRST_LINE: &str = "http-sse checkpoint 1";
const LAST_LINE: &str = "end";
/// The largest id, in bytes.
const MAX_ID: usize = 1024 * 1024;
/// The text around the id takes less than the rest.
const MAX_FILE: u64 = MAX_ID as u64 + 100;
/// The maximum number of links to follow, as in Linux.
const MAX_LINKS: u32 = 40;
/// The minimum age of a temporary file to be a leftover.
const LEFTOVER_AGE: Duration = Duration::from_secs(60);
/// After a clock jump, another program that opens the same checkpoint may treat a new temporary file as a leftover.
const MAX_TRIES: u32 = 3;

#[derive(Debug)]
pub(super) struct Store {
    /// Absolute, and not a symbolic link: a rename would replace the link instead of its target.
    path: PathBuf,
    folder: PathBuf,
}

/// The content of the file.
#[derive(Debug)]
pub(super) enum Content {
    Missing,
    Id(String),
    /// A regular file that was read and does not parse.
    Damaged,
}

impl Store {
    /// Locates the file, and checks that it can be replaced.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let path = follow_links(std::path::absolute(path)?);
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::Error::new(ErrorKind::InvalidInput, format!("{} has no file name", path.display())));
        };
        let store = Self { path: folder.join(name), folder: folder.to_owned() };
        let unwritable = |error| store.explain("cannot be created or replaced", &error);
        match Temporary::create(&store.path, None) {
            // A disk that is full now may have space at the first commit.
            Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                warn!("{}", unwritable(error));
            }
            probe => drop(probe.map_err(unwritable)?),
        }
        Ok(store)
    }

    pub(super) fn read(&self) -> io::Result<Content> {
        let unreadable = |error| self.explain("cannot be read", &error);
        // Checked before it is opened: opening a FIFO would block.
        match fs::metadata(&self.path) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(metadata) if metadata.is_dir() => return Err(unreadable(ErrorKind::IsADirectory.into())),
            Ok(_) => return Err(unreadable(io::Error::new(ErrorKind::InvalidInput, "not a regular file"))),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Content::Missing),
            Err(error) => return Err(unreadable(error)),
        }
        let mut bytes = Vec::new();
        let file = File::open(&self.path).map_err(unreadable)?;
        file.take(MAX_FILE).read_to_end(&mut bytes).map_err(unreadable)?;
        Ok(parse(&bytes).map_or(Content::Damaged, |id| Content::Id(id.to_owned())))
    }

    /// Makes the read data durable: the program that wrote it may have been killed before it did.
    pub(super) fn flush(&self) -> io::Result<()> {
        if !cfg!(unix) {
            return Ok(());
        }
        File::open(&self.path)?.sync_all()?;
        sync_folder(&self.folder)
    }

    /// Renames the damaged file to the first free name of `<name>.damaged-1`, `-2`, …, and returns it.
    pub(super) fn set_aside(&self) -> io::Result<PathBuf> {
        let cannot = |error| self.explain("is damaged and cannot be set aside", &error);
        let mut number = 1_u32;
        let aside = loop {
            let aside = beside(&self.path, &format!(".damaged-{number}"));
            // Reserves the name: a rename alone would overwrite an existing file.
            match OpenOptions::new().write(true).create_new(true).open(&aside) {
                Ok(_) => break aside,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number = number.saturating_add(1),
                Err(error) => return Err(cannot(error)),
            }
        };
        if let Err(error) = fs::rename(&self.path, &aside) {
            let _ = fs::remove_file(&aside);
            return Err(cannot(error));
        }
        let (path, aside_path) = (self.path.display(), aside.display());
        warn!("the checkpoint {path} is damaged or not a checkpoint; moved to {aside_path}");
        Ok(aside)
    }

    /// Returns an error for an id that [`read`](Self::read) would not return.
    pub(super) fn check(&self, id: &str) -> io::Result<()> {
        let problem = if id.len() > MAX_ID {
            format!("an id of {} bytes (maximum {MAX_ID})", id.len())
        } else if id.contains(['\r', '\n', '\0']) {
            "an id that contains a line break or NUL".to_owned()
        } else {
            return Ok(());
        };
        let text = format!("the checkpoint {} cannot store {problem}", self.path.display());
        Err(io::Error::new(ErrorKind::InvalidInput, text))
    }

    /// Replaces the file: a power cut leaves the old one or the new one, and after the return the new one.
    pub(super) fn replace(&self, id: &str) -> io::Result<()> {
        retried(|| self.try_to_replace(id)).map_err(|error| self.explain("cannot be written", &error))
    }

    fn try_to_replace(&self, id: &str) -> io::Result<()> {
        let mut temporary = Temporary::create(&self.path, fs::metadata(&self.path).ok().as_ref())?;
        temporary.file.write_all(text(id).as_bytes())?;
        temporary.file.sync_all()?;
        // On FAT the space of the old file would be free before the new entry is on the disk, unless it is open.
        let old = File::open(&self.path);
        temporary.rename(&self.path)?;
        // On FAT the new entry contains neither size nor location of the data until the file is flushed under its new
        // name.
        temporary.file.sync_all()?;
        sync_folder(&self.folder)?;
        drop(old);
        Ok(())
    }

    /// Returns the id of the newest complete temporary file.
    ///
    /// A FAT file system check after a power cut may find the same data under both names, and then empties one of them.
    pub(super) fn rescue(&self) -> Option<String> {
        let newest = |file: &(PathBuf, Metadata)| file.1.modified().ok();
        let mut files = self.temporaries();
        files.sort_by_key(newest);
        files.iter().rev().find_map(|(path, _)| Some(parse(&fs::read(path).ok()?)?.to_owned()))
    }

    /// Removes the temporary files of writes interrupted by a crash; `id` is the content of the checkpoint.
    pub(super) fn remove_leftovers(&self, id: &str) {
        for (path, metadata) in self.temporaries() {
            // With the same id, on an unchecked FAT, it is the same data, which would be removed too.
            if is_old(&metadata) && fs::read(&path).is_ok_and(|bytes| parse(&bytes) != Some(id)) {
                let result = fs::remove_file(&path);
                debug!("removing the leftover {} of an interrupted write: {result:?}", path.display());
            }
        }
    }

    /// Links and directories are not ours. A directory that is writable but not listable is left alone.
    fn temporaries(&self) -> Vec<(PathBuf, Metadata)> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return vec![] };
        let ours = entries.flatten().filter(|entry| is_temporary_of(&self.path, &entry.path()));
        let files = ours.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)));
        files.filter(|(_, metadata)| metadata.is_file() && metadata.len() <= MAX_FILE).collect()
    }

    fn explain(&self, what: &str, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("the checkpoint {} {what}: {error}", self.path.display()))
    }
}

/// A new file in the directory of the checkpoint, removed unless it is renamed.
#[derive(Debug)]
struct Temporary {
    file: File,
    path: PathBuf,
    is_renamed: bool,
}

impl Temporary {
    /// Creates it with an unpredictable name, and with owner and mode of the file it replaces.
    fn create(target: &Path, replaced: Option<&Metadata>) -> io::Result<Self> {
        let unique = RandomState::new().build_hasher().finish();
        let path = beside(target, &format!(".{unique:016x}.tmp"));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        if replaced.is_some() {
            // Until it has the right mode, no one else may read it.
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        let temporary = Self { file: options.open(&path)?, path, is_renamed: false };
        #[cfg(unix)]
        if let Some(replaced) = replaced {
            imitate(&temporary.file, replaced)?;
        }
        #[cfg(not(unix))]
        let _ = replaced;
        Ok(temporary)
    }

    fn rename(&mut self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)?;
        self.is_renamed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_renamed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Copies owner, group and mode of another file, as far as the system allows.
#[cfg(all(unix, not(http_sse_simulation)))]
fn imitate(file: &File, other: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};

    let own = file.metadata()?;
    // Not every user may change the owner of a file, and not every file system has owners and modes.
    if (own.uid(), own.gid()) != (other.uid(), other.gid()) {
        let _ = fchown(file, Some(other.uid()), Some(other.gid()));
    }
    if own.mode() != other.mode() {
        let _ = file.set_permissions(other.permissions());
    }
    Ok(())
}

/// Retries if the temporary file has disappeared.
fn retried(mut write: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    for _ in 1..MAX_TRIES {
        match write() {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            result => return result,
        }
    }
    write()
}

/// Makes the rename durable; directories can be flushed only on Unix.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder)?.sync_all() {
        // Some file systems cannot flush a directory and report it. There is nothing else to flush there.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        // The standard library of Rust 1.85 has no kind for it.
        Err(error) if cfg!(target_os = "linux") && error.raw_os_error() == Some(EOPNOTSUPP) => Ok(()),
        result => result,
    }
}

fn follow_links(mut path: PathBuf) -> PathBuf {
    for _ in 0..MAX_LINKS {
        // Opening it shows whether it is a link or an error.
        let Ok(target) = fs::read_link(&path) else { return path };
        path.pop();
        path.push(target);
    }
    path
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

fn is_temporary_of(target: &Path, path: &Path) -> bool {
    let (Some(target), Some(name)) = (target.file_name(), path.file_name()) else { return false };
    let middle = name
        .as_encoded_bytes()
        .strip_prefix(target.as_encoded_bytes())
        .and_then(|rest| rest.strip_prefix(b"."))
        .and_then(|rest| rest.strip_suffix(b".tmp"));
    middle.is_some_and(|unique| unique.len() == 16 && unique.iter().all(u8::is_ascii_hexdigit))
}

/// A file from the future may be new.
fn is_old(metadata: &Metadata) -> bool {
    let modified = metadata.modified().ok().and_then(|modified| clock::wall_time().duration_since(modified).ok());
    modified.is_some_and(|age| age >= LEFTOVER_AGE)
}

fn text(id: &str) -> String {
    format!("{FIRST_LINE}\n{}\n{id}\n{LAST_LINE}\n", id.len())
}

/// Returns the id of a complete checkpoint.
fn parse(bytes: &[u8]) -> Option<&str> {
    let rest = std::str::from_utf8(bytes).ok()?.strip_prefix(FIRST_LINE)?.strip_prefix('\n')?;
    let (length, rest) = rest.split_once('\n')?;
    let id = rest.get(..length.parse().ok()?)?;
    // No id contains them: a disk may have left zeros after a power cut.
    (rest[id.len()..] == *format!("\n{LAST_LINE}\n") && !id.contains(['\r', '\n', '\0'])).then_some(id)
}

#[cfg(test)]
mod tests;
