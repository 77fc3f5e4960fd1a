//! Publishing: making a layer version in a region.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use klayers_core::{Digest, LayerName, LayerVersionArn, PackageName, Partition, Region, Target};

mod aws;
mod description;
mod folder;

pub(crate) use aws::{Access, Call, settings as aws_settings};
pub use aws::{AwsError, AwsOptions, Fault, LambdaPublisher};
pub use description::{describe, stated_digest};
pub use folder::FolderPublisher;

/// Makes, lists and deletes layer versions in regions.
///
/// Each publication makes a version with a number that was never given before for that layer and
/// region, not even to a version that has since been deleted. There is no way to say twice that
/// one version is meant: whoever does not know what became of a publication has to
/// [`list`](Self::list).
#[async_trait]
pub trait Publisher: std::fmt::Debug + Send + Sync {
    /// Publishes a layer in a region and returns the new version, which nobody else may use yet.
    /// Calling it again makes another version.
    ///
    /// # Errors
    ///
    /// [`PublishError::Mismatch`] if the zip is not what the upload says; nothing is published
    /// then. After an error that [`is_unclear`](PublishError::is_unclear) it may have been
    /// published; after any other it was not.
    async fn publish(
        &self,
        region: &Region,
        layer: &LayerUpload,
        now: Timestamp,
    ) -> Result<PublishedVersion, PublishError>;

    /// The longest time between the moment when a request to publish was sent and the moment when
    /// its version is [listed](Self::list). A version that is not listed after that time was not
    /// made, and will not be.
    ///
    /// It holds for a request whose sender was killed, interrupted or cut off, too: the publisher
    /// may work on while nobody waits. It is zero where publishing ends with its process.
    fn longest_publication(&self) -> Duration;

    /// What keeps a region from answering as it should, as far as its last calls tell.
    fn trouble(&self, region: &Region) -> Option<Trouble>;

    /// Lets everybody use a layer version, and makes sure that it is so. One that everybody may
    /// use already stays as it is.
    ///
    /// # Errors
    ///
    /// [`PublishError::Policy`] if its policy says something else afterwards.
    async fn make_public(&self, arn: &LayerVersionArn) -> Result<(), PublishError>;

    /// The versions of a layer that exist in a region, the newest first.
    async fn list(
        &self,
        region: &Region,
        layer: &LayerName,
    ) -> Result<Vec<ListedVersion>, PublishError>;

    /// What a layer version is; none if it does not exist.
    async fn inspect(
        &self,
        arn: &LayerVersionArn,
    ) -> Result<Option<InspectedVersion>, PublishError>;

    /// The layers that have a version in a region, sorted.
    async fn layers(&self, region: &Region) -> Result<Vec<LayerName>, PublishError>;

    /// Deletes a layer version. One that is not there counts as deleted.
    ///
    /// # Errors
    ///
    /// [`PublishError::NotOurs`] if it is in another account: that it is not found here says
    /// nothing about whether it exists.
    async fn delete(&self, arn: &LayerVersionArn) -> Result<(), PublishError>;

    /// Writes down, where templates can read it, which version of a package's layer is the latest
    /// in its region; or that there is none. Publishers that have no such place do nothing.
    async fn point(&self, pointer: &Pointer) -> Result<(), PublishError>;

    /// Whether it has such a place.
    fn keeps_pointers(&self) -> bool;

    /// What stands there for a package's layer: the ARN of a layer version, unless somebody else
    /// wrote it; none if nothing does.
    async fn pointed(
        &self,
        region: &Region,
        target: Target,
        package: &PackageName,
    ) -> Result<Option<String>, PublishError>;
}

/// What keeps a region from answering as it should.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Trouble {
    /// A call has had no answer for this long.
    Silent(Duration),
    /// For this long, every call was refused because there are too many.
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

/// Which layer version is the latest of a package in a region.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pointer {
    /// The region.
    pub region: Region,
    /// The target.
    pub target: Target,
    /// The package.
    pub package: PackageName,
    /// The layer version; none if all were withdrawn.
    pub latest: Option<LayerVersionArn>,
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

/// A layer version that was just published.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublishedVersion {
    /// Its ARN.
    pub arn: LayerVersionArn,
    /// The SHA-256 of its zip, as the publisher computed it.
    pub digest: Digest,
    /// When it was published.
    pub created_at: Timestamp,
}

/// A layer version as its publisher lists it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListedVersion {
    /// Its ARN.
    pub arn: LayerVersionArn,
    /// Its description, which [states](stated_digest()) what was to be in it.
    pub description: String,
    /// When it was published.
    pub created_at: Timestamp,
}

