//! Assembling: from verified wheels to the one zip of a layer.
//!
//! Entries are copied compressed, as they stand in the wheels; only what an installer writes anew
//! is made here. The same lock gives the same bytes on any machine, at any time.

use std::fs::File;
use std::path::{Path, PathBuf};

use klayers_core::{Digest, LayerName, PackageName, PythonVersion, requirements_txt};
use tempfile::{NamedTempFile, TempPath};

use crate::durable;
use crate::fetch::FetchedWheel;
use crate::lock::Lock;
use crate::wheel::{Rule, Wheel, WheelError};

mod launcher;
mod layout;
mod output;
mod zip_writer;

use layout::{Layout, Source};
use output::Finished;
use zip_writer::ZipWriter;

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
    wheels: &[FetchedWheel],
    folder: &Path,
) -> Result<LayerZip, AssembleError> {
    let opened: Vec<Wheel> = wheels
        .iter()
        .map(|fetched| Wheel::open(&fetched.path, &fetched.wheel.filename))
        .collect::<Result<_, _>>()?;
    let size = |wanted: &crate::lock::LockedWheel| {
        wheels.iter().find(|fetched| fetched.wheel == *wanted).map(|fetched| fetched.size)
    };
    let pylock = lock.to_pylock(size);
    let mut layout = Layout::new();
    for wheel in &opened {
        layout.add_wheel(wheel, lock.target().python)?;
    }
    layout.add_file(&format!("klayers/{name}/pylock.toml"), pylock.clone().into_bytes());
    let requirements = requirements_txt(&lock.pins());
    layout.add_file(&format!("klayers/{name}/requirements.txt"), requirements.into_bytes());

    let io = |source| AssembleError::Write { path: folder.to_owned(), source };
    let file = tempfile::Builder::new().prefix(".layer-").tempfile_in(folder).map_err(io)?;
    let Written { file, digest, size, unzipped_size } =
        write(file, &layout).map_err(|failure| match failure {
            Failure::Write(source) => io(source),
            Failure::Read(wheel, rule) => WheelError::new(wheel.filename(), rule).into(),
        })?;
    Ok(LayerZip {
        name: name.clone(),
        file,
        digest,
        size,
        unzipped_size,
        files: layout.len(),
        pylock,
        licenses: opened
            .iter()
            .filter_map(|wheel| {
                Some((wheel.name().clone(), wheel.metadata().license.as_ref()?.to_string()))
            })
            .collect(),
    })
}

struct Written {
    file: TempPath,
    digest: Digest,
    size: u64,
    unzipped_size: u64,
}

enum Failure<'w> {
    Write(std::io::Error),
    Read(&'w Wheel, Rule),
}

fn write<'w>(file: NamedTempFile, layout: &Layout<'w>) -> Result<Written, Failure<'w>> {
    let (handle, path) = file.into_parts();
    make_readable(&handle).map_err(Failure::Write)?;
    let mut zip = ZipWriter::new(handle).map_err(Failure::Write)?;
    let mut unzipped_size = 0;
    for (path, file) in layout.files() {
        unzipped_size += match &file.source {
            Source::Made(content) => {
                zip.add(path, content, file.executable).map_err(Failure::Write)?;
                content.len() as u64
            }
            Source::Entry { wheel, entry } => {
                zip.copy(path, wheel.archive(), entry, file.executable).map_err(
                    |error| match error {
                        zip_writer::CopyError::Write(source) => Failure::Write(source),
                        zip_writer::CopyError::Read(rule) => Failure::Read(wheel, rule),
                    },
                )?;
                entry.size
            }
        };
    }
    let Finished { digest, size } = zip.finish().map_err(Failure::Write)?;
    Ok(Written { file: path, digest, size, unzipped_size })
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
    /// The zip cannot be written.
    #[error("could not write a layer in {}", path.display())]
    Write {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}
