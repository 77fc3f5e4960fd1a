//! Artifacts: layer zips and locks, stored under their SHA-256.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use klayers_core::Digest;
use tempfile::TempPath;

mod folder;

pub use folder::FolderArtifacts;

/// Stores files under the SHA-256 of their content.
///
/// A file stored under a digest is complete and has that digest; otherwise nothing is stored there.
/// Storing the same file twice has the same effect as storing it once.
#[async_trait]
pub trait Artifacts: std::fmt::Debug + Send + Sync {
    /// Folder in which to create files for [`put`](Self::put), so that storing them needs no copy.
    fn staging(&self) -> &Path;

    /// Stores a file whose content has this digest. When this returns, the content is durable and
    /// the given file is gone. A stored file that was damaged since is replaced.
    ///
    /// # Errors
    ///
    /// [`ArtifactError::Mismatch`] if the content has a different digest; nothing is stored then.
    async fn put(&self, file: TempPath, digest: Digest) -> Result<(), ArtifactError>;

    /// Returns whether something is stored under a digest.
    async fn contains(&self, digest: Digest) -> Result<bool, ArtifactError>;

    /// Returns the content stored under a digest, as a file on this machine.
    ///
    /// # Errors
    ///
    /// [`ArtifactError::Missing`] if nothing is stored under it.
    async fn get(&self, digest: Digest) -> Result<LocalArtifact, ArtifactError>;
}

/// A stored artifact as a file on this machine. Read it only while this value lives.
#[derive(Debug)]
pub struct LocalArtifact {
    path: PathBuf,
}

impl LocalArtifact {
    /// An artifact in a file that the store keeps.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Errors of an artifact store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// Nothing is stored under the digest.
    #[error("no artifact {0} is stored")]
    Missing(Digest),
    /// A file to be stored has a different digest.
    #[error("could not store a file as {digest}: its SHA-256 is {actual}")]
    Mismatch {
        /// Digest that the file should have.
        digest: Digest,
        /// Digest that the file has.
        actual: Digest,
    },
    /// Reading or writing failed.
    #[error("could not {action} {}", path.display())]
    Io {
        /// The action that failed, as in "read".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
}
