use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// Keeps a second run from working on the same catalog, while this value lives.
///
/// The system gives the lock back when the process ends, however it does.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes the lock that stands beside a catalog's file.
    ///
    /// # Errors
    ///
    /// [`RunLockError::Taken`] if another process has it.
    pub fn take(catalog: &Path) -> Result<Self, RunLockError> {
        let mut path = catalog.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = opened.map_err(|source| RunLockError::Io { path: path.clone(), source })?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => {
                Err(RunLockError::Taken { catalog: catalog.to_owned() })
            }
            Err(TryLockError::Error(source)) => Err(RunLockError::Io { path, source }),
        }
    }
}

/// Why a run cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunLockError {
    /// Another run is under way.
    #[error("another run is working on the catalog {}; wait for its end", catalog.display())]
    Taken {
        /// The catalog.
        catalog: PathBuf,
    },
    /// The lock file cannot be opened.
    #[error("could not lock {}", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let catalog = folder.path().join("klayers.db");
        let first = RunLock::take(&catalog).expect("free");
        assert!(matches!(RunLock::take(&catalog), Err(RunLockError::Taken { .. })));
        drop(first);
        RunLock::take(&catalog).expect("free again");
    }
}
