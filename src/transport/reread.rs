//! Roots that are read when the first connection needs them, and reloaded from files if they have not signed a server's
//! certificate.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use log::{debug, warn};
use rustls::{ClientConfig, RootCertStore};

#[cfg(feature = "native-roots")]
use super::native;
use super::pins::{Digest, sha256};
use super::tls_config::{Source, TlsOptions, add};
use crate::clock;
use crate::sync::lock;

/// The minimum time between two reloads.
const PAUSE: Duration = Duration::from_secs(1);
/// The maximum size of a file, in bytes. All authorities of a system are a quarter of a megabyte.
const MAX_FILE: u64 = 16 << 20;

pub(super) struct Reread {
    options: TlsOptions,
    state: Mutex<Cached>,
}

#[derive(Default)]
struct Cached {
    current: Option<Current>,
    /// The time of the last reload.
    looked_at: Option<Instant>,
}

struct Current {
    config: Arc<ClientConfig>,
    /// Of each file.
    digests: Vec<Digest>,
}

impl Reread {
    pub(super) fn new(options: TlsOptions) -> Self {
        Self { options, state: Mutex::default() }
    }

    fn read(&self) -> io::Result<Vec<Vec<u8>>> {
        self.options.files.iter().map(|path| read(path).map_err(|error| about(path, &error))).collect()
    }

    fn build(&self, texts: &[Vec<u8>]) -> io::Result<Arc<ClientConfig>> {
        let mut store = RootCertStore::empty();
        for (path, text) in self.options.files.iter().zip(texts) {
            add(&mut store, text, "a root certificate")
                .map_err(|why| about(path, &io::Error::new(ErrorKind::InvalidData, why)))?;
        }
        #[cfg(feature = "native-roots")]
        if self.options.native {
            store.extend(native::read()?.roots);
        }
        self.options.config(store).map_err(io::Error::other)
    }

    /// Reads the files, and builds a configuration if something has changed.
    fn renew(&self, old: &[Digest]) -> io::Result<Option<Current>> {
        let texts = self.read()?;
        let digests = digests(&texts)?;
        if digests == old {
            return Ok(None);
        }
        Ok(Some(Current { config: self.build(&texts)?, digests }))
    }
}

impl Source for Reread {
    fn config(&self) -> io::Result<Arc<ClientConfig>> {
        let mut state = lock(&self.state);
        if let Some(current) = &state.current {
            return Ok(Arc::clone(&current.config));
        }
        let texts = self.read()?;
        let current = Current { digests: digests(&texts)?, config: self.build(&texts)? };
        Ok(Arc::clone(&state.current.insert(current).config))
    }

    fn has_other_than(&self, refused: &Arc<ClientConfig>) -> bool {
        let mut state = lock(&self.state);
        let Cached { current: Some(current), looked_at } = &mut *state else { return false };
        if !Arc::ptr_eq(&current.config, refused) {
            // Another connection was first.
            return true;
        }
        let now = clock::now();
        if looked_at.is_some_and(|then| now.saturating_duration_since(then) < PAUSE) {
            return false;
        }
        *looked_at = Some(now);
        let renewed = self.renew(&current.digests).map(|renewed| renewed.map(|renewed| *current = renewed));
        // A logger may be slow, or connect.
        drop(state);
        match renewed {
            Ok(None) => false,
            Ok(Some(())) => {
                debug!("reloaded the root certificates, they have changed");
                true
            }
            Err(error) => {
                warn!("{error}; keeping the previous root certificates");
                false
            }
        }
    }
}

fn digests(texts: &[Vec<u8>]) -> io::Result<Vec<Digest>> {
    texts.iter().map(|text| sha256(text).map_err(io::Error::other)).collect()
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    // A pipe would block the connection where no stop can interrupt it.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut text = Vec::new();
    if File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut text)? as u64 > MAX_FILE {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("larger than {MAX_FILE} bytes")));
    }
    Ok(text)
}

fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("the root certificates file {path:?}: {error}"))
}
