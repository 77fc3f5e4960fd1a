//! Running programs, and the folders that the tests share.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use klayers_core::{Architecture, PythonVersion, Target};
use tempfile::TempDir;

/// The target of the layers: Python 3.12, on an architecture that this machine can import for.
pub(crate) fn target() -> Target {
    let arm = cfg!(target_arch = "aarch64");
    let architecture = if arm { Architecture::Arm64 } else { Architecture::X86_64 };
    Target::new(PythonVersion::new(3, 12), architecture)
}

/// The platform of the target, as uv calls it.
pub(crate) fn platform() -> String {
    format!("{}-manylinux_2_34", target().architecture.machine())
}

/// The wheels that the tests have fetched, for all of them.
pub(crate) fn wheel_cache() -> PathBuf {
    kept("wheels")
}

/// An empty folder, removed when it is dropped. It lies beside uv's cache, so that uv can link.
pub(crate) fn scratch() -> TempDir {
    tempfile::tempdir_in(kept("scratch")).expect("a folder")
}

fn kept(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("real-index").join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// `klayers-pipeline`, with the caches that the tests share.
pub(crate) fn pipeline() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_klayers-pipeline"));
    command.env("KLAYERS_CACHE_DIR", wheel_cache()).env("UV_CACHE_DIR", kept("uv"));
    command
}

/// `uv pip install` of wheels alone, with the cache that the tests share.
pub(crate) fn uv_install(python: &Path) -> Command {
    let mut command = Command::new("uv");
    command
        .args(["pip", "install", "--no-deps", "--only-binary", ":all:", "--quiet", "--python"])
        .arg(python)
        .env("UV_CACHE_DIR", kept("uv"))
        .env("UV_PYTHON_DOWNLOADS", "never")
        .env_remove("UV_PYTHON")
        .env_remove("VIRTUAL_ENV");
    command
}

/// What a program writes to stdout; it must succeed.
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

/// What a program writes to stdout; none if it cannot be started or fails.
pub(crate) fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

#[expect(clippy::disallowed_methods, reason = "the tests are told by it which Python to use")]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Says, past the capturing of output, that a part of a test was left out.
pub(crate) fn skipped(what: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED {what}");
}
