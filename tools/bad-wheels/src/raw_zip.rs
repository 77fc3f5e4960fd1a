//! A ZIP writer without checks: every field of every record can be set to a wrong value.
//!
//! Fields have the order and the meaning of the [ZIP file format specification][spec], sections 4.3
//! to 4.5.
//!
//! [spec]: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

use std::io::Write as _;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use klayers_core::Digest;

/// Flag of an entry whose CRC and sizes follow its content.
pub const FLAG_DESCRIPTOR: u16 = 1 << 3;
/// Flag of an entry whose name is UTF-8.
pub const FLAG_UTF8: u16 = 1 << 11;
/// Made by version 2.0 on Unix.
const MADE_ON_UNIX: u16 = 0x0314;
/// The identifier of the ZIP64 extra field.
pub const EXTRA_ZIP64: u16 = 0x0001;
/// The identifier of the Unicode path extra field.
pub const EXTRA_UNICODE_PATH: u16 = 0x7075;

/// An archive: its entries, the bytes around them, and the changes to its end records.
#[derive(Clone, Debug, Default)]
pub struct RawZip {
    /// Bytes before the first entry. Offsets include them.
    pub before: Vec<u8>,
    /// The entries, in the order of the file and of the directory.
    pub entries: Vec<Entry>,
    /// Bytes between the last entry and the directory.
    pub gap: Vec<u8>,
    /// Bytes at the end of the directory, counted as a part of it.
    pub directory_tail: Vec<u8>,
    /// Whether ZIP64 end records are written, and the classic record refers to them.
    pub zip64: bool,
    /// Changes the end records when everything else is known.
    pub spoil: Vec<fn(&mut Ends)>,
    /// The archive comment.
    pub comment: Vec<u8>,
    /// Bytes after the end record.
    pub after: Vec<u8>,
}

/// An entry: two headers and the content between them.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The header before the content. None omits header and content.
    pub local: Option<Header>,
    /// The content as stored.
    pub data: Vec<u8>,
    /// The bytes after the content.
    pub descriptor: Vec<u8>,
    /// The header in the directory. None omits it.
    pub central: Option<Header>,
    /// Writes the offset of the local header into the central one.
    pub locate: fn(&mut Header, u64),
    /// The hash and size in `RECORD`. None omits the entry there.
    pub listed: Option<(Digest, u64)>,
}

/// The fields of a local and of a central header. The local one has only some of them.
#[derive(Clone, Debug)]
pub struct Header {
    /// The four bytes of its signature.
    pub signature: [u8; 4],
    /// The system that made it: 3 in the upper byte is Unix. Central only.
    pub version_made: u16,
    /// The required version of the format: 20 is 2.0.
    pub version_needed: u16,
    /// General purpose flags.
    pub flags: u16,
    /// The compression method.
    pub method: u16,
    /// Time of day in DOS format.
    pub time: u16,
    /// Date in DOS format.
    pub date: u16,
    /// CRC-32 of the content.
    pub crc: u32,
    /// Compressed size of the content.
    pub compressed_size: u32,
    /// Uncompressed size of the content.
    pub size: u32,
    /// The name.
    pub name: Vec<u8>,
    /// The stated length of the name, if it is not the real one.
    pub name_length: Option<u16>,
    /// The extra fields.
    pub extra: Vec<u8>,
    /// The comment. Central only.
    pub comment: Vec<u8>,
    /// The number of the disk. Central only.
    pub disk: u16,
    /// Internal attributes. Central only.
    pub internal: u16,
    /// External attributes: a Unix mode in the upper half. Central only.
    pub external: u32,
    /// The offset of the local header. Central only.
    pub offset: u32,
}

/// The records at the end of an archive.
#[derive(Clone, Debug)]
pub struct Ends {
    /// The ZIP64 end record and its locator, if they are written.
    pub zip64: Option<Zip64>,
    /// The number of this disk.
    pub disk: u16,
    /// The number of the disk where the directory begins.
    pub directory_disk: u16,
    /// The number of entries on this disk.
    pub count_here: u16,
    /// The number of entries.
    pub count: u16,
    /// The size of the directory.
    pub size: u32,
    /// The offset of the directory.
    pub offset: u32,
    /// The length of the comment.
    pub comment_length: u16,
}

/// The ZIP64 end record and its locator.
#[derive(Clone, Debug)]
pub struct Zip64 {
    /// The size of the rest of the record: 44 without additional data.
    pub record_size: u64,
    /// The required version of the format.
    pub version_needed: u16,
    /// The number of this disk.
    pub disk: u32,
    /// The number of entries on this disk.
    pub count_here: u64,
    /// The number of entries.
    pub count: u64,
    /// The size of the directory.
    pub size: u64,
    /// The offset of the directory.
    pub offset: u64,
    /// Additional data of the record.
    pub data: Vec<u8>,
    /// Bytes between the record and the locator.
    pub gap: Vec<u8>,
    /// The offset of the record in the locator.
    pub locator_offset: u64,
    /// The number of disks in the locator.
    pub locator_disks: u32,
}

