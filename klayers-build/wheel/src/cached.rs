//! Cache files whose content changed after they were stored: how such a file is detected, removed
//! and logged, so that it is made again.
//!
//! A disk, another program or a person may change a cached file without changing its size and
//! times. So the bytes that go into a layer are compared with a checksum while they are copied.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tracing::warn;

/// How strictly a stage checks cache files, and where it logs those that changed.
#[derive(Clone, Debug, Default)]
pub struct Inspection {
    /// How far a file that was verified before is trusted.
    pub trust: Trust,
    /// Logs the files that were replaced.
    pub log: CacheLog,
}

/// How far a file that was verified before is trusted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Trust {
    /// A file whose size and times are unchanged is trusted.
    #[default]
    Stamps,
    /// Every file is hashed again. Used once a changed file was found in the cache.
    Nothing,
}

/// The changed files that were found in the cache. Clones share one list.
#[derive(Clone, Debug, Default)]
pub struct CacheLog(Arc<Mutex<BTreeSet<ReplacedFile>>>);

impl CacheLog {
    /// Returns the files that were removed and made again so far, sorted.
    pub fn replaced(&self) -> Vec<ReplacedFile> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Records a changed file, and logs a warning.
    pub fn add(&self, path: &Path) {
        let replaced = ReplacedFile { kind: CachedKind::of(path), path: path.to_owned() };
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if list.insert(replaced.clone()) {
            warn!("{replaced}");
        }
    }
}

/// A cache file that changed after it was verified, and was made again.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct ReplacedFile {
    /// The kind of its content.
    pub kind: CachedKind,
    /// Its path.
    pub path: PathBuf,
}

impl fmt::Display for ReplacedFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, path } = self;
        let path = path.display();
        write!(
            formatter,
            "a cached {kind} had changed since it was stored, and was replaced: {path}"
        )
    }
}

/// The kinds of cache files.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CachedKind {
    /// A wheel.
    Wheel,
    /// The inventory of a verified wheel.
    Inventory,
    /// The bytecode of a wheel, or its index.
    Bytecode,
    /// The stripped libraries of a wheel, or their index.
    Stripped,
    /// The note that records which wheel was built from a source distribution.
    BuiltWheelNote,
}

impl CachedKind {
    /// Returns the kind of the cache file at this path.
    fn of(path: &Path) -> Self {
        let below = |folder: &str| path.components().any(|part| part.as_os_str() == folder);
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("inventory") => Self::Inventory,
            Some("wheel") => Self::BuiltWheelNote,
            Some("pack" | "index") if below("stripped") => Self::Stripped,
            Some("pack" | "index") => Self::Bytecode,
            _ => Self::Wheel,
        }
    }
}

impl fmt::Display for CachedKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Wheel => "wheel",
            Self::Inventory => "inventory of a wheel",
            Self::Bytecode => "bytecode pack",
            Self::Stripped => "pack of stripped libraries",
            Self::BuiltWheelNote => "note of a built wheel",
        })
    }
}

/// A cache file no longer has the content that was verified or written.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{} changed after it was verified", path.display())]
pub struct ChangedFileError {
    path: PathBuf,
    /// Device and inode. Before the file is removed, another process may have replaced it.
    identity: Option<(u64, u64)>,
}

impl ChangedFileError {
    /// The file at this path had this metadata when the change was noticed.
    pub fn new(path: &Path, metadata: Option<&Metadata>) -> Self {
        Self { path: path.to_owned(), identity: metadata.map(identity) }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Finds a changed file among the causes of an error.
    pub fn among<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(changed) = error.downcast_ref() {
                return Some(changed);
            }
            // The causes of an `io::Error` start below the error that it wraps.
            let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            if let Some(changed) = inner.and_then(|inner| Self::among(inner)) {
                return Some(changed);
            }
            next = error.source();
        }
        None
    }

    /// Removes the file, unless another file has replaced it. A file that is already gone is no
    /// error.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    pub fn remove(&self) -> io::Result<()> {
        let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        match fs::metadata(&self.path) {
            Ok(there) if self.identity.is_some_and(|file| file != identity(&there)) => Ok(()),
            Err(error) if gone(&error) => Ok(()),
            _ => match fs::remove_file(&self.path) {
                Err(error) if !gone(&error) => Err(error),
                _ => Ok(()),
            },
        }
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Why no layer can be made from a cache with a changed file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The file was made again, and changed again.
    #[error(
        "{} changed twice while a layer was made from it; another program writes to the cache, or \
         its disk is damaged: choose another folder with --cache-dir",
        path.display()
    )]
    ChangedAgain {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be removed, so it cannot be made again.
    #[error(
        "could not remove {}, which changed after it was verified; make the cache writable, or \
         choose another folder with --cache-dir",
        path.display()
    )]
    NotRemoved {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] io::Error);

    #[test]
    fn changed_file_is_found_below_io_errors() {
        let changed = ChangedFileError::new(Path::new("cache/a.whl"), None);
        let error = Outer(io::Error::other(Outer(io::Error::other(changed.clone()))));
        assert_eq!(ChangedFileError::among(&error), Some(&changed));
        let other = Outer(io::Error::other("something else"));
        assert_eq!(ChangedFileError::among(&other), None);
    }

    #[test]
    fn file_that_replaced_a_changed_one_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.whl");
        fs::write(&path, "changed").expect("written");
        let metadata = fs::metadata(&path).expect("metadata");
        let changed = ChangedFileError::new(&path, Some(&metadata));
        let sound = folder.path().join("sound");
        fs::write(&sound, "sound").expect("written");
        fs::rename(&sound, &path).expect("replaced");
        changed.remove().expect("nothing to do");
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "sound");
        let changed = ChangedFileError::new(&path, fs::metadata(&path).ok().as_ref());
        changed.remove().expect("removed");
        assert!(!path.exists());
        changed.remove().expect("gone already");
    }

    #[test]
    fn kind_follows_from_path() {
        for (path, kind) in [
            ("c/wheels/ab/ab.whl", CachedKind::Wheel),
            ("c/wheels/ab/ab.inventory", CachedKind::Inventory),
            ("c/bytecode/ab/ab-cpython-3.12.1.pack", CachedKind::Bytecode),
            ("c/stripped/ab/ab-stripped-1.index", CachedKind::Stripped),
            ("c/built/ab-p3.12.wheel", CachedKind::BuiltWheelNote),
        ] {
            assert_eq!(CachedKind::of(Path::new(path)), kind, "{path}");
        }
    }
}
