//! Deletes expired layer versions. Each deletion is recorded as begun, carried out, and recorded as
//! ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use klayers_core::{LayerVersion, LayerVersionArn, PackageName, Region, Status, Target, due};
use tracing::info;

use super::PARALLEL_REGIONS;
use super::pointers::Pointers;
use crate::Error;
use crate::error::ExpiryError;
use crate::plan::Selection;
use klayers_catalog::failpoint;
use klayers_catalog::{Catalog, Include, Query};
use klayers_publish::Publisher;

/// How far the clock may be behind the newest layer version. AWS uses its own clock.
const MAX_BEHIND: SignedDuration = SignedDuration::from_hours(24);
/// How long a collection may be inactive before a clock is no longer trusted without confirmation.
const MAX_INACTIVE: SignedDuration = SignedDuration::from_hours(180 * 24);

/// Limits on which layer versions may be deleted at once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExpiryScope {
    /// The layers and regions to consider.
    pub selection: Selection,
    /// Number of newest versions of each layer and region to keep regardless of age.
    pub keep: usize,
    /// Maximum number of deletions.
    pub limit: usize,
    /// Whether to trust the clock even if the catalog contradicts it.
    pub trust_clock: bool,
}

/// What is to be deleted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ExpiryPlan {
    /// Deletions that an earlier process began and did not finish, sorted. They are repeated.
    pub under_way: Vec<LayerVersionArn>,
    /// Layer versions that are due, the longest overdue first.
    pub due: Vec<LayerVersion>,
    /// Number of further versions that are due but exceed the limit.
    pub left: usize,
}

impl ExpiryPlan {
    /// Plans the deletions. Changes nothing.
    ///
    /// Whether a version is due depends on the times in the catalog and on `now`, which may be
    /// wrong. A deletion cannot be undone, so an implausible clock is refused: one that is before
    /// the newest layer version, or more than half a year after it, because then a clock that was
    /// set forward looks the same as a collection that was inactive.
    ///
    /// # Errors
    ///
    /// [`ExpiryError::ClockBehind`] and [`ExpiryError::ClockAhead`] if the clock is refused. Also
    /// if the catalog cannot be read.
    pub async fn new(
        catalog: &dyn Catalog,
        scope: &ExpiryScope,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let newest = catalog.newest_time().await?.filter(|_| !scope.trust_clock);
        if let Some(newest) = newest
            && later(now, MAX_BEHIND) < newest
        {
            return Err(ExpiryError::ClockBehind { now, newest }.into());
        }
        let mut under_way = catalog.deletions_under_way().await?;
        under_way.retain(|arn| scope.selection.includes_region(arn.region()));
        let mut due = find_due(catalog, scope, now).await?;
        if let Some(newest) = newest
            && !due.is_empty()
            && later(newest, MAX_INACTIVE) < now
        {
            return Err(ExpiryError::ClockAhead { now, newest }.into());
        }
        let left = due.len().saturating_sub(scope.limit);
        due.truncate(scope.limit);
        Ok(Self { under_way, due, left })
    }

    /// Returns the regions with deletions, sorted.
    pub fn regions(&self) -> Vec<Region> {
        let due = self.due.iter().map(|version| &version.arn);
        let mut regions: Vec<Region> =
            self.under_way.iter().chain(due).map(|arn| arn.region().clone()).collect();
        regions.sort();
        regions.dedup();
        regions
    }

    /// Returns whether there is nothing to delete.
    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty() && self.due.is_empty()
    }
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// Returns all selected versions that are due, the longest overdue first.
async fn find_due(
    catalog: &dyn Catalog,
    scope: &ExpiryScope,
    now: Timestamp,
) -> Result<Vec<LayerVersion>, Error> {
    let mut layers: Vec<(Target, PackageName)> = Vec::new();
    // The versions are sorted, so versions of the same layer are adjacent.
    for version in catalog.expired(now).await? {
        let layer = (version.build.target, version.build.package.clone());
        if scope.selection.includes(&version) && layers.last() != Some(&layer) {
            layers.push(layer);
        }
    }
    let mut found = Vec::new();
    for (target, package) in layers {
        let query = Query {
            target: Some(target),
            package: Some(package),
            include: Include::Existing,
            ..Query::default()
        };
        let versions = catalog.layer_versions(&query).await?;
        // These are sorted, too.
        for in_region in versions.chunk_by(|one, other| one.region() == other.region()) {
            if in_region.first().is_some_and(|version| scope.selection.includes(version)) {
                found.extend(due(in_region, scope.keep, now).into_iter().cloned());
            }
        }
    }
    found.sort_by(|one, other| (one.expires_at(), &one.arn).cmp(&(other.expires_at(), &other.arn)));
    Ok(found)
}

/// Deletes expired layer versions.
#[derive(Clone, Debug)]
pub struct Expirer {
    /// Keeps the records.
    pub catalog: Arc<dyn Catalog>,
    /// Deletes layer versions.
    pub publisher: Arc<dyn Publisher>,
}

