use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use klayers_core::PythonVersion;
use tokio::process::Command;

use super::{Interpreter, Magic};
use crate::command::{self, Bounds, CommandError};

/// What an interpreter is asked to say of itself.
const SCRIPT: &str = include_str!("probe.py");
/// What its answer begins with.
const GREETING: &str = "klayers probe";

/// Why a program is not the interpreter that is looked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// It could not be run.
    #[error("it cannot be run")]
    Run(#[from] CommandError),
    /// It failed.
    #[error("it fails: {0}")]
    Failed(String),
    /// What it says of itself cannot be understood.
    #[error("it does not answer as CPython does, but {0:?}")]
    Rubbish(String),
    /// It is not CPython as it is released.
    #[error("it is {0}; CPython without flags of its own build is needed")]
    OtherBuild(String),
    /// It is of another version.
    #[error("it is Python {0}")]
    OtherVersion(String),
    /// Its magic number or cache tag is not that of its version.
    #[error("it says that it is Python {release} with {what}, which no Python {release} has")]
    Lie {
        /// Which release it claims to be.
        release: String,
        /// What does not go with that.
        what: String,
    },
    /// It answers through something else than itself, and alone not in the same way.
    #[error("it starts {}, which alone does not answer in the same way", .0.display())]
    Wrapper(PathBuf),
}

/// Asks a program whether it is CPython of a version. Gives the interpreter behind links, shims
/// and wrappers, which has answered without them, too.
pub(super) async fn probe(
    program: &Path,
    python: PythonVersion,
    search: &OsStr,
    time: Duration,
) -> Result<Interpreter, Unfit> {
    // A shim needs to find what it starts.
    let found = ask(Command::new(program).env_clear().env("PATH", search), python, time).await?;
    let alone = ask(Command::new(&found.path).env_clear(), python, time).await;
    match alone {
        Ok(alone) if alone == found => Ok(found),
        _ => Err(Unfit::Wrapper(found.path)),
    }
}

async fn ask(
    command: &mut Command,
    python: PythonVersion,
    time: Duration,
) -> Result<Interpreter, Unfit> {
    let command = command.args(["-I", "-S", "-B", "-c", SCRIPT]);
    let output = command::run(command, "", Bounds { time, output_mib: 1 }).await?;
    if output.status != Some(0) {
        return Err(Unfit::Failed(output.explanation()));
    }
    let rubbish = || Unfit::Rubbish(command::shortened(output.stdout.trim(), 100));
    let answer = output.stdout.strip_suffix('\n').ok_or_else(rubbish)?;
    let mut lines = answer.splitn(8, '\n');
    let mut line = || lines.next().ok_or_else(rubbish);
    if line()? != GREETING {
        return Err(rubbish());
    }
    let (name, release, tag) = (line()?, line()?, line()?);
    let magic = Magic::new(line()?.parse().map_err(|_| rubbish())?);
    let (flags, machine, path) = (line()?, line()?, line()?);
    if name != "cpython" || !flags.is_empty() {
        return Err(Unfit::OtherBuild(format!("{name}{flags} {release}")));
    }
    let version: super::PythonRelease = release.parse().map_err(|_| rubbish())?;
    if version.python() != python {
        return Err(Unfit::OtherVersion(release.to_owned()));
    }
    let belied = |what| Unfit::Lie { release: release.to_owned(), what };
    if tag != cache_tag(python) {
        return Err(belied(format!("the cache tag {tag:?}")));
    }
    // Before a minor is final, its magic number changes.
    if Magic::released(python).is_some_and(|known| known != magic) {
        return Err(belied(format!("the magic number {}", magic.number())));
    }
    if !path.starts_with('/') {
        return Err(rubbish());
    }
    Ok(Interpreter { path: path.into(), version, magic, machine: machine.to_owned() })
}

/// What CPython of a version puts into the names of its `.pyc` files.
pub(crate) fn cache_tag(python: PythonVersion) -> String {
    format!("cpython-{}{}", python.major(), python.minor())
}
