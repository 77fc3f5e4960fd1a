//! Builds layers with the command.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use zip::ZipArchive;

use crate::tools::{output, pipeline, scratch, target};

/// A layer, and the output of the command about it.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) zip: PathBuf,
    pub(crate) name: String,
    pub(crate) sha256: String,
    /// The distributions, each as `name==version`.
    pub(crate) pins: Vec<String>,
    folder: TempDir,
}

/// A file in a layer.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) mode: u32,
    pub(crate) content: Vec<u8>,
}

impl Layer {
    /// Resolves a requirement from the real index, and builds the layer.
    pub(crate) fn of(requirement: &str) -> Self {
        let folder = scratch();
        Self::build(pipeline().arg("build").arg(requirement), folder)
    }

    /// Runs a `build` command that lacks its target and folder.
    pub(crate) fn build(command: &mut Command, folder: TempDir) -> Self {
        let target = target();
        // Some layers exceed the limit of Lambda; they are compared all the same.
        command.args(["--force", "--python", &target.python.to_string()]);
        command
            .args(["--arch", target.architecture.as_str(), "--json", "--out"])
            .arg(folder.path());
        let said: Value = serde_json::from_str(&output(command)).expect("JSON");
        let text = |key: &str| said[key].as_str().unwrap_or_else(|| panic!("{key}")).to_owned();
        let pins = said["dependencies"].as_array().expect("dependencies").iter();
        Self {
            zip: PathBuf::from(text("path")),
            name: text("layer"),
            sha256: text("sha256"),
            pins: pins.map(|pin| pin.as_str().expect("a pin").to_owned()).collect(),
            folder,
        }
    }

    /// A path beside the layer, for files made from it.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Passes each file of the layer to a function, in the order of the zip.
    pub(crate) fn each(&self, mut take: impl FnMut(Entry)) {
        let mut archive = ZipArchive::new(File::open(&self.zip).expect("the zip")).expect("a zip");
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).expect("an entry");
            let path = entry.name().expect("a name").into_owned();
            let mode = entry.unix_mode().expect("a mode");
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("its content, with the right CRC");
            take(Entry { path, mode, content });
        }
    }

    /// Copies the lock inside the layer to a file of this name beside it.
    pub(crate) fn own_lock(&self, name: &str) -> PathBuf {
        let path = self.beside(name);
        let wanted = format!("klayers/{}/pylock.toml", self.name);
        self.each(|entry| {
            if entry.path == wanted {
                std::fs::write(&path, entry.content).expect("a file");
            }
        });
        assert!(path.is_file(), "{wanted} is not in the layer");
        path
    }

    /// Unpacks the layer with Python, which ignores modes.
    pub(crate) fn unpacked_by_python(&self, python: &Path) -> PathBuf {
        let folder = self.beside("by-python");
        output(
            Command::new(python).args(["-I", "-m", "zipfile", "-e"]).arg(&self.zip).arg(&folder),
        );
        folder
    }

    /// Unpacks the layer with `unzip`, if installed.
    pub(crate) fn unpacked_by_unzip(&self) -> Option<PathBuf> {
        Command::new("unzip").arg("-v").output().ok()?;
        let folder = self.beside("by-unzip");
        output(Command::new("unzip").arg("-q").arg(&self.zip).arg("-d").arg(&folder));
        Some(folder)
    }
}
