//! Writes a ZIP archive whose bytes depend only on its content.
//!
//! Follows the [ZIP file format specification][spec] without optional parts: no data descriptors,
//! no extra fields, no comments, and the same time for all files.
//!
//! [spec]: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::output::{Finished, Output};
use klayers_wheel::cached::ChangedFileError;
use klayers_wheel::{ChecksumHasher, Compression, Content, ContentFile};

/// 1980-01-01, the first day of the format: year 0, month 1, day 1.
const DATE: u16 = 1 << 5 | 1;
/// Required version of the specification: 2.0, which introduced DEFLATE.
const VERSION: u16 = 20;
/// The same version, created on Unix, so that readers use the file modes.
const VERSION_MADE_BY: u16 = 3 << 8 | VERSION;
/// Flag for a UTF-8 name.
const FLAG_UTF8: u16 = 1 << 11;
const MODE_FILE: u32 = 0o100_644;
const MODE_EXECUTABLE: u32 = 0o100_755;

/// Buffer size for reading and writing, in bytes.
const BUFFER: usize = 1 << 20;

/// Writes an archive to a file sequentially.
#[derive(Debug)]
pub(super) struct ZipWriter {
    output: Output,
    /// Always [`BUFFER`] bytes long. The first `filled` bytes are not yet written to `output`.
    buffer: Vec<u8>,
    filled: usize,
    /// Number of bytes written to `output`.
    flushed: u64,
    directory: Vec<u8>,
    count: u64,
}

/// Why an entry could not be copied.
#[derive(Debug)]
pub(super) enum CopyError {
    Read {
        path: PathBuf,
        source: io::Error,
    },
    /// The content changed after it was verified.
    Changed(ChangedFileError),
    Write(io::Error),
}

struct Header<'a> {
    path: &'a str,
    compression: Compression,
    crc: u32,
    compressed_size: u64,
    size: u64,
    executable: bool,
}

impl ZipWriter {
    pub(super) fn new(file: File) -> io::Result<Self> {
        Ok(Self {
            output: Output::new(file)?,
            buffer: vec![0; BUFFER],
            filled: 0,
            flushed: 0,
            directory: Vec::new(),
            count: 0,
        })
    }

    /// Adds a generated file, without compression: the output of a compressor may change with its
    /// version, but these bytes must not.
    pub(super) fn add(&mut self, path: &str, content: &[u8], executable: bool) -> io::Result<()> {
        let size = content.len() as u64;
        self.begin(&Header {
            path,
            compression: Compression::Stored,
            crc: crc32fast::hash(content),
            compressed_size: size,
            size,
            executable,
        })?;
        self.write(content)
    }

    /// Adds a file by copying its compressed content from another file. The checksum of the copied
    /// bytes is verified.
    pub(super) fn copy(
        &mut self,
        path: &str,
        from: &ContentFile,
        content: &Content,
        executable: bool,
    ) -> Result<(), CopyError> {
        let Content { mut offset, compressed_size, compression, size, crc, checksum, .. } =
            *content;
        let header = Header { path, compression, crc, compressed_size, size, executable };
        self.begin(&header).map_err(CopyError::Write)?;
        let mut left = compressed_size;
        let mut hasher = ChecksumHasher::new();
        while left > 0 {
            if self.filled == BUFFER {
                self.flush().map_err(CopyError::Write)?;
            }
            let space = &mut self.buffer[self.filled..];
            let length = usize::try_from(left).map_or(space.len(), |left| left.min(space.len()));
            from.read_at(&mut space[..length], offset).map_err(|source| match source.kind() {
                io::ErrorKind::UnexpectedEof => CopyError::Changed(from.changed()),
                _ => CopyError::Read { path: from.path().to_owned(), source },
            })?;
            hasher.update(&space[..length]);
            self.filled += length;
            offset += length as u64;
            left -= length as u64;
        }
        if hasher.finish() == checksum { Ok(()) } else { Err(CopyError::Changed(from.changed())) }
    }

    /// Writes the directory and the end record.
    pub(super) fn finish(mut self) -> io::Result<Finished> {
        let offset = self.position();
        let directory = std::mem::take(&mut self.directory);
        self.write(&directory)?;
        let count = u16::try_from(self.count).map_err(|_| too_large("more than 65,535 files"))?;
        let size = fits(directory.len() as u64)?;
        let mut end = Vec::with_capacity(22);
        end.extend_from_slice(b"PK\x05\x06");
        put(&mut end, [0, 0, count, count]);
        end.extend_from_slice(&size.to_le_bytes());
        end.extend_from_slice(&fits(offset)?.to_le_bytes());
        put(&mut end, [0]);
        self.write(&end)?;
        self.flush()?;
        self.output.finish()
    }

    /// Writes the local header of an entry and adds its directory header to `directory`.
    fn begin(&mut self, header: &Header<'_>) -> io::Result<()> {
        let offset = fits(self.position())?;
        let compressed_size = fits(header.compressed_size)?;
        let size = fits(header.size)?;
        let name = header.path.as_bytes();
        let name_length = u16::try_from(name.len()).map_err(|_| too_large("a path of 64 KiB"))?;
        let flags = if header.path.is_ascii() { 0 } else { FLAG_UTF8 };
        let method = header.compression.method();

        let mut common = Vec::with_capacity(26);
        put(&mut common, [VERSION, flags, method, 0, DATE]);
        for value in [header.crc, compressed_size, size] {
            common.extend_from_slice(&value.to_le_bytes());
        }
        put(&mut common, [name_length, 0]);

        self.directory.extend_from_slice(b"PK\x01\x02");
        put(&mut self.directory, [VERSION_MADE_BY]);
        self.directory.extend_from_slice(&common);
        put(&mut self.directory, [0, 0, 0]);
        let mode = if header.executable { MODE_EXECUTABLE } else { MODE_FILE };
        self.directory.extend_from_slice(&(mode << 16).to_le_bytes());
        self.directory.extend_from_slice(&offset.to_le_bytes());
        self.directory.extend_from_slice(name);
        self.count += 1;

        self.write(b"PK\x03\x04")?;
        self.write(&common)?;
        self.write(name)
    }

    fn position(&self) -> u64 {
        self.flushed + self.filled as u64
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.filled == BUFFER {
                self.flush()?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(BUFFER - self.filled));
            self.buffer[self.filled..][..now.len()].copy_from_slice(now);
            self.filled += now.len();
            bytes = later;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut full = std::mem::take(&mut self.buffer);
        full.truncate(self.filled);
        self.flushed += self.filled as u64;
        self.filled = 0;
        self.buffer = self.output.write(full)?;
        self.buffer.resize(BUFFER, 0);
        Ok(())
    }
}

fn put<const N: usize>(bytes: &mut Vec<u8>, values: [u16; N]) {
    for value in values {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
}

/// Refuses sizes that need ZIP64. Layers are far below them: Lambda takes 250 MiB.
fn fits(value: u64) -> io::Result<u32> {
    u32::try_from(value).ok().filter(|value| *value != u32::MAX).ok_or_else(|| too_large("4 GiB"))
}

fn too_large(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("the layer would have {what}"))
}
