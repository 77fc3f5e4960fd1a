//! What AWS answers when it does not do what it was asked for.

use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use hyper_util::client::legacy::Error as HttpError;
use klayers_core::Region;

/// The longest time for which AWS is believed that it wants to be left alone.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(1);

/// A call to AWS that failed.
#[derive(Debug, thiserror::Error)]
#[error("{operation} in {region}: {what}")]
pub struct AwsError {
    operation: &'static str,
    region: Region,
    what: What,
    fault: Fault,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What a failed call says about what may be done next.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// There were too many calls; nothing was done.
    Throttled {
        /// After which time it may be tried again, if that was said.
        retry_after: Option<Duration>,
    },
    /// The account has no room for more code in the region; nothing was done.
    Full,
    /// AWS does not let these credentials do it, or not in this region; nothing was done.
    Denied,
    /// There are no credentials; nothing was done.
    NoCredentials,
    /// The region cannot be reached; nothing was done.
    Unreachable,
    /// What was asked for is not there.
    NotFound,
    /// The request is not one that AWS takes; nothing was done.
    Refused,
    /// There was no answer in time; it is not known whether it was done.
    Silent,
    /// It is not known whether it was done.
    Unclear,
}

#[derive(Debug)]
enum What {
    /// An answer with a code and a text.
    Answered { code: String, message: String, advice: &'static str },
    /// The same for as long as it was tried: there were too many calls.
    Throttled { lasted: Duration, code: String, message: String },
    /// No answer in this time.
    Silent(Duration),
    /// No answer, or none that can be read.
    Unanswered(&'static str),
    /// An answer without a field.
    Lacks(&'static str),
}

impl std::fmt::Display for What {
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
            Self::Unanswered(what) => formatter.write_str(what),
            Self::Lacks(field) => write!(formatter, "the answer has no {field} that can be read"),
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
        let (fault, what) = match &error {
            SdkError::ServiceError(answer) => {
                let fault = answered(answer.err().code(), answer.raw());
                let what = What::Answered {
                    code: match answer.err().code() {
                        Some(code) => code.to_owned(),
                        None => format!("status {}", answer.raw().status().as_u16()),
                    },
                    message: answer.err().message().unwrap_or_default().to_owned(),
                    advice: advice(&fault),
                };
                return Box::new(Self { operation, region, what, fault, source: None });
            }
            SdkError::ResponseError(answer) => {
                // What is not AWS's own answer may still say that nothing was done.
                let fault = match answered(None, answer.raw()) {
                    Fault::Refused | Fault::NotFound => Fault::Unclear,
                    fault => fault,
                };
                (fault, "the answer cannot be read")
            }
            SdkError::TimeoutError(_) => (Fault::Silent, "there was no answer in time"),
            SdkError::ConstructionFailure(_) => (Fault::Refused, "the request cannot be made"),
            _ if has::<CredentialsError>(&error, |_| true) => {
                (Fault::NoCredentials, "there are no credentials")
            }
            _ if has::<HttpError>(&error, HttpError::is_connect) => {
                (Fault::Unreachable, "there is no connection")
            }
            // The only time that the SDK itself keeps is that of connecting.
            SdkError::DispatchFailure(failure) if failure.is_timeout() => {
                (Fault::Unreachable, "there is no connection")
            }
            _ => (Fault::Unclear, "there was no answer"),
        };
        let what = What::Unanswered(what);
        Box::new(Self { operation, region, what, fault, source: error.into_source().ok() })
    }

    /// There was no answer in this time.
    pub(super) fn silent(operation: &'static str, region: &Region, time: Duration) -> Box<Self> {
        let (region, what) = (region.clone(), What::Silent(time));
        Box::new(Self { operation, region, what, fault: Fault::Silent, source: None })
    }

    /// Says for how long it was tried, where that explains the error.
    pub(super) fn lasted(&mut self, lasted: Duration) {
        match &mut self.what {
            What::Answered { code, message, .. }
                if matches!(self.fault, Fault::Throttled { .. }) =>
            {
                let (code, message) = (std::mem::take(code), std::mem::take(message));
                self.what = What::Throttled { lasted, code, message };
            }
            What::Silent(time) => *time = lasted,
            _ => {}
        }
    }

    pub(super) fn is_throttled(&self) -> bool {
        matches!(self.fault, Fault::Throttled { .. })
    }

    pub(super) fn incomplete(
        operation: &'static str,
        region: &Region,
        field: &'static str,
    ) -> Box<Self> {
        let (region, what) = (region.clone(), What::Lacks(field));
        Box::new(Self { operation, region, what, fault: Fault::Unclear, source: None })
    }

    /// What it says about what may be done next.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// AWS's own code of the error, such as `ResourceConflictException`.
    pub fn code(&self) -> Option<&str> {
        match &self.what {
            What::Answered { code, .. } | What::Throttled { code, .. } => Some(code),
            What::Silent(_) | What::Unanswered(_) | What::Lacks(_) => None,
        }
    }

    /// Whether a bucket was asked for in a region where it is not.
    pub(super) fn is_elsewhere(&self) -> bool {
        let answered = |status: &str| matches!(self.code(), Some(code) if code == status);
        answered("PermanentRedirect") || answered("status 301") || answered("status 400")
    }

    pub(super) fn is_not_found(&self) -> bool {
        self.fault == Fault::NotFound
    }
}

fn answered(code: Option<&str>, answer: &HttpResponse) -> Fault {
    // Codes may come with the namespace before them, and more after them.
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
        | (_, 429) => Fault::Throttled { retry_after: retry_after(answer) },
        ("CodeStorageExceededException", _) => Fault::Full,
        ("ResourceNotFoundException" | "ParameterNotFound" | "NoSuchKey", _) | (_, 404) => {
            Fault::NotFound
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
        | (_, 401 | 403) => Fault::Denied,
        // S3 begins some answers with 200 before it is done, and may end them with an error.
        (_, 200..300 | 500..) => Fault::Unclear,
        _ => Fault::Refused,
    }
}

fn advice(fault: &Fault) -> &'static str {
    match fault {
        Fault::Full => {
            "; delete layer versions and functions there, or ask AWS for more code storage"
        }
        Fault::Denied => {
            "; see whether the credentials are valid, may do this, and whether the region is \
             enabled for the account"
        }
        Fault::Throttled { .. } => "; try again later",
        _ => "",
    }
}

fn retry_after(answer: &HttpResponse) -> Option<Duration> {
    let seconds = answer.headers().get("retry-after")?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
}

/// Whether an error of a kind is among the causes.
fn has<E: std::error::Error + 'static>(
    error: &(dyn std::error::Error + 'static),
    test: impl Fn(&E) -> bool,
) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .filter_map(|error| error.downcast_ref::<E>())
        .any(test)
}
