use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ParseError;
use crate::error::impl_string_conversions;

/// The version of a Python package, as defined by the [version specifiers specification][spec] (PEP
/// 440).
///
/// Versions compare according to that specification. The original spelling is kept for display.
///
/// ```
/// use klayers_core::PackageVersion;
///
/// let version = |text: &str| text.parse::<PackageVersion>();
/// assert!(version("2.10")? > version("2.9")?);
/// assert!(version("1.0rc1")? < version("1.0")?);
/// assert_eq!(version("1.0")?, version("1.0.0")?);
/// # Ok::<(), klayers_core::ParseError>(())
/// ```
///
/// [spec]: https://packaging.python.org/en/latest/specifications/version-specifiers/
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PackageVersion {
    spelling: String,
    version: pep440_rs::Version,
}

impl PackageVersion {
    /// The normalised spelling: `2022.6.15` for `2022.06.15`.
    pub fn normalized(&self) -> String {
        self.version.to_string()
    }

    /// Whether the version is a pre-release or a development release, which is only used on request.
    pub fn is_prerelease(&self) -> bool {
        self.version.any_prerelease()
    }

    pub(crate) fn as_pep440(&self) -> &pep440_rs::Version {
        &self.version
    }
}

impl FromStr for PackageVersion {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let version = pep440_rs::Version::from_str(text).map_err(|_| {
            ParseError::new(text, "a package version", "a PEP 440 version expected, as in 2.32.5")
        })?;
        Ok(Self { spelling: text.trim().to_owned(), version })
    }
}

impl fmt::Display for PackageVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.spelling)
    }
}

impl PartialEq for PackageVersion {
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version
    }
}

impl Eq for PackageVersion {}

impl PartialOrd for PackageVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PackageVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.version.cmp(&other.version)
    }
}

impl Hash for PackageVersion {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.version.hash(state);
    }
}

impl_string_conversions!(PackageVersion);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The order of the examples in PEP 440.
    const ASCENDING: [&str; 14] = [
        "1.dev0",
        "1.0.dev456",
        "1.0a1",
        "1.0a2.dev456",
        "1.0a12.dev456",
        "1.0a12",
        "1.0b1.dev456",
        "1.0b2",
        "1.0b2.post345",
        "1.0rc1.dev456",
        "1.0rc1",
        "1.0",
        "1.0.post456",
        "1!0.1",
    ];

    #[test]
    fn versions_sort_as_pep_440_defines() {
        let versions: Vec<PackageVersion> =
            ASCENDING.iter().map(|text| text.parse().expect("a version")).collect();
        assert!(versions.is_sorted_by(|one, other| one < other));
    }

    #[test]
    fn malformed_versions_are_rejected() {
        for text in ["", "x", "1..2", "1.0-", "==1.0", "1.0 2", "1.0;"] {
            assert!(text.parse::<PackageVersion>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn parses_what_it_prints(
            text in r"([1-9]!)?[0-9]{1,4}(\.[0-9]{1,4}){0,3}((a|b|rc)[0-9]{1,2})?(\.post[0-9]{1,2})?(\.dev[0-9]{1,2})?(\+[a-z][a-z0-9]{0,5})?"
        ) {
            let version: PackageVersion = text.parse()?;
            prop_assert_eq!(version.to_string(), text);
            let normalized: PackageVersion = version.normalized().parse()?;
            prop_assert_eq!(normalized, version);
        }

        #[test]
        fn never_panics(text in ".*") {
            let _ = text.parse::<PackageVersion>();
        }
    }
}
