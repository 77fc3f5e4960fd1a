//! The exclusive right to work on a collection: a lock file beside the catalog for processes on one
//! machine, a lease in the catalog for several machines.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use klayers_catalog::CatalogError;

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

/// Why a run cannot begin or continue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunLockError {
    /// Another run is under way on this machine.
    #[error("another run is working on the catalog {}; wait until it ends", catalog.display())]
    Locked {
        /// The catalog.
        catalog: PathBuf,
    },
    /// Another run is under way on another machine, or ended without giving back its lease.
    #[error(
        "another run is working on the collection: process {process} on {host}, with a lease until \
         {until}, which it may renew; wait until it ends"
    )]
    LeaseHeld {
        /// Host name of the holder.
        host: String,
        /// Process ID of the holder.
        process: u32,
        /// End of its lease, unless it is renewed.
        until: Timestamp,
    },
    /// Another run has taken over although this one had not ended.
    #[error(
        "this run was stopped: it did not renew its lease in time, and process {process} on {host} \
         is working on the collection now"
    )]
    LeaseLost {
        /// Host name of the other run.
        host: String,
        /// Process ID of the other run.
        process: u32,
    },
    /// The lease was removed from the catalog.
    #[error("this run was stopped: its lease is no longer in the catalog")]
    LeaseRemoved,
    /// The lease could not be renewed in time.
    #[error("this run was stopped: could not renew its lease until {until}")]
    LeaseNotRenewed {
        /// End of the lease.
        until: Timestamp,
        /// Why it could not be renewed.
        source: Box<CatalogError>,
    },
    /// The lock file cannot be opened.
    #[error("could not lock {}", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// Why it cannot be opened.
        source: std::io::Error,
    },
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
