//! Where each file of the wheels stands in the layer.

use std::collections::BTreeSet;

use klayers_core::{Digest, PythonVersion};

use super::collisions::{Settled, WheelPart, settle};
use super::launcher::{launcher, scripts, with_interpreter};
use super::{AssembleError, Bytecode, Stripped};
use crate::slim::Slimming;
use klayers_wheel::name_collisions::name_collisions;
use klayers_wheel::nested_paths::find_path_below_file;
use klayers_wheel::{Content, ContentFile, Destination, LARGEST_TEXT, Wheel, WheelFile};

/// The folder of a layer that is on Python's path.
pub(super) const ROOT: &str = "python/";
/// What `INSTALLER` says ([specification][spec]).
///
/// [spec]: https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-installer-file
const INSTALLER: &[u8] = b"klayers\n";
/// To whom the files belong that are no wheel's.
const LAYER_ITSELF: &str = "the layer itself";

/// The files of a layer, sorted by path as bytes.
#[derive(Debug)]
pub(super) struct Layout<'w> {
    files: Vec<LayerFile<'w>>,
    settled: Settled,
}

/// What decides where files go, and which.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'r> {
    /// The version of the runtime.
    pub(super) python: PythonVersion,
    /// What is left out.
    pub(super) slimming: &'r Slimming,
}

impl Rules<'_> {
    /// Whether a file of a wheel is left out, or the source of its bytecode is.
    fn leave_out(&self, wheel: &Wheel, path: &str) -> bool {
        let in_dist_info = path.strip_prefix(&wheel.inventory().dist_info);
        // Without its metadata, a package would not be found to be there.
        !in_dist_info.is_some_and(|rest| rest.starts_with('/')) && self.slimming.leaves_out(path)
    }
}

/// A file of a layer.
#[derive(Debug)]
pub(super) struct LayerFile<'w> {
    /// Its path in the zip.
    pub(super) path: String,
    /// Whether it is executable.
    pub(super) executable: bool,
    /// Its content.
    pub(super) source: Source<'w>,
    /// The file of the wheel that it is; none if it was made here.
    pub(super) entry: Option<&'w WheelFile>,
    /// The file name of the wheel that it is from.
    owner: Owner<'w>,
}

/// Where the content of a file comes from.
#[derive(Clone, Debug)]
pub(super) enum Source<'w> {
    /// It is copied, compressed as it is.
    Copied {
        /// From this file.
        from: &'w ContentFile,
        /// What lies there.
        content: Content,
    },
    /// It was made here.
    Made {
        /// All of it.
        bytes: Vec<u8>,
        sha256: Digest,
    },
}

/// To whom a file belongs.
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
    /// The wheel that it belongs to; none for the layer's own.
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
    /// Lays out the wheels as an installer would, and beside them the layer's own files.
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
        let settled = settle(&mut parts)?;
        files.extend(parts.into_iter().flat_map(recorded));
        files.sort_by(|one, other| one.path.cmp(&other.path));
        let files = merged(files);
        refuse_files_as_folders(&files)?;
        Ok(Self { files, settled })
    }

    /// Whether a file of a wheel is in the layer.
    pub(super) fn holds(&self, wheel: &Wheel, path: &str) -> bool {
        let destination = wheel
            .inventory()
            .file(path)
            .and_then(|file| wheel.installation().destination(&file.path).ok()?);
        destination.is_some_and(|destination| self.has(&destination.path))
    }

    /// Whether there is a file of this path, below the root of Python's path.
    pub(super) fn has(&self, path: &str) -> bool {
        let path = format!("{ROOT}{path}");
        self.files.binary_search_by(|file| file.path.cmp(&path)).is_ok()
    }

    /// The names of files and folders of two wheels that are one where letters are not told apart,
    /// below the root of Python's path, each with a wheel that it is from. Those of one wheel are
    /// told when it is verified.
    pub(super) fn alike(&self) -> Vec<[(&str, &'w Wheel); 2]> {
        // Bytecode is alike where its sources are.
        let names = self.files.iter().map(|file| file.path.as_str());
        let names = names.filter(|path| path.starts_with(ROOT) && !path.contains("/__pycache__/"));
        let pairs = name_collisions(names).into_iter().filter_map(|(one, other)| {
            let pair = [self.named(one)?, self.named(other)?];
            let [(_, first), (_, second)] = pair;
            (first.filename() != second.filename()).then_some(pair)
        });
        pairs.collect()
    }

    /// The name of a file or a folder below the root of Python's path, and a wheel that it is from.
    fn named<'n>(&self, name: &'n str) -> Option<(&'n str, &'w Wheel)> {
        let at = self.files.partition_point(|file| file.path.as_str() < name);
        let file = self.files[at..].iter().find(|file| {
            let rest = file.path.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })?;
        Some((name.strip_prefix(ROOT)?, file.wheel()?))
    }

    /// What became of files that collided.
    pub(super) fn settled(&self) -> &Settled {
        &self.settled
    }

    /// The files, sorted by path as bytes.
    pub(super) fn files(&self) -> &[LayerFile<'w>] {
        &self.files
    }
}

/// Files of one path become one: they are the same, since all that differed was settled.
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

/// No path of a file may be that of a folder of another.
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

/// The files of one wheel, with those that an installer adds, but for the `RECORD`.
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
            // Bytecode that came in the wheel may be of any release, and stale.
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

/// The files of one wheel with the `RECORD` of them.
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
        // A script of that size is a program, and its first bytes name no interpreter.
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

/// The source that a `.pyc` file is the bytecode of.
pub(super) fn source_of(pyc: &str) -> String {
    let (folder, name) = pyc.rsplit_once('/').unwrap_or(("", pyc));
    let folder = folder.strip_suffix("__pycache__").unwrap_or(folder);
    format!("{folder}{}.py", name.split('.').next().unwrap_or(name))
}

/// The layer's own `RECORD` for these files and itself.
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

/// A field of CSV.
fn quoted(field: &str) -> std::borrow::Cow<'_, str> {
    if field.contains([',', '"']) {
        format!("\"{}\"", field.replace('"', "\"\"")).into()
    } else {
        field.into()
    }
}
