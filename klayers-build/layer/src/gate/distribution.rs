//! The distributions of a layer, as far as judging failed imports needs them.

use std::collections::BTreeSet;

use klayers_core::{PackageName, Target};

use crate::lock::Markers;
use klayers_wheel::is_standard_module;

/// Top-level modules that packages install by accident: tests, documentation, build scripts.
const INCIDENTAL: [&str; 16] = [
    "benchmark",
    "benchmarks",
    "conftest",
    "demo",
    "demos",
    "doc",
    "docs",
    "example",
    "examples",
    "sample",
    "samples",
    "scripts",
    "setup",
    "test",
    "testing",
    "tests",
];

/// Modules whose distribution has another name: (module, distribution). Only used for messages.
const OTHER_NAMES: [(&str, &str); 24] = [
    ("Crypto", "pycryptodome"),
    ("IPython", "ipython"),
    ("MySQLdb", "mysqlclient"),
    ("OpenSSL", "pyOpenSSL"),
    ("PIL", "pillow"),
    ("attr", "attrs"),
    ("bs4", "beautifulsoup4"),
    ("cv2", "opencv-python-headless"),
    ("dateutil", "python-dateutil"),
    ("distutils", "setuptools"),
    ("docx", "python-docx"),
    ("dotenv", "python-dotenv"),
    ("fitz", "PyMuPDF"),
    ("git", "GitPython"),
    ("jose", "python-jose"),
    ("jwt", "PyJWT"),
    ("magic", "python-magic"),
    ("pkg_resources", "setuptools"),
    ("serial", "pyserial"),
    ("skimage", "scikit-image"),
    ("sklearn", "scikit-learn"),
    ("win32api", "pywin32"),
    ("yaml", "PyYAML"),
    ("zmq", "pyzmq"),
];

/// A distribution of a layer, as far as its imports are concerned.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Distribution {
    /// The package.
    pub package: PackageName,
    /// The wheel's file name.
    pub wheel: String,
    /// The modules that are imported to test the distribution, as far as they are in the layer: the
    /// top-level modules, or the first regular ones below a namespace package.
    pub modules: Vec<RootModule>,
    /// The dependencies.
    pub requires: Vec<Dependency>,
}

/// A top-level module or package, or the first regular one below namespaces.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RootModule {
    /// Full name, for example `requests` or `google.cloud.storage`.
    pub name: String,
    /// Total size of its files, in bytes.
    pub size: u64,
    /// Whether it is a namespace without anything to import. Several distributions may share it.
    pub namespace: bool,
}

impl RootModule {
    /// Whether it has the same name as a package, ignoring case and `-`, `_`, `.`.
    pub(crate) fn is_named_as(&self, package: &PackageName) -> bool {
        plain(&self.name) == plain(package.normalized())
    }

    /// Whether it is or contains the module with this full name.
    pub(super) fn has(&self, module: &str) -> bool {
        let below = module.strip_prefix(self.name.as_str());
        !self.namespace && below.is_some_and(|below| below.is_empty() || below.starts_with('.'))
    }
}

fn plain(name: &str) -> String {
    name.to_lowercase().replace(['-', '_', '.'], "")
}

/// A dependency of a distribution (`Requires-Dist`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dependency {
    /// The package.
    pub package: PackageName,
    /// Whether the package is required on the target without any extra.
    pub always: bool,
    /// The extra that requires the package, if any.
    pub extra: Option<String>,
}

impl Distribution {
    /// Returns the main module, which users of the package import:
    ///
    /// 1. the module with the package's name, ignoring case and `-`, `_`, `.`;
    /// 2. otherwise the largest module, except those whose names start with an underscore and
    ///    tests, documentation and scripts;
    /// 3. otherwise the largest of all modules.
    ///
    /// None if there are no modules. Of two modules of equal size, the first by name is returned.
    pub fn main_module(&self) -> Option<&str> {
        let named = self.modules.iter().find(|module| module.is_named_as(&self.package));
        let is_public = |module: &&RootModule| !is_hidden(&module.name);
        let public: Vec<&RootModule> = self.modules.iter().filter(is_public).collect();
        let candidates = if public.is_empty() { self.modules.iter().collect() } else { public };
        // `max_by_key` returns the last of equal elements.
        let largest = candidates.into_iter().rev().max_by_key(|module| module.size);
        named.or(largest).map(|module| module.name.as_str())
    }

    /// Whether this module is imported to test the distribution.
    pub fn has_module(&self, name: &str) -> bool {
        self.modules.iter().any(|module| module.name == name)
    }
}

/// Whether users of a package do not import a module, by its own name or its top-level name.
pub(super) fn is_incidental(module: &str) -> bool {
    INCIDENTAL.contains(&last_part(module)) || INCIDENTAL.contains(&root_of(module))
}

/// Whether users of a package do not import a module, or an underscore marks it as private. Modules
/// generated for gRPC count, too: they need grpcio, which packages of messages often do not
/// require.
pub(crate) fn is_hidden(module: &str) -> bool {
    let name = last_part(module);
    name.starts_with('_') || name.ends_with("_pb2_grpc") || is_incidental(module)
}

/// Returns the part of a module's name before the first dot.
pub(super) fn root_of(module: &str) -> &str {
    module.split('.').next().unwrap_or(module)
}