impl RawZip {
    /// The bytes of the archive.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = self.before.clone();
        let mut directory = Vec::new();
        let mut count = 0;
        for entry in &self.entries {
            let offset = out.len() as u64;
            if let Some(local) = &entry.local {
                local.write_local(&mut out);
                out.extend(&entry.data);
                out.extend(&entry.descriptor);
            }
            if let Some(mut central) = entry.central.clone() {
                (entry.locate)(&mut central, offset);
                central.write_central(&mut directory);
                count += 1;
            }
        }
        out.extend(&self.gap);
        directory.extend(&self.directory_tail);
        let offset = out.len() as u64;
        out.extend(&directory);
        let mut ends = self.ends(count, directory.len() as u64, offset);
        for spoil in &self.spoil {
            spoil(&mut ends);
        }
        ends.write(&mut out);
        out.extend(&self.comment);
        out.extend(&self.after);
        out
    }

    fn ends(&self, count: u64, size: u64, offset: u64) -> Ends {
        let zip64 = self.zip64.then(|| Zip64 {
            record_size: 44,
            version_needed: 45,
            disk: 0,
            count_here: count,
            count,
            size,
            offset,
            data: Vec::new(),
            gap: Vec::new(),
            locator_offset: offset + size,
            locator_disks: 1,
        });
        let full = |value: u64| if self.zip64 { u32::MAX } else { low(value) };
        let full_count = if self.zip64 { u16::MAX } else { low16(count) };
        Ends {
            zip64,
            disk: 0,
            directory_disk: 0,
            count_here: full_count,
            count: full_count,
            size: full(size),
            offset: full(offset),
            comment_length: low16(self.comment.len() as u64),
        }
    }
}

impl Ends {
    fn write(&self, out: &mut Vec<u8>) {
        if let Some(zip64) = &self.zip64 {
            out.extend(b"PK\x06\x06");
            out.extend(zip64.record_size.to_le_bytes());
            out.extend(45_u16.to_le_bytes());
            out.extend(zip64.version_needed.to_le_bytes());
            out.extend(zip64.disk.to_le_bytes());
            out.extend(zip64.disk.to_le_bytes());
            for value in [zip64.count_here, zip64.count, zip64.size, zip64.offset] {
                out.extend(value.to_le_bytes());
            }
            out.extend(&zip64.data);
            out.extend(&zip64.gap);
            out.extend(b"PK\x06\x07");
            out.extend(0_u32.to_le_bytes());
            out.extend(zip64.locator_offset.to_le_bytes());
            out.extend(zip64.locator_disks.to_le_bytes());
        }
        out.extend(b"PK\x05\x06");
        for value in [self.disk, self.directory_disk, self.count_here, self.count] {
            out.extend(value.to_le_bytes());
        }
        out.extend(self.size.to_le_bytes());
        out.extend(self.offset.to_le_bytes());
        out.extend(self.comment_length.to_le_bytes());
    }
}

impl Entry {
    /// Creates a file, compressed with DEFLATE, with mode 0644.
    pub fn deflated(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        Self::new(name, content, 8, deflated(content))
    }

    /// Creates a stored file with mode 0644.
    pub fn stored(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        Self::new(name, content, 0, content.to_vec())
    }

    /// Creates a file with its content in a given stored form.
    pub fn new(name: impl AsRef<[u8]>, content: &[u8], method: u16, data: Vec<u8>) -> Self {
        let name = name.as_ref().to_vec();
        let header = Header {
            signature: *b"PK\x03\x04",
            version_made: MADE_ON_UNIX,
            version_needed: 20,
            flags: if name.is_ascii() { 0 } else { FLAG_UTF8 },
            method,
            time: 0,
            date: 1 << 5 | 1,
            crc: crc32fast::hash(content),
            compressed_size: low(data.len() as u64),
            size: low(content.len() as u64),
            name,
            name_length: None,
            extra: Vec::new(),
            comment: Vec::new(),
            disk: 0,
            internal: 0,
            external: 0o100_644 << 16,
            offset: 0,
        };
        Self {
            local: Some(header.clone()),
            data,
            descriptor: Vec::new(),
            central: Some(Header { signature: *b"PK\x01\x02", ..header }),
            locate: |header, offset| header.offset = low(offset),
            listed: Some((Digest::of(content), content.len() as u64)),
        }
    }

    /// Creates a folder.
    pub fn folder(name: &str) -> Self {
        Self::stored(name, "").both(|header| header.external = 0o040_755 << 16).unlisted()
    }

    /// Omits the entry from `RECORD`.
    #[must_use]
    pub fn unlisted(mut self) -> Self {
        self.listed = None;
        self
    }

    /// Changes the local header.
    #[must_use]
    pub fn local(mut self, change: impl FnOnce(&mut Header)) -> Self {
        if let Some(header) = &mut self.local {
            change(header);
        }
        self
    }

    /// Changes the central header.
    #[must_use]
    pub fn central(mut self, change: impl FnOnce(&mut Header)) -> Self {
        if let Some(header) = &mut self.central {
            change(header);
        }
        self
    }

