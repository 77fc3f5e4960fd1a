//! The files that processes loaded while importing a layer's modules, from their memory maps.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use klayers_core::BaseImage;

use super::{Finding, ImportReport, LayerFile, Missing, ModuleOutcome};
use klayers_wheel::NativeLibrary;

/// Size limit for reading a library to find out its name, in bytes.
const MAX_SIZE: u64 = 256 << 20;
/// Prefixes of files that the process created itself, as it may in a function.
const MADE_BY_PROCESS: [&str; 3] = ["/tmp/", "/dev/", "/memfd:"];

/// The libraries and programs that were mapped while modules were imported.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LoadedFiles {
    /// Files of the layer, by path in it, for example `python/numpy/_core/x.so`.
    pub of_layer: BTreeSet<String>,
    /// Files of this machine that the interpreter does not load itself, each with the modules whose
    /// imports loaded it.
    pub of_machine: BTreeMap<PathBuf, BTreeSet<String>>,
}

/// A library of this machine that importing a module loaded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct MachineLibrary {
    /// The name by which other libraries require it.
    pub(super) name: String,
    /// The file name.
    pub(super) file: String,
    /// The libraries that it needs.
    pub(super) needed: Vec<String>,
    /// The modules whose imports loaded it.
    pub(super) modules: BTreeSet<String>,
}

impl LoadedFiles {
    /// Adds the files that a process had mapped after importing a module. `layer` is the layer's
    /// folder as the process saw it. `ignored` are files and folders that belong to the interpreter
    /// or to the runtime.
    pub(super) fn add(
        &mut self,
        module: &str,
        mapped: &[String],
        layer: &Path,
        ignored: &BTreeSet<PathBuf>,
    ) {
        for path in mapped {
            let path = path.strip_suffix(" (deleted)").unwrap_or(path);
            let made = MADE_BY_PROCESS.iter().any(|start| path.starts_with(start));
            let path = Path::new(path);
            if let Ok(inside) = path.strip_prefix(layer) {
                self.of_layer.insert(inside.display().to_string());
            } else if !made && !path.ancestors().any(|path| ignored.contains(path)) {
                let modules = self.of_machine.entry(path.to_owned()).or_default();
                modules.insert(module.to_owned());
            }
        }
    }

    /// Returns the libraries of this machine that the runtime does not have.
    pub(super) fn foreign(&self, image: &BaseImage) -> Vec<MachineLibrary> {
        let mut libraries = self.libraries();
        libraries.retain(|library| is_foreign(&library.name, image));
        libraries
    }

    /// Reads the names of this machine's libraries. If a library cannot be read, its file name is
    /// used.
    fn libraries(&self) -> Vec<MachineLibrary> {
        let read = |(path, modules): (&PathBuf, &BTreeSet<String>)| {
            // The path comes from the process and cannot be trusted.
            let shown = |name: &str| name.replace(char::is_control, "\u{fffd}");
            let file = shown(&path.file_name().unwrap_or_default().to_string_lossy());
            let library = read(path);
            let soname = library.as_ref().and_then(|library| library.soname.as_deref());
            MachineLibrary {
                name: soname.map_or_else(|| file.clone(), shown),
                file,
                needed: library.map(|library| library.needed).unwrap_or_default(),
                modules: modules.clone(),
            }
        };
        self.of_machine.iter().map(read).collect()
    }

    fn has(&self, file: &LayerFile) -> bool {
        self.of_layer.contains(&format!("python/{}", installed(&file.path)))
    }
}

/// Reads a library of this machine. The path comes from an untrusted process, so the file is only
/// read if it is a regular file of limited size.
fn read(path: &Path) -> Option<NativeLibrary> {
    let metadata = std::fs::metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > MAX_SIZE {
        return None;
    }
    let bytes = std::fs::read(path).ok()?;
    NativeLibrary::read(&path.display().to_string(), &bytes).ok()?
}

/// Returns the installed path of a wheel's file below `python/`. Files of a `.data` folder are
/// moved.
fn installed(path: &str) -> &str {
    let Some((folder, inside)) = path.split_once('/') else { return path };
    let in_data = folder.strip_suffix(".data").and_then(|_| inside.split_once('/'));
    in_data.map_or(path, |(_, inside)| inside)
}

/// Updates the findings about a layer's files after its modules were imported: a file that was not
/// loaded is a plugin or a program.
///
/// If an import failed because a library is missing, the files that it would have loaded are not
/// mapped. The findings about wheels with such failures stay as they are. `owners` returns the
/// wheels of a module.
pub(super) fn reconsider(
    findings: &mut [Finding],
    loaded: &LoadedFiles,
    imports: &ImportReport,
    owners: impl Fn(&str) -> Vec<String>,
) {
    let missing_library = imports.failures().filter(|(_, outcome)| {
        matches!(outcome, ModuleOutcome::Failed { missing: Some(Missing::Library(_)), .. })
    });
    let failed: BTreeSet<String> = missing_library.flat_map(|(module, _)| owners(module)).collect();
    for finding in findings {
        match finding {
            Finding::MissingLibrary { file, loaded: is_loaded, .. } => {
                *is_loaded = loaded.has(file) || (*is_loaded && failed.contains(&file.wheel));
            }
            // The loader refuses a library for another processor, so it is never mapped.
            Finding::Machine { loaded: is_loaded, indispensable, .. } => {
                *is_loaded = *is_loaded && *indispensable;
            }
            _ => {}
        }
    }
}

