//! Reads the errors of the SDK.

use std::time::{Duration, SystemTime};

use aws_credential_types::provider::error::CredentialsError;
use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use hyper_util::client::legacy::Error as HttpError;
use klayers_core::Region;
use klayers_core::retry::{Outcome, TransportFailure, parse_retry_after};

use crate::aws_error::{AwsError, AwsErrorKind, Cause};

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
                let code = answer.err().code().unwrap_or_default();
                let status = meaning(code, answer.raw().status().as_u16());
                let kind = kind_of(code, status, answer.raw());
                let cause = Cause::Answered {
                    code: match answer.err().code() {
                        Some(code) => code.to_owned(),
                        None => format!("status {}", answer.raw().status().as_u16()),
                    },
                    message: answer.err().message().unwrap_or_default().to_owned(),
                    advice: advice(&kind),
                };
                let status = Some(status);
                return Box::new(Self { operation, region, cause, kind, status, source: None });
            }
            SdkError::ResponseError(answer) => {
                let status = answer.raw().status().as_u16();
                // An answer that is not in AWS's format may still say that nothing was done.
                match kind_of("", status, answer.raw()) {
                    AwsErrorKind::Refused | AwsErrorKind::NotFound => {
                        (AwsErrorKind::Unclear, UNREADABLE)
                    }
                    kind => (kind, UNREADABLE),
                }
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
        let status = match &error {
            // An answer that breaks off within its body has a status, too.
            SdkError::ResponseError(answer) if answer.raw().status().as_u16() >= 400 => {
                Some(answer.raw().status().as_u16())
            }
            _ => None,
        };
        let (cause, source) = (Cause::Unanswered(cause), error.into_source().ok());
        Box::new(Self { operation, region, cause, kind, status, source })
    }

    /// There was no answer within this time.
    pub(super) fn silent(operation: &'static str, region: &Region, time: Duration) -> Box<Self> {
        let (region, cause) = (region.clone(), Cause::Silent(time));
        let kind = AwsErrorKind::Silent;
        Box::new(Self { operation, region, cause, kind, status: None, source: None })
    }

    /// Adds the total time of all attempts, if it helps to explain the error.
    pub(super) fn lasted(&mut self, lasted: Duration) {
        match &mut self.cause {
            Cause::Answered { code, message, .. }
                if matches!(self.kind, AwsErrorKind::Throttled { .. })
                    && lasted >= Duration::from_secs(1) =>
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
        let kind = AwsErrorKind::Unclear;
        Box::new(Self { operation, region, cause, kind, status: None, source: None })
    }

    /// The failure as the retry policy judges it. `None` if no repetition helps.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        let failure = match &self.kind {
            AwsErrorKind::Throttled { retry_after } => {
                return Some(Outcome::Status { status: 429, retry_after: *retry_after });
            }
            AwsErrorKind::Silent => TransportFailure::Timeout,
            AwsErrorKind::Unreachable => TransportFailure::Connect,
            AwsErrorKind::Unclear => {
                if let Some(status) = self.status {
                    return Some(Outcome::Status { status, retry_after: None });
                }
                TransportFailure::Interrupted
            }
            _ => return None,
        };
        Some(Outcome::Failure(failure))
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

/// Text of an answer that is not in AWS's format, or that broke off.
const UNREADABLE: &str = "could not read the answer";

/// The HTTP status that an answer amounts to. AWS's own codes say more than the status: DynamoDB,
/// for one, throttles with 400, and S3 answers some requests with 200 before it fails.
fn meaning(code: &str, status: u16) -> u16 {
    if THROTTLING_ERRORS.contains(&code) {
        429
    } else if TRANSIENT_ERRORS.contains(&code) {
        408
    } else if (200..300).contains(&status) {
        500
    } else {
        status
    }
}

/// What an answer says about the request; `status` is its [`meaning`].
fn kind_of(code: &str, status: u16, answer: &HttpResponse) -> AwsErrorKind {
    match (code, status) {
        (_, 429) => AwsErrorKind::Throttled { retry_after: retry_after(answer) },
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
        // An answer may have status 200 and still be unreadable.
        (_, 200..300 | 408 | 425 | 500..) => AwsErrorKind::Unclear,
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
    let headers = answer.headers();
    parse_retry_after(headers.get("retry-after")?, headers.get("date"), now())
}

/// The clock, for answers with a date to wait for but without a `Date`.
#[expect(clippy::disallowed_methods, reason = "the edge to the network, where answers arrive")]
fn now() -> SystemTime {
    SystemTime::now()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_aws_count_more_than_statuses() {
        for (code, status, expected) in [
            ("ServiceException", 500, 500),
            ("NotImplemented", 501, 501),
            ("TooManyRequestsException", 429, 429),
            // DynamoDB throttles with 400, S3 with 503.
            ("ProvisionedThroughputExceededException", 400, 429),
            ("SlowDown", 503, 429),
            ("RequestTimeout", 400, 408),
            ("InternalError", 200, 500),
            ("ValidationException", 400, 400),
        ] {
            assert_eq!(meaning(code, status), expected, "{code} {status}");
        }
    }

    #[test]
    fn unclear_failures_are_repeated_as_their_status_says() {
        let outcome = |status| {
            let region = "eu-west-1".parse().expect("a region");
            let error = AwsError {
                operation: "ListLayers",
                region,
                cause: Cause::Unanswered("no answer"),
                kind: AwsErrorKind::Unclear,
                status,
                source: None,
            };
            error.outcome().expect("an outcome").is_transient()
        };
        assert!(outcome(None));
        assert!(outcome(Some(503)));
        assert!(!outcome(Some(501)));
    }
}
