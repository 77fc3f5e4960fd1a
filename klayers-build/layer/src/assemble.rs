//! Assembles verified wheels into the zip of a layer.
//!
//! Entries are copied in their compressed form. Only files that an installer generates are
//! generated here. The same lock gives the same bytes on any machine, at any time.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use klayers_core::{
    Digest, LayerName, PackageName, PythonVersion, Runtime, Target, requirements_txt,
};
use tempfile::TempPath;

use crate::gate::{
    self, AcceptedRecord, Basis, Finding, TooLargeError, UNPACKED_LIMIT, Weight, check_native,
    check_size,
};
use crate::lock::{Lock, LockedWheel};
use crate::recipe::Recipe;
use crate::sbom::{EmbeddedSbom, SbomPackage, cyclonedx};
use crate::slim::is_test;
use crate::strip;
use klayers_wheel::cached::ChangedFileError;
use klayers_wheel::durable;
use klayers_wheel::{NativeLibrary, Notice, Wheel, WheelError};

mod bytecode;
mod collisions;
mod launcher;
mod layout;
mod modules;
mod namespace;
mod output;
mod role;
mod zip_writer;

pub use bytecode::{Bytecode, Stripped};

use collisions::{LeftOut, SettledCollisions, SharedNamespace};
use layout::{LayerFile, Layout, ROOT, Rules, Source};
use output::Finished;
use zip_writer::{CopyError, ZipWriter};

/// The zip of a layer, in a temporary file until [`keep`](Self::keep) moves it.
#[derive(Debug)]
pub struct LayerZip {
    /// The recipe, which includes the layer's name.
    pub recipe: Recipe,
    /// The target that the layer was built for.
    pub target: Target,
    /// The file. It is deleted when this value is dropped without [`keep`](Self::keep).
    pub file: TempPath,
    /// SHA-256 of the zip.
    pub digest: Digest,
    /// Size of the zip, in bytes.
    pub size: u64,
    /// Unpacked size, in bytes.
    pub unzipped_size: u64,
    /// Number of files in the zip.
    pub files: usize,
    /// The text of the `pylock.toml` in the zip.
    pub pylock: String,
    /// The licence of each package that declares one.
    pub licenses: Vec<(PackageName, String)>,
}

impl LayerZip {
    /// Moves the zip to `<layer name>.zip` in `folder`, replacing an existing file. `folder` must
    /// be the folder in which the zip was assembled.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written to.
    pub fn keep(self, folder: &Path) -> Result<PathBuf, AssembleError> {
        let write = |source| AssembleError::Write { path: folder.to_owned(), source };
        let path = folder.join(format!("{}.zip", self.recipe.layer));
        self.file.persist(&path).map_err(|error| write(error.error))?;
        durable::sync_folders(folder, folder).map_err(write)?;
        Ok(path)
    }

    /// Returns the licence of a package.
    pub fn license(&self, package: &PackageName) -> Option<&str> {
        let found = self.licenses.iter().find(|(name, _)| name == package);
        found.map(|(_, license)| license.as_str())
    }
}

/// A layer that is laid out but not yet written.
#[derive(Debug)]
pub struct Layer<'w> {
    recipe: &'w Recipe,
    lock: &'w Lock,
    wheels: &'w [Wheel],
    pylock: String,
    layout: Layout<'w>,
}

impl<'w> Layer<'w> {
    /// Lays out the wheels of a lock and the layer's own files. `wheels`, `bytecode` and `stripped`
    /// are in the order of the lock; the last two may be empty.
    ///
    /// # Errors
    ///
    /// If a wheel cannot be read, or if two wheels have different files at one path.
    pub fn new(
        recipe: &'w Recipe,
        lock: &'w Lock,
        wheels: &'w [Wheel],
        bytecode: &'w [Bytecode],
        stripped: &'w [Option<Stripped>],
    ) -> Result<Self, AssembleError> {
        let size = |locked: &LockedWheel| {
            let wheel = wheels.iter().find(|wheel| *wheel.filename() == locked.filename);
            wheel.map(Wheel::size)
        };
        let pylock = format!("{}\n{}", lock.to_pylock(size), recipe.to_toml());
        let own = [
            ("pylock.toml", pylock.clone()),
            ("requirements.txt", requirements_txt(&lock.pins())),
            ("sbom.cdx.json", sbom(&recipe.layer, lock, wheels)?),
        ]
        .map(|(file, text)| (format!("klayers/{}/{file}", recipe.layer), text.into_bytes()));
        let rules = Rules { python: lock.target().python, slimming: lock.slimming() };
        let layout = Layout::new(rules, wheels, bytecode, stripped, own)?;
        Ok(Self { recipe, lock, wheels, pylock, layout })
    }

