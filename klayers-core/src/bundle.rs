use std::collections::BTreeSet;

use serde::Deserialize;

use crate::{PackageName, Requirement, Target};

/// Several packages in one layer with a name of its own.
///
/// ```
/// use klayers_core::Bundle;
///
/// let data = Bundle::new("data".parse()?, vec!["pandas".parse()?, "pyarrow>=20".parse()?])?;
/// assert_eq!(data.packages().len(), 2);
/// assert!(Bundle::new("empty".parse()?, Vec::new()).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Bundle {
    name: PackageName,
    packages: Vec<Requirement>,
    targets: BTreeSet<Target>,
}

impl Bundle {
    /// A bundle of packages for all targets.
    ///
    /// # Errors
    ///
    /// If there are no packages, or if a package is listed twice.
    pub fn new(name: PackageName, packages: Vec<Requirement>) -> Result<Self, BundleError> {
        if packages.is_empty() {
            return Err(BundleError::NoPackages(name));
        }
        let mut seen = BTreeSet::new();
        if let Some(duplicate) = packages.iter().find(|package| !seen.insert(package.name())) {
            return Err(BundleError::DuplicatePackage {
                bundle: name,
                package: duplicate.name().clone(),
            });
        }
        Ok(Self { name, packages, targets: BTreeSet::new() })
    }

    /// The same bundle for these targets only; for all targets if the list is empty.
    #[must_use]
    pub fn for_targets(self, targets: impl IntoIterator<Item = Target>) -> Self {
        Self { targets: targets.into_iter().collect(), ..self }
    }

    /// The name, which replaces the package's name in layer names and lists.
    pub fn name(&self) -> &PackageName {
        &self.name
    }

    /// The packages, at least one, in the order of the list.
    pub fn packages(&self) -> &[Requirement] {
        &self.packages
    }

    /// The targets of the bundle; empty if it is for all targets.
    pub fn targets(&self) -> &BTreeSet<Target> {
        &self.targets
    }

    /// Whether the bundle is for a target.
    pub fn is_for(&self, target: Target) -> bool {
        self.targets.is_empty() || self.targets.contains(&target)
    }
}

/// The fields of a bundle in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    name: PackageName,
    packages: Vec<Requirement>,
    targets: Option<BTreeSet<Target>>,
}

impl TryFrom<Fields> for Bundle {
    type Error = BundleError;

    fn try_from(fields: Fields) -> Result<Self, BundleError> {
        let Fields { name, packages, targets } = fields;
        if targets.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err(BundleError::NoTargets(name));
        }
        Ok(Self::new(name, packages)?.for_targets(targets.unwrap_or_default()))
    }
}

/// Why a bundle is not valid.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The bundle has no packages.
    #[error("bundle {0} has no packages; list at least one")]
    NoPackages(PackageName),
    /// A package is listed twice.
    #[error("bundle {bundle} lists {package} twice; keep one of the two")]
    DuplicatePackage {
        /// The bundle.
        bundle: PackageName,
        /// The package.
        package: PackageName,
    },
    /// The list of targets is empty.
    #[error("bundle {0} has an empty list of targets; remove the list for all targets")]
    NoTargets(PackageName),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Bundle, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn bundle_is_for_its_listed_targets_or_for_all() {
        let [arm, x86]: [Target; 2] =
            ["p3.12-arm64", "p3.12"].map(|target| target.parse().expect("a target"));
        let all = read(r#"{"name": "data", "packages": ["pandas"]}"#).expect("a bundle");
        assert!(all.is_for(arm) && all.is_for(x86));
        let one = read(r#"{"name": "data", "packages": ["pandas"], "targets": ["p3.12-arm64"]}"#)
            .expect("a bundle");
        assert!(one.is_for(arm) && !one.is_for(x86));
    }

    #[test]
    fn invalid_bundles_are_rejected() {
        for (json, message) in [
            (r#"{"name": "d", "packages": []}"#, "bundle d has no packages"),
            (r#"{"name": "d", "packages": ["A_b", "a-B>1"]}"#, "bundle d lists a-B twice"),
            (r#"{"name": "d", "packages": ["a"], "targets": []}"#, "bundle d has an empty list"),
            (r#"{"name": "d d", "packages": ["a"]}"#, "\"d d\" is not a package name"),
            (r#"{"name": "d", "packages": ["a; x"]}"#, "\"a; x\" is not a requirement"),
            (r#"{"name": "d", "packages": ["a"], "target": []}"#, "unknown field `target`"),
            (r#"{"packages": ["a"]}"#, "missing field `name`"),
        ] {
            let error = read(json).expect_err(json);
            assert!(error.starts_with(message), "{error}");
        }
    }
}
