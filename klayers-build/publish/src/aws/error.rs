//! Reads the errors of the SDK.

use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use hyper_util::client::legacy::Error as HttpError;
use klayers_core::Region;

use crate::aws_error::{AwsError, AwsErrorKind, Cause};

/// Upper bound on a `Retry-After` from AWS.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(1);

impl AwsError {
    pub(super) fn new<E>(
        operation: &'static str,
        region: &Region,
        error: SdkError<E, HttpResponse>,
    ) -> Box<Self>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let region = region.clone();
        let (kind, cause) = match &error {
            SdkError::ServiceError(answer) => {
                let kind = answered(answer.err().code(), answer.raw());
                let cause = Cause::Answered {
                    code: match answer.err().code() {
                        Some(code) => code.to_owned(),
                        None => format!("status {}", answer.raw().status().as_u16()),
                    },
                    message: answer.err().message().unwrap_or_default().to_owned(),
                    advice: advice(&kind),
                };
                return Box::new(Self { operation, region, cause, kind, source: None });
            }
            SdkError::ResponseError(answer) => {
                // The status may still tell that nothing was done, even if the answer is not from
                // AWS itself.
                let kind = match answered(None, answer.raw()) {
                    AwsErrorKind::Refused | AwsErrorKind::NotFound => AwsErrorKind::Unclear,
                    kind => kind,
                };
                (kind, "could not read the answer")
            }
            SdkError::TimeoutError(_) => (AwsErrorKind::Silent, "no answer in time"),
            SdkError::ConstructionFailure(_) => {
                (AwsErrorKind::Refused, "could not create the request")
            }
            _ if has::<CredentialsError>(&error, |_| true) => {
                (AwsErrorKind::NoCredentials, "no credentials found")
            }
            _ if has::<HttpError>(&error, HttpError::is_connect) => {
                (AwsErrorKind::Unreachable, "could not connect")
            }
            // The SDK has only one timeout, for connecting.
            SdkError::DispatchFailure(failure) if failure.is_timeout() => {
                (AwsErrorKind::Unreachable, "could not connect")
            }
            _ => (AwsErrorKind::Unclear, "no answer"),
        };
        let cause = Cause::Unanswered(cause);
        Box::new(Self { operation, region, cause, kind, source: error.into_source().ok() })
    }
}

fn answered(code: Option<&str>, answer: &HttpResponse) -> AwsErrorKind {
    let code = code.unwrap_or_default();
    match (code, answer.status().as_u16()) {
        (
            "TooManyRequestsException"
            | "ThrottlingException"
            | "Throttling"
            | "SlowDown"
            | "RequestLimitExceeded"
            | "RequestThrottled",
            _,
        )
        | (_, 429) => AwsErrorKind::Throttled { retry_after: retry_after(answer) },
        ("CodeStorageExceededException", _) => AwsErrorKind::Full,
        ("ResourceNotFoundException" | "ParameterNotFound" | "NoSuchKey", _) | (_, 404) => {
            AwsErrorKind::NotFound
        }
        (
            "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "OptInRequired"
            | "AccessDenied"
            | "AccessDeniedException"
            | "SignatureDoesNotMatch"
            | "InvalidSignatureException"
            | "AuthFailure"
            | "InvalidAccessKeyId"
            | "RegionDisabledException",
            _,
        )
        | (_, 401 | 403) => AwsErrorKind::Denied,
        // S3 sends status 200 before some operations are finished; the body may then contain an
        // error.
        (_, 200..300 | 500..) => AwsErrorKind::Unclear,
        _ => AwsErrorKind::Refused,
    }
}

fn advice(kind: &AwsErrorKind) -> &'static str {
    match kind {
        AwsErrorKind::Full => {
            "; delete layer versions and functions there, or ask AWS for more code storage"
        }
        AwsErrorKind::Denied => {
            "; check that the credentials are valid and allow this action, and that the region is \
             enabled for the account"
        }
        AwsErrorKind::Throttled { .. } => "; try again later",
        _ => "",
    }
}

fn retry_after(answer: &HttpResponse) -> Option<Duration> {
    let seconds = answer.headers().get("retry-after")?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
}

/// Whether an error of this type is among the causes.
fn has<E: std::error::Error + 'static>(
    error: &(dyn std::error::Error + 'static),
    test: impl Fn(&E) -> bool,
) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .filter_map(|error| error.downcast_ref::<E>())
        .any(test)
}
