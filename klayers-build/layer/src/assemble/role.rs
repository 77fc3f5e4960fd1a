//! Classifies files by their paths: which belong to modules, and which do not.

/// File names, lowercase and without extension, of project documentation and development files.
const PROJECT_FILES: [&str; 38] = [
    "about",
    "acknowledgements",
    "apache-2.0",
    "author",
    "authors",
    "change",
    "changelog",
    "changes",
    "code_of_conduct",
    "conftest",
    "contributing",
    "contributors",
    "copying",
    "copyright",
    "credits",
    "dockerfile",
    "history",
    "install",
    "licence",
    "licences",
    "license",
    "licenses",
    "makefile",
    "maintainers",
    "manifest",
    "news",
    "notice",
    "noxfile",
    "patents",
    "pipfile",
    "readme",
    "release_notes",
    "releases",
    "requirements",
    "security",
    "setup",
    "third_party_notices",
    "todo",
];
/// Extensions of top-level files that no module needs.
const TEXT_EXTENSIONS: [&str; 13] =
    ["", "cfg", "htm", "html", "in", "ini", "lock", "md", "pdf", "rst", "toml", "txt", "typed"];
/// Names of top-level folders, in lowercase, that are usually not modules.
const PROJECT_FOLDERS: [&str; 14] = [
    "benchmark",
    "benchmarks",
    "ci",
    "doc",
    "docs",
    "example",
    "examples",
    "licence",
    "licences",
    "license",
    "licenses",
    "man",
    "test",
    "tests",
];
/// Folders that installers use for documentation.
const DOCUMENTATION: [&str; 4] = ["share/doc/", "share/info/", "share/licenses/", "share/man/"];

/// The role of a file in a layer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role<'p> {
    /// A program in `bin`.
    Script,
    /// Documentation or a development file of a project.
    Project,
    /// A file in this top-level folder, which is probably not a module.
    Folder(&'p str),
    /// The `__init__.py` of a package.
    Init,
    /// The bytecode of another file.
    Bytecode,
    /// Any other file, presumably part of a module.
    Module,
}

impl<'p> Role<'p> {
    /// Returns the role of a file, by its path below `python/`.
    pub(super) fn of(path: &'p str) -> Self {
        if let Some(role) = Self::in_folder(path) {
            return role;
        }
        match path.rsplit_once('/') {
            None if is_project_file(path) => Self::Project,
            Some((folder, _)) if folder.ends_with("__pycache__") => Self::Bytecode,
            Some((_, "__init__.py")) => Self::Init,
            _ => Self::Module,
        }
    }

    fn in_folder(path: &'p str) -> Option<Self> {
        let (folder, _) = path.split_once('/')?;
        if folder == "bin" {
            return Some(Self::Script);
        }
        if DOCUMENTATION.iter().any(|folder| path.starts_with(folder)) {
            return Some(Self::Project);
        }
        let name = folder.to_lowercase();
        let is_known = PROJECT_FOLDERS.contains(&name.as_str()) || name.starts_with('.');
        is_known.then_some(Self::Folder(folder))
    }
}

fn is_project_file(file: &str) -> bool {
    let name = file.to_lowercase();
    if name.starts_with('.') {
        return true;
    }
    let (stem, ending) = name.rsplit_once('.').unwrap_or((&name, ""));
    let known = |stem: &str| PROJECT_FILES.contains(&stem);
    match ending {
        "py" => matches!(stem, "setup" | "conftest" | "noxfile"),
        "pyc" | "pyd" | "pyi" | "so" => false,
        // Such as LICENSE.MIT and README.txt.in.
        _ => TEXT_EXTENSIONS.contains(&ending) || known(stem) || stem.split(['.', '-']).any(known),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn project_files_are_distinguished_from_modules() {
        for (path, role) in [
            ("LICENSE", Role::Project),
            ("LICENSE.MIT", Role::Project),
            ("License-Apache.json", Role::Project),
            ("README.md", Role::Project),
            ("CHANGELOG.rst", Role::Project),
            ("requirements.txt", Role::Project),
            ("py.typed", Role::Project),
            ("setup.py", Role::Project),
            ("notice.so", Role::Module),
            ("news.py", Role::Module),
            (".gitignore", Role::Project),
            ("share/doc/x/README", Role::Project),
            ("tests/__init__.py", Role::Folder("tests")),
            ("Docs/conf.py", Role::Folder("Docs")),
            (".github/workflows/x.yml", Role::Folder(".github")),
            ("bin/tool", Role::Script),
            ("google/__init__.py", Role::Init),
            ("google/__pycache__/__init__.cpython-312.pyc", Role::Bytecode),
            ("six.py", Role::Module),
            ("version.py", Role::Module),
            ("_x.cpython-312-x86_64-linux-gnu.so", Role::Module),
            ("data.json", Role::Module),
            ("cv2/LICENSE", Role::Module),
            ("cv2/tests/x.py", Role::Module),
            ("share/jupyter/x", Role::Module),
            ("__init__.py", Role::Module),
        ] {
            assert_eq!(Role::of(path), role, "{path}");
        }
    }
}
