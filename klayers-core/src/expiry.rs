use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::{LayerVersion, PackageName, Status};

/// How long a layer version is kept after a newer version replaced it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExpiryPolicy {
    /// Days of 24 hours, for packages without a number of their own.
    pub days: u32,
    /// Days of 24 hours for individual packages.
    pub packages: BTreeMap<PackageName, u32>,
    /// How many of the newest versions of a layer in a region are always kept, including the latest.
    pub keep: usize,
}

impl Default for ExpiryPolicy {
    /// 365 days for every package, and only the latest version is always kept.
    fn default() -> Self {
        Self { days: 365, packages: BTreeMap::new(), keep: 1 }
    }
}

impl ExpiryPolicy {
    /// When a layer version of `package` expires if its successor was published at `superseded_at`.
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

/// The versions of one layer in one region that must be deleted at `now`: they have expired, and are not
/// among the `keep` newest existing versions. The latest version is never due.
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
    use crate::{Build, Content, Digest, Origin};

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a timestamp")
    }

    #[test]
    fn packages_can_have_their_own_number_of_days() {
        let pandas: PackageName = "pandas".parse().expect("a name");
        let policy = ExpiryPolicy { days: 365, packages: BTreeMap::from([(pandas, 30)]), keep: 1 };
        let superseded = at("2026-01-31T12:00:00Z");
        let expires = |name: &str| policy.expires_at(&name.parse().expect("a name"), superseded);
        assert_eq!(expires("Pandas"), at("2026-03-02T12:00:00Z"));
        assert_eq!(expires("numpy"), at("2027-01-31T12:00:00Z"));
    }

    #[test]
    fn expiry_saturates_at_the_maximum_timestamp() {
        let policy = ExpiryPolicy { days: u32::MAX, ..ExpiryPolicy::default() };
        let name = "numpy".parse().expect("a name");
        assert_eq!(policy.expires_at(&name, at("2026-01-01T00:00:00Z")), Timestamp::MAX);
    }

    /// A version that was published on a day of November 2026.
    fn version(number: u64, day: u8, status: Status) -> LayerVersion {
        let created_at = Some(at(&format!("2026-11-{day:02}T02:00:00Z")));
        LayerVersion {
            arn: format!("arn:aws:lambda:eu-west-1:770693421928:layer:Klayers-p312-a:{number}")
                .parse()
                .expect("an ARN"),
            build: Build {
                target: "p3.12".parse().expect("a target"),
                package: "a".parse().expect("a name"),
                version: "1".parse().expect("a version"),
                dependencies: Vec::new(),
                requirements_hash: Digest::of(b"requirements"),
                origin: Origin::Imported {
                    content: Content { digest: Digest::of(b"zip"), size: 1, unzipped_size: 1 },
                },
                license: None,
                created_at,
            },
            created_at,
            status,
        }
    }

    fn expires(text: &str) -> Status {
        Status::Deprecated { expires_at: at(text), yanked: None }
    }

    /// The layer versions that are due: "2 1".
    fn numbers(versions: &[LayerVersion], keep: usize, now: &str) -> String {
        let due = due(versions, keep, at(now)).into_iter();
        let numbers: Vec<String> = due.map(|version| version.arn.version().to_string()).collect();
        numbers.join(" ")
    }

    #[test]
    fn expired_versions_are_due_but_never_the_latest() {
        let versions = [
            version(1, 1, expires("2027-11-02T02:00:00Z")),
            version(2, 2, expires("2027-11-03T02:00:00Z")),
            version(3, 3, Status::Latest),
        ];
        assert_eq!(numbers(&versions, 1, "2027-11-02T01:59:59.999999999Z"), "");
        assert_eq!(numbers(&versions, 1, "2027-11-02T02:00:00Z"), "1");
        for keep in [0, 1] {
            assert_eq!(numbers(&versions, keep, "9000-01-01T00:00:00Z"), "2 1");
        }
        assert_eq!(numbers(&[], 1, "9000-01-01T00:00:00Z"), "");
    }

    #[test]
    fn newest_existing_versions_are_always_kept() {
        let long_ago = "2026-12-01T00:00:00Z";
        let now = "2030-01-01T00:00:00Z";
        let versions = [
            version(1, 1, expires(long_ago)),
            version(2, 2, expires(long_ago)),
            version(3, 3, Status::Deleted { at: at(long_ago) }),
            version(4, 4, expires(long_ago)),
            version(5, 5, Status::Latest),
        ];
        for (keep, expected) in [(1, "4 2 1"), (2, "2 1"), (3, "1"), (4, ""), (usize::MAX, "")] {
            assert_eq!(numbers(&versions, keep, now), expected, "{keep}");
        }
        // Without a latest version, the newest deprecated ones count.
        assert_eq!(numbers(&versions[..4], 1, now), "2 1");
        assert_eq!(numbers(&versions[..4], 0, now), "4 2 1");
    }

    #[test]
    fn latest_is_kept_even_if_the_clock_was_set_back() {
        let long_ago = "2026-12-01T00:00:00Z";
        // The latest version has the oldest time.
        let versions = [
            version(1, 9, expires(long_ago)),
            version(2, 9, expires(long_ago)),
            version(3, 1, Status::Latest),
        ];
        assert_eq!(numbers(&versions, 1, "2030-01-01T00:00:00Z"), "2 1");
        assert_eq!(numbers(&versions, 2, "2030-01-01T00:00:00Z"), "1");
    }
}
