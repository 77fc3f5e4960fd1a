use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use klayers_core::PythonVersion;
use tokio::process::Command;

use super::{Interpreter, Magic};
use crate::command::{self, Bounds, CommandError};

/// The program that an interpreter runs to describe itself.
const SCRIPT: &str = include_str!("probe.py");
/// First line of the answer.
const GREETING: &str = "klayers probe";

/// Why a program is not the requested interpreter.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The program could not be run.
    #[error("it cannot be run")]
    Run(#[from] CommandError),
    /// The program failed.
    #[error("it fails: {0}")]
    Failed(String),
    /// The answer cannot be parsed.
    #[error("its answer is not that of CPython: {0:?}")]
    UnexpectedAnswer(String),
    /// The program is not CPython, or has ABI flags, such as a free-threaded build.
    #[error("it is {0}; CPython without ABI flags is needed")]
    OtherBuild(String),
    /// The program is another version.
    #[error("it is Python {0}")]
    OtherVersion(String),
    /// The magic number or cache tag does not match the version.
    #[error("it claims to be Python {release}, but has {what}, which no Python {release} has")]
    Inconsistent {
        /// The claimed release.
        release: String,
        /// What does not match.
        what: String,
    },
    /// The program starts another one, which answers differently when it is run directly.
    #[error("it starts {}, which answers differently when it is run directly", .0.display())]
    Wrapper(PathBuf),
}

/// Asks a program whether it is CPython of a version. Returns the interpreter behind links, shims
/// and wrappers, after it answered the same without them.
pub(super) async fn probe(
    program: &Path,
    python: PythonVersion,
    search: &OsStr,
    time: Duration,
) -> Result<Interpreter, ProbeError> {
    // A shim needs `PATH` to find the program that it starts.
    let found = ask(Command::new(program).env_clear().env("PATH", search), python, time).await?;
    let alone = ask(Command::new(&found.path).env_clear(), python, time).await;
    match alone {
        Ok(alone) if alone == found => Ok(found),
        _ => Err(ProbeError::Wrapper(found.path)),
    }
}

async fn ask(
    command: &mut Command,
    python: PythonVersion,
    time: Duration,
) -> Result<Interpreter, ProbeError> {
    let command = command.args(["-I", "-S", "-B", "-c", SCRIPT]);
    let output = command::run(command, "", Bounds { time, output_mib: 1 }).await?;
    if output.status != Some(0) {
        return Err(ProbeError::Failed(output.explanation()));
    }
    let unexpected = || ProbeError::UnexpectedAnswer(command::shortened(output.stdout.trim(), 100));
    let answer = output.stdout.strip_suffix('\n').ok_or_else(unexpected)?;
    let mut lines = answer.splitn(8, '\n');
    let mut line = || lines.next().ok_or_else(unexpected);
    if line()? != GREETING {
        return Err(unexpected());
    }
    let (name, release, tag) = (line()?, line()?, line()?);
    let magic = Magic::new(line()?.parse().map_err(|_| unexpected())?);
    let (flags, machine, path) = (line()?, line()?, line()?);
    if name != "cpython" || !flags.is_empty() {
        return Err(ProbeError::OtherBuild(format!("{name}{flags} {release}")));
    }
    let version: super::PythonRelease = release.parse().map_err(|_| unexpected())?;
    if version.python() != python {
        return Err(ProbeError::OtherVersion(release.to_owned()));
    }
    let inconsistent = |what| ProbeError::Inconsistent { release: release.to_owned(), what };
    if tag != cache_tag(python) {
        return Err(inconsistent(format!("the cache tag {tag:?}")));
    }
    // The magic number changes until a minor version is final.
    if Magic::released(python).is_some_and(|known| known != magic) {
        return Err(inconsistent(format!("the magic number {}", magic.number())));
    }
    if !path.starts_with('/') {
        return Err(unexpected());
    }
    Ok(Interpreter { path: path.into(), version, magic, machine: machine.to_owned() })
}

/// Returns the tag that CPython of a version puts into the names of `.pyc` files.
pub(crate) fn cache_tag(python: PythonVersion) -> String {
    format!("cpython-{}{}", python.major(), python.minor())
}
