//! Files of the cache that hold a value: what was found out once about a wheel and is not to be
//! found out again.
//!
//! A file begins with a line that names what is in it and in which format, then the SHA-256 of the
//! rest, then the value as [`postcard`] has it. Whatever is wrong with a file, it counts as absent,
//! and what it would have held is made again.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use klayers_core::Digest;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::durable;

/// What the names of files begin with that are not whole yet.
pub(crate) const PREFIX: &str = ".sealed-";

/// Reads the value of a file; none if it is not there, cut off, damaged, or of another kind.
///
/// # Errors
///
/// If the file is there, but the system does not let it be read.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, kind: &str) -> io::Result<Option<T>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // A foreign folder stands where the file should be.
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(opened(&bytes, kind))
}

fn opened<T: DeserializeOwned>(bytes: &[u8], kind: &str) -> Option<T> {
    let rest = bytes.strip_prefix(kind.as_bytes())?.strip_prefix(b"\n")?;
    let (seal, payload) = rest.split_first_chunk::<32>()?;
    let (value, left) = postcard::take_from_bytes(payload).ok()?;
    (Digest::of(payload).as_bytes() == seal && left.is_empty()).then_some(value)
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
    for part in [kind.as_bytes(), b"\n", Digest::of(&payload).as_bytes(), &payload] {
        file.write_all(part)?;
    }
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "klayers test 1";

    #[test]
    fn a_value_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("below/value");
        assert_eq!(read::<Vec<String>>(&path, KIND).expect("no error"), None);
        let value = vec!["one".to_owned(), String::new()];
        write(&path, KIND, &value).expect("written");
        assert_eq!(read(&path, KIND).expect("no error"), Some(value));
        assert_eq!(read::<Vec<String>>(&path, "klayers test 2").expect("no error"), None);
    }

    #[test]
    fn a_file_that_is_cut_or_changed_anywhere_counts_as_absent() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("value");
        write(&path, KIND, &vec![1_u32, 70_000]).expect("written");
        let whole = fs::read(&path).expect("bytes");
        assert!(opened::<Vec<u32>>(&whole, KIND).is_some());
        for at in 0..whole.len() {
            assert_eq!(opened::<Vec<u32>>(&whole[..at], KIND), None, "cut at {at}");
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert_eq!(opened::<Vec<u32>>(&changed, KIND), None, "changed at {at}");
        }
        fs::remove_file(&path).expect("removed");
        fs::create_dir(&path).expect("a folder in its place");
        assert_eq!(read::<Vec<u32>>(&path, KIND).expect("no error"), None);
    }
}
