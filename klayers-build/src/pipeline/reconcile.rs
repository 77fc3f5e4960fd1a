//! Reconciling: what the catalog says is held against what the publisher has, region by region.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use klayers_core::{
    Digest, ExpiryPolicy, LayerName, LayerVersion, LayerVersionArn, PackageName, Region, Status,
    Target,
};

use super::PARALLEL_REGIONS;
use crate::Error;
use crate::catalog::{Catalog, Include, Intent, Query};
use crate::plan::Selection;
use crate::publish::{InspectedVersion, ListedVersion, PublishError, Publisher};

mod compare;
mod repair;
mod second_look;

pub use compare::{Difference, DifferenceKind};
pub use repair::{Reconciled, Remedy, Repairs};

use compare::View;

/// How many layers and versions of one region are asked for at once. How often that may be is up to
/// the publisher.
const PARALLEL_QUESTIONS: usize = 4;

/// Compares a catalog with what there is, and repairs one or the other.
#[derive(Clone, Debug)]
pub struct Reconciler {
    /// Keeps the records.
    pub catalog: Arc<dyn Catalog>,
    /// Says what there is.
    pub publisher: Arc<dyn Publisher>,
    /// How long deprecated layer versions are kept.
    pub expiry: ExpiryPolicy,
    /// What the names of the collection's layers begin with. Others are not looked at, unless they
    /// are recorded.
    pub layer_prefix: String,
    /// Whether everybody may use what is published.
    pub public: bool,
    /// Which layers are compared.
    pub selection: Selection,
    /// The targets that layers may be for.
    pub targets: BTreeSet<Target>,
    /// The regions that runs publish in: what was interrupted there is left to the next run.
    pub run_regions: BTreeSet<Region>,
    /// Whether repairs are made although most of what is recorded is not there, or less is recorded
    /// than would be deleted: as with a catalog that belongs to something else.
    pub sure: bool,
}

/// What was found in a region.
#[derive(Debug, Default)]
pub struct RegionReconciliation {
    /// How many layer versions were compared.
    pub compared: usize,
    /// How many recorded ones are in other accounts, where they cannot be seen.
    pub in_other_accounts: usize,
    /// What differs, sorted, and what became of it.
    pub differences: Vec<Reconciled>,
    /// Publications that were interrupted and that no run settles.
    pub forsaken: Vec<Forsaken>,
    /// What could not be compared, and why.
    pub failed: Vec<(LayerVersionArn, Error)>,
    /// How many of those that were compared are recorded as existing.
    existing: usize,
}

/// A publication that was interrupted in a region where runs do not come any more. What became of it
/// is told by the difference that it made, if it made one.
#[derive(Debug)]
pub struct Forsaken {
    /// The publication.
    pub intent: Intent,
    /// Whether it could be written down that it is not under way; none if that was not to be.
    pub outcome: Option<Result<(), Error>>,
}

/// What is recorded of a layer version, as far as it is compared. A collection has hundreds of
/// thousands, and they are all looked at at once.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Record {
    target: Target,
    package: PackageName,
    /// Not known of one that was adopted.
    content: Option<Digest>,
    created_at: Option<Timestamp>,
    life: Life,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Life {
    Latest,
    Deprecated,
    /// Deprecated, since it was withdrawn.
    Withdrawn,
    Deleted,
}

impl From<&LayerVersion> for Record {
    fn from(version: &LayerVersion) -> Self {
        Self {
            target: version.build.target,
            package: version.build.package.clone(),
            content: version.build.content_digest(),
            created_at: version.created_at,
            life: match version.status {
                Status::Latest => Life::Latest,
                Status::Deprecated { yanked: None, .. } => Life::Deprecated,
                Status::Deprecated { yanked: Some(_), .. } => Life::Withdrawn,
                Status::Deleted { .. } => Life::Deleted,
            },
        }
    }
}

