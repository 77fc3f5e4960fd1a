//! Regions side by side: how much is under way in each, and which are closed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use klayers_core::{LayerName, Region};
use tokio::sync::Semaphore;
use tracing::warn;

use super::stop::Stop;
use crate::Error;
use crate::error::in_one_line;
use crate::publish::{PublishError, Publisher};

/// How many publications are under way in one region at once.
const PLACES: usize = 4;

/// The regions of a run. One that refuses everything is asked once, not for every layer, and no
/// other region waits for it.
#[derive(Debug)]
pub(super) struct Lanes {
    by_region: BTreeMap<Region, Lane>,
    /// Why nothing is published of a layer in a region, where that is so.
    stuck: Mutex<BTreeMap<(Region, LayerName), String>>,
    deadline: Duration,
    stop: Stop,
}

#[derive(Debug)]
struct Lane {
    places: Semaphore,
    closed: OnceLock<String>,
}

impl Lanes {
    /// Lanes for regions, in each of which one publication may take this long and none begins once a
    /// stop was requested.
    pub(super) fn new<'a>(
        regions: impl IntoIterator<Item = &'a Region>,
        deadline: Duration,
        stop: Stop,
    ) -> Self {
        let lane = || Lane { places: Semaphore::new(PLACES), closed: OnceLock::new() };
        Self {
            by_region: regions.into_iter().map(|region| (region.clone(), lane())).collect(),
            stuck: Mutex::default(),
            deadline,
            stop,
        }
    }

    /// Keeps the layers from being published that could not be settled, each in its region.
    pub(super) fn set_aside(&self, stuck: &BTreeMap<(Region, LayerName), Error>) {
        let stuck = stuck.iter().map(|(which, error)| (which.clone(), in_one_line(error)));
        self.stuck().extend(stuck);
    }

    fn stuck(&self) -> MutexGuard<'_, BTreeMap<(Region, LayerName), String>> {
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes a region: nothing else is published there.
    pub(super) fn close(&self, region: &Region, error: &Error) {
        let Some(lane) = self.by_region.get(region) else { return };
        let reason = in_one_line(error);
        // The first reason stays, and is told once.
        if lane.closed.set(reason.clone()).is_ok() {
            warn!(%region, reason, "region closed");
        }
    }

    /// Keeps publications from beginning in a region until it is opened.
    pub(super) fn hold(&self, region: &Region) {
        if let Some(lane) = self.by_region.get(region) {
            lane.places.forget_permits(PLACES);
        }
    }

    /// Opens a region that was held.
    pub(super) fn open(&self, region: &Region) {
        if let Some(lane) = self.by_region.get(region) {
            lane.places.add_permits(PLACES);
        }
    }

    /// Publishes in a region, unless it is closed, as soon as there is a place, within the deadline;
    /// none if a stop was requested before. What is not done then is overdue, and the publisher says
    /// what held it up.
    pub(super) async fn publish<T>(
        &self,
        publisher: &dyn Publisher,
        region: &Region,
        layer: &LayerName,
        publication: impl Future<Output = Result<T, Error>>,
    ) -> Option<Result<T, Error>> {
        let Some(lane) = self.by_region.get(region) else { return Some(publication.await) };
        // It is never closed.
        let _place = lane.places.acquire().await;
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
