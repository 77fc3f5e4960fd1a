//! Imports hand-made layers: checks a zip and imports it without changing its bytes.
//!
//! The reader for wheels is too strict for such zips: packers leave gaps and write symbolic links,
//! and Lambda accepts both. So another reader is used here, which only refuses harmful content.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use klayers_core::{Digest, LayerName};
use tempfile::{NamedTempFile, TempPath};
use zip::read::ZipFile;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use crate::gate::UNPACKED_LIMIT;
use klayers_wheel::{EntryPath, RuleError};
use klayers_wheel::{durable, regular};

/// Length limit for the target of a symbolic link, in bytes.
const MAX_LINK: u64 = 4096;
/// Signature of an entry in the central directory of a zip ([specification][spec], section 4.3.12).
///
/// [spec]: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
const HEADER_SIGNATURE: &[u8] = b"PK\x01\x02";
/// Size of such an entry, in bytes, without its name, extra field and comment.
const HEADER_SIZE: usize = 46;
/// The folders below `/opt` in which Lambda's runtimes look for files of layers.
const USED_FOLDERS: [&str; 4] = ["python", "lib", "bin", "extensions"];

/// A checked zip that can be a layer, in a temporary file.
#[derive(Debug)]
pub struct HandMadeZip {
    /// The file. It is deleted when this value is dropped, unless it was persisted.
    pub file: TempPath,
    /// SHA-256 of the zip.
    pub digest: Digest,
    /// Size of the zip, in bytes.
    pub size: u64,
    /// Unpacked size, in bytes.
    pub unzipped_size: u64,
    /// Number of files in the zip.
    pub files: usize,
}

impl HandMadeZip {
    /// Copies a zip into a temporary file in `folder` and checks the copy, so that the checked
    /// bytes cannot change afterwards.
    ///
    /// # Errors
    ///
    /// If the zip cannot be read completely, if an entry would be unpacked outside the layer's
    /// folder, if no file is in a folder that functions use, or if the unpacked size exceeds
    /// Lambda's limit.
    pub fn take(zip: &Path, folder: &Path) -> Result<Self, ImportError> {
        let failed = |source| ImportError::Io { path: zip.to_owned(), source };
        let mut file = NamedTempFile::new_in(folder).map_err(failed)?;
        let mut original = regular::open(zip).map_err(failed)?;
        let (digest, size) = durable::copy(&mut original, file.as_file_mut()).map_err(failed)?;
        let refuse = |error: HandMadeZipError| ImportError::Refused {
            path: zip.to_owned(),
            reason: error.into(),
        };
        let Contents { files, unzipped_size } =
            check(file.reopen().map_err(failed)?).map_err(refuse)?;
        Ok(Self { file: file.into_temp_path(), digest, size, unzipped_size, files })
    }
}

struct Contents {
    files: usize,
    unzipped_size: u64,
}

fn check(mut file: File) -> Result<Contents, HandMadeZipError> {
    let archive = ZipArchive::new(&file).map_err(HandMadeZipError::NotAZip)?;
    let (start, unique) = (archive.central_directory_start(), archive.len());
    // The reader only keeps one entry of each name, but Lambda would unpack all of them.
    if count_entries(&mut file, start).map_err(|error| HandMadeZipError::NotAZip(error.into()))?
        != unique
    {
        return Err(HandMadeZipError::Twice);
    }
    let mut archive = ZipArchive::new(file).map_err(HandMadeZipError::NotAZip)?;
    if archive.offset() > 0 {
        return Err(HandMadeZipError::Prefixed);
    }
    let mut contents = Contents { files: 0, unzipped_size: 0 };
    let mut used = false;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(HandMadeZipError::NotAZip)?;
        let path = path(&entry)?;
        if entry.is_dir() {
            continue;
        }
        let Some((folder, _)) = path.as_str().split_once('/') else {
            return Err(HandMadeZipError::AtRoot(path));
        };
        used |= USED_FOLDERS.contains(&folder);
        contents.files += 1;
        contents.unzipped_size += read_through(&mut entry, &path, contents.unzipped_size)?;
    }
    match (contents.files, used) {
        (0, _) => Err(HandMadeZipError::Empty),
        (_, false) => Err(HandMadeZipError::Unused),
        (_, true) => Ok(contents),
    }
}

/// Counts the entries in the directory of a zip, including entries with equal names.
fn count_entries(file: &mut File, start: u64) -> io::Result<usize> {
    file.seek(SeekFrom::Start(start))?;
    let mut directory = BufReader::new(file);
    let mut header = [0; HEADER_SIZE];
    let mut count = 0;
    while directory.read_exact(&mut header).is_ok() && header.starts_with(HEADER_SIGNATURE) {
        // The lengths of the name, the extra field and the comment, which follow the header.
        let lengths = [28, 30, 32].map(|at| u16::from_le_bytes([header[at], header[at + 1]]));
        directory.seek_relative(lengths.into_iter().map(i64::from).sum())?;
        count += 1;
    }
    Ok(count)
}

