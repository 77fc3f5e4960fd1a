use std::path::PathBuf;

use super::{EntryPath, MetadataError, RecordFaults, WheelFilename};
use crate::cached::ChangedFileError;

/// A wheel that cannot be used: its name, and the rule that it breaks.
#[derive(Debug, thiserror::Error)]
#[error("wheel {wheel} cannot be used")]
pub struct WheelError {
    wheel: String,
    #[source]
    rule: Box<RuleError>,
}

impl WheelError {
    /// A wheel broke a rule.
    pub fn new(wheel: &WheelFilename, rule: RuleError) -> Self {
        Self { wheel: wheel.to_string(), rule: Box::new(rule) }
    }

    /// The wheel's file name.
    pub fn wheel(&self) -> &str {
        &self.wheel
    }

    /// The rule that it breaks.
    pub fn rule(&self) -> &RuleError {
        &self.rule
    }
}

/// A rule that a wheel breaks, with the entry that breaks it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// The file cannot be read.
    #[error("could not read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file no longer has the verified content.
    #[error("its file changed")]
    Changed(#[source] ChangedFileError),
    /// The file is not a ZIP archive, or readers might extract different files from it.
    #[error("it is not a sound ZIP archive: {0}")]
    Framing(#[from] FramingError),
    /// The name of an entry cannot be the path of a file in a layer.
    #[error("entry {name:?}: {reason}")]
    Name {
        /// The name, with invalid UTF-8 replaced.
        name: String,
        /// The problem.
        reason: &'static str,
    },
    /// An entry is not a valid file.
    #[error("entry {entry}: {fault}")]
    Entry {
        /// The entry.
        entry: EntryPath,
        /// The problem.
        fault: EntryError,
    },
    /// The unpacked size exceeds the limit.
    #[error("it unpacks to {size} bytes; the limit is {limit}")]
    TooLarge {
        /// The total size of its files according to the headers, in bytes.
        size: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// A required file is missing.
    #[error("it has no {0}")]
    Missing(String),
    /// There is not exactly one `.dist-info` folder.
    #[error("it has {found} .dist-info folders instead of one")]
    DistInfo {
        /// The number of such folders.
        found: usize,
    },
    /// A file in its `.data` folder would be installed into a second `.dist-info` folder.
    #[error("{entry} would be installed into {folder}, a second .dist-info folder")]
    SecondDistInfo {
        /// The entry.
        entry: String,
        /// The folder.
        folder: String,
    },
    /// The `.dist-info` folder names another distribution.
    #[error("its folder {0} does not match its file name")]
    OtherDistribution(String),
    /// `METADATA` names another distribution.
    #[error("its METADATA names {0}, which does not match its file name")]
    OtherMetadata(String),
    /// The version of the wheel format is unknown.
    #[error("its Wheel-Version is {0:?}; version 1 is supported")]
    WheelVersion(String),
    /// A line of `RECORD` is malformed.
    #[error("RECORD, line {line}: {reason}")]
    Record {
        /// The line, counted from 1.
        line: u64,
        /// The problem.
        reason: String,
    },
    /// `RECORD` does not describe the wheel. This can be accepted for a package by name.
    #[error("{faults}")]
    RecordFaults {
        /// The package, normalised.
        package: String,
        /// The faults.
        faults: RecordFaults,
    },
    /// `METADATA` is invalid.
    #[error("METADATA: {0}")]
    Metadata(MetadataError),
    /// A line of `entry_points.txt` is malformed.
    #[error("entry_points.txt, line {line}: {reason}")]
    EntryPoint {
        /// The line, counted from 1.
        line: usize,
        /// The problem.
        reason: &'static str,
    },
    /// Two files have the same destination, or one is below the other.
    #[error("{first} and {second} are both installed as {destination}")]
    SameDestination {
        /// The first file.
        first: String,
        /// The second file.
        second: String,
        /// The destination, relative to the root of Python's path.
        destination: String,
    },
}

/// A fault of an archive as a whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FramingError {
    /// There is no end record.
    #[error("it has no end of central directory record")]
    NoEndRecord,
    /// The last signature of an end record does not belong to the record that ends the file.
    #[error(
        "it does not end where its end of central directory record says: something was appended, \
         or its comment holds another one"
    )]
    EndRecordElsewhere,
    /// The end record says that parts of the archive are on other disks.
    #[error("it is spread over several disks")]
    SeveralDisks,
    /// The directory does not end right before its end record.
    #[error("its central directory is not where its end record says")]
    DirectoryElsewhere,
    /// The directory is too large.
    #[error("its central directory is larger than 64 MiB")]
    DirectoryTooLarge,
    /// There are too many entries.
    #[error("it has more than 65,534 entries")]
    TooManyEntries,
    /// The directory ends within an entry.
    #[error("its central directory is cut off")]
    DirectoryCut,
    /// The directory continues after the last entry.
    #[error("its central directory is longer than its entries")]
    DirectoryTooLong,
    /// The directory contains something other than entries.
    #[error("its central directory contains something other than entries")]
    NotAnEntry,
    /// The end record refers to a ZIP64 record that does not exist.
    #[error("its end record refers to a ZIP64 record that does not exist")]
    Zip64Missing,
    /// The two end records disagree.
    #[error("its ZIP64 end record disagrees with the plain one")]
    Zip64Disagrees,
    /// The locator does not point to the ZIP64 end record before it.
    #[error("its ZIP64 locator points elsewhere")]
    Zip64LocatorElsewhere,
    /// The file ends before its headers say.
    #[error("it is cut off")]
    Cut,
    /// There are bytes before the first entry.
    #[error("it does not begin with its first entry")]
    LeadingBytes,
    /// Some bytes belong to no entry of the directory.
    #[error("bytes {from} to {to} belong to no entry of its central directory")]
    Unaccounted {
        /// The offset of the first such byte.
        from: u64,
        /// The offset after the last such byte.
        to: u64,
    },
    /// The file is also a tar archive.
    #[error("it is also a tar archive")]
    Tar,
}

