//! Creates files and folders that survive a power loss.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use klayers_core::Digest;
use sha2::{Digest as _, Sha256};

use crate::regular;

/// Creates a folder and its parents, if missing.
///
/// # Errors
///
/// If one of them cannot be made.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = parent(folder);
    create_folder(parent)?;
    match fs::create_dir(folder) {
        // Another process created it at the same time.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        outcome => outcome?,
    }
    sync_folder(parent)
}

/// Syncs a folder, and the folders above it up to `root`.
///
/// # Errors
///
/// If one of them cannot be synchronised.
pub fn sync_folders(folder: &Path, root: &Path) -> io::Result<()> {
    let within = folder.ancestors().take_while(|above| above.starts_with(root));
    within.into_iter().try_for_each(sync_folder)
}

/// Copies all of `from` to `to`. Returns the SHA-256 and the number of bytes.
///
/// # Errors
///
/// If one cannot be read, or the other not be written.
pub fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<(Digest, u64)> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    let mut size = 0;
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&buffer[..read]);
        to.write_all(&buffer[..read])?;
        size += read as u64;
    }
    Ok((Digest::from_bytes(hasher.finalize().into()), size))
}

/// Computes the SHA-256 of a file.
///
/// # Errors
///
/// If it cannot be read.
pub fn digest(path: &Path) -> io::Result<Digest> {
    let (digest, _) = copy(&mut regular::open(path)?, &mut io::sink())?;
    Ok(digest)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Returns the folder that contains a file or folder.
pub fn parent(folder: &Path) -> &Path {
    match folder.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}
