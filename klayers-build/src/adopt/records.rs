//! What a source says is held against itself, and becomes records. Nothing is read or written here.

use std::collections::BTreeMap;

use jiff::Timestamp;
use klayers_core::{
    Build, Digest, LayerVersion, LayerVersionArn, Origin, PackageName, Pin, Region, Status, Target,
};

use super::{BuildClaim, Claim, LeftOut, ReadLayer, Reason};
use klayers_catalog::Adoption;

/// The records of a layer, and what of it can be none.
pub(super) fn adoption(layer: ReadLayer, at: Timestamp) -> (Adoption, Vec<LeftOut>) {
    let ReadLayer { target, package, versions, build, mut left_out } = layer;
    let mut leave_out = |region: &Region, reason| {
        left_out.push(LeftOut::of(target, package.clone(), Some(region.clone()), reason));
    };
    let mut claims: BTreeMap<LayerVersionArn, Claim> = BTreeMap::new();
    for claim in versions {
        let arn = claim.arn.clone();
        let region = claim.region.clone();
        if *arn.region() != region {
            leave_out(&region, Reason::OtherRegion(arn));
        } else if !arn.name().is_for(target, &package) {
            leave_out(&region, Reason::OtherLayer(arn));
        } else if claims.get(&arn).is_some_and(|other| *other != claim) {
            leave_out(&region, Reason::Contradicts(arn));
        } else {
            claims.insert(arn, claim);
        }
    }
    let mut claims: Vec<Claim> = claims.into_values().collect();
    // The order in which they are recorded decides between versions of one time, and ARNs sort as
    // text.
    claims.sort_by_key(|claim| (claim.created_at, claim.arn.version()));
    let mut latest: BTreeMap<Region, LayerVersionArn> = BTreeMap::new();
    for claim in claims.iter().filter(|claim| claim.status == Status::Latest) {
        // The newest of them, as they are sorted.
        latest.insert(claim.region.clone(), claim.arn.clone());
    }
    let mut records = Vec::new();
    for claim in claims {
        match latest.get(&claim.region) {
            Some(latest) if claim.status == Status::Latest && *latest != claim.arn => {
                let (arn, latest) = (Box::new(claim.arn), Box::new(latest.clone()));
                leave_out(&claim.region, Reason::SecondLatest { arn, latest });
            }
            _ => records.push(record(target, &package, claim, at)),
        }
    }
    let latest_build = build.map(|build| {
        let BuildClaim { version, dependencies, requirements_hash, created_at, license } = build;
        let made = made(target, &package, version, &dependencies, requirements_hash, at);
        Build { license, created_at, ..made }
    });
    (Adoption { target, package, versions: records, latest_build }, left_out)
}

fn record(target: Target, package: &PackageName, claim: Claim, at: Timestamp) -> LayerVersion {
    let Claim {
        arn, version, dependencies, requirements_hash, status, created_at, license, ..
    } = claim;
    let made = made(target, package, version, &dependencies, requirements_hash, at);
    LayerVersion { arn, build: Build { license, ..made }, created_at, status }
}

/// The build of adopted records. They do not say when it was built: each region has its own time of
/// publication.
fn made(
    target: Target,
    package: &PackageName,
    version: klayers_core::PackageVersion,
    dependencies: &[Pin],
    requirements_hash: Option<Digest>,
    at: Timestamp,
) -> Build {
    Build {
        target,
        package: package.clone(),
        version,
        requirements_hash: requirements_hash.unwrap_or_else(|| hash_of_lines(dependencies)),
        dependencies: dependencies.to_vec(),
        origin: Origin::Adopted { at },
        license: None,
        created_at: None,
    }
}

/// The hash as the public collection computes it: SHA-256 of the lines as `pip freeze` prints them,
/// without a line feed at the end. Its API gives the lines alone, and AWS holds this hash in the
/// descriptions of the layer versions.
fn hash_of_lines(dependencies: &[Pin]) -> Digest {
    let lines: Vec<String> = dependencies.iter().map(Pin::to_string).collect();
    Digest::of(lines.join("\n").as_bytes())
}

#[cfg(test)]
mod tests;
