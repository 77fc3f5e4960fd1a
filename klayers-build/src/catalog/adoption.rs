//! What a catalog makes of records that are taken over from another collection.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::latest::{holds_same_versions, obstacle};
use klayers_core::{
    Build, LayerVersion, LayerVersionArn, Origin, PackageName, Pin, Region, Status, Target,
};

/// What another collection recorded of a package for a target. Its builds are
/// [adopted](Origin::Adopted), and of its versions at most one in a region is the latest.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Adoption {
    /// The target.
    pub target: Target,
    /// The package.
    pub package: PackageName,
    /// Its layer versions, from the oldest to the newest of each layer.
    pub versions: Vec<LayerVersion>,
    /// Its latest build, if one is known.
    pub latest_build: Option<Build>,
}

/// What is to be written down of an [`Adoption`].
///
/// A region where versions of this package were published from here is left alone: which of them
/// and of the other collection's is the latest cannot be said. Where all that is recorded was
/// adopted, it follows the other collection; but what is deleted here stays deleted, and what that
/// collection no longer lists stays as it is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AdoptionPlan {
    /// The versions that are not recorded yet.
    pub add: Vec<LayerVersion>,
    /// Those that are, with what is to be said of them from now on.
    pub change: Vec<LayerVersion>,
    /// How many are recorded as they are.
    pub unchanged: usize,
    /// The latest build, if it is to be recorded.
    pub build: Option<Build>,
    /// Where nothing is written down, and why.
    pub refused: BTreeMap<Region, Clash>,
}

/// Why nothing is adopted of a layer in a region.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Clash {
    /// Versions were published from here.
    Own(LayerVersionArn),
    /// A version is recorded that holds something else.
    Differs(LayerVersionArn),
    /// A version was withdrawn here.
    Withdrawn(LayerVersionArn),
    /// A version is recorded as the latest, and the other collection has another latest and does
    /// not know this one.
    LatestGone(LayerVersionArn),
}

impl fmt::Display for Clash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(arn) => write!(
                formatter,
                "{arn} was published from here, so what is recorded stays, and newer versions of \
                 the other collection are not adopted"
            ),
            Self::Differs(arn) => write!(
                formatter,
                "{arn} is recorded with another version or other dependencies; nothing of this \
                 layer is adopted"
            ),
            Self::Withdrawn(arn) => {
                write!(formatter, "{arn} was withdrawn here, so what is recorded stays")
            }
            Self::LatestGone(arn) => write!(
                formatter,
                "{arn} is recorded as the latest, but the other collection does not list it; \
                 reconcile first"
            ),
        }
    }
}

impl AdoptionPlan {
    /// Decides what is to be written down, given what is recorded of the package for the target:
    /// all versions, deleted ones too, and the latest build; and the builds of the target that were
    /// withdrawn.
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
            let (told, recorded) = (in_region(&adoption.versions), in_region(recorded));
            if let Err(clash) = plan.add_region(told, &recorded, withdrawn) {
                plan.refused.insert(region.clone(), clash);
            }
        }
        plan.build = adoption.latest_build.clone().filter(|told| match latest_build {
            None => true,
            Some(recorded) => {
                let adds_time = recorded.created_at.is_none() && told.created_at.is_some();
                let differs =
                    !holds_same_versions(recorded, told) || !is_told_alike(recorded, told);
                is_adopted(recorded) && (differs || adds_time)
            }
        });
        plan
    }

    /// Whether nothing is to be written down.
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.change.is_empty() && self.build.is_none()
    }

    fn add_region(
        &mut self,
        told: Vec<LayerVersion>,
        recorded: &[LayerVersion],
        withdrawn: &[Build],
    ) -> Result<(), Clash> {
        let known: BTreeMap<&LayerVersionArn, &LayerVersion> =
            recorded.iter().map(|version| (&version.arn, version)).collect();
        if let Some(own) = recorded.iter().find(|version| !is_adopted(&version.build)) {
            if told.iter().all(|version| known.contains_key(&version.arn)) {
                self.unchanged += told.len();
                return Ok(());
            }
            return Err(Clash::Own(own.arn.clone()));
        }
        let (mut add, mut change, mut unchanged) = (Vec::new(), Vec::new(), 0);
        for told in told {
            let Some(recorded) = known.get(&told.arn) else {
                add.push(told);
                continue;
            };
            if !holds_same_versions(&recorded.build, &told.build) {
                return Err(Clash::Differs(told.arn));
            }
            let is_as_told = is_told_alike(&recorded.build, &told.build);
            let next = LayerVersion {
                arn: told.arn,
                build: if is_as_told {
                    recorded.build.clone()
                } else {
                    Build {
                        dependencies: told.build.dependencies,
                        requirements_hash: told.build.requirements_hash,
                        ..recorded.build.clone()
                    }
                },
                created_at: recorded.created_at.or(told.created_at),
                status: match &recorded.status {
                    deleted @ Status::Deleted { .. } => deleted.clone(),
                    Status::Latest | Status::Deprecated { .. } => told.status,
                },
            };
            if is_as_told && next == **recorded {
                unchanged += 1;
            } else {
                change.push(next);
            }
        }
        if let Some(yanked) = recorded.iter().find(|version| version.yanked().is_some()) {
            // Its status is this collection's, and that of the version which took its place.
            if !add.is_empty() {
                return Err(Clash::Withdrawn(yanked.arn.clone()));
            }
            unchanged += change.len();
            change.clear();
        }
        let is_latest = |version: &&LayerVersion| version.status == Status::Latest;
        // It may have been withdrawn in another region.
        let must_not = |version: &&LayerVersion| {
            let was_latest = known.get(&version.arn).is_some_and(&is_latest);
            !was_latest && obstacle(version, &[], withdrawn).is_some()
        };
        if let Some(version) = add.iter().chain(&change).filter(is_latest).find(must_not) {
            return Err(Clash::Withdrawn(version.arn.clone()));
        }
        let next: BTreeSet<&LayerVersionArn> = change.iter().map(|version| &version.arn).collect();
        let stays = recorded.iter().filter(is_latest).find(|version| !next.contains(&version.arn));
        if let Some(stays) = stays
            && add.iter().chain(&change).any(|version| is_latest(&version))
        {
            return Err(Clash::LatestGone(stays.arn.clone()));
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

/// Whether two builds that hold the same say so in the same words: the hash, and each dependency in
/// its spelling.
fn is_told_alike(one: &Build, other: &Build) -> bool {
    let lines =
        |build: &Build| -> Vec<String> { build.dependencies.iter().map(Pin::to_string).collect() };
    one.requirements_hash == other.requirements_hash && lines(one) == lines(other)
}

#[cfg(test)]
mod tests;