/// Returns the name of an entry. The slash at the end of a folder's name is removed.
fn path(entry: &ZipFile<'_, File>) -> Result<EntryPath, HandMadeZipError> {
    let name = entry.name_raw();
    let name = name.strip_suffix(b"/").unwrap_or(name);
    EntryPath::parse(name).map_err(|rule| HandMadeZipError::Name(Box::new(rule)))
}

/// Reads an entry to its end, which verifies its CRC. Returns the number of bytes.
fn read_through(
    entry: &mut ZipFile<'_, File>,
    path: &EntryPath,
    before: u64,
) -> Result<u64, HandMadeZipError> {
    if !matches!(entry.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
        return Err(HandMadeZipError::Compression(path.clone()));
    }
    let unreadable = |source| HandMadeZipError::Unreadable { entry: path.clone(), source };
    if entry.is_symlink() {
        let mut target = Vec::new();
        entry.take(MAX_LINK + 1).read_to_end(&mut target).map_err(unreadable)?;
        let inside = stays_inside(path.as_str(), &target);
        return inside
            .then_some(target.len() as u64)
            .ok_or_else(|| HandMadeZipError::Link(path.clone()));
    }
    let size = entry.size();
    let limit = UNPACKED_LIMIT - before;
    let read = io::copy(&mut entry.take(limit + 1), &mut io::sink()).map_err(unreadable)?;
    match read {
        read if read > limit => Err(HandMadeZipError::TooLarge),
        read if read != size => {
            Err(unreadable(io::Error::other("its size differs from the one in the directory")))
        }
        read => Ok(read),
    }
}

/// Whether the target of a symbolic link at `path` is below `/opt`, judging by its text only.
fn stays_inside(path: &str, target: &[u8]) -> bool {
    let Ok(target) = std::str::from_utf8(target) else { return false };
    if target.is_empty() || target.len() as u64 > MAX_LINK || target.contains('\0') {
        return false;
    }
    let (mut depth, relative) = match target.strip_prefix("/opt/") {
        Some(below) => (0, below),
        None if target.starts_with('/') => return false,
        None => (path.matches('/').count(), target),
    };
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return false,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    true
}

/// Why a zip cannot be imported as a layer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The zip cannot be read or copied.
    #[error("could not import {}", path.display())]
    Io {
        /// The zip.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The zip cannot be a layer.
    #[error("{} cannot be a layer", path.display())]
    Refused {
        /// The zip.
        path: PathBuf,
        /// The reason.
        #[source]
        reason: Box<HandMadeZipError>,
    },
    /// The collection builds a layer of that name.
    #[error(
        "the collection builds {0} itself, so the next run would replace the imported layer; choose \
         another name, or remove it from the collection's lists"
    )]
    Listed(LayerName),
}

/// Why a zip cannot be a layer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandMadeZipError {
    /// The file is not a valid zip.
    #[error("it is not a valid ZIP archive")]
    NotAZip(#[source] ZipError),
    /// There are bytes before the first entry.
    #[error("there are bytes before its first entry; pack it again")]
    Prefixed,
    /// Two entries have the same name.
    #[error("two of its entries have the same name; pack it again")]
    Twice,
    /// The name of an entry is not allowed for a file in a layer.
    #[error(transparent)]
    Name(Box<RuleError>),
    /// An entry is not in a folder.
    #[error(
        "entry {0} is not in a folder, so no runtime finds it; Python modules belong in python/"
    )]
    AtRoot(EntryPath),
    /// An entry has a compression method that Lambda may not support.
    #[error("entry {0} is neither stored nor compressed with DEFLATE")]
    Compression(EntryPath),
    /// An entry cannot be read completely.
    #[error("could not read entry {entry}")]
    Unreadable {
        /// The entry.
        entry: EntryPath,
        /// The cause.
        source: io::Error,
    },
    /// A symbolic link points outside the layer.
    #[error("entry {0} is a symbolic link that points outside the layer")]
    Link(EntryPath),
    /// The unpacked size exceeds Lambda's limit.
    #[error(
        "it unpacks to more than {UNPACKED_LIMIT} bytes, the limit for a function and all its layers"
    )]
    TooLarge,
    /// The zip has no files.
    #[error("it has no files")]
    Empty,
    /// No file is in a folder that runtimes use.
    #[error("none of its files is below python/, lib/, bin/ or extensions/, where runtimes look")]
    Unused,
}

#[cfg(test)]
mod tests;
