//! Reads the ZIP archive of a wheel so strictly that all unpackers see the same files.
//!
//! Fields and offsets are those of the [ZIP file format specification][spec], sections 4.3 to 4.5.
//! The format states most facts twice, and readers differ in which copy they use. Here both copies
//! must exist and agree, and the entries of the directory must cover the file from its first byte
//! to the directory, without gaps. Redundant copies are accepted if they agree: sizes that a ZIP64
//! field repeats, and an entry that is listed twice with the same bytes.
//!
//! [spec]: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;

use klayers_core::Digest;

use super::content::ContentFile;
use super::read_through::Reader;
use super::{Compression, EntryError, EntryPath, FramingError, LARGEST_TEXT, RuleError};
use crate::nested_paths::find_path_below_file;

mod central;
mod end_record;
mod extra;
mod local;

use central::CentralEntry;

/// Most files and folders in an archive: one more would require ZIP64.
const MOST_ENTRIES: u64 = 0xfffe;
/// Largest central directory that is read, in bytes.
const LARGEST_DIRECTORY: u64 = 64 << 20;
/// Number of bytes of two entries that are compared at once.
const COMPARED: usize = 128 << 10;
/// Size of the header of a tar archive, in bytes.
const TAR_HEADER: usize = 512;

/// A ZIP archive with valid framing. The content of its entries is not checked yet.
#[derive(Debug)]
pub struct Archive {
    file: ContentFile,
    length: u64,
    entries: Vec<Entry>,
    repeated: Vec<EntryPath>,
}

/// An entry, and its position in the file.
struct LocatedEntry {
    entry: CentralEntry,
    /// The offset of its content.
    offset: u64,
    /// From its local header to the end of its content or descriptor.
    place: Range<u64>,
}

/// A file in an archive, as its headers describe it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Its name.
    pub path: EntryPath,
    /// How it is compressed.
    pub compression: Compression,
    /// The CRC-32 of its content.
    pub crc: u32,
    /// The size of its compressed content, in bytes.
    pub compressed_size: u64,
    /// The size of its uncompressed content, in bytes.
    pub size: u64,
    /// Whether the file is executable when installed.
    pub executable: bool,
    /// The offset of its content in the archive.
    pub offset: u64,
}

impl Archive {
    /// Opens an archive and reads all of its headers.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or if its headers are incomplete, contradict each other or do
    /// not account for every byte of it; if an entry's path leads out of the target folder or
    /// collides with another entry; if an entry is not a plain file, stored or compressed with
    /// DEFLATE.
    pub fn open(path: &Path) -> Result<Self, RuleError> {
        let file = ContentFile::open(path)
            .map_err(|source| RuleError::Io { path: path.to_owned(), source })?;
        Self::of_file(file)
    }

    /// Like [`open`](Self::open), for an open file.
    pub(super) fn of_file(file: ContentFile) -> Result<Self, RuleError> {
        let length = match file.metadata() {
            Ok(metadata) => metadata.len(),
            Err(source) => return Err(RuleError::Io { path: file.path().to_owned(), source }),
        };
        let mut archive = Self { file, length, entries: Vec::new(), repeated: Vec::new() };
        archive.refuse_tar()?;
        let directory = end_record::find(&archive)?;
        if directory.count > MOST_ENTRIES {
            return Err(FramingError::TooManyEntries.into());
        }
        if directory.size > LARGEST_DIRECTORY {
            return Err(FramingError::DirectoryTooLarge.into());
        }
        let mut bytes = vec![0; usize::try_from(directory.size).unwrap_or(usize::MAX)];
        archive.read_at(&mut bytes, directory.offset)?;
        let mut entries = central::parse(&bytes, directory.count)?;
        refuse_collisions(&entries)?;
        entries.sort_by_key(|entry| entry.header_offset);
        let mut located = archive.locate(entries, directory.offset)?;
        located.sort_by(|one, other| one.entry.path.cmp(&other.entry.path));
        archive.keep(located)?;
        Ok(archive)
    }

    /// The files, sorted by path; folders are left out.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The names of entries that are listed more than once with the same bytes, sorted.
    pub(super) fn repeated(&self) -> &[EntryPath] {
        &self.repeated
    }

    /// Reads an entry as a whole, at most 64 MiB, and checks its size and CRC.
    ///
    /// # Errors
    ///
    /// If it is larger, or does not have the size and CRC of its header.
    pub fn read(&self, entry: &Entry) -> Result<Vec<u8>, RuleError> {
        if entry.size > LARGEST_TEXT {
            let (entry, fault) = (entry.path.clone(), EntryError::TooLarge);
            return Err(RuleError::Entry { entry, fault });
        }
        let read = Reader::new(&self.file).read(entry, None, |_| true)?;
        Ok(read.kept.unwrap_or_default())
    }

    /// Computes the SHA-256 of an entry's content, and checks its size and CRC.
    ///
    /// # Errors
    ///
    /// If it does not have the size and CRC of its header.
    pub fn sha256(&self, entry: &Entry) -> Result<Digest, RuleError> {
        Ok(Reader::new(&self.file).read(entry, None, |_| false)?.sha256)
    }

