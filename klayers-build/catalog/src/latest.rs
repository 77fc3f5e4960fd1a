//! Decides which version may become the latest of a layer in a region. All code that makes a
//! version the latest uses these functions: settling, repairing, adopting, and choosing a
//! successor.

use std::collections::BTreeSet;

use klayers_core::{Build, LayerVersion, Pin, Status};

/// Why a layer version must not become the latest of its layer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Obstacle {
    /// Its content was withdrawn, in this region or another one.
    Withdrawn,
    /// A newer version of its layer is recorded in its region.
    Superseded,
}

/// Returns what prevents a layer version from becoming the latest of its layer in its region, if
/// anything.
///
/// `recorded` holds the versions of its package and target that are recorded in that region;
/// `withdrawn` holds the builds of its target that were withdrawn in any region.
pub fn obstacle(
    version: &LayerVersion,
    recorded: &[LayerVersion],
    withdrawn: &[Build],
) -> Option<Obstacle> {
    if version.yanked().is_some() || withdrawn.iter().any(|other| is_same(&version.build, other)) {
        return Some(Obstacle::Withdrawn);
    }
    let is_newer = |other: &LayerVersion| {
        if other.arn.layer() == version.arn.layer() {
            other.arn.version() > version.arn.version()
        } else {
            // Version numbers of layers with different names or accounts cannot be compared.
            other.created_at.is_some() && other.created_at >= version.created_at
        }
    };
    recorded.iter().any(is_newer).then_some(Obstacle::Superseded)
}

/// Returns the version that takes the place of a latest version which was withdrawn or lost.
/// `beside` holds the other versions of the layer, newest first.
pub fn successor<'a>(beside: &'a [LayerVersion], withdrawn: &[Build]) -> Option<&'a LayerVersion> {
    beside.iter().find(|version| {
        let exists = !matches!(version.status, Status::Deleted { .. });
        exists && obstacle(version, &[], withdrawn).is_none()
    })
}

/// Whether two builds have the same content. An adopted build has no known content, so its pinned
/// versions decide.
fn is_same(one: &Build, other: &Build) -> bool {
    if (one.target, &one.package) != (other.target, &other.package) {
        return false;
    }
    match (one.content_digest(), other.content_digest()) {
        (Some(one), Some(other)) => one == other,
        _ => holds_same_versions(one, other),
    }
}

/// Whether two builds have the same version and the same dependencies, whatever their spelling.
pub(super) fn holds_same_versions(one: &Build, other: &Build) -> bool {
    let holds = |build: &Build| build.dependencies.iter().cloned().collect::<BTreeSet<Pin>>();
    one.version == other.version && holds(one) == holds(other)
}

#[cfg(test)]
mod tests {
    use klayers_core::{Content, Digest, Origin, Timestamp, Yank};

    use super::*;
    use crate::samples;

    fn version(number: u64, content: Option<&str>, day: i64) -> LayerVersion {
        let origin = match content {
            None => Origin::Adopted { at: Timestamp::UNIX_EPOCH },
            Some(content) => {
                let digest = Digest::of(content.as_bytes());
                Origin::Imported { content: Content { digest, size: 1, unzipped_size: 1 } }
            }
        };
        let created_at = Timestamp::from_second(day * 86400).ok();
        samples::version(number, samples::build("a", origin), created_at, Status::Latest)
    }

    fn with_other_prefix(mut version: LayerVersion) -> LayerVersion {
        version.arn = version.arn.to_string().replace("Klayers-p312", "Old-p312").parse().unwrap();
        version
    }

    #[test]
    fn withdrawn_or_older_version_must_not_become_latest() {
        let candidate = version(2, Some("x"), 5);
        let adopted = version(9, None, 1).build;
        let mut withdrawn = version(9, Some("x"), 1).build;
        let mut elsewhere = withdrawn.clone();
        elsewhere.package = "b".parse().unwrap();
        for (recorded, builds, expected) in [
            (vec![], vec![], None),
            (vec![version(1, Some("y"), 9)], vec![elsewhere], None),
            (vec![version(3, Some("y"), 1)], vec![], Some(Obstacle::Superseded)),
            (vec![with_other_prefix(version(1, Some("y"), 4))], vec![], None),
            (vec![with_other_prefix(version(1, Some("y"), 5))], vec![], Some(Obstacle::Superseded)),
            (vec![], vec![withdrawn.clone()], Some(Obstacle::Withdrawn)),
            (vec![], vec![adopted], Some(Obstacle::Withdrawn)),
        ] {
            assert_eq!(obstacle(&candidate, &recorded, &builds), expected, "{recorded:?}");
        }
        withdrawn.origin = version(9, Some("y"), 1).build.origin;
        assert_eq!(obstacle(&candidate, &[], &[withdrawn]), None);
    }

    #[test]
    fn successor_is_newest_existing_version_that_was_not_withdrawn() {
        let expires_at = Timestamp::UNIX_EPOCH;
        let with = |number, content, status| LayerVersion {
            status,
            ..version(number, Some(content), i64::try_from(number).unwrap())
        };
        let yank = Yank { reason: "x".to_owned(), at: Timestamp::UNIX_EPOCH };
        let beside = [
            with(5, "withdrawn elsewhere", Status::Deprecated { expires_at, yanked: None }),
            with(4, "a", Status::Deprecated { expires_at, yanked: Some(yank) }),
            with(3, "b", Status::Deleted { at: expires_at }),
            with(2, "c", Status::Deprecated { expires_at, yanked: None }),
            with(1, "d", Status::Deprecated { expires_at, yanked: None }),
        ];
        let withdrawn = [beside[0].build.clone()];
        assert_eq!(successor(&beside, &withdrawn), Some(&beside[3]));
        assert_eq!(successor(&beside[..3], &withdrawn), None);
    }
}
