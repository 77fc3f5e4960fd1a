//! The ZIP archive of a wheel, read so strictly that all who unpack it see the same files.
//!
//! Fields and offsets are those of the [ZIP file format specification][spec], sections 4.3 to 4.5.
//! The format says most things twice, and readers differ in which they believe. Here both must be
//! there and agree, and what the directory names must cover the file from its first byte to the
//! directory, without gaps.
//!
//! [spec]: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use klayers_core::Digest;

use super::content::ContentFile;
use super::read_through::Reader;
use super::{Compression, EntryFault, EntryPath, Framing, LARGEST_TEXT, Rule};
use crate::nesting::below_a_file;

mod central;
mod end_record;
mod extra;
mod local;

use central::CentralEntry;

/// The most files and folders that an archive may hold: one more would take ZIP64.
const MOST_ENTRIES: u64 = 0xfffe;
/// The largest central directory that is read, in bytes.
const LARGEST_DIRECTORY: u64 = 64 << 20;
/// The first bytes of a file that could be the header of a tar archive.
const TAR_HEADER: usize = 512;

/// A ZIP archive whose framing is sound. What its entries hold was not looked at.
#[derive(Debug)]
pub struct Archive {
    file: ContentFile,
    length: u64,
    entries: Vec<Entry>,
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
    /// The size of its content as it lies in the archive, in bytes.
    pub compressed_size: u64,
    /// The size of its content, in bytes.
    pub size: u64,
    /// Whether it is to be executable.
    pub executable: bool,
    /// Where its content begins in the archive.
    pub offset: u64,
}

impl Archive {
    /// Opens an archive and reads all of its headers.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or if its headers are incomplete, contradict each other or do not
    /// account for every byte of it; if the name of an entry would leave the place it is unpacked
    /// to, or stand in the way of another; if an entry is not a plain file, stored or compressed
    /// with DEFLATE.
    pub fn open(path: &Path) -> Result<Self, Rule> {
        let file =
            ContentFile::open(path).map_err(|source| Rule::Io { path: path.to_owned(), source })?;
        Self::of_file(file)
    }

    /// The same of a file that is open.
    pub(super) fn of_file(file: ContentFile) -> Result<Self, Rule> {
        let length = match file.metadata() {
            Ok(metadata) => metadata.len(),
            Err(source) => return Err(Rule::Io { path: file.path().to_owned(), source }),
        };
        let mut archive = Self { file, length, entries: Vec::new() };
        archive.refuse_tar()?;
        let directory = end_record::find(&archive)?;
        if directory.count > MOST_ENTRIES {
            return Err(Framing::TooManyEntries.into());
        }
        if directory.size > LARGEST_DIRECTORY {
            return Err(Framing::DirectoryTooLarge.into());
        }
        let mut bytes = vec![0; usize::try_from(directory.size).unwrap_or(usize::MAX)];
        archive.read_at(&mut bytes, directory.offset)?;
        let mut entries = central::parse(&bytes, directory.count)?;
        refuse_collisions(&entries)?;
        entries.sort_by_key(|entry| entry.header_offset);
        archive.entries = archive.locate(entries, directory.offset)?;
        archive.entries.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(archive)
    }

    /// Its files, sorted by path; folders are left out.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Reads an entry whole, at most 64 MiB, and checks its size and CRC.
    pub(crate) fn read(&self, entry: &Entry) -> Result<Vec<u8>, Rule> {
        if entry.size > LARGEST_TEXT {
            let (entry, fault) = (entry.path.clone(), EntryFault::TooLarge);
            return Err(Rule::Entry { entry, fault });
        }
        let read = Reader::new(&self.file).read(entry, None, |_| true)?;
        Ok(read.kept.unwrap_or_default())
    }

    /// The SHA-256 of an entry's content, whose size and CRC are checked.
    pub(crate) fn sha256(&self, entry: &Entry) -> Result<Digest, Rule> {
        Ok(Reader::new(&self.file).read(entry, None, |_| false)?.sha256)
    }

    /// The number of bytes of the archive.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The file that it is read from.
    pub(super) fn file(&self) -> &ContentFile {
        &self.file
    }

    /// The same, given away.
    pub(super) fn into_file(self) -> ContentFile {
        self.file
    }

    /// Fills a buffer with the bytes at an offset.
    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), Rule> {
        read_at(&self.file, buffer, offset)
    }

    /// Follows the directory through the file: each entry must begin where the one before ended.
    fn locate(&self, entries: Vec<CentralEntry>, end: u64) -> Result<Vec<Entry>, Rule> {
        let mut files = Vec::with_capacity(entries.len());
        let mut position = 0;
        let mut entries = entries.into_iter().peekable();
        while let Some(entry) = entries.next() {
            if entry.header_offset != position {
                return Err(match position {
                    0 => Framing::LeadingBytes.into(),
                    _ if entry.header_offset < position => entry.fault(EntryFault::Overlaps),
                    _ => Framing::Unaccounted { from: position, to: entry.header_offset }.into(),
                });
            }
            let next = entries.peek().map_or(end, |next| next.header_offset);
            let offset = local::check(self, &entry, next)?;
            position = next;
            files.extend(entry.into_file(offset));
        }
        if position != end {
            return Err(Framing::Unaccounted { from: position, to: end }.into());
        }
        Ok(files)
    }

    /// A file that begins with a header of the tar format is a tar archive to some.
    fn refuse_tar(&self) -> Result<(), Rule> {
        if self.length < TAR_HEADER as u64 {
            return Ok(());
        }
        let mut header = [0; TAR_HEADER];
        self.read_at(&mut header, 0)?;
        let text = header[148..156].iter().map(|&byte| char::from(byte)).collect::<String>();
        let listed = u32::from_str_radix(text.trim_matches(['\0', ' ']), 8);
        // The sum is made as if its own field held spaces.
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        if listed == Ok(sum) { Err(Framing::Tar.into()) } else { Ok(()) }
    }
}

/// No name twice, and no file where a folder must be.
fn refuse_collisions(entries: &[CentralEntry]) -> Result<(), Rule> {
    let mut names: BTreeMap<&str, &CentralEntry> = BTreeMap::new();
    for entry in entries {
        if names.insert(entry.path.as_str(), entry).is_some() {
            return Err(entry.fault(EntryFault::Duplicate));
        }
    }
    match below_a_file(names.iter().map(|(name, entry)| (*name, !entry.folder))) {
        Some((_, below)) => Err(names[below].fault(EntryFault::BelowAFile)),
        None => Ok(()),
    }
}

/// Fills a buffer with the bytes at an offset, which must be there.
pub(super) fn read_at(file: &ContentFile, buffer: &mut [u8], offset: u64) -> Result<(), Rule> {
    file.read_at(buffer, offset).map_err(|source| match source.kind() {
        // The second is what the system says of an offset that no file can have.
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput => Framing::Cut.into(),
        _ => Rule::Io { path: file.path().to_owned(), source },
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
