//! The cache of fetched wheels and source distributions, stored under their SHA-256.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use klayers_core::Digest;
use sha2::{Digest as _, Sha256};

use super::FetchError;
use crate::bytecode::Pack;
use klayers_wheel::cached::CacheLog;
use klayers_wheel::sweep::{sweep, sweep_below};
use klayers_wheel::{durable, regular, sealed};

/// A folder of wheels. A file gets its final name, its digest, only when it is complete. A partial
/// file is in another folder, locked by the process that writes it.
#[derive(Clone, Debug)]
pub(super) struct WheelCache {
    folder: PathBuf,
    partial: PathBuf,
}

/// The kind of a cached file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Wheel,
    Sdist,
}

impl Kind {
    /// The folder of its files.
    fn folder(self) -> &'static str {
        match self {
            Self::Wheel => "wheels",
            Self::Sdist => "sdists",
        }
    }

    /// The file extension. All formats of source distributions share one, since their format is
    /// detected from the content.
    fn suffix(self) -> &'static str {
        match self {
            Self::Wheel => "whl",
            Self::Sdist => "sdist",
        }
    }
}

impl WheelCache {
    pub(super) fn open(folder: &Path) -> Result<Self, FetchError> {
        let cache = Self { folder: folder.to_owned(), partial: folder.join("partial") };
        for made in [&folder.join(Kind::Wheel.folder()), &cache.partial] {
            durable::create_folder(made)
                .map_err(|source| FetchError::io("create", made, source))?;
        }
        Ok(cache)
    }

    fn path(&self, kind: Kind, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        let folder = self.folder.join(kind.folder()).join(&name[..2]);
        folder.join(format!("{name}.{}", kind.suffix()))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder with the notes about wheels that were built here.
    pub(super) fn built(&self) -> PathBuf {
        self.folder.join("built")
    }

    /// Returns the file with a digest, if it is there. A file whose size is not the one in the lock
    /// changed after it was stored: it counts as missing, and is logged. The content is not checked
    /// here.
    pub(super) fn get(
        &self,
        kind: Kind,
        digest: Digest,
        size: Option<u64>,
        log: &CacheLog,
    ) -> Result<Option<PathBuf>, FetchError> {
        let path = self.path(kind, digest);
        match path.metadata() {
            Ok(found) if found.is_file() => {
                if size.is_none_or(|size| found.len() == size) {
                    return Ok(Some(path));
                }
                log.add(&path);
                Ok(None)
            }
            Ok(_) => Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(FetchError::io("read", &path, source)),
        }
    }

    /// Opens the partial file of a digest and locks it. Waits while another process holds the lock.
    pub(super) async fn partial(&self, kind: Kind, digest: Digest) -> Result<Partial, FetchError> {
        let path = self.partial.join(digest.to_string());
        let waiting = tokio::task::spawn_blocking(move || Partial::lock(path, kind, digest));
        waiting.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// Removes files that killed processes left: partial files, and temporary files that other
    /// stages write beside wheels.
    pub(super) fn sweep(&self, now: Timestamp) {
        sweep(&self.partial, now);
        sweep_below(&self.folder, &[sealed::PREFIX, Pack::PREFIX], now);
    }

    /// Moves a completed partial file to its final place.
    pub(super) fn keep(&self, partial: &Partial) -> Result<PathBuf, FetchError> {
        let path = self.path(partial.kind, partial.wanted);
        let io = |source| FetchError::io("store", &path, source);
        partial.file.sync_all().map_err(io)?;
        let folder = path.parent().unwrap_or(&self.folder);
        durable::create_folder(folder).map_err(io)?;
        fs::rename(&partial.path, &path).map_err(io)?;
        durable::sync_folders(folder, folder).map_err(io)?;
        Ok(path)
    }
}

/// A partial file, locked by this process.
#[derive(Debug)]
pub(super) struct Partial {
    kind: Kind,
    path: PathBuf,
    file: File,
    hasher: Sha256,
    length: u64,
    wanted: Digest,
}

impl Partial {
    fn lock(path: PathBuf, kind: Kind, wanted: Digest) -> Result<Self, FetchError> {
        let io = |source| FetchError::io("write", &path, source);
        loop {
            let mut options = OpenOptions::new();
            options.read(true).append(true).create(true);
            let mut file = regular::open_with(&mut options, &path).map_err(io)?;
            file.lock().map_err(io)?;
            // While this process waited, the file may have been renamed to its final place.
            if !is_same_file(&file, &path) {
                continue;
            }
            let (mut hasher, mut length) = (Sha256::new(), 0);
            let mut buffer = vec![0; 1 << 18];
            loop {
                let read = file.read(&mut buffer).map_err(io)?;
                if read == 0 {
                    return Ok(Self { kind, path, file, hasher, length, wanted });
                }
                hasher.update(&buffer[..read]);
                length += read as u64;
            }
        }
    }

    /// The number of bytes so far.
    pub(super) fn len(&self) -> u64 {
        self.length
    }

    pub(super) fn digest(&self) -> Digest {
        Digest::from_bytes(self.hasher.clone().finalize().into())
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), FetchError> {
        self.file.write_all(bytes).map_err(|source| FetchError::io("write", &self.path, source))?;
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Empties the file to start again.
    pub(super) fn clear(&mut self) -> Result<(), FetchError> {
        let io = |source| FetchError::io("write", &self.path, source);
        self.file.set_len(0).map_err(io)?;
        self.file.rewind().map_err(io)?;
        (self.hasher, self.length) = (Sha256::new(), 0);
        Ok(())
    }

    /// Removes the file.
    pub(super) fn discard(self) -> Result<(), FetchError> {
        fs::remove_file(&self.path).map_err(|source| FetchError::io("remove", &self.path, source))
    }
}

fn is_same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), path.metadata()) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}
