//! Reads wheels to the last byte, checks them, and lists their content.

use std::io::{self, Read as _};
use std::path::Path;

use flate2::read::DeflateDecoder;
use klayers_core::{Digest, PackageName};

pub mod cached;
pub mod durable;
pub mod gate_report;
pub mod name_collisions;
pub mod nested_paths;
pub mod regular;
pub mod sealed;
pub mod sweep;

mod acceptance;
mod archive;
mod content;
mod entry_path;
mod entry_points;
mod examination;
mod filename;
mod installation;
mod inventory;
mod metadata;
mod modules;
mod native_library;
mod notice;
mod read_through;
mod record;
mod record_faults;
mod rule;
mod size;
mod standard_library;

pub use acceptance::{Acceptance, Acceptances};
pub use archive::{Archive, Entry};
pub use content::{Checksum, Compression, Content};
pub use entry_path::EntryPath;
pub use entry_points::{EntryPoint, console_scripts};
pub use filename::WheelFilename;
pub use inventory::{Inventory, WheelFile};
pub use metadata::{License, Metadata, MetadataError};
pub use native_library::{
    Class, Interface, Machine, NativeLibrary, NativeLibraryError, RequiredVersion,
};
pub use notice::Notice;
pub use record::{Hash, Record, RecordLine};
pub use record_faults::{RecordFault, RecordFaults, RecordFlaw};
pub use rule::{EntryError, FramingError, RuleError, WheelError};
pub use size::Size;

pub use content::{ChecksumHasher, ContentFile};
pub use installation::{Destination, Installation};
pub use standard_library::has as is_standard_module;

use examination::examine;

/// Largest file that is read as a whole, in bytes.
pub const LARGEST_TEXT: u64 = 64 << 20;

/// A wheel whose every byte was checked. If its `RECORD` does not describe it, that was accepted.
///
/// ```
/// use klayers_wheel::Wheel;
/// # mod wheel { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/it/support/wheel.rs")); }
/// # let folder = tempfile::tempdir()?;
/// # let made = wheel::WheelFile::new("greeting", "1.0").file("greeting.py", "hello = 1\n");
/// # let path = made.write(folder.path());
///
/// let wheel = Wheel::verify(&path, &"greeting-1.0-py3-none-any.whl".parse()?)?;
/// assert_eq!(wheel.inventory().modules, ["greeting"]);
/// let file = wheel.inventory().file("greeting.py").expect("it is in the wheel");
/// assert_eq!(wheel.read(file)?, b"hello = 1\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Wheel {
    filename: WheelFilename,
    size: u64,
    file: ContentFile,
    inventory: Inventory,
}

/// A wheel that was read completely. Whether faults of its `RECORD` are accepted is not decided
/// yet.
#[derive(Debug)]
pub struct ExaminedWheel(Wheel);

impl ExaminedWheel {
    /// Reads the wheel at `path` from its first byte to its last. `filename` is its real name: the
    /// path may differ.
    pub(crate) fn read(path: &Path, filename: &WheelFilename) -> Result<Self, WheelError> {
        let archive = Archive::open(path).map_err(|rule| WheelError::new(filename, rule))?;
        Self::read_archive(archive, filename)
    }

    /// Reads and checks an open file that has the SHA-256 of the lock.
    ///
    /// # Errors
    ///
    /// If the archive breaks a rule.
    pub fn read_file(file: ContentFile, filename: &WheelFilename) -> Result<Self, WheelError> {
        let archive = Archive::of_file(file).map_err(|rule| WheelError::new(filename, rule))?;
        Self::read_archive(archive, filename)
    }

    fn read_archive(archive: Archive, filename: &WheelFilename) -> Result<Self, WheelError> {
        let inventory = examine(&archive, filename);
        let inventory = inventory.map_err(|rule| WheelError::new(filename, rule))?;
        let size = archive.length();
        Ok(Self::from_inventory(filename.clone(), size, archive.into_file(), inventory))
    }

    /// Recreates a wheel that was read before from its stored inventory.
    pub fn from_inventory(
        filename: WheelFilename,
        size: u64,
        file: ContentFile,
        inventory: Inventory,
    ) -> Self {
        Self(Wheel { filename, size, file, inventory })
    }

