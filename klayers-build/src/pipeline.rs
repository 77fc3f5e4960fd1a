//! The pipeline: composes the stages, from a collection's config to layer versions in its catalog.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{Stream, StreamExt, stream};
use jiff::Timestamp;
use klayers_core::{Build, ExpiryPolicy, LayerVersionArn, Region};

use crate::Error;
use crate::artifacts::Artifacts;
use crate::builder::Builder;
use crate::catalog::Catalog;
use crate::gate::GateReport;
use crate::plan::{BuildReason, BuildStep, Force, LayerPlan, PublishReason, Wanted};
use crate::publish::Publisher;

mod importer;
mod planner;
mod publication;
mod run_lock;
mod store;

pub use importer::{Imported, Importer, LayerImport};
pub use planner::{Planned, Planner};
pub use run_lock::{RunLock, RunLockError};

use publication::Publishing;

/// How many layers are worked on at once.
const PARALLEL_LAYERS: usize = 4;
/// In how many regions one layer is published at once.
const PARALLEL_REGIONS: usize = 16;

/// All that a run works with.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Plans.
    pub planner: Planner,
    /// Builds.
    pub builder: Builder,
    /// Keeps the zips and locks.
    pub artifacts: Arc<dyn Artifacts>,
    /// Publishes.
    pub publisher: Arc<dyn Publisher>,
    /// How long deprecated layer versions are kept.
    pub expiry: ExpiryPolicy,
}

/// What became of a layer in a run.
#[derive(Debug)]
pub struct LayerOutcome {
    /// The layer.
    pub wanted: Wanted,
    /// What was done, or why nothing could be.
    pub result: Result<LayerDone, Error>,
}

impl LayerOutcome {
    /// Whether a part of it failed.
    pub fn has_failed(&self) -> bool {
        match &self.result {
            Ok(done) => done.published.values().any(Result::is_err),
            Err(_) => true,
        }
    }
}

/// What was done for a layer.
#[derive(Debug)]
pub struct LayerDone {
    /// The build that is the latest now.
    pub build: Build,
    /// Why it was built, if it was.
    pub built: Option<BuildReason>,
    /// What the gate said of it, if it was built.
    pub report: Option<GateReport>,
    /// Where it was published, or why it could not be.
    pub published: BTreeMap<Region, Result<LayerVersionArn, Error>>,
}

impl Pipeline {
    fn catalog(&self) -> &dyn Catalog {
        &*self.planner.catalog
    }

    fn publishing(&self) -> Publishing<'_> {
        Publishing {
            catalog: self.catalog(),
            artifacts: &*self.artifacts,
            publisher: &*self.publisher,
            expiry: &self.expiry,
        }
    }

    /// Does what has to be done for each of the layers, several at once. The outcomes come in the
    /// order of the layers; one that fails keeps no other from being done.
    ///
    /// `now` is the time that is written down for all that is done.
    ///
    /// # Errors
    ///
    /// If what an earlier run left under way cannot be settled: nothing else is done then.
    pub async fn run<'a>(
        &'a self,
        wanted: &'a [Wanted],
        regions: &'a [Region],
        force: Force,
        now: Timestamp,
    ) -> Result<impl Stream<Item = LayerOutcome> + 'a, Error> {
        self.publishing().settle(now).await?;
        let outcomes = stream::iter(wanted)
            .map(move |wanted| async move {
                let result = async {
                    let planned = self.planner.plan_layer(wanted, regions, force).await?;
                    self.run_one(planned, now).await
                };
                LayerOutcome { wanted: wanted.clone(), result: result.await }
            })
            .buffered(PARALLEL_LAYERS);
        Ok(outcomes)
    }

    async fn run_one(&self, planned: Planned, now: Timestamp) -> Result<LayerDone, Error> {
        let Planned { plan: LayerPlan { wanted, build, mut publish }, lock, latest_versions } =
            planned;
        let (build, reason, report) = match build {
            BuildStep::Reuse(build) => (*build, None, None),
            BuildStep::Build(reason) => {
                let (build, report) = self.build_and_store(&wanted, &lock, now).await?;
                (build, Some(reason), Some(report))
            }
        };
        if reason == Some(BuildReason::Forced) {
            // The wheels are the same, but the builder may have made something else of them.
            for (region, version) in latest_versions {
                if version.build.content_digest != build.content_digest {
                    publish.insert(region, PublishReason::Changed);
                }
            }
        }
        let published = stream::iter(publish.into_keys())
            .map(|region| async {
                let outcome = self.publishing().publish(&region, &wanted.layer, &build, now).await;
                (region, outcome)
            })
            .buffer_unordered(PARALLEL_REGIONS)
            .collect()
            .await;
        Ok(LayerDone { build, built: reason, report, published })
    }
}
