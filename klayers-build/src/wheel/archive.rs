//! The ZIP archive of a wheel, read by its central directory.
//!
//! Fields and offsets are those of the [ZIP file format specification][spec], sections 4.3 to 4.5.
//! The file is never held in memory: its directory is, and its entries are read where they lie.
//!
//! [spec]: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use flate2::read::DeflateDecoder;

use super::{Compression, EntryPath, Rule};

const END_SIGNATURE: [u8; 4] = *b"PK\x05\x06";
const END_SIZE: usize = 22;
const LONGEST_COMMENT: usize = 0xffff;
const ZIP64_LOCATOR_SIGNATURE: [u8; 4] = *b"PK\x06\x07";
const ZIP64_LOCATOR_SIZE: u64 = 20;
const ZIP64_END_SIGNATURE: [u8; 4] = *b"PK\x06\x06";
const ZIP64_END_SIZE: usize = 56;
const CENTRAL_SIGNATURE: [u8; 4] = *b"PK\x01\x02";
const CENTRAL_SIZE: usize = 46;
const LOCAL_SIGNATURE: [u8; 4] = *b"PK\x03\x04";
const LOCAL_SIZE: usize = 30;
const ZIP64_EXTRA: u16 = 0x0001;
const FLAG_ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
const FLAG_PATCHED: u16 = 1 << 5;

/// The largest central directory that is read, in bytes: some 600,000 entries.
const LARGEST_DIRECTORY: u64 = 64 << 20;
/// The largest entry that is read whole, in bytes.
const LARGEST_READ: u64 = 64 << 20;

/// How long the extra field of a local header usually is at most, in bytes.
const USUAL_EXTRA: usize = 64;
/// How much of an entry's content is read together with its header, in bytes.
const MOST_READ_AHEAD: u64 = 64 << 10;

/// A ZIP archive, opened.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    file: File,
    length: u64,
    entries: Vec<Entry>,
    by_name: HashMap<EntryPath, usize>,
}

/// A file in an archive.
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
    header_offset: u64,
}

/// What stands at the place of an entry.
#[derive(Debug)]
pub(crate) struct LocalEntry<'b> {
    /// Where its content begins in the archive.
    pub(crate) content_offset: u64,
    /// The first bytes of its content, all of it if it is short.
    pub(crate) beginning: &'b [u8],
}

impl Archive {
    /// Opens an archive and reads its directory.
    pub(super) fn open(path: &Path) -> Result<Self, Rule> {
        let io = |source| Rule::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let reader = Reader { file: &file, path, length };
        let (count, directory) = reader.directory()?;
        let mut entries = Vec::new();
        let mut by_name = HashMap::new();
        let mut rest = directory.as_slice();
        for _ in 0..count {
            if let Some(entry) = next_entry(&mut rest)? {
                if by_name.insert(entry.path.clone(), entries.len()).is_some() {
                    return Err(Rule::DuplicateEntry(entry.path));
                }
                entries.push(entry);
            }
        }
        if !rest.is_empty() {
            return Err(Rule::Framing("its directory is longer than its entries"));
        }
        Ok(Self { path: path.to_owned(), file, length, entries, by_name })
    }