    /// Returns the unpacked size, in bytes.
    pub fn unzipped_size(&self) -> u64 {
        self.layout.files().iter().map(|file| file.source.size()).sum()
    }

    /// Whether the unpacked size exceeds Lambda's limit.
    pub(crate) fn is_too_large(&self) -> bool {
        self.unzipped_size() > UNPACKED_LIMIT
    }

    /// Creates the error for a layer that is too large, with the settings that would make it
    /// smaller. Reads all libraries, to measure how much stripping would save.
    ///
    /// # Errors
    ///
    /// If a wheel cannot be read.
    pub(crate) fn too_large(&self) -> Result<TooLargeError, AssembleError> {
        let mut debug = BTreeMap::new();
        if !self.lock.slimming().strip {
            for wheel in self.wheels {
                debug.extend(strip::savings(wheel)?);
            }
        }
        let weight = |file: &LayerFile<'_>| {
            let path = file.path.strip_prefix(ROOT);
            Weight {
                distribution: file.wheel().map_or(String::new(), |wheel| wheel.name().to_string()),
                size: file.source.size(),
                test: path.is_some_and(is_test),
                debug: path.and_then(|path| debug.get(path)).copied().unwrap_or_default(),
                bytecode: file.path.contains("/__pycache__/"),
            }
        };
        let weights: Vec<Weight> = self.layout.files().iter().map(weight).collect();
        Ok(TooLargeError::new(&self.recipe.layer, &weights, UNPACKED_LIMIT, Basis::Files))
    }

    /// Returns the gate's findings about the files of the layer.
    pub fn findings(&self, runtime: &Runtime) -> Vec<Finding> {
        let mut sizes: BTreeMap<&PackageName, u64> = BTreeMap::new();
        for file in self.layout.files() {
            if let Some(wheel) = file.wheel() {
                *sizes.entry(wheel.name()).or_default() += file.source.size();
            }
        }
        let names: Vec<String> =
            self.wheels.iter().map(|wheel| wheel.filename().to_string()).collect();
        let libraries = self.wheels.iter().zip(&names).flat_map(|(wheel, name)| {
            let libraries = wheel.inventory().libraries.iter();
            let held = libraries.filter(|library| self.layout.holds(wheel, &library.path));
            held.map(|library| (name.as_str(), library))
        });
        let libraries: Vec<(&str, &NativeLibrary)> = libraries.collect();
        let files = self.layout.files().iter().map(|file| file.path.as_str());
        let mut findings = check_native(&libraries, files, self.lock.target(), runtime);
        let sizes: Vec<(String, u64)> =
            sizes.into_iter().map(|(name, size)| (name.to_string(), size)).collect();
        findings.extend(check_size(&sizes, self.unzipped_size(), UNPACKED_LIMIT));
        findings.extend(self.accepted());
        findings.extend(self.unusual());
        findings.extend(self.name_collisions());
        findings.extend(self.settled_collisions());
        findings
    }

    /// Findings about colliding files that were left out, or of which one was kept.
    fn settled_collisions(&self) -> impl Iterator<Item = Finding> {
        let SettledCollisions { left_out, namespaces } = self.layout.settled_collisions();
        let left_out = left_out.iter().map(|LeftOut { paths, distributions }| {
            let distributions = distributions.iter().cloned().collect();
            Finding::LeftOut { paths: paths.clone(), distributions }
        });
        let namespaces = namespaces.iter().map(|SharedNamespace { path, kept, others }| {
            let (path, kept) = (path.clone(), kept.clone());
            Finding::SharedNamespace { path, kept, others: others.iter().cloned().collect() }
        });
        left_out.chain(namespaces)
    }

    /// Findings about names of two wheels that collide when case and Unicode composition are
    /// ignored.
    fn name_collisions(&self) -> impl Iterator<Item = Finding> {
        let file = |(path, wheel): (&str, &Wheel)| gate::LayerFile {
            wheel: wheel.filename().to_string(),
            path: path.to_owned(),
        };
        let pairs = self.layout.name_collisions().into_iter();
        pairs.map(move |[first, second]| Finding::NamesAlike {
            first: file(first),
            second: file(second),
        })
    }

    /// Findings about wheels whose faulty `RECORD` was accepted.
    fn accepted(&self) -> impl Iterator<Item = Finding> {
        let wheels = self.wheels.iter().filter(|wheel| wheel.acceptance().is_some());
        wheels.map(|wheel| {
            let faults = wheel.inventory().record_faults.clone();
            let wheel = wheel.filename().to_string();
            Finding::AcceptedRecord(AcceptedRecord { wheel, faults })
        })
    }

    /// Findings about unusual properties of the wheels, as far as they concern files in the layer.
    fn unusual(&self) -> Vec<Finding> {
        let modules = self.modules();
        let is_there = |notice: &&Notice| match notice {
            Notice::PathFile(path) => self.layout.has(path),
            Notice::ShadowsStandardLibrary(module) => modules.contains(module),
            _ => true,
        };
        let of_wheel = |wheel: &'w Wheel| {
            let notices = wheel.inventory().notices.iter().filter(is_there);
            notices.map(|notice| Finding::Unusual {
                wheel: wheel.filename().to_string(),
                notice: notice.clone(),
            })
        };
        self.wheels.iter().flat_map(of_wheel).collect()
    }

    /// Writes the layer to a temporary file in `folder`. The file is complete and durable when this
    /// returns.
    ///
    /// # Errors
    ///
    /// If the zip cannot be written, or a wheel can no longer be read.
    pub fn write(self, folder: &Path) -> Result<LayerZip, AssembleError> {
        let io = |source| AssembleError::Write { path: folder.to_owned(), source };
        let file = tempfile::Builder::new().prefix(".layer-").tempfile_in(folder).map_err(io)?;
        let (handle, path) = file.into_parts();
        let Finished { digest, size } =
            write(handle, &self.layout).map_err(|error| match error {
                CopyError::Write(source) => io(source),
                CopyError::Read { path, source } => AssembleError::Read { path, source },
                CopyError::Changed(source) => AssembleError::Changed(source),
            })?;
        let license = |wheel: &Wheel| {
            Some((wheel.name().clone(), wheel.inventory().license.as_ref()?.to_string()))
        };
        Ok(LayerZip {
            target: self.lock.target(),
            file: path,
            digest,
            size,
            unzipped_size: self.unzipped_size(),
            files: self.layout.files().len(),
            licenses: self.wheels.iter().filter_map(license).collect(),
            pylock: self.pylock,
            recipe: self.recipe.clone(),
        })
    }
}

