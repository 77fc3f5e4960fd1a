use std::collections::{BTreeMap, BTreeSet};

use klayers_core::{AbiVersion, BaseImage, Runtime, Target};

use super::{Finding, LayerFile};
use klayers_wheel::{Class, Interface, NativeLibrary, RequiredVersion};

/// Features of the C library that are required like versions, with the first version that has them.
/// A loader refuses a library that requires an unknown feature.
const GLIBC_FEATURES: [(&str, AbiVersion); 4] = [
    ("GLIBC_ABI_DT_RELR", AbiVersion::new(2, 36)),
    ("GLIBC_ABI_DT_X86_64_PLT", AbiVersion::new(2, 42)),
    ("GLIBC_ABI_GNU2_TLS", AbiVersion::new(2, 42)),
    ("GLIBC_ABI_GNU_TLS", AbiVersion::new(2, 42)),
];
/// Versions without a number that all runtimes' C++ libraries have.
const KNOWN_NAMES: [&str; 2] = ["CXXABI_FLOAT128", "CXXABI_TM_1"];

/// Checks whether the target can load a layer's native libraries. Each library comes with the file
/// name of its wheel. `files` are the paths or names of all files in the layer.
///
/// A needed library counts as present if any folder of the layer has a file of its name or a
/// library with its soname, since the search path depends on which libraries were loaded before. A
/// library that the runtime has is taken from the runtime, even if the layer has one of the same
/// name, since Lambda searches the system's folders first.
///
/// An extension module that is tagged for another Python or processor is never loaded. This is
/// accepted if the layer has a fitting one of the same name; nothing else about it is checked.
pub fn check_native<'a>(
    libraries: &[(&str, &NativeLibrary)],
    files: impl IntoIterator<Item = &'a str>,
    target: Target,
    runtime: &Runtime,
) -> Vec<Finding> {
    let image = runtime.base_image(target.architecture);
    let mut names: BTreeSet<&str> = files.into_iter().map(base_name).collect();
    names.extend(libraries.iter().filter_map(|(_, library)| library.soname.as_deref()));
    let modules =
        ExtensionModules::new(libraries.iter().map(|(_, library)| library.path.as_str()), target);
    let loaded = loaded_by_modules(libraries, &modules);
    // Some wheels have a library for each processor and choose one when they are imported.
    let fitting = || libraries.iter().filter(|(_, library)| fits(library, target));
    let names_of_fitting: BTreeSet<&str> =
        fitting().map(|(_, library)| base_name(&library.path)).collect();
    let wheels_with_fitting: BTreeSet<&str> = fitting().map(|(wheel, _)| *wheel).collect();
    let mut findings = Vec::new();
    for (wheel, library) in libraries {
        let file = || LayerFile { wheel: (*wheel).to_owned(), path: library.path.clone() };
        if let Some(tag) = modules.foreign_tag(&library.path) {
            if !modules.has_fitting(&library.path) {
                findings.push(Finding::OtherPython { file: file(), tag: tag.to_owned(), target });
            }
            continue;
        }
        if !fits(library, target) {
            let (machine, class) = (library.machine, library.class);
            let loaded =
                !is_program(library) && !names_of_fitting.contains(base_name(&library.path));
            let indispensable = library.is_module || !wheels_with_fitting.contains(wheel);
            let file = file();
            let finding = Finding::Machine { file, machine, class, target, loaded, indispensable };
            findings.push(finding);
            // Its dependencies concern another system.
            continue;
        }
        findings.extend(library.versions.iter().filter_map(|required| {
            let provided_by_layer = names.contains(required.library.as_str());
            if provided_by_layer && !image.has(&required.library) {
                return None;
            }
            check_version(required, &image, file)
        }));
        let loaded = loaded.contains(library.path.as_str());
        let missing = library.needed.iter().filter(|needed| {
            // The loader replaces the variable by the folder of the requiring library.
            let name = if needed.starts_with("$ORIGIN/") { base_name(needed) } else { needed };
            !image.has(name) && !names.contains(name)
        });
        findings.extend(missing.map(|library| {
            let (file, library) = (file(), library.clone());
            Finding::MissingLibrary { file, library, loaded }
        }));
    }
    findings
}

/// Whether a file is built for the target's processor.
fn fits(library: &NativeLibrary, target: Target) -> bool {
    library.class == Class::Elf64 && library.machine.is_for(target.architecture)
}

/// Whether a file is a program and not a library that could be loaded.
fn is_program(library: &NativeLibrary) -> bool {
    let name = base_name(&library.path);
    !library.is_module && library.soname.is_none() && !name.contains(".so")
}

