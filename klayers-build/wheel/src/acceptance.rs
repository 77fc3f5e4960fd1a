use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use klayers_core::{PackageName, ParseError};
use serde::{Deserialize, Serialize};

/// A fault of a wheel that an operator can accept for a package. The bytes of the wheel are still
/// the locked ones.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Acceptance {
    /// `RECORD` does not describe the files of the wheel.
    Record,
}

impl FromStr for Acceptance {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "record" => Ok(Self::Record),
            _ => Err(ParseError::new(text, "a fault that can be accepted", "record expected")),
        }
    }
}

impl fmt::Display for Acceptance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Record => "record",
        })
    }
}

/// The faults that are accepted, for each package: `{ "sentry-cli" = ["record"] }`.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Acceptances(BTreeMap<PackageName, BTreeSet<Acceptance>>);

impl Acceptances {
    /// Whether nothing is accepted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a fault is accepted in wheels of a package.
    pub fn has(&self, package: &PackageName, acceptance: Acceptance) -> bool {
        self.0.get(package).is_some_and(|accepted| accepted.contains(&acceptance))
    }

    /// Accepts a fault in wheels of a package.
    pub fn insert(&mut self, package: PackageName, acceptance: Acceptance) {
        self.0.entry(package).or_default().insert(acceptance);
    }
}

impl FromIterator<(PackageName, Acceptance)> for Acceptances {
    fn from_iter<I: IntoIterator<Item = (PackageName, Acceptance)>>(accepted: I) -> Self {
        let mut acceptances = Self::default();
        for (package, acceptance) in accepted {
            acceptances.insert(package, acceptance);
        }
        acceptances
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> PackageName {
        name.parse().expect(name)
    }

    #[test]
    fn package_is_found_in_any_spelling() {
        let accepted: Acceptances =
            toml::from_str("\"Sentry_CLI\" = [\"record\"]\nother = []\n").expect("a table");
        assert!(accepted.has(&name("sentry-cli"), Acceptance::Record));
        assert!(!accepted.has(&name("other"), Acceptance::Record));
        assert!(!accepted.has(&name("sentry"), Acceptance::Record));
    }

    #[test]
    fn only_known_faults_can_be_accepted() {
        assert!(toml::from_str::<Acceptances>("a = [\"zip\"]").is_err());
        assert!("Record".parse::<Acceptance>().is_err());
        assert_eq!("record".parse(), Ok(Acceptance::Record));
        assert_eq!(Acceptance::Record.to_string(), "record");
    }
}
