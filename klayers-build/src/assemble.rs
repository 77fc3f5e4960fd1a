//! Assembling: from verified wheels to the one zip of a layer.
//!
//! Entries are copied compressed, as they stand in the wheels; only what an installer writes anew
//! is made here. The same lock gives the same bytes on any machine, at any time.

use std::fs::File;
use std::path::{Path, PathBuf};

use klayers_core::{Digest, LayerName, PackageName, PythonVersion, requirements_txt};
use tempfile::TempPath;

use crate::durable;
use crate::lock::Lock;
use crate::wheel::{Wheel, WheelError};

mod launcher;
mod layout;
mod output;
mod zip_writer;

use layout::{LayerFile, Layout, Source};
use output::Finished;
use zip_writer::{CopyError, ZipWriter};

/// The zip of a layer: a temporary file until it is kept.
#[derive(Debug)]
pub struct LayerZip {
    /// The layer's name.
    pub name: LayerName,
    /// The file. It is removed when this is dropped, unless it was kept.
    pub file: TempPath,
    /// Its SHA-256.
    pub digest: Digest,
    /// Its size, in bytes.
    pub size: u64,
    /// The size of what it unpacks to, in bytes.
    pub unzipped_size: u64,
    /// How many files are in it.
    pub files: usize,
    /// The layer's own `pylock.toml`, as it stands in the zip.
    pub pylock: String,
    /// The licence of each package that says it.
    pub licenses: Vec<(PackageName, String)>,
}

impl LayerZip {
    /// Puts the zip into a folder, as the layer's name and `.zip`, in the place of one that is
    /// there. It must be the folder that it was assembled in.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written to.
    pub fn keep(self, folder: &Path) -> Result<PathBuf, AssembleError> {
        let write = |source| AssembleError::Write { path: folder.to_owned(), source };
        let path = folder.join(format!("{}.zip", self.name));
        self.file.persist(&path).map_err(|error| write(error.error))?;
        durable::sync_folders(folder, folder).map_err(write)?;
        Ok(path)
    }

    /// The licence of a package.
    pub fn license(&self, package: &PackageName) -> Option<&str> {
        let found = self.licenses.iter().find(|(name, _)| name == package);
        found.map(|(_, license)| license.as_str())
    }
}

/// Assembles a layer from the wheels of its lock, in a temporary file of `folder`.
///
/// The file is whole and durable when this returns.
///
/// # Errors
///
/// If a wheel cannot be used, if two of them disagree about a file, or if the zip cannot be
/// written.
pub fn assemble(
    name: &LayerName,
    lock: &Lock,
    wheels: &[Wheel],
    folder: &Path,
) -> Result<LayerZip, AssembleError> {
    let pylock = lock.to_pylock(|locked| {
        let wheel = wheels.iter().find(|wheel| *wheel.filename() == locked.filename);
        wheel.map(Wheel::size)
    });
    let own =
        [("pylock.toml", pylock.clone()), ("requirements.txt", requirements_txt(&lock.pins()))]
            .map(|(file, text)| (format!("klayers/{name}/{file}"), text.into_bytes()));
    let layout = Layout::new(wheels, lock.target().python, own)?;

    let io = |source| AssembleError::Write { path: folder.to_owned(), source };
    let file = tempfile::Builder::new().prefix(".layer-").tempfile_in(folder).map_err(io)?;
    let (handle, path) = file.into_parts();
    let Finished { digest, size } = write(handle, &layout).map_err(|error| match error {
        CopyError::Write(source) => io(source),
        CopyError::Read { path, source } => AssembleError::Read { path, source },
    })?;
    Ok(LayerZip {
        name: name.clone(),
        file: path,
        digest,
        size,
        unzipped_size: layout.files().iter().map(|file| file.source.size()).sum(),
        files: layout.files().len(),
        pylock,
        licenses: wheels
            .iter()
            .filter_map(|wheel| {
                Some((wheel.name().clone(), wheel.inventory().license.as_ref()?.to_string()))
            })
            .collect(),
    })
}

fn write(file: File, layout: &Layout<'_>) -> Result<Finished, CopyError> {
    make_readable(&file).map_err(CopyError::Write)?;
    let mut zip = ZipWriter::new(file).map_err(CopyError::Write)?;
    for LayerFile { path, executable, source, .. } in layout.files() {
        match source {
            Source::Made { bytes, .. } => {
                zip.add(path, bytes, *executable).map_err(CopyError::Write)?;
            }
            Source::Copied { from, content } => zip.copy(path, from, content, *executable)?,
        }
    }
    zip.finish().map_err(CopyError::Write)
}

/// Temporary files are made for their owner alone; a layer is for everybody whom its folder lets
/// in.
fn make_readable(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

/// The interpreter of a runtime, as launchers name it.
fn interpreter(python: PythonVersion) -> String {
    format!("/var/lang/bin/python{python}")
}

/// Why a layer could not be assembled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssembleError {
    /// A wheel cannot be used.
    #[error(transparent)]
    Wheel(#[from] WheelError),
    /// Two wheels hold different files of the same name.
    #[error(
        "{path} is in {first} and, with other content, in {second}; they cannot be in one layer"
    )]
    Conflict {
        /// The path in the layer.
        path: String,
        /// One wheel's file name.
        first: String,
        /// The other's.
        second: String,
    },
    /// A name is that of a file and that of a folder.
    #[error("{path} is a file in {first}, but a folder in {second}; they cannot be in one layer")]
    FileAndFolder {
        /// The path in the layer.
        path: String,
        /// The wheel where it is a file.
        first: String,
        /// The wheel where it is a folder.
        second: String,
    },
    /// A wheel can no longer be read.
    #[error("could not read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The zip cannot be written.
    #[error("could not write a layer in {}", path.display())]
    Write {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}
