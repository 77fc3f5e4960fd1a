//! Where each file of the wheels stands in the layer.

use std::collections::BTreeMap;

use klayers_core::{Digest, PythonVersion};

use super::AssembleError;
use super::launcher::{launcher, with_interpreter};
use crate::wheel::{Entry, Rule, Wheel, WheelError, console_scripts};

/// The folder of a layer that is on Python's path.
const ROOT: &str = "python";
/// What `INSTALLER` says ([specification][spec]).
///
/// [spec]: https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-installer-file
const INSTALLER: &[u8] = b"klayers\n";

/// The files of a layer, by path.
#[derive(Debug)]
pub(super) struct Layout<'w> {
    files: BTreeMap<String, LayerFile<'w>>,
}

/// A file of a layer.
#[derive(Debug)]
pub(super) struct LayerFile<'w> {
    pub(super) source: Source<'w>,
    pub(super) executable: bool,
    fingerprint: Fingerprint,
    owner: String,
}

/// Where the content of a file comes from.
#[derive(Debug)]
pub(super) enum Source<'w> {
    /// It is copied, compressed as it is.
    Entry {
        /// From this wheel.
        wheel: &'w Wheel,
        /// This entry.
        entry: &'w Entry,
    },
    /// It was made here.
    Made(Vec<u8>),
}

/// What two files must have in common to be the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Fingerprint {
    sha256: Digest,
    size: u64,
    crc: u32,
}

impl<'w> Layout<'w> {
    pub(super) fn new() -> Self {
        Self { files: BTreeMap::new() }
    }

    /// The files, sorted by path as bytes.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &LayerFile<'w>)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// Adds a file of the layer's own, outside Python's path.
    pub(super) fn add_file(&mut self, path: &str, content: Vec<u8>) {
        let file = LayerFile::made(content, false, "the layer itself".to_owned());
        self.files.insert(path.to_owned(), file);
    }

    /// Adds the files of a wheel where an installer would put them.
    pub(super) fn add_wheel(
        &mut self,
        wheel: &'w Wheel,
        python: PythonVersion,
    ) -> Result<(), AssembleError> {
        let installed = Installed::new(wheel, python)?;
        let mut record = installed.record();
        record.push(format!("{}/RECORD,,\n", wheel.dist_info()));
        record.sort_unstable();
        let record =
            LayerFile::made(record.concat().into_bytes(), false, wheel.filename().to_string());
        for (path, file) in installed.files {
            self.add(format!("{ROOT}/{path}"), file)?;
        }
        self.add(format!("{ROOT}/{}/RECORD", wheel.dist_info()), record)
    }

    fn add(&mut self, path: String, file: LayerFile<'w>) -> Result<(), AssembleError> {
        for (at, _) in path.match_indices('/') {
            if let Some(above) = self.files.get(&path[..at]) {
                return Err(AssembleError::FileAndFolder {
                    path: path[..at].to_owned(),
                    first: above.owner.clone(),
                    second: file.owner,
                });
            }
        }
        let inside = format!("{path}/");
        let below = self.files.range(inside.clone()..).next();
        if let Some((_, below)) = below.filter(|(other, _)| other.starts_with(&inside)) {
            let second = below.owner.clone();
            return Err(AssembleError::FileAndFolder { path, first: file.owner, second });
        }
        match self.files.get_mut(&path) {
            None => {
                self.files.insert(path, file);
            }
            Some(there) if there.fingerprint == file.fingerprint => {
                there.executable |= file.executable;
            }
            Some(there) => {
                let first = there.owner.clone();
                return Err(AssembleError::Conflict { path, first, second: file.owner });
            }
        }
        Ok(())
    }
}

impl LayerFile<'_> {
    fn made(content: Vec<u8>, executable: bool, owner: String) -> Self {
        let fingerprint = Fingerprint {
            sha256: Digest::of(&content),
            size: content.len() as u64,
            crc: crc32fast::hash(&content),
        };
        Self { source: Source::Made(content), executable, fingerprint, owner }
    }
}

/// The files of one wheel, by their path below the root.
struct Installed<'w> {
    wheel: &'w Wheel,
    files: BTreeMap<String, LayerFile<'w>>,
}

