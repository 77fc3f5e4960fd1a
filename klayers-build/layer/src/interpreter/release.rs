use std::fmt;
use std::str::FromStr;

use klayers_core::PythonVersion;
use serde::{Deserialize, Serialize};

/// A release of CPython with its micro version: `3.12.1`, or `3.14.0rc2` before the minor version
/// is final.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PythonRelease {
    python: PythonVersion,
    micro: u16,
    /// `rc2`; empty for a final release.
    stage: String,
}

impl PythonRelease {
    /// The minor version.
    pub fn python(&self) -> PythonVersion {
        self.python
    }
}

impl FromStr for PythonRelease {
    type Err = ParsePythonReleaseError;

    fn from_str(text: &str) -> Result<Self, ParsePythonReleaseError> {
        let parse = || {
            let (major, rest) = text.split_once('.')?;
            let (minor, rest) = rest.split_once('.')?;
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (micro, stage) = rest.split_at(digits);
            let canonical = micro.len() == 1 || !micro.starts_with('0');
            Some(Self {
                python: format!("{major}.{minor}").parse().ok()?,
                micro: micro.parse().ok().filter(|_| canonical)?,
                stage: stage.to_owned(),
            })
        };
        parse()
            .filter(|release| is_stage(&release.stage))
            .ok_or_else(|| ParsePythonReleaseError(text.into()))
    }
}

/// Whether the text is empty, or one or two letters and a number, as in `a1`, `b4` and `rc2`.
fn is_stage(stage: &str) -> bool {
    let number = ["a", "b", "rc"].iter().find_map(|letters| stage.strip_prefix(letters));
    stage.is_empty()
        || number.is_some_and(|number| {
            !number.is_empty() && number.len() < 4 && number.bytes().all(|b| b.is_ascii_digit())
        })
}

impl fmt::Display for PythonRelease {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&format!("{}.{}{}", self.python, self.micro, self.stage))
    }
}

impl TryFrom<String> for PythonRelease {
    type Error = ParsePythonReleaseError;

    fn try_from(text: String) -> Result<Self, ParsePythonReleaseError> {
        text.parse()
    }
}

impl From<PythonRelease> for String {
    fn from(release: PythonRelease) -> Self {
        release.to_string()
    }
}

/// The text is not a release of CPython.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is not a release of Python; expected a version such as 3.12.1 or 3.14.0rc2")]
pub struct ParsePythonReleaseError(String);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn malformed_releases_are_refused() {
        for text in [
            "",
            "3",
            "3.12",
            "3.12.",
            "3.12.1.",
            "3.12.1+",
            "3.12.01",
            "2.7.18",
            "3.12.1rc",
            "3.12.1c1",
            "3.12.1rc1a",
            "3.12.1 ",
            "3.12./etc",
            "3.12.99999",
        ] {
            assert!(text.parse::<PythonRelease>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn parses_what_it_prints(minor: u8, micro: u16, stage in "((a|b|rc)[0-9]{1,3})?") {
            let release = PythonRelease { python: PythonVersion::new(3, minor), micro, stage };
            prop_assert_eq!(release.to_string().parse(), Ok(release));
        }
    }
}
