//! Publishing: creates layer versions in regions.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use klayers_core::{Digest, LayerName, LayerVersionArn, PackageName, Region, Target};

#[cfg(feature = "aws")]
mod aws;
mod aws_error;
mod description;
mod error;
mod folder;
mod options;

#[cfg(feature = "aws")]
pub use aws::{Access, Call, LambdaPublisher, settings as aws_settings};
pub use aws_error::{AwsError, AwsErrorKind};
pub use description::{describe, stated_digest};
pub use error::PublishError;
pub use folder::FolderPublisher;
pub use options::AwsOptions;

/// Creates, lists and deletes layer versions in regions.
///
/// Each publication creates a version with a new number: for a given layer and region, numbers are
/// never reused, not even those of deleted versions. Publishing is not idempotent, so if the
/// outcome of a publication is unknown, the caller must [`list`](Self::list) the versions.
#[async_trait]
pub trait Publisher: std::fmt::Debug + Send + Sync {
    /// Publishes a layer in a region and returns the new version, which is still private. Calling
    /// this again creates another version.
    ///
    /// # Errors
    ///
    /// [`PublishError::Mismatch`] if the zip does not match the upload; nothing is published then.
    /// After an error for which [`is_unclear`](PublishError::is_unclear) returns true, the layer
    /// may have been published; after any other error it was not.
    async fn publish(
        &self,
        region: &Region,
        layer: &LayerUpload,
        now: Timestamp,
    ) -> Result<PublishedVersion, PublishError>;

    /// Longest time between sending a publish request and its version being [listed](Self::list). A
    /// version that is not listed after this time was not created, and never will be.
    ///
    /// This also holds for a request whose sender was killed, interrupted or disconnected, because
    /// the publisher may finish the work without a caller. Zero if publishing ends with the
    /// process.
    fn longest_publication(&self) -> Duration;

    /// Returns what currently prevents a region from answering normally, judging by its last calls.
    fn trouble(&self, region: &Region) -> Option<Trouble>;

    /// Makes a layer version public and verifies it. A version that is already public stays as it
    /// is.
    ///
    /// # Errors
    ///
    /// [`PublishError::Policy`] if its policy says anything else afterwards.
    async fn make_public(&self, arn: &LayerVersionArn) -> Result<(), PublishError>;

    /// Lists the existing versions of a layer in a region, newest first.
    async fn list(
        &self,
        region: &Region,
        layer: &LayerName,
    ) -> Result<Vec<ListedVersion>, PublishError>;

    /// Returns the content and visibility of a layer version; `None` if it does not exist.
    async fn inspect(
        &self,
        arn: &LayerVersionArn,
    ) -> Result<Option<InspectedVersion>, PublishError>;

    /// Lists the layers that have a version in a region, sorted.
    async fn layers(&self, region: &Region) -> Result<Vec<LayerName>, PublishError>;

    /// Deletes a layer version. A version that does not exist counts as deleted.
    ///
    /// # Errors
    ///
    /// [`PublishError::NotOurs`] if it belongs to another account: not finding it here does not
    /// tell whether it exists.
    async fn delete(&self, arn: &LayerVersionArn) -> Result<(), PublishError>;

    /// Writes the latest version of a package's layer, or that there is none, to a place in the
    /// region where templates can read it. Publishers without pointers do nothing.
    async fn point(&self, pointer: &Pointer) -> Result<(), PublishError>;

    /// Returns whether this publisher keeps pointers.
    fn keeps_pointers(&self) -> bool;

    /// Reads the pointer of a package's layer. It holds the ARN of a layer version, unless somebody
    /// else wrote it. `None` if the pointer does not exist.
    async fn pointed(
        &self,
        region: &Region,
        target: Target,
        package: &PackageName,
    ) -> Result<Option<String>, PublishError>;
}

/// What prevents a region from answering normally.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Trouble {
    /// A call has had no answer for this long.
    Silent(Duration),
    /// Every call was refused as too many for this long.
    Throttled(Duration),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Silent(time) => write!(formatter, "it has not answered for {} s", time.as_secs()),
            Self::Throttled(time) => write!(formatter, "it was throttled for {} s", time.as_secs()),
        }
    }
}

/// The latest layer version of a package in a region.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pointer {
    /// Region of the pointer.
    pub region: Region,
    /// Target of the layer.
    pub target: Target,
    /// Package in the layer.
    pub package: PackageName,
    /// The latest layer version; `None` if all versions were withdrawn.
    pub latest: Option<LayerVersionArn>,
}

/// A layer to be published.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LayerUpload {
    /// Name of the layer.
    pub name: LayerName,
    /// Target, which determines the compatible runtime and architecture.
    pub target: Target,
    /// Description of the version.
    pub description: String,
    /// Licence, if known.
    pub license: Option<String>,
    /// Path of the zip.
    pub zip: PathBuf,
    /// SHA-256 of the zip.
    pub digest: Digest,
    /// Size of the zip in bytes.
    pub size: u64,
}

/// A layer version that was just published.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublishedVersion {
    /// ARN of the version.
    pub arn: LayerVersionArn,
    /// SHA-256 of the zip, as computed by the publisher.
    pub digest: Digest,
    /// Time of publication.
    pub created_at: Timestamp,
}

/// A layer version in a publisher's list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListedVersion {
    /// ARN of the version.
    pub arn: LayerVersionArn,
    /// Description, which [states](stated_digest()) the digest of the intended content.
    pub description: String,
    /// Time of publication.
    pub created_at: Timestamp,
}

/// Content and visibility of a single layer version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InspectedVersion {
    /// SHA-256 of the zip, as computed by the publisher.
    pub digest: Digest,
    /// Size of the zip in bytes.
    pub size: u64,
    /// Whether everybody may use the version.
    pub is_public: bool,
}
