use klayers_core::ParseError;

use crate::wheel::Rule;

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
    /// A line holds a character that readers take in different ways.
    #[error("line {line}: it holds a carriage return or a NUL")]
    Control {
        /// The line.
        line: usize,
    },
    /// A line is neither a header nor the continuation of one, and readers would differ about what
    /// comes after it.
    #[error("line {line}: {found:?} is not a header: NAME: VALUE expected")]
    NotAHeader {
        /// The line.
        line: usize,
        /// What it says.
        found: String,
    },
    /// A field that is said at most once is said again, with another value.
    #[error("line {line}: {field} is said on line {first}, with another value")]
    Repeated {
        /// The line.
        line: usize,
        /// The field, in lower case.
        field: String,
        /// The line where it is said first.
        first: usize,
    },
    /// The format is of a version that is not known.
    #[error("line {line}: Metadata-Version is {found:?}; versions 1 and 2 are known")]
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
        /// What is wrong with it.
        error: ParseError,
    },
    /// A field that every package has is missing.
    #[error("it lacks {0}")]
    Missing(&'static str),
}

impl From<MetadataError> for Rule {
    fn from(error: MetadataError) -> Self {
        Self::Metadata(error)
    }
}