impl<'w> Installed<'w> {
    fn new(wheel: &'w Wheel, python: PythonVersion) -> Result<Self, AssembleError> {
        let mut installed = Self { wheel, files: BTreeMap::new() };
        for entry in wheel.archive().entries() {
            installed.place(entry, python)?;
        }
        let owner = || wheel.filename().to_string();
        let entry_points = format!("{}/entry_points.txt", wheel.dist_info());
        if let Some(entry) = wheel.archive().entry(&entry_points) {
            let refuse = |rule| WheelError::new(wheel.filename(), rule);
            let text = String::from_utf8(wheel.read(entry)?)
                .map_err(|_| refuse(Rule::NotText(entry.path.clone())))?;
            for script in console_scripts(&text).map_err(refuse)? {
                let file = LayerFile::made(launcher(&script, python), true, owner());
                installed.insert(format!("bin/{}", script.name), file)?;
            }
        }
        let tool = LayerFile::made(INSTALLER.to_vec(), false, owner());
        installed.insert(format!("{}/INSTALLER", wheel.dist_info()), tool)?;
        Ok(installed)
    }

    /// Puts an entry where it belongs: at the root, or, from the `.data` folder, where its scheme
    /// says.
    fn place(&mut self, entry: &'w Entry, python: PythonVersion) -> Result<(), AssembleError> {
        let wheel = self.wheel;
        let name = entry.path.as_str();
        if self.is_written_anew(name) {
            return Ok(());
        }
        let inside = name.strip_prefix(wheel.data()).and_then(|rest| rest.strip_prefix('/'));
        let Some(inside) = inside else {
            return self.insert(name.to_owned(), self.copied(entry, entry.executable)?);
        };
        match inside.split_once('/') {
            Some(("purelib" | "platlib" | "data", path)) => {
                self.insert(path.to_owned(), self.copied(entry, entry.executable)?)
            }
            Some(("headers", path)) => {
                let path = format!("include/{}/{path}", wheel.name().normalized());
                self.insert(path, self.copied(entry, entry.executable)?)
            }
            Some(("scripts", path)) => {
                let rewritten = with_interpreter(&wheel.read(entry)?, python);
                let file = match rewritten {
                    Some(content) => LayerFile::made(content, true, wheel.filename().to_string()),
                    None => self.copied(entry, true)?,
                };
                self.insert(format!("bin/{path}"), file)
            }
            _ => {
                let rule = Rule::DataScheme(entry.path.clone());
                Err(WheelError::new(wheel.filename(), rule).into())
            }
        }
    }

    /// Whether an installer writes a file anew instead of taking the wheel's.
    fn is_written_anew(&self, name: &str) -> bool {
        name.strip_prefix(self.wheel.dist_info())
            .and_then(|rest| rest.strip_prefix('/'))
            .is_some_and(|file| {
                matches!(file, "RECORD" | "INSTALLER" | "REQUESTED" | "direct_url.json")
            })
    }

    /// The file of an entry, with the hash that the wheel lists for it, or else its own.
    fn copied(&self, entry: &'w Entry, executable: bool) -> Result<LayerFile<'w>, AssembleError> {
        let wheel = self.wheel;
        let listed = wheel.record().get(entry.path.as_str());
        if listed.and_then(|line| line.size).is_some_and(|size| size != entry.size) {
            let reason = "its size is not what RECORD says";
            let rule = Rule::Storage { entry: entry.path.clone(), reason };
            return Err(WheelError::new(wheel.filename(), rule).into());
        }
        let sha256 = match listed.and_then(|line| line.sha256) {
            Some(digest) => digest,
            None => Digest::of(&wheel.read(entry)?),
        };
        let fingerprint = Fingerprint { sha256, size: entry.size, crc: entry.crc };
        let owner = wheel.filename().to_string();
        Ok(LayerFile { source: Source::Entry { wheel, entry }, executable, fingerprint, owner })
    }

    fn insert(&mut self, path: String, file: LayerFile<'w>) -> Result<(), AssembleError> {
        if let Some(there) = self.files.get(&path) {
            if there.fingerprint != file.fingerprint {
                let owner = file.owner;
                return Err(AssembleError::Conflict { path, first: owner.clone(), second: owner });
            }
            return Ok(());
        }
        self.files.insert(path, file);
        Ok(())
    }

    /// The lines of the layer's own `RECORD` for these files.
    fn record(&self) -> Vec<String> {
        self.files
            .iter()
            .map(|(path, file)| {
                let path = if path.contains([',', '"']) {
                    format!("\"{}\"", path.replace('"', "\"\""))
                } else {
                    path.clone()
                };
                let Fingerprint { sha256, size, .. } = file.fingerprint;
                format!("{path},sha256={},{size}\n", sha256.to_base64_url())
            })
            .collect()
    }
}
