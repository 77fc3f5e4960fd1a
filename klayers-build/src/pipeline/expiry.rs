//! The end of layer versions whose time has come: what is intended is written down, then it is
//! done, then what happened is written down.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use klayers_core::{
    Digest, LayerVersion, LayerVersionArn, PackageName, Region, Status, Target, due,
};
use tracing::info;

use super::PARALLEL_REGIONS;
use super::pointers::Pointers;
use crate::Error;
use crate::catalog::{Catalog, Include, Query};
use crate::failpoint;
use crate::plan::Selection;
use crate::publish::Publisher;

/// How far the clock may lie before the newest layer version. AWS has its own clock.
const BEHIND: SignedDuration = SignedDuration::from_hours(24);
/// How long a collection may lie still before a clock is not believed that nothing else bears out.
const AHEAD: SignedDuration = SignedDuration::from_hours(180 * 24);

/// Which layer versions may be deleted in one go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExpiryScope {
    /// Of these layers, in these regions.
    pub selection: Selection,
    /// How many of the newest of a layer in a region are kept however old they are.
    pub keep: usize,
    /// How many are deleted at most.
    pub limit: usize,
    /// Whether the clock is believed although what is in the catalog speaks against it.
    pub trust_clock: bool,
}

/// What is to be deleted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ExpiryPlan {
    /// What was being deleted when an earlier process ended; sorted. It is deleted again.
    pub under_way: Vec<LayerVersionArn>,
    /// What is due, the longest overdue first.
    pub due: Vec<LayerVersion>,
    /// How many more are due, beyond the limit.
    pub left: usize,
}

impl ExpiryPlan {
    /// Finds out what is to be deleted. It changes nothing.
    ///
    /// Whether something is due follows from the times in the catalog and from `now`, which may be
    /// wrong. What was deleted once stays deleted, so a clock that cannot be right is not believed:
    /// one before the newest layer version, or one half a year after it, when nothing tells a clock
    /// that was set forward from a collection that lay still.
    ///
    /// # Errors
    ///
    /// [`ExpiryError::ClockBehind`] and [`ExpiryError::ClockAhead`] if the clock is not believed,
    /// or if the catalog cannot be read.
    pub async fn new(
        catalog: &dyn Catalog,
        scope: &ExpiryScope,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let newest = catalog.newest().await?.filter(|_| !scope.trust_clock);
        if let Some(newest) = newest
            && later(now, BEHIND) < newest
        {
            return Err(ExpiryError::ClockBehind { now, newest }.into());
        }
        let mut under_way = catalog.deletions_under_way().await?;
        under_way.retain(|arn| scope.selection.includes_region(arn.region()));
        let mut due = find_due(catalog, scope, now).await?;
        if let Some(newest) = newest
            && !due.is_empty()
            && later(newest, AHEAD) < now
        {
            return Err(ExpiryError::ClockAhead { now, newest }.into());
        }
        let left = due.len().saturating_sub(scope.limit);
        due.truncate(scope.limit);
        Ok(Self { under_way, due, left })
    }

    /// The regions in which something is to be deleted, sorted.
    pub fn regions(&self) -> Vec<Region> {
        let due = self.due.iter().map(|version| &version.arn);
        let mut regions: Vec<Region> =
            self.under_way.iter().chain(due).map(|arn| arn.region().clone()).collect();
        regions.sort();
        regions.dedup();
        regions
    }

    /// Whether there is nothing to be deleted.
    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty() && self.due.is_empty()
    }
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// All that is due of what was selected, the longest overdue first.
async fn find_due(
    catalog: &dyn Catalog,
    scope: &ExpiryScope,
    now: Timestamp,
) -> Result<Vec<LayerVersion>, Error> {
    let mut layers: Vec<(Target, PackageName)> = Vec::new();
    // They come sorted, so those of one layer stand beside each other.
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
        // As they are sorted, too.
        for in_region in versions.chunk_by(|one, other| one.region() == other.region()) {
            if in_region.first().is_some_and(|version| scope.selection.includes(version)) {
                found.extend(due(in_region, scope.keep, now).into_iter().cloned());
            }
        }
    }
    found.sort_by(|one, other| (one.expires_at(), &one.arn).cmp(&(other.expires_at(), &other.arn)));
    Ok(found)
}

