use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;

use klayers_wheel::regular;

/// The files that this process has locked, by device and inode number. A record lock does not
/// exclude the process that holds it, and is lost when the process closes the file anywhere, so a
/// locked file must not be opened again.
static LOCKED: Mutex<BTreeSet<(u64, u64)>> = Mutex::new(BTreeSet::new());

/// A file that this process has locked exclusively.
///
/// The lock is a POSIX record lock: it belongs to the process, and a child does not inherit it. A
/// `flock` belongs to the open file, which a forked child shares until it executes another program.
/// If the process is killed, such a child could keep the lock.
#[derive(Debug)]
pub(super) struct ExclusiveFile {
    identity: (u64, u64),
    /// Closed first: fields are dropped after `drop`, in their order.
    file: Option<File>,
}

impl ExclusiveFile {
    /// Locks a file, creating it if it does not exist. Returns `None` if another process or another
    /// part of this process has locked it.
    pub(super) fn lock(path: &Path) -> io::Result<Option<Self>> {
        let mut locked = LOCKED.lock().unwrap_or_else(PoisonError::into_inner);
        if path.metadata().is_ok_and(|found| locked.contains(&(found.dev(), found.ino()))) {
            return Ok(None);
        }
        let mut options = OpenOptions::new();
        let file = regular::open_with(options.create(true).truncate(false).write(true), path)?;
        let metadata = file.metadata()?;
        let identity = (metadata.dev(), metadata.ino());
        match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                locked.insert(identity);
                Ok(Some(Self { identity, file: Some(file) }))
            }
            Err(Errno::ACCESS | Errno::AGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for ExclusiveFile {
    fn drop(&mut self) {
        let mut locked = LOCKED.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.file.take());
        locked.remove(&self.identity);
    }
}
