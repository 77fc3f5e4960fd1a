//! Finds the interpreters of this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::{answer, output, skipped, variable};

/// Returns the Python 3.12 for imports, if this machine has one that can import the target's
/// layers.
pub(crate) fn python_3_12() -> Result<PathBuf, String> {
    if !cfg!(target_os = "linux") {
        return Err("layers hold programs for Linux, which this is not".to_owned());
    }
    if let Some(named) = variable("KLAYERS_PYTHON_3_12") {
        return real_3_12(Path::new(&named)).ok_or_else(|| {
            format!("KLAYERS_PYTHON_3_12 is {}, which is no Python 3.12", named.display())
        });
    }
    let pyenv = variable("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&variable("HOME")?).join(".pyenv")));
    // A shim of pyenv may be on PATH, and fail.
    real_3_12(Path::new("python3.12"))
        .or_else(|| pyenv_versions(&pyenv?).iter().rev().find_map(|python| real_3_12(python)))
        .ok_or_else(|| {
            "there is no Python 3.12: KLAYERS_PYTHON_3_12 names none, python3.12 on PATH does not \
             answer, and pyenv has none"
                .to_owned()
        })
}

/// Returns any Python of this machine, for checks that do not depend on its version.
pub(crate) fn any_python() -> PathBuf {
    let ask = ["-I", "-c", "import sys; print(sys.executable)"];
    PathBuf::from(output(Command::new("python3").args(ask)).trim())
}

/// Returns the interpreter behind links and shims, if it is version 3.12.
fn real_3_12(python: &Path) -> Option<PathBuf> {
    let ask = "import sys; print(sys.implementation.name, sys.version_info[:2], sys.executable)";
    let answer = answer(Command::new(python).args(["-I", "-c", ask]))?;
    answer.strip_prefix("cpython (3, 12) ").map(PathBuf::from)
}

fn pyenv_versions(root: &Path) -> Vec<PathBuf> {
    let mut versions: Vec<PathBuf> = fs::read_dir(root.join("versions"))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"3.12"))
        })
        .map(|path| path.join("bin/python"))
        .collect();
    versions.sort();
    versions
}

/// The configuration of cargo-nextest shows the output of this test even if it succeeds.
#[test]
fn what_the_real_index_tests_leave_out_is_said() {
    if let Err(reason) = python_3_12() {
        skipped(&format!("importing the layers of real packages: {reason}"));
    }
    if answer(Command::new("unzip").arg("-v")).is_none() {
        skipped("unpacking the layers of real packages with unzip: it is not on PATH");
    }
}
