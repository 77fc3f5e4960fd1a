//! The right to work on a collection.

use std::path::Path;
use std::sync::Arc;

use klayers_build::Error;
use klayers_build::catalog::{Catalog, SqliteCatalog};
use klayers_build::pipeline::{Holder, LeaseTerms, RunLease, RunLock};

use super::now;

/// Opens a catalog that must be there, for reading.
pub(super) fn read(path: &Path) -> Result<Arc<dyn Catalog>, Error> {
    Ok(Arc::new(SqliteCatalog::open_read_only(path)?))
}

/// Opens a catalog that must be there, and takes the right to work on it.
pub(super) async fn open(path: &Path) -> Result<(Arc<dyn Catalog>, RunLease), Error> {
    // Where there is none, none is made: its path is wrong.
    drop(SqliteCatalog::open_read_only(path)?);
    let lock = RunLock::take(path)?;
    let catalog: Arc<dyn Catalog> = Arc::new(SqliteCatalog::open(path)?);
    let lease = take(Some(lock), &catalog).await?;
    Ok((catalog, lease))
}

/// Takes the right to work on a collection for this process.
pub(super) async fn take(
    lock: Option<RunLock>,
    catalog: &Arc<dyn Catalog>,
) -> Result<RunLease, Error> {
    let name = rustix::system::uname();
    let holder = Holder {
        host: name.nodename().to_string_lossy().into_owned(),
        process: std::process::id(),
    };
    RunLease::take(lock, Arc::clone(catalog), holder, LeaseTerms::default(), now).await
}