/// The outcome of the deletions in a region.
#[derive(Debug, Default)]
pub struct RegionExpiry {
    /// Deleted versions, in the order of their deletion.
    pub deleted: Vec<LayerVersionArn>,
    /// Versions that could not be deleted, with the reason.
    pub failed: Vec<(LayerVersionArn, Error)>,
    /// Number of versions that were not tried because the region refuses all calls for now.
    pub not_tried: usize,
}

/// A deletion in a region.
enum Deletion {
    /// A deletion that an earlier process began.
    Repeated(LayerVersionArn),
    New(Box<LayerVersion>),
}

impl Deletion {
    fn arn(&self) -> &LayerVersionArn {
        match self {
            Self::Repeated(arn) => arn,
            Self::New(version) => &version.arn,
        }
    }
}

impl Expirer {
    /// Carries out a plan, in all regions concurrently. `now` is recorded as the time of the
    /// deletions.
    pub async fn expire(&self, plan: ExpiryPlan, now: Timestamp) -> BTreeMap<Region, RegionExpiry> {
        let mut by_region: BTreeMap<Region, Vec<Deletion>> = BTreeMap::new();
        let again = plan.under_way.into_iter().map(Deletion::Repeated);
        let new = plan.due.into_iter().map(|version| Deletion::New(Box::new(version)));
        for deletion in again.chain(new) {
            by_region.entry(deletion.arn().region().clone()).or_default().push(deletion);
        }
        stream::iter(by_region)
            .map(|(region, deletions)| async move {
                (region, self.expire_in_region(deletions, now).await)
            })
            .buffer_unordered(PARALLEL_REGIONS)
            .collect()
            .await
    }

    async fn expire_in_region(&self, deletions: Vec<Deletion>, now: Timestamp) -> RegionExpiry {
        let mut done = RegionExpiry::default();
        let mut deletions = deletions.into_iter();
        while let Some(deletion) = deletions.next() {
            let outcome = match &deletion {
                Deletion::Repeated(arn) => self.delete_again(arn).await,
                Deletion::New(version) => self.delete(version, now).await,
            };
            let arn = deletion.arn().clone();
            let Err(error) = outcome else {
                info!(region = %arn.region(), %arn, "deleted");
                done.deleted.push(arn);
                continue;
            };
            let closed = matches!(&error, Error::Publish(error) if error.concerns_region());
            done.failed.push((arn, error));
            if closed {
                done.not_tried = deletions.by_ref().count();
            }
        }
        done
    }

    async fn delete(&self, version: &LayerVersion, now: Timestamp) -> Result<(), Error> {
        let arn = &version.arn;
        self.refuse_latest(arn).await?;
        self.refuse_pointed(version).await?;
        // Check the version before recording anything: this refuses versions of other accounts, and
        // versions with unexpected content must not be deleted unseen.
        let found = self.publisher.inspect(arn).await?;
        // The content of an adopted version is not recorded; its ARN and account identify it.
        if let (Some(found), Some(recorded)) = (found, version.build.content_digest())
            && found.digest != recorded
        {
            let (arn, actual) = (Box::new(arn.clone()), found.digest);
            return Err(ExpiryError::OtherContent { arn, recorded, actual }.into());
        }
        failpoint::reach("deletion intended");
        self.catalog.begin_deletion(arn, now).await?;
        failpoint::reach("deletion begun");
        self.delete_begun(arn).await
    }

    async fn delete_again(&self, arn: &LayerVersionArn) -> Result<(), Error> {
        if let Some(version) = self.catalog.layer_version(arn).await? {
            self.refuse_pointed(&version).await?;
        }
        self.delete_begun(arn).await
    }

    async fn delete_begun(&self, arn: &LayerVersionArn) -> Result<(), Error> {
        self.refuse_latest(arn).await?;
        self.publisher.delete(arn).await?;
        failpoint::reach("deleted");
        self.catalog.end_deletion(arn).await?;
        failpoint::reach("deletion recorded");
        Ok(())
    }

    /// Refuses a version that a pointer still names: those who follow the pointer must find a
    /// version.
    async fn refuse_pointed(&self, version: &LayerVersion) -> Result<(), Error> {
        let pointers = Pointers { catalog: &*self.catalog, publisher: &*self.publisher };
        if pointers.names(version).await? {
            return Err(ExpiryError::Pointed(Box::new(version.arn.clone())).into());
        }
        Ok(())
    }

    /// Refuses a latest version. It never expires, and the catalog begins no deletion of it. This
    /// checks once more right before the deletion, which cannot be undone.
    async fn refuse_latest(&self, arn: &LayerVersionArn) -> Result<(), Error> {
        match self.catalog.layer_version(arn).await? {
            Some(LayerVersion { status: Status::Latest, .. }) => {
                Err(ExpiryError::Latest(Box::new(arn.clone())).into())
            }
            _ => Ok(()),
        }
    }
}