fn last_part(module: &str) -> &str {
    module.rsplit('.').next().unwrap_or(module)
}

/// Returns the distribution that usually contains a module. None for modules of the standard
/// library, such as those for other systems, since no distribution contains them.
pub(super) fn distribution_of(module: &str) -> Option<String> {
    let root = root_of(module);
    if let Some((_, distribution)) = OTHER_NAMES.iter().find(|(module, _)| *module == root) {
        return Some((*distribution).to_owned());
    }
    (!is_standard_module(root)).then(|| root.replace('_', "-"))
}

/// Parses the dependencies of a distribution from its `METADATA`. Invalid requirements are ignored:
/// the resolver has already read them, and here they only help to explain a failed import.
pub(crate) fn dependencies(metadata: &str, target: Target) -> Vec<Dependency> {
    let markers = Markers::of(target);
    let headers = metadata.lines().take_while(|line| !line.is_empty());
    let requirements = headers.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("Requires-Dist").then(|| value.trim())
    });
    let mut seen = BTreeSet::new();
    requirements
        .filter_map(|requirement| {
            let (wanted, marker) = match requirement.split_once(';') {
                Some((wanted, marker)) => (wanted, Some(marker.trim())),
                None => (requirement, None),
            };
            let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            let end = wanted.find(|c| !is_name(c)).unwrap_or(wanted.len());
            let package: PackageName = wanted[..end].parse().ok()?;
            let always = marker.is_none_or(|marker| markers.hold(marker).unwrap_or(false));
            let extra = marker.and_then(extra);
            seen.insert((package.clone(), always, extra.clone())).then_some(Dependency {
                package,
                always,
                extra,
            })
        })
        .collect()
}

/// Returns the extra in a marker, for example `x` in `python_version < '4' and extra == 'x'`.
fn extra(marker: &str) -> Option<String> {
    let (_, after) = marker.split_once("extra")?;
    let after = after.trim_start().strip_prefix("==")?.trim_start();
    let quote = after.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    let (extra, _) = after[1..].split_once(quote)?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (!extra.is_empty() && extra.chars().all(is_name)).then(|| extra.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distribution(package: &str, modules: &[(&str, u64)]) -> Distribution {
        let module = |(name, size): &(&str, u64)| RootModule {
            name: (*name).to_owned(),
            size: *size,
            namespace: false,
        };
        Distribution {
            package: package.parse().expect("a name"),
            wheel: format!("{package}-1-py3-none-any.whl"),
            modules: modules.iter().map(module).collect(),
            requires: Vec::new(),
        }
    }

    #[test]
    fn main_module_is_the_one_that_users_import() {
        for (package, modules, expected) in [
            ("duckdb", &[("adbc_driver_duckdb", 900), ("duckdb", 10)][..], Some("duckdb")),
            (
                "SpeechRecognition",
                &[("speech_recognition", 1), ("tests", 9)],
                Some("speech_recognition"),
            ),
            ("zope.interface", &[("zope_interface", 1), ("a", 9)], Some("zope_interface")),
            ("PyYAML", &[("_yaml", 900), ("yaml", 10)], Some("yaml")),
            ("pymongo-inventory", &[("bson", 5), ("tests", 90), ("pymongo", 50)], Some("pymongo")),
            ("dbt-adapter", &[("dbt.adapter", 5), ("test.import_test", 9)], Some("dbt.adapter")),
            ("cffi-only", &[("_one", 5), ("_two", 6)], Some("_two")),
            ("equal", &[("a", 5), ("b", 5)], Some("a")),
            ("types-requests", &[], None),
        ] {
            assert_eq!(distribution(package, modules).main_module(), expected, "{package}");
        }
    }

    #[test]
    fn dependencies_say_which_extra_they_belong_to() {
        let metadata = "Name: a\nRequires-Dist: numpy (>=1.2)\nrequires-dist: cv2-x[y]>=1; extra == \"video\"\n\
             Requires-Dist: old; python_version < '3'\nRequires-Dist: uvloop>=0.15; \
             sys_platform != 'win32' and extra == 'uvloop'\nRequires-Dist: ???\n\n\
             Requires-Dist: in-the-description\n";
        let target = "p3.12".parse().expect("a target");
        let found: Vec<String> = dependencies(metadata, target)
            .into_iter()
            .map(|Dependency { package, always, extra }| format!("{package} {always} {extra:?}"))
            .collect();
        assert_eq!(
            found,
            [
                "numpy true None",
                "cv2-x false Some(\"video\")",
                "old false None",
                "uvloop false Some(\"uvloop\")"
            ]
        );
    }

    #[test]
    fn missing_modules_are_mapped_to_distributions() {
        for (module, expected) in [
            ("numpy", Some("numpy")),
            ("cv2", Some("opencv-python-headless")),
            ("adbc_driver_manager.dbapi", Some("adbc-driver-manager")),
            ("distutils.core", Some("setuptools")),
            ("winreg", None),
        ] {
            assert_eq!(distribution_of(module).as_deref(), expected, "{module}");
        }
    }

    #[test]
    fn other_names_are_sorted() {
        assert!(OTHER_NAMES.is_sorted() && INCIDENTAL.is_sorted());
    }
}