/// Deletes layer versions whose time has come.
#[derive(Clone, Debug)]
pub struct Expirer {
    /// Keeps the records.
    pub catalog: Arc<dyn Catalog>,
    /// Deletes.
    pub publisher: Arc<dyn Publisher>,
}

/// What became of the deletions in a region.
#[derive(Debug, Default)]
pub struct RegionExpiry {
    /// What was deleted, in the order in which it was.
    pub deleted: Vec<LayerVersionArn>,
    /// What could not be, and why.
    pub failed: Vec<(LayerVersionArn, Error)>,
    /// How many were not tried, since the region refuses everything for now.
    pub not_tried: usize,
}

/// One thing to be done in a region.
enum Deletion {
    /// It was begun by an earlier process.
    Again(LayerVersionArn),
    New(Box<LayerVersion>),
}

impl Deletion {
    fn arn(&self) -> &LayerVersionArn {
        match self {
            Self::Again(arn) => arn,
            Self::New(version) => &version.arn,
        }
    }
}

impl Expirer {
    /// Deletes what was planned, in all regions side by side. `now` is the time that is written
    /// down as that of the deletions.
    pub async fn expire(&self, plan: ExpiryPlan, now: Timestamp) -> BTreeMap<Region, RegionExpiry> {
        let mut by_region: BTreeMap<Region, Vec<Deletion>> = BTreeMap::new();
        let again = plan.under_way.into_iter().map(Deletion::Again);
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
                Deletion::Again(arn) => self.delete_again(arn).await,
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
        // Looked at before anything is written down: one of another account is refused here, and
        // one that is not what it should be is nothing to delete unseen.
        let found = self.publisher.inspect(arn).await?;
        // What an adopted one should be is not recorded; its ARN and its account say which it is.
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

    /// Whoever follows a pointer must not find a version that is gone.
    async fn refuse_pointed(&self, version: &LayerVersion) -> Result<(), Error> {
        let pointers = Pointers { catalog: &*self.catalog, publisher: &*self.publisher };
        if pointers.names(version).await? {
            return Err(ExpiryError::Pointed(Box::new(version.arn.clone())).into());
        }
        Ok(())
    }

    /// A latest version has no time to come, and the catalog begins no deletion of one. This is
    /// asked once more all the same, right before: what is deleted does not come back.
    async fn refuse_latest(&self, arn: &LayerVersionArn) -> Result<(), Error> {
        match self.catalog.layer_version(arn).await? {
            Some(LayerVersion { status: Status::Latest, .. }) => {
                Err(ExpiryError::Latest(Box::new(arn.clone())).into())
            }
            _ => Ok(()),
        }
    }
}

/// Why a layer version is not deleted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExpiryError {
    /// The clock is behind what was published.
    #[error(
        "the clock says {now}, but a layer version was recorded at {newest}; nothing is deleted: \
         set the clock, or pass --trust-clock if it is right"
    )]
    ClockBehind {
        /// What the clock says.
        now: Timestamp,
        /// When the newest layer version was published.
        newest: Timestamp,
    },
    /// The clock is far ahead of what was published.
    #[error(
        "the clock says {now}, but nothing was recorded since {newest}; nothing is deleted, since \
         the clock may be ahead: pass --trust-clock if it is right"
    )]
    ClockAhead {
        /// What the clock says.
        now: Timestamp,
        /// When the newest layer version was published.
        newest: Timestamp,
    },
    /// A layer version is the latest of its layer.
    #[error("{0} is the latest of its layer, which is never deleted")]
    Latest(Box<LayerVersionArn>),
    /// The pointer to the latest of its layer names a layer version.
    #[error(
        "the pointer to the latest of its layer still names {0}, so it is not deleted; the next run, \
         or `klayers-pipeline reconcile --repair`, moves the pointer"
    )]
    Pointed(Box<LayerVersionArn>),
    /// A layer version does not hold what is recorded.
    #[error(
        "{arn} is recorded with the SHA-256 {recorded}, but has {actual}; it is not deleted: look \
         at it, and delete it by hand"
    )]
    OtherContent {
        /// The layer version.
        arn: Box<LayerVersionArn>,
        /// What is recorded.
        recorded: Digest,
        /// What it has.
        actual: Digest,
    },
}
