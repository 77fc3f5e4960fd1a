use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::system;
use crate::command::CommandError;

/// Default size of a Lambda function's `/tmp`, in MiB.
const TEMPORARY_MIB: u32 = 512;

/// What a confined program sees besides the system, and where it may write.
///
/// The program always has its own `/tmp`, which is empty at the start and deleted at the end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct View {
    /// Read-only files and folders: path inside to path outside.
    pub(super) readable: BTreeMap<PathBuf, PathBuf>,
    /// Writable folders, with the same path inside and outside.
    pub(super) writable: BTreeMap<PathBuf, PathBuf>,
    /// The complete environment.
    pub(super) variables: BTreeMap<String, String>,
    /// The working folder.
    pub(super) folder: PathBuf,
    /// The size of its `/tmp`, in MiB.
    pub(super) temporary_mib: u32,
    /// Whether it has shared memory. A Lambda function has none.
    pub(super) shared_memory: bool,
    scratch: PathBuf,
}

impl View {
    /// Creates a view of only the system, without a home. If the program cannot have its own
    /// `/tmp`, a folder below `scratch` replaces it.
    pub(crate) fn new(scratch: &Path) -> Self {
        let variables = [
            ("PATH", super::SEARCH_PATH),
            ("LANG", "C.UTF-8"),
            ("TZ", "UTC"),
            ("HOME", system::NO_HOME),
            ("TMPDIR", "/tmp"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            readable: BTreeMap::new(),
            writable: BTreeMap::new(),
            variables: variables.into(),
            folder: PathBuf::from("/"),
            temporary_mib: TEMPORARY_MIB,
            shared_memory: false,
            scratch: scratch.to_owned(),
        }
    }

    /// Shows a file or folder, read-only. A program without its own root sees it under its path
    /// outside; [`seen`](super::Confinement::seen) returns the path that applies.
    #[must_use]
    pub(crate) fn read(mut self, outside: &Path, inside: &Path) -> Self {
        self.readable.insert(inside.to_owned(), outside.to_owned());
        self
    }

    /// Shows files and folders, read-only, under their own paths.
    #[must_use]
    pub(crate) fn read_all<'a>(mut self, paths: impl IntoIterator<Item = &'a PathBuf>) -> Self {
        self.readable.extend(paths.into_iter().map(|path| (path.clone(), path.clone())));
        self
    }

