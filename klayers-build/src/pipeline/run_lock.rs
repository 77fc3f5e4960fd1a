//! The right to work on a collection, which one process has at a time: on one machine through a
//! file beside the catalog, among several through a lease in it.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::catalog::CatalogError;

mod exclusive;
mod lease;

pub use lease::{Holder, LeaseReturn, LeaseTerms, RunLease};

use exclusive::ExclusiveFile;

/// Keeps a second run on this machine from working on the same catalog, while this value lives.
///
/// The system releases the lock when the process ends, however it ends, and whatever programs it was
/// starting at that moment.
#[derive(Debug)]
pub struct RunLock {
    _file: ExclusiveFile,
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
        match ExclusiveFile::lock(&path) {
            Ok(Some(file)) => Ok(Self { _file: file }),
            Ok(None) => Err(RunLockError::Taken { catalog: catalog.to_owned() }),
            Err(source) => Err(RunLockError::Io { path, source }),
        }
    }
}

/// Why a run cannot begin, or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunLockError {
    /// Another run is under way on this machine.
    #[error("another run is working on the catalog {}; wait for its end", catalog.display())]
    Taken {
        /// The catalog.
        catalog: PathBuf,
    },
    /// Another run is under way elsewhere, or ended without saying so.
    #[error(
        "another run is working on the collection: process {process} on {host}, which has it until \
         {until} and longer if it goes on; wait for its end"
    )]
    Held {
        /// The machine.
        host: String,
        /// The process there.
        process: u32,
        /// Until when it has the collection, unless it goes on.
        until: Timestamp,
    },
    /// Another run has begun although this one had not ended.
    #[error(
        "this run was stopped: the collection is worked on by process {process} on {host}, since \
         this one did not renew its lease in time"
    )]
    Lost {
        /// The machine.
        host: String,
        /// The process there.
        process: u32,
    },
    /// Somebody took the lease out of the catalog.
    #[error("this run was stopped: its lease is no longer in the catalog")]
    Gone,
    /// It could not be written down in time that this run goes on.
    #[error("this run was stopped: its lease until {until} could not be renewed")]
    NotRenewed {
        /// Until when the lease was.
        until: Timestamp,
        /// Why not.
        source: Box<CatalogError>,
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
