//! Reads an entry to its end and checks that it matches its headers.

use flate2::{Decompress, FlushDecompress, Status};
use klayers_core::Digest;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::archive::{Entry, read_at};
use super::content::{Checksum, ChecksumHasher, ContentFile};
use super::record::Hash;
use super::{Compression, EntryError, RuleError};

/// Number of bytes that are read and unpacked at once.
const BUFFER: usize = 128 << 10;
/// Highest compression ratio of large entries. DEFLATE reaches at most 1,000; legitimate entries
/// near that are small.
const LARGEST_RATIO: u64 = 500;
/// Number of first bytes of an entry that are known when it is decided whether to keep it.
const BEGINNING: usize = 4;
/// Largest size without a limit on the compression ratio, in bytes.
const FREE_OF_RATIO: u64 = 16 << 20;

/// The result of reading an entry.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) sha256: Digest,
    /// The checksum of the compressed bytes in the archive.
    pub(super) checksum: Checksum,
    /// Whether the content has the hash that `RECORD` lists; true if none is listed.
    pub(super) is_as_listed: bool,
    /// The whole content, if it was kept.
    pub(super) kept: Option<Vec<u8>>,
}

/// The buffers of one thread, which reads entries one after the other.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    file: &'a ContentFile,
    packed: Vec<u8>,
    unpacked: Vec<u8>,
    inflate: Decompress,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a ContentFile) -> Self {
        let buffer = || vec![0; BUFFER];
        let inflate = Decompress::new(false);
        Self { file, packed: buffer(), unpacked: buffer(), inflate }
    }

    /// Reads an entry completely. Its size and CRC must be those of the headers; its hash is
    /// compared with the one that `RECORD` lists, if any. `keep` gets the first 4 bytes or more, or
    /// all if there are fewer, and decides whether the content is kept.
    pub(super) fn read(
        &mut self,
        entry: &Entry,
        listed: Option<&Hash>,
        keep: impl FnOnce(&[u8]) -> bool,
    ) -> Result<Read, RuleError> {
        let mut sink = ContentSink::new(entry, listed, keep);
        let checksum = self.unpack(entry, &mut sink)?;
        let content = sink.finish().map_err(|fault| refuse(entry, fault))?;
        let (sha256, is_as_listed, kept) = content;
        Ok(Read { sha256, checksum, is_as_listed, kept })
    }

    /// Unpacks an entry. Returns the checksum of the compressed bytes.
    fn unpack(
        &mut self,
        entry: &Entry,
        sink: &mut ContentSink<'_, impl FnOnce(&[u8]) -> bool>,
    ) -> Result<Checksum, RuleError> {
        let mut hasher = ChecksumHasher::new();
        let stream = |_| refuse(entry, EntryError::Stream);
        let mut offset = entry.offset;
        let mut left = entry.compressed_size;
        self.inflate.reset(false);
        let mut ended = false;
        while left > 0 {
            let length = usize::try_from(left).map_or(BUFFER, |left| left.min(BUFFER));
            read_at(self.file, &mut self.packed[..length], offset)?;
            (offset, left) = (offset + length as u64, left - length as u64);
            let mut packed = &self.packed[..length];
            hasher.update(packed);
            if entry.compression == Compression::Stored {
                sink.take(packed).map_err(|fault| refuse(entry, fault))?;
                continue;
            }
            // A full buffer may mean that more output is available without more input.
            let mut full = false;
            while !ended && (full || !packed.is_empty()) {
                let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
                let status = self
                    .inflate
                    .decompress(packed, &mut self.unpacked, FlushDecompress::None)
                    .map_err(stream)?;
                let read = usize::try_from(self.inflate.total_in() - read).unwrap_or_default();
                let written =
                    usize::try_from(self.inflate.total_out() - written).unwrap_or_default();
                packed = &packed[read..];
                full = written == self.unpacked.len();
                ended = status == Status::StreamEnd;
                if read == 0 && written == 0 && !ended {
                    if packed.is_empty() {
                        break;
                    }
                    return Err(refuse(entry, EntryError::Stream));
                }
                sink.take(&self.unpacked[..written]).map_err(|fault| refuse(entry, fault))?;
            }
            if ended && (!packed.is_empty() || left > 0) {
                return Err(refuse(entry, EntryError::StreamGoesOn));
            }
        }
        match entry.compression {
            Compression::Deflated if !ended => Err(refuse(entry, EntryError::StreamCut)),
            _ => Ok(hasher.finish()),
        }
    }
}