    /// Shows a writable folder under its own path.
    #[must_use]
    pub(crate) fn write(mut self, folder: &Path) -> Self {
        self.writable.insert(folder.to_owned(), folder.to_owned());
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub(crate) fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// Starts the program in this folder, if it exists.
    #[must_use]
    pub(crate) fn in_folder(self, folder: &Path) -> Self {
        Self { folder: folder.to_owned(), ..self }
    }

    /// Gives the program shared memory, in `/dev/shm`.
    #[must_use]
    pub(crate) fn with_shared_memory(self) -> Self {
        Self { shared_memory: true, ..self }
    }

    /// Creates a folder that replaces `/tmp`.
    pub(super) fn temporary(&self) -> Result<TempDir, CommandError> {
        let made = tempfile::Builder::new().prefix("confined-").tempdir_in(&self.scratch);
        made.map_err(CommandError::Start)
    }

    /// Resolves the symbolic links in all paths outside. If `temporary` is given, it replaces
    /// `/tmp`.
    pub(super) fn resolved(&self, temporary: Option<&Path>) -> io::Result<Self> {
        let mut view = self.clone();
        view.readable = resolved(&self.readable)?;
        view.writable = resolved(&self.writable)?;
        if let Some(folder) = temporary {
            if let Some(named) = view.variables.get_mut("TMPDIR").filter(|named| *named == "/tmp") {
                *named = folder.display().to_string();
            }
            view.writable.insert(folder.to_owned(), folder.canonicalize()?);
        }
        Ok(view)
    }

    /// Returns this view as mounts that can be made one after the other, so that nothing has to be
    /// mounted into a read-only folder that lacks the mount point. A folder that contains the mount
    /// point of another one is replaced by its entries.
    pub(super) fn exploded(mut self) -> io::Result<Self> {
        // The system's folders already show these.
        self.readable.retain(|inside, outside| {
            inside != outside || !system::FOLDERS.iter().any(|folder| inside.starts_with(folder))
        });
        while let Some((inside, outside)) = self.readable.iter().find_map(|(inside, outside)| {
            let places = self.readable.keys().chain(self.writable.keys());
            let mut below = places.filter(|place| *place != inside && place.starts_with(inside));
            let is_shown = |place: &PathBuf| {
                let rest = place.strip_prefix(inside).unwrap_or(place);
                self.readable.get(place).is_some_and(|shown| *shown == outside.join(rest))
            };
            below.any(|place| !is_shown(place)).then(|| (inside.clone(), outside.clone()))
        }) {
            self.readable.remove(&inside);
            for entry in fs::read_dir(&outside)? {
                let entry = entry?;
                let place = inside.join(entry.file_name());
                // Paths named by the caller take precedence.
                if !self.readable.contains_key(&place) && entry.path().exists() {
                    self.readable.insert(place, entry.path().canonicalize()?);
                }
            }
        }
        // Paths that another mount already shows are not needed.
        let readable = self.readable.clone();
        self.readable.retain(|inside, outside| {
            !readable.iter().any(|(folder, shown)| {
                inside != folder
                    && inside.strip_prefix(folder).is_ok_and(|rest| shown.join(rest) == *outside)
            })
        });
        Ok(self)
    }
}

/// Resolves the symbolic links in each path. A path that changes is shown under both names.
fn resolved(paths: &BTreeMap<PathBuf, PathBuf>) -> io::Result<BTreeMap<PathBuf, PathBuf>> {
    let mut all = BTreeMap::new();
    for (inside, outside) in paths {
        let real = outside.canonicalize()?;
        if inside == outside {
            all.insert(real.clone(), real.clone());
        }
        all.insert(inside.clone(), real);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mounts of a view, with paths relative to a folder.
    fn places(view: &View, folder: &Path) -> Vec<(String, String)> {
        let below = |path: &Path| {
            path.strip_prefix(folder).map_or_else(|_| path.to_owned(), Path::to_owned)
        };
        let shown = view.resolved(None).and_then(View::exploded).expect("a view").readable;
        let text = |path: &Path| below(path).display().to_string();
        shown.iter().map(|(inside, outside)| (text(inside), text(outside))).collect()
    }

    #[test]
    fn interpreter_below_opt_is_shown_beside_the_content_of_the_layer() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().canonicalize().expect("a folder");
        for path in ["layer/python/six", "layer/lib", "opt/python/cp312/bin"] {
            fs::create_dir_all(folder.join(path)).expect("a folder");
        }
        let opt = folder.join("opt");
        let view = View::new(&folder)
            .read(&folder.join("layer"), &opt)
            .read(&opt.join("python/cp312"), &opt.join("python/cp312"));
        let expected = [
            ("opt/lib", "layer/lib"),
            ("opt/python/cp312", "opt/python/cp312"),
            ("opt/python/six", "layer/python/six"),
        ];
        let expected = expected.map(|(inside, outside)| (inside.to_owned(), outside.to_owned()));
        assert_eq!(places(&view, &folder), expected);
    }

    #[test]
    fn paths_that_a_folder_shows_are_not_mounted_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().canonicalize().expect("a folder");
        fs::create_dir_all(folder.join("prefix/lib/python3")).expect("a folder");
        let (lib, stdlib) = (folder.join("prefix/lib"), folder.join("prefix/lib/python3"));
        let usr = PathBuf::from("/usr/lib");
        let view = View::new(&folder).read_all([&lib, &stdlib, &usr]);
        let lib = "prefix/lib".to_owned();
        assert_eq!(places(&view, &folder), [(lib.clone(), lib)]);
    }
}