/// Creates the layer's SBOM.
fn sbom(layer: &LayerName, lock: &Lock, wheels: &[Wheel]) -> Result<String, AssembleError> {
    let package = |(locked, wheel): (&LockedWheel, &Wheel)| {
        let folder = format!("{}/sboms/", wheel.inventory().dist_info);
        let sboms = wheel.inventory().files.iter();
        let sboms = sboms.filter(|file| file.path.as_str().starts_with(&folder)).map(|file| {
            let path = format!("python/{}", file.path);
            Ok(EmbeddedSbom { path, bytes: wheel.read(file)? })
        });
        Ok(SbomPackage {
            pin: locked.pin.clone(),
            filename: locked.filename.clone(),
            url: locked.url.clone(),
            sha256: locked.sha256,
            built_from: locked.built_from.clone(),
            license: wheel.inventory().license.clone(),
            sboms: sboms.collect::<Result<_, WheelError>>()?,
        })
    };
    let packages = lock.wheels().iter().zip(wheels).map(package);
    Ok(cyclonedx(layer, &packages.collect::<Result<Vec<_>, WheelError>>()?))
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

/// Makes the file readable by everybody. Temporary files are created readable by their owner only.
fn make_readable(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

/// Returns the path of a runtime's interpreter, for launchers.
fn interpreter(python: PythonVersion) -> String {
    format!("/var/lang/bin/python{python}")
}

/// Describes how many more files collide.
fn also(more: usize) -> String {
    match more {
        0 => String::new(),
        1 => " (and 1 more file)".to_owned(),
        _ => format!(" (and {more} more files)"),
    }
}

/// Why a layer could not be assembled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssembleError {
    /// A wheel cannot be used.
    #[error(transparent)]
    Wheel(#[from] WheelError),
    /// Two wheels have different files at the same path.
    #[error(
        "{path} has different content in {first} and {second}{also}, so they cannot be in one layer; \
         ask for only one of the two, or leave out files that you do not need, for example with \
         --exclude {path:?}",
        also = also(*.more)
    )]
    Conflict {
        /// The path below `python/`.
        path: String,
        /// The first distribution, with its version.
        first: String,
        /// The second distribution, with its version.
        second: String,
        /// The number of other colliding files.
        more: usize,
    },
    /// One path is a file in one wheel and a folder in another.
    #[error("{path} is a file in {first} but a folder in {second}, so they cannot be in one layer")]
    FileAndFolder {
        /// The path in the layer.
        path: String,
        /// The wheel where it is a file.
        first: String,
        /// The wheel where it is a folder.
        second: String,
    },
    /// A cached file changed after it was verified or created.
    #[error("could not build the layer from files that changed")]
    Changed(#[source] ChangedFileError),
    /// A wheel can no longer be read.
    #[error("could not read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The zip cannot be written.
    #[error("could not write a layer in {}", path.display())]
    Write {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}
