use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use pep440_rs::VersionSpecifiers;
use serde::{Deserialize, Serialize};

use crate::error::impl_string_conversions;
use crate::{PackageName, PackageVersion, ParseError};

/// A requirement of a layer: a package, its extras, and the accepted versions.
///
/// This is the part of a [dependency specifier][spec] (PEP 508) that makes sense for a layer.
/// Environment markers are rejected, since a layer is built for one target. Direct URLs are rejected,
/// since its wheels come from an index.
///
/// ```
/// use klayers_core::Requirement;
///
/// let requirement: Requirement = "psycopg[pool, binary] >=3.2".parse()?;
/// assert_eq!(requirement.name().normalized(), "psycopg");
/// assert_eq!(requirement.to_string(), "psycopg[binary,pool]>=3.2");
/// # Ok::<(), klayers_core::ParseError>(())
/// ```
///
/// [spec]: https://packaging.python.org/en/latest/specifications/dependency-specifiers/
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Requirement {
    name: PackageName,
    extras: BTreeSet<PackageName>,
    specifiers: VersionSpecifiers,
}

impl Requirement {
    /// The required package.
    pub fn name(&self) -> &PackageName {
        &self.name
    }

    /// The required extras, sorted by their normalised names.
    pub fn extras(&self) -> impl ExactSizeIterator<Item = &PackageName> {
        self.extras.iter()
    }

    /// Whether the requirement accepts a version. Without version specifiers, all versions are accepted.
    ///
    /// ```
    /// use klayers_core::Requirement;
    ///
    /// let requirement: Requirement = "requests~=2.31".parse()?;
    /// assert!(requirement.accepts(&"2.32.5".parse()?));
    /// assert!(!requirement.accepts(&"3.0".parse()?));
    /// # Ok::<(), klayers_core::ParseError>(())
    /// ```
    pub fn accepts(&self, version: &PackageVersion) -> bool {
        self.specifiers.contains(version.as_pep440())
    }

    /// Whether the requirement names one exact version: `==2.32.5`, `===2.32.5`.
    pub fn is_exact(&self) -> bool {
        use pep440_rs::Operator::{Equal, ExactEqual};
        self.specifiers.iter().any(|one| matches!(one.operator(), Equal | ExactEqual))
    }

    /// Whether all versions are accepted.
    pub fn is_any(&self) -> bool {
        self.specifiers.is_empty()
    }

    fn refuse(text: &str, expected: impl Into<String>) -> ParseError {
        ParseError::new(text, "a requirement", expected)
    }
}

impl FromStr for Requirement {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.contains(';') {
            return Err(Self::refuse(
                text,
                "environment markers are not supported, since a layer has one target",
            ));
        }
        if text.contains('@') {
            return Err(Self::refuse(text, "a package from an index expected, not a direct URL"));
        }
        let is_name =
            |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        let trimmed = text.trim();
        let end = trimmed.find(|character| !is_name(character)).unwrap_or(trimmed.len());
        let (name, rest) = trimmed.split_at(end);
        let (extras, rest) = match rest.trim_start().strip_prefix('[') {
            None => (BTreeSet::new(), rest),
            Some(bracketed) => {
                let (inside, rest) = bracketed
                    .split_once(']')
                    .ok_or_else(|| Self::refuse(text, "a ] expected after the extras"))?;
                let extras = match inside.trim() {
                    "" => BTreeSet::new(),
                    names => names
                        .split(',')
                        .map(|extra| extra.trim().parse())
                        .collect::<Result<_, _>>()
                        .map_err(|error| Self::refuse(text, format!("in the extras, {error}")))?,
                };
                (extras, rest)
            }
        };
        let specifiers = rest.trim();
        let specifiers = specifiers
            .strip_prefix('(')
            .and_then(|inner| inner.strip_suffix(')'))
            .unwrap_or(specifiers);
        Ok(Self {
            name: name.parse().map_err(|_| {
                Self::refuse(text, "a package name expected first, as in requests==2.32.*")
            })?,
            extras,
            specifiers: specifiers.parse().map_err(|_| {
                Self::refuse(text, "version specifiers expected after the name, as in >=2.31,<3")
            })?,
        })
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.name)?;
        for (index, extra) in self.extras.iter().enumerate() {
            write!(formatter, "{}{extra}", if index == 0 { '[' } else { ',' })?;
        }
        if !self.extras.is_empty() {
            write!(formatter, "]")?;
        }
        for (index, specifier) in self.specifiers.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(formatter, "{separator}{}{}", specifier.operator(), specifier.version())?;
            if matches!(
                specifier.operator(),
                pep440_rs::Operator::EqualStar | pep440_rs::Operator::NotEqualStar
            ) {
                write!(formatter, ".*")?;
            }
        }
        Ok(())
    }
}

