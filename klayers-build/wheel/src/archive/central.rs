//! Reads the central directory (section 4.3.12).

use super::extra::Extra;
use super::{Entry, u16_at, u32_at};
use crate::{Compression, EntryError, EntryPath, FramingError, RuleError};

const SIGNATURE: [u8; 4] = *b"PK\x01\x02";
const SIZE: usize = 46;
/// Position of the local header's offset, the last field of the fixed part.
const OFFSET: usize = 42;
/// Version 4.5, which introduced ZIP64.
const NEWEST_VERSION: u16 = 45;
/// Unix, and macOS.
const MADE_ON_UNIX: [u8; 2] = [3, 19];
const FILE_TYPE: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;

/// Sizes and CRC follow the content.
pub(super) const FLAG_DESCRIPTOR: u16 = 1 << 3;
/// The name is UTF-8.
const FLAG_UTF8: u16 = 1 << 11;
/// Two bits for the compression level.
const FLAG_EFFORT: u16 = 0b110;
const FLAG_ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;

/// An entry of the directory: a file or folder.
#[derive(Debug)]
pub(super) struct CentralEntry {
    pub(super) path: EntryPath,
    pub(super) folder: bool,
    pub(super) flags: u16,
    pub(super) compression: Compression,
    pub(super) crc: u32,
    pub(super) compressed_size: u64,
    pub(super) size: u64,
    pub(super) executable: bool,
    pub(super) header_offset: u64,
    /// The name as written in the header; a folder's name ends with a slash.
    pub(super) name: Vec<u8>,
    /// The fixed part of the header without the offset, and the extra fields.
    header: (Vec<u8>, Vec<u8>),
}

impl CentralEntry {
    pub(super) fn fault(&self, fault: EntryError) -> RuleError {
        RuleError::Entry { entry: self.path.clone(), fault }
    }

    /// Whether two headers with the same name agree in every field except their offsets.
    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        (&self.name, &self.header) == (&other.name, &other.header)
    }

    /// Converts to an entry with its content at an offset.
    pub(super) fn into_entry(self, offset: u64) -> Entry {
        let Self { path, compression, crc, compressed_size, size, executable, .. } = self;
        Entry { path, compression, crc, compressed_size, size, executable, offset }
    }
}

/// Reads a directory of `count` entries, which must fill it.
pub(super) fn parse(mut bytes: &[u8], count: u64) -> Result<Vec<CentralEntry>, RuleError> {
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(next(&mut bytes)?);
    }
    if bytes.is_empty() { Ok(entries) } else { Err(FramingError::DirectoryTooLong.into()) }
}

fn next(bytes: &mut &[u8]) -> Result<CentralEntry, RuleError> {
    let (header, rest) = bytes.split_first_chunk::<SIZE>().ok_or(FramingError::DirectoryCut)?;
    if header[..4] != SIGNATURE {
        return Err(FramingError::NotAnEntry.into());
    }
    let [name, extra, comment] = [28, 30, 32].map(|at| usize::from(u16_at(header, at)));
    let (name, rest) = rest.split_at_checked(name).ok_or(FramingError::DirectoryCut)?;
    let (extra, rest) = rest.split_at_checked(extra).ok_or(FramingError::DirectoryCut)?;
    let (comment, rest) = rest.split_at_checked(comment).ok_or(FramingError::DirectoryCut)?;
    *bytes = rest;

    let (folder, path) = match name.strip_suffix(b"/") {
        Some(folder) => (true, EntryPath::parse(folder)?),
        None => (false, EntryPath::parse(name)?),
    };
    let entry = of(header, name, extra, folder, &path);
    let entry = entry.and_then(|entry| match comment {
        [] => Ok(entry),
        _ => Err(EntryError::Comment),
    });
    entry.map_err(|fault| RuleError::Entry { entry: path, fault })
}

fn of(
    header: &[u8; SIZE],
    name: &[u8],
    extra: &[u8],
    folder: bool,
    path: &EntryPath,
) -> Result<CentralEntry, EntryError> {
    let flags = u16_at(header, 8);
    check_flags(flags, name)?;
    if u16_at(header, 6) & 0xff > NEWEST_VERSION {
        return Err(EntryError::VersionNeeded);
    }
    if u16_at(header, 34) != 0 {
        return Err(EntryError::OtherDisk);
    }
    let mut sizes = [24, 20, 42].map(|at| u64::from(u32_at(header, at)));
    Extra::parse(extra, name)?.widen(&mut sizes)?;
    let [size, compressed_size, header_offset] = sizes;
    let compression = match u16_at(header, 10) {
        0 if size != compressed_size => return Err(EntryError::StoredSizes),
        0 => Compression::Stored,
        8 => Compression::Deflated,
        method => return Err(EntryError::Method(method)),
    };
    let crc = u32_at(header, 16);
    // Whether a folder's content inflates to nothing is checked later.
    if folder && (size, crc) != (0, 0) {
        return Err(EntryError::FolderWithContent);
    }
    // The upper half of the external attributes is a Unix file mode. Readers differ in whether they
    // use it for archives made on other systems.
    let mode = u32_at(header, 38) >> 16;
    match mode & FILE_TYPE {
        0 => {}
        REGULAR if !folder => {}
        FOLDER if folder => {}
        _ => return Err(EntryError::NotAFile),
    }
    Ok(CentralEntry {
        path: path.clone(),
        folder,
        flags,
        compression,
        crc,
        compressed_size,
        size,
        executable: MADE_ON_UNIX.contains(&header[5]) && mode & 0o111 != 0,
        header_offset,
        name: name.to_owned(),
        header: (header[..OFFSET].to_vec(), extra.to_owned()),
    })
}

fn check_flags(flags: u16, name: &[u8]) -> Result<(), EntryError> {
    if flags & FLAG_ENCRYPTED != 0 {
        return Err(EntryError::Encrypted);
    }
    if flags & !(FLAG_DESCRIPTOR | FLAG_UTF8 | FLAG_EFFORT) != 0 {
        return Err(EntryError::Flags(flags));
    }
    // Without the flag, some readers decode such a name as code page 437.
    if flags & FLAG_UTF8 == 0 && !name.is_ascii() {
        return Err(EntryError::NameEncoding);
    }
    Ok(())
}
