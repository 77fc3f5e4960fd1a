use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The files of a folder, or a zip: content by path.
pub(crate) type Tree = BTreeMap<String, Vec<u8>>;

/// A program that unpacks zips.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unpacker {
    /// Python's `zipfile`.
    Python,
    /// Info-ZIP's `unzip`.
    InfoZip,
    /// libarchive's `bsdtar`.
    Libarchive,
}

impl Unpacker {
    const ALL: [Self; 3] = [Self::Python, Self::InfoZip, Self::Libarchive];

    /// Returns the installed unpackers, and names the others on stderr.
    #[expect(clippy::print_stderr, reason = "what a test leaves out is said")]
    pub(crate) fn installed() -> Vec<Self> {
        let (there, missing): (Vec<Self>, Vec<Self>) =
            Self::ALL.into_iter().partition(|unpacker| unpacker.is_there());
        for unpacker in missing {
            eprintln!("SKIPPED {unpacker:?}: {} is not installed", unpacker.program());
        }
        there
    }

    fn program(self) -> &'static str {
        match self {
            Self::Python => "python3",
            Self::InfoZip => "unzip",
            Self::Libarchive => "bsdtar",
        }
    }

    fn is_there(self) -> bool {
        let flag = if self == Self::InfoZip { "-v" } else { "--version" };
        let mut command = Command::new(self.program());
        let status = command.arg(flag).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    /// The files in a zip.
    pub(crate) fn unpack(self, zip: &Path) -> Result<Tree, String> {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(self.program());
        match self {
            // All checks of `zipfile`, but without its correction of unsafe names.
            Self::Python => command.args(["-I", "-m", "zipfile", "-e"]).arg(zip).arg(folder.path()),
            Self::InfoZip => command.args(["-q", "-o"]).arg(zip).arg("-d").arg(folder.path()),
            Self::Libarchive => command.arg("-xf").arg(zip).arg("-C").arg(folder.path()),
        };
        let output = command.env("LC_ALL", "C.UTF-8").output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() || !stderr.is_empty() {
            return Err(format!("{self:?} ended with {}: {stderr}", output.status));
        }
        Ok(files(folder.path()))
    }
}

/// The files below a folder.
pub(crate) fn files(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        for entry in fs::read_dir(current).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap().to_str().expect("a name in UTF-8");
            tree.insert(name.to_owned(), fs::read(&path).unwrap());
        }
    }
    tree
}
