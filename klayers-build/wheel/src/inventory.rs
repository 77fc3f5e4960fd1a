use serde::{Deserialize, Serialize};

use super::{Content, EntryPath, EntryPoint, License, NativeLibrary, Notice, RecordFaults};

/// The content of a wheel whose every byte was checked. It is stored beside the wheel, so that a
/// wheel is read once and not for each layer.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    /// The files, sorted by path; folders are left out.
    pub files: Vec<WheelFile>,
    /// The name of the `.dist-info` folder.
    pub dist_info: String,
    /// The licence: the SPDX expression first (PEP 639), then the licence field, then the licence
    /// classifiers.
    pub license: Option<License>,
    /// The console scripts and graphical scripts, sorted by name.
    pub scripts: Vec<EntryPoint>,
    /// The modules and packages at the root of Python's path, sorted.
    pub modules: Vec<String>,
    /// The native libraries and programs, sorted by path.
    pub libraries: Vec<NativeLibrary>,
    /// Unusual properties that are no reason to refuse the wheel.
    pub notices: Vec<Notice>,
    /// The faults of `RECORD`.
    pub record_faults: RecordFaults,
}

/// A file in a wheel.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct WheelFile {
    /// The path.
    pub path: EntryPath,
    /// Whether the file is executable when installed.
    pub executable: bool,
    /// The position of its content.
    pub content: Content,
}

impl Inventory {
    /// Returns the file with this path.
    pub fn file(&self, path: &str) -> Option<&WheelFile> {
        let at = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        Some(&self.files[at])
    }
}