impl From<PackageName> for Requirement {
    fn from(name: PackageName) -> Self {
        Self { name, extras: BTreeSet::new(), specifiers: VersionSpecifiers::empty() }
    }
}

/// One exact version of a package: `requests==2.32.5`.
///
/// Pins are sorted by name, then by version. They compare by the normalised name, but keep the original
/// spelling, since clients compare the lines that a server sent earlier.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pin {
    /// The package.
    pub name: PackageName,
    /// The version of the package.
    pub version: PackageVersion,
}

impl Pin {
    /// The same pin with the normalised name, as in a `requirements.txt`.
    #[must_use]
    pub fn to_normalized(&self) -> Self {
        Self { name: self.name.to_normalized(), version: self.version.clone() }
    }
}

impl FromStr for Pin {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = || {
            ParseError::new(
                text,
                "a pinned requirement",
                "name==version expected, as in idna==3.11",
            )
        };
        let (name, version) = text.split_once("==").ok_or_else(refuse)?;
        Ok(Self {
            name: name.trim().parse().map_err(|_| refuse())?,
            version: version.trim().parse().map_err(|_| refuse())?,
        })
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}=={}", self.name, self.version)
    }
}

impl_string_conversions!(Requirement, Pin);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn requirements_print_in_canonical_form() {
        for (text, printed) in [
            ("requests", "requests"),
            (" Pillow ", "Pillow"),
            ("psycopg[binary,pool]", "psycopg[binary,pool]"),
            ("psycopg [ pool , binary ]", "psycopg[binary,pool]"),
            ("requests[]", "requests"),
            ("requests (>=2.31, <3)", "requests>=2.31,<3"),
            ("requests==2.32.*", "requests==2.32.*"),
            ("a!=1.*,~=1.4", "a!=1.*,~=1.4"),
        ] {
            let requirement: Requirement = text.parse().expect(text);
            assert_eq!(requirement.to_string(), printed);
        }
    }

    #[test]
    fn malformed_requirements_are_rejected_with_the_reason() {
        for (text, why) in [
            ("", "a package name expected first"),
            ("requests; python_version < '3'", "markers"),
            ("requests @ http://index.example/r.whl", "direct URL"),
            ("requests[socks", "]"),
            ("requests[a b]", "\"a b\" is not a package name"),
            ("requests 2.32", "version specifiers expected"),
            ("requests>=", "version specifiers expected"),
            ("-r requirements.txt", "a package name expected first"),
        ] {
            let error = text.parse::<Requirement>().expect_err(text).to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn pins_sort_by_name_then_version() {
        let mut pins: Vec<Pin> =
            ["b==1.10", "B==1.9", "a==2"].iter().map(|pin| pin.parse().expect("a pin")).collect();
        pins.sort();
        let printed: Vec<String> = pins.iter().map(Pin::to_string).collect();
        assert_eq!(printed, ["a==2", "B==1.9", "b==1.10"]);
    }

    #[test]
    fn pins_keep_their_original_spelling() {
        let pin: Pin = "Typing_Extensions==4.15.0".parse().expect("a pin");
        assert_eq!(pin.to_string(), "Typing_Extensions==4.15.0");
        assert_eq!(pin.to_normalized().to_string(), "typing-extensions==4.15.0");
        assert_eq!(pin, pin.to_normalized());
    }

    proptest! {
        #[test]
        fn requirements_parse_what_they_print(
            text in r"[A-Za-z][A-Za-z0-9]{0,8}(\[[a-z]{1,5}(,[a-z]{1,5}){0,2}\])?((==|>=|<=|!=|<|>)[0-9]\.[0-9]{1,2}(,(==|!=)[0-9]\.\*)?)?"
        ) {
            let requirement: Requirement = text.parse()?;
            let again: Requirement = requirement.to_string().parse()?;
            prop_assert_eq!(again, requirement);
        }

        #[test]
        fn pins_parse_what_they_print(text in r"[a-z][a-z0-9]{0,8}==[0-9]{1,3}(\.[0-9]{1,3}){0,3}") {
            let pin: Pin = text.parse()?;
            prop_assert_eq!(pin.to_string(), text);
        }

        #[test]
        fn never_panics(text in ".*") {
            let _ = text.parse::<Requirement>();
            let _ = text.parse::<Pin>();
        }
    }
}
