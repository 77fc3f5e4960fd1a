use std::collections::{BTreeMap, BTreeSet};

use klayers_core::{AbiVersion, BaseImage, Runtime, Target};

use super::{Finding, LayerFile};
use klayers_wheel::{Class, Interface, NativeLibrary, RequiredVersion};

/// Abilities of the C library that are required like versions, and since when it has them. A loader
/// that does not know one refuses the library.
const GLIBC_ABILITIES: [(&str, AbiVersion); 4] = [
    ("GLIBC_ABI_DT_RELR", AbiVersion::new(2, 36)),
    ("GLIBC_ABI_DT_X86_64_PLT", AbiVersion::new(2, 42)),
    ("GLIBC_ABI_GNU2_TLS", AbiVersion::new(2, 42)),
    ("GLIBC_ABI_GNU_TLS", AbiVersion::new(2, 42)),
];
/// Versions without a number that the C++ libraries of all runtimes have.
const KNOWN_NAMES: [&str; 2] = ["CXXABI_FLOAT128", "CXXABI_TM_1"];

/// Holds a layer's native libraries, each with the file name of its wheel, against what the target
/// can load. `files` are the names of all files in the layer, with or without their folders.
///
/// A library that is needed counts as there if the layer has a file of its name, or a library that
/// calls itself so, in whatever folder: where it is looked for depends on who is loaded before. A
/// library that the runtime has is taken from the runtime, even if the layer has another of its
/// name, since Lambda searches the system's folders first.
///
/// An extension module that is tagged for another Python or processor is never loaded. Where the
/// layer has one of the same name that fits, that is in order, and nothing else of it is checked.
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
    // Some wheels hold a library for each processor, and choose while they are imported.
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
            // What it asks for is asked of another system.
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
            // The loader replaces the variable by the folder of the library that asks.
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

/// Whether a file is made for the processor of the target.
fn fits(library: &NativeLibrary, target: Target) -> bool {
    library.class == Class::Elf64 && library.machine.is_for(target.architecture)
}

/// Whether a file is a program, and no library that something could load.
fn is_program(library: &NativeLibrary) -> bool {
    let name = base_name(&library.path);
    !library.is_module && library.soname.is_none() && !name.contains(".so")
}

/// The paths of the libraries that are loaded when Python imports the layer's modules: those
/// modules, and what they ask for. Others are plugins and programs, which work without them.
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
    let ability = GLIBC_ABILITIES.iter().find(|(name, _)| *name == required.name);
    let Some(number) = number.or(ability.map(|(_, since)| *since)) else {
        // `GLIBC_PRIVATE` is among them: every C library has it, and each with other symbols.
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

/// The extension modules of a layer, by their path without tag and ending.
struct ExtensionModules<'a> {
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

    /// The tag of an extension module that the target's Python does not look for.
    fn foreign_tag<'p>(&self, path: &'p str) -> Option<&'p str> {
        let (_, tag) = module_and_tag(path)?;
        tag.filter(|tag| *tag != self.expected && *tag != "abi3")
    }

    /// Whether there is one of its name that the target's Python does load.
    fn has_fitting(&self, path: &str) -> bool {
        module_and_tag(path).is_some_and(|(module, _)| self.fitting.get(module) == Some(&true))
    }
}

/// The module that a `.so` file would be, and its tag if it has one
/// ([PEP 3149](https://peps.python.org/pep-3149/)).
///
/// A dot in a name is not always followed by a tag: `libfoo.2.so` is a plain library.
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
    fn a_tag_is_told_from_a_dot_in_a_name() {
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
