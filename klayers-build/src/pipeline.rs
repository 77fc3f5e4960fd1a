//! The pipeline: composes the stages, from a collection's configuration to layer versions in its
//! catalog.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt, stream};
use jiff::Timestamp;
use klayers_catalog::report::BuildReason;
use klayers_core::{Build, ExpiryPolicy, LayerName, LayerVersionArn, Region};

use crate::Error;
use crate::plan::{BuildStep, Caution, Force, LayerPlan, PublishReason, Wanted};
use klayers_catalog::artifacts::Artifacts;
use klayers_catalog::{Catalog, OwedPointer};
use klayers_core::terminal::error_chain;
use klayers_layer::builder::Builder;
use klayers_layer::gate::GateReport;
use klayers_publish::Publisher;

mod completion;
mod expiry;
mod importer;
mod lane;
mod lookup_schedule;
mod planner;
mod pointers;
mod preparation;
mod publication;
mod reconcile;
mod run_lock;
mod settling;
mod stop;
mod store;
mod unrecorded;
mod yank;

pub use crate::error::{
    ExpiryError, ReconcileError, RunLockError, UnrecordedLayersError, YankError,
};
pub use crate::plan::YankTarget;
pub use expiry::{Expirer, ExpiryPlan, ExpiryScope, RegionExpiry};
pub use importer::{ImportedLayer, Importer, LayerImport};
pub use planner::{PlannedLayer, Planner, Records};
pub use preparation::LateRegions;
pub use reconcile::{
    AbandonedPublication, Difference, DifferenceKind, ReconciledDifference, Reconciler,
    RegionReconciliation, Remedy, Repairs,
};
pub use run_lock::{Holder, LeaseReturn, LeaseTerms, RunLease, RunLock};
pub use stop::Stop;
pub use yank::{YankOutcome, Yanker, find_versions_to_yank};

use completion::{CompletedVersion, Completion};
use lane::Lanes;
use preparation::{Preparation, Preparer};
use publication::Publishing;
use settling::SettledPublications;

/// Number of layers that are resolved and built at once.
const PARALLEL_LAYERS: usize = 4;
/// Maximum number of layers that are built but not yet published in all regions. It is high, so
/// that one slow region does not delay the others; waiting layers take little memory, because their
/// zips stay on disk.
const LAYERS_UNDER_WAY: usize = 256;
/// Number of regions that are worked on at once.
const PARALLEL_REGIONS: usize = 64;

/// The parts and options of a run.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Plans layers.
    pub planner: Planner,
    /// Builds layers.
    pub builder: Builder,
    /// Stores zips and locks.
    pub artifacts: Arc<dyn Artifacts>,
    /// Publishes layers.
    pub publisher: Arc<dyn Publisher>,
    /// How long deprecated layer versions are kept.
    pub expiry: ExpiryPolicy,
    /// Whether published layer versions are made public.
    pub public: bool,
    /// Time limit for publishing one layer in one region.
    pub deadline: Duration,
    /// Whether to publish layers even if layers of the same names exist in regions for which the
    /// catalog has no records.
    pub new_collection: bool,
    /// Returns the current time, which is recorded with a publication under way. The next run needs
    /// it if this one is killed. Everything else is dated with the `now` of the run.
    pub clock: fn() -> Timestamp,
    /// Stops a run early.
    pub stop: Stop,
}

/// A run that has begun.
#[derive(Debug)]
pub struct Run<'a> {
    pipeline: &'a Pipeline,
    lanes: Lanes,
    regions: &'a [Region],
    now: Timestamp,
    /// Publications that an earlier run left under way and that turned out to have succeeded.
    pub completed: Vec<LayerVersionArn>,
    /// Regions in which the outcome of those publications, or the existing layers, could not be
    /// determined. Nothing is published there.
    pub unsettled: BTreeMap<Region, Error>,
    /// Pointers that neither an earlier run nor this one could move, with the reason.
    pub unmoved: BTreeMap<OwedPointer, String>,
    /// The regions that were not ready when the run began.
    late: Mutex<Option<Preparation<'a>>>,
    late_regions: Mutex<LateRegions>,
}

/// The outcome for one layer of a run.
#[derive(Debug)]
pub struct LayerOutcome {
    /// The layer.
    pub wanted: Wanted,
    /// Time spent on planning and building.
    pub build_time: Duration,
    /// What was done, or why nothing could be done.
    pub result: Result<CompletedLayer, Error>,
}

impl LayerOutcome {
    /// Returns whether any part of it failed.
    pub fn has_failed(&self) -> bool {
        match &self.result {
            Ok(done) => !done.unmoved.is_empty() || done.published.values().any(Result::is_err),
            Err(_) => true,
        }
    }
}

