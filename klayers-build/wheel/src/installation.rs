//! Decides where an installer puts the files of a wheel ([specification][spec]).
//!
//! [spec]: https://packaging.python.org/en/latest/specifications/binary-distribution-format/#installing-a-wheel-distribution-1-0-py32-none-any-whl

use std::collections::BTreeMap;

use klayers_core::PackageName;

use super::{EntryError, EntryPath, EntryPoint, RuleError};
use crate::nested_paths::find_path_below_file;

/// Files of a `.dist-info` folder that an installer writes itself, even if the wheel has them.
const WRITTEN_ANEW: [&str; 4] = ["RECORD", "INSTALLER", "REQUESTED", "direct_url.json"];
/// The origin of those files, in error messages.
const INSTALLER: &str = "what an installer writes";

/// The destinations of the files of one wheel.
#[derive(Clone, Copy, Debug)]
pub struct Installation<'a> {
    /// The name of its `.dist-info` folder.
    pub dist_info: &'a str,
    /// The package. Its headers get a folder with its name.
    pub package: &'a PackageName,
}

/// The destination of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Destination {
    /// Its path below the root of Python's path.
    pub path: String,
    /// Whether it is a script whose first line names the interpreter.
    pub script: bool,
}

impl Installation<'_> {
    /// Returns the destination of a file. None if an installer writes the file itself.
    ///
    /// # Errors
    ///
    /// If an installer would refuse its place.
    pub fn destination(&self, path: &EntryPath) -> Result<Option<Destination>, RuleError> {
        let name = path.as_str();
        if self.is_written_anew(name) {
            return Ok(None);
        }
        let plain = |path: String| Ok(Some(Destination { path, script: false }));
        let stem = self.dist_info.strip_suffix(".dist-info").unwrap_or(self.dist_info);
        let inside = name.strip_prefix(stem).and_then(|rest| rest.strip_prefix(".data/"));
        let Some(inside) = inside else {
            if is_foreign_data(name) {
                return Err(RuleError::Entry {
                    entry: path.clone(),
                    fault: EntryError::DataScheme,
                });
            }
            return plain(name.to_owned());
        };
        match inside.split_once('/') {
            Some(("purelib" | "platlib" | "data", path)) => plain(path.to_owned()),
            Some(("headers", path)) => {
                plain(format!("include/{}/{path}", self.package.normalized()))
            }
            Some(("scripts", path)) => {
                Ok(Some(Destination { path: format!("bin/{path}"), script: true }))
            }
            _ => Err(RuleError::Entry { entry: path.clone(), fault: EntryError::DataScheme }),
        }
    }

    /// Returns all destinations with their origins: the path of a file in the wheel, the scripts of
    /// its entry points, or the installer. An error if two files have one destination, or if one
    /// would be below another.
    ///
    /// # Errors
    ///
    /// If two files would get one place, or one a place below another.
    pub fn destinations<'w>(
        &self,
        files: impl IntoIterator<Item = &'w EntryPath>,
        scripts: &[EntryPoint],
    ) -> Result<BTreeMap<String, &'w str>, RuleError> {
        let same = |first: &str, second: &str, destination: &str| RuleError::SameDestination {
            first: first.to_owned(),
            second: second.to_owned(),
            destination: destination.to_owned(),
        };
        let mut destinations: BTreeMap<String, &str> = BTreeMap::new();
        let mut add = |destination: String, from: &'w str| {
            if let Some(other) = destinations.get(&destination) {
                return Err(same(other, from, &destination));
            }
            destinations.insert(destination, from);
            Ok(())
        };
        for path in files {
            if let Some(destination) = self.destination(path)? {
                add(destination.path, path.as_str())?;
            }
        }
        for script in scripts {
            add(format!("bin/{}", script.name), "entry_points.txt")?;
        }
        for file in WRITTEN_ANEW {
            add(format!("{}/{file}", self.dist_info), INSTALLER)?;
        }
        match find_path_below_file(destinations.keys().map(|path| (path.as_str(), true))) {
            Some((file, below)) => Err(same(destinations[file], destinations[below], below)),
            None => Ok(destinations),
        }
    }

    fn is_written_anew(&self, name: &str) -> bool {
        let file = name.strip_prefix(self.dist_info).and_then(|rest| rest.strip_prefix('/'));
        file.is_some_and(|file| WRITTEN_ANEW.contains(&file))
    }
}

/// Whether a file is in the `.data` folder of another distribution. An installer spreads out only
/// the wheel's own `.data` folder, and would install this one as it is.
fn is_foreign_data(name: &str) -> bool {
    let folder = name.split_once('/').and_then(|(folder, _)| folder.strip_suffix(".data"));
    folder.is_some_and(|stem| stem.contains('-'))
}
