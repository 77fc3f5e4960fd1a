//! Artifacts stored in a folder.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use jiff::Timestamp;
use klayers_core::Digest;
use tempfile::{NamedTempFile, TempPath};

use super::{ArtifactError, Artifacts, LocalArtifact};
use klayers_wheel::sweep::sweep;
use klayers_wheel::{durable, regular};

/// Artifacts as files named `{folder}/{first two digits}/{SHA-256}`.
///
/// A file gets its name once it is complete and on disk. Several processes may store files in the
/// same folder.
#[derive(Clone, Debug)]
pub struct FolderArtifacts {
    folder: PathBuf,
    staging: PathBuf,
}

impl FolderArtifacts {
    /// Opens a folder, creating it if it does not exist.
    ///
    /// # Errors
    ///
    /// [`ArtifactError::Io`] if it cannot be created.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, ArtifactError> {
        let folder = folder.into();
        let staging = folder.join("staging");
        durable::create_folder(&staging).map_err(failed("create the folder", &staging))?;
        Ok(Self { folder, staging })
    }

    /// Opens a folder for reading only: nothing is created, and the folder may be missing.
    pub fn read_only(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        let staging = folder.join("staging");
        Self { folder, staging }
    }

    /// Removes files that killed processes left behind at least a day before `now`.
    pub fn sweep(&self, now: Timestamp) {
        sweep(&self.staging, now);
    }

    fn place(&self, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        self.folder.join(&name[..2]).join(name)
    }

    fn store(&self, file: TempPath, digest: Digest) -> Result<(), ArtifactError> {
        let place = self.place(digest);
        let folder = place.parent().unwrap_or(&self.folder);
        let actual = durable::digest(&file).map_err(failed("read", &file))?;
        if actual != digest {
            return Err(ArtifactError::Mismatch { digest, actual });
        }
        durable::create_folder(folder).map_err(failed("create the folder", folder))?;
        // A file that is already there stays, unless it was truncated or changed from outside.
        if !durable::digest(&place).is_ok_and(|stored| stored == digest) {
            self.rename(file, &place)?;
        }
        // Sync an existing file too: the process that stored it may not have synced its folders
        // yet.
        durable::sync_folders(folder, &self.folder).map_err(failed("store", &place))
    }

    fn rename(&self, file: TempPath, place: &Path) -> Result<(), ArtifactError> {
        let store = failed("store", place);
        let synced = File::open(&file).and_then(|file| file.sync_all());
        let renamed = synced.and_then(|()| match file.persist(place) {
            Err(refused) if refused.error.kind() == io::ErrorKind::CrossesDevices => {
                let mut copy = NamedTempFile::new_in(&self.staging)?;
                durable::copy(&mut regular::open(&refused.path)?, &mut copy)?;
                copy.as_file().sync_all()?;
                copy.persist(place)?;
                Ok(())
            }
            outcome => Ok(outcome?),
        });
        renamed.map_err(store)
    }
}

#[async_trait]
impl Artifacts for FolderArtifacts {
    fn staging(&self) -> &Path {
        &self.staging
    }

    async fn put(&self, file: TempPath, digest: Digest) -> Result<(), ArtifactError> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || store.store(file, digest))
            .await
            .map_err(|error| failed("store", &self.place(digest))(error.into()))?
    }

    async fn contains(&self, digest: Digest) -> Result<bool, ArtifactError> {
        let place = self.place(digest);
        match tokio::fs::metadata(&place).await {
            Ok(metadata) => Ok(metadata.is_file()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed("read", &place)(error)),
        }
    }

    async fn get(&self, digest: Digest) -> Result<LocalArtifact, ArtifactError> {
        if self.contains(digest).await? {
            Ok(LocalArtifact::new(self.place(digest)))
        } else {
            Err(ArtifactError::Missing(digest))
        }
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ArtifactError + use<> {
    let path = path.to_owned();
    move |source| ArtifactError::Io { action, path, source }
}
