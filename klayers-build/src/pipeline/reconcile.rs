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
use crate::catalog::{Catalog, Include, Query};
use crate::plan::Selection;
use crate::publish::{InspectedVersion, ListedVersion, PublishError, Publisher};

mod compare;
mod repair;

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
    /// What could not be compared, and why.
    pub failed: Vec<(LayerVersionArn, Error)>,
}

/// What is recorded of a layer version, as far as it is compared. A collection has hundreds of
/// thousands, and they are all looked at at once.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Record {
    target: Target,
    package: PackageName,
    content: Digest,
    created_at: Timestamp,
    life: Life,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Life {
    Latest,
    Deprecated,
    Deleted,
}

impl From<&LayerVersion> for Record {
    fn from(version: &LayerVersion) -> Self {
        Self {
            target: version.build.target,
            package: version.build.package.clone(),
            content: version.build.content_digest,
            created_at: version.created_at,
            life: match version.status {
                Status::Latest => Life::Latest,
                Status::Deprecated { .. } => Life::Deprecated,
                Status::Deleted { .. } => Life::Deleted,
            },
        }
    }
}

impl Reconciler {
    /// Compares the regions, side by side, and repairs what it is told to repair. What was not
    /// found out in one region keeps no other from being compared.
    pub async fn reconcile(
        &self,
        regions: &[Region],
        repairs: Repairs,
        now: Timestamp,
    ) -> BTreeMap<Region, Result<RegionReconciliation, Error>> {
        stream::iter(regions)
            .map(|region| async move {
                let outcome = self.reconcile_region(region, repairs, now).await;
                (region.clone(), outcome)
            })
            .buffer_unordered(PARALLEL_REGIONS)
            .collect()
            .await
    }

    async fn reconcile_region(
        &self,
        region: &Region,
        repairs: Repairs,
        now: Timestamp,
    ) -> Result<RegionReconciliation, Error> {
        let mut found = RegionReconciliation::default();
        let view = self.look(region, &mut found).await?;
        let differences = view.compare(self.public);
        // Those that are oldest first: of two versions with one content the first is adopted.
        for difference in differences {
            found.differences.push(self.treat(difference, repairs, now).await);
        }
        found.differences.sort_by(|one, other| one.difference.cmp(&other.difference));
        Ok(found)
    }

    /// Reads what is recorded of a region, and what there is.
    async fn look(&self, region: &Region, found: &mut RegionReconciliation) -> Result<View, Error> {
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
        found.compared = view.inspected.len();
        found.failed.sort_by(|one, other| one.0.cmp(&other.0));
        for intent in self.catalog.under_way().await? {
            if intent.region == *region {
                view.being_published.insert((intent.layer, intent.build.content_digest));
            }
        }
        view.being_deleted.extend(self.catalog.deletions_under_way().await?);
        Ok(view)
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
