//! Finds the files that an interpreter consists of.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;

use crate::command::{Bounds, CommandError, run};

/// Deadline for an interpreter's answer.
const TIMEOUT: Duration = Duration::from_secs(30);
const SCRIPT: &str = include_str!("toolchain.py");
/// The folders of a prefix that an interpreter needs. A prefix such as `~/.local` holds other
/// folders, which are private.
const PARTS: [&str; 5] = ["bin", "lib", "lib64", "libexec", "include"];

/// The files and folders that an interpreter consists of.
#[derive(Clone, Debug)]
pub(crate) struct Toolchain {
    pub(crate) paths: BTreeSet<PathBuf>,
}

#[derive(Deserialize)]
struct Answer {
    prefixes: Vec<PathBuf>,
    paths: Vec<PathBuf>,
}

impl Toolchain {
    /// Asks an interpreter, given as a program with its first arguments. It runs only its own code
    /// for that, and is not confined.
    pub(crate) async fn of(interpreter: &[String]) -> Result<Self, CommandError> {
        let (program, arguments) = interpreter.split_first().ok_or(CommandError::NotText)?;
        let mut command = Command::new(program);
        command.args(arguments).args(["-I", "-S", "-B", "-c", SCRIPT]).env_clear();
        let bounds = Bounds { time: TIMEOUT, output_mib: 4 };
        let output = run(&mut command, "", bounds).await?;
        let answer: Answer = match serde_json::from_str(&output.stdout) {
            Ok(answer) if output.status == Some(0) => answer,
            _ => return Err(CommandError::Failed(output.explanation())),
        };
        let in_prefixes = answer.prefixes.iter().filter(|prefix| prefix.parent().is_some());
        let parts = in_prefixes.flat_map(|prefix| PARTS.map(|part| prefix.join(part)));
        let mut paths: BTreeSet<PathBuf> = parts.chain(answer.paths).collect();
        // The `pyvenv.cfg` of a virtual environment names the interpreter that it was created with.
        let mut programs = paths.clone();
        programs.insert(PathBuf::from(program));
        let environments = programs.iter().filter_map(|path| path.parent()?.parent());
        paths.extend(environments.map(|folder| folder.join("pyvenv.cfg")));
        paths.insert(PathBuf::from(program));
        paths.retain(|path| path.is_absolute() && path != Path::new("/") && path.exists());
        Ok(Self { paths })
    }
}
