//! Lanes: limits the work in each region, and closes regions that fail.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use klayers_core::{LayerName, Region};
use tokio::sync::Semaphore;
use tracing::warn;

use super::stop::Stop;
use crate::Error;
use klayers_core::terminal::error_chain;
use klayers_publish::{PublishError, Publisher};

/// Maximum number of concurrent publications in a region.
const PERMITS: usize = 4;

/// The regions of a run. A region that refuses all calls is asked only once instead of for every
/// layer, and does not delay other regions.
#[derive(Debug)]
pub(super) struct Lanes {
    by_region: BTreeMap<Region, Lane>,
    /// Layers that must not be published in a region, with the reason.
    stuck: Mutex<BTreeMap<(Region, LayerName), String>>,
    deadline: Duration,
    stop: Stop,
}

#[derive(Debug)]
struct Lane {
    permits: Semaphore,
    closed: OnceLock<String>,
}

impl Lanes {
    /// Creates a lane for each region. `deadline` limits one publication. No publication begins
    /// after a stop was requested.
    pub(super) fn new<'a>(
        regions: impl IntoIterator<Item = &'a Region>,
        deadline: Duration,
        stop: Stop,
    ) -> Self {
        let lane = || Lane { permits: Semaphore::new(PERMITS), closed: OnceLock::new() };
        Self {
            by_region: regions.into_iter().map(|region| (region.clone(), lane())).collect(),
            stuck: Mutex::default(),
            deadline,
            stop,
        }
    }

    /// Blocks layers that could not be settled, each in its region.
    pub(super) fn block(&self, stuck: &BTreeMap<(Region, LayerName), Error>) {
        let stuck = stuck.iter().map(|(which, error)| (which.clone(), error_chain(error)));
        self.stuck().extend(stuck);
    }

    fn stuck(&self) -> MutexGuard<'_, BTreeMap<(Region, LayerName), String>> {
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes a region, so that nothing else is published there.
    pub(super) fn close(&self, region: &Region, error: &Error) {
        let Some(lane) = self.by_region.get(region) else { return };
        let reason = error_chain(error);
        // The first reason is kept, and reported once.
        if lane.closed.set(reason.clone()).is_ok() {
            warn!(%region, reason, "region closed");
        }
    }

    /// Keeps publications from beginning in a region until it is opened.
    pub(super) fn hold(&self, region: &Region) {
        if let Some(lane) = self.by_region.get(region) {
            lane.permits.forget_permits(PERMITS);
        }
    }

    /// Opens a region that was held.
    pub(super) fn open(&self, region: &Region) {
        if let Some(lane) = self.by_region.get(region) {
            lane.permits.add_permits(PERMITS);
        }
    }

    /// Publishes in a region within the deadline, unless the region is closed. Waits for one of the
    /// region's permits. `None` if a stop was requested before. A publication that exceeds the
    /// deadline fails as overdue, with the trouble that the publisher reports.
    pub(super) async fn publish<T>(
        &self,
        publisher: &dyn Publisher,
        region: &Region,
        layer: &LayerName,
        publication: impl Future<Output = Result<T, Error>>,
    ) -> Option<Result<T, Error>> {
        let Some(lane) = self.by_region.get(region) else { return Some(publication.await) };
        // The semaphore is never closed.
        let _permit = lane.permits.acquire().await;
        if let Some(reason) = lane.closed.get() {
            let (region, reason) = (region.clone(), reason.clone());
            return Some(Err(PublishError::Closed { region, reason }.into()));
        }
        let stuck = self.stuck().get(&(region.clone(), layer.clone())).cloned();
        if let Some(reason) = stuck {
            let (region, layer) = (region.clone(), layer.clone());
            return Some(Err(PublishError::Stuck { region, layer, reason }.into()));
        }
        let _under_way = self.stop.begin()?;
        let outcome = match tokio::time::timeout(self.deadline, publication).await {
            Ok(outcome) => outcome,
            Err(_) => Err(PublishError::Overdue {
                region: region.clone(),
                layer: layer.clone(),
                deadline: self.deadline,
                trouble: publisher.trouble(region),
            }
            .into()),
        };
        if let Err(error @ Error::Publish(why)) = &outcome
            && why.concerns_region()
        {
            self.close(region, error);
        }
        Some(outcome)
    }
}