/// Returns the paths of the libraries that are loaded when Python imports the layer's modules: the
/// extension modules and their dependencies. Other files are plugins and programs.
fn loaded_by_modules<'a>(
    libraries: &[(&str, &'a NativeLibrary)],
    modules: &ExtensionModules<'_>,
) -> BTreeSet<&'a str> {
    let mut by_name: BTreeMap<&str, &'a NativeLibrary> = BTreeMap::new();
    for (_, library) in libraries {
        by_name.insert(base_name(&library.path), library);
        by_name.extend(library.soname.as_deref().map(|soname| (soname, *library)));
    }
    let is_imported = |library: &&NativeLibrary| {
        library.is_module && modules.foreign_tag(&library.path).is_none()
    };
    let mut waiting: Vec<&NativeLibrary> =
        libraries.iter().map(|(_, library)| *library).filter(is_imported).collect();
    let mut loaded = BTreeSet::new();
    while let Some(library) = waiting.pop() {
        if loaded.insert(library.path.as_str()) {
            let needed = library.needed.iter().map(|needed| base_name(needed));
            waiting.extend(needed.filter_map(|needed| by_name.get(needed).copied()));
        }
    }
    loaded
}

fn check_version(
    required: &RequiredVersion,
    image: &BaseImage,
    file: impl Fn() -> LayerFile,
) -> Option<Finding> {
    let (interface, number) = required.interface()?;
    let feature = GLIBC_FEATURES.iter().find(|(name, _)| *name == required.name);
    let Some(number) = number.or(feature.map(|(_, since)| *since)) else {
        // This includes `GLIBC_PRIVATE`, which every C library has, each with different symbols.
        let known = KNOWN_NAMES.contains(&required.name.as_str());
        let unknown = || Finding::UnknownVersion { file: file(), required: required.clone() };
        return (!known).then(unknown);
    };
    let newest = match interface {
        Interface::Glibc => image.glibc,
        Interface::Glibcxx => image.glibcxx,
        Interface::Cxxabi => image.cxxabi,
    };
    let newer = || Finding::NewerVersion { file: file(), required: required.clone(), newest };
    (number > newest).then(newer)
}

fn base_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The extension modules of a layer.
struct ExtensionModules<'a> {
    /// Whether the target loads a file of this module, by path without tag and extension.
    fitting: BTreeMap<&'a str, bool>,
    expected: String,
}

impl<'a> ExtensionModules<'a> {
    fn new(paths: impl Iterator<Item = &'a str>, target: Target) -> Self {
        let (python, machine) = (target.python, target.architecture.machine());
        let expected = format!("cpython-{}{}-{machine}-linux-gnu", python.major(), python.minor());
        let mut fitting = BTreeMap::new();
        for path in paths {
            if let Some((module, tag)) = module_and_tag(path) {
                let fits = fitting.entry(module).or_default();
                *fits |= tag.is_none_or(|tag| tag == expected || tag == "abi3");
            }
        }
        Self { fitting, expected }
    }

    /// Returns the tag of an extension module if the target's Python does not look for it.
    fn foreign_tag<'p>(&self, path: &'p str) -> Option<&'p str> {
        let (_, tag) = module_and_tag(path)?;
        tag.filter(|tag| *tag != self.expected && *tag != "abi3")
    }

    /// Whether the target's Python loads another file of the same module.
    fn has_fitting(&self, path: &str) -> bool {
        module_and_tag(path).is_some_and(|(module, _)| self.fitting.get(module) == Some(&true))
    }
}

/// Splits the path of a `.so` file into the path of its module and its tag, if any
/// ([PEP 3149](https://peps.python.org/pep-3149/)).
///
/// A dot in a name does not always start a tag: `libfoo.2.so` is a plain library.
fn module_and_tag(path: &str) -> Option<(&str, Option<&str>)> {
    let stem = path.strip_suffix(".so")?;
    let at = path.len() - base_name(path).len();
    let tagged = stem[at..].find('.').map(|dot| (&stem[..at + dot], &stem[at + dot + 1..]));
    Some(match tagged {
        Some((module, tag))
            if tag == "abi3"
                || ["cpython-", "pypy", "graalpy"].iter().any(|kind| tag.starts_with(kind)) =>
        {
            (module, Some(tag))
        }
        _ => (stem, None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_distinguished_from_dots_in_names() {
        let table = [
            (
                "p/x.cpython-311-x86_64-linux-gnu.so",
                Some(("p/x", Some("cpython-311-x86_64-linux-gnu"))),
            ),
            ("x.abi3.so", Some(("x", Some("abi3")))),
            ("x.so", Some(("x", None))),
            ("p.libs/libgfortran-040039e1.so", Some(("p.libs/libgfortran-040039e1", None))),
            ("libfoo.2.so", Some(("libfoo.2", None))),
            ("libfoo.so.2", None),
        ];
        for (path, expected) in table {
            assert_eq!(module_and_tag(path), expected, "{path}");
        }
    }
}
