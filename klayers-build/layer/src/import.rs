//! Layers that somebody made by hand: a zip is checked, and taken in with the bytes that it has.
//!
//! The reader of wheels asks for more than such a zip can give: packers leave gaps and write
//! symbolic links, both of which Lambda takes. So another reader is used here, and only what could
//! do harm is refused.

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

/// The longest target of a symbolic link, in bytes.
const LONGEST_LINK: u64 = 4096;
/// What each entry in the directory of a zip begins with ([specification][spec], section 4.3.12).
///
/// [spec]: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
const HEADER_SIGNATURE: &[u8] = b"PK\x01\x02";
/// The size of such a header, in bytes, without the name and what else follows it.
const HEADER_SIZE: usize = 46;
/// Where Lambda's runtimes look for what a layer brings, below `/opt`.
const USED_FOLDERS: [&str; 4] = ["python", "lib", "bin", "extensions"];

/// A zip that can be a layer: a copy of the one that was checked, in a temporary file.
#[derive(Debug)]
pub struct HandMadeZip {
    /// The file. It is removed when this is dropped, unless it was kept.
    pub file: TempPath,
    /// Its SHA-256.
    pub digest: Digest,
    /// Its size, in bytes.
    pub size: u64,
    /// The size of what it unpacks to, in bytes.
    pub unzipped_size: u64,
    /// How many files are in it.
    pub files: usize,
}

impl HandMadeZip {
    /// Copies a zip into a temporary file of `folder` and checks the copy, so that nobody can change
    /// what was checked.
    ///
    /// # Errors
    ///
    /// If it cannot be read through, if an entry would leave the place it is unpacked to, if it
    /// holds nothing that a function could use, or if it unpacks to more than Lambda takes.
    pub fn take(zip: &Path, folder: &Path) -> Result<Self, ImportError> {
        let failed = |source| ImportError::Io { path: zip.to_owned(), source };
        let mut file = NamedTempFile::new_in(folder).map_err(failed)?;
        let mut original = regular::open(zip).map_err(failed)?;
        let (digest, size) = durable::copy(&mut original, file.as_file_mut()).map_err(failed)?;
        let refuse =
            |fault: ZipFault| ImportError::Refused { path: zip.to_owned(), fault: fault.into() };
        let Contents { files, unzipped_size } =
            check(file.reopen().map_err(failed)?).map_err(refuse)?;
        Ok(Self { file: file.into_temp_path(), digest, size, unzipped_size, files })
    }
}

struct Contents {
    files: usize,
    unzipped_size: u64,
}

fn check(mut file: File) -> Result<Contents, ZipFault> {
    let archive = ZipArchive::new(&file).map_err(ZipFault::NotAZip)?;
    let (start, unique) = (archive.central_directory_start(), archive.len());
    // The reader keeps one entry of each name; Lambda would unpack both, one over the other.
    if listed(&mut file, start).map_err(|error| ZipFault::NotAZip(error.into()))? != unique {
        return Err(ZipFault::Twice);
    }
    let mut archive = ZipArchive::new(file).map_err(ZipFault::NotAZip)?;
    if archive.offset() > 0 {
        return Err(ZipFault::Prefixed);
    }
    let mut contents = Contents { files: 0, unzipped_size: 0 };
    let mut used = false;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(ZipFault::NotAZip)?;
        let path = path(&entry)?;
        if entry.is_dir() {
            continue;
        }
        let Some((folder, _)) = path.as_str().split_once('/') else {
            return Err(ZipFault::AtRoot(path));
        };
        used |= USED_FOLDERS.contains(&folder);
        contents.files += 1;
        contents.unzipped_size += read_through(&mut entry, &path, contents.unzipped_size)?;
    }
    match (contents.files, used) {
        (0, _) => Err(ZipFault::Empty),
        (_, false) => Err(ZipFault::Unused),
        (_, true) => Ok(contents),
    }
}

/// How many entries the directory of a zip lists, be it under one name.
fn listed(file: &mut File, start: u64) -> io::Result<usize> {
    file.seek(SeekFrom::Start(start))?;
    let mut directory = BufReader::new(file);
    let mut header = [0; HEADER_SIZE];
    let mut count = 0;
    while directory.read_exact(&mut header).is_ok() && header.starts_with(HEADER_SIGNATURE) {
        // The lengths of the name, the extra field and the comment, which follow.
        let lengths = [28, 30, 32].map(|at| u16::from_le_bytes([header[at], header[at + 1]]));
        directory.seek_relative(lengths.into_iter().map(i64::from).sum())?;
        count += 1;
    }
    Ok(count)
}

