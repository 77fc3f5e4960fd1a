use std::fmt;
use std::path::PathBuf;

use klayers_core::{Requirement, Target};

use super::{Explanation, SdistError};
use crate::command::CommandError;
use crate::lock::LockError;

/// Why requirements could not be resolved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// A tool is not installed.
    #[error("{tool} is not on PATH")]
    Missing {
        /// The tool.
        tool: &'static str,
        /// How to install it.
        advice: &'static str,
    },
    /// uv is too old, or another program has its name.
    #[error("uv 0.7.0 or newer is needed, but \"uv --version\" answers {found:?}")]
    OldUv {
        /// Its answer.
        found: String,
    },
    /// A tool could not be run, or was stopped.
    #[error("could not run {tool}")]
    Run {
        /// The tool.
        tool: &'static str,
        /// The cause.
        source: CommandError,
    },
    /// The input file of a tool could not be written.
    #[error("could not write a temporary file")]
    Temporary(#[source] std::io::Error),
    /// A wheel in a folder of wheels is not a regular file.
    #[error("could not read {}", path.display())]
    NotAFile {
        /// Its path.
        path: PathBuf,
        /// What it is instead.
        source: std::io::Error,
    },
    /// A tool failed.
    #[error("{tool} failed: {message}")]
    Failed {
        /// The tool.
        tool: &'static str,
        /// The tool's own explanation.
        message: String,
    },
    /// No versions meet the requirements.
    #[error("no wheels for {target} meet {requirements}:\n{explanation}")]
    Unsolvable {
        /// The requirements.
        requirements: Requirements,
        /// The target.
        target: Target,
        /// uv's explanation.
        explanation: Box<Explanation>,
    },
    /// A wheel cannot be built from the source of a package.
    #[error(transparent)]
    Sdist(Box<SdistError>),
    /// The lock that uv wrote cannot be used.
    #[error("the lock that uv made of {requirements} for {target} cannot be used")]
    Lock {
        /// The requirements.
        requirements: Requirements,
        /// The target.
        target: Target,
        /// The cause.
        source: LockError,
    },
}

impl From<SdistError> for ResolveError {
    fn from(error: SdistError) -> Self {
        Self::Sdist(Box::new(error))
    }
}

impl ResolveError {
    /// How to install uv, or a newer one.
    pub const INSTALL_UV: &str = "install it with \"pip install --upgrade uv\"";

    pub(super) fn tool(tool: &'static str, source: CommandError) -> Self {
        match (source.is_not_found(), tool) {
            (true, "uv") => Self::Missing { tool, advice: Self::INSTALL_UV },
            (true, _) => Self::Missing { tool, advice: "install Python 3.9 or newer" },
            (false, _) => Self::Run { tool, source },
        }
    }
}

/// Requirements in an error message, separated by commas.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Requirements(pub Vec<Requirement>);

impl fmt::Display for Requirements {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        formatter.write_str(&names.join(", "))
    }
}