impl Reconciler {
    /// Compares the regions, side by side, and repairs what it is told to repair. What was not
    /// found out in one region keeps no other from being compared.
    ///
    /// # Errors
    ///
    /// [`ReconcileError`] if it is not [`sure`](Self::sure) that the catalog belongs to what was
    /// compared with it; nothing is repaired then.
    pub async fn reconcile(
        &self,
        regions: &[Region],
        repairs: Repairs,
        now: Timestamp,
    ) -> Result<BTreeMap<Region, Result<RegionReconciliation, Error>>, Error> {
        let found: BTreeMap<Region, Result<_, Error>> = stream::iter(regions)
            .map(|region| async move { (region.clone(), self.look(region).await) })
            .buffer_unordered(PARALLEL_REGIONS)
            .collect()
            .await;
        if repairs != Repairs::None && !self.sure {
            refuse_doubtful(found.values().flatten(), repairs)?;
        }
        let treated = stream::iter(found)
            .map(|(region, found)| async move {
                let found = match found {
                    Ok((found, differences)) => {
                        Ok(self.treat_all(found, differences, repairs, now).await)
                    }
                    Err(error) => Err(error),
                };
                (region, found)
            })
            .buffer_unordered(PARALLEL_REGIONS)
            .collect()
            .await;
        Ok(treated)
    }

    async fn treat_all(
        &self,
        mut found: RegionReconciliation,
        differences: Vec<Difference>,
        repairs: Repairs,
        now: Timestamp,
    ) -> RegionReconciliation {
        // Those that are oldest first: of two versions with one content the first is adopted.
        for difference in differences {
            found.differences.push(self.treat(difference, repairs, now).await);
        }
        found.differences.sort_by(|one, other| one.difference.cmp(&other.difference));
        // Where something could not be seen it may be just that which was made.
        if repairs != Repairs::None && found.failed.is_empty() {
            for forsaken in &mut found.forsaken {
                let ended = self.catalog.abandon(&forsaken.intent).await;
                forsaken.outcome = Some(ended.map_err(Error::from));
            }
        }
        found
    }

    /// Reads what is recorded of a region and what there is, and compares.
    async fn look(
        &self,
        region: &Region,
    ) -> Result<(RegionReconciliation, Vec<Difference>), Error> {
        let mut found = RegionReconciliation::default();
        let recorded = self.recorded(region).await?;
        let mut layers: BTreeSet<LayerName> =
            recorded.keys().map(|arn| arn.name().clone()).collect();
        let prefix = format!("{}-", self.layer_prefix);
        let there = self.publisher.layers(region).await?.into_iter();
        layers.extend(
            there.filter(|name| name.as_str().starts_with(&prefix) && self.is_selected(name)),
        );
        let listed: Vec<Vec<ListedVersion>> = stream::iter(layers)
            .map(|layer| async move { self.publisher.list(region, &layer).await })
            .buffer_unordered(PARALLEL_QUESTIONS)
            .try_collect()
            .await?;
        let listed: BTreeMap<LayerVersionArn, ListedVersion> =
            listed.into_iter().flatten().map(|version| (version.arn.clone(), version)).collect();
        let existing =
            recorded.iter().filter(|(_, record)| record.life != Life::Deleted).map(|(arn, _)| arn);
        let asked: BTreeSet<LayerVersionArn> = existing.chain(listed.keys()).cloned().collect();
        let mut view = View { recorded, listed, ..View::default() };
        let mut answers = stream::iter(asked)
            .map(|arn| async move { (self.publisher.inspect(&arn).await, arn) })
            .buffer_unordered(PARALLEL_QUESTIONS);
        while let Some((answer, arn)) = answers.next().await {
            match answer {
                Ok(answer) => view.add(arn, answer),
                Err(error) if error.concerns_region() => return Err(error.into()),
                Err(PublishError::NotOurs(_)) => found.in_other_accounts += 1,
                Err(error) => found.failed.push((arn, error.into())),
            }
        }
        drop(answers);
        self.look_again(region, &mut view, &mut found).await?;
        found.compared = view.inspected.len();
        if self.publisher.keeps_pointers() {
            self.look_at_pointers(region, &mut view, &mut found).await;
        }
        found.failed.sort_by(|one, other| one.0.cmp(&other.0));
        for intent in self.catalog.under_way().await? {
            if intent.region != *region {
                continue;
            }
            if self.run_regions.contains(region) {
                let content = intent.build.content_digest();
                let which = content.map(|content| ((intent.layer, content), intent.stuck));
                view.being_published.extend(which);
            } else {
                found.forsaken.push(Forsaken { intent, outcome: None });
            }
        }
        view.being_deleted.extend(self.catalog.deletions_under_way().await?);
        found.existing = view.existing();
        Ok((found, view.compare(self.public)))
    }

