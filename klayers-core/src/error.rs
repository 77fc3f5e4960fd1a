use crate::secrets;

/// A text that is not what it was parsed as.
///
/// The message names the text, what it was taken for, and what is expected of it, so that it can
/// be shown to a user as it stands.
///
/// ```
/// let error = "12".parse::<klayers_core::AccountId>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#""12" is not an AWS account ID: 12 digits expected, as in 770693421928"#,
/// );
/// ```
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{input:?} is not {what}: {expected}")]
pub struct ParseError {
    input: String,
    what: &'static str,
    expected: String,
}

impl ParseError {
    /// The longest part of an input that a message repeats, in characters.
    const SHOWN: usize = 80;

    /// `input` is not `what` (with its article); `expected` says what would be.
    pub fn new(input: &str, what: &'static str, expected: impl Into<String>) -> Self {
        // Somebody may have given a URL, with a password in it, in the wrong place.
        let input = secrets::shown(input);
        let mut shown: String = input.chars().take(Self::SHOWN).collect();
        if shown.len() < input.len() {
            shown.push('…');
        }
        Self { input: shown, what, expected: expected.into() }
    }

    /// What the text was taken for, with its article: `an AWS account ID`.
    pub fn what(&self) -> &'static str {
        self.what
    }

    /// The text, cut after 80 characters, and without what may be the password of a URL.
    pub fn input(&self) -> &str {
        &self.input
    }
}

/// Gives a type with `FromStr` and `Display` the conversions that
/// `#[serde(try_from = "String", into = "String")]` asks for, so that serde goes through the one
/// parser; in a schema it is a string.
macro_rules! through_string {
    ($($type:ty),+ $(,)?) => {$(
        impl TryFrom<String> for $type {
            type Error = $crate::ParseError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl TryFrom<&str> for $type {
            type Error = $crate::ParseError;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string" })
            }
        }
    )+};
}

pub(crate) use through_string;
