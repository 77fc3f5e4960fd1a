//! Wheels: reading one, and saying what is in it.

use std::path::{Path, PathBuf};

mod archive;
mod content;
mod entry_path;
mod entry_points;
mod filename;
mod inventory;
mod metadata;
mod native_library;
mod record;

pub use archive::{Archive, Entry};
pub use content::{Compression, Content};
pub use entry_path::EntryPath;
pub use entry_points::{EntryPoint, console_scripts};
pub use filename::WheelFilename;
pub use inventory::{Inventory, WheelFile};
pub use metadata::Metadata;
pub use native_library::{
    Class, Interface, Machine, NativeLibrary, NativeLibraryError, RequiredVersion,
};
pub use record::{Record, RecordLine};

use klayers_core::{PackageName, PackageVersion};

/// A wheel, opened and checked as far as its framing, its names and its own lists go.
#[derive(Debug)]
pub struct Wheel {
    filename: WheelFilename,
    archive: Archive,
    dist_info: String,
    data: String,
    record: Record,
    metadata: Metadata,
}

impl Wheel {
    /// Opens the wheel at `path`, which is known by `filename`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, if it is not a ZIP archive that a wheel may be, if an entry's
    /// name would leave the place it is unpacked to, or if what a wheel must hold is missing or
    /// contradicts its file name.
    pub fn open(path: &Path, filename: &WheelFilename) -> Result<Self, WheelError> {
        let refuse = |rule: Rule| WheelError::new(filename, rule);
        let archive = Archive::open(path).map_err(refuse)?;
        let dist_info = dist_info(&archive, filename).map_err(refuse)?;
        let wheel_version = archive.read_text(&format!("{dist_info}/WHEEL")).map_err(refuse)?;
        check_wheel_version(&wheel_version).map_err(refuse)?;
        let record = archive.read_text(&format!("{dist_info}/RECORD")).map_err(refuse)?;
        let metadata = archive.read_text(&format!("{dist_info}/METADATA")).map_err(refuse)?;
        let data = format!("{}.data", dist_info.trim_end_matches(".dist-info"));
        Ok(Self {
            record: Record::parse(&record).map_err(refuse)?,
            metadata: Metadata::parse(&metadata).map_err(refuse)?,
            filename: filename.clone(),
            archive,
            dist_info,
            data,
        })
    }

    /// The file name it is known by.
    pub fn filename(&self) -> &WheelFilename {
        &self.filename
    }

    /// The package.
    pub fn name(&self) -> &PackageName {
        self.filename.name()
    }

    /// The ZIP archive.
    pub fn archive(&self) -> &Archive {
        &self.archive
    }

    /// The name of its `.dist-info` folder.
    pub fn dist_info(&self) -> &str {
        &self.dist_info
    }

    /// The name of the folder of files that are spread out, which it need not have.
    pub fn data(&self) -> &str {
        &self.data
    }

    /// Its list of files with their hashes.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// What it says of its package.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Reads an entry whole, at most 64 MiB of it, and checks its CRC.
    ///
    /// # Errors
    ///
    /// If it cannot be read or is not what the archive's directory says.
    pub fn read(&self, entry: &Entry) -> Result<Vec<u8>, WheelError> {
        self.archive.read(entry).map_err(|rule| WheelError::new(&self.filename, rule))
    }
}

/// Finds the one `.dist-info` folder, whose name must say what the file name says.
fn dist_info(archive: &Archive, filename: &WheelFilename) -> Result<String, Rule> {
    let mut folders: Vec<&str> = archive
        .entries()
        .iter()
        .filter_map(|entry| entry.path.as_str().split_once('/'))
        .map(|(folder, _)| folder)
        .filter(|folder| folder.ends_with(".dist-info"))
        .collect();
    folders.sort_unstable();
    folders.dedup();
    let [folder] = folders.as_slice() else {
        return Err(Rule::DistInfo { found: folders.len() });
    };
    let stem = folder.trim_end_matches(".dist-info");
    let agrees = stem.split_once('-').is_some_and(|(name, version)| {
        let name: Result<PackageName, _> = name.parse();
        let version: Result<PackageVersion, _> = version.parse();
        name.is_ok_and(|name| name == *filename.name())
            && version.is_ok_and(|version| version == *filename.version())
    });
    if agrees {
        Ok((*folder).to_owned())
    } else {
        Err(Rule::OtherDistribution((*folder).to_owned()))
    }
}

/// A wheel of a newer major version may have to be unpacked in another way.
fn check_wheel_version(text: &str) -> Result<(), Rule> {
    let version = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.eq_ignore_ascii_case("Wheel-Version"))
        .map(|(_, version)| version.trim());
    match version {
        Some(version) if version.split('.').next() == Some("1") => Ok(()),
        version => Err(Rule::WheelVersion(version.unwrap_or_default().to_owned())),
    }
}

/// A wheel that cannot be used: which one, and the rule it breaks.
#[derive(Debug, thiserror::Error)]
#[error("wheel {wheel} cannot be used")]
pub struct WheelError {
    wheel: String,
    #[source]
    rule: Box<Rule>,
}

impl WheelError {
    pub(crate) fn new(wheel: &WheelFilename, rule: Rule) -> Self {
        Self { wheel: wheel.to_string(), rule: Box::new(rule) }
    }

    /// The wheel's file name.
    pub fn wheel(&self) -> &str {
        &self.wheel
    }

    /// The rule it breaks.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }
}

/// A rule that a wheel breaks, with the entry where it does.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Rule {
    /// The file cannot be read.
    #[error("could not read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is not a ZIP archive, or one cut off or added to.
    #[error("it is not a sound ZIP archive: {0}")]
    Framing(&'static str),
    /// An entry's name cannot be that of a file in a layer.
    #[error("entry {name:?}: {reason}")]
    Name {
        /// The name, with what is not text replaced.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Two entries have the same name.
    #[error("entry {0}: there are two of this name")]
    DuplicateEntry(EntryPath),
    /// An entry is stored in a way that Lambda may not be able to read.
    #[error("entry {entry}: {reason}")]
    Storage {
        /// The entry.
        entry: EntryPath,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file that every wheel has is missing.
    #[error("it has no {0}")]
    Missing(String),
    /// A file of its own lists is not text.
    #[error("entry {0}: it is not UTF-8")]
    NotText(EntryPath),
    /// There is not one `.dist-info` folder.
    #[error("it has {found} .dist-info folders instead of one")]
    DistInfo {
        /// How many it has.
        found: usize,
    },
    /// Its `.dist-info` folder is another distribution's.
    #[error("its folder {0} does not go with its file name")]
    OtherDistribution(String),
    /// The version of its format is not known.
    #[error("its Wheel-Version is {0:?}; version 1 is known")]
    WheelVersion(String),
    /// A line of `RECORD` cannot be read.
    #[error("RECORD, line {line}: {reason}")]
    Record {
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A field of `METADATA` is missing or malformed.
    #[error("METADATA: {0}")]
    Metadata(String),
    /// A line of `entry_points.txt` cannot be read.
    #[error("entry_points.txt, line {line}: {reason}")]
    EntryPoint {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A `.data` folder has a part that is not known.
    #[error("entry {0}: a .data folder may hold purelib, platlib, scripts, headers and data")]
    DataScheme(EntryPath),
}
