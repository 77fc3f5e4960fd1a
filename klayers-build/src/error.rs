use crate::artifacts::ArtifactError;
use crate::assemble::AssembleError;
use crate::catalog::CatalogError;
use crate::config::ConfigError;
use crate::fetch::FetchError;
use crate::import::ImportError;
use crate::lock::LockError;
use crate::pipeline::RunLockError;
use crate::plan::PlanError;
use crate::publish::PublishError;
use crate::resolve::ResolveError;
use crate::serve::ServeError;

/// What can go wrong on the way from a package name to an ARN: the error of the stage where it did.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The collection cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Another run is under way.
    #[error(transparent)]
    RunLock(#[from] RunLockError),
    /// Requirements could not be resolved.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// A lock cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A wheel could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A layer could not be assembled.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    /// A layer that was made by hand is not taken in.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// An artifact could not be stored or read.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The catalog could not be read or written.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A layer could not be published.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The API could not be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
}
