use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::{LayerVersion, PackageName, Status};

/// How long a layer version is kept after a newer one took its place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExpiryPolicy {
    /// Days of 24 hours, for every package that has no number of its own.
    pub days: u32,
    /// Days for single packages.
    pub packages: BTreeMap<PackageName, u32>,
    /// How many of the newest versions of a layer in a region are kept however old they are, the
    /// latest among them.
    pub keep: usize,
}

impl Default for ExpiryPolicy {
    /// 365 days for every package, and the latest.
    fn default() -> Self {
        Self { days: 365, packages: BTreeMap::new(), keep: 1 }
    }
}

impl ExpiryPolicy {
    /// When a layer version of `package` expires whose successor was published at `superseded_at`.
    ///
    /// ```
    /// use klayers_core::ExpiryPolicy;
    ///
    /// let policy = ExpiryPolicy::default();
    /// let expires = policy.expires_at(&"requests".parse()?, "2026-11-01T02:00:00Z".parse()?);
    /// assert_eq!(expires, "2027-11-01T02:00:00Z".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn expires_at(&self, package: &PackageName, superseded_at: Timestamp) -> Timestamp {
        let days = self.packages.get(package).copied().unwrap_or(self.days);
        let kept = SignedDuration::from_hours(24 * i64::from(days));
        superseded_at.saturating_add(kept).unwrap_or(Timestamp::MAX)
    }
}

/// Those of one layer's versions in one region that are to be deleted at `now`: expired, and not
/// among the newest `keep` that exist. A latest version never is.
pub fn due(versions: &[LayerVersion], keep: usize, now: Timestamp) -> Vec<&LayerVersion> {
    let mut existing: Vec<&LayerVersion> = versions
        .iter()
        .filter(|version| !matches!(version.status, Status::Deleted { .. }))
        .collect();
    existing.sort_by_key(|version| {
        let older = version.status != Status::Latest;
        (older, Reverse((version.created_at, version.arn.version())))
    });
    let expired = |version: &&LayerVersion| version.expires_at().is_some_and(|at| at <= now);
    existing.into_iter().skip(keep).filter(expired).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a timestamp")
    }

    #[test]
    fn a_package_may_have_its_own_number_of_days() {
        let pandas: PackageName = "pandas".parse().expect("a name");
        let policy = ExpiryPolicy { days: 365, packages: BTreeMap::from([(pandas, 30)]), keep: 1 };
        let superseded = at("2026-01-31T12:00:00Z");
        let expires = |name: &str| policy.expires_at(&name.parse().expect("a name"), superseded);
        assert_eq!(expires("Pandas"), at("2026-03-02T12:00:00Z"));
        assert_eq!(expires("numpy"), at("2027-01-31T12:00:00Z"));
    }

    #[test]
    fn the_end_of_time_is_not_passed() {
        let policy = ExpiryPolicy { days: u32::MAX, ..ExpiryPolicy::default() };
        let name = "numpy".parse().expect("a name");
        assert_eq!(policy.expires_at(&name, at("2026-01-01T00:00:00Z")), Timestamp::MAX);
    }
}
