//! Files of a world, by the names of `std::fs`: each system call of a checkpoint goes to its [`Disk`].

use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::SystemTime;

use super::with;

/// What the system calls come to; files have numbers.
pub trait Disk {
    fn stat(&mut self, path: &Path) -> io::Result<Metadata>;
    fn list(&mut self, folder: &Path) -> io::Result<Vec<PathBuf>>;
    fn create(&mut self, path: &Path) -> io::Result<u64>;
    fn open(&mut self, path: &Path) -> io::Result<u64>;
    fn read(&mut self, file: u64, at: usize, buffer: &mut [u8]) -> io::Result<usize>;
    fn append(&mut self, file: u64, bytes: &[u8]) -> io::Result<usize>;
    fn flush(&mut self, file: u64) -> io::Result<()>;
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&mut self, path: &Path) -> io::Result<()>;
}

#[derive(Clone, Debug)]
pub struct Metadata {
    pub is_folder: bool,
    pub size: u64,
    pub modified: SystemTime,
}

#[derive(Debug)]
pub(crate) struct File {
    number: u64,
    at: usize,
}

#[derive(Debug)]
pub(crate) struct OpenOptions;

pub(crate) struct DirEntry(PathBuf);

impl Metadata {
    pub(crate) fn is_file(&self) -> bool {
        !self.is_folder
    }

    pub(crate) fn is_dir(&self) -> bool {
        self.is_folder
    }

    pub(crate) fn len(&self) -> u64 {
        self.size
    }

    pub(crate) fn modified(&self) -> io::Result<SystemTime> {
        Ok(self.modified)
    }
}

impl File {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { number: disk().borrow_mut().open(path)?, at: 0 })
    }

    pub(crate) fn sync_all(&self) -> io::Result<()> {
        disk().borrow_mut().flush(self.number)
    }
}

impl Read for File {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let amount = disk().borrow_mut().read(self.number, self.at, buffer)?;
        self.at += amount;
        Ok(amount)
    }
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        disk().borrow_mut().append(self.number, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// All files are new ones, of one owner.
impl OpenOptions {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn write(&mut self, _: bool) -> &mut Self {
        self
    }

    pub(crate) fn create_new(&mut self, _: bool) -> &mut Self {
        self
    }

    pub(crate) fn open(&self, path: &Path) -> io::Result<File> {
        Ok(File { number: disk().borrow_mut().create(path)?, at: 0 })
    }
}

#[cfg(unix)]
impl std::os::unix::fs::OpenOptionsExt for OpenOptions {
    fn mode(&mut self, _: u32) -> &mut Self {
        self
    }

    fn custom_flags(&mut self, _: i32) -> &mut Self {
        self
    }
}

impl DirEntry {
    pub(crate) fn path(&self) -> PathBuf {
        self.0.clone()
    }

    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        metadata(&self.0)
    }
}

pub(crate) fn metadata(path: &Path) -> io::Result<Metadata> {
    disk().borrow_mut().stat(path)
}

pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(crate) fn read_dir(folder: &Path) -> io::Result<std::vec::IntoIter<io::Result<DirEntry>>> {
    let paths = disk().borrow_mut().list(folder)?;
    Ok(paths.into_iter().map(|path| Ok(DirEntry(path))).collect::<Vec<_>>().into_iter())
}

/// There are no links.
pub(crate) fn read_link(_: &Path) -> io::Result<PathBuf> {
    Err(ErrorKind::InvalidInput.into())
}

pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    disk().borrow_mut().remove(path)
}

pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    disk().borrow_mut().rename(from, to)
}

/// There is one owner, and one mode.
#[cfg(unix)]
pub(crate) fn imitate(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

fn disk() -> Rc<RefCell<dyn Disk>> {
    with(|world| world.disk())
}
