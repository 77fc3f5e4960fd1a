use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Seek as _};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use klayers_core::Digest;
use serde::{Deserialize, Serialize};
use twox_hash::xxhash3_128;

use crate::cached::ChangedFileError;
use crate::{durable, regular};

/// The position and properties of one file's content inside another file, such as a wheel. The
/// content was read completely once, so all of this is verified.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// The offset of the first byte.
    pub offset: u64,
    /// The size of the content as stored, in bytes.
    pub compressed_size: u64,
    /// How the content is compressed.
    pub compression: Compression,
    /// The uncompressed size, in bytes.
    pub size: u64,
    /// The CRC-32 of the uncompressed content.
    pub crc: u32,
    /// The SHA-256 of the uncompressed content.
    pub sha256: Digest,
    /// The checksum of the stored, compressed bytes. They are copied in this form and checked
    /// against it each time.
    pub checksum: Checksum,
}

/// A checksum, XXH3 with 128 bits, of bytes in a file of the cache.
///
/// It detects bytes that a disk, memory or a program changed. It is not a cryptographic hash, and
/// need not be: an attacker who can write to the cache can write a new inventory, too.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Checksum([u8; 16]);

impl Checksum {
    /// Computes the checksum of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(xxhash3_128::Hasher::oneshot(bytes).to_be_bytes())
    }
}

/// Computes a [`Checksum`] of bytes that arrive in parts.
#[derive(Default)]
pub struct ChecksumHasher(xxhash3_128::Hasher);

impl fmt::Debug for ChecksumHasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ChecksumHasher").finish_non_exhaustive()
    }
}

impl ChecksumHasher {
    /// Begins with no bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// The checksum of all bytes so far.
    pub fn finish(&self) -> Checksum {
        Checksum(self.0.finish_128().to_be_bytes())
    }
}

/// How a file in an archive is compressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Compression {
    /// Not at all.
    Stored,
    /// With DEFLATE.
    Deflated,
}

impl Compression {
    /// The number of the method in ZIP headers.
    pub fn method(self) -> u16 {
        match self {
            Self::Stored => 0,
            Self::Deflated => 8,
        }
    }
}

/// An open file that holds the contents of others.
#[derive(Debug)]
pub struct ContentFile {
    path: PathBuf,
    file: File,
}

impl ContentFile {
    /// Opens a regular file.
    ///
    /// # Errors
    ///
    /// If it cannot be opened, or is not a regular file.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: regular::open(path)? })
    }

    /// The path that it was opened with.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The metadata of the open file.
    ///
    /// # Errors
    ///
    /// If the system does not give it.
    pub fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata()
    }

    /// Fills a buffer with the bytes at an offset.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or ends before the buffer is full.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    /// The SHA-256 of the whole file.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn digest(&self) -> io::Result<Digest> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        let (digest, _) = durable::copy(&mut file, &mut io::sink())?;
        Ok(digest)
    }

    /// Creates the error that says that the file no longer has its verified content.
    pub fn changed(&self) -> ChangedFileError {
        ChangedFileError::new(&self.path, self.metadata().ok().as_ref())
    }
}
