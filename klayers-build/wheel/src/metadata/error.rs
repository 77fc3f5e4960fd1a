use klayers_core::ParseError;

use crate::RuleError;

/// What is wrong with a `METADATA` file. Lines are counted from 1.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// A line is not text.
    #[error("line {line}: it is not UTF-8")]
    NotText {
        /// The line.
        line: usize,
    },
    /// A line holds a character that readers interpret differently.
    #[error("line {line}: it holds a carriage return or a NUL")]
    Control {
        /// The line.
        line: usize,
    },
    /// A line is neither a header nor the continuation of one, and readers would differ about the
    /// lines after it.
    #[error("line {line}: {found:?} is not a header: NAME: VALUE expected")]
    NotAHeader {
        /// The line.
        line: usize,
        /// The text of the line.
        found: String,
    },
    /// A single-use field is repeated with another value.
    #[error("line {line}: {field} has another value than on line {first}")]
    Repeated {
        /// The line.
        line: usize,
        /// The field, in lower case.
        field: String,
        /// The line of the first value.
        first: usize,
    },
    /// The version of the format is unknown.
    #[error("line {line}: Metadata-Version is {found:?}; versions 1 and 2 are supported")]
    Format {
        /// The line.
        line: usize,
        /// The version.
        found: String,
    },
    /// The value of a field is malformed.
    #[error("line {line}: {field}: {error}")]
    Value {
        /// The line.
        line: usize,
        /// The field.
        field: &'static str,
        /// The cause.
        error: ParseError,
    },
    /// A required field is missing.
    #[error("it lacks {0}")]
    Missing(&'static str),
}

impl From<MetadataError> for RuleError {
    fn from(error: MetadataError) -> Self {
        Self::Metadata(error)
    }
}
