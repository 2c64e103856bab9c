//! Every state that a power cut may leave on a disk.
//!
//! Less is promised than by any file system of Linux with a journal. Data that is not flushed is there in part, in any
//! sectors, or as zeros, or not at all. Of the changes of names that are not flushed each has happened or not, in any
//! combination. Flushing a file makes its data last, and nothing else; flushing the folder makes the names last.

use std::collections::{BTreeMap, BTreeSet};

use crate::checkpoint_states::trace::Step;

const SECTOR: usize = 512;

/// What the folder holds: names and contents.
pub(crate) type State = BTreeMap<String, Vec<u8>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name leads to its data: ext4, f2fs.
    Inodes,
    /// An entry of the folder holds place and size of the data itself, and a new one is empty until the file is flushed
    /// under its new name: FAT. Changes of names reach the disk with a flush of the file or the folder only. The space of
    /// a file that has no name any more, and is not open, is free at once, even where the old entry is still on the disk.
    Entries,
}

/// What is on the disk for certain, and what may be.
#[derive(Debug)]
pub(crate) struct Disk {
    kind: Kind,
    files: Vec<Content>,
    /// The names as the program sees them.
    names: BTreeMap<String, usize>,
    durable: BTreeMap<String, Entry>,
    /// Since the last flush of the folder.
    pending: Vec<Change>,
    open: BTreeMap<u32, usize>,
}

#[derive(Debug, Default, Clone)]
struct Content {
    seen: Vec<u8>,
    /// What may be on the disk.
    possible: BTreeSet<Vec<u8>>,
    /// The name under which it was last flushed.
    flushed_as: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    file: usize,
    is_empty: bool,
}

#[derive(Debug, Clone)]
enum Change {
    Set(String, usize),
    Move(String, String, usize),
    Remove(String),
}

impl Disk {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            files: vec![],
            names: BTreeMap::new(),
            durable: BTreeMap::new(),
            pending: vec![],
            open: BTreeMap::new(),
        }
    }

    pub(crate) fn apply(&mut self, step: &Step) {
        match step {
            Step::Create { name, truncates } => {
                if let Some(&file) = self.names.get(name) {
                    if *truncates {
                        self.files[file].seen.clear();
                        self.files[file].possible.insert(vec![]);
                    }
                } else {
                    self.files.push(Content { possible: [vec![]].into(), ..Content::default() });
                    self.names.insert(name.clone(), self.files.len() - 1);
                    self.pending.push(Change::Set(name.clone(), self.files.len() - 1));
                }
            }
            Step::Write { name, bytes } => self.files[self.names[name]].write(bytes),
            Step::FlushFile(name) => self.flush_file(name),
            Step::FlushFolder => {
                self.durable = self.after(&self.pending.iter().collect::<Vec<_>>());
                self.pending.clear();
            }
            Step::Rename { from, to } => {
                let file = self.names.remove(from).unwrap();
                let old = self.names.insert(to.clone(), file);
                old.into_iter().for_each(|old| self.free(old));
                self.pending.push(Change::Move(from.clone(), to.clone(), file));
            }
            Step::Remove(name) => {
                let old = self.names.remove(name);
                old.into_iter().for_each(|old| self.free(old));
                self.pending.push(Change::Remove(name.clone()));
            }
            Step::Open { descriptor, name } => _ = self.open.insert(*descriptor, self.names[name]),
            Step::Close(descriptor) => {
                // That of the folder is not known.
                let file = self.open.remove(descriptor);
                file.into_iter().for_each(|file| self.free(file));
            }
            Step::Begin(_) | Step::Done(_) => {}
        }
    }

    /// Where nothing holds a file any more, its space may be free on the disk, too.
    fn free(&mut self, file: usize) {
        let is_held = self.names.values().chain(self.open.values()).any(|&held| held == file);
        if self.kind == Kind::Entries && !is_held {
            self.files[file].possible.insert(vec![]);
        }
    }

    fn flush_file(&mut self, name: &str) {
        let file = self.names[name];
        let content = &mut self.files[file];
        content.possible = [content.seen.clone()].into();
        content.flushed_as = Some(name.to_owned());
        if let Some(entry) = self.durable.get_mut(name).filter(|entry| entry.file == file) {
            entry.is_empty = false;
        }
    }

    /// Returns what a cut may leave right now.
    pub(crate) fn states(&self) -> BTreeSet<State> {
        let mut states = BTreeSet::new();
        let changes: Vec<_> = self.pending.iter().filter(|change| self.may_be_written(change)).collect();
        for subset in 0..1_u32 << changes.len() {
            let chosen = changes.iter().enumerate().filter(|(bit, _)| subset >> bit & 1 == 1);
            let entries = self.after(&chosen.map(|(_, change)| *change).collect::<Vec<_>>());
            let mut partial = vec![State::new()];
            for (name, entry) in entries {
                let contents = &self.files[entry.file].possible;
                let contents = if entry.is_empty { BTreeSet::from([vec![]]) } else { contents.clone() };
                let mut longer = vec![];
                for (state, content) in partial.iter().flat_map(|state| contents.iter().map(move |c| (state, c))) {
                    let mut state = state.clone();
                    state.insert(name.clone(), content.clone());
                    longer.push(state);
                }
                partial = longer;
            }
            states.extend(partial);
        }
        states
    }

    /// Before the next flush of the folder: entries are written with their file, and not by themselves.
    fn may_be_written(&self, change: &Change) -> bool {
        match change {
            _ if self.kind == Kind::Inodes => true,
            Change::Set(name, file) | Change::Move(_, name, file) => !self.entry(name, *file).is_empty,
            Change::Remove(_) => false,
        }
    }

    fn after(&self, changes: &[&Change]) -> BTreeMap<String, Entry> {
        let mut entries = self.durable.clone();
        for change in changes {
            match change {
                Change::Set(name, file) => _ = entries.insert(name.clone(), self.entry(name, *file)),
                Change::Move(from, to, file) => {
                    entries.remove(from);
                    entries.insert(to.clone(), self.entry(to, *file));
                }
                Change::Remove(name) => _ = entries.remove(name),
            }
        }
        entries
    }

    fn entry(&self, name: &str, file: usize) -> Entry {
        let is_flushed = self.files[file].flushed_as.as_deref() == Some(name);
        Entry { file, is_empty: self.kind == Kind::Entries && !is_flushed }
    }
}

impl Content {
    /// Adds what a cut may leave of the new bytes: any run of whole sectors, the rest as it was, zero or missing.
    fn write(&mut self, bytes: &[u8]) {
        let before: Vec<_> = self.possible.iter().cloned().collect();
        self.seen.extend_from_slice(bytes);
        let after = &self.seen;
        let sectors = after.len().div_ceil(SECTOR);
        for from in 0..=sectors {
            for to in from..=sectors {
                let written = from * SECTOR..(to * SECTOR).min(after.len());
                if written.start > written.end {
                    continue;
                }
                for old in &before {
                    let mut mixed = old.clone();
                    mixed.resize(mixed.len().max(written.end), 0);
                    mixed[written.clone()].copy_from_slice(&after[written.clone()]);
                    self.possible.insert(mixed.clone());
                    // The size arrived, the rest of the data did not.
                    mixed.resize(after.len(), 0);
                    self.possible.insert(mixed);
                }
            }
        }
        // Within the first sector, too: bytes of a size that was written first.
        self.possible.insert(after[..after.len() / 2].to_vec());
    }
}
