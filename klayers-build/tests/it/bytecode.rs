//! Bytecode from the interpreters of this machine and from fake interpreters.

mod faults;
mod finding;
mod imports;
mod packs;
pub(crate) mod pythons;
mod same_bytes;

use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom};

use klayers_core::Digest;
use klayers_layer::bytecode::{Pack, PackedFile, Source};
use klayers_wheel::Compression;

/// The digest of a wheel that need not exist.
fn wheel(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn sources<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> impl Iterator<Item = io::Result<Source>> {
    let source = |(path, content): (&str, &str)| Source {
        path: path.to_owned(),
        content: content.as_bytes().to_vec(),
    };
    files.into_iter().map(move |file| Ok(source(file)))
}

/// Unpacks a file of a pack and checks its description.
fn unpacked(pack: &Pack, file: &PackedFile) -> Vec<u8> {
    let content = file.content;
    let mut blob = fs::File::open(&pack.path).unwrap();
    blob.seek(SeekFrom::Start(content.offset)).unwrap();
    let stream = blob.take(content.compressed_size);
    let mut bytes = Vec::new();
    match content.compression {
        Compression::Stored => io::BufReader::new(stream).read_to_end(&mut bytes).unwrap(),
        Compression::Deflated => {
            flate2::read::DeflateDecoder::new(stream).read_to_end(&mut bytes).unwrap()
        }
    };
    assert_eq!(bytes.len() as u64, content.size, "{}", file.path);
    assert_eq!(Digest::of(&bytes), content.sha256, "{}", file.path);
    assert_eq!(crc32fast::hash(&bytes), content.crc, "{}", file.path);
    bytes
}