/// What was done for a layer.
#[derive(Debug)]
pub struct CompletedLayer {
    /// The latest build.
    pub build: Build,
    /// Why the layer was built; `None` if it was not.
    pub built: Option<BuildReason>,
    /// The gate report; `None` if the layer was not built.
    pub report: Option<GateReport>,
    /// For each region, the published version or the error.
    pub published: BTreeMap<Region, Result<LayerVersionArn, Error>>,
    /// Regions in which the layer was published but its pointer could not be moved. The next run
    /// moves it.
    pub unmoved: BTreeMap<Region, Error>,
    /// Whether the layer was not published in some region because its content was withdrawn.
    pub withheld: bool,
    /// Things the operator should check.
    pub cautions: Vec<Caution>,
}

impl Pipeline {
    fn catalog(&self) -> &dyn Catalog {
        &*self.planner.catalog
    }

    fn publishing(&self) -> Publishing<'_> {
        Publishing {
            completion: Completion {
                catalog: self.catalog(),
                publisher: &*self.publisher,
                expiry: &self.expiry,
                public: self.public,
            },
            artifacts: &*self.artifacts,
            clock: self.clock,
            stop: &self.stop,
        }
    }

    /// Begins a run: settles publications that an earlier run left under way in these regions, and
    /// looks for existing layers in regions for which the catalog has no records. Regions that are
    /// slower than the others get ready while [layers](Run::layers) are built and published
    /// elsewhere.
    ///
    /// `layers` are the names of all layers of the collection. `now` is the time that is recorded
    /// for everything the run does.
    ///
    /// # Errors
    ///
    /// [`UnrecordedLayersError`] if the catalog may have been lost. Also if the catalog cannot be
    /// read or written.
    pub async fn begin<'a>(
        &'a self,
        layers: &'a BTreeSet<LayerName>,
        regions: &'a [Region],
        now: Timestamp,
    ) -> Result<Run<'a>, Error> {
        let preparer = Preparer {
            publishing: self.publishing(),
            layers,
            new_collection: self.new_collection,
            deadline: self.deadline,
            now,
        };
        let mut preparation = Preparation::begin(preparer, regions).await?;
        let SettledPublications { completed, stuck, failed, unmoved } = preparation.first().await?;
        let lanes = Lanes::new(regions, self.deadline, self.stop.clone());
        lanes.block(&stuck);
        for (region, error) in &failed {
            lanes.close(region, error);
        }
        preparation.regions().for_each(|region| lanes.hold(region));
        Ok(Run {
            pipeline: self,
            lanes,
            regions,
            now,
            completed,
            unsettled: failed,
            unmoved: in_lines(unmoved),
            late: Mutex::new(Some(preparation)),
            late_regions: Mutex::default(),
        })
    }
}

