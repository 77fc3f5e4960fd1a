use crate::adopt::AdoptError;
use crate::artifacts::ArtifactError;
use crate::assemble::AssembleError;
use crate::bytecode::BytecodeError;
use crate::cached::CacheError;
use crate::catalog::CatalogError;
use crate::config::ConfigError;
use crate::export::ExportError;
use crate::fetch::FetchError;
use crate::gate::{GateError, ImportCheckError, TooLargeError};
use crate::import::ImportError;
use crate::interpreter::InterpreterError;
use crate::lock::LockError;
use crate::pipeline::{
    ExpiryError, ReconcileError, RunLockError, UnrecordedLayersError, YankError,
};
use crate::plan::PlanError;
use crate::publish::PublishError;
use crate::reproduce::ReproduceError;
use crate::resolve::ResolveError;
use crate::serve::ServeError;
use crate::strip::StripError;
use crate::verify::VerifyError;

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
    /// The catalog has no records where layers exist.
    #[error(transparent)]
    Unrecorded(#[from] UnrecordedLayersError),
    /// Layer versions are not deleted.
    #[error(transparent)]
    Expiry(#[from] ExpiryError),
    /// What differs is not repaired.
    #[error(transparent)]
    Reconcile(#[from] ReconcileError),
    /// Layer versions are not withdrawn.
    #[error(transparent)]
    Yank(#[from] YankError),
    /// Another collection's records are not adopted.
    #[error(transparent)]
    Adopt(#[from] AdoptError),
    /// Requirements could not be resolved.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// A lock cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A wheel could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The cache cannot be used: what was stored in it changed.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A wheel is not what it should be.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The interpreter that was asked for cannot be used.
    #[error(transparent)]
    Interpreter(#[from] InterpreterError),
    /// Bytecode is required, and there is nothing to make it with.
    #[error("no interpreter of Python {0} was found to make bytecode with")]
    NoInterpreter(klayers_core::PythonVersion),
    /// A wheel could not be compiled.
    #[error(transparent)]
    Bytecode(#[from] BytecodeError),
    /// The libraries of a wheel could not be stripped.
    #[error(transparent)]
    Strip(#[from] StripError),
    /// A layer could not be assembled.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    /// A layer that was made by hand is not taken in.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// A layer is larger than Lambda takes.
    #[error(transparent)]
    TooLarge(#[from] Box<TooLargeError>),
    /// A layer cannot work, or not all of it.
    #[error(transparent)]
    Refused(#[from] Box<GateError>),
    /// A layer's modules could not be imported, nor be found to fail.
    #[error(transparent)]
    ImportCheck(#[from] Box<ImportCheckError>),
    /// A layer cannot be made again.
    #[error(transparent)]
    Reproduce(#[from] ReproduceError),
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
    /// A static copy cannot be written.
    #[error(transparent)]
    Export(#[from] ExportError),
}

/// An error with its causes, in one line.
pub(crate) fn in_one_line(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let said: Vec<String> = causes.map(ToString::to_string).collect();
    // What programs say has lines, and indents them.
    said.join(": ").split_whitespace().collect::<Vec<_>>().join(" ")
}
