//! The order in which the API lists the versions of a package.

use std::collections::HashMap;

use klayers_core::{LayerArn, LayerVersion, Status};

/// Sorts layer versions for the API: within a target and a region by number, the oldest first, with
/// the latest version last. Existing programs use the last row.
///
/// Versions of layers that held the package earlier, under other names or accounts, come before
/// those of today's layer.
pub(super) fn oldest_first(mut versions: Vec<LayerVersion>) -> Vec<LayerVersion> {
    // The catalog lists the newest first, so the first version of a layer shows when it was in use.
    let mut places: HashMap<LayerArn, usize> = HashMap::new();
    for (place, version) in versions.iter().rev().enumerate() {
        places.insert(version.arn.layer().clone(), place);
    }
    let place_of = |version: &LayerVersion| places.get(version.arn.layer()).copied();
    versions.sort_by(|one, other| {
        let key = |version: &LayerVersion| {
            (version.status == Status::Latest, place_of(version), version.arn.version())
        };
        (one.build.target.cmp(&other.build.target))
            .then_with(|| one.region().cmp(other.region()))
            .then_with(|| key(one).cmp(&key(other)))
    });
    versions
}

#[cfg(test)]
mod tests {
    use klayers_core::{Build, Digest, Origin, Timestamp};

    use super::*;

    fn version(layer: &str, number: u64, status: Status) -> LayerVersion {
        let arn = format!("arn:aws:lambda:eu-west-1:770693421928:layer:{layer}:{number}");
        LayerVersion {
            arn: arn.parse().unwrap(),
            build: Build {
                target: "p3.8".parse().unwrap(),
                package: "a".parse().unwrap(),
                version: "1".parse().unwrap(),
                dependencies: Vec::new(),
                requirements_hash: Digest::of(b""),
                origin: Origin::Adopted { at: Timestamp::UNIX_EPOCH },
                license: None,
                created_at: None,
            },
            created_at: None,
            status,
        }
    }

    #[test]
    fn versions_ascend_by_number_with_the_latest_last() {
        let old = || Status::Deprecated { expires_at: Timestamp::UNIX_EPOCH, yanked: None };
        // Version 11 was withdrawn, and version 10 is the latest again.
        let catalog = vec![
            version("Klayers-p38-a", 10, Status::Latest),
            version("Klayers-p38-a", 11, old()),
            version("Klayers-p38-a", 9, old()),
            version("Klayers-python38-a", 30, old()),
            version("Klayers-python38-a", 4, old()),
        ];
        let numbers: Vec<u64> =
            oldest_first(catalog).iter().map(|version| version.arn.version()).collect();
        assert_eq!(numbers, [4, 30, 9, 11, 10]);
    }
}
