//! Where an installer puts the files of a wheel ([specification][spec]).
//!
//! [spec]: https://packaging.python.org/en/latest/specifications/binary-distribution-format/#installing-a-wheel-distribution-1-0-py32-none-any-whl

use std::collections::BTreeMap;

use klayers_core::PackageName;

use super::{EntryFault, EntryPath, EntryPoint, Rule};
use crate::nesting::below_a_file;

/// The files of a `.dist-info` folder that an installer writes itself, whatever a wheel has there.
const WRITTEN_ANEW: [&str; 4] = ["RECORD", "INSTALLER", "REQUESTED", "direct_url.json"];
/// Where those come from, in an error message.
const INSTALLER: &str = "what an installer writes";

/// Where files of one wheel go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Installation<'a> {
    /// The name of its `.dist-info` folder.
    pub(crate) dist_info: &'a str,
    /// The package, whose headers have a folder of their own.
    pub(crate) package: &'a PackageName,
}

/// The place of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Destination {
    /// Its path below the root of Python's path.
    pub(crate) path: String,
    /// Whether it is a script, whose first line is to name the interpreter.
    pub(crate) script: bool,
}

impl Installation<'_> {
    /// Where a file goes; nowhere if an installer writes it anew.
    pub(crate) fn destination(&self, path: &EntryPath) -> Result<Option<Destination>, Rule> {
        let name = path.as_str();
        if self.is_written_anew(name) {
            return Ok(None);
        }
        let plain = |path: String| Ok(Some(Destination { path, script: false }));
        let stem = self.dist_info.strip_suffix(".dist-info").unwrap_or(self.dist_info);
        let inside = name.strip_prefix(stem).and_then(|rest| rest.strip_prefix(".data/"));
        let Some(inside) = inside else {
            if is_foreign_data(name) {
                return Err(Rule::Entry { entry: path.clone(), fault: EntryFault::DataScheme });
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
            _ => Err(Rule::Entry { entry: path.clone(), fault: EntryFault::DataScheme }),
        }
    }

    /// Where all of them go, and what comes there: a file of the wheel, by its name in it, a script
    /// of its entry points, or what an installer writes. No two go to one place, and none below
    /// another.
    pub(crate) fn destinations<'w>(
        &self,
        files: impl IntoIterator<Item = &'w EntryPath>,
        scripts: &[EntryPoint],
    ) -> Result<BTreeMap<String, &'w str>, Rule> {
        let same = |first: &str, second: &str, destination: &str| Rule::SameDestination {
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
        match below_a_file(destinations.keys().map(|path| (path.as_str(), true))) {
            Some((file, below)) => Err(same(destinations[file], destinations[below], below)),
            None => Ok(destinations),
        }
    }

    fn is_written_anew(&self, name: &str) -> bool {
        let file = name.strip_prefix(self.dist_info).and_then(|rest| rest.strip_prefix('/'));
        file.is_some_and(|file| WRITTEN_ANEW.contains(&file))
    }
}

/// Whether a file is in the `.data` folder of another distribution. Where the wheel's own would be
/// spread out, an installer leaves it lying.
fn is_foreign_data(name: &str) -> bool {
    let folder = name.split_once('/').and_then(|(folder, _)| folder.strip_suffix(".data"));
    folder.is_some_and(|stem| stem.contains('-'))
}
