use std::io;
use std::path::PathBuf;

use klayers_core::{Digest, PackageName, ParseError, Pin};

use crate::command::CommandError;
use crate::fetch::FetchError;
use crate::interpreter::InterpreterError;
use crate::resolve::ResolveError;
use crate::secrets::TomlError;
use crate::wheel::WheelFilename;

/// Why a source distribution does not give a wheel.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SdistError {
    /// The operator did not name its package.
    #[error(
        "{0} comes as a source distribution, which runs its own code when it is built, and may not \
         be built"
    )]
    NotAllowed(PackageName),
    /// Its bytes are not those of the lock.
    #[error("the source distribution of {pin} has SHA-256 {found}, but the lock asks for {wanted}")]
    WrongDigest {
        /// The package and version.
        pin: Box<Pin>,
        /// What it has.
        found: Digest,
        /// What it must have.
        wanted: Digest,
    },
    /// A file cannot be read or written.
    #[error("could not work on the source distribution of {pin}")]
    Io {
        /// The package and version.
        pin: Box<Pin>,
        /// Why not.
        source: io::Error,
    },
    /// A tool is not there.
    #[error(transparent)]
    Tool(Box<ResolveError>),
    /// A program could not be run to its end.
    #[error("could not build a wheel of {pin}")]
    Run {
        /// The package and version.
        pin: Box<Pin>,
        /// Why not.
        source: CommandError,
    },
    /// The build failed.
    #[error("could not build a wheel of {pin} from source\n{}", last_lines(output))]
    Failed {
        /// The package and version.
        pin: Box<Pin>,
        /// All that the build wrote.
        output: String,
        /// Where that is kept.
        log: Option<PathBuf>,
    },
    /// Its `pyproject.toml` is malformed.
    #[error("the pyproject.toml of {pin} cannot be read")]
    PyProject {
        /// The package and version.
        pin: Box<Pin>,
        /// Why not.
        source: TomlError,
    },
    /// The build did not make one wheel.
    #[error("the build of {pin} made {found} wheels instead of one")]
    Wheels {
        /// The package and version.
        pin: Box<Pin>,
        /// How many it made.
        found: usize,
    },
    /// The file name of the wheel is malformed.
    #[error("the build of {pin} made a wheel whose name cannot be read")]
    Filename {
        /// The package and version.
        pin: Box<Pin>,
        /// Why not.
        source: ParseError,
    },
    /// The wheel is another package's.
    #[error("the build of {pin} made {wheel}, which is another package or version")]
    OtherPackage {
        /// The package and version.
        pin: Box<Pin>,
        /// The wheel.
        wheel: Box<WheelFilename>,
    },
    /// Built again, the wheel is another one.
    #[error(
        "{wheel}, built again from the source of {pin}, has SHA-256 {found} instead of {wanted}: \
         its build does not give the same bytes each time and everywhere, so it cannot be said \
         whether the locked wheel holds what that source gives"
    )]
    OtherBytes {
        /// The wheel.
        wheel: Box<WheelFilename>,
        /// The package and version.
        pin: Box<Pin>,
        /// What it has.
        found: Digest,
        /// What it had.
        wanted: Digest,
    },
    /// The source distribution cannot be had, or the wheel not be kept.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The interpreter that was asked for cannot be used.
    #[error(transparent)]
    Interpreter(#[from] InterpreterError),
    /// The wheel is not sound, does not fit, or has native code that cannot be loaded.
    #[error("{wheel}, built from the source of {pin}, cannot be used: {reason}")]
    Unusable {
        /// The package and version.
        pin: Box<Pin>,
        /// The wheel.
        wheel: Box<WheelFilename>,
        /// Why it cannot be used.
        reason: String,
    },
}

/// How many lines of a build's output are shown.
const SHOWN: usize = 3;

/// How lines begin that are uv's own and say no more than that the build failed.
const OF_UV: [&str; 5] = ["error: Failed to build", "cause: ", "Caused by: ", "× Failed", "╰─▶ "];

/// The last lines of what a build wrote; before them the first one that tells of an error, if that
/// is earlier.
fn last_lines(output: &str) -> String {
    let (output, _) = output.split_once("\nhint:").unwrap_or((output, ""));
    let (_, output) = output.rsplit_once("[stderr]").unwrap_or(("", output));
    let is_told = |line: &&str| {
        line.contains(char::is_alphanumeric) && !OF_UV.iter().any(|own| line.starts_with(own))
    };
    let lines: Vec<&str> = output.lines().map(str::trim).filter(is_told).collect();
    let is_error = |line: &&&str| {
        let first = line.split(' ').next().unwrap_or_default();
        let of_python = first.ends_with("Error:") || first.ends_with("Exception:");
        of_python || first == "error:" || line.contains(" error: ")
    };
    let last = lines.len().saturating_sub(SHOWN);
    match lines[..last].iter().find(is_error) {
        Some(error) => format!("{error}\n…\n{}", lines[last + 1..].join("\n")),
        None => lines[last..].join("\n"),
    }
}

impl From<ResolveError> for SdistError {
    fn from(error: ResolveError) -> Self {
        Self::Tool(Box::new(error))
    }
}
