//! Advice for errors of which only the stage is known.

use klayers_layer::LayerError;
use std::io;

use super::Settings;
use crate::Error;
use crate::adopt::AdoptError;
use crate::config::ConfigError;
use crate::pipeline::{ExpiryError, RunLockError};
use crate::plan::PlanError;
use klayers_catalog::CatalogError;
use klayers_catalog::artifacts::ArtifactError;
use klayers_core::terminal::error_chain;
use klayers_layer::assemble::AssembleError;
use klayers_layer::bytecode::BytecodeError;
use klayers_layer::command::FULL_DISK_ADVICE;
use klayers_layer::fetch::FetchError;
use klayers_layer::import::ImportError;
use klayers_layer::reproduce::UnreproducibleError;
use klayers_layer::resolve::{ResolveError, SdistError};
use klayers_layer::verify::VerifyError;
use klayers_publish::PublishError;
use klayers_site::export::ExportError;
use klayers_site::serve::ServeError;
use klayers_wheel::RuleError;

const AGAIN: &str = "run the command again; --verbose shows more";
const OTHER_VERSION: &str = "ask for another version, and report the problem to its maintainers";
const FILE: &str = "check the file and its folder, then run the command again";

/// What to do about an error. `None` if the error's text says so itself.
#[expect(clippy::match_same_arms, reason = "the errors are in the order of the stages")]
pub(super) fn advice(error: &Error, settings: Settings) -> Option<&'static str> {
    if error_chain(error).ends_with(FULL_DISK_ADVICE) {
        return None;
    }
    Some(match error {
        Error::Config(error) => return of_config(error),
        Error::MissingFeature(_) => "install it with its default features",
        Error::Plan(error) => match error {
            PlanError::UnknownTarget(_)
            | PlanError::UnknownPackage(_)
            | PlanError::UnknownRegion(_) => "check its spelling, or add it to the config folder",
            PlanError::LayerName(_) => "choose another name or prefix",
            PlanError::SameName { .. } => return None,
        },
        Error::RunLock(RunLockError::Io { .. }) => FILE,
        Error::RunLock(RunLockError::Locked { .. } | RunLockError::LeaseHeld { .. }) => {
            return None;
        }
        Error::RunLock(_) => "run the command again: what it did so far is recorded",
        Error::Unrecorded(_) | Error::Reconcile(_) | Error::Yank(_) => return None,
        Error::Expiry(ExpiryError::Latest(_)) => {
            "the version stays until another version is the latest"
        }
        Error::Expiry(_) => return None,
        Error::Adopt(error) => match error {
            AdoptError::Client(_) => "check the certificates and proxies that are set",
            AdoptError::NoTable { .. } => "check its name, its region and the account",
            AdoptError::Table { .. } => "check the table and the network, then adopt again",
            _ => return None,
        },
        Error::Layer(error) => return of_layer(error, settings),
        Error::Artifact(error) => match error {
            ArtifactError::Missing(_) => "check the SHA-256, or name the zip's path",
            _ => FILE,
        },
        Error::Catalog(error) => match error {
            CatalogError::Open { .. } | CatalogError::Foreign { .. } => {
                "check the catalog's url in klayers.toml"
            }
            CatalogError::UnderWay { .. } => "run again: a run settles what is under way first",
            CatalogError::Adopted { .. } | CatalogError::Empty { .. } => return None,
            _ => "check the disk and the catalog; docs/operating.md says how to restore it",
        },
        Error::Publish(error) => match error {
            PublishError::Io { .. } => FILE,
            PublishError::WithoutPointers => "install klayers-pipeline with its default features",
            PublishError::Overdue { .. } | PublishError::Aws(_) => {
                "run again: what was published is recorded, the rest is done then"
            }
            _ => return None,
        },
        Error::Serve(ServeError::Listen { .. }) => "choose another address or port",
        Error::Serve(_) => return None,
        Error::Export(ExportError::Io { .. } | ExportError::Catalog(_)) => FILE,
        Error::Export(ExportError::Bucket { .. }) => {
            "check the bucket, its region and the credentials"
        }
        Error::Export(_) => return None,
    })
}

