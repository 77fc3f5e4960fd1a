//! Reconciles the catalog with the publisher's layer versions, region by region.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use klayers_core::{
    Digest, ExpiryPolicy, LayerName, LayerVersion, LayerVersionArn, PackageName, Region, Status,
    Target,
};

use super::PARALLEL_REGIONS;
use super::settling::concerns_region;
use crate::Error;
use crate::error::ReconcileError;
use crate::plan::Selection;
use klayers_catalog::{Catalog, Include, Intent, Query};
use klayers_core::terminal::error_chain;
use klayers_publish::{InspectedVersion, ListedVersion, PublishError, Publisher};

mod compare;
mod repair;
mod second_look;

pub use compare::{Difference, DifferenceKind};
pub use repair::{ReconciledDifference, Remedy, Repairs};

use compare::RegionView;

/// Number of concurrent queries in each region. The publisher limits their rate.
const PARALLEL_QUESTIONS: usize = 4;

/// Compares a catalog with the existing layer versions, and repairs either side.
#[derive(Clone, Debug)]
pub struct Reconciler {
    /// Keeps the records.
    pub catalog: Arc<dyn Catalog>,
    /// Knows the existing layer versions.
    pub publisher: Arc<dyn Publisher>,
    /// How long deprecated layer versions are kept.
    pub expiry: ExpiryPolicy,
    /// Prefix of the collection's layer names. Layers with other names are ignored unless they are
    /// recorded.
    pub layer_prefix: String,
    /// Whether layer versions should be public.
    pub public: bool,
    /// The layers to compare.
    pub selection: Selection,
    /// The targets that layers may be for.
    pub targets: BTreeSet<Target>,
    /// The regions that runs publish in: interrupted publications there are left to the next run.
    pub run_regions: BTreeSet<Region>,
    /// Whether to repair even if most recorded versions are missing, or if fewer versions are
    /// recorded than would be deleted. Both suggest that the catalog belongs to another collection.
    pub sure: bool,
}

/// The findings in a region.
#[derive(Debug, Default)]
pub struct RegionReconciliation {
    /// Number of layer versions that were compared.
    pub compared: usize,
    /// Number of recorded versions in other accounts, where they cannot be seen.
    pub in_other_accounts: usize,
    /// The differences, sorted, with the outcome of each.
    pub differences: Vec<ReconciledDifference>,
    /// Interrupted publications that no run will settle.
    pub abandoned: Vec<AbandonedPublication>,
    /// Versions that could not be compared, with the reason.
    pub failed: Vec<(LayerVersionArn, Error)>,
    /// Number of compared versions that are recorded as existing.
    existing: usize,
}

/// An interrupted publication in a region that runs no longer publish in. If it created a version,
/// that version is reported as a difference of its own.
#[derive(Debug)]
pub struct AbandonedPublication {
    /// The publication.
    pub intent: Intent,
    /// Whether the publication could be recorded as abandoned; `None` if no repair was requested.
    pub outcome: Option<Result<(), Error>>,
}

/// The compared part of a layer version's record. A collection has hundreds of thousands of
/// versions, and they are all in memory at once.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Record {
    target: Target,
    package: PackageName,
    /// `None` for an adopted version.
    content: Option<Digest>,
    created_at: Option<Timestamp>,
    status: RecordedStatus,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum RecordedStatus {
    Latest,
    Deprecated,
    /// Deprecated because it was withdrawn.
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
            status: match version.status {
                Status::Latest => RecordedStatus::Latest,
                Status::Deprecated { yanked: None, .. } => RecordedStatus::Deprecated,
                Status::Deprecated { yanked: Some(_), .. } => RecordedStatus::Withdrawn,
                Status::Deleted { .. } => RecordedStatus::Deleted,
            },
        }
    }
}

impl Reconciler {
    /// Compares the regions concurrently, and applies the requested repairs. A failure in one
    /// region does not prevent the comparison of others.
    ///
    /// # Errors
    ///
    /// [`ReconcileError`] if the catalog may belong to another collection and [`sure`](Self::sure)
    /// is not set; nothing is repaired then.
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
        let mut closed: Option<String> = None;
        // Oldest first: of two versions with the same content, the first is adopted.
        for difference in differences {
            let treated = self.treat(difference, repairs, closed.as_deref(), now).await;
            // After a region has failed as a whole, do not try its other repairs: each would wait
            // for a silent region again.
            if let Some(Err(error @ Error::Publish(_))) = &treated.outcome
                && concerns_region(error)
            {
                closed.get_or_insert_with(|| error_chain(error));
            }
            found.differences.push(treated);
        }
        found.differences.sort_by(|one, other| one.difference.cmp(&other.difference));
        // A version that could not be compared may be the version of such a publication.
        if repairs != Repairs::None && found.failed.is_empty() {
            for abandoned in &mut found.abandoned {
                let ended = self.catalog.abandon(&abandoned.intent).await;
                abandoned.outcome = Some(ended.map_err(Error::from));
            }
        }
        found
    }

    /// Reads the records and the existing versions of a region, and compares them.
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
        let existing = recorded
            .iter()
            .filter(|(_, record)| record.status != RecordedStatus::Deleted)
            .map(|(arn, _)| arn);
        let asked: BTreeSet<LayerVersionArn> = existing.chain(listed.keys()).cloned().collect();
        let mut view = RegionView { recorded, listed, ..RegionView::default() };
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
                found.abandoned.push(AbandonedPublication { intent, outcome: None });
            }
        }
        view.being_deleted.extend(self.catalog.deletions_under_way().await?);
        found.existing = view.existing();
        Ok((found, view.compare(self.public)))
    }

    /// Reads the pointers of the recorded layers. Failing to read them does not prevent any other
    /// comparison.
    async fn look_at_pointers(
        &self,
        region: &Region,
        view: &mut RegionView,
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

    /// Whether a layer of this name may be one of the selected layers.
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

    /// Whether a layer's name contains the key of a target. Of several keys that match, the longest
    /// counts.
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

/// Refuses repairs if the catalog and the publisher seem to belong to different collections.
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