/// What a layer version is, asked one by one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InspectedVersion {
    /// The SHA-256 of its zip, as the publisher computed it.
    pub digest: Digest,
    /// The size of its zip, in bytes.
    pub size: u64,
    /// Whether everybody may use it.
    pub is_public: bool,
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
    /// AWS did not do what it was asked for.
    #[error(transparent)]
    Aws(#[from] Box<AwsError>),
    /// There are no credentials for AWS that are valid.
    #[error(
        "AWS takes no credentials for the partition {partition}{}; see `aws sts \
         get-caller-identity`, and [publish.aws] profiles in klayers.toml",
        profile.as_ref().map(|profile| format!(" from the profile {profile}")).unwrap_or_default()
    )]
    Credentials {
        /// The partition.
        partition: Partition,
        /// The profile that was to have them, if one was named.
        profile: Option<String>,
        /// What AWS says.
        source: Box<AwsError>,
    },
    /// AWS did not say whose the credentials are, although it may take them.
    #[error(
        "AWS did not say whose the credentials for the partition {partition} are; try again later"
    )]
    Unidentified {
        /// The partition.
        partition: Partition,
        /// What happened instead.
        source: Box<AwsError>,
    },
    /// A region that the publisher was not made for.
    #[error("{0} is none of the regions that this publisher was made for")]
    UnknownRegion(Region),
    /// The configured buckets are not one a region.
    #[error("the bucket {0:?} must have {{region}} in its name: a layer's bucket is in its region")]
    BucketName(String),
    /// A bucket cannot be used.
    #[error(
        "layers for {region} go through the bucket {bucket}, which {reason}; it must be in {region}"
    )]
    Bucket {
        /// The bucket.
        bucket: String,
        /// The region.
        region: Region,
        /// What is wrong.
        reason: String,
    },
    /// A layer is too large to be sent in a request.
    #[error(
        "{layer} has {size} bytes; Lambda takes at most {limit} in a request: set [publish.aws] \
         bucket in klayers.toml, so that it goes through S3"
    )]
    TooLarge {
        /// The layer.
        layer: LayerName,
        /// Its size, in bytes.
        size: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The publisher is being shut down.
    #[error("the publisher is at its end")]
    Ended,
    /// A publication took too long. What became of it is settled by the next run.
    #[error(
        "publishing {layer} in {region} took more than {} s{}", deadline.as_secs(),
        trouble.map(|trouble| format!(": {trouble}")).unwrap_or_default()
    )]
    Overdue {
        /// The region.
        region: Region,
        /// The layer.
        layer: LayerName,
        /// How long it may take.
        deadline: Duration,
        /// What held it up, as far as that is known.
        trouble: Option<Trouble>,
    },
    /// A region took too long to get ready: to settle what was under way there, or to list its layers.
    #[error(
        "{region} was not ready after {} s{}", deadline.as_secs(),
        trouble.map(|trouble| format!(": {trouble}")).unwrap_or_default()
    )]
    NotReady {
        /// The region.
        region: Region,
        /// How long it may take.
        deadline: Duration,
        /// What held it up, as far as that is known.
        trouble: Option<Trouble>,
    },
    /// It is not known whether a layer was published. The next run settles it.
    #[error(
        "it is not clear whether {layer} was published in {region}: there was no answer, and the \
         version cannot be found; the next run looks again before it publishes"
    )]
    Unsettled {
        /// The region.
        region: Region,
        /// The layer.
        layer: LayerName,
    },
    /// An earlier run made a version that cannot be listed, so that no other is made.
    #[error(
        "an earlier run made a version of {layer} in {region} that cannot be listed: {reason}; \
         mend that, and `klayers-pipeline reconcile --repair` or the next run lists it"
    )]
    Stuck {
        /// The region.
        region: Region,
        /// The layer.
        layer: LayerName,
        /// Why it cannot be listed.
        reason: String,
    },
    /// The pointer to the latest version of a layer could not be moved.
    #[error(
        "the pointer to the latest version was not moved, and may name another one; the next run \
         moves it"
    )]
    Pointer(#[source] Box<PublishError>),
    /// Something else showed that nothing can be published in a region for now.
    #[error("{region} is left alone for the rest of this run: {reason}")]
    Closed {
        /// The region.
        region: Region,
        /// What it was.
        reason: String,
    },
    /// What was published is not what was sent. It is left alone, and not made public.
    #[error("{arn} was to have the SHA-256 {digest}, but has {actual}; delete it")]
    WrongContent {
        /// The layer version.
        arn: Box<LayerVersionArn>,
        /// What it was to have.
        digest: Digest,
        /// What it has.
        actual: Digest,
    },
    /// A layer version is not one that everybody may use, and nothing else.
    #[error("the policy of {arn} {reason}; look at it with get-layer-version-policy")]
    Policy {
        /// The layer version.
        arn: Box<LayerVersionArn>,
        /// What is wrong with it.
        reason: String,
    },
}

impl PublishError {
    /// Whether a version may have been published although this error was returned.
    pub fn is_unclear(&self) -> bool {
        matches!(self, Self::Aws(error) if matches!(error.fault(), Fault::Unclear | Fault::Silent))
    }

    /// Whether the region would refuse all else in the same way: it is closed to this account, full,
    /// or does not answer.
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
