//! What to do about an error.

use klayers_layer::LayerError;
use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::io;

use klayers_core::PackageName;

use crate::Error;
use crate::config::ConfigError;
use klayers_layer::assemble::AssembleError;
use klayers_layer::fetch::FetchError;
use klayers_layer::resolve::{ResolveError, SdistError};
use klayers_layer::verify::VerifyError;
use klayers_wheel::RuleError;

/// Where the reader of a message changes settings.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Settings {
    /// In the arguments of a command such as `build`.
    Arguments,
    /// In `klayers.toml`.
    File,
}

impl Settings {
    /// How to allow building these packages from source, in addition to those `allowed` already.
    pub(super) fn allow_sdist(
        self,
        packages: &[PackageName],
        allowed: &BTreeSet<PackageName>,
    ) -> String {
        let them = if packages.len() == 1 { ("it", "its") } else { ("them", "their") };
        let how = match self {
            Self::Arguments => {
                let flags: Vec<String> =
                    packages.iter().map(|name| format!("--allow-sdist {name}")).collect();
                flags.join(" ")
            }
            Self::File => {
                let all: BTreeSet<&PackageName> = packages.iter().chain(allowed).collect();
                let names: Vec<String> = all.iter().map(|name| format!("\"{name}\"")).collect();
                format!("allow_sdist = [{}] under [build] in klayers.toml", names.join(", "))
            }
        };
        format!("allow building {} from source, which runs {} code: {how}", them.0, them.1)
    }

    /// How to accept a wrong `RECORD`; the last line is the setting.
    fn accept_record(self, package: &str) -> String {
        let how = match self {
            Self::Arguments => {
                format!("to accept it: --accept {package}=record, or in klayers.toml:")
            }
            Self::File => "installers do not check that; to accept it, in klayers.toml:".to_owned(),
        };
        format!("{how}\n[wheels] accept = {{ \"{package}\" = [\"record\"] }}")
    }

    /// How to leave a file out of a layer.
    fn exclude(self, path: &str) -> String {
        match self {
            Self::Arguments => format!("--exclude {path:?}"),
            Self::File => format!("exclude = [{path:?}] under [slim] in klayers.toml"),
        }
    }

    /// The name of the setting for places of wheels, and how to use the index as well.
    pub(super) fn given_places(self) -> (&'static str, &'static str) {
        match self {
            Self::Arguments => ("--find-links", "leave out --no-index to ask the package index"),
            Self::File => {
                ("find_links", "leave out no_index under [build] to ask the package index")
            }
        }
    }

    /// How to provide the interpreter that a build needs.
    fn interpreter(self) -> &'static str {
        match self {
            Self::Arguments => {
                "build on a machine of that architecture, with that Python installed, or named with \
                 --interpreter"
            }
            Self::File => {
                "build on a machine of that architecture, with that Python installed, or named \
                 under [build.interpreters]"
            }
        }
    }

    /// How to add a runtime.
    fn add_runtime(self) -> &'static str {
        match self {
            Self::Arguments => {
                "add a [[runtime]] for it to a klayers.toml, and name that with --config"
            }
            Self::File => "add a [[runtime]] for its Python version to klayers.toml",
        }
    }

    /// How to use another index.
    pub(super) fn other_index(self) -> &'static str {
        match self {
            Self::Arguments => "another index is named with --index-url",
            Self::File => "another index is named by index_url under [build] in klayers.toml",
        }
    }
}

/// What to do about an error, in addition to what its message says.
pub(super) fn of(error: &Error, settings: Settings) -> Vec<String> {
    let mut help = Vec::new();
    match error {
        Error::Layer(error) => help.extend(of_layer(error, settings)),
        Error::Config(ConfigError::UnknownRuntime(_)) => {
            help.push(settings.add_runtime().to_owned());
        }
        Error::Config(ConfigError::Read { source, .. })
            if source.kind() == io::ErrorKind::NotFound =>
        {
            help.push("check the path, or create the file".to_owned());
        }
        _ => {}
    }
    help.extend(of_system(error).map(str::to_owned));
    help
}

/// What to do about a layer that could not be built.
fn of_layer(error: &LayerError, settings: Settings) -> Option<String> {
    Some(match error {
        LayerError::Resolve(ResolveError::Missing { advice, .. }) => (*advice).to_owned(),
        LayerError::Resolve(ResolveError::OldUv { .. }) => ResolveError::INSTALL_UV.to_owned(),
        LayerError::Resolve(ResolveError::Sdist(error)) => match &**error {
            SdistError::NotAllowed(name) => {
                settings.allow_sdist(std::slice::from_ref(name), &BTreeSet::new())
            }
            SdistError::Failed { log: Some(log), .. } => format!(
                "install what the build needs, or ask for a version with wheels; its log:\n{}",
                log.display()
            ),
            SdistError::Unusable { reason, .. } if reason.starts_with("it does not fit") => {
                settings.interpreter().to_owned()
            }
            _ => return None,
        },
        LayerError::UnknownRuntime(_) => settings.add_runtime().to_owned(),
        LayerError::Fetch(FetchError::WrongDigest { .. }) => {
            "resolve again; if the error remains, contact the operator of the index".to_owned()
        }
        LayerError::Fetch(FetchError::Transport { .. } | FetchError::TooSlow { .. }) => {
            "check the network, then run the command again".to_owned()
        }
        LayerError::Assemble(AssembleError::Conflict { path, .. }) => {
            let exclude = settings.exclude(path);
            format!("ask for one of the two, or leave out what you do not need: {exclude}")
        }
        LayerError::NoInterpreter(python) => match settings {
            Settings::Arguments => format!(
                "install Python {python}, name one with --interpreter, or build without bytecode: \
                 --bytecode off"
            ),
            Settings::File => format!(
                "install Python {python}, name one under [build.interpreters], or build without \
                 bytecode: bytecode = \"off\" under [build]"
            ),
        },
        LayerError::Verify(VerifyError::Wheel(error))
        | LayerError::Assemble(AssembleError::Wheel(error)) => match error.rule() {
            RuleError::RecordFaults { package, .. } => settings.accept_record(package),
            _ => return None,
        },
        _ => return None,
    })
}

/// What to do if one of the causes is an error of the operating system.
fn of_system(error: &(dyn StdError + 'static)) -> Option<&'static str> {
    let causes = || std::iter::successors(Some(error), |error| (*error).source());
    let kind = causes().find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    // Other programs report a full disk as text.
    let is_full = || causes().any(|cause| cause.to_string().contains("No space left on device"));
    match kind {
        Some(io::ErrorKind::StorageFull) => Some(FULL),
        _ if is_full() => Some(FULL),
        Some(io::ErrorKind::QuotaExceeded) => {
            Some("the disk quota is used up: free some space, then run the command again")
        }
        Some(io::ErrorKind::ReadOnlyFilesystem) => {
            Some("the file system is read-only: choose another folder")
        }
        Some(io::ErrorKind::PermissionDenied) => {
            Some("this user has no permission: check who owns the file, and its mode")
        }
        _ => None,
    }
}

const FULL: &str = "the disk is full: free some space, then run the command again";
