use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use klayers_core::{PackageName, ParseError, Requirement};

use crate::{DeployStatus, VersionRow, WithdrawnVersion};

/// Selects a layer version of a package: the latest, or by package version or layer version.
///
/// | text | selects |
/// | --- | --- |
/// | `requests` | the latest |
/// | `requests==2.32.*`, `requests~=2.31` | the newest that holds a matching package version |
/// | `requests:7` | layer version 7, the number at the end of the ARN |
///
/// A pre-release is selected only if nothing else matches. A withdrawn version is selected only by its
/// exact package version or its layer version.
///
/// ```
/// use klayers_client::LayerSpec;
///
/// let spec: LayerSpec = "requests ~= 2.31".parse()?;
/// assert_eq!(spec.to_string(), "requests~=2.31");
/// let spec: LayerSpec = "requests:7".parse()?;
/// assert_eq!(spec.layer_version().map(|number| number.get()), Some(7));
/// # Ok::<(), klayers_client::ParseError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LayerSpec {
    requirement: Requirement,
    layer_version: Option<NonZeroU64>,
}

impl LayerSpec {
    /// The package.
    pub fn package(&self) -> &PackageName {
        self.requirement.name()
    }

    /// The layer version, if the specification names one.
    pub fn layer_version(&self) -> Option<NonZeroU64> {
        self.layer_version
    }

    /// Whether the specification selects the latest version.
    pub fn is_latest(&self) -> bool {
        self.layer_version.is_none() && self.requirement.is_any()
    }

    /// Selects one of a layer's versions.
    pub(crate) fn choose<'a>(&self, rows: &'a [VersionRow]) -> Option<&'a VersionRow> {
        if let Some(number) = self.layer_version {
            return rows.iter().find(|row| row.arn.version() == number.get());
        }
        if self.is_latest() {
            // The newest version is first, in case a server calls several the latest.
            return rows.iter().find(|row| row.deploy_status == DeployStatus::Latest);
        }
        rows.iter()
            .filter(|row| self.requirement.accepts(&row.package_version))
            .filter(|row| row.yanked.is_none() || self.requirement.is_exact())
            .max_by(|one, other| {
                let rank = |row: &&'a VersionRow| {
                    let version = &row.package_version;
                    (!version.is_prerelease(), version.clone(), row.arn.version())
                };
                rank(one).cmp(&rank(other))
            })
    }

    /// The versions that would be selected instead of `chosen` if they had not been withdrawn. If the
    /// specification names no version, there are none: it asks for the latest, whatever that is.
    pub(crate) fn passed_over(
        &self,
        rows: &[VersionRow],
        chosen: &VersionRow,
    ) -> Vec<WithdrawnVersion> {
        let mut newer = self.withdrawn(rows);
        newer.retain(|one| {
            !self.is_latest()
                && one.layer_version != chosen.arn.version()
                && one.package_version > chosen.package_version
        });
        newer
    }

    /// The matching versions that were withdrawn.
    pub(crate) fn withdrawn(&self, rows: &[VersionRow]) -> Vec<WithdrawnVersion> {
        let accepted = rows.iter().filter(|row| self.requirement.accepts(&row.package_version));
        accepted
            .filter(|_| self.layer_version.is_none())
            .filter_map(WithdrawnVersion::from_row)
            .collect()
    }
}

impl FromStr for LayerSpec {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let Some((package, number)) = text.split_once(':') else {
            return Ok(Self { requirement: text.parse()?, layer_version: None });
        };
        let plain = number.bytes().all(|byte| byte.is_ascii_digit());
        let number = plain.then(|| number.parse().ok()).flatten().ok_or_else(|| {
            ParseError::new(
                text,
                "a layer of a package",
                "a layer version number expected after the colon, as in requests:7",
            )
        })?;
        let package: PackageName = package.parse()?;
        Ok(Self { requirement: package.spelling().parse()?, layer_version: Some(number) })
    }
}

impl fmt::Display for LayerSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.requirement)?;
        match self.layer_version {
            Some(number) => write!(formatter, ":{number}"),
            None => Ok(()),
        }
    }
}

impl TryFrom<&str> for LayerSpec {
    type Error = ParseError;

    fn try_from(text: &str) -> Result<Self, ParseError> {
        text.parse()
    }
}

impl TryFrom<String> for LayerSpec {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<VersionRow> {
        let row = |number: u64, version: &str, rest: &str| {
            format!(
                r#"{{"arn":"arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-x:{number}",
                "packageVersion":"{version}","dependencies":[]{rest}}}"#
            )
        };
        let deprecated = r#","deployStatus":"deprecated""#;
        let rows = [
            row(9, "3.0rc1", r#","deployStatus":"latest""#),
            row(8, "2.32.5", r#","deployStatus":"deprecated","yanked":"it leaks""#),
            row(7, "2.32.3", deprecated),
            row(6, "2.32.3", deprecated),
            row(4, "2.31.0", deprecated),
        ];
        serde_json::from_str(&format!("[{}]", rows.join(","))).expect("rows")
    }

    #[test]
    fn specs_select_the_expected_layer_version() {
        for (spec, number) in [
            ("x", Some(9)),
            ("x:4", Some(4)),
            ("x:5", None),
            ("x==2.32.*", Some(7)),
            ("x==2.32.5", Some(8)),
            ("x~=2.31", Some(7)),
            ("x<2.32", Some(4)),
            ("x>=3.0rc1", Some(9)),
            ("x[extra]!=2.32.3,<3", Some(4)),
            ("x>=4", None),
        ] {
            let spec: LayerSpec = spec.parse().expect("a spec");
            let found = spec.choose(&rows()).map(|row| row.arn.version());
            assert_eq!(found, number, "{spec}");
            assert_eq!(spec.to_string().parse(), Ok(spec));
        }
    }

    #[test]
    fn malformed_specs_are_rejected() {
        for text in ["", "x:", "x:0", "x:-1", "x:+7", "x:1:2", ":7", "x==", "x y", "x==1:7", "=="] {
            assert!(text.parse::<LayerSpec>().is_err(), "{text:?}");
        }
    }
}
