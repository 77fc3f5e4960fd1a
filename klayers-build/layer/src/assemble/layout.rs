//! Determines where each file of the wheels is placed in the layer.

use std::collections::BTreeSet;

use klayers_core::{Digest, PythonVersion};

use super::collisions::{SettledCollisions, WheelPart, settle};
use super::launcher::{launcher, scripts, with_interpreter};
use super::{AssembleError, Bytecode, Stripped};
use crate::slim::Slimming;
use klayers_wheel::name_collisions::name_collisions;
use klayers_wheel::nested_paths::find_path_below_file;
use klayers_wheel::{Content, ContentFile, Destination, LARGEST_TEXT, Wheel, WheelFile};

/// The folder of a layer that is on Python's module path.
pub(super) const ROOT: &str = "python/";
/// Content of `INSTALLER` files ([specification][spec]).
///
/// [spec]: https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-installer-file
const INSTALLER: &[u8] = b"klayers\n";
/// Owner's name for files that do not come from a wheel.
const LAYER_ITSELF: &str = "the layer itself";

/// The files of a layer, sorted by path as bytes.
#[derive(Debug)]
pub(super) struct Layout<'w> {
    files: Vec<LayerFile<'w>>,
    collisions: SettledCollisions,
}

/// Rules for which files are installed, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'r> {
    /// The Python version of the runtime.
    pub(super) python: PythonVersion,
    /// The files that are left out.
    pub(super) slimming: &'r Slimming,
}

impl Rules<'_> {
    /// Whether a file of a wheel is left out. Metadata never is.
    fn leave_out(&self, wheel: &Wheel, path: &str) -> bool {
        let in_dist_info = path.strip_prefix(&wheel.inventory().dist_info);
        // Without its metadata, a package does not count as installed.
        !in_dist_info.is_some_and(|rest| rest.starts_with('/')) && self.slimming.leaves_out(path)
    }
}

/// A file of a layer.
#[derive(Debug)]
pub(super) struct LayerFile<'w> {
    /// The path in the zip.
    pub(super) path: String,
    /// Whether the file is executable.
    pub(super) executable: bool,
    /// The content.
    pub(super) source: Source<'w>,
    /// The corresponding file of the wheel. None for generated files.
    pub(super) entry: Option<&'w WheelFile>,
    owner: Owner<'w>,
}

/// Where the content of a file comes from.
#[derive(Clone, Debug)]
pub(super) enum Source<'w> {
    /// Copied in its compressed form.
    Copied {
        /// The file to copy from.
        from: &'w ContentFile,
        /// The position and description of the content.
        content: Content,
    },
    /// Generated here.
    Made {
        /// The complete content.
        bytes: Vec<u8>,
        sha256: Digest,
    },
}

/// The owner of a file.
#[derive(Clone, Copy, Debug)]
enum Owner<'w> {
    Wheel(&'w Wheel),
    Layer,
}

impl Owner<'_> {
    fn name(self) -> String {
        match self {
            Self::Wheel(wheel) => wheel.filename().to_string(),
            Self::Layer => LAYER_ITSELF.to_owned(),
        }
    }
}

impl<'w> LayerFile<'w> {
    /// The wheel that the file belongs to. None for the layer's own files.
    pub(super) fn wheel(&self) -> Option<&'w Wheel> {
        match self.owner {
            Owner::Wheel(wheel) => Some(wheel),
            Owner::Layer => None,
        }
    }
}

impl Source<'_> {
    fn made(bytes: Vec<u8>) -> Self {
        let sha256 = Digest::of(&bytes);
        Self::Made { bytes, sha256 }
    }

    /// The size of the file, in bytes.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Copied { content, .. } => content.size,
            Self::Made { bytes, .. } => bytes.len() as u64,
        }
    }

    /// The SHA-256 of the file.
    pub(super) fn sha256(&self) -> Digest {
        match self {
            Self::Copied { content, .. } => content.sha256,
            Self::Made { sha256, .. } => *sha256,
        }
    }
}

