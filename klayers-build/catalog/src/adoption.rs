//! Decides how the catalog takes over records from another collection.

use std::collections::{BTreeMap, BTreeSet};

use super::latest::{holds_same_versions, obstacle};
use klayers_core::{
    Build, LayerVersion, LayerVersionArn, Origin, PackageName, Pin, Region, Status, Target,
};

/// Records of another collection for a package and target. Its builds are
/// [adopted](Origin::Adopted), and at most one version in each region is the latest.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Adoption {
    /// Target of the layers.
    pub target: Target,
    /// Package in the layers.
    pub package: PackageName,
    /// The layer versions, oldest first within each layer.
    pub versions: Vec<LayerVersion>,
    /// The latest build, if it is known.
    pub latest_build: Option<Build>,
}

/// The changes to the catalog that follow from an [`Adoption`].
///
/// If this collection published versions of the package in a region, that region stays as it is:
/// nothing says whether the latest is one of its own versions or one of the other collection's. A
/// region whose records are all adopted follows the other collection, with two exceptions: a
/// version that is deleted here stays deleted, and a version that the other collection no longer
/// lists stays as it is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AdoptionPlan {
    /// Versions that are not recorded yet.
    pub add: Vec<LayerVersion>,
    /// Recorded versions that change, with their new state.
    pub change: Vec<LayerVersion>,
    /// Number of versions that are already recorded as they are.
    pub unchanged: usize,
    /// The latest build, if it needs to be recorded.
    pub build: Option<Build>,
    /// Regions in which nothing is recorded, each with the reason.
    pub refused: BTreeMap<Region, AdoptionError>,
}

/// Why nothing is adopted for a layer in a region.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AdoptionError {
    /// This collection published versions there.
    #[error(
        "{0} was published by this collection, so its records stay as they are; newer versions of \
         the other collection are not adopted"
    )]
    Own(LayerVersionArn),
    /// A version is recorded with different content.
    #[error(
        "{0} is recorded with a different version or different dependencies; nothing of this layer \
         is adopted"
    )]
    Differs(LayerVersionArn),
    /// A version was withdrawn here.
    #[error("{0} was withdrawn here, so its records stay as they are")]
    Withdrawn(LayerVersionArn),
    /// A version is recorded as the latest, but the other collection does not know it and has
    /// another latest.
    #[error(
        "{0} is recorded as the latest, but the other collection does not list it; reconcile first"
    )]
    LatestGone(LayerVersionArn),
}

impl AdoptionPlan {
    /// Plans an adoption. `recorded` holds all recorded versions of the package and target,
    /// including deleted ones; `latest_build` is its recorded latest build; `withdrawn` holds the
    /// target's builds that were withdrawn.
    pub fn new(
        adoption: &Adoption,
        recorded: &[LayerVersion],
        latest_build: Option<&Build>,
        withdrawn: &[Build],
    ) -> Self {
        let mut plan = Self::default();
        let regions: BTreeSet<&Region> =
            adoption.versions.iter().map(LayerVersion::region).collect();
        for region in regions {
            let in_region = |versions: &[LayerVersion]| -> Vec<LayerVersion> {
                versions.iter().filter(|version| version.region() == region).cloned().collect()
            };
            let (theirs, recorded) = (in_region(&adoption.versions), in_region(recorded));
            if let Err(error) = plan.add_region(theirs, &recorded, withdrawn) {
                plan.refused.insert(region.clone(), error);
            }
        }
        plan.build = adoption.latest_build.clone().filter(|theirs| match latest_build {
            None => true,
            Some(recorded) => {
                let adds_time = recorded.created_at.is_none() && theirs.created_at.is_some();
                let differs = !holds_same_versions(recorded, theirs)
                    || !is_described_identically(recorded, theirs);
                is_adopted(recorded) && (differs || adds_time)
            }
        });
        plan
    }

    /// Returns whether there is nothing to record.
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.change.is_empty() && self.build.is_none()
    }

    fn add_region(
        &mut self,
        theirs: Vec<LayerVersion>,
        recorded: &[LayerVersion],
        withdrawn: &[Build],
    ) -> Result<(), AdoptionError> {
        let known: BTreeMap<&LayerVersionArn, &LayerVersion> =
            recorded.iter().map(|version| (&version.arn, version)).collect();
        if let Some(own) = recorded.iter().find(|version| !is_adopted(&version.build)) {
            if theirs.iter().all(|version| known.contains_key(&version.arn)) {
                self.unchanged += theirs.len();
                return Ok(());
            }
            return Err(AdoptionError::Own(own.arn.clone()));
        }
        let (mut add, mut change, mut unchanged) = (Vec::new(), Vec::new(), 0);
        for theirs in theirs {
            let Some(recorded) = known.get(&theirs.arn) else {
                add.push(theirs);
                continue;
            };
            if !holds_same_versions(&recorded.build, &theirs.build) {
                return Err(AdoptionError::Differs(theirs.arn));
            }
            let is_identical = is_described_identically(&recorded.build, &theirs.build);
            let next = LayerVersion {
                arn: theirs.arn,
                build: if is_identical {
                    recorded.build.clone()
                } else {
                    Build {
                        dependencies: theirs.build.dependencies,
                        requirements_hash: theirs.build.requirements_hash,
                        ..recorded.build.clone()
                    }
                },
                created_at: recorded.created_at.or(theirs.created_at),
                status: match &recorded.status {
                    deleted @ Status::Deleted { .. } => deleted.clone(),
                    Status::Latest | Status::Deprecated { .. } => theirs.status,
                },
            };
            if is_identical && next == **recorded {
                unchanged += 1;
            } else {
                change.push(next);
            }
        }
        if let Some(yanked) = recorded.iter().find(|version| version.yanked().is_some()) {
            // Its status, and the status of the version that took its place, are decided by this
            // collection.
            if !add.is_empty() {
                return Err(AdoptionError::Withdrawn(yanked.arn.clone()));
            }
            unchanged += change.len();
            change.clear();
        }
        let is_latest = |version: &&LayerVersion| version.status == Status::Latest;
        // The build may have been withdrawn in another region.
        let is_withdrawn = |version: &&LayerVersion| {
            let was_latest = known.get(&version.arn).is_some_and(&is_latest);
            !was_latest && obstacle(version, &[], withdrawn).is_some()
        };
        if let Some(version) = add.iter().chain(&change).filter(is_latest).find(is_withdrawn) {
            return Err(AdoptionError::Withdrawn(version.arn.clone()));
        }
        let next: BTreeSet<&LayerVersionArn> = change.iter().map(|version| &version.arn).collect();
        let stays = recorded.iter().filter(is_latest).find(|version| !next.contains(&version.arn));
        if let Some(stays) = stays
            && add.iter().chain(&change).any(|version| is_latest(&version))
        {
            return Err(AdoptionError::LatestGone(stays.arn.clone()));
        }
        self.unchanged += unchanged;
        self.add.extend(add);
        self.change.extend(change);
        Ok(())
    }
}

fn is_adopted(build: &Build) -> bool {
    matches!(build.origin, Origin::Adopted { .. })
}

/// Whether two builds with the same content describe it identically: same hash, and each dependency
/// in the same spelling.
fn is_described_identically(one: &Build, other: &Build) -> bool {
    let lines =
        |build: &Build| -> Vec<String> { build.dependencies.iter().map(Pin::to_string).collect() };
    one.requirements_hash == other.requirements_hash && lines(one) == lines(other)
}

#[cfg(test)]
mod tests;
