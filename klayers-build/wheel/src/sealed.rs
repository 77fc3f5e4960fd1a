//! Cache files that hold a value: facts about a wheel that are expensive to compute.
//!
//! A file begins with a line that names its content and format. Then come the SHA-256 of that line
//! and of the value, and the value as [`postcard`] encodes it. Whatever is wrong with a file, its
//! value is computed again; if its bytes changed, that is logged.

use std::io::{self, Write as _};
use std::path::Path;

use klayers_core::Digest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::cached::CacheLog;
use crate::{durable, regular};

/// Prefix of the names of unfinished files.
pub const PREFIX: &str = ".sealed-";

/// The content of a file.
#[derive(Debug, Eq, PartialEq)]
pub enum Sealed<T> {
    /// The value.
    Value(T),
    /// No such value: the file does not exist, or holds another kind or format.
    Absent,
    /// Other bytes than those that were written.
    Damaged,
}

impl<T> Sealed<T> {
    /// Returns the value. Logs it if the file at `path` is damaged.
    pub fn value(self, path: &Path, log: &CacheLog) -> Option<T> {
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
/// If the file exists, but the system refuses to read it.
pub fn read<T: DeserializeOwned>(path: &Path, kind: &str) -> io::Result<Sealed<T>> {
    let bytes = match regular::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Sealed::Absent),
        // Something other than a file has this path.
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

/// Splits a file into first line, seal and payload.
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

/// Writes a value to a file, replacing one that exists. A process that reads it at the same time
/// gets either the old or the new value.
///
/// # Errors
///
/// If the value cannot be written. The old file stays then.
pub fn write<T: Serialize>(path: &Path, kind: &str, value: &T) -> io::Result<()> {
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
    fn value_is_read_back_as_written() {
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
    fn truncated_or_changed_file_is_damaged() {
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
    fn file_in_an_older_format_is_absent_not_damaged() {
        let payload = [0];
        let older =
            [KIND.as_bytes(), b"\n", Digest::of(&payload).as_bytes(), &payload[..]].concat();
        assert_eq!(opened::<Vec<u32>>(&older, "klayers test 2"), Sealed::Absent);
    }
}
