use std::error::Error as StdError;
use std::path::{Path, PathBuf};
use std::{io, iter};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_lambda::config::http::HttpResponse;
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};

use klayers_core::terminal::one_line;

use crate::{LayerVersionArn, Region};

type Cause = Box<dyn StdError + Send + Sync>;

/// Why a layer could not be downloaded or copied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AwsError {
    /// The HTTP client could not be made.
    #[error("the HTTP client could not be set up; check that the system's certificates are there")]
    Setup {
        /// What was wrong.
        source: Cause,
    },

    /// There are no credentials, or AWS does not accept them.
    #[error(
        "no AWS credentials that can be used for {region}; name a profile in AWS_PROFILE, set \
         AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with `aws sso login`"
    )]
    Credentials {
        /// The region that was to be asked.
        region: Region,
        /// What is wrong with them.
        source: Cause,
    },

    /// The credentials may not do it.
    #[error(
        "{operation} of {arn} in {region} was denied: the credentials need lambda:{right}, and the \
         layer has to be public or shared with their account{}", .message.as_deref().map(|text| format!(" ({text})")).unwrap_or_default()
    )]
    Denied {
        /// The operation.
        operation: &'static str,
        /// The right that it needs.
        right: &'static str,
        /// The layer version.
        arn: Box<LayerVersionArn>,
        /// The region that was asked.
        region: Region,
        /// What AWS said.
        message: Option<String>,
    },

    /// There is no such layer version (any more).
    #[error(
        "{arn} is not in {region}: it was deleted, or never was; the latest one of its package is \
         found with klayers latest-arn"
    )]
    NotFound {
        /// The layer version.
        arn: Box<LayerVersionArn>,
        /// The region that was asked.
        region: Region,
    },

    /// A call to AWS failed in another way.
    #[error(
        "{operation} for {arn} failed in {region}; check the credentials, that the region is enabled, and the network"
    )]
    Call {
        /// The operation.
        operation: &'static str,
        /// The layer version.
        arn: Box<LayerVersionArn>,
        /// The region that was asked.
        region: Region,
        /// What went wrong.
        source: Cause,
    },

    /// AWS answered with less than is needed, or with another layer.
    #[error("AWS does not say all that is needed of {arn}; try again")]
    Incomplete {
        /// The layer version.
        arn: Box<LayerVersionArn>,
    },

    /// The bytes could not be fetched.
    #[error("{arn} could not be downloaded; what is there is kept, so call it again to go on")]
    Interrupted {
        /// The layer version.
        arn: Box<LayerVersionArn>,
        /// What went wrong.
        source: Cause,
    },

    /// What came is not the layer.
    #[error(
        "what was downloaded of {arn} is not it: SHA-256 {found}, {expected} expected; it was removed"
    )]
    Digest {
        /// The layer version.
        arn: Box<LayerVersionArn>,
        /// What Lambda states, in Base64.
        expected: String,
        /// What it is.
        found: String,
    },

    /// The zip is larger than Lambda takes within a request.
    #[error(
        "{arn} is {size} bytes large, and Lambda takes more than {limit} from a bucket alone: \
         download it, put the file into a bucket in {region}, and publish it from there under the \
         name {} (aws lambda publish-layer-version --content S3Bucket=…,S3Key=…); it then counts \
         as the copy", .arn.name()
    )]
    TooLarge {
        /// The layer version.
        arn: Box<LayerVersionArn>,
        /// The region that the copy was to be in.
        region: Region,
        /// Its size, in bytes.
        size: u64,
        /// The largest size, in bytes.
        limit: u64,
    },

    /// A file could not be read or written.
    #[error("{} cannot be used; check its folder and the room on the disk", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },

    /// A layer unpacks to more than a function may have.
    #[error(
        "{} unpacks to more than {limit} bytes, the most that Lambda takes for a function and all \
         its layers; nothing was unpacked", .path.display()
    )]
    Unpacked {
        /// The zip.
        path: PathBuf,
        /// The limit, in bytes.
        limit: u64,
    },

    /// A layer could not be unpacked.
    #[error("{} cannot be unpacked", .path.display())]
    Unpack {
        /// The zip.
        path: PathBuf,
        /// What went wrong.
        source: zip::result::ZipError,
    },
}

/// The codes with which AWS says that it does not accept credentials.
const NOT_ACCEPTED: [&str; 6] = [
    "ExpiredTokenException",
    "ExpiredToken",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "IncompleteSignature",
];

/// Why credentials could not be loaded, if that is what went wrong: the last of the causes, for
/// those above it say that they could not be loaded, each in other words.
fn not_loaded(error: &(dyn StdError + 'static)) -> Option<String> {
    let causes = || iter::successors(Some(error), |&cause| cause.source());
    let failed = causes().find_map(|cause| cause.downcast_ref::<CredentialsError>())?;
    if let CredentialsError::CredentialsNotLoaded(_) = failed {
        return Some("there are none: not in the environment, in a profile, or from a role".into());
    }
    let failed: &(dyn StdError + 'static) = failed;
    let last = iter::successors(Some(failed), |&cause| cause.source()).last()?;
    Some(one_line(&last.to_string()).into_owned())
}

impl AwsError {
    pub(super) fn setup(error: impl Into<Cause>) -> Self {
        Self::Setup { source: error.into() }
    }

    pub(super) fn incomplete(arn: &LayerVersionArn) -> Self {
        Self::Incomplete { arn: Box::new(arn.clone()) }
    }

    pub(super) fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }

    pub(super) fn call<E>(
        operation: &'static str,
        arn: &LayerVersionArn,
        region: &Region,
        error: SdkError<E, HttpResponse>,
    ) -> Self
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let right = match operation {
            "GetLayerVersionByArn" => "GetLayerVersion",
            other => other,
        };
        let (arn, region) = (Box::new(arn.clone()), region.clone());
        let metadata = error.as_service_error().map(ProvideErrorMetadata::meta);
        let message = metadata.and_then(|meta| meta.message()).map(str::to_owned);
        match metadata.and_then(|meta| meta.code()) {
            Some("AccessDeniedException" | "AccessDenied") => {
                Self::Denied { operation, right, arn, region, message }
            }
            Some("ResourceNotFoundException") => Self::NotFound { arn, region },
            Some(code) if NOT_ACCEPTED.contains(&code) => {
                let told = message.unwrap_or_else(|| code.to_owned());
                Self::Credentials { region, source: one_line(&told).into() }
            }
            None if let Some(told) = not_loaded(&error) => {
                Self::Credentials { region, source: told.into() }
            }
            _ => Self::Call { operation, arn, region, source: Box::new(error) },
        }
    }
}
