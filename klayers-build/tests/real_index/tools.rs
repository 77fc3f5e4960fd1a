//! Runs programs, and provides the folders that the tests share.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use klayers_core::{Architecture, PythonVersion, Target};
use tempfile::TempDir;

/// The target of the layers: Python 3.12, on the architecture of this machine.
pub(crate) fn target() -> Target {
    let arm = cfg!(target_arch = "aarch64");
    let architecture = if arm { Architecture::Arm64 } else { Architecture::X86_64 };
    Target::new(PythonVersion::new(3, 12), architecture)
}

/// uv's name of the target's platform.
pub(crate) fn platform() -> String {
    format!("{}-manylinux_2_34", target().architecture.machine())
}

/// The cache of wheels that all tests share.
pub(crate) fn wheel_cache() -> PathBuf {
    shared_folder("wheels")
}

/// An empty folder, removed when dropped. It is on the file system of uv's cache, so that uv can
/// create links.
pub(crate) fn scratch() -> TempDir {
    tempfile::tempdir_in(shared_folder("scratch")).expect("a folder")
}

fn shared_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("real-index").join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// `klayers-pipeline`, with the shared caches.
pub(crate) fn pipeline() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_klayers-pipeline"));
    command.env("KLAYERS_CACHE_DIR", wheel_cache()).env("UV_CACHE_DIR", shared_folder("uv"));
    command
}

/// `uv pip install` of wheels only, with the shared cache.
pub(crate) fn uv_install(python: &Path) -> Command {
    let mut command = Command::new("uv");
    command
        .args(["pip", "install", "--no-deps", "--only-binary", ":all:", "--quiet", "--python"])
        .arg(python)
        .env("UV_CACHE_DIR", shared_folder("uv"))
        .env("UV_PYTHON_DOWNLOADS", "never")
        .env_remove("UV_PYTHON")
        .env_remove("VIRTUAL_ENV");
    command
}

/// Returns the stdout of a program, which must succeed.
pub(crate) fn output(command: &mut Command) -> String {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("could not start {command:?}: {error}"));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{stdout}{stderr}", output.status);
    stdout
}

/// Returns the stdout of a program. None if it cannot be started or fails.
pub(crate) fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

#[expect(clippy::disallowed_methods, reason = "variables name the Python for the tests")]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Prints, past the capturing of output, that a part of a test was skipped.
pub(crate) fn skipped(what: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED {what}");
}
