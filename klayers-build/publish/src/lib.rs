//! Publishing: creates layer versions in regions.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use klayers_core::{Digest, LayerName, LayerVersionArn, PackageName, Partition, Region, Target};

mod aws;
mod description;
mod folder;

pub use aws::{Access, Call, settings as aws_settings};
pub use aws::{AwsError, AwsOptions, Fault, LambdaPublisher};
pub use description::{describe, stated_digest};
pub use folder::FolderPublisher;

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

/// Errors of publishing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Reading or writing a file failed.
    #[error("could not {action} {}", path.display())]
    Io {
        /// The action that failed, as in "read".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A record of the folder publisher cannot be read.
    #[error("{} is not the record of a layer version", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The zip has changed since it was built.
    #[error("{} should have the SHA-256 {digest}, but has {actual}", path.display())]
    Mismatch {
        /// The zip.
        path: PathBuf,
        /// Digest that the zip should have.
        digest: Digest,
        /// Digest that the zip has.
        actual: Digest,
    },
    /// A layer version belongs to another account.
    #[error("{0} belongs to an account that this publisher does not use")]
    NotOurs(LayerVersionArn),
    /// A call to AWS failed.
    #[error(transparent)]
    Aws(#[from] Box<AwsError>),
    /// There are no valid credentials for AWS.
    #[error(
        "no valid AWS credentials for the partition {partition}{}; check `aws sts \
         get-caller-identity` and [publish.aws] profiles in klayers.toml",
        profile.as_ref().map(|profile| format!(" from the profile {profile}")).unwrap_or_default()
    )]
    Credentials {
        /// Partition of the credentials.
        partition: Partition,
        /// The configured profile, if any.
        profile: Option<String>,
        /// The answer of AWS.
        source: Box<AwsError>,
    },
    /// AWS did not identify the credentials, although they may be valid.
    #[error(
        "could not find out to which account the AWS credentials for the partition {partition} \
         belong; try again later"
    )]
    Unidentified {
        /// Partition of the credentials.
        partition: Partition,
        /// Why the call failed.
        source: Box<AwsError>,
    },
    /// The publisher does not know the region.
    #[error("the publisher was not set up for the region {0}")]
    UnknownRegion(Region),
    /// The configured bucket name is the same for all regions.
    #[error(
        "the bucket name {0:?} must contain {{region}}, because a layer's bucket must be in the \
         layer's region"
    )]
    BucketName(String),
    /// A bucket cannot be used.
    #[error(
        "layers for {region} go through the bucket {bucket}, which {reason}; it must be in {region}"
    )]
    Bucket {
        /// Name of the bucket.
        bucket: String,
        /// Region of the layers.
        region: Region,
        /// What is wrong with the bucket.
        reason: String,
    },
    /// A layer is too large to be sent in a request.
    #[error(
        "{layer} has {size} bytes; Lambda accepts at most {limit} in a request: set [publish.aws] \
         bucket in klayers.toml to publish it through S3"
    )]
    TooLarge {
        /// Name of the layer.
        layer: LayerName,
        /// Size of the zip in bytes.
        size: u64,
        /// Limit in bytes.
        limit: u64,
    },
    /// The publisher is shutting down.
    #[error("the publisher is shutting down")]
    Ended,
    /// A publication took too long. The next run settles its outcome.
    #[error(
        "publishing {layer} in {region} took more than {} s{}", deadline.as_secs(),
        trouble.map(|trouble| format!(": {trouble}")).unwrap_or_default()
    )]
    Overdue {
        /// Region of the publication.
        region: Region,
        /// Name of the layer.
        layer: LayerName,
        /// The deadline of a publication.
        deadline: Duration,
        /// Cause of the delay, if known.
        trouble: Option<Trouble>,
    },
    /// A region took too long to get ready: to settle its publications under way, or to list its
    /// layers.
    #[error(
        "{region} was not ready after {} s{}", deadline.as_secs(),
        trouble.map(|trouble| format!(": {trouble}")).unwrap_or_default()
    )]
    NotReady {
        /// The region.
        region: Region,
        /// The deadline of the preparation.
        deadline: Duration,
        /// Cause of the delay, if known.
        trouble: Option<Trouble>,
    },
    /// It is unknown whether a layer was published. The next run settles it.
    #[error(
        "it is unknown whether {layer} was published in {region}: AWS did not answer, and the \
         version is not listed; the next run checks again before it publishes"
    )]
    Unsettled {
        /// Region of the publication.
        region: Region,
        /// Name of the layer.
        layer: LayerName,
    },
    /// An earlier run created a version that cannot be listed, so no other version is created.
    #[error(
        "an earlier run created a version of {layer} in {region} that cannot be listed: {reason}; \
         fix that, then run `klayers-pipeline reconcile --repair` or wait for the next run"
    )]
    Stuck {
        /// Region of the version.
        region: Region,
        /// Name of the layer.
        layer: LayerName,
        /// Why it cannot be listed.
        reason: String,
    },
    /// The pointer to the latest version of a layer could not be moved.
    #[error(
        "could not move the pointer to the latest version, so it may name another version; the \
         next run tries again"
    )]
    Pointer(#[source] Box<PublishError>),
    /// Another operation showed that nothing can be published in a region for now.
    #[error("{region} is skipped for the rest of this run: {reason}")]
    Closed {
        /// The region.
        region: Region,
        /// What it showed.
        reason: String,
    },
    /// The published content differs from what was sent. The version is kept, but not made public.
    #[error("{arn} should have the SHA-256 {digest}, but has {actual}; delete it")]
    WrongContent {
        /// ARN of the version.
        arn: Box<LayerVersionArn>,
        /// Digest that the version should have.
        digest: Digest,
        /// Digest that the version has.
        actual: Digest,
    },
    /// The policy of a layer version does something other than making it public.
    #[error("the policy of {arn} {reason}; check it with `aws lambda get-layer-version-policy`")]
    Policy {
        /// ARN of the version.
        arn: Box<LayerVersionArn>,
        /// What is wrong with the policy.
        reason: String,
    },
}

impl PublishError {
    /// Whether a version may have been published even though this error was returned.
    pub fn is_unclear(&self) -> bool {
        matches!(self, Self::Aws(error) if matches!(error.fault(), Fault::Unclear | Fault::Silent))
    }

    /// Whether other calls to the region would fail the same way: it is closed to this account,
    /// full, or not answering.
    pub fn concerns_region(&self) -> bool {
        match self {
            Self::Aws(error) => matches!(
                error.fault(),
                Fault::Throttled { .. }
                    | Fault::Full
                    | Fault::Denied
                    | Fault::NoCredentials
                    | Fault::Unreachable
                    | Fault::Silent
            ),
            Self::Overdue { .. }
            | Self::NotReady { .. }
            | Self::Closed { .. }
            | Self::Bucket { .. } => true,
            _ => false,
        }
    }
}