    /// The file of the wheel.
    pub fn file(&self) -> &ContentFile {
        &self.0.file
    }

    /// The inventory of its content.
    pub fn inventory(&self) -> &Inventory {
        &self.0.inventory
    }

    /// Returns the wheel if its `RECORD` describes it, or if faults of `RECORD` are accepted for
    /// the package.
    ///
    /// # Errors
    ///
    /// If its `RECORD` has faults that are not accepted.
    pub fn accepted(self, accepted: &Acceptances) -> Result<Wheel, WheelError> {
        let Self(wheel) = self;
        let faults = &wheel.inventory.record_faults;
        if faults.is_empty() || accepted.has(wheel.name(), Acceptance::Record) {
            return Ok(wheel);
        }
        let (package, faults) = (wheel.name().normalized().to_owned(), faults.clone());
        Err(WheelError::new(&wheel.filename, RuleError::RecordFaults { package, faults }))
    }
}

impl Wheel {
    /// Reads the wheel at `path` from its first byte to its last. `filename` is its real name: the
    /// path may differ.
    ///
    /// Every header, name, size, CRC and hash in it must be right; [`RuleError`] lists the rules.
    ///
    /// # Errors
    ///
    /// Names the entry and the rule that it breaks, or says why the file cannot be read.
    pub fn verify(path: &Path, filename: &WheelFilename) -> Result<Self, WheelError> {
        Self::verify_accepting(path, filename, &Acceptances::default())
    }

    /// Like [`Wheel::verify`], with exceptions for some packages.
    ///
    /// # Errors
    ///
    /// As [`Wheel::verify`], except for the faults that are accepted.
    pub fn verify_accepting(
        path: &Path,
        filename: &WheelFilename,
        accepted: &Acceptances,
    ) -> Result<Self, WheelError> {
        ExaminedWheel::read(path, filename)?.accepted(accepted)
    }

    /// The file name.
    pub fn filename(&self) -> &WheelFilename {
        &self.filename
    }

    /// The package.
    pub fn name(&self) -> &PackageName {
        self.filename.name()
    }

    /// The size of the wheel itself, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The inventory of its content.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// The package and the fault that was accepted in this wheel, if any.
    pub fn acceptance(&self) -> Option<(PackageName, Acceptance)> {
        let accepted = !self.inventory.record_faults.is_empty();
        let name = self.name().normalized().parse().unwrap_or_else(|_| self.name().clone());
        accepted.then_some((name, Acceptance::Record))
    }

    /// The open file of the wheel.
    pub fn file(&self) -> &ContentFile {
        &self.file
    }

    /// Where an installer puts its files.
    pub fn installation(&self) -> Installation<'_> {
        Installation { dist_info: &self.inventory.dist_info, package: self.filename.name() }
    }

    /// Reads a file of the wheel as a whole, at most 64 MiB.
    ///
    /// # Errors
    ///
    /// If the wheel can no longer be read, or has other bytes than when it was verified.
    pub fn read(&self, file: &WheelFile) -> Result<Vec<u8>, WheelError> {
        let refuse = |rule: RuleError| WheelError::new(&self.filename, rule);
        let Content { offset, compressed_size, compression, size, sha256, checksum, .. } =
            file.content;
        if size.max(compressed_size) > LARGEST_TEXT {
            let (entry, fault) = (file.path.clone(), EntryError::TooLarge);
            return Err(refuse(RuleError::Entry { entry, fault }));
        }
        let changed = || refuse(RuleError::Changed(self.file.changed()));
        let mut packed = vec![0; usize::try_from(compressed_size).unwrap_or(usize::MAX)];
        self.file.read_at(&mut packed, offset).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => changed(),
            _ => refuse(RuleError::Io { path: self.file.path().to_owned(), source }),
        })?;
        if Checksum::of(&packed) != checksum {
            return Err(changed());
        }
        let content = match compression {
            Compression::Stored => packed,
            Compression::Deflated => {
                let mut content = Vec::new();
                let mut unpacked = DeflateDecoder::new(packed.as_slice()).take(size + 1);
                unpacked.read_to_end(&mut content).map_err(|_| changed())?;
                content
            }
        };
        if Digest::of(&content) == sha256 { Ok(content) } else { Err(changed()) }
    }
}
