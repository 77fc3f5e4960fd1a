//! The exclusive right to work on a collection: a lock file beside the catalog for processes on one
//! machine, a lease in the catalog for several machines.

use crate::error::RunLockError;
use std::path::{Path, PathBuf};

mod exclusive;
mod lease;

pub use lease::{Holder, LeaseReturn, LeaseTerms, RunLease};

use exclusive::ExclusiveFile;

/// Prevents a second run on this machine from working on the same catalog while this value lives.
///
/// The system releases the lock when the process ends, no matter how it ends and which programs it
/// was starting at that moment.
#[derive(Debug)]
pub struct RunLock {
    _file: ExclusiveFile,
}

impl RunLock {
    /// Takes the lock beside a catalog's file.
    ///
    /// # Errors
    ///
    /// [`RunLockError::Locked`] if another process has it.
    pub fn take(catalog: &Path) -> Result<Self, RunLockError> {
        let mut path = catalog.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        match ExclusiveFile::lock(&path) {
            Ok(Some(file)) => Ok(Self { _file: file }),
            Ok(None) => Err(RunLockError::Locked { catalog: catalog.to_owned() }),
            Err(source) => Err(RunLockError::Io { path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_lock_is_exclusive() {
        let folder = tempfile::tempdir().expect("a folder");
        let catalog = folder.path().join("klayers.db");
        let first = RunLock::take(&catalog).expect("free");
        assert!(matches!(RunLock::take(&catalog), Err(RunLockError::Locked { .. })));
        drop(first);
        RunLock::take(&catalog).expect("free again");
    }
}
