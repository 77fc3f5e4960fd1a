//! Failed calls to AWS.

use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use hyper_util::client::legacy::Error as HttpError;
use klayers_core::Region;

/// Upper bound on a `Retry-After` from AWS.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(1);

/// A call to AWS that failed.
#[derive(Debug, thiserror::Error)]
#[error("{operation} in {region}: {cause}")]
pub struct AwsError {
    operation: &'static str,
    region: Region,
    cause: Cause,
    kind: AwsErrorKind,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Kind of a failed call, which decides what to do next.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AwsErrorKind {
    /// There were too many calls; nothing was done.
    Throttled {
        /// Time to wait before the next attempt, if AWS gave one.
        retry_after: Option<Duration>,
    },
    /// The account has no room for more code in the region; nothing was done.
    Full,
    /// The credentials are not allowed to do this, or not in this region; nothing was done.
    Denied,
    /// There are no credentials; nothing was done.
    NoCredentials,
    /// The region cannot be reached; nothing was done.
    Unreachable,
    /// The object of the request does not exist.
    NotFound,
    /// AWS rejected the request; nothing was done.
    Refused,
    /// There was no answer in time; it is unknown whether anything was done.
    Silent,
    /// It is unknown whether anything was done.
    Unclear,
}

#[derive(Debug)]
enum Cause {
    /// An answer with an error code and a message.
    Answered { code: String, message: String, advice: &'static str },
    /// Throttled at every attempt, for this long.
    Throttled { lasted: Duration, code: String, message: String },
    /// No answer within this time.
    Silent(Duration),
    /// No answer, or one that cannot be read.
    Unanswered(&'static str),
    /// An answer that lacks a required field.
    MissingField(&'static str),
}

impl std::fmt::Display for Cause {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Answered { code, message, advice } => {
                formatter.write_str(code)?;
                if !message.is_empty() {
                    write!(formatter, ": {}", message.trim_end_matches('.'))?;
                }
                formatter.write_str(advice)
            }
            Self::Throttled { lasted, code, message } => {
                write!(formatter, "throttled for {} s; try again later ({code}", lasted.as_secs())?;
                if !message.is_empty() {
                    write!(formatter, ": {}", message.trim_end_matches('.'))?;
                }
                formatter.write_str(")")
            }
            Self::Silent(time) => write!(formatter, "no answer in {} s", time.as_secs()),
            Self::Unanswered(cause) => formatter.write_str(cause),
            Self::MissingField(field) => write!(formatter, "the answer has no valid {field}"),
        }
    }
}

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

    /// There was no answer within this time.
    pub(super) fn silent(operation: &'static str, region: &Region, time: Duration) -> Box<Self> {
        let (region, cause) = (region.clone(), Cause::Silent(time));
        Box::new(Self { operation, region, cause, kind: AwsErrorKind::Silent, source: None })
    }

    /// Adds the total time of all attempts, if it helps to explain the error.
    pub(super) fn lasted(&mut self, lasted: Duration) {
        match &mut self.cause {
            Cause::Answered { code, message, .. }
                if matches!(self.kind, AwsErrorKind::Throttled { .. }) =>
            {
                let (code, message) = (std::mem::take(code), std::mem::take(message));
                self.cause = Cause::Throttled { lasted, code, message };
            }
            Cause::Silent(time) => *time = lasted,
            _ => {}
        }
    }

    pub(super) fn is_throttled(&self) -> bool {
        matches!(self.kind, AwsErrorKind::Throttled { .. })
    }

    pub(super) fn incomplete(
        operation: &'static str,
        region: &Region,
        field: &'static str,
    ) -> Box<Self> {
        let (region, cause) = (region.clone(), Cause::MissingField(field));
        Box::new(Self { operation, region, cause, kind: AwsErrorKind::Unclear, source: None })
    }

    /// Kind of the failure.
    pub fn kind(&self) -> &AwsErrorKind {
        &self.kind
    }

    /// Error code of AWS, such as `ResourceConflictException`.
    pub fn code(&self) -> Option<&str> {
        match &self.cause {
            Cause::Answered { code, .. } | Cause::Throttled { code, .. } => Some(code),
            Cause::Silent(_) | Cause::Unanswered(_) | Cause::MissingField(_) => None,
        }
    }

    /// Whether the bucket is in another region than the request.
    pub(super) fn is_elsewhere(&self) -> bool {
        let answered = |status: &str| matches!(self.code(), Some(code) if code == status);
        answered("PermanentRedirect") || answered("status 301") || answered("status 400")
    }

    pub(super) fn is_not_found(&self) -> bool {
        self.kind == AwsErrorKind::NotFound
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
