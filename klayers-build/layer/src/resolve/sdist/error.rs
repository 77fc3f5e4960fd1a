use std::io;
use std::path::PathBuf;

use klayers_core::{Digest, PackageName, ParseError, Pin};

use crate::command::CommandError;
use crate::fetch::FetchError;
use crate::interpreter::InterpreterError;
use crate::resolve::ResolveError;
use crate::secrets::TomlError;
use klayers_wheel::WheelFilename;

/// Why no wheel could be built from a source distribution.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SdistError {
    /// The operator did not allow its package.
    #[error(
        "{0} has to be built from a source distribution, which would run its code and is not allowed"
    )]
    NotAllowed(PackageName),
    /// The bytes are not the locked ones.
    #[error("the source distribution of {pin} has SHA-256 {found}, but the lock asks for {wanted}")]
    WrongDigest {
        /// The package and version.
        pin: Box<Pin>,
        /// The actual SHA-256.
        found: Digest,
        /// The SHA-256 in the lock.
        wanted: Digest,
    },
    /// A file could not be read or written.
    #[error("could not read or write the files of a build of {pin}")]
    Io {
        /// The package and version.
        pin: Box<Pin>,
        /// The cause.
        source: io::Error,
    },
    /// A tool is missing or fails.
    #[error(transparent)]
    Tool(Box<ResolveError>),
    /// A program could not be run to its end.
    #[error("could not build a wheel of {pin}")]
    Run {
        /// The package and version.
        pin: Box<Pin>,
        /// The cause.
        source: CommandError,
    },
    /// The build failed.
    #[error("could not build a wheel of {pin} from source\n{}", last_lines(output))]
    Failed {
        /// The package and version.
        pin: Box<Pin>,
        /// All output of the build.
        output: String,
        /// The file that the output was saved to.
        log: Option<PathBuf>,
    },
    /// The `pyproject.toml` is malformed.
    #[error("could not parse the pyproject.toml of {pin}")]
    PyProject {
        /// The package and version.
        pin: Box<Pin>,
        /// The cause.
        source: TomlError,
    },
    /// The build did not make exactly one wheel.
    #[error("the build of {pin} made {found} wheels instead of one")]
    Wheels {
        /// The package and version.
        pin: Box<Pin>,
        /// The number of wheels.
        found: usize,
    },
    /// The file name of the wheel is malformed.
    #[error("the build of {pin} made a wheel whose name cannot be read")]
    Filename {
        /// The package and version.
        pin: Box<Pin>,
        /// The cause.
        source: ParseError,
    },
    /// The wheel is of another package or version.
    #[error("the build of {pin} made {wheel}, which is another package or version")]
    OtherPackage {
        /// The package and version.
        pin: Box<Pin>,
        /// The wheel.
        wheel: Box<WheelFilename>,
    },
    /// The rebuilt wheel has other bytes.
    #[error(
        "{wheel}, built again from the source of {pin}, has SHA-256 {found} instead of {wanted}: \
         the build is not reproducible, so it is unknown whether the locked wheel was made from \
         that source"
    )]
    OtherBytes {
        /// The wheel.
        wheel: Box<WheelFilename>,
        /// The package and version.
        pin: Box<Pin>,
        /// The actual SHA-256.
        found: Digest,
        /// The SHA-256 in the lock.
        wanted: Digest,
    },
    /// The source distribution could not be fetched, or the wheel could not be stored.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The requested interpreter cannot be used.
    #[error(transparent)]
    Interpreter(#[from] InterpreterError),
    /// The wheel is invalid, does not fit the target, or has native code that cannot be loaded.
    #[error("{wheel}, built from the source of {pin}, cannot be used: {reason}")]
    Unusable {
        /// The package and version.
        pin: Box<Pin>,
        /// The wheel.
        wheel: Box<WheelFilename>,
        /// The reason.
        reason: String,
    },
}

/// Number of lines of a build's output that an error shows.
const SHOWN_LINES: usize = 3;

/// Beginnings of lines by uv itself that say no more than that the build failed.
const UV_LINES: [&str; 5] =
    ["error: Failed to build", "cause: ", "Caused by: ", "× Failed", "╰─▶ "];

/// Returns the last lines of a build's output, preceded by the first line with an error if that
/// line is earlier.
fn last_lines(output: &str) -> String {
    let (output, _) = output.split_once("\nhint:").unwrap_or((output, ""));
    let (_, output) = output.rsplit_once("[stderr]").unwrap_or(("", output));
    let is_informative = |line: &&str| {
        line.contains(char::is_alphanumeric) && !UV_LINES.iter().any(|own| line.starts_with(own))
    };
    let lines: Vec<&str> = output.lines().map(str::trim).filter(is_informative).collect();
    let is_error = |line: &&&str| {
        let first = line.split(' ').next().unwrap_or_default();
        let of_python = first.ends_with("Error:") || first.ends_with("Exception:");
        of_python || first == "error:" || line.contains(" error: ")
    };
    let last = lines.len().saturating_sub(SHOWN_LINES);
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
