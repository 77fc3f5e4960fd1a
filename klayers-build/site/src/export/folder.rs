use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::{Destination, ExportError, Manifest, Object};
use crate::Document;
use crate::gzip::Gzip;
use klayers_wheel::{durable, regular};

/// A copy in a folder.
///
/// The folder holds `current`, a symbolic link to the copy that readers see, which lies below
/// `copies`. An export creates another copy, in which unchanged files are hard links to the previous
/// ones, and then switches `current` atomically. The previous copy stays until the next export, for
/// readers that still use it.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    /// The unfinished copy.
    partial: Option<tempfile::TempDir>,
    /// The folders created in the unfinished copy.
    made: HashSet<PathBuf>,
    gzip: Gzip,
}

const CURRENT: &str = "current";
const COPIES: &str = "copies";
/// Files below this size, in bytes, have no compressed file beside them.
const WORTH_COMPRESSING: u64 = 1024;

impl Folder {
    /// A copy in the folder `root`, which need not exist yet.
    ///
    /// # Errors
    ///
    /// [`ExportError::NotOurs`] if the folder holds anything that no export made.
    pub fn new(root: impl Into<PathBuf>) -> Result<Self, ExportError> {
        let root = root.into();
        let entries = match fs::read_dir(&root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            entries => entries
                .and_then(Iterator::collect::<io::Result<Vec<fs::DirEntry>>>)
                .map_err(at("read", &root))?,
        };
        let ours =
            |entry: &fs::DirEntry| entry.file_name() == CURRENT || entry.file_name() == COPIES;
        if entries.iter().all(ours) {
            Ok(Self { root, partial: None, made: HashSet::new(), gzip: Gzip::new() })
        } else {
            Err(ExportError::NotOurs { path: root })
        }
    }

    fn current(&self) -> PathBuf {
        self.root.join(CURRENT)
    }

    /// The folder of the unfinished copy, which is created by the first call.
    fn partial(&mut self) -> Result<&Path, ExportError> {
        if self.partial.is_none() {
            let copies = self.root.join(COPIES);
            durable::create_folder(&copies).map_err(at("make", &copies))?;
            let made = tempfile::Builder::new()
                .prefix("partial-")
                .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
                .tempdir_in(&copies);
            self.partial = Some(made.map_err(at("make a folder in", &copies))?);
        }
        Ok(self.partial.as_ref().map_or(&self.root, tempfile::TempDir::path))
    }

    fn switch_now(
        &mut self,
        manifest: &Manifest,
        before: Option<&Manifest>,
    ) -> Result<(), ExportError> {
        let current = self.current();
        let partial = self.partial()?.to_owned();
        if before.is_some() {
            for (name, object) in &manifest.objects {
                self.link(&current, &partial, name, object)?;
            }
        }
        write(&partial.join(Manifest::NAME), &manifest.to_json())?;
        sync(&partial)?;

        let copies = self.root.join(COPIES);
        let superseded = fs::read_link(&current).ok();
        let number = superseded
            .as_ref()
            .and_then(|link| link.file_name()?.to_str()?.parse::<u64>().ok())
            .unwrap_or_default();
        let (name, shown) = (number + 1, copies.join((number + 1).to_string()));
        // An export that was interrupted after the next step left this folder; no reader saw it.
        remove(&shown)?;
        fs::rename(&partial, &shown).map_err(at("make", &shown))?;
        if let Some(partial) = self.partial.take() {
            let _ = partial.keep();
        }
        let link = self.root.join(COPIES).join("next");
        remove(&link)?;
        std::os::unix::fs::symlink(format!("{COPIES}/{name}"), &link).map_err(at("make", &link))?;
        fs::rename(&link, &current).map_err(at("switch", &current))?;
        durable::sync_folders(&copies, &self.root).map_err(at("write", &copies))?;

        self.tidy(&[shown, superseded.map_or_else(PathBuf::new, |link| self.root.join(link))])
    }

    /// Links a file of the previous copy, and the compressed file beside it, into the new copy, unless
    /// the export wrote a new one.
    fn link(
        &mut self,
        from: &Path,
        to: &Path,
        name: &str,
        object: &Object,
    ) -> Result<(), ExportError> {
        let (source, target) = (from.join(name), to.join(name));
        if target.exists() {
            return Ok(());
        }
        self.make_folder_of(&target)?;
        fs::hard_link(&source, &target).map_err(at("link", &source))?;
        if !is_compressed(object.size) {
            return Ok(());
        }
        match fs::hard_link(compressed_path(&source), compressed_path(&target)) {
            // The operator may have deleted the compressed files.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome.map_err(at("link", &source)),
        }
    }

    fn make_folder_of(&mut self, file: &Path) -> Result<(), ExportError> {
        let folder = durable::parent(file);
        if !self.made.contains(folder) {
            fs::create_dir_all(folder).map_err(at("make", folder))?;
            self.made.insert(folder.to_owned());
        }
        Ok(())
    }

    /// Deletes all other copies, interrupted ones too.
    fn tidy(&self, keep: &[PathBuf]) -> Result<(), ExportError> {
        let copies = self.root.join(COPIES);
        for entry in fs::read_dir(&copies).map_err(at("read", &copies))? {
            let path = entry.map_err(at("read", &copies))?.path();
            if !keep.contains(&path) {
                remove(&path)?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Destination for Folder {
    async fn current(&self) -> Result<Option<Manifest>, ExportError> {
        let path = self.current().join(Manifest::NAME);
        match regular::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            text => {
                let text = text.map_err(at("read", &path))?;
                Manifest::parse(&text, path.display().to_string()).map(Some)
            }
        }
    }

    async fn write(&mut self, name: &str, document: &Document) -> Result<(), ExportError> {
        let path = self.partial()?.join(name);
        self.make_folder_of(&path)?;
        write(&path, &document.body)?;
        if is_compressed(document.body.len() as u64) {
            let compressed = self.gzip.compress(&document.body).map_err(at("compress", &path))?;
            write(&compressed_path(&path), &compressed)?;
        }
        Ok(())
    }

    async fn switch(
        &mut self,
        manifest: &Manifest,
        before: Option<&Manifest>,
    ) -> Result<(), ExportError> {
        self.switch_now(manifest, before)
    }
}

/// Whether a file of `size` bytes has a compressed file beside it.
fn is_compressed(size: u64) -> bool {
    size >= WORTH_COMPRESSING
}

/// The compressed file beside a file, where nginx's `gzip_static` looks for it.
fn compressed_path(path: &Path) -> PathBuf {
    let mut compressed = path.as_os_str().to_owned();
    compressed.push(".gz");
    compressed.into()
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
    File::create_new(path).and_then(|mut file| file.write_all(bytes)).map_err(at("write", path))
}

/// Syncs a whole copy to the disk, with one call for all its files.
fn sync(folder: &Path) -> Result<(), ExportError> {
    let open = File::open(folder).map_err(at("open", folder))?;
    rustix::fs::syncfs(&open).map_err(|error| at("write", folder)(error.into()))
}

fn remove(path: &Path) -> Result<(), ExportError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome.map_err(at("delete", path)),
    }
}

fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ExportError + use<> {
    let path = path.to_owned();
    move |source| ExportError::Io { action, path, source }
}