impl Run<'_> {
    /// Builds and publishes each of the layers as needed, several at once. The outcomes come in the
    /// order of the layers; a layer that fails does not affect the others.
    ///
    /// If the run is asked to [stop](Pipeline::stop), it drops builds in progress and begins no
    /// further publication. Layers for which nothing was done then have no outcome.
    pub fn layers<'a>(
        &'a self,
        wanted: &'a [Wanted],
        force: Force,
    ) -> impl Stream<Item = LayerOutcome> + 'a {
        let records = Arc::new(self.pipeline.planner.records());
        let late = stream::once(self.prepare_late()).filter_map(|()| std::future::ready(None));
        let outcomes = stream::iter(wanted)
            .map(move |wanted| {
                let records = Arc::clone(&records);
                async move {
                    let begun = Instant::now();
                    let built = tokio::select! {
                        biased;
                        () = self.pipeline.stop.requested() => None,
                        built = self.build(&records, wanted, force) => Some(built),
                    };
                    (wanted, built, begun.elapsed())
                }
            })
            .buffered(PARALLEL_LAYERS)
            .map(move |(wanted, built, build_time)| async move {
                let result = match built? {
                    Ok(built) => Ok(self.publish(wanted, built).await?),
                    Err(error) => Err(error),
                };
                Some(LayerOutcome { wanted: wanted.clone(), build_time, result })
            })
            .buffered(LAYERS_UNDER_WAY)
            .filter_map(std::future::ready);
        stream::select(late, outcomes)
    }

    /// Opens or closes each region that was not ready when the run began.
    async fn prepare_late(&self) {
        let late = lock(&self.late).take();
        let Some(mut preparation) = late else { return };
        loop {
            let next = tokio::select! {
                biased;
                () = self.pipeline.stop.requested() => None,
                next = preparation.next() => next,
            };
            let Some((region, ready)) = next else { break };
            let SettledPublications { completed, stuck, failed, unmoved } =
                ready.unwrap_or_else(|error| SettledPublications {
                    failed: BTreeMap::from([(region.clone(), error)]),
                    ..SettledPublications::default()
                });
            self.lanes.block(&stuck);
            let mut settled = lock(&self.late_regions);
            settled.completed.extend(completed);
            settled.unmoved.extend(in_lines(unmoved));
            for (region, error) in failed {
                self.lanes.close(&region, &error);
                settled.failed.insert(region, error_chain(&error));
            }
            drop(settled);
            self.lanes.open(&region);
        }
        // After a stop nothing begins in these regions, so do not wait for them.
        preparation.regions().for_each(|region| self.lanes.open(region));
    }

    /// Returns the outcomes for the regions that were not ready when the run began. Complete once
    /// all [layers](Self::layers) are done.
    pub fn late_regions(&self) -> LateRegions {
        lock(&self.late_regions).clone()
    }

    /// Returns the version with a build's content that was settled after the build was planned.
    async fn settled_meanwhile(
        &self,
        region: &Region,
        build: &Build,
    ) -> Result<Option<LayerVersionArn>, Error> {
        for arn in self.late_regions().completed {
            if arn.region() != region {
                continue;
            }
            let version = self.pipeline.catalog().layer_version(&arn).await?;
            let is_it = version.is_some_and(|version| {
                (version.build.target, &version.build.package) == (build.target, &build.package)
                    && version.build.content_digest() == build.content_digest()
            });
            if is_it {
                return Ok(Some(arn));
            }
        }
        Ok(None)
    }

    async fn build(
        &self,
        records: &Records<'_>,
        wanted: &Wanted,
        force: Force,
    ) -> Result<ReadyLayer, Error> {
        let planner = &self.pipeline.planner;
        let PlannedLayer { plan, lock, latest, cautions, .. } =
            planner.plan_layer(records, wanted, self.regions, force).await?;
        let LayerPlan { build, mut publish, withheld, .. } = plan;
        let (build, reason, report) = match build {
            BuildStep::Reuse(build) => (*build, None, None),
            BuildStep::Build(reason) => {
                let (build, report) =
                    self.pipeline.build_and_store(wanted, &lock, self.now).await?;
                (build, Some(reason), Some(report))
            }
        };
        if reason == Some(BuildReason::Forced) {
            // The wheels are the same, but the builder may have produced different content. And the
            // content of an adopted version is unknown.
            for (region, there) in latest {
                if self.regions.contains(&region)
                    && there.content_digest() != build.content_digest()
                {
                    publish.insert(region, PublishReason::Changed);
                }
            }
        }
        let publish = publish.into_keys().collect();
        Ok(ReadyLayer { build, reason, report, publish, withheld, cautions })
    }

    /// Publishes a layer in the planned regions. `None` if the run was asked to stop before any
    /// publication began.
    async fn publish(&self, wanted: &Wanted, built: ReadyLayer) -> Option<CompletedLayer> {
        let ReadyLayer { build, reason, report, publish, withheld, cautions } = built;
        let publishing = self.pipeline.publishing();
        let is_wanted = !publish.is_empty();
        let outcomes: BTreeMap<_, _> = stream::iter(publish)
            .map(|region| async {
                let publication = async {
                    match self.settled_meanwhile(&region, &build).await? {
                        Some(arn) => Ok(CompletedVersion { arn, pointed: Ok(()) }),
                        None => publishing.publish(&region, &wanted.layer, &build, self.now).await,
                    }
                };
                let publisher = &*self.pipeline.publisher;
                let lane = self.lanes.publish(publisher, &region, &wanted.layer, publication);
                let outcome = lane.await;
                outcome.map(|outcome| (region, outcome))
            })
            .buffer_unordered(PARALLEL_REGIONS)
            .filter_map(std::future::ready)
            .collect()
            .await;
        if is_wanted && outcomes.is_empty() {
            return None;
        }
        let (published, unmoved) = split(outcomes);
        Some(CompletedLayer {
            build,
            built: reason,
            report,
            published,
            unmoved,
            withheld,
            cautions,
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn in_lines(errors: BTreeMap<OwedPointer, Error>) -> BTreeMap<OwedPointer, String> {
    errors.into_iter().map(|(which, error)| (which, error_chain(&error))).collect()
}

/// The published versions, and the pointers that could not be moved, by region.
type Outcomes = (BTreeMap<Region, Result<LayerVersionArn, Error>>, BTreeMap<Region, Error>);

/// Separates the outcomes of publications from those of their pointers.
fn split(outcomes: BTreeMap<Region, Result<CompletedVersion, Error>>) -> Outcomes {
    let mut unmoved = BTreeMap::new();
    let published = outcomes.into_iter().map(|(region, outcome)| {
        let outcome = outcome.map(|CompletedVersion { arn, pointed }| {
            if let Err(error) = pointed {
                unmoved.insert(region.clone(), error);
            }
            arn
        });
        (region, outcome)
    });
    let published = published.collect();
    (published, unmoved)
}

/// A layer that is ready to be published.
struct ReadyLayer {
    build: Build,
    reason: Option<BuildReason>,
    report: Option<GateReport>,
    publish: Vec<Region>,
    withheld: bool,
    cautions: Vec<Caution>,
}
