//! Installs a lock with `uv`, and compares the layer with that.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::layer::{Entry, Layer};
use crate::tools::{output, platform, target, uv_install};

/// Installs the wheels of the layer's own lock. That requires an interpreter of the target's
/// version.
pub(crate) fn by_lock(layer: &Layer, python: &Path) -> PathBuf {
    let lock = layer.own_lock("pylock.toml");
    install(layer, python, "by-lock", &lock)
}

/// Installs the versions that are in the layer; uv chooses among their wheels.
pub(crate) fn by_version(layer: &Layer, python: &Path) -> PathBuf {
    let requirements = layer.beside("requirements.txt");
    fs::write(&requirements, layer.pins.join("\n")).expect("a file");
    install(layer, python, "by-version", &requirements)
}

fn install(layer: &Layer, python: &Path, name: &str, requirements: &Path) -> PathBuf {
    let folder = layer.beside(name);
    output(
        uv_install(python)
            .args(["--python-version", &target().python.to_string()])
            .args(["--python-platform", &platform(), "--no-compile-bytecode", "--target"])
            .arg(&folder)
            .arg("--requirements")
            .arg(requirements),
    );
    folder
}

/// The differences between the layer's `python` folder and an installation: files that only one of
/// them has, content, and executable bits.
pub(crate) fn differences(layer: &Layer, folder: &Path) -> Vec<String> {
    let mut differences = Vec::new();
    let mut left = files(folder);
    layer.each(|Entry { path, mode, content }| {
        let Some(path) = path.strip_prefix("python/") else { return };
        let is_there = left.remove(path);
        if differs_by_installer(path) {
            return;
        }
        if !is_there {
            differences.push(format!("only in the layer: {path}"));
            return;
        }
        let other = folder.join(path);
        let executable = other.metadata().expect("a file").permissions().mode() & 0o111 != 0;
        if executable != (mode & 0o111 != 0) {
            differences.push(format!("executable in one of them: {path}"));
        }
        let other = fs::read(other).expect("a file");
        if !is_same(path, &content, &other) {
            differences.push(format!("other content: {path}"));
        }
    });
    left.retain(|path| !differs_by_installer(path));
    differences.extend(left.into_iter().map(|path| format!("not in the layer: {path}")));
    differences
}

/// Whether a file is one that each installer writes in its own way: its records, its lock, and
/// bytecode.
fn differs_by_installer(path: &str) -> bool {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let records = ["RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"];
    (folder.ends_with(".dist-info") && !folder.contains('/') && records.contains(&file))
        || path == ".lock"
        || folder.ends_with("__pycache__")
}

/// Launchers differ in their first lines, which name the interpreter.
fn is_same(path: &str, one: &[u8], other: &[u8]) -> bool {
    let runtime = format!("#!/var/lang/bin/python{}\n", target().python);
    match one.strip_prefix(runtime.as_bytes()) {
        Some(rest) if path.starts_with("bin/") => {
            let end = other.iter().position(|&byte| byte == b'\n').unwrap_or(0);
            other.starts_with(b"#!") && *rest == other[end + 1..]
        }
        _ => one == other,
    }
}

/// The files below a folder, with `/` in their paths.
fn files(root: &Path) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let below = path.strip_prefix(root).expect("below").to_str().expect("UTF-8");
                files.insert(below.to_owned());
            }
        }
    }
    files
}
