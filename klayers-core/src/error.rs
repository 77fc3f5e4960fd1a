use crate::secrets;

/// A text that could not be parsed.
///
/// The message names the text, the expected kind of value, and its form. It can be shown to users as it
/// is.
///
/// ```
/// let error = "12".parse::<klayers_core::AccountId>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#""12" is not an AWS account ID: 12 digits expected, as in 770693421928"#,
/// );
/// ```
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{input:?} is not {kind}: {expected}")]
pub struct ParseError {
    input: String,
    kind: &'static str,
    expected: String,
}

impl ParseError {
    /// How much of an input a message shows, in characters.
    const MAX_SHOWN: usize = 80;

    /// The error that `input` is not a value of this `kind`, which has an article: `an AWS account ID`.
    /// `expected` describes the form of such values.
    pub fn new(input: &str, kind: &'static str, expected: impl Into<String>) -> Self {
        // The input may be a URL with a password that was given in the wrong place.
        let input = secrets::hide_secret(input);
        let mut shown: String = input.chars().take(Self::MAX_SHOWN).collect();
        if shown.len() < input.len() {
            shown.push('…');
        }
        Self { input: shown, kind, expected: expected.into() }
    }

    /// The expected kind of value, with an article: `an AWS account ID`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The text, cut after 80 characters. If it may be a URL with a password, only a part is shown.
    pub fn input(&self) -> &str {
        &self.input
    }
}

/// Implements the conversions that `#[serde(try_from = "String", into = "String")]` needs for a type with
/// `FromStr` and `Display`, so that serde uses the same parser. In a JSON Schema, the type is a string.
macro_rules! impl_string_conversions {
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

pub(crate) use impl_string_conversions;
