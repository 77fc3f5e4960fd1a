//! Interpreters of this machine.

use std::fs;
use std::path::{Path, PathBuf};

use klayers_core::{PythonVersion, Runtimes};
use klayers_layer::interpreter::{Interpreter, SearchPath};

use crate::support::command::{environment, say_skipped};

/// The minor versions of the runtimes that Lambda has or had, the oldest first.
fn minors() -> Vec<u8> {
    Runtimes::default().iter().map(|runtime| runtime.python.minor()).collect()
}

/// Finds CPython of a version: from a variable such as `KLAYERS_PYTHON_3_12`, on `PATH`, or in
/// pyenv.
pub(super) fn python(minor: u8) -> Option<Interpreter> {
    let python = PythonVersion::new(3, minor);
    let search_path = SearchPath::new(environment("PATH").unwrap_or_default());
    let find = |explicit: Option<&Path>| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(Interpreter::find(python, explicit, &search_path))
    };
    if let Some(named) = environment(&format!("KLAYERS_PYTHON_3_{minor}")) {
        return find(Some(Path::new(&named))).unwrap();
    }
    let in_pyenv = || of_pyenv(python).into_iter().find_map(|path| find(Some(&path)).ok()?);
    find(None).unwrap().or_else(in_pyenv)
}

/// All interpreters of this machine. Prints a note if there are none.
pub(super) fn pythons() -> Vec<Interpreter> {
    let found: Vec<Interpreter> = minors().into_iter().filter_map(python).collect();
    if found.is_empty() {
        say_skipped("no CPython of any runtime was found on PATH or in pyenv");
    }
    found
}

/// The newest interpreter of this machine.
pub(crate) fn any_python() -> Option<Interpreter> {
    let found = minors().into_iter().rev().find_map(python);
    if found.is_none() {
        say_skipped("no CPython of any runtime was found on PATH or in pyenv");
    }
    found
}

fn of_pyenv(python: PythonVersion) -> Vec<PathBuf> {
    let root = environment("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&environment("HOME")?).join(".pyenv")));
    let versions = root.and_then(|root| fs::read_dir(root.join("versions")).ok());
    let mut found: Vec<PathBuf> = versions
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(&format!("{python}."))
        })
        .map(|path| path.join("bin").join(format!("python{python}")))
        .collect();
    found.sort();
    found
}

/// The folder of an interpreter's standard library.
pub(super) fn standard_library(interpreter: &Interpreter) -> PathBuf {
    let version = interpreter.version().python();
    interpreter.path().parent().unwrap().parent().unwrap().join(format!("lib/python{version}"))
}

/// Writes a fake interpreter. It answers the question for its version like a real interpreter, with
/// some lines of the answer changed, and runs `script` otherwise.
pub(crate) fn pretender(path: &Path, changed: &[(usize, &str)], script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let mut lines =
        ["klayers probe", "cpython", "3.12.1", "cpython-312", "3531", "", "x86_64", "$0"];
    for (line, text) in changed {
        lines[*line] = text;
    }
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *'klayers probe'*)\necho \"{}\"\nexit;; esac\n{script}\n",
        lines.join("\n")
    );
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, script).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
