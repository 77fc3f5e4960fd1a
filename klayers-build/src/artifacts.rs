//! The artifacts: layer zips and locks, stored under their SHA-256.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use klayers_core::Digest;
use tempfile::TempPath;

mod folder;

pub use folder::FolderArtifacts;

/// Stores files under the SHA-256 of what they hold.
///
/// What is stored under a digest has that digest, whole, or is not there. Storing the same twice
/// is the same as once.
#[async_trait]
pub trait Artifacts: std::fmt::Debug + Send + Sync {
    /// The folder in which a file is best made that is then given to [`put`](Self::put).
    fn staging(&self) -> &Path;

    /// Stores a file whose content has this digest. It is durable when this returns, and the file
    /// is gone. What is stored under the digest and was damaged since is replaced.
    ///
    /// # Errors
    ///
    /// [`ArtifactError::Mismatch`] if the content has another digest; nothing is stored then.
    async fn put(&self, file: TempPath, digest: Digest) -> Result<(), ArtifactError>;

    /// Whether something is stored under a digest.
    async fn contains(&self, digest: Digest) -> Result<bool, ArtifactError>;

    /// What is stored under a digest, as a file on this machine.
    ///
    /// # Errors
    ///
    /// [`ArtifactError::Missing`] if nothing is.
    async fn get(&self, digest: Digest) -> Result<LocalArtifact, ArtifactError>;
}

/// A stored artifact as a file on this machine, to be read while this value lives.
#[derive(Debug)]
pub struct LocalArtifact {
    path: PathBuf,
}

impl LocalArtifact {
    /// A file that the store keeps.
    pub fn kept(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// What can go wrong with artifacts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// Nothing is stored under the digest.
    #[error("no artifact {0} is stored")]
    Missing(Digest),
    /// A file was to be stored under a digest that it does not have.
    #[error("the file that was to be stored as {digest} has the SHA-256 {actual}")]
    Mismatch {
        /// The digest it was to have.
        digest: Digest,
        /// The digest it has.
        actual: Digest,
    },
    /// Reading or writing failed.
    #[error("could not {action} {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
}