/// A fault of an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// Two entries have this name, with different bytes.
    #[error("two entries have this name, and they differ")]
    Duplicate,
    /// A parent folder of the entry is a file.
    #[error("it is below a file")]
    BelowAFile,
    /// The entry has a comment.
    #[error("it has a comment")]
    Comment,
    /// The encoding of the name is ambiguous.
    #[error("its name is not ASCII and not marked as UTF-8")]
    NameEncoding,
    /// An extra field states another name.
    #[error("its extra field gives it another name")]
    OtherUnicodePath,
    /// An extra field is truncated.
    #[error("its extra field is cut off")]
    ExtraCut,
    /// The ZIP64 extra field lacks values that the header omits, or contradicts the header.
    #[error("its ZIP64 extra field does not match its header")]
    Zip64Extra,
    /// The entry is on another disk.
    #[error("it is on another disk")]
    OtherDisk,
    /// The entry requires a newer version of the format.
    #[error("it needs a newer version of ZIP than 4.5")]
    VersionNeeded,
    /// The entry is encrypted.
    #[error("it is encrypted")]
    Encrypted,
    /// The entry has flags that no wheel needs.
    #[error("it has unusual flags: {0:#06x}")]
    Flags(u16),
    /// The compression method is not one that all readers support.
    #[error("it is compressed with method {0}; 0 (stored) and 8 (DEFLATE) are supported")]
    Method(u16),
    /// The entry is stored, but its two sizes differ.
    #[error("it is stored, but its two sizes differ")]
    StoredSizes,
    /// The entry is a folder with content.
    #[error("it is a folder with content")]
    FolderWithContent,
    /// The entry is a symbolic link, a device or another special file.
    #[error("it is neither a plain file nor a folder")]
    NotAFile,
    /// There is no local header where the directory says.
    #[error("its local header is not where the directory says")]
    LocalMissing,
    /// The local header contradicts the directory.
    #[error("its local header has another {0} than the directory")]
    LocalDiffers(&'static str),
    /// The entry overlaps with the bytes after it.
    #[error("it overlaps with what comes after it")]
    Overlaps,
    /// The content is not followed by the right data descriptor.
    #[error("its data descriptor is wrong")]
    Descriptor,
    /// The DEFLATE stream is malformed.
    #[error("it cannot be inflated")]
    Stream,
    /// The DEFLATE stream is truncated.
    #[error("its DEFLATE stream is cut off")]
    StreamCut,
    /// There are bytes after the end of the DEFLATE stream.
    #[error("its DEFLATE stream ends before its content does")]
    StreamGoesOn,
    /// The size does not match the headers.
    #[error("its size does not match the headers")]
    Size,
    /// The CRC does not match the headers.
    #[error("its CRC does not match the headers")]
    Crc,
    /// The compression ratio is that of a zip bomb.
    #[error("it unpacks to more than 500 times its size")]
    Bomb,
    /// The content is not UTF-8.
    #[error("it is not UTF-8")]
    NotText,
    /// The entry is larger than files of its kind need to be.
    #[error("it is larger than 64 MiB, the limit for such files")]
    TooLarge,
    /// The entry is in an unknown part of a `.data` folder.
    #[error("a .data folder may hold only purelib, platlib, scripts, headers and data")]
    DataScheme,
}