    /// Reads the pointers of the layers that are recorded. That they cannot be read keeps nothing
    /// else from being compared.
    async fn look_at_pointers(
        &self,
        region: &Region,
        view: &mut View,
        found: &mut RegionReconciliation,
    ) {
        let layers: Vec<_> = view.newest().into_iter().collect();
        let mut answers = stream::iter(layers)
            .map(|((target, package), arn)| async move {
                let names = self.publisher.pointed(region, target, package).await;
                ((target, package.clone()), arn, names)
            })
            .buffer_unordered(PARALLEL_QUESTIONS);
        let mut pointers = BTreeMap::new();
        while let Some((layer, arn, names)) = answers.next().await {
            match names {
                Ok(names) => drop(pointers.insert(layer, names)),
                Err(error) => {
                    let refuses_all = error.concerns_region();
                    found.failed.push((arn.clone(), error.into()));
                    if refuses_all {
                        break;
                    }
                }
            }
        }
        drop(answers);
        view.pointers = pointers;
    }

    async fn recorded(&self, region: &Region) -> Result<BTreeMap<LayerVersionArn, Record>, Error> {
        let query =
            Query { region: Some(region.clone()), include: Include::All, ..Query::default() };
        let versions = self.catalog.layer_versions(&query).await?;
        let selected = versions.iter().filter(|version| self.selection.includes(version));
        Ok(selected.map(|version| (version.arn.clone(), Record::from(version))).collect())
    }

    /// Whether a layer of this name may be one of those that were selected.
    fn is_selected(&self, name: &LayerName) -> bool {
        let Selection { packages, targets, .. } = &self.selection;
        if packages.is_empty() && targets.is_empty() {
            return true;
        }
        let targets = self.targets.iter().filter(|of| targets.is_empty() || targets.contains(of));
        targets.into_iter().any(|&target| {
            if packages.is_empty() {
                self.names_target(name, target)
            } else {
                packages.iter().any(|package| name.is_for(target, package))
            }
        })
    }

    /// Whether a layer's name names a target, and no other whose key begins alike.
    fn names_target(&self, name: &LayerName, target: Target) -> bool {
        let begins_with = |target: &Target| {
            let key = target.to_string().replace('.', "");
            name.as_str().starts_with(&format!("{}-{key}-", self.layer_prefix))
        };
        let longest = self
            .targets
            .iter()
            .filter(|target| begins_with(target))
            .max_by_key(|target| target.to_string().len());
        longest == Some(&target)
    }
}

/// Refuses repairs that would make one of two things that do not belong to each other like the
/// other.
fn refuse_doubtful<'a>(
    found: impl Iterator<Item = &'a (RegionReconciliation, Vec<Difference>)>,
    repairs: Repairs,
) -> Result<(), ReconcileError> {
    let (mut recorded, mut missing, mut unrecorded) = (0, 0, 0);
    for (region, differences) in found {
        recorded += region.existing;
        for difference in differences {
            match difference.kind {
                DifferenceKind::Missing { .. } | DifferenceKind::WrongHash { .. } => missing += 1,
                DifferenceKind::Orphan { .. }
                | DifferenceKind::Undeleted { .. }
                | DifferenceKind::Doubled { recorded: false, .. } => unrecorded += 1,
                _ => {}
            }
        }
    }
    if missing * 2 > recorded {
        return Err(ReconcileError::MostIsMissing { missing, recorded });
    }
    if repairs == Repairs::DeletingOrphans && unrecorded > recorded {
        return Err(ReconcileError::LittleIsRecorded { unrecorded, recorded });
    }
    Ok(())
}

/// Why nothing is repaired.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReconcileError {
    /// Most of what is recorded is not there, or is something else.
    #[error(
        "{missing} of {recorded} recorded layer versions are not there as they are recorded; \
         nothing is repaired, since the catalog may be another collection's: see what differs \
         without --repair, and pass --sure if it is right"
    )]
    MostIsMissing {
        /// How many are not there as they are recorded.
        missing: usize,
        /// How many are recorded as existing.
        recorded: usize,
    },
    /// What the publisher says of a layer version contradicts itself.
    #[error(
        "the answers about {0} contradict one another, so it counts as not compared; reconcile again \
         later"
    )]
    Contradiction(Box<LayerVersionArn>),
    /// More is there that is not recorded than what is.
    #[error(
        "{unrecorded} layer versions might be deleted, and {recorded} are recorded; nothing is \
         repaired, since the catalog may be another collection's: see what differs without \
         --repair, and pass --sure if it is right"
    )]
    LittleIsRecorded {
        /// How many are not recorded, or as deleted.
        unrecorded: usize,
        /// How many are recorded as existing.
        recorded: usize,
    },
}
