//! Prepares regions for publishing, concurrently, so that none waits for a slow one.
//!
//! In each region, publications that an earlier run left under way are settled, and the run looks
//! for layers of which the catalog has no records. Nothing is published in a region before this is
//! done. A region that takes longer than the others is prepared while the run goes on without it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{FuturesUnordered, StreamExt as _};
use jiff::Timestamp;
use klayers_core::{LayerName, LayerVersionArn, Region};

use super::publication::{NOTED_EVERY, Publishing};
use super::settling::SettledPublications;
use crate::Error;
use crate::error::UnrecordedLayersError;
use klayers_catalog::OwedPointer;
use klayers_publish::PublishError;

/// How long a run waits for further regions once half of them are ready.
const GRACE: Duration = Duration::from_secs(2);

/// The regions that are not ready yet.
pub(super) struct Preparation<'a> {
    pending: FuturesUnordered<BoxFuture<'a, (Region, Result<SettledPublications, Error>)>>,
    regions: BTreeSet<&'a Region>,
}

impl fmt::Debug for Preparation<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Preparation")
            .field("regions", &self.regions)
            .finish_non_exhaustive()
    }
}

/// How regions are prepared, whoever publishes in them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Preparer<'a> {
    pub(super) publishing: Publishing<'a>,
    /// Layers that must not exist in regions for which the catalog has no records.
    pub(super) layers: &'a BTreeSet<LayerName>,
    /// Whether such layers are accepted.
    pub(super) new_collection: bool,
    /// Time limit for preparing one region.
    pub(super) deadline: Duration,
    pub(super) now: Timestamp,
}

impl<'a> Preparation<'a> {
    pub(super) async fn begin(
        preparer: Preparer<'a>,
        regions: &'a [Region],
    ) -> Result<Self, Error> {
        let under_way = preparer.publishing.completion.catalog.under_way().await?;
        let unsettled: BTreeSet<Region> =
            under_way.into_iter().map(|intent| intent.region).collect();
        let prepare = |region: &'a Region| {
            let settles = unsettled.contains(region);
            async move {
                let ready = preparer.prepare(region, settles).await;
                (region.clone(), ready)
            }
            .boxed()
        };
        let pending = regions.iter().map(prepare).collect();
        Ok(Self { pending, regions: regions.iter().collect() })
    }

    /// Waits for the regions that get ready without delay.
    ///
    /// # Errors
    ///
    /// [`UnrecordedLayersError`] with the layers found in all of these regions. Also if the catalog
    /// cannot be read or written.
    pub(super) async fn first(&mut self) -> Result<SettledPublications, Error> {
        self.collect(Some(GRACE)).await
    }

    /// Waits for all regions.
    ///
    /// # Errors
    ///
    /// As for [`first`](Self::first).
    pub(super) async fn all(&mut self) -> Result<SettledPublications, Error> {
        self.collect(None).await
    }

    /// Waits for regions until all are ready, or until none gets ready for the time of `grace`
    /// after half of them are.
    async fn collect(&mut self, grace: Option<Duration>) -> Result<SettledPublications, Error> {
        let all = self.regions.len();
        let mut settled = SettledPublications::default();
        let mut found = BTreeMap::new();
        while !self.regions.is_empty() {
            let is_half_ready = self.regions.len() * 2 <= all;
            let next = match grace {
                Some(grace) if is_half_ready => tokio::time::timeout(grace, self.next()).await,
                _ => Ok(self.next().await),
            };
            match next {
                Ok(Some((_, Ok(ready)))) => settled.add(ready),
                Ok(Some((_, Err(Error::Unrecorded(unrecorded))))) => found.extend(unrecorded.found),
                Ok(Some((_, Err(error)))) => return Err(error),
                Ok(None) | Err(_) => break,
            }
        }
        settled.completed.sort();
        if found.is_empty() { Ok(settled) } else { Err(UnrecordedLayersError { found }.into()) }
    }

    /// Returns the next region that is ready or has failed; `None` when all are done.
    pub(super) async fn next(&mut self) -> Option<(Region, Result<SettledPublications, Error>)> {
        let ready = self.pending.next().await?;
        self.regions.remove(&ready.0);
        Some(ready)
    }

    /// Returns the regions that are not ready.
    pub(super) fn regions(&self) -> impl Iterator<Item = &'a Region> {
        self.regions.iter().copied()
    }
}

impl SettledPublications {
    fn add(&mut self, other: Self) {
        self.completed.extend(other.completed);
        self.stuck.extend(other.stuck);
        self.failed.extend(other.failed);
        self.unmoved.extend(other.unmoved);
    }
}

impl Preparer<'_> {
    /// Prepares one region within its deadline. Waiting for a publication whose outcome is unknown
    /// extends the deadline.
    async fn prepare(&self, region: &Region, settles: bool) -> Result<SettledPublications, Error> {
        let publishing = self.publishing;
        let prepared = async {
            let mut settled = SettledPublications::default();
            if settles {
                settled = publishing.settle(std::slice::from_ref(region), self.now).await?;
            }
            if !self.new_collection && settled.failed.is_empty() {
                let region = std::iter::once(region);
                let unknown = publishing.refuse_unrecorded(self.layers, region).await?;
                settled.failed.extend(unknown);
            }
            if settled.failed.is_empty() {
                let pointers = publishing.completion.pointers();
                settled.unmoved = pointers.move_all_owed(std::slice::from_ref(region)).await?;
            }
            Ok(settled)
        };
        let publisher = publishing.completion.publisher;
        let waiting = publisher.longest_publication() + NOTED_EVERY;
        let deadline = if settles { self.deadline + waiting } else { self.deadline };
        tokio::time::timeout(deadline, prepared).await.unwrap_or_else(|_| {
            let trouble = publisher.trouble(region);
            let error = PublishError::NotReady { region: region.clone(), deadline, trouble };
            let failed = BTreeMap::from([(region.clone(), error.into())]);
            Ok(SettledPublications { failed, ..SettledPublications::default() })
        })
    }
}

/// The outcomes for the regions that got ready while the run went on.
#[derive(Clone, Debug, Default)]
pub struct LateRegions {
    /// Publications that an earlier run left under way and that turned out to have succeeded.
    pub completed: Vec<LayerVersionArn>,
    /// Regions where nothing could be published, with the reason.
    pub failed: BTreeMap<Region, String>,
    /// Pointers that neither an earlier run nor this one could move, with the reason.
    pub unmoved: BTreeMap<OwedPointer, String>,
}