    /// Its files, in the order of its directory; folders are left out.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The file of a name.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        let path = EntryPath::parse(name.as_bytes()).ok()?;
        self.by_name.get(&path).map(|&index| &self.entries[index])
    }

    /// Reads the local header of an entry, and with it the beginning of its content, in one go:
    /// most entries are small, and most of the time would go into asking for them.
    pub(crate) fn read_local<'b>(
        &self,
        entry: &Entry,
        buffer: &'b mut Vec<u8>,
    ) -> Result<LocalEntry<'b>, Rule> {
        let storage = |reason| Rule::Storage { entry: entry.path.clone(), reason };
        let name = entry.path.as_str().as_bytes();
        let usual = (LOCAL_SIZE + name.len() + USUAL_EXTRA) as u64;
        let wanted = usual + entry.compressed_size.min(MOST_READ_AHEAD);
        let there = self.length.saturating_sub(entry.header_offset).min(wanted);
        buffer.resize(usize::try_from(there).unwrap_or(usize::MAX), 0);
        self.read_at(buffer, entry.header_offset)?;
        let cut = || Rule::Framing("it is cut off");
        let header = buffer.get(..LOCAL_SIZE).ok_or_else(cut)?;
        if header[..4] != LOCAL_SIGNATURE {
            return Err(storage("its local header is not where the directory says"));
        }
        let name_length = usize::from(u16_at(header, 26));
        let extra_length = usize::from(u16_at(header, 28));
        if buffer.get(LOCAL_SIZE..LOCAL_SIZE + name_length) != Some(name) {
            return Err(storage("its local header has another name"));
        }
        let start = LOCAL_SIZE + name_length + extra_length;
        let content = buffer.get(start..).unwrap_or_default();
        let length = usize::try_from(entry.compressed_size).unwrap_or(usize::MAX);
        Ok(LocalEntry {
            content_offset: entry.header_offset + start as u64,
            beginning: &content[..content.len().min(length)],
        })
    }

    /// Fills a buffer with the bytes at an offset.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), Rule> {
        read_exact_at(&self.file, &self.path, buffer, offset)
    }

    /// Reads an entry whole.
    pub(super) fn read(&self, entry: &Entry) -> Result<Vec<u8>, Rule> {
        let storage = |reason| Rule::Storage { entry: entry.path.clone(), reason };
        if entry.size > LARGEST_READ || entry.compressed_size > LARGEST_READ {
            return Err(storage("it is larger than 64 MiB, which no such file has to be"));
        }
        let offset = self.read_local(entry, &mut Vec::new())?.content_offset;
        let mut raw = vec![0; usize::try_from(entry.compressed_size).unwrap_or(usize::MAX)];
        self.read_at(&mut raw, offset)?;
        let content = match entry.compression {
            Compression::Stored => raw,
            Compression::Deflated => {
                let mut content = Vec::new();
                let mut decoder = DeflateDecoder::new(raw.as_slice()).take(entry.size + 1);
                decoder.read_to_end(&mut content).map_err(|_| storage("it cannot be inflated"))?;
                content
            }
        };
        if content.len() as u64 != entry.size {
            return Err(storage("its size is not what the directory says"));
        }
        if crc32fast::hash(&content) != entry.crc {
            return Err(storage("its CRC is not what the directory says"));
        }
        Ok(content)
    }

    /// Reads the entry of a name as text.
    pub(super) fn read_text(&self, name: &str) -> Result<String, Rule> {
        let entry = self.entry(name).ok_or_else(|| Rule::Missing(name.to_owned()))?;
        let content = self.read(entry)?;
        String::from_utf8(content).map_err(|_| Rule::NotText(entry.path.clone()))
    }
}

struct Reader<'a> {
    file: &'a File,
    path: &'a Path,
    length: u64,
}

impl Reader<'_> {
    /// The number of entries, and the bytes of the central directory.
    fn directory(&self) -> Result<(u64, Vec<u8>), Rule> {
        let (end_offset, end) = self.end_record()?;
        let one_disk =
            u16_at(&end, 4) == 0 && u16_at(&end, 6) == 0 && u16_at(&end, 8) == u16_at(&end, 10);
        if !one_disk {
            return Err(Rule::Framing("it is spread over several disks"));
        }
        let mut count = u64::from(u16_at(&end, 10));
        let mut size = u64::from(u32_at(&end, 12));
        let mut offset = u64::from(u32_at(&end, 16));
        let mut directory_end = end_offset;
        if let Some((zip64_offset, zip64)) = self.zip64_end_record(end_offset)? {
            (count, size, offset) = (u64_at(&zip64, 32), u64_at(&zip64, 40), u64_at(&zip64, 48));
            directory_end = zip64_offset;
        }
        if offset.checked_add(size) != Some(directory_end) {
            return Err(Rule::Framing("its directory is not where its end record says"));
        }
        if size > LARGEST_DIRECTORY {
            return Err(Rule::Framing("its directory is larger than 64 MiB"));
        }
        let mut directory = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        read_exact_at(self.file, self.path, &mut directory, offset)?;
        Ok((count, directory))
    }

    /// The end of central directory record, which must end where the file does.
    fn end_record(&self) -> Result<(u64, [u8; END_SIZE]), Rule> {
        let longest = (END_SIZE + LONGEST_COMMENT) as u64;
        let tail_length = self.length.min(longest);
        let mut tail = vec![0; usize::try_from(tail_length).unwrap_or(usize::MAX)];
        read_exact_at(self.file, self.path, &mut tail, self.length - tail_length)?;
        let last = tail.len().checked_sub(END_SIZE);
        let at = last
            .and_then(|last| {
                (0..=last).rev().find(|&at| {
                    let comment = usize::from(u16_at(&tail, at + 20));
                    tail[at..].starts_with(&END_SIGNATURE) && at + END_SIZE + comment == tail.len()
                })
            })
            .ok_or(Rule::Framing("it has no end record, or bytes after it"))?;
        let mut end = [0; END_SIZE];
        end.copy_from_slice(&tail[at..at + END_SIZE]);
        Ok((self.length - tail_length + at as u64, end))
    }

    /// The ZIP64 end record that a locator before the end record points to.
    fn zip64_end_record(
        &self,
        end_offset: u64,
    ) -> Result<Option<(u64, [u8; ZIP64_END_SIZE])>, Rule> {
        let Some(locator_offset) = end_offset.checked_sub(ZIP64_LOCATOR_SIZE) else {
            return Ok(None);
        };
        let mut locator = [0; 20];
        read_exact_at(self.file, self.path, &mut locator, locator_offset)?;
        if locator[..4] != ZIP64_LOCATOR_SIGNATURE {
            return Ok(None);
        }
        let offset = u64_at(&locator, 8);
        if offset.checked_add(ZIP64_END_SIZE as u64) != Some(locator_offset) {
            return Err(Rule::Framing("its ZIP64 locator points elsewhere"));
        }
        let mut end = [0; ZIP64_END_SIZE];
        read_exact_at(self.file, self.path, &mut end, offset)?;
        if end[..4] != ZIP64_END_SIGNATURE {
            return Err(Rule::Framing("its ZIP64 locator points elsewhere"));
        }
        Ok(Some((offset, end)))
    }
}

