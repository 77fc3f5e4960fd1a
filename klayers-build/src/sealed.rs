//! Files of the cache that hold a value: what was found out once about a wheel and is not to be
//! found out again.
//!
//! A file begins with a line that names what is in it and in which format. Then come the SHA-256 of
//! that line and of the value, and the value as [`postcard`] writes it. Whatever is wrong with a
//! file, its value is made again; that its bytes had changed is noted.

use std::io::{self, Write as _};
use std::path::Path;

use klayers_core::Digest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::cached::CacheLog;
use crate::{durable, regular};

/// What the names of files begin with that are not whole yet.
pub(crate) const PREFIX: &str = ".sealed-";

/// What a file turned out to hold.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Sealed<T> {
    /// The value.
    Value(T),
    /// Nothing of this kind: the file is not there, or holds another kind or format.
    Absent,
    /// Bytes that are not those that were written.
    Damaged,
}

impl<T> Sealed<T> {
    /// The value. That the file at `path` is damaged is noted.
    pub(crate) fn value(self, path: &Path, log: &CacheLog) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent => None,
            Self::Damaged => {
                log.add(path);
                None
            }
        }
    }
}

/// Reads the value of a file.
///
/// # Errors
///
/// If the file is there, but the system does not let it be read.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, kind: &str) -> io::Result<Sealed<T>> {
    let bytes = match regular::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Sealed::Absent),
        // Something that is no file stands where the file should be.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::IsADirectory | io::ErrorKind::InvalidInput
            ) =>
        {
            return Ok(Sealed::Absent);
        }
        Err(error) => return Err(error),
    };
    Ok(opened(&bytes, kind))
}

fn opened<T: DeserializeOwned>(bytes: &[u8], kind: &str) -> Sealed<T> {
    let Some((head, found, payload)) = parts(bytes) else { return Sealed::Damaged };
    if seal(head, payload).as_bytes() != found {
        // Earlier versions left the first line out of the seal. Their files are made again, but
        // they are not damaged.
        let is_older = Digest::of(payload).as_bytes() == found;
        return if is_older { Sealed::Absent } else { Sealed::Damaged };
    }
    if head != kind.as_bytes() {
        return Sealed::Absent;
    }
    match postcard::take_from_bytes(payload) {
        Ok((value, [])) => Sealed::Value(value),
        _ => Sealed::Damaged,
    }
}

/// The first line, the seal and the payload of a file.
fn parts(bytes: &[u8]) -> Option<(&[u8], &[u8; 32], &[u8])> {
    let line = bytes.iter().position(|byte| *byte == b'\n')?;
    let (head, rest) = (&bytes[..line], &bytes[line + 1..]);
    let (seal, payload) = rest.split_first_chunk::<32>()?;
    Some((head, seal, payload))
}

fn seal(head: &[u8], payload: &[u8]) -> Digest {
    let mut hasher = Sha256::new();
    for part in [head, b"\n", payload] {
        hasher.update(part);
    }
    Digest::from_bytes(hasher.finalize().into())
}

/// Writes a value to a file of its own, in the place of one that is there. Whoever reads it
/// meanwhile reads the one or the other.
///
/// # Errors
///
/// If the value cannot be written; what was there stays then.
pub(crate) fn write<T: Serialize>(path: &Path, kind: &str, value: &T) -> io::Result<()> {
    let payload = postcard::to_stdvec(value).map_err(io::Error::other)?;
    let folder = durable::parent(path);
    durable::create_folder(folder)?;
    let mut file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder)?;
    let seal = seal(kind.as_bytes(), &payload);
    for part in [kind.as_bytes(), b"\n", seal.as_bytes(), &payload] {
        file.write_all(part)?;
    }
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const KIND: &str = "klayers test 1";

    #[test]
    fn a_value_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("below/value");
        assert_eq!(read::<Vec<String>>(&path, KIND).expect("no error"), Sealed::Absent);
        let value = vec!["one".to_owned(), String::new()];
        write(&path, KIND, &value).expect("written");
        assert_eq!(read(&path, KIND).expect("no error"), Sealed::Value(value));
        let other = read::<Vec<String>>(&path, "klayers test 2").expect("no error");
        assert_eq!(other, Sealed::Absent);
    }

    #[test]
    fn a_file_that_is_cut_or_changed_anywhere_is_damaged() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("value");
        let value = vec![1_u32, 70_000];
        write(&path, KIND, &value).expect("written");
        let whole = fs::read(&path).expect("bytes");
        assert_eq!(opened(&whole, KIND), Sealed::Value(value));
        for at in 0..whole.len() {
            assert_eq!(opened::<Vec<u32>>(&whole[..at], KIND), Sealed::Damaged, "cut at {at}");
            for bit in 0..8 {
                let mut changed = whole.clone();
                changed[at] ^= 1 << bit;
                let found = opened::<Vec<u32>>(&changed, KIND);
                assert_eq!(found, Sealed::Damaged, "bit {bit} of byte {at} changed");
            }
        }
        fs::remove_file(&path).expect("removed");
        fs::create_dir(&path).expect("a folder in its place");
        assert_eq!(read::<Vec<u32>>(&path, KIND).expect("no error"), Sealed::Absent);
    }

    #[test]
    fn a_file_of_an_older_release_is_not_damaged() {
        let payload = [0];
        let older =
            [KIND.as_bytes(), b"\n", Digest::of(&payload).as_bytes(), &payload[..]].concat();
        assert_eq!(opened::<Vec<u32>>(&older, "klayers test 2"), Sealed::Absent);
    }
}