/// The name of an entry; that of a folder, without the slash at its end.
fn path(entry: &ZipFile<'_, File>) -> Result<EntryPath, ZipFault> {
    let name = entry.name_raw();
    let name = name.strip_suffix(b"/").unwrap_or(name);
    EntryPath::parse(name).map_err(|rule| ZipFault::Name(Box::new(rule)))
}

/// Reads an entry to its end, which checks its CRC. Gives the number of bytes.
fn read_through(
    entry: &mut ZipFile<'_, File>,
    path: &EntryPath,
    before: u64,
) -> Result<u64, ZipFault> {
    if !matches!(entry.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
        return Err(ZipFault::Compression(path.clone()));
    }
    let unreadable = |source| ZipFault::Unreadable { entry: path.clone(), source };
    if entry.is_symlink() {
        let mut target = Vec::new();
        entry.take(LONGEST_LINK + 1).read_to_end(&mut target).map_err(unreadable)?;
        let inside = stays_inside(path.as_str(), &target);
        return inside.then_some(target.len() as u64).ok_or_else(|| ZipFault::Link(path.clone()));
    }
    let size = entry.size();
    let most = UNPACKED_LIMIT - before;
    let read = io::copy(&mut entry.take(most + 1), &mut io::sink()).map_err(unreadable)?;
    match read {
        read if read > most => Err(ZipFault::TooLarge),
        read if read != size => {
            Err(unreadable(io::Error::other("its size is not what the directory says")))
        }
        read => Ok(read),
    }
}

/// Whether a symbolic link at `path` leads to a place below `/opt`, as far as its text says.
fn stays_inside(path: &str, target: &[u8]) -> bool {
    let Ok(target) = std::str::from_utf8(target) else { return false };
    if target.is_empty() || target.len() as u64 > LONGEST_LINK || target.contains('\0') {
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

/// Why a zip is not taken in as a layer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It cannot be read or copied.
    #[error("could not take in {}", path.display())]
    Io {
        /// The zip.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It cannot be a layer.
    #[error("{} cannot be a layer", path.display())]
    Refused {
        /// The zip.
        path: PathBuf,
        /// Why not.
        #[source]
        fault: Box<ZipFault>,
    },
    /// The collection builds a layer of that name.
    #[error(
        "{0} is a layer that the collection builds, and the next run would take the place of what \
         is imported; choose another name, or take it off the collection's lists"
    )]
    Listed(LayerName),
}

/// What is wrong with a zip that was to be a layer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ZipFault {
    /// It is no zip, or not a sound one.
    #[error("it is not a sound ZIP archive")]
    NotAZip(#[source] ZipError),
    /// Something stands before it.
    #[error("there are bytes before its first entry; pack it again")]
    Prefixed,
    /// Two entries have the same name.
    #[error("two of its entries have the same name; pack it again")]
    Twice,
    /// The name of an entry cannot be that of a file in a layer.
    #[error(transparent)]
    Name(Box<RuleError>),
    /// An entry is at the root.
    #[error("entry {0} is in no folder, where no runtime looks; Python modules go below python/")]
    AtRoot(EntryPath),
    /// An entry is compressed in a way that Lambda may not know.
    #[error("entry {0} is neither stored nor compressed with DEFLATE")]
    Compression(EntryPath),
    /// An entry cannot be read to its end.
    #[error("entry {entry} cannot be read")]
    Unreadable {
        /// The entry.
        entry: EntryPath,
        /// Why not.
        source: io::Error,
    },
    /// A symbolic link leads elsewhere.
    #[error("entry {0} is a symbolic link that leads out of the layer")]
    Link(EntryPath),
    /// It unpacks to too much.
    #[error(
        "it unpacks to more than {UNPACKED_LIMIT} bytes, which is what a function and all its layers may have"
    )]
    TooLarge,
    /// It holds no files.
    #[error("it holds no files")]
    Empty,
    /// It holds nothing that a runtime looks for.
    #[error("none of its files is below python/, lib/, bin/ or extensions/, where runtimes look")]
    Unused,
}

#[cfg(test)]
mod tests;
