use klayers_core::UnknownRuntimeError;
use klayers_wheel::cached::CacheError;
use klayers_wheel::gate_report::GateError;

use crate::assemble::AssembleError;
use crate::bytecode::BytecodeError;
use crate::fetch::FetchError;
use crate::gate::{ImportCheckError, TooLargeError};
use crate::import::ImportError;
use crate::interpreter::InterpreterError;
use crate::lock::LockError;
use crate::resolve::ResolveError;
use crate::strip::StripError;
use crate::verify::VerifyError;

mod reproduce;

pub use reproduce::{ReproduceError, UnreproducibleError};

/// Why a layer could not be built: the error of the stage that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayerError {
    /// No runtime is known for the target's Python version.
    #[error(transparent)]
    UnknownRuntime(#[from] UnknownRuntimeError),
    /// Requirements could not be resolved.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// A lock cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A wheel could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The cache cannot be used: a file in it changed after it was stored.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A wheel breaks a rule.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The given interpreter cannot be used.
    #[error(transparent)]
    Interpreter(#[from] InterpreterError),
    /// Bytecode is required, and no interpreter can make it.
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
    /// A hand-made layer cannot be imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// A layer is larger than Lambda takes.
    #[error(transparent)]
    TooLarge(#[from] Box<TooLargeError>),
    /// The gate refused a layer: it, or a part of it, cannot work.
    #[error(transparent)]
    Refused(#[from] Box<GateError>),
    /// The import check of a layer could not be run.
    #[error(transparent)]
    ImportCheck(#[from] Box<ImportCheckError>),
    /// A layer cannot be rebuilt.
    #[error(transparent)]
    Reproduce(#[from] ReproduceError),
}
