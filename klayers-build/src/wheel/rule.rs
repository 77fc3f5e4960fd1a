use std::path::PathBuf;

use super::{EntryPath, MetadataError, RecordFaults, WheelFilename};
use crate::cached::ChangedFileError;

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
    /// The file no longer holds the bytes that were verified.
    #[error("its file changed")]
    Changed(#[source] ChangedFileError),
    /// It is not a ZIP archive, or one of which readers might make different things.
    #[error("it is not a sound ZIP archive: {0}")]
    Framing(#[from] Framing),
    /// An entry's name cannot be that of a file in a layer.
    #[error("entry {name:?}: {reason}")]
    Name {
        /// The name, with what is not text replaced.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An entry is not a sound file.
    #[error("entry {entry}: {fault}")]
    Entry {
        /// The entry.
        entry: EntryPath,
        /// What is wrong with it.
        fault: EntryFault,
    },
    /// It unpacks to more than any wheel has to.
    #[error("it unpacks to {size} bytes; at most {limit} are taken")]
    TooLarge {
        /// The size of all of its files together, as its headers say, in bytes.
        size: u64,
        /// The most that is taken, in bytes.
        limit: u64,
    },
    /// A file that every wheel has is missing.
    #[error("it has no {0}")]
    Missing(String),
    /// There is not one `.dist-info` folder.
    #[error("it has {found} .dist-info folders instead of one")]
    DistInfo {
        /// How many it has.
        found: usize,
    },
    /// What is in its `.data` folder would be installed into a `.dist-info` folder of its own.
    #[error("{entry} would be installed into {folder}, a second .dist-info folder")]
    SecondDistInfo {
        /// The entry.
        entry: String,
        /// The folder.
        folder: String,
    },
    /// Its `.dist-info` folder is another distribution's.
    #[error("its folder {0} does not go with its file name")]
    OtherDistribution(String),
    /// Its `METADATA` is another distribution's.
    #[error("its METADATA is that of {0}, which does not go with its file name")]
    OtherMetadata(String),
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
    /// `RECORD` does not describe the wheel. This can be accepted for a package by name.
    #[error("{faults}")]
    RecordFaults {
        /// The package, normalised.
        package: String,
        /// What is wrong.
        faults: RecordFaults,
    },
    /// `METADATA` is not what it should be.
    #[error("METADATA: {0}")]
    Metadata(MetadataError),
    /// A line of `entry_points.txt` cannot be read.
    #[error("entry_points.txt, line {line}: {reason}")]
    EntryPoint {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Two of its files are installed to one place.
    #[error("{first} and {second} are both installed as {destination}")]
    SameDestination {
        /// One of them.
        first: String,
        /// The other.
        second: String,
        /// The path below the root of Python's path.
        destination: String,
    },
}

/// What is wrong with an archive as a whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Framing {
    /// There is no end record.
    #[error("it has no end of central directory record")]
    NoEndRecord,
    /// The last end record's signature does not begin the record that ends with the file.
    #[error(
        "it does not end where its end of central directory record says: something was appended, \
         or its comment holds another one"
    )]
    EndRecordElsewhere,
    /// Parts of it are said to be on other disks.
    #[error("it is spread over several disks")]
    SeveralDisks,
    /// The directory is not right before its end record.
    #[error("its central directory is not where its end record says")]
    DirectoryElsewhere,
    /// The directory is longer than is read.
    #[error("its central directory is larger than 64 MiB")]
    DirectoryTooLarge,
    /// There are more entries than are taken.
    #[error("it has more than 65,534 entries")]
    TooManyEntries,
    /// The directory ends within an entry.
    #[error("its central directory is cut off")]
    DirectoryCut,
    /// The directory goes on after the last entry.
    #[error("its central directory is longer than its entries")]
    DirectoryTooLong,
    /// The directory holds something else.
    #[error("its central directory holds something else than entries")]
    NotAnEntry,
    /// The end record leaves values to a ZIP64 record that is not there.
    #[error("its end record refers to a ZIP64 record that is not there")]
    Zip64Missing,
    /// The two end records disagree.
    #[error("its ZIP64 end record disagrees with the plain one")]
    Zip64Disagrees,
    /// The locator does not point to the ZIP64 end record before it.
    #[error("its ZIP64 locator points elsewhere")]
    Zip64LocatorElsewhere,
    /// It ends before what its headers say.
    #[error("it is cut off")]
    Cut,
    /// There is something before the first entry.
    #[error("it does not begin with its first entry")]
    LeadingBytes,
    /// There are bytes that belong to no entry of the directory.
    #[error("bytes {from} to {to} belong to no entry of its central directory")]
    Unaccounted {
        /// The first of them.
        from: u64,
        /// The first after them.
        to: u64,
    },
    /// It is a tar archive, too.
    #[error("it is a tar archive at the same time")]
    Tar,
}

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryFault {
    /// There are two of the name, and they are not the same to the last byte.
    #[error("there are two of this name, and they differ")]
    Duplicate,
    /// It would be in a folder that is a file.
    #[error("it is below a file")]
    BelowAFile,
    /// It has a comment.
    #[error("it has a comment")]
    Comment,
    /// Its name may be read in two ways.
    #[error("its name is not ASCII and not marked as UTF-8")]
    NameEncoding,
    /// A second name in its extra fields is another one.
    #[error("its extra field gives it another name")]
    OtherUnicodePath,
    /// An extra field ends within itself.
    #[error("its extra field is cut off")]
    ExtraCut,
    /// The ZIP64 extra field lacks what the header leaves to it, or contradicts the header.
    #[error("its ZIP64 extra field does not go with its header")]
    Zip64Extra,
    /// It begins on another disk.
    #[error("it is on another disk")]
    OtherDisk,
    /// Readers need a newer version of the format.
    #[error("it needs a newer version of ZIP than 4.5")]
    VersionNeeded,
    /// It is encrypted.
    #[error("it is encrypted")]
    Encrypted,
    /// It has flags that no wheel needs.
    #[error("it has unusual flags: {0:#06x}")]
    Flags(u16),
    /// It is compressed in a way that not all can read.
    #[error("it is compressed with method {0}; 0 (stored) and 8 (DEFLATE) are taken")]
    Method(u16),
    /// It is stored, but has two sizes.
    #[error("it is stored, but its two sizes differ")]
    StoredSizes,
    /// It is a folder that holds bytes.
    #[error("it is a folder with content")]
    FolderWithContent,
    /// It is a symbolic link, a device or the like.
    #[error("it is neither a plain file nor a folder")]
    NotAFile,
    /// There is no local header where the directory says.
    #[error("its local header is not where the directory says")]
    LocalMissing,
    /// The local header contradicts the directory.
    #[error("its local header says another {0} than the directory")]
    LocalDiffers(&'static str),
    /// It reaches into what comes after it.
    #[error("it overlaps with what comes after it")]
    Overlaps,
    /// What follows its content is not its data descriptor.
    #[error("its data descriptor is wrong")]
    Descriptor,
    /// Its DEFLATE stream is malformed.
    #[error("it cannot be inflated")]
    Stream,
    /// Its DEFLATE stream has no end.
    #[error("its DEFLATE stream is cut off")]
    StreamCut,
    /// Bytes come after the end of its DEFLATE stream.
    #[error("its DEFLATE stream ends before its content does")]
    StreamGoesOn,
    /// Its size is another one.
    #[error("its size is not what the headers say")]
    Size,
    /// Its CRC is another one.
    #[error("its CRC is not what the headers say")]
    Crc,
    /// It unpacks to far more than it takes.
    #[error("it unpacks to more than 500 times its size")]
    Bomb,
    /// It is not text.
    #[error("it is not UTF-8")]
    NotText,
    /// It is larger than it has to be.
    #[error("it is larger than 64 MiB, which no such file has to be")]
    TooLarge,
    /// It is in a part of a `.data` folder that is not known.
    #[error("a .data folder may hold purelib, platlib, scripts, headers and data")]
    DataScheme,
}