    /// Changes both headers.
    #[must_use]
    pub fn both(self, change: impl Fn(&mut Header)) -> Self {
        self.local(&change).central(&change)
    }

    /// Replaces the stored content, and sets its size in the headers.
    #[must_use]
    pub fn data(mut self, data: Vec<u8>) -> Self {
        self.data = data;
        let length = low(self.data.len() as u64);
        self.both(|header| header.compressed_size = length)
    }

    /// Sets the mode, including the file type.
    #[must_use]
    pub fn mode(self, mode: u32) -> Self {
        self.central(|header| header.external = mode << 16)
    }

    /// Adds an extra field to both headers.
    #[must_use]
    pub fn extra(self, id: u16, field: &[u8]) -> Self {
        let field = extra(id, field);
        self.both(|header| header.extra.extend(&field))
    }

    /// Moves CRC and sizes from the local header into a descriptor after the content.
    #[must_use]
    pub fn with_descriptor(mut self) -> Self {
        self.descriptor = self.descriptor_bytes();
        self.both(|header| header.flags |= FLAG_DESCRIPTOR).local(|header| {
            (header.crc, header.compressed_size, header.size) = (0, 0, 0);
        })
    }

    /// The correct descriptor, with its signature.
    pub fn descriptor_bytes(&self) -> Vec<u8> {
        let mut descriptor = b"PK\x07\x08".to_vec();
        if let Some(header) = &self.central {
            for value in [header.crc, header.compressed_size, header.size] {
                descriptor.extend(value.to_le_bytes());
            }
        }
        descriptor
    }

    /// The correct descriptor if the local header has a ZIP64 field: its sizes have 8 bytes.
    pub fn wide_descriptor_bytes(&self) -> Vec<u8> {
        let narrow = self.descriptor_bytes();
        [&narrow[..12], &[0; 4], &narrow[12..], &[0; 4]].concat()
    }

    /// Moves the sizes into ZIP64 extra fields.
    #[must_use]
    pub fn with_zip64_sizes(self) -> Self {
        self.both(|header| {
            let field = zip64_sizes(header);
            header.extra.extend(extra(EXTRA_ZIP64, &field));
            (header.compressed_size, header.size) = (u32::MAX, u32::MAX);
            header.version_needed = 45;
        })
    }

    /// Repeats the sizes in ZIP64 extra fields, although the headers have them.
    #[must_use]
    pub fn with_zip64_sizes_again(self) -> Self {
        self.both(|header| header.extra.extend(extra(EXTRA_ZIP64, &zip64_sizes(header))))
    }

    /// Moves the offset of the local header into a ZIP64 extra field.
    #[must_use]
    pub fn with_zip64_offset(mut self) -> Self {
        self.locate = |header, offset| {
            header.offset = u32::MAX;
            header.version_needed = 45;
            header.extra.extend(extra(EXTRA_ZIP64, &offset.to_le_bytes()));
        };
        self
    }
}

impl Header {
    fn write_local(&self, out: &mut Vec<u8>) {
        out.extend(self.signature);
        self.write_common(out);
        out.extend(&self.name);
        out.extend(&self.extra);
    }

    fn write_central(&self, out: &mut Vec<u8>) {
        out.extend(self.signature);
        out.extend(self.version_made.to_le_bytes());
        self.write_common(out);
        out.extend(low16(self.comment.len() as u64).to_le_bytes());
        out.extend(self.disk.to_le_bytes());
        out.extend(self.internal.to_le_bytes());
        out.extend(self.external.to_le_bytes());
        out.extend(self.offset.to_le_bytes());
        out.extend(&self.name);
        out.extend(&self.extra);
        out.extend(&self.comment);
    }

    fn write_common(&self, out: &mut Vec<u8>) {
        for value in [self.version_needed, self.flags, self.method, self.time, self.date] {
            out.extend(value.to_le_bytes());
        }
        for value in [self.crc, self.compressed_size, self.size] {
            out.extend(value.to_le_bytes());
        }
        let name_length = self.name_length.unwrap_or(low16(self.name.len() as u64));
        out.extend(name_length.to_le_bytes());
        out.extend(low16(self.extra.len() as u64).to_le_bytes());
    }
}

/// The two sizes as a ZIP64 extra field.
pub fn zip64_sizes(header: &Header) -> Vec<u8> {
    [header.size, header.compressed_size].map(|size| u64::from(size).to_le_bytes()).concat()
}

/// An extra field.
pub fn extra(id: u16, field: &[u8]) -> Vec<u8> {
    [&id.to_le_bytes()[..], &low16(field.len() as u64).to_le_bytes(), field].concat()
}

/// Content compressed with DEFLATE.
pub fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).and_then(|()| encoder.finish()).expect("memory takes it")
}

/// Content compressed with DEFLATE, without a final block.
pub fn deflated_without_end(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).and_then(|()| encoder.flush()).expect("memory takes it");
    encoder.get_ref().clone()
}

/// The lower half. A test that needs more puts it into a ZIP64 field.
fn low(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).expect("masked")
}

fn low16(value: u64) -> u16 {
    u16::try_from(value & u64::from(u16::MAX)).expect("masked")
}
