use serde::{Deserialize, Serialize};

use super::{Content, EntryPath, EntryPoint, License, NativeLibrary, Notice, RecordFaults};

/// All that is known of a wheel whose every byte was checked. It is kept beside the wheel, so that
/// a wheel is read through once and not each time a layer is made of it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    /// Its files, sorted by path; folders are left out.
    pub files: Vec<WheelFile>,
    /// The name of its `.dist-info` folder.
    pub dist_info: String,
    /// The licence: the SPDX expression first (PEP 639), then the licence field, then the licence
    /// classifiers.
    pub license: Option<License>,
    /// Its console scripts and graphical scripts, sorted by name.
    pub scripts: Vec<EntryPoint>,
    /// The modules and packages that it puts at the root of Python's path, sorted.
    pub modules: Vec<String>,
    /// Its native libraries and programs, sorted by path.
    pub libraries: Vec<NativeLibrary>,
    /// What is unusual about it, but no reason to refuse it.
    pub notices: Vec<Notice>,
    /// Where its `RECORD` does not describe it.
    pub record_faults: RecordFaults,
}

/// A file in a wheel.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct WheelFile {
    /// Its name.
    pub path: EntryPath,
    /// Whether it is to be executable.
    pub executable: bool,
    /// Where its content is.
    pub content: Content,
}

impl Inventory {
    /// The file of a name.
    pub fn file(&self, path: &str) -> Option<&WheelFile> {
        let at = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        Some(&self.files[at])
    }
}
