use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::error::impl_string_conversions;
use crate::{AbiVersion, ParseError, PythonVersion, Target};

/// A version of the GNU C library, which determines the newest manylinux wheels that a runtime supports.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Glibc {
    /// The first number: 2 of 2.34.
    pub major: u16,
    /// The second number: 34 of 2.34.
    pub minor: u16,
}

impl FromStr for Glibc {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let number = |digits: &str| {
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
        };
        text.split_once('.')
            .and_then(|(major, minor)| Some(Self { major: number(major)?, minor: number(minor)? }))
            .ok_or_else(|| {
                ParseError::new(text, "a glibc version", "major.minor expected, as in 2.34")
            })
    }
}

impl fmt::Display for Glibc {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

/// A Python runtime of AWS Lambda.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runtime {
    /// The Python version.
    pub python: PythonVersion,
    /// The operating system.
    pub os: String,
    /// The system's C library.
    pub glibc: Glibc,
    /// The day from which AWS no longer updates the runtime; none if unknown.
    #[serde(default)]
    pub deprecated_on: Option<Date>,
    /// The newest `GLIBCXX_` version of the C++ library, if it differs from the default of
    /// [`base_image`](Self::base_image).
    #[serde(default)]
    pub glibcxx: Option<AbiVersion>,
    /// The newest `CXXABI_` version of the C++ library, if it differs from that default.
    #[serde(default)]
    pub cxxabi: Option<AbiVersion>,
    /// The system libraries in addition to the C library, if they differ from that default.
    #[serde(default)]
    pub libraries: Option<BTreeSet<String>>,
}

impl Runtime {
    /// Whether AWS no longer updates the runtime at `now`. Days begin at midnight UTC.
    pub fn is_deprecated(&self, now: Timestamp) -> bool {
        let today = now.to_zoned(TimeZone::UTC).date();
        self.deprecated_on.is_some_and(|day| day <= today)
    }
}

/// The runtimes that layers can be built for, by Python version.
///
/// ```
/// use klayers_core::{PythonVersion, Runtimes};
///
/// let runtimes = Runtimes::default();
/// let runtime = runtimes.get(PythonVersion::new(3, 12)).expect("3.12 is there");
/// assert_eq!(runtime.os, "Amazon Linux 2023");
/// assert_eq!(runtime.glibc.to_string(), "2.34");
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Runtimes(BTreeMap<PythonVersion, Runtime>);

impl Runtimes {
    /// The runtime of a Python version.
    pub fn get(&self, python: PythonVersion) -> Option<&Runtime> {
        self.0.get(&python)
    }

    /// The runtime that a target runs on.
    ///
    /// # Errors
    ///
    /// If no runtime is known for the target's Python version.
    pub fn require(&self, target: Target) -> Result<&Runtime, UnknownRuntimeError> {
        self.get(target.python).ok_or(UnknownRuntimeError { target })
    }

    /// All runtimes, the oldest Python version first.
    pub fn iter(&self) -> impl Iterator<Item = &Runtime> {
        self.0.values()
    }
}

/// No runtime is known for a target's Python version.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no runtime is known for {target}")]
pub struct UnknownRuntimeError {
    /// The target.
    pub target: Target,
}

impl Default for Runtimes {
    /// The known runtimes.
    ///
    /// Systems and dates are from
    /// [Lambda runtimes](https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html) in the AWS
    /// Lambda developer guide, as of spring 2026. Amazon Linux 2 has glibc 2.26, Amazon Linux 2023 has 2.34
    /// ([release notes](https://docs.aws.amazon.com/linux/al2023/ug/compare-with-al2.html)).
    fn default() -> Self {
        let al2 = ("Amazon Linux 2", Glibc { major: 2, minor: 26 });
        let al2023 = ("Amazon Linux 2023", Glibc { major: 2, minor: 34 });
        [
            (8, al2, date(2024, 10, 14)),
            (9, al2, date(2025, 12, 15)),
            (10, al2, date(2026, 10, 31)),
            (11, al2, date(2027, 6, 30)),
            (12, al2023, date(2028, 10, 31)),
            (13, al2023, date(2029, 6, 30)),
            (14, al2023, date(2029, 6, 30)),
        ]
        .into_iter()
        .map(|(minor, (os, glibc), deprecated_on)| Runtime {
            python: PythonVersion::new(3, minor),
            os: os.to_owned(),
            glibc,
            deprecated_on: Some(deprecated_on),
            glibcxx: None,
            cxxabi: None,
            libraries: None,
        })
        .collect()
    }
}

impl FromIterator<Runtime> for Runtimes {
    fn from_iter<I: IntoIterator<Item = Runtime>>(runtimes: I) -> Self {
        Self(runtimes.into_iter().map(|runtime| (runtime.python, runtime)).collect())
    }
}

impl Extend<Runtime> for Runtimes {
    /// Adds runtimes. A runtime replaces an existing one of the same Python version.
    fn extend<I: IntoIterator<Item = Runtime>>(&mut self, runtimes: I) {
        self.0.extend(runtimes.into_iter().map(|runtime| (runtime.python, runtime)));
    }
}

impl_string_conversions!(Glibc);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_from_3_8_has_a_runtime() {
        let runtimes = Runtimes::default();
        let versions: Vec<PythonVersion> = runtimes.iter().map(|runtime| runtime.python).collect();
        let expected: Vec<PythonVersion> =
            (8..).map(|minor| PythonVersion::new(3, minor)).take(versions.len()).collect();
        assert_eq!(versions, expected);
        assert!(versions.len() >= 7, "the runtimes of 3.8 to 3.14 exist");
    }

    #[test]
    fn configured_runtime_replaces_the_known_one() {
        let mut runtimes = Runtimes::default();
        let newer = Runtime {
            python: PythonVersion::new(3, 14),
            os: "Amazon Linux 2025".to_owned(),
            glibc: "2.40".parse().expect("a version"),
            deprecated_on: None,
            glibcxx: None,
            cxxabi: None,
            libraries: None,
        };
        let known = runtimes.iter().count();
        runtimes.extend([newer.clone()]);
        assert_eq!(runtimes.get(newer.python), Some(&newer));
        assert_eq!(runtimes.iter().count(), known);
    }

    #[test]
    fn runtime_is_deprecated_from_midnight_of_its_day() {
        let runtimes = Runtimes::default();
        let runtime = runtimes.get(PythonVersion::new(3, 8)).expect("3.8 is there");
        for (now, deprecated) in [("2024-10-13T23:59:59Z", false), ("2024-10-14T00:00:00Z", true)] {
            assert_eq!(runtime.is_deprecated(now.parse().expect("a time")), deprecated);
        }
    }

    #[test]
    fn glibc_versions_sort_by_number_and_round_trip() {
        let version = |text: &str| text.parse::<Glibc>().expect(text);
        assert!(version("2.5") < version("2.17"));
        assert_eq!(version("2.34").to_string(), "2.34");
        for text in ["", "2", "2.", ".2", "2.34.1", "+2.3", "two"] {
            assert!(text.parse::<Glibc>().is_err(), "{text:?}");
        }
    }
}
