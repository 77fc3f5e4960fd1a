//! The modules of a layer, and those whose import shows whether the layer works.
//!
//! A namespace package such as `google` or `azure` can be imported as soon as its folder exists, so
//! its import shows nothing. The first regular packages below the namespace are imported instead:
//! `google.cloud.storage` for google-cloud-storage.

use std::collections::{BTreeMap, BTreeSet};

use klayers_core::PackageName;

use super::layout::{LayerFile, ROOT};
use super::namespace::{Declaration, LARGEST_DECLARATION, declaration};
use super::{AssembleError, Layer};
use crate::gate::{Distribution, RootModule, is_hidden};
use klayers_wheel::Wheel;

/// Limit on the packages that are imported below one namespace of a distribution.
const MAX_PACKAGES: usize = 8;

impl Layer<'_> {
    /// Returns the layer's top-level modules and packages, sorted.
    pub fn modules(&self) -> Vec<String> {
        let paths = self.layout.files().iter().map(|file| file.path.as_str());
        let roots: BTreeSet<&str> = paths.filter_map(|path| path.strip_prefix(ROOT)).collect();
        let is_there = |module: &&String| {
            let (folder, file) = (format!("{module}/"), format!("{module}."));
            [folder, file].iter().any(|start| {
                roots.range(start.as_str()..).next().is_some_and(|path| path.starts_with(start))
            })
        };
        let all: BTreeSet<&String> =
            self.wheels.iter().flat_map(|wheel| &wheel.inventory().modules).collect();
        all.into_iter().filter(is_there).cloned().collect()
    }

    /// Returns the layer's distributions with their modules, in the order of its wheels. Their
    /// `requires` is empty.
    ///
    /// # Errors
    ///
    /// If an `__init__.py` of a wheel can no longer be read.
    pub fn distributions(&self) -> Result<Vec<Distribution>, AssembleError> {
        let mut namespaces = Namespaces::of(self.layout.files());
        let of_layer = self.modules();
        let mut found: BTreeMap<&PackageName, BTreeMap<&str, Parts>> = BTreeMap::new();
        for file in self.layout.files() {
            let (Some(wheel), Some(path)) = (file.wheel(), file.path.strip_prefix(ROOT)) else {
                continue;
            };
            let root = path.split(['/', '.']).next().unwrap_or(path);
            if !wheel.inventory().modules.iter().any(|module| module == root)
                || of_layer.binary_search_by(|module| module.as_str().cmp(root)).is_err()
            {
                continue;
            }
            let parts = found.entry(wheel.name()).or_default().entry(root).or_default();
            let size = file.source.size();
            parts.size += size;
            match namespaces.first_below(path)? {
                Some(FirstImportable::Package(folder)) => {
                    *parts.packages.entry(folder).or_default() += size;
                }
                Some(FirstImportable::Module(module)) => {
                    *parts.modules.entry(module).or_default() += size;
                }
                None => {}
            }
        }
        let distribution = |wheel: &Wheel| {
            let modules = found.remove(wheel.name()).unwrap_or_default().into_iter();
            Distribution {
                package: wheel.name().clone(),
                wheel: wheel.filename().to_string(),
                modules: modules
                    .flat_map(|(root, parts)| parts.chosen(root, wheel.name()))
                    .collect(),
                requires: Vec::new(),
            }
        };
        Ok(self.wheels.iter().map(distribution).collect())
    }
}

/// The parts of a distribution at or below one top-level name, with the sizes of their files in
/// bytes.
#[derive(Debug, Default)]
struct Parts<'p> {
    size: u64,
    /// First regular packages, by folder.
    packages: BTreeMap<&'p str, u64>,
    /// Modules directly in namespaces, by path without extension.
    modules: BTreeMap<&'p str, u64>,
}

