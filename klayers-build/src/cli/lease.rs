//! The right to work on a collection.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use klayers_build::Error;
use klayers_build::pipeline::{Holder, LeaseReturn, LeaseTerms, RunLease, RunLock};
use klayers_catalog::{Catalog, SqliteCatalog};

use super::now;

/// The lease that a command took, if it took one. A command gives it back when it ends; this is for
/// one that is told to end before.
#[derive(Clone, Debug, Default)]
pub(super) struct HeldLease(Arc<OnceLock<LeaseReturn>>);

impl HeldLease {
    /// Gives it back, so that nobody has to wait until it expires.
    pub(super) async fn give_back(&self) {
        if let Some(lease) = self.0.get() {
            lease.give_back().await;
        }
    }
}

/// Opens a catalog that must be there, for reading.
pub(super) fn read(path: &Path) -> Result<Arc<dyn Catalog>, Error> {
    Ok(Arc::new(SqliteCatalog::open_read_only(path)?))
}

/// Opens a catalog that must be there, and takes the right to work on it.
pub(super) async fn open(
    path: &Path,
    held: &HeldLease,
) -> Result<(Arc<dyn Catalog>, RunLease), Error> {
    // Where there is none, none is made: its path is wrong.
    drop(SqliteCatalog::open_read_only(path)?);
    let lock = RunLock::take(path)?;
    let catalog: Arc<dyn Catalog> = Arc::new(SqliteCatalog::open(path)?);
    let lease = take(Some(lock), &catalog, held).await?;
    Ok((catalog, lease))
}

/// Takes the right to work on a collection for this process.
pub(super) async fn take(
    lock: Option<RunLock>,
    catalog: &Arc<dyn Catalog>,
    held: &HeldLease,
) -> Result<RunLease, Error> {
    let name = rustix::system::uname();
    let holder = Holder {
        host: name.nodename().to_string_lossy().into_owned(),
        process: std::process::id(),
    };
    let terms = LeaseTerms::default();
    let lease = RunLease::take(lock, Arc::clone(catalog), holder, terms, now).await?;
    // A command takes one.
    let _ = held.0.set(lease.returned());
    Ok(lease)
}
