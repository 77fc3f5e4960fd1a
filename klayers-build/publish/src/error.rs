//! Errors of publishing.

use std::path::PathBuf;
use std::time::Duration;

use klayers_core::{Digest, LayerName, LayerVersionArn, Partition, Region};

use super::{AwsError, AwsErrorKind, Trouble};

/// Errors of publishing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The options ask for pointers, and this build cannot keep any.
    #[error("pointers are kept in the SSM Parameter Store, which needs the feature `pointers`")]
    WithoutPointers,
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
        matches!(self, Self::Aws(error) if matches!(error.kind(), AwsErrorKind::Unclear | AwsErrorKind::Silent))
    }

    /// Whether other calls to the region would fail the same way: it is closed to this account,
    /// full, or not answering.
    pub fn concerns_region(&self) -> bool {
        match self {
            Self::Aws(error) => matches!(
                error.kind(),
                AwsErrorKind::Throttled { .. }
                    | AwsErrorKind::Full
                    | AwsErrorKind::Denied
                    | AwsErrorKind::NoCredentials
                    | AwsErrorKind::Unreachable
                    | AwsErrorKind::Silent
            ),
            Self::Overdue { .. }
            | Self::NotReady { .. }
            | Self::Closed { .. }
            | Self::Bucket { .. } => true,
            _ => false,
        }
    }
}
