//! Publishing: making a layer version in a region.

use std::path::PathBuf;

use async_trait::async_trait;
use jiff::Timestamp;
use klayers_core::{Digest, LayerName, LayerVersionArn, Region, Target};

mod folder;

pub use folder::FolderPublisher;

/// Makes, lists and deletes layer versions in regions.
///
/// Each publication makes a version with a number that was never given before for that layer and
/// region, not even to a version that has since been deleted.
#[async_trait]
pub trait Publisher: std::fmt::Debug + Send + Sync {
    /// Publishes a layer in a region and returns the new version's ARN. Calling it again makes
    /// another version.
    ///
    /// # Errors
    ///
    /// [`PublishError::Mismatch`] if the zip is not what the upload says; nothing is published
    /// then.
    async fn publish(
        &self,
        region: &Region,
        layer: &LayerUpload,
        now: Timestamp,
    ) -> Result<PublishedVersion, PublishError>;

    /// The versions of a layer that exist in a region, the newest first.
    async fn list(
        &self,
        region: &Region,
        layer: &LayerName,
    ) -> Result<Vec<PublishedVersion>, PublishError>;

    /// Deletes a layer version. One that is not there counts as deleted.
    ///
    /// # Errors
    ///
    /// [`PublishError::NotOurs`] if it is in another account: that it is not found here says
    /// nothing about whether it exists.
    async fn delete(&self, arn: &LayerVersionArn) -> Result<(), PublishError>;
}

/// A layer that is to be published.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LayerUpload {
    /// The layer's name.
    pub name: LayerName,
    /// The target, which says the compatible runtime and architecture.
    pub target: Target,
    /// The description of the version.
    pub description: String,
    /// The licence, where it is known.
    pub license: Option<String>,
    /// The zip.
    pub zip: PathBuf,
    /// Its SHA-256.
    pub digest: Digest,
    /// Its size, in bytes.
    pub size: u64,
}

/// A layer version as its publisher lists it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublishedVersion {
    /// Its ARN.
    pub arn: LayerVersionArn,
    /// The SHA-256 of its zip.
    pub digest: Digest,
    /// When it was published.
    pub created_at: Timestamp,
}

/// What can go wrong when publishing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Reading or writing a file failed.
    #[error("could not {action} {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A record of the folder publisher cannot be read.
    #[error("{} is not the record of a layer version", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The zip has changed since it was built.
    #[error("{} was to have the SHA-256 {digest}, but has {actual}", path.display())]
    Mismatch {
        /// The zip.
        path: PathBuf,
        /// What it was to have.
        digest: Digest,
        /// What it has.
        actual: Digest,
    },
    /// A layer version is in another account.
    #[error("{0} is in an account that this publisher does not publish in")]
    NotOurs(LayerVersionArn),
}
