use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use klayers_core::Digest;
use miniz_oxide::deflate::compress_to_vec;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use klayers_wheel::cached::{Inspection, Trust};
use klayers_wheel::{Checksum, Compression, Content};
use klayers_wheel::{durable, sealed};

/// Format tag of an index. Increase the number also when the content of packs changes, since an
/// existing pack is not created again.
const KIND: &str = "klayers bytecode index 3";
/// Compression level of bytecode. Higher levels hardly reduce the size.
const LEVEL: u8 = 6;

/// The bytecode of one wheel for one release of Python: a file of concatenated compressed `.pyc`
/// files, and a list of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pack {
    /// The file.
    pub path: PathBuf,
    /// The `.pyc` files, sorted by path.
    pub files: Vec<PackedFile>,
    /// The sources without bytecode, sorted by path.
    pub skipped: Vec<Skipped>,
}

impl Pack {
    /// Name prefix of packs that are not complete yet.
    pub(crate) const PREFIX: &str = ".pack-";
}

/// A `.pyc` file in a pack.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct PackedFile {
    /// The path below the layer's `python` folder.
    pub path: String,
    /// The position in the pack, and the description of the content.
    pub content: Content,
}

/// A source that has no bytecode.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Skipped {
    /// The path below the layer's `python` folder.
    pub path: String,
    /// Python's error message for the source.
    pub reason: String,
}

/// The index file beside a pack.
#[derive(Serialize, Deserialize)]
struct Index {
    /// The wheel and the Python release, as in the file name.
    key: String,
    /// SHA-256 of the pack.
    sha256: Digest,
    stamp: Stamp,
    files: Vec<PackedFile>,
    skipped: Vec<Skipped>,
}

/// Size and time of a file. While they stay the same, the file is not hashed again.
#[derive(Clone, Copy, Eq, PartialEq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        Self { size: file.size(), seconds: file.mtime(), nanoseconds: file.mtime_nsec() }
    }
}

/// The paths of a pack and its index.
#[derive(Debug)]
pub(crate) struct PackPath {
    pub(crate) pack: PathBuf,
    pub(crate) index: PathBuf,
    key: String,
}

impl PackPath {
    pub(crate) fn new(folder: &Path, key: String) -> Self {
        let folder = folder.join(&key[..2]);
        let [pack, index] = ["pack", "index"].map(|suffix| folder.join(format!("{key}.{suffix}")));
        Self { pack, index, key }
    }

    /// Returns the existing pack. A pack that is truncated, changed, or without an index counts as
    /// missing, as does the pack of another key. Changed files are logged.
    pub(crate) fn get(&self, inspection: &Inspection) -> io::Result<Option<Pack>> {
        let Inspection { trust, log } = inspection;
        let index = sealed::read::<Index>(&self.index, KIND)?.value(&self.index, log);
        let Some(mut index) = index else { return Ok(None) };
        let stamp = match fs::metadata(&self.pack) {
            Ok(found) if found.is_file() => Stamp::of(&found),
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if index.key != self.key {
            return Ok(None);
        }
        // The pack may have been copied, or written by two processes at the same time.
        if index.stamp != stamp || *trust == Trust::Nothing {
            if durable::digest(&self.pack)? != index.sha256 {
                log.add(&self.pack);
                return Ok(None);
            }
            if index.stamp != stamp {
                index.stamp = stamp;
                // In a read-only folder this fails, and the pack is hashed each time.
                let _ = sealed::write(&self.index, KIND, &index);
            }
        }
        Ok(Some(Pack { path: self.pack.clone(), files: index.files, skipped: index.skipped }))
    }
}

/// A file that is compressed for a pack.
pub(crate) struct Stream {
    bytes: Vec<u8>,
    content: Content,
}

impl Stream {
    pub(crate) fn new(pyc: Vec<u8>) -> Self {
        let (sha256, crc, size) = (Digest::of(&pyc), crc32fast::hash(&pyc), pyc.len() as u64);
        let deflated = compress_to_vec(&pyc, LEVEL);
        let (compression, bytes) = if deflated.len() < pyc.len() {
            (Compression::Deflated, deflated)
        } else {
            (Compression::Stored, pyc)
        };
        let (compressed_size, checksum) = (bytes.len() as u64, Checksum::of(&bytes));
        let content =
            Content { offset: 0, compressed_size, compression, size, crc, sha256, checksum };
        Self { bytes, content }
    }
}

/// Writes a pack, which becomes visible once it is complete.
pub(crate) struct Writer<'a> {
    place: &'a PackPath,
    file: BufWriter<NamedTempFile>,
    hasher: Sha256,
    offset: u64,
    files: Vec<PackedFile>,
    skipped: Vec<Skipped>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(place: &'a PackPath) -> io::Result<Self> {
        let folder = durable::parent(&place.pack);
        durable::create_folder(folder)?;
        let file = tempfile::Builder::new().prefix(Pack::PREFIX).tempfile_in(folder)?;
        Ok(Self {
            place,
            file: BufWriter::new(file),
            hasher: Sha256::new(),
            offset: 0,
            files: Vec::new(),
            skipped: Vec::new(),
        })
    }

    pub(crate) fn add(&mut self, path: String, stream: &Stream) -> io::Result<()> {
        self.file.write_all(&stream.bytes)?;
        self.hasher.update(&stream.bytes);
        let content = Content { offset: self.offset, ..stream.content };
        self.files.push(PackedFile { path, content });
        self.offset += content.compressed_size;
        Ok(())
    }

    pub(crate) fn skip(&mut self, path: String, reason: String) {
        self.skipped.push(Skipped { path, reason });
    }

    /// Moves the pack to its path, then writes its index, so that an index never exists without its
    /// pack.
    pub(crate) fn keep(self) -> io::Result<Pack> {
        let Self { place, file, hasher, mut files, mut skipped, .. } = self;
        files.sort_by(|one, other| one.path.cmp(&other.path));
        skipped.sort_by(|one, other| one.path.cmp(&other.path));
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        let stamp = Stamp::of(&file.as_file().metadata()?);
        remove_folder(&place.pack)?;
        file.persist(&place.pack)?;
        let index = Index {
            key: place.key.clone(),
            sha256: Digest::from_bytes(hasher.finalize().into()),
            stamp,
            files,
            skipped,
        };
        remove_folder(&place.index)?;
        sealed::write(&place.index, KIND, &index)?;
        File::open(durable::parent(&place.pack))?.sync_all()?;
        Ok(Pack { path: place.pack.clone(), files: index.files, skipped: index.skipped })
    }
}

/// Removes an empty folder at the path of a file.
fn remove_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() { fs::remove_dir(path) } else { Ok(()) }
}
