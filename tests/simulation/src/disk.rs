//! A disk that forgets at a power cut what was not flushed, and a process that may end at any system call.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use http_sse::simulation::disk::{self, Metadata};
use http_sse::simulation::wall_time;

use crate::chance::Chance;

pub const FOLDER: &str = "/data";
/// Stands for the folder where a file is meant.
const FOLDER_NUMBER: u64 = u64::MAX;

type Names = Vec<(PathBuf, usize)>;

pub struct Disk {
    pub chance: Chance,
    files: Vec<File>,
    names: Names,
    /// What a power cut may bring back: the folder as it was flushed, and after each change since.
    stages: Vec<Names>,
    /// After so many system calls the process ends.
    calls_left: Option<u32>,
    pub is_crashed: bool,
    /// Whether there is room, and whether there ever was none in this run.
    pub is_full: bool,
    pub was_full: bool,
}

#[derive(Default)]
struct File {
    bytes: Vec<u8>,
    /// What is on the disk for certain.
    flushed: Vec<u8>,
    modified: Option<SystemTime>,
}

impl Disk {
    pub fn new(chance: Chance) -> Self {
        Self {
            chance,
            files: Vec::new(),
            names: Vec::new(),
            stages: vec![Vec::new()],
            calls_left: None,
            is_crashed: false,
            is_full: false,
            was_full: false,
        }
    }

    /// A process begins, which may end at one of its system calls.
    pub fn begin(&mut self) {
        self.calls_left = self.chance.percent(40).then(|| self.chance.below(60) as u32);
        (self.is_crashed, self.was_full) = (false, self.is_full);
    }

    /// What was not flushed may be gone, in part or in whole.
    pub fn cut_power(&mut self) {
        let stage = self.chance.below(self.stages.len());
        self.names = self.stages[stage].clone();
        self.stages = vec![self.names.clone()];
        for file in self.files.iter_mut().filter(|file| file.bytes != file.flushed) {
            let length = self.chance.below(file.bytes.len() + 1);
            match self.chance.below(3) {
                0 => file.bytes.clone_from(&file.flushed),
                1 => file.bytes.truncate(length),
                _ => file.bytes[length..].fill(0),
            }
            file.flushed.clone_from(&file.bytes);
        }
    }

    /// Counts a system call; from the last one on nothing happens any more.
    fn call(&mut self) -> io::Result<()> {
        match &mut self.calls_left {
            Some(0) => self.is_crashed = true,
            Some(left) => *left -= 1,
            None => {}
        }
        if self.is_crashed { Err(ErrorKind::Other.into()) } else { Ok(()) }
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        let found = self.names.iter().find(|(name, _)| name == path);
        found.map(|(_, file)| *file).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn has_changed(&mut self) {
        self.stages.push(self.names.clone());
    }

    fn room(&mut self) -> io::Result<()> {
        if self.chance.percent(if self.is_full { 30 } else { 1 }) {
            self.is_full = !self.is_full;
        }
        self.was_full |= self.is_full;
        if self.is_full { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl disk::Disk for Disk {
    fn stat(&mut self, path: &Path) -> io::Result<Metadata> {
        self.call()?;
        let file = &self.files[self.find(path)?];
        let modified = file.modified.unwrap_or(SystemTime::UNIX_EPOCH);
        Ok(Metadata { is_folder: false, size: file.bytes.len() as u64, modified })
    }

    fn list(&mut self, _: &Path) -> io::Result<Vec<PathBuf>> {
        self.call()?;
        Ok(self.names.iter().map(|(name, _)| name.clone()).collect())
    }

    fn create(&mut self, path: &Path) -> io::Result<u64> {
        self.call()?;
        self.room()?;
        if self.find(path).is_ok() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        self.files.push(File { modified: Some(wall_time()), ..File::default() });
        self.names.push((path.to_owned(), self.files.len() - 1));
        self.has_changed();
        Ok(self.files.len() as u64 - 1)
    }

    fn open(&mut self, path: &Path) -> io::Result<u64> {
        self.call()?;
        if path == Path::new(FOLDER) { Ok(FOLDER_NUMBER) } else { self.find(path).map(|file| file as u64) }
    }

    fn read(&mut self, file: u64, at: usize, buffer: &mut [u8]) -> io::Result<usize> {
        self.call()?;
        let rest = &self.files[file as usize].bytes[at..];
        let amount = rest.len().min(buffer.len());
        buffer[..amount].copy_from_slice(&rest[..amount]);
        Ok(amount)
    }

    fn append(&mut self, file: u64, bytes: &[u8]) -> io::Result<usize> {
        let was_crashed = self.is_crashed;
        let called = self.call();
        let amount = match called {
            Ok(()) => {
                self.room()?;
                1 + self.chance.below(bytes.len())
            }
            Err(_) if was_crashed => 0,
            // A process that ends here has written a part.
            Err(_) => self.chance.below(bytes.len()),
        };
        let file = &mut self.files[file as usize];
        file.bytes.extend_from_slice(&bytes[..amount]);
        file.modified = Some(wall_time());
        called.map(|()| amount)
    }

    fn flush(&mut self, file: u64) -> io::Result<()> {
        self.call()?;
        if file == FOLDER_NUMBER {
            self.stages = vec![self.names.clone()];
            return Ok(());
        }
        let file = &mut self.files[file as usize];
        file.flushed.clone_from(&file.bytes);
        Ok(())
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.call()?;
        let file = self.find(from)?;
        self.names.retain(|(name, _)| name != from && name != to);
        self.names.push((to.to_owned(), file));
        self.has_changed();
        Ok(())
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.call()?;
        self.find(path)?;
        self.names.retain(|(name, _)| name != path);
        self.has_changed();
        Ok(())
    }
}