impl<'w> Layout<'w> {
    /// Lays out the wheels as an installer would, and adds the layer's own files.
    pub(super) fn new(
        rules: Rules<'_>,
        wheels: &'w [Wheel],
        bytecode: &'w [Bytecode],
        stripped: &'w [Option<Stripped>],
        own: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Result<Self, AssembleError> {
        let mut files: Vec<LayerFile<'w>> = own
            .into_iter()
            .map(|(path, bytes)| {
                let source = Source::made(bytes);
                LayerFile { path, executable: false, source, entry: None, owner: Owner::Layer }
            })
            .collect();
        let (mut bytecode, mut stripped) = (bytecode.iter(), stripped.iter());
        let mut parts = Vec::with_capacity(wheels.len());
        for wheel in wheels {
            let stripped = stripped.next().and_then(Option::as_ref);
            let installed = installed(rules, wheel, bytecode.next(), stripped)?;
            parts.push(WheelPart { wheel, files: installed });
        }
        let collisions = settle(&mut parts)?;
        files.extend(parts.into_iter().flat_map(recorded));
        files.sort_by(|one, other| one.path.cmp(&other.path));
        let files = merged(files);
        refuse_files_as_folders(&files)?;
        Ok(Self { files, collisions })
    }

    /// Whether a file of a wheel is in the layer.
    pub(super) fn holds(&self, wheel: &Wheel, path: &str) -> bool {
        let destination = wheel
            .inventory()
            .file(path)
            .and_then(|file| wheel.installation().destination(&file.path).ok()?);
        destination.is_some_and(|destination| self.has(&destination.path))
    }

    /// Whether there is a file at this path below `python/`.
    pub(super) fn has(&self, path: &str) -> bool {
        let path = format!("{ROOT}{path}");
        self.files.binary_search_by(|file| file.path.cmp(&path)).is_ok()
    }

    /// Returns pairs of paths below `python/` from two wheels that collide when case and Unicode
    /// composition are ignored, each with its wheel. Collisions within one wheel are reported when
    /// the wheel is verified.
    pub(super) fn name_collisions(&self) -> Vec<[(&str, &'w Wheel); 2]> {
        // Bytecode collides where its sources do.
        let names = self.files.iter().map(|file| file.path.as_str());
        let names = names.filter(|path| path.starts_with(ROOT) && !path.contains("/__pycache__/"));
        let pairs = name_collisions(names).into_iter().filter_map(|(one, other)| {
            let pair = [self.named(one)?, self.named(other)?];
            let [(_, first), (_, second)] = pair;
            (first.filename() != second.filename()).then_some(pair)
        });
        pairs.collect()
    }

    /// Returns a file's or folder's path below `python/`, and a wheel that it comes from.
    fn named<'n>(&self, name: &'n str) -> Option<(&'n str, &'w Wheel)> {
        let at = self.files.partition_point(|file| file.path.as_str() < name);
        let file = self.files[at..].iter().find(|file| {
            let rest = file.path.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })?;
        Some((name.strip_prefix(ROOT)?, file.wheel()?))
    }

    /// The outcome of colliding files.
    pub(super) fn settled_collisions(&self) -> &SettledCollisions {
        &self.collisions
    }

    /// The files, sorted by path as bytes.
    pub(super) fn files(&self) -> &[LayerFile<'w>] {
        &self.files
    }
}

/// Merges files at the same path. Their content is equal, since collisions were settled before.
fn merged(files: Vec<LayerFile<'_>>) -> Vec<LayerFile<'_>> {
    let mut merged: Vec<LayerFile<'_>> = Vec::with_capacity(files.len());
    for file in files {
        match merged.last_mut() {
            Some(there) if there.path == file.path => there.executable |= file.executable,
            _ => merged.push(file),
        }
    }
    merged
}

/// Refuses a path that is a file in one wheel and a folder in another.
fn refuse_files_as_folders(files: &[LayerFile<'_>]) -> Result<(), AssembleError> {
    let Some((file, below)) =
        find_path_below_file(files.iter().map(|file| (file.path.as_str(), true)))
    else {
        return Ok(());
    };
    let owner = |path: &str| {
        let at = files.binary_search_by(|file| file.path.as_str().cmp(path));
        at.map_or_else(|_| LAYER_ITSELF.to_owned(), |at| files[at].owner.name())
    };
    let (first, second) = (owner(file), owner(below));
    Err(AssembleError::FileAndFolder { path: file.to_owned(), first, second })
}

/// Returns the files of one wheel and those that an installer adds, except `RECORD`.
fn installed<'w>(
    rules: Rules<'_>,
    wheel: &'w Wheel,
    bytecode: Option<&'w Bytecode>,
    stripped: Option<&'w Stripped>,
) -> Result<Vec<LayerFile<'w>>, AssembleError> {
    let inventory = wheel.inventory();
    let owner = Owner::Wheel(wheel);
    let made = |path: &str, bytes: Vec<u8>, executable| {
        let source = Source::made(bytes);
        LayerFile { path: format!("{ROOT}{path}"), executable, source, entry: None, owner }
    };
    let mut files = Vec::with_capacity(inventory.files.len() + inventory.scripts.len() + 2);
    let compiled: BTreeSet<&str> = match bytecode {
        Some(bytecode) => bytecode.files.iter().map(|pyc| pyc.path.as_str()).collect(),
        None => BTreeSet::new(),
    };
    for file in &inventory.files {
        let destination = wheel.installation().destination(&file.path);
        let destination =
            destination.map_err(|rule| klayers_wheel::WheelError::new(wheel.filename(), rule))?;
        if let Some(destination) = destination
            && !rules.leave_out(wheel, &destination.path)
            // Bytecode in the wheel may be stale or of another Python release.
            && !compiled.contains(destination.path.as_str())
        {
            files.push(installed_file(wheel, file, stripped, destination, rules.python)?);
        }
    }
    if let Some(Bytecode { file, files: compiled }) = bytecode {
        let kept =
            |path: &str| !rules.leave_out(wheel, path) && !rules.leave_out(wheel, &source_of(path));
        files.extend(compiled.iter().filter(|pyc| kept(&pyc.path)).map(|pyc| LayerFile {
            path: format!("{ROOT}{}", pyc.path),
            executable: false,
            source: Source::Copied { from: file, content: pyc.content },
            entry: None,
            owner,
        }));
    }
    for script in scripts(wheel, rules.python) {
        let path = format!("bin/{}", script.name);
        if !rules.leave_out(wheel, &path) {
            files.push(made(&path, launcher(&script, rules.python), true));
        }
    }
    let dist_info = &inventory.dist_info;
    files.push(made(&format!("{dist_info}/INSTALLER"), INSTALLER.to_vec(), false));
    Ok(files)
}

/// Adds the `RECORD` to the files of a wheel.
fn recorded(part: WheelPart<'_>) -> Vec<LayerFile<'_>> {
    let WheelPart { wheel, mut files } = part;
    let path = format!("{}/RECORD", wheel.inventory().dist_info);
    let source = Source::made(record(&files, &path));
    let (path, owner) = (format!("{ROOT}{path}"), Owner::Wheel(wheel));
    files.push(LayerFile { path, executable: false, source, entry: None, owner });
    files
}

fn installed_file<'w>(
    wheel: &'w Wheel,
    file: &'w WheelFile,
    stripped: Option<&'w Stripped>,
    Destination { path, script }: Destination,
    python: PythonVersion,
) -> Result<LayerFile<'w>, AssembleError> {
    let library = stripped.and_then(|stripped| Some((&stripped.file, stripped.library(&path)?)));
    let (from, content) = library.unwrap_or((wheel.file(), file.content));
    let copied = Source::Copied { from, content };
    let (source, executable) = if script {
        // A larger script is a binary program, whose first line names no interpreter.
        let is_program = file.content.size.max(file.content.compressed_size) > LARGEST_TEXT;
        let rewritten =
            if is_program { None } else { with_interpreter(&wheel.read(file)?, python) };
        (rewritten.map_or(copied, Source::made), true)
    } else {
        (copied, file.executable)
    };
    let path = format!("{ROOT}{path}");
    Ok(LayerFile { path, executable, source, entry: Some(file), owner: Owner::Wheel(wheel) })
}

/// Returns the path of the source of a `.pyc` file.
pub(super) fn source_of(pyc: &str) -> String {
    let (folder, name) = pyc.rsplit_once('/').unwrap_or(("", pyc));
    let folder = folder.strip_suffix("__pycache__").unwrap_or(folder);
    format!("{folder}{}.py", name.split('.').next().unwrap_or(name))
}

/// Creates the content of `RECORD` for these files and itself.
fn record(files: &[LayerFile<'_>], own_path: &str) -> Vec<u8> {
    let line = |file: &LayerFile<'_>| {
        let path = file.path.strip_prefix(ROOT).unwrap_or(&file.path);
        let (sha256, size) = (file.source.sha256().to_base64_url(), file.source.size());
        format!("{},sha256={sha256},{size}\n", quoted(path))
    };
    let mut lines: Vec<String> = files.iter().map(line).collect();
    lines.push(format!("{},,\n", quoted(own_path)));
    lines.sort_unstable();
    lines.concat().into_bytes()
}

/// Quotes a CSV field if necessary.
fn quoted(field: &str) -> std::borrow::Cow<'_, str> {
    if field.contains([',', '"']) {
        format!("\"{}\"", field.replace('"', "\"\"")).into()
    } else {
        field.into()
    }
}