impl Parts<'_> {
    fn chosen(self, root: &str, package: &PackageName) -> Vec<RootModule> {
        let named =
            |name: &str, size| RootModule { name: name.replace('/', "."), size, namespace: false };
        let is_root = |parts: &BTreeMap<&str, u64>| parts.contains_key(root);
        if is_root(&self.packages) || is_root(&self.modules) {
            return vec![named(root, self.size)];
        }
        let of = |parts: BTreeMap<&str, u64>| {
            let mut all: Vec<RootModule> =
                parts.into_iter().map(|(path, size)| named(path, size)).collect();
            if all.iter().any(|module| !is_hidden(&module.name)) {
                all.retain(|module| !is_hidden(&module.name));
            }
            all.sort_by_key(|module| {
                (!module.is_named_as(package), std::cmp::Reverse(module.size))
            });
            all
        };
        let (mut packages, mut modules) = (of(self.packages), of(self.modules));
        packages.truncate(MAX_PACKAGES);
        // A namespace that only has modules, one for each part of an API, may have hundreds.
        modules.truncate(1);
        if packages.is_empty() {
            packages = modules;
        }
        if packages.is_empty() {
            packages = vec![RootModule { name: root.to_owned(), size: self.size, namespace: true }];
        }
        packages.sort_by(|one, other| one.name.cmp(&other.name));
        packages
    }
}

/// The first importable part below namespaces on the path to a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum FirstImportable<'p> {
    /// A regular package, by folder.
    Package(&'p str),
    /// The file itself as a module, by path without extension.
    Module(&'p str),
}

/// Cache of which folders below `python/` are namespaces.
struct Namespaces<'l, 'w> {
    /// The `__init__` files, by folder.
    inits: BTreeMap<&'l str, Vec<&'l LayerFile<'w>>>,
    known: BTreeMap<&'l str, bool>,
}

impl<'l, 'w> Namespaces<'l, 'w> {
    fn of(files: &'l [LayerFile<'w>]) -> Self {
        let mut inits: BTreeMap<&str, Vec<&LayerFile<'w>>> = BTreeMap::new();
        for file in files {
            let path = file.path.strip_prefix(ROOT).and_then(|path| path.rsplit_once('/'));
            if let Some((folder, name)) = path
                && module_name(name) == Some("__init__")
            {
                inits.entry(folder).or_default().push(file);
            }
        }
        Self { inits, known: BTreeMap::new() }
    }

    /// Returns the first importable part on the path to a file. None if there is no such part.
    fn first_below(&mut self, path: &'l str) -> Result<Option<FirstImportable<'l>>, AssembleError> {
        for (at, _) in path.match_indices('/') {
            if !self.is_namespace(&path[..at])? {
                return Ok(Some(FirstImportable::Package(&path[..at])));
            }
        }
        let start = path.rfind('/').map_or(0, |at| at + 1);
        let module = module_name(&path[start..]).filter(|name| *name != "__init__");
        Ok(module.map(|name| FirstImportable::Module(&path[..start + name.len()])))
    }

    /// Whether a folder has no `__init__` file, or one that only declares a namespace.
    fn is_namespace(&mut self, folder: &'l str) -> Result<bool, AssembleError> {
        if let Some(known) = self.known.get(folder) {
            return Ok(*known);
        }
        let mut is_namespace = true;
        for file in self.inits.get(folder).into_iter().flatten() {
            is_namespace &= match (file.wheel(), file.entry) {
                (Some(wheel), Some(entry)) if entry.content.size <= LARGEST_DECLARATION => {
                    let declared = declaration(&wheel.read(entry)?);
                    matches!(declared, Some(Declaration::PkgResources | Declaration::Pkgutil))
                }
                _ => false,
            };
        }
        self.known.insert(folder, is_namespace);
        Ok(is_namespace)
    }
}

/// Returns the module name of a file. None if the file is not a module.
fn module_name(file: &str) -> Option<&str> {
    let ((name, _), (stem, extension)) = (file.split_once('.')?, file.rsplit_once('.')?);
    // An extension module may have a tag: `_x.cpython-312-x86_64-linux-gnu.so`.
    let is_module = extension == "so" || (extension == "py" && stem == name);
    (is_module && !name.is_empty()).then_some(name)
}
