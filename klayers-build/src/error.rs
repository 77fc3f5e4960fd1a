use crate::config::ConfigError;
use crate::plan::PlanError;
use klayers_catalog::CatalogError;
use klayers_catalog::artifacts::ArtifactError;
use klayers_core::UnknownRuntimeError;
use klayers_layer::LayerError;
use klayers_layer::assemble::AssembleError;
use klayers_layer::fetch::FetchError;
use klayers_layer::gate::{GateError, ImportCheckError};
use klayers_layer::import::ImportError;
use klayers_layer::interpreter::InterpreterError;
use klayers_layer::lock::LockError;
use klayers_layer::reproduce::ReproduceError;
use klayers_layer::resolve::ResolveError;
use klayers_layer::verify::VerifyError;
use klayers_publish::PublishError;
use klayers_site::export::ExportError;
use klayers_site::serve::ServeError;

mod adopt;
mod pipeline;

pub use adopt::{AdoptError, LeftOut, Reason, RequestError, RequestFault};
pub use pipeline::{ExpiryError, ReconcileError, RunLockError, UnrecordedLayersError, YankError};

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
    /// A layer could not be built.
    #[error(transparent)]
    Layer(#[from] LayerError),
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
    /// The command was built without a feature.
    #[error(transparent)]
    MissingFeature(#[from] MissingFeatureError),
    /// A static copy cannot be written.
    #[error(transparent)]
    Export(#[from] ExportError),
}

/// This `klayers-pipeline` was built without a feature that the request needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("this klayers-pipeline was built without {feature}, so it cannot {action}")]
pub struct MissingFeatureError {
    /// The Cargo feature.
    pub feature: &'static str,
    /// The request: `publish to AWS`.
    pub action: &'static str,
}

/// The errors of the stages that build a layer reach [`Error`] through [`LayerError`].
macro_rules! through_layer_error {
    ($($error:ty),+ $(,)?) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::Layer(error.into())
            }
        }
    )+};
}

through_layer_error!(
    UnknownRuntimeError,
    AssembleError,
    FetchError,
    ImportError,
    InterpreterError,
    LockError,
    ReproduceError,
    ResolveError,
    VerifyError,
    Box<GateError>,
    Box<ImportCheckError>,
);
