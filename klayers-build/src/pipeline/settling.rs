//! Settles publications that an earlier run left under way: records a version that was created, and
//! abandons a publication that created none.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt, stream};
use jiff::Timestamp;
use klayers_core::{LayerName, LayerVersionArn, Region};
use tracing::warn;

use super::PARALLEL_REGIONS;
use super::completion::Settlement;
use super::lookup_schedule::LookupSchedule;
use super::publication::{NOTED_EVERY, Publishing};
use crate::Error;
use klayers_catalog::{Intent, Obstacle, OwedPointer};
use klayers_core::terminal::error_chain;
use klayers_publish::{AwsErrorKind, PublishError};

/// The outcomes of publications that an earlier run left under way.
#[derive(Debug, Default)]
pub(super) struct SettledPublications {
    /// Publications that had succeeded and are recorded now.
    pub(super) completed: Vec<LayerVersionArn>,
    /// Layers, by region, whose publication could not be settled or whose version cannot be listed.
    /// Other layers of the region are not affected.
    pub(super) stuck: BTreeMap<(Region, LayerName), Error>,
    /// Regions where no publication could be settled.
    pub(super) failed: BTreeMap<Region, Error>,
    /// Pointers that neither an earlier run nor this one could move, with the reason.
    pub(super) unmoved: BTreeMap<OwedPointer, Error>,
}

impl Publishing<'_> {
    /// Settles the publications that an earlier run left under way in these regions, concurrently.
    ///
    /// AWS may still be creating a version although the run that requested it has ended. So a
    /// version that is not found is looked up again until it can no longer appear.
    pub(super) async fn settle(
        &self,
        regions: &[Region],
        now: Timestamp,
    ) -> Result<SettledPublications, Error> {
        let mut by_region: BTreeMap<Region, Vec<Intent>> = BTreeMap::new();
        for intent in self.completion.catalog.under_way().await? {
            if regions.contains(&intent.region) {
                by_region.entry(intent.region.clone()).or_default().push(intent);
            }
        }
        let outcomes: Vec<_> = stream::iter(by_region)
            .map(|(region, intents)| async move {
                let mut settled = SettledPublications::default();
                if let Err(error) = self.settle_region(&region, intents, &mut settled, now).await {
                    settled.failed.insert(region, error);
                }
                settled
            })
            .buffer_unordered(PARALLEL_REGIONS)
            .collect()
            .await;
        let mut settled = SettledPublications::default();
        for SettledPublications { completed, stuck, failed, .. } in outcomes {
            settled.completed.extend(completed);
            settled.stuck.extend(stuck);
            settled.failed.extend(failed);
        }
        settled.completed.sort();
        Ok(settled)
    }

    async fn settle_region(
        &self,
        region: &Region,
        mut unsettled: Vec<Intent>,
        settled: &mut SettledPublications,
        now: Timestamp,
    ) -> Result<(), Error> {
        let longest = unsettled.iter().filter_map(|intent| self.may_appear_for(intent)).max();
        let mut schedule = LookupSchedule::during(longest);
        let mut is_first = true;
        while schedule.next().await {
            let mut missing = Vec::new();
            for intent in unsettled {
                match self.look(&intent, now).await {
                    // A pointer that could not be moved is owed, and reported when owed pointers
                    // are moved.
                    Ok(Some(Settlement::Completed(completed))) => {
                        settled.completed.push(completed.arn);
                    }
                    Ok(Some(Settlement::Retired(arn, obstacle))) => warn_retired(&arn, obstacle),
                    Ok(None) => missing.push(intent),
                    Err(error) if concerns_region(&error) => return Err(error),
                    Err(error) => {
                        warn!(%region, layer = %intent.layer, error = error_chain(&error),
                            "not settled");
                        settled.stuck.insert((region.clone(), intent.layer), error);
                    }
                }
            }
            unsettled = missing;
            if unsettled.is_empty() {
                return Ok(());
            }
            if is_first && !schedule.left().is_zero() {
                warn_waiting(region, &unsettled, schedule.left());
            }
            is_first = false;
        }
        for intent in unsettled {
            self.completion.catalog.abandon(&intent).await?;
        }
        Ok(())
    }

    /// Looks up the version of a publication once, and records it if it exists.
    async fn look(&self, intent: &Intent, now: Timestamp) -> Result<Option<Settlement>, Error> {
        let recorded = self.completion.recorded(intent).await?;
        match self.completion.find(intent, &recorded).await? {
            Some(made) => {
                let settled = self.completion.settle(intent, made, &recorded, now).await;
                Ok(Some(self.completion.or_stuck(intent, settled).await?))
            }
            None => Ok(None),
        }
    }

    /// How much longer the version of an interrupted publication may appear; `None` if versions
    /// never appear after the process has ended.
    ///
    /// Catalogs of earlier releases do not record when a publication was last under way. Such a
    /// publication is treated as if it had just been interrupted: waiting once costs little, and
    /// publishing a version twice cannot be undone. The same applies to a time in the future, after
    /// the clock was set back.
    fn may_appear_for(&self, intent: &Intent) -> Option<Duration> {
        let longest = self.completion.longest_publication()?;
        let ago = intent.attempted_at.map(|at| (self.clock)().duration_since(at));
        let ago = ago.and_then(|ago| Duration::try_from(ago).ok()).unwrap_or_default();
        Some((longest + NOTED_EVERY).saturating_sub(ago))
    }
}

/// Whether the error affects all layers of the region. Access denied for one version may concern
/// this version alone.
pub(super) fn concerns_region(error: &Error) -> bool {
    match error {
        Error::Publish(PublishError::Aws(answer)) if *answer.kind() == AwsErrorKind::Denied => {
            false
        }
        Error::Publish(error) => error.concerns_region(),
        _ => true,
    }
}

fn warn_retired(arn: &LayerVersionArn, obstacle: Obstacle) {
    let why = match obstacle {
        Obstacle::Withdrawn => "its content was withdrawn since, so it does not become the latest",
        Obstacle::Superseded => "a newer version is recorded, so it does not become the latest",
    };
    warn!("{arn} was created by an interrupted run; {why}");
}

fn warn_waiting(region: &Region, unsettled: &[Intent], time: Duration) {
    let seconds = time.as_millis().div_ceil(1000);
    let Some(Intent { layer, .. }) = unsettled.first() else { return };
    match unsettled.len() - 1 {
        0 => warn!("{region}: waiting up to {seconds} s for an unfinished publication of {layer}"),
        others => warn!(
            "{region}: waiting up to {seconds} s for unfinished publications of {layer} and \
             {others} more"
        ),
    }
}