    /// The size of the archive, in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The file of the archive.
    pub(super) fn file(&self) -> &ContentFile {
        &self.file
    }

    /// Returns the file of the archive.
    pub(super) fn into_file(self) -> ContentFile {
        self.file
    }

    /// Fills a buffer with the bytes at an offset.
    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), RuleError> {
        read_at(&self.file, buffer, offset)
    }

    /// Follows the directory through the file: each entry must begin where the previous one ended.
    fn locate(&self, entries: Vec<CentralEntry>, end: u64) -> Result<Vec<LocatedEntry>, RuleError> {
        let mut located = Vec::with_capacity(entries.len());
        let mut position = 0;
        let mut entries = entries.into_iter().peekable();
        while let Some(entry) = entries.next() {
            if entry.header_offset != position {
                return Err(match position {
                    0 => FramingError::LeadingBytes.into(),
                    _ if entry.header_offset < position => entry.fault(EntryError::Overlaps),
                    _ => {
                        FramingError::Unaccounted { from: position, to: entry.header_offset }.into()
                    }
                });
            }
            let next = entries.peek().map_or(end, |next| next.header_offset);
            let offset = local::check(self, &entry, next)?;
            located.push(LocatedEntry { entry, offset, place: position..next });
            position = next;
        }
        if position != end {
            return Err(FramingError::Unaccounted { from: position, to: end }.into());
        }
        Ok(located)
    }

    /// Stores the files among the entries, which are sorted by path, each path once.
    fn keep(&mut self, located: Vec<LocatedEntry>) -> Result<(), RuleError> {
        let mut reader = Reader::new(&self.file);
        let mut before: Option<(EntryPath, Range<u64>)> = None;
        for LocatedEntry { entry, offset, place } in located {
            if let Some((path, first)) = &before
                && *path == entry.path
            {
                if !self.are_same(first.clone(), place)? {
                    return Err(entry.fault(EntryError::Duplicate));
                }
                if self.repeated.last() != Some(path) {
                    self.repeated.push(entry.path);
                }
                continue;
            }
            before = Some((entry.path.clone(), place));
            let is_folder = entry.folder;
            let entry = entry.into_entry(offset);
            if !is_folder {
                self.entries.push(entry);
            } else if entry.compressed_size > 0 {
                reader.read(&entry, None, |_| false).map_err(|rule| match rule {
                    RuleError::Entry { entry, .. } => {
                        RuleError::Entry { entry, fault: EntryError::FolderWithContent }
                    }
                    other => other,
                })?;
            }
        }
        Ok(())
    }

    /// Whether two ranges of the file hold the same bytes.
    fn are_same(&self, one: Range<u64>, other: Range<u64>) -> Result<bool, RuleError> {
        if one.end - one.start != other.end - other.start {
            return Ok(false);
        }
        let (mut first, mut second) = (vec![0; COMPARED], vec![0; COMPARED]);
        let mut done = 0;
        while done < one.end - one.start {
            let left = one.end - one.start - done;
            let length = usize::try_from(left).map_or(COMPARED, |left| left.min(COMPARED));
            self.read_at(&mut first[..length], one.start + done)?;
            self.read_at(&mut second[..length], other.start + done)?;
            if first[..length] != second[..length] {
                return Ok(false);
            }
            done += length as u64;
        }
        Ok(true)
    }

    /// Refuses a file that starts with a tar header, since some programs take it for a tar archive.
    fn refuse_tar(&self) -> Result<(), RuleError> {
        if self.length < TAR_HEADER as u64 {
            return Ok(());
        }
        let mut header = [0; TAR_HEADER];
        self.read_at(&mut header, 0)?;
        let text = header[148..156].iter().map(|&byte| char::from(byte)).collect::<String>();
        let listed = u32::from_str_radix(text.trim_matches(['\0', ' ']), 8);
        // The checksum is computed as if its own field held spaces.
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        if listed == Ok(sum) { Err(FramingError::Tar.into()) } else { Ok(()) }
    }
}

/// Refuses different headers with the same name, and a file whose path is also a folder.
fn refuse_collisions(entries: &[CentralEntry]) -> Result<(), RuleError> {
    let mut names: BTreeMap<&str, &CentralEntry> = BTreeMap::new();
    for entry in entries {
        if let Some(before) = names.insert(entry.path.as_str(), entry)
            && !before.agrees_with(entry)
        {
            return Err(entry.fault(EntryError::Duplicate));
        }
    }
    match find_path_below_file(names.iter().map(|(name, entry)| (*name, !entry.folder))) {
        Some((_, below)) => Err(names[below].fault(EntryError::BelowAFile)),
        None => Ok(()),
    }
}

/// Fills a buffer with the bytes at an offset. They must exist.
pub(super) fn read_at(file: &ContentFile, buffer: &mut [u8], offset: u64) -> Result<(), RuleError> {
    file.read_at(buffer, offset).map_err(|source| match source.kind() {
        // The system returns the second for an offset that no file can have.
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput => FramingError::Cut.into(),
        _ => RuleError::Io { path: file.path().to_owned(), source },
    })
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
