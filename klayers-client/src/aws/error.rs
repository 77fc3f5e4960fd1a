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
    /// The HTTP client could not be set up.
    #[error("could not set up the HTTP client; check that the system's certificates are installed")]
    Setup {
        /// The cause.
        source: Cause,
    },

    /// There are no credentials, or AWS rejects them.
    #[error(
        "no usable AWS credentials for {region}; name a profile in AWS_PROFILE, set \
         AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with `aws sso login`"
    )]
    Credentials {
        /// The region of the call.
        region: Region,
        /// Why the credentials cannot be used.
        source: Cause,
    },

    /// The credentials do not allow the operation.
    #[error(
        "{operation} for {arn} in {region} was denied: the credentials need the permission \
         lambda:{permission}, and the layer must be public or shared with their account{}", .message.as_deref().map(|text| format!(" ({text})")).unwrap_or_default()
    )]
    Denied {
        /// The operation.
        operation: &'static str,
        /// The permission that the operation needs.
        permission: &'static str,
        /// The layer version.
        arn: Box<LayerVersionArn>,
        /// The region of the call.
        region: Region,
        /// The message from AWS.
        message: Option<String>,
    },

    /// The layer version does not exist, or was deleted.
    #[error(
        "{arn} does not exist in {region}: the layer version was deleted, or never existed; `klayers \
         latest-arn` prints the latest version of the package"
    )]
    NotFound {
        /// The layer version.
        arn: Box<LayerVersionArn>,
        /// The region of the call.
        region: Region,
    },

    /// A call to AWS failed for another reason.
    #[error(
        "{operation} for {arn} failed in {region}; check the credentials, the network, and that the \
         region is enabled"
    )]
    Call {
        /// The operation.
        operation: &'static str,
        /// The layer version.
        arn: Box<LayerVersionArn>,
        /// The region of the call.
        region: Region,
        /// The cause.
        source: Cause,
    },

    /// The response of AWS is incomplete, or describes another layer.
    #[error("the response of AWS about {arn} is incomplete; try again")]
    Incomplete {
        /// The layer version.
        arn: Box<LayerVersionArn>,
    },

    /// The download broke off too often.
    #[error("could not download all of {arn}; the downloaded part is kept, try again to resume")]
    Interrupted {
        /// The layer version.
        arn: Box<LayerVersionArn>,
        /// The cause.
        source: Cause,
    },

    /// The downloaded file is not the layer.
    #[error(
        "the downloaded file is not {arn}: its SHA-256 is {found}, expected {expected}; the file was \
         removed"
    )]
    DigestMismatch {
        /// The layer version.
        arn: Box<LayerVersionArn>,
        /// The SHA-256 that Lambda states, in Base64.
        expected: String,
        /// The SHA-256 of the file, in Base64.
        found: String,
    },

    /// The zip is larger than Lambda accepts in a request.
    #[error(
        "{arn} has {size} bytes, and Lambda accepts more than {limit} only from a bucket: download the \
         layer, upload the file to a bucket in {region}, and publish it from there under the name {} \
         (aws lambda publish-layer-version --content S3Bucket=…,S3Key=…); klayers then recognises it \
         as the copy", .arn.name()
    )]
    TooLarge {
        /// The layer version.
        arn: Box<LayerVersionArn>,
        /// The region for the copy.
        region: Region,
        /// The size of the zip, in bytes.
        size: u64,
        /// The limit, in bytes.
        limit: u64,
    },

    /// A file could not be read or written.
    #[error("could not use the file {}; check its folder and the free disk space", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },

    /// The unpacked layer is larger than Lambda allows.
    #[error(
        "{} unpacks to more than {limit} bytes, the limit of Lambda for a function and all its \
         layers; nothing was unpacked", .path.display()
    )]
    UnpackedTooLarge {
        /// The zip.
        path: PathBuf,
        /// The limit, in bytes.
        limit: u64,
    },

    /// A layer could not be unpacked.
    #[error("could not unpack {}", .path.display())]
    Unpack {
        /// The zip.
        path: PathBuf,
        /// The cause.
        source: zip::result::ZipError,
    },
}

/// The error codes with which AWS rejects credentials.
const REJECTED_CREDENTIALS: [&str; 6] = [
    "ExpiredTokenException",
    "ExpiredToken",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "IncompleteSignature",
];

/// Why credentials could not be loaded; none if the error has another cause. This is the innermost
/// cause: the outer ones only repeat, in other words, that credentials could not be loaded.
fn credentials_problem(error: &(dyn StdError + 'static)) -> Option<String> {
    let causes = || iter::successors(Some(error), |&cause| cause.source());
    let failed = causes().find_map(|cause| cause.downcast_ref::<CredentialsError>())?;
    if let CredentialsError::CredentialsNotLoaded(_) = failed {
        return Some("found none in the environment, in a profile, or from a role".into());
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
        let permission = match operation {
            "GetLayerVersionByArn" => "GetLayerVersion",
            other => other,
        };
        let (arn, region) = (Box::new(arn.clone()), region.clone());
        let metadata = error.as_service_error().map(ProvideErrorMetadata::meta);
        let message = metadata.and_then(|meta| meta.message()).map(str::to_owned);
        let credentials_problem = credentials_problem(&error);
        match metadata.and_then(|meta| meta.code()) {
            Some("AccessDeniedException" | "AccessDenied") => {
                Self::Denied { operation, permission, arn, region, message }
            }
            Some("ResourceNotFoundException") => Self::NotFound { arn, region },
            Some(code) if REJECTED_CREDENTIALS.contains(&code) => {
                let problem = message.unwrap_or_else(|| code.to_owned());
                Self::Credentials { region, source: one_line(&problem).into() }
            }
            code => match credentials_problem {
                Some(problem) if code.is_none() => {
                    Self::Credentials { region, source: problem.into() }
                }
                _ => Self::Call { operation, arn, region, source: Box::new(error) },
            },
        }
    }
}