/// The listed hash with its own algorithm. SHA-256 is computed in any case.
enum ListedHash {
    Sha384(Sha384, [u8; 48]),
    Sha512(Box<Sha512>, [u8; 64]),
    Sha256([u8; 32]),
    Nothing,
}

struct ContentSink<'e, K> {
    entry: &'e Entry,
    size: u64,
    crc: crc32fast::Hasher,
    sha256: Sha256,
    listed: ListedHash,
    keep: Option<K>,
    /// The first bytes, until there are enough to decide.
    beginning: Vec<u8>,
    kept: Option<Vec<u8>>,
}

impl<'e, K: FnOnce(&[u8]) -> bool> ContentSink<'e, K> {
    fn new(entry: &'e Entry, listed: Option<&Hash>, keep: K) -> Self {
        let listed = match listed {
            None => ListedHash::Nothing,
            Some(Hash::Sha256(digest)) => ListedHash::Sha256(*digest.as_bytes()),
            Some(Hash::Sha384(digest)) => ListedHash::Sha384(Sha384::new(), **digest),
            Some(Hash::Sha512(digest)) => ListedHash::Sha512(Box::default(), **digest),
        };
        let (crc, sha256) = (crc32fast::Hasher::new(), Sha256::new());
        let (keep, beginning, kept) = (Some(keep), Vec::new(), None);
        Self { entry, size: 0, crc, sha256, listed, keep, beginning, kept }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), EntryError> {
        self.size += bytes.len() as u64;
        // The real output is counted, since headers may lie.
        if self.size > self.entry.size {
            return Err(EntryError::Size);
        }
        let tight = self.entry.compressed_size.saturating_mul(LARGEST_RATIO);
        if self.size > FREE_OF_RATIO && self.size > tight {
            return Err(EntryError::Bomb);
        }
        self.keep(bytes);
        self.crc.update(bytes);
        self.sha256.update(bytes);
        match &mut self.listed {
            ListedHash::Sha384(hasher, _) => hasher.update(bytes),
            ListedHash::Sha512(hasher, _) => hasher.update(bytes),
            ListedHash::Sha256(_) | ListedHash::Nothing => {}
        }
        Ok(())
    }

    /// Stores the bytes, if the entry is kept.
    fn keep(&mut self, bytes: &[u8]) {
        if let Some(kept) = &mut self.kept {
            return kept.extend_from_slice(bytes);
        }
        if self.keep.is_none() {
            return;
        }
        // Some streams yield their first bytes one by one.
        let joined;
        let first = if self.beginning.is_empty() && bytes.len() >= BEGINNING {
            bytes
        } else {
            self.beginning.extend_from_slice(bytes);
            if self.beginning.len() < BEGINNING {
                return;
            }
            joined = std::mem::take(&mut self.beginning);
            &joined
        };
        if self.keep.take().is_some_and(|keep| keep(first)) {
            let size = usize::try_from(self.entry.size).unwrap_or_default();
            let mut kept = Vec::with_capacity(size);
            kept.extend_from_slice(first);
            self.kept = Some(kept);
        }
    }

    /// Returns the SHA-256 of the content, whether it is the listed one, and the content if it was
    /// kept.
    fn finish(mut self) -> Result<(Digest, bool, Option<Vec<u8>>), EntryError> {
        if self.keep.take().is_some_and(|keep| keep(&self.beginning)) {
            self.kept = Some(self.beginning);
        }
        if self.size != self.entry.size {
            return Err(EntryError::Size);
        }
        if self.crc.finalize() != self.entry.crc {
            return Err(EntryError::Crc);
        }
        let sha256: [u8; 32] = self.sha256.finalize().into();
        let is_as_listed = match self.listed {
            ListedHash::Sha256(listed) => listed == sha256,
            ListedHash::Sha384(hasher, listed) => hasher.finalize().as_slice() == listed,
            ListedHash::Sha512(hasher, listed) => hasher.finalize().as_slice() == listed,
            ListedHash::Nothing => true,
        };
        Ok((Digest::from_bytes(sha256), is_as_listed, self.kept))
    }
}

fn refuse(entry: &Entry, fault: EntryError) -> RuleError {
    RuleError::Entry { entry: entry.path.clone(), fault }
}
