//! The lease: the right to work on a collection, which one process holds at a time.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use klayers_build::Error;
use klayers_build::pipeline::{Holder, LeaseReturn, LeaseTerms, RunLease, RunLock};
use klayers_catalog::{Catalog, SqliteCatalog};

use super::now;

/// The lease that a command took, if any. A command returns its lease when it ends; an interrupted
/// command cannot, so the caller returns it through this value.
#[derive(Clone, Debug, Default)]
pub(super) struct HeldLease(Arc<OnceLock<LeaseReturn>>);

impl HeldLease {
    /// Returns the lease, so that nobody has to wait until it expires.
    pub(super) async fn give_back(&self) {
        if let Some(lease) = self.0.get() {
            lease.give_back().await;
        }
    }
}

/// Opens an existing catalog for reading.
pub(super) fn read(path: &Path) -> Result<Arc<dyn Catalog>, Error> {
    Ok(Arc::new(SqliteCatalog::open_read_only(path)?))
}

/// Opens an existing catalog and takes the lease.
pub(super) async fn open(
    path: &Path,
    held: &HeldLease,
) -> Result<(Arc<dyn Catalog>, RunLease), Error> {
    // Fails if there is no catalog: a new one would only hide a wrong path.
    drop(SqliteCatalog::open_read_only(path)?);
    let lock = RunLock::take(path)?;
    let catalog: Arc<dyn Catalog> = Arc::new(SqliteCatalog::open(path)?);
    let lease = take(Some(lock), &catalog, held).await?;
    Ok((catalog, lease))
}

/// Takes the lease for this process.
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
    // A command takes one lease only.
    let _ = held.0.set(lease.returned());
    Ok(lease)
}