/// What to do about a layer that could not be built.
#[expect(clippy::match_same_arms, reason = "the errors are in the order of the stages")]
fn of_layer(error: &LayerError, settings: Settings) -> Option<&'static str> {
    Some(match error {
        LayerError::Resolve(ResolveError::Sdist(error)) => match &**error {
            SdistError::WrongDigest { .. } => {
                "resolve again; if the error remains, contact the operator of the index"
            }
            SdistError::Io { .. } | SdistError::Run { .. } | SdistError::Tool(_) => AGAIN,
            _ => OTHER_VERSION,
        },
        LayerError::Resolve(ResolveError::Lock { .. }) => {
            "ask for another version, or another index"
        }
        LayerError::Resolve(ResolveError::NotAFile { source, .. }) => of_file(source),
        LayerError::Resolve(_) => AGAIN,
        LayerError::Lock(_) => "create the lock again, or correct it",
        LayerError::Fetch(error) => match error {
            FetchError::Status { .. } | FetchError::Built { .. } => return None,
            FetchError::Client(_) => "check the certificates and proxies that are set",
            FetchError::TooLarge { .. } => "ask for another version",
            FetchError::NotAPath(_) => "correct the URL",
            FetchError::Io { .. } => FILE,
            _ => "run the command again; if it stays so, ask who runs the server",
        },
        LayerError::Verify(VerifyError::Wheel(_))
        | LayerError::Assemble(AssembleError::Wheel(_)) => OTHER_VERSION,
        LayerError::Verify(_) => FILE,
        LayerError::Interpreter(_) => match settings {
            Settings::Arguments => "name another with --interpreter",
            Settings::File => "name another under [build.interpreters]",
        },
        LayerError::Bytecode(BytecodeError::Compile { .. }) | LayerError::Cache(_) => return None,
        LayerError::Bytecode(_) => match settings {
            Settings::Arguments => "run the command again, or leave bytecode out: --bytecode off",
            Settings::File => "run the command again, or set bytecode = \"off\" under [build]",
        },
        LayerError::Assemble(AssembleError::FileAndFolder { .. }) => "make two layers of them",
        LayerError::Strip(_)
        | LayerError::Assemble(_)
        | LayerError::ImportCheck(_)
        | LayerError::NoInterpreter(_) => AGAIN,
        LayerError::Import(ImportError::Io { source, .. }) => of_file(source),
        LayerError::Import(ImportError::Refused { .. }) => "correct the zip, then import it again",
        LayerError::Import(_) => "choose another name, or take it off the packages list",
        LayerError::Refused(_) => match settings {
            Settings::Arguments => "ask for another version; --force keeps the layer all the same",
            Settings::File => "ask for another version in the packages list",
        },
        LayerError::TooLarge(_) => return None,
        LayerError::Reproduce(error) => match error.reason() {
            UnreproducibleError::Archive(RuleError::Io { source, .. }) => of_file(source),
            UnreproducibleError::FromSource(_) => return None,
            _ => "check that the zip is one that klayers-pipeline built, as it was built",
        },
        _ => AGAIN,
    })
}

fn of_config(error: &ConfigError) -> Option<&'static str> {
    Some(match error {
        ConfigError::Read { source, .. } => of_file(source),
        ConfigError::Lock { .. } => "create the lock again, or correct it",
        ConfigError::NotifyUrl(_) => "correct it; its form is https://HOST/PATH",
        ConfigError::BundleName { .. } => return None,
        _ => "correct the file",
    })
}

/// What to do about a file that the user named.
pub(super) fn of_file(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::NotFound => "check the path, or create the file",
        _ => "check the path",
    }
}
