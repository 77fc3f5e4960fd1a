use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ParseError;
use crate::error::impl_string_conversions;

/// The name of a Python package.
///
/// Names compare by their [normalised form][spec] (PEP 503): `Pillow` equals `pillow`, and
/// `zope.interface` equals `zope_interface`. The original spelling is kept, and
/// [`Display`](fmt::Display) shows it.
///
/// ```
/// use klayers_core::PackageName;
///
/// let name: PackageName = "Zope.Interface".parse()?;
/// assert_eq!(name, "zope_interface".parse()?);
/// assert_eq!(name.normalized(), "zope-interface");
/// assert_eq!(name.to_string(), "Zope.Interface");
/// # Ok::<(), klayers_core::ParseError>(())
/// ```
///
/// [spec]: https://packaging.python.org/en/latest/specifications/name-normalization/
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PackageName {
    spelling: String,
    normalized: String,
}

impl PackageName {
    /// The normalised name: in lower case, with runs of `-`, `_` and `.` replaced by one `-`.
    pub fn normalized(&self) -> &str {
        &self.normalized
    }

    /// The same name with the normalised spelling.
    #[must_use]
    pub fn to_normalized(&self) -> Self {
        Self { spelling: self.normalized.clone(), normalized: self.normalized.clone() }
    }

    /// The original spelling.
    pub fn spelling(&self) -> &str {
        &self.spelling
    }
}

impl FromStr for PackageName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = text.as_bytes();
        let valid = edge(bytes.first())
            && edge(bytes.last())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte));
        if !valid {
            return Err(ParseError::new(
                text,
                "a package name",
                "ASCII letters and digits expected, with single -, _ or . between them",
            ));
        }
        Ok(Self { spelling: text.to_owned(), normalized: normalize(text) })
    }
}

fn normalize(name: &str) -> String {
    let mut normalized = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '-' | '_' | '.' if normalized.ends_with('-') => {}
            '-' | '_' | '.' => normalized.push('-'),
            _ => normalized.push(character.to_ascii_lowercase()),
        }
    }
    normalized
}

impl fmt::Display for PackageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.spelling)
    }
}

impl PartialEq for PackageName {
    fn eq(&self, other: &Self) -> bool {
        self.normalized == other.normalized
    }
}

impl Eq for PackageName {}

impl PartialOrd for PackageName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PackageName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.normalized.cmp(&other.normalized)
    }
}

impl Hash for PackageName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.normalized.hash(state);
    }
}

impl_string_conversions!(PackageName);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_package_are_equal() {
        for (one, other) in
            [("Pillow", "pillow"), ("a.b", "A__b"), ("ruamel.yaml", "ruamel-_.yaml")]
        {
            assert_eq!(one.parse::<PackageName>(), other.parse::<PackageName>());
        }
    }

    #[test]
    fn malformed_names_are_rejected() {
        for text in ["", "-a", "a-", "a b", "é", "a/b", "..", "a\0", "_", "a[b]", "a=="] {
            assert!(text.parse::<PackageName>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn parses_what_it_prints(text in "[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?") {
            let name: PackageName = text.parse()?;
            prop_assert_eq!(name.to_string(), text);
            let normalized: PackageName = name.normalized().parse()?;
            prop_assert_eq!(normalized.normalized(), name.normalized());
            prop_assert_eq!(normalized, name);
        }

        #[test]
        fn never_panics(text in ".*") {
            let _ = text.parse::<PackageName>();
        }
    }
}
