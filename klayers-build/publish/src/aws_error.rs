//! Errors of calls to AWS, as values that need no SDK.

use std::time::Duration;

use klayers_core::Region;

/// A call to AWS that failed.
#[derive(Debug, thiserror::Error)]
#[error("{operation} in {region}: {cause}")]
pub struct AwsError {
    pub(crate) operation: &'static str,
    pub(crate) region: Region,
    pub(crate) cause: Cause,
    pub(crate) kind: AwsErrorKind,
    /// The meaning of the answer as an HTTP status; `None` without an answer.
    pub(crate) status: Option<u16>,
    pub(crate) source: Option<Box<dyn std::error::Error + Send + Sync>>,
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
#[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "only calls to AWS make these"))]
pub(crate) enum Cause {
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
}