/// Takes the next record off a central directory; none for a folder.
fn next_entry(rest: &mut &[u8]) -> Result<Option<Entry>, Rule> {
    const CUT: Rule = Rule::Framing("its directory is cut off");
    let header = rest.get(..CENTRAL_SIZE).ok_or(CUT)?;
    if header[..4] != CENTRAL_SIGNATURE {
        return Err(Rule::Framing("its directory holds something else than entries"));
    }
    let [name_length, extra_length, comment_length] =
        [28, 30, 32].map(|at| usize::from(u16_at(header, at)));
    let record = CENTRAL_SIZE + name_length + extra_length + comment_length;
    let variable = rest.get(CENTRAL_SIZE..record).ok_or(CUT)?;
    let (name, variable) = variable.split_at(name_length);
    let extra = &variable[..extra_length];
    let (header, remaining) = (*header.first_chunk::<CENTRAL_SIZE>().ok_or(CUT)?, &rest[record..]);
    *rest = remaining;

    let mut sizes = [u32_at(&header, 24), u32_at(&header, 20), u32_at(&header, 42)].map(u64::from);
    if let Some(name) = name.strip_suffix(b"/") {
        EntryPath::parse(name)?;
        return Ok(None);
    }
    let path = EntryPath::parse(name)?;
    let storage = |reason| Rule::Storage { entry: path.clone(), reason };
    widen(&mut sizes, extra).map_err(storage)?;
    let [size, compressed_size, header_offset] = sizes;
    let flags = u16_at(&header, 8);
    if flags & FLAG_ENCRYPTED != 0 {
        return Err(storage("it is encrypted"));
    }
    if flags & FLAG_PATCHED != 0 {
        return Err(storage("it is patched data"));
    }
    let compression = match u16_at(&header, 10) {
        0 if size == compressed_size => Compression::Stored,
        0 => return Err(storage("it is stored, but its two sizes differ")),
        8 => Compression::Deflated,
        _ => return Err(storage("it is compressed in another way than DEFLATE")),
    };
    // The upper half of the external attributes is the file mode where Unix made the archive.
    let mode = u32_at(&header, 38) >> 16;
    let made_on_unix = header[5] == 3;
    if made_on_unix && mode & 0o170_000 == 0o120_000 {
        return Err(storage("it is a symbolic link"));
    }
    Ok(Some(Entry {
        compression,
        crc: u32_at(&header, 16),
        compressed_size,
        size,
        executable: made_on_unix && mode & 0o111 != 0,
        header_offset,
        path,
    }))
}

/// Puts the values of a ZIP64 extra field in the place of those that are full.
fn widen(sizes: &mut [u64; 3], mut extra: &[u8]) -> Result<(), &'static str> {
    let full = u64::from(u32::MAX);
    let mut wide: &[u8] = &[];
    while extra.len() >= 4 {
        let (id, length) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let field = extra.get(4..4 + length).ok_or("its extra field is cut off")?;
        if id == ZIP64_EXTRA {
            wide = field;
        }
        extra = &extra[4 + length..];
    }
    for value in sizes.iter_mut().filter(|value| **value == full) {
        let (next, rest) =
            wide.split_first_chunk::<8>().ok_or("its ZIP64 extra field is too short")?;
        *value = u64::from_le_bytes(*next);
        wide = rest;
    }
    Ok(())
}

fn read_exact_at(file: &File, path: &Path, buffer: &mut [u8], offset: u64) -> Result<(), Rule> {
    file.read_exact_at(buffer, offset).map_err(|source| match source.kind() {
        io::ErrorKind::UnexpectedEof => Rule::Framing("it is cut off"),
        _ => Rule::Io { path: path.to_owned(), source },
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