/// Returns findings for libraries that the runtime does not have and no finding names yet: a module
/// loaded them by name. Dependencies of these libraries are omitted.
pub(super) fn outside(foreign: &[MachineLibrary], findings: &[Finding]) -> Vec<Finding> {
    let named: BTreeSet<&str> = findings
        .iter()
        .filter_map(|finding| match finding {
            Finding::MissingLibrary { library, loaded: true, .. } => Some(library.as_str()),
            _ => None,
        })
        .collect();
    let needed: BTreeSet<&str> = foreign
        .iter()
        .flat_map(|library| library.needed.iter().filter(|needed| **needed != library.name))
        .map(String::as_str)
        .collect();
    let is_root = |library: &&MachineLibrary| {
        !needed.contains(library.name.as_str()) && !named.contains(library.name.as_str())
    };
    let roots = foreign.iter().filter(is_root);
    let mut found: Vec<Finding> = roots
        .map(|library| Finding::OutsideLibrary {
            library: library.name.clone(),
            modules: library.modules.iter().cloned().collect(),
        })
        .collect();
    found.dedup();
    found
}

fn is_foreign(name: &str, image: &BaseImage) -> bool {
    !image.has(name) && !of_c_library(name)
}

/// Whether a library is part of the C library and loaded only because of this machine's
/// configuration of user lookup and character conversion.
fn of_c_library(name: &str) -> bool {
    name.starts_with("libnss_") || !name.starts_with("lib") && !name.starts_with("ld-")
}

#[cfg(test)]
mod tests {
    use klayers_core::{Architecture, PythonVersion, Runtimes};

    use super::*;

    fn image() -> BaseImage {
        let runtimes = Runtimes::default();
        let runtime = runtimes.get(PythonVersion::new(3, 12)).expect("known");
        runtime.base_image(Architecture::X86_64)
    }

    fn library(name: &str, needed: &[&str]) -> MachineLibrary {
        MachineLibrary {
            name: name.to_owned(),
            file: name.to_owned(),
            needed: needed.iter().map(|needed| (*needed).to_owned()).collect(),
            modules: BTreeSet::from(["m".to_owned()]),
        }
    }

    fn outside_names(libraries: &[MachineLibrary], findings: &[Finding]) -> Vec<String> {
        let name = |finding: Finding| match finding {
            Finding::OutsideLibrary { library, .. } => library,
            other => panic!("{other:?}"),
        };
        let mut foreign = libraries.to_vec();
        foreign.retain(|library| is_foreign(&library.name, &image()));
        outside(&foreign, findings).into_iter().map(name).collect()
    }

    #[test]
    fn libraries_that_only_this_machine_has_are_found() {
        let libraries = [
            library("libGL.so.1", &["libGLX.so.0", "libc.so.6"]),
            library("libGLX.so.0", &["libX11.so.6"]),
            library("libX11.so.6", &[]),
            library("libstdc++.so.6", &["libm.so.6"]),
            library("libnss_systemd.so.2", &[]),
            library("UTF-16.so", &[]),
        ];
        assert_eq!(outside_names(&libraries, &[]), ["libGL.so.1"]);
        let file = LayerFile { wheel: "w".to_owned(), path: "x.so".to_owned() };
        let library = "libGL.so.1".to_owned();
        let mut known = [Finding::MissingLibrary { file, library, loaded: true }];
        assert_eq!(outside_names(&libraries, &known), [""; 0], "it is reported already");
        if let Finding::MissingLibrary { loaded, .. } = &mut known[0] {
            *loaded = false;
        }
        assert_eq!(outside_names(&libraries, &known), ["libGL.so.1"]);
    }

    #[test]
    fn mapped_files_are_sorted_by_owner() {
        let mut loaded = LoadedFiles::default();
        let ignored = BTreeSet::from(["/py/lib".into(), "/lib/libz.so.1".into()]);
        let mapped =
            ["/opt/python/a.so", "/py/lib/x/_ssl.so", "/lib/libz.so.1", "/lib/libgomp.so.1"];
        loaded.add("a", &mapped.map(str::to_owned), Path::new("/opt"), &ignored);
        loaded.add("b", &["/lib/libgomp.so.1".to_owned()], Path::new("/opt"), &ignored);
        assert_eq!(loaded.of_layer, BTreeSet::from(["python/a.so".to_owned()]));
        let modules = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        assert_eq!(loaded.of_machine, BTreeMap::from([("/lib/libgomp.so.1".into(), modules)]));
    }

    #[test]
    fn control_characters_in_file_names_are_replaced() {
        let path = PathBuf::from("/no/such/libx\u{1b}[2J.so");
        let of_machine = BTreeMap::from([(path, BTreeSet::new())]);
        let loaded = LoadedFiles { of_machine, ..LoadedFiles::default() };
        assert_eq!(loaded.libraries()[0].name, "libx\u{fffd}[2J.so");
    }

    #[test]
    fn files_of_data_folders_are_found_at_their_installed_paths() {
        for (path, expected) in [
            ("p/x.so", "p/x.so"),
            ("p-1.data/platlib/p/x.so", "p/x.so"),
            ("p-1.data/data/lib/libx.so", "lib/libx.so"),
        ] {
            assert_eq!(installed(path), expected);
        }
    }
}
